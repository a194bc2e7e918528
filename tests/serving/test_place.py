"""Places: a frame whose colours tell where a pixel lies says whether the clip lies where it is said to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mudra.clips import ArraySource, ClipMaker, ClipSpec
from mudra.serving.clip_picture import draw_clip
from mudra.serving.place import PixelPlace, Place, WatchedSource, cut_place, find_place
from mudra.types import Frames, Stream
from tests.fixtures.explanation import block_depth, moving_block


def map_of_places(height: int, width: int, *, block: tuple[int, int]) -> Frames:
    """Return frames whose red grows to the right and whose green grows downwards; blue flickers in one block."""
    frames_THWC = np.zeros((6, height, width, 3), np.uint8)
    frames_THWC[..., 0] = (np.arange(width) + 0.5)[None, None] * 255 / width
    frames_THWC[..., 1] = (np.arange(height) + 0.5)[None, :, None] * 255 / height
    top, left = block
    frames_THWC[::2, top : top + height // 3, left : left + width // 4, 2] = 255
    return Frames(frames_THWC, np.arange(6) / 10)


@pytest.mark.parametrize(
    "spec",
    [
        {"size": [32, 32]},
        {"size": [32, 48]},
        {"size": [40, 24], "crop": "stretch"},
        {"size": [64, 64], "region": "motion"},
        {"size": [48, 64], "region": "motion", "region_margin_fraction": 0.3},
    ],
    ids=["square", "wide", "stretch", "motion", "motion with room"],
)
@pytest.mark.parametrize("frame", [(120, 160), (160, 90), (300, 400)], ids=str)
@pytest.mark.parametrize("corner", [(0.4, 0.3), (0.1, 0.7)], ids=["inside", "at the edge"])
def test_the_clip_lies_where_it_is_said_to(
    spec: dict[str, Any], frame: tuple[int, int], corner: tuple[float, float]
) -> None:
    clip_spec = ClipSpec.from_mapping({"num_frames": 4, **spec})
    frames = map_of_places(*frame, block=(round(corner[0] * frame[0]), round(corner[1] * frame[1])))
    source = WatchedSource(ArraySource(frames))
    clip = ClipMaker(clip_spec).read_clip({Stream.RGB: source})
    assert source.seen is not None
    place = find_place(clip_spec, source.seen, Stream.RGB)
    red_HW, green_HW, _ = np.moveaxis(draw_clip(clip.clip_TCHW, clip_spec)[Stream.RGB][0] / 255.0, 2, 0)
    rows, columns = clip_spec.size
    for y in (rows // 4, rows // 2, 3 * rows // 4):
        for x in (columns // 4, columns // 2, 3 * columns // 4):
            where_x = place.left + (x + 0.5) / columns * place.width
            where_y = place.top + (y + 0.5) / rows * place.height
            if 0.02 < where_x < 0.98 and 0.02 < where_y < 0.98:
                assert red_HW[y, x] == pytest.approx(where_x, abs=0.02)
                assert green_HW[y, x] == pytest.approx(where_y, abs=0.02)


def test_leftovers_do_not_move_the_place_of_a_cut_out_hand() -> None:
    clean = block_depth()
    dirty = Frames(clean.frames_THWC.copy(), clean.times_s)
    dirty.frames_THWC[:, :3, 60:] = 3000
    spec = ClipSpec(streams=(Stream.DEPTH,), size=(32, 32), region="motion", depth_reach_mm=200.0)
    assert find_place(spec, dirty, Stream.DEPTH) == find_place(spec, clean, Stream.DEPTH)
    keeps_all = spec.model_copy(update={"depth_reach_mm": None})
    assert find_place(keeps_all, dirty, Stream.DEPTH) != find_place(spec, clean, Stream.DEPTH)


def test_a_watched_source_keeps_what_was_read_first() -> None:
    source = WatchedSource(ArraySource(moving_block()))
    assert source.seen is None
    first = source.read(np.array([3, 5]), size=(24, 32))
    source.read(np.array([7]))
    assert source.seen is first
    assert source.seen.times_s.tolist() == [0.3, 0.5]
    assert source.frame_size == (48, 64)
    assert len(source.times_s) == 12


def test_a_place_in_pixels_is_never_empty() -> None:
    assert Place(0.25, 0.5, 0.5, 0.001).in_pixels(40, 80) == PixelPlace(10, 40, 20, 1)


def test_what_lies_over_the_edge_is_black() -> None:
    picture_HWC = np.arange(1, 49, dtype=np.uint8).reshape(4, 4, 3)
    inside = cut_place(picture_HWC, Place(0.25, 0.5, 0.5, 0.5))
    np.testing.assert_array_equal(inside, picture_HWC[1:3, 2:4])
    over = cut_place(picture_HWC, Place(-0.25, 0.5, 0.5, 0.75))
    assert over.shape == (2, 3, 3)
    assert not over[0].any()
    assert not over[:, 2].any()
    np.testing.assert_array_equal(over[1, :2], picture_HWC[0, 2:])
    below = cut_place(picture_HWC, Place(0.75, -0.25, 0.5, 0.5))
    np.testing.assert_array_equal(below[0, 1], picture_HWC[3, 0])
    assert not below[1].any()
    assert not below[:, 0].any()
