"""Pictures of clips: levels come back, near is white, what was not measured is black, heat colours what is hot."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch

from mudra.clips import ArraySource, ClipMaker, ClipSpec, FlowChannels, LevelDepthChannels
from mudra.serving.clip_picture import draw_clip, draw_original, lay_heat
from mudra.types import Frames, Stream
from tests.fixtures.explanation import moving_block


def test_colour_comes_back_as_it_was() -> None:
    spec = ClipSpec(num_frames=3, size=(48, 64))
    frames = moving_block(3)
    clip = ClipMaker(spec).read_clip({Stream.RGB: ArraySource(frames)})
    np.testing.assert_array_equal(draw_clip(clip.clip_TCHW, spec)[Stream.RGB], frames.frames_THWC)


def depth_ramp() -> Frames:
    """Return depth from 600 mm (left) to 1000 mm, its upper half not measured."""
    depth = np.tile(np.linspace(600, 1000, 32).astype(np.uint16), (2, 32, 1))
    depth[:, :16] = 0
    return Frames(depth[..., None], np.arange(2) / 10)


def test_relative_depth_is_white_where_near_and_black_where_unmeasured() -> None:
    spec = ClipSpec(streams=(Stream.DEPTH,), num_frames=2, size=(32, 32))
    clip = ClipMaker(spec).read_clip({Stream.DEPTH: ArraySource(depth_ramp())})
    picture = draw_clip(clip.clip_TCHW, spec)[Stream.DEPTH][0]
    assert not picture[:16].any()
    row = picture[24, :, 0].astype(int)
    assert (np.diff(row) <= 0).all()
    # 800 mm is the reference; 400 mm to either side would be white and darkest.
    assert row[0] == pytest.approx(40 + 0.75 * 215, abs=6)
    assert row[-1] == pytest.approx(40 + 0.25 * 215, abs=6)
    assert (picture[..., 0] == picture[..., 1]).all()


def test_depth_levels_are_drawn_as_they_are() -> None:
    channels = LevelDepthChannels(near_mm=0.0, far_mm=1020.0)
    spec = ClipSpec(streams=(Stream.DEPTH,), num_frames=2, size=(32, 32), depth=channels)
    clip = ClipMaker(spec).read_clip({Stream.DEPTH: ArraySource(depth_ramp())})
    picture = draw_clip(clip.clip_TCHW, spec)[Stream.DEPTH][0]
    assert not picture[:16].any()
    np.testing.assert_allclose(picture[24, :, 1], np.linspace(600, 1000, 32) / 4, atol=1)


@pytest.mark.parametrize("num_channels", [2, 3])
def test_flow_is_coloured_by_direction(num_channels: Literal[2, 3]) -> None:
    channels = FlowChannels(num_channels=num_channels)
    spec = ClipSpec(streams=(Stream.FLOW,), num_frames=1, size=(8, 8), flow=channels)
    flow_TCHW = torch.zeros(1, num_channels, 8, 8)
    flow_TCHW[0, 0, :, 4:] = 1.0  # to the right: red on the colour wheel
    picture = draw_clip(flow_TCHW, spec)[Stream.FLOW][0]
    assert picture[0, 0].tolist() == [0, 0, 0]
    assert picture[0, 7].tolist() == [255, 0, 0]


def test_streams_side_by_side_are_told_apart() -> None:
    spec = ClipSpec(streams=(Stream.RGB, Stream.DEPTH), num_frames=1, size=(4, 4))
    clip_TCHW = torch.zeros(1, 5, 4, 4)
    clip_TCHW[:, 4, :2] = 1.0  # measured, at the reference
    pictures = draw_clip(clip_TCHW, spec)
    assert list(pictures) == [Stream.RGB, Stream.DEPTH]
    assert pictures[Stream.RGB][0, 0, 0].tolist() == [114, 109, 104]
    assert pictures[Stream.DEPTH][0, 0, 0, 0] == 148
    assert pictures[Stream.DEPTH][0, 3, 0, 0] == 0


def test_original_colour_is_shown_as_it_is() -> None:
    frames_THWC = moving_block(2).frames_THWC
    np.testing.assert_array_equal(draw_original(frames_THWC), frames_THWC)


def test_pieces_of_a_depth_recording_are_drawn_on_one_scale() -> None:
    whole = depth_ramp().frames_THWC
    piece = whole.copy()
    piece[piece > 0] = 800
    alone, beside = draw_original(piece), draw_original(piece, scale_from=whole)
    assert beside[0, 24, 0, 0] == pytest.approx(40 + 0.5 * 215, abs=4)
    assert alone[0, 24, 0, 0] != beside[0, 24, 0, 0]
    assert not beside[0, :16].any()


def test_depth_without_any_measurement_is_black() -> None:
    assert not draw_original(np.zeros((2, 4, 4, 1), np.uint16)).any()


def test_heat_colours_what_is_hot_and_leaves_the_rest_grey() -> None:
    picture_HWC = np.full((20, 20, 3), (200, 100, 50), np.uint8)
    heat_HW = np.zeros((2, 2))
    heat_HW[0, 1] = 1.0
    laid = lay_heat(picture_HWC, heat_HW).astype(int)
    cold, hot = laid[-1, 0], laid[0, -1]
    assert cold[0] == cold[1] == cold[2]
    assert 0 < cold[0] < 200
    assert hot[0] > 2 * hot[2]  # dark red
    assert laid.shape == picture_HWC.shape


def test_the_picture_is_seen_through_the_greatest_heat() -> None:
    picture_HWC = np.zeros((8, 8, 3), np.uint8)
    picture_HWC[:, 4:] = 255
    laid = lay_heat(picture_HWC, np.ones((3, 3))).astype(int)
    assert (laid[0, 7] > laid[0, 0] + 30).all()
