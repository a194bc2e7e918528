"""Drawn pictures for the tests of clips: textures, markers, and surfaces at a depth."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mudra.clips import ArraySource
from mudra.types import Frames

MARKER = 255


def texture(height: int, width: int, *, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Return a smooth random grey picture (H, W), which a search for motion can hold on to."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0)
    return cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def moved_texture(num_frames: int, *, dx: int, dy: int, size: tuple[int, int] = (64, 80)) -> npt.NDArray[np.uint8]:
    """Return grey frames (T, H, W) in which everything moves by (dx, dy) pixels from one to the next."""
    border = max(abs(dx), abs(dy)) * num_frames
    large = texture(size[0] + 2 * border, size[1] + 2 * border)
    starts = [(border - k * dy, border - k * dx) for k in range(num_frames)]
    return np.stack([large[top : top + size[0], left : left + size[1]] for top, left in starts])


def in_colour(grey_THW: npt.NDArray[np.uint8], *, fps: float = 10.0) -> ArraySource:
    """Return grey frames as a source of colour."""
    frames = np.repeat(grey_THW[..., None], 3, axis=-1)
    return ArraySource(Frames(frames, np.arange(len(frames)) / fps))


def in_depth(depth_THW: npt.NDArray[np.generic], *, fps: float = 10.0) -> ArraySource:
    """Return depth in millimetres as a source of depth."""
    frames = depth_THW.astype(np.uint16)[..., None]
    return ArraySource(Frames(frames, np.arange(len(frames)) / fps))


def square(
    num_frames: int, *, size: tuple[int, int], tops: list[int], lefts: list[int], side: int, inside: int, outside: int
) -> npt.NDArray[np.int64]:
    """Return frames (T, H, W) of one value with a square of another at a place for each frame."""
    frames = np.full((num_frames, *size), outside, dtype=np.int64)
    for frame, top, left in zip(frames, tops, lefts, strict=True):
        frame[top : top + side, left : left + side] = inside
    return frames


def centre_of(picture_HW: npt.NDArray[np.floating]) -> tuple[float, float]:
    """Return the centre of mass (y, x)."""
    rows, columns = np.indices(picture_HW.shape)
    total = picture_HW.sum()
    return float((rows * picture_HW).sum() / total), float((columns * picture_HW).sum() / total)
