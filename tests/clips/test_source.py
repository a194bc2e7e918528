"""Sources of frames: arrays, which streams are wanted, and which frames of two streams belong together."""

from __future__ import annotations

import numpy as np
import pytest

from mudra.clips import ArraySource, BoxedSource, ClipMaker, ClipSpec
from mudra.clips.source import nearest_frames
from mudra.errors import ClipError
from mudra.types import Frames, PixelBox, Stream
from tests.clips.pictures import in_colour, in_depth


def test_an_array_shrinks_colour_by_mean_and_depth_by_choice() -> None:
    pattern = np.tile(np.array([[0, 200], [200, 0]]), (4, 4))[None]
    colour = in_colour(pattern.astype(np.uint8)).read(size=(4, 4)).frames_THWC
    assert (colour == 100).all()
    depth = in_depth(np.where(pattern > 0, 900, 0)).read(size=(4, 4))
    assert depth.frames_THWC.shape == (1, 4, 4, 1)
    assert set(np.unique(depth.frames_THWC)) <= {0, 900}
    source = ArraySource(Frames(np.zeros((3, 4, 6, 3), np.uint8), np.arange(3.0)))
    assert source.frame_size == (4, 6)
    assert source.read(np.array([2, 0])).times_s.tolist() == [2.0, 0.0]


def test_a_missing_stream_is_named() -> None:
    sources = {Stream.RGB: in_colour(np.zeros((4, 16, 16), np.uint8))}
    with pytest.raises(ClipError, match=r"needs the depth stream, the recording has rgb\n  hint: .*depth file"):
        ClipMaker(ClipSpec(streams=(Stream.DEPTH,))).read_clip(sources)
    with pytest.raises(ClipError, match="flow is computed from colour or depth"):
        ClipMaker(ClipSpec(streams=(Stream.FLOW,))).read_clip({})
    with pytest.raises(ClipError, match="needs the rgb stream, the recording has none"):
        ClipMaker(ClipSpec()).window({})


def test_streams_with_other_times_are_matched_by_time() -> None:
    levels = (np.zeros((10, 16, 16), dtype=np.int64) + 10 * np.arange(10)[:, None, None]).astype(np.uint8)
    depth = np.zeros((21, 16, 16), dtype=np.int64) + 500 + 10 * np.arange(21)[:, None, None]
    sources = {Stream.RGB: in_colour(levels, fps=10.0), Stream.DEPTH: in_depth(depth, fps=20.0)}
    spec = ClipSpec(streams=(Stream.DEPTH, Stream.RGB), num_frames=5, size=(16, 16))
    window = ClipMaker(spec).window(sources)
    assert window.streams[Stream.DEPTH][:, 0, 0, 0].tolist() == [500 + 20 * k for k in range(10)]
    assert nearest_frames(np.array([0.0, 0.1]), np.array([0.04, 0.06])).tolist() == [0, 1]


def test_streams_of_as_many_frames_are_paired_one_by_one_whatever_rate_their_files_tell() -> None:
    levels = (np.zeros((30, 16, 16), dtype=np.int64) + 5 * np.arange(30)[:, None, None]).astype(np.uint8)
    depth = np.zeros((30, 16, 16), dtype=np.int64) + 500 + 5 * np.arange(30)[:, None, None]
    sources = {Stream.RGB: in_colour(levels, fps=8.4), Stream.DEPTH: in_depth(depth, fps=10.0)}
    spec = ClipSpec(streams=(Stream.RGB, Stream.DEPTH), num_frames=5, size=(16, 16))
    window = ClipMaker(spec).window(sources, span_s=(0.5, None))
    colour, seen = (window.streams[stream][:, 0, 0, 0].int().tolist() for stream in spec.streams)
    assert seen == [500 + level for level in colour]


def test_a_box_is_all_that_is_seen() -> None:
    whole = np.zeros((40, 12, 20, 3), np.uint8)
    whole[:, 3:9, 4:16] = np.arange(40, dtype=np.uint8)[:, None, None, None] + 1
    source = BoxedSource(ArraySource(Frames(whole, np.arange(40.0) / 10)), PixelBox(top=3, left=4, height=6, width=12))
    assert source.frame_size == (6, 12)
    frames = source.read()
    assert frames.frames_THWC.shape == (40, 6, 12, 3)
    assert frames.frames_THWC.min() == 1, "nothing from outside the box"
    some = source.read(np.array([30, 2, 17]), size=(3, 6))
    assert some.frames_THWC.shape == (3, 3, 6, 3)
    assert some.frames_THWC[:, 0, 0, 0].tolist() == [31, 3, 18]
    assert some.times_s.tolist() == [3.0, 0.2, 1.7]


@pytest.mark.parametrize("box", [(-1, 0, 4, 4), (0, 17, 4, 4), (9, 0, 4, 4), (0, 0, 0, 4)])
def test_a_box_beyond_the_frames_is_refused(box: tuple[int, int, int, int]) -> None:
    whole = ArraySource(Frames(np.zeros((2, 12, 20, 3), np.uint8), np.arange(2.0)))
    with pytest.raises(ClipError, match="of frames of 12x20"):
        BoxedSource(whole, PixelBox(*box))
