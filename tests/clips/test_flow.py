"""Flow: its sign, its size, and pictures too small for it."""

from __future__ import annotations

import numpy as np
import pytest

from mudra.clips.flow import FlowQuality, compute_flow
from mudra.errors import ClipError
from tests.clips.pictures import moved_texture


@pytest.mark.parametrize("quality", ["ultrafast", "fast", "medium"])
@pytest.mark.parametrize(("dx", "dy"), [(3, 0), (-3, 0), (0, 2), (-2, -3)])
def test_flow_points_where_the_picture_moves(dx: int, dy: int, quality: FlowQuality) -> None:
    frames = moved_texture(4, dx=dx, dy=dy)
    flow = compute_flow(frames[:-1], frames[1:], quality=quality)
    assert flow.shape == (3, 64, 80, 2)
    assert flow.dtype == np.float32
    inner = flow[:, 12:-12, 12:-12].reshape(-1, 2)
    assert np.median(inner, axis=0) == pytest.approx([dx, dy], abs=0.4)


def test_still_pictures_do_not_flow() -> None:
    frames = moved_texture(3, dx=0, dy=0)
    assert np.abs(compute_flow(frames[:-1], frames[1:])).max() < 0.1


@pytest.mark.parametrize("size", [(11, 40), (40, 11)])
def test_pictures_too_small_are_refused(size: tuple[int, int]) -> None:
    small = np.zeros((1, *size), np.uint8)
    with pytest.raises(ClipError, match=rf"{size[1]}x{size[0]} pixels\n  hint: .*at least 12x12"):
        compute_flow(small, small)


def test_the_smallest_pictures_are_taken() -> None:
    smallest = np.zeros((1, 12, 12), np.uint8)
    assert compute_flow(smallest, smallest).shape == (1, 12, 12, 2)
