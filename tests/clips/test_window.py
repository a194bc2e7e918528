"""Windows: which place of which frames, in depth that is not blended with nothing, and the flow between frames."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mudra.clips import ClipMaker, ClipSpec, FlowChannels
from mudra.clips.flow import FlowQuality, compute_flow
from mudra.types import Stream
from tests.clips.pictures import in_colour, in_depth, moved_texture, square


def test_a_window_holds_at_most_so_many_frames_evenly_chosen() -> None:
    maker = ClipMaker(ClipSpec(num_frames=4, size=(16, 16), max_frames=10))
    window = maker.window({Stream.RGB: in_colour(np.zeros((40, 16, 16), np.uint8))})
    assert window.times_s.tolist() == pytest.approx([0.4 * k for k in range(10)])
    assert window.num_bytes == 10 * 3 * 16 * 16


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (33, 64), (64, 31)])
@pytest.mark.parametrize("region", ["frame", "motion"])
def test_frames_of_any_size_and_a_single_frame_become_clips(size: tuple[int, int], region: str) -> None:
    spec = ClipSpec.from_mapping({"streams": ["rgb", "depth"], "num_frames": 3, "size": (24, 20), "region": region})
    sources = {
        Stream.RGB: in_colour(np.full((1, *size), 9, np.uint8)),
        Stream.DEPTH: in_depth(np.full((1, *size), 700)),
    }
    clip = ClipMaker(spec).read_clip(sources).clip_TCHW
    assert clip.shape == (3, 5, 24, 20)
    assert clip.isfinite().all()


# Depth is not a picture


@pytest.mark.parametrize("region", ["frame", "motion"])
def test_another_distance_to_the_camera_gives_the_same_clip(region: str) -> None:
    scene = square(8, size=(60, 90), tops=[20] * 8, lefts=list(range(20, 60, 5)), side=20, inside=704, outside=1008)
    scene[:, 40:, 70:] = 0
    spec = ClipSpec(streams=(Stream.DEPTH,), num_frames=6, size=(32, 32), region=region)  # type: ignore[arg-type]
    clips = []
    for offset in (0, 300):
        moved = np.where(scene > 0, scene + offset, 0)
        clips.append(ClipMaker(spec).read_clip({Stream.DEPTH: in_depth(moved)}).clip_TCHW)
    # Half precision rounds to a millimetre here; a hundred millimetres are 1.
    assert torch.allclose(clips[0], clips[1], atol=0.021)


def test_the_window_follows_a_hand_that_plays_elsewhere() -> None:
    def clip_at(top: int, left: int) -> Tensor:
        lefts = list(range(left, left + 40, 5))
        hand = square(8, size=(120, 160), tops=[top] * 8, lefts=lefts, side=20, inside=700, outside=1200)
        spec = ClipSpec(streams=(Stream.DEPTH,), num_frames=6, size=(32, 32), region="motion")
        return ClipMaker(spec).read_clip({Stream.DEPTH: in_depth(hand)}).clip_TCHW

    assert torch.allclose(clip_at(45, 40), clip_at(60, 70), atol=1e-3)


def test_a_window_over_the_edge_is_not_measured_there() -> None:
    hand = square(8, size=(60, 80), tops=[0] * 8, lefts=list(range(0, 32, 4)), side=20, inside=700, outside=1200)
    spec = ClipSpec(streams=(Stream.DEPTH,), num_frames=6, size=(32, 32), region="motion", region_margin_fraction=0.3)
    clip = ClipMaker(spec).read_clip({Stream.DEPTH: in_depth(hand)}).clip_TCHW
    assert (clip[:, 1, 0] == 0).all()
    assert (clip[:, 1, -1, -1] == 1).all()


def cut_out_hand(num_frames: int) -> np.ndarray:
    """A resting hand that the sensor's software has cut out, and a leftover of the wall behind it."""
    depth = square(
        num_frames, size=(48, 64), tops=[20] * num_frames, lefts=[10] * num_frames, side=16, inside=600, outside=0
    )
    depth[:, 2:14, 46:60] = 2400
    return depth


def test_leftovers_of_the_background_are_not_measured() -> None:
    spec = ClipSpec(streams=(Stream.DEPTH,), num_frames=4, size=(48, 64), depth_reach_mm=200.0)
    measured = ClipMaker(spec).read_clip({Stream.DEPTH: in_depth(cut_out_hand(6))}).clip_TCHW[:, 1]
    assert (measured[:, 2:14, 46:60] == 0).all()
    assert (measured[:, 20:36, 10:26] == 1).all()


# Flow


def flow_of(grey_THW: np.ndarray, **changes: object) -> Tensor:
    spec = ClipSpec.from_mapping(
        {"streams": ("flow",), "num_frames": 4, "size": (64, 80), "flow": {"scale_px": 1.0}, **changes}
    )
    return ClipMaker(spec).read_clip({Stream.RGB: in_colour(grey_THW)}).clip_TCHW


def test_flow_is_that_to_the_next_frame_of_the_recording() -> None:
    """Sampled frames are four apart; their flow is still that of one frame to the next."""
    clip = flow_of(moved_texture(16, dx=3, dy=-1))
    inner = clip[:, :, 16:-16, 16:-16]
    assert inner.mean(dim=(-2, -1)).numpy() == pytest.approx(np.tile([3.0, -1.0], (4, 1)), abs=0.4)


def test_the_last_frame_takes_the_flow_before_it() -> None:
    spec = ClipSpec(streams=(Stream.FLOW,), num_frames=4, size=(64, 80), flow=FlowChannels(scale_px=1.0))
    clip = ClipMaker(spec).read_clip({Stream.RGB: in_colour(moved_texture(4, dx=3, dy=0))}).clip_TCHW
    assert torch.equal(clip[3], clip[2])
    one = ClipMaker(spec).read_clip({Stream.RGB: in_colour(moved_texture(1, dx=3, dy=0))}).clip_TCHW
    assert one.abs().max() < 0.1


def test_flow_counts_pixels_of_the_clip() -> None:
    clip = flow_of(moved_texture(8, dx=4, dy=0), size=(32, 40))
    assert clip[:, 0, 8:-8, 8:-8].mean() == pytest.approx(2.0, abs=0.3)


def test_flow_of_depth_sees_motion() -> None:
    depth = 500 + 8 * moved_texture(8, dx=3, dy=0).astype(np.int64)
    spec = ClipSpec(streams=(Stream.FLOW,), num_frames=4, size=(64, 80), flow=FlowChannels(scale_px=1.0))
    clip = ClipMaker(spec).read_clip({Stream.DEPTH: in_depth(depth)}).clip_TCHW
    assert clip[:, 0, 16:-16, 16:-16].mean() == pytest.approx(3.0, abs=0.5)


def test_leftovers_of_the_background_are_in_neither_picture_that_flow_is_computed_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[np.ndarray] = []

    def look(before: np.ndarray, after: np.ndarray, *, quality: FlowQuality) -> np.ndarray:
        seen.extend((before, after))
        return compute_flow(before, after, quality=quality)

    monkeypatch.setattr("mudra.clips.window.compute_flow", look)
    spec = ClipSpec(streams=(Stream.FLOW,), num_frames=4, size=(48, 64), depth_reach_mm=200.0)
    ClipMaker(spec).read_clip({Stream.DEPTH: in_depth(cut_out_hand(4))})
    assert len(seen) == 2
    for grey_THW in seen:
        assert (grey_THW[:, 2:14, 46:60] == 0).all()
        assert (grey_THW[:, 22:34, 12:24] > 0).all()
