"""Where in the picture it happens: one square window per clip around what moves.

A gesture's hand is a small part of the frame, and where it stands is chance. The window is the same for all frames of a
clip, so that motion inside it stays motion. It needs nothing but the frames themselves, so it works live too.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from mudra.types import Frames, Stream

# A pixel has moved when it changed by more than this between neighbouring frames. Below are sensor noise and video
# coding: about 10 mm for structured light at arm's length, and some grey levels for a coded picture.
MOVED_MM = 25.0
MOVED_LEVELS = 24.0
# Specks outside these quantiles of all motion do not stretch the window.
MOTION_QUANTILES = (0.01, 0.99)
# Where the sensor's software has kept less than this share of the pixels, it has cut out the hand already.
CUT_OUT_FRACTION = 0.5
# A hand that stays where it is gets a window this much wider than itself: its fingers would touch the edges otherwise.
HAND_ROOM = 1.35
SEARCH_SIDE_PX = 160


class Box(NamedTuple):
    """A square window in pixels of the full frame; it may reach over the frame's edge."""

    top: float
    left: float
    side: float


def whole_frame(height: int, width: int) -> Box:
    """Return the square around the whole frame."""
    side = float(max(height, width))
    return Box((height - side) / 2, (width - side) / 2, side)


def find_motion_box(frames: Frames, stream: Stream, *, margin_fraction: float, min_side_fraction: float = 0.2) -> Box:
    """Return the square window around what moves.

    Args:
        frames: The clip's frames of one stream, colour or depth.
        stream: Which of the two.
        margin_fraction: How much to add around what moves, as a fraction of the window's side.
        min_side_fraction: The smallest window, as a fraction of the frame's longer side.

    Returns:
        The window. The whole frame where nothing moves.

    Example:
        >>> still = np.zeros((4, 60, 80, 3), np.uint8)
        >>> find_motion_box(Frames(still, np.arange(4.0)), Stream.RGB, margin_fraction=0.1)
        Box(top=-10.0, left=0.0, side=80.0)
    """
    height, width = frames.frames_THWC.shape[1:3]
    shrink = max(1, int(max(height, width) / SEARCH_SIDE_PX))
    small = frames.frames_THWC[:, ::shrink, ::shrink]
    activity_HW = _depth_activity(small[..., 0]) if stream is Stream.DEPTH else _colour_activity(small)
    rows, columns = activity_HW.sum(1), activity_HW.sum(0)
    if rows.sum() < 2:
        return whole_frame(height, width)
    top, bottom = _extent(rows)
    left, right = _extent(columns)
    side: float = max(bottom - top, right - left) * shrink
    if stream is Stream.DEPTH and is_cut_out(small):
        side = max(side, HAND_ROOM * _hand_side(small[..., 0]) * shrink)
    side = max(side * (1.0 + 2.0 * margin_fraction), min_side_fraction * max(height, width))
    middle_y, middle_x = (top + bottom) / 2 * shrink, (left + right) / 2 * shrink
    return Box(middle_y - side / 2, middle_x - side / 2, side)


def is_cut_out(depth: npt.NDArray[np.generic]) -> bool:
    """Say whether the sensor's software has kept the hand alone, in a frame or in several: most is not measured."""
    return bool(depth.astype(bool).mean() < CUT_OUT_FRACTION)


def keep_reach(frames: Frames, *, reach_mm: float) -> Frames:
    """Return depth frames without the leftovers of a background, where a hand was cut out.

    Each frame decides for itself whether it was cut out: what becomes of it does not depend on which others were read,
    so that training, any sampling and live use see the same.

    Args:
        frames: Depth in millimetres, 0 where nothing was measured.
        reach_mm: How far a pixel may be from the median of its frame.

    Example:
        >>> depth = np.zeros((1, 4, 4, 1), np.uint16)
        >>> depth[0, 0, :3, 0] = (500, 510, 900)
        >>> keep_reach(Frames(depth, np.zeros(1)), reach_mm=200.0).frames_THWC[0, 0, :, 0].tolist()
        [500, 510, 0, 0]
    """
    kept_THWC = frames.frames_THWC.copy()
    for frame_HWC in filter(is_cut_out, kept_THWC):
        depth_mm = frame_HWC[frame_HWC.astype(bool)].astype(np.float32)
        if len(depth_mm):
            off_mm = np.abs(frame_HWC.astype(np.float32) - np.median(depth_mm))
            frame_HWC[off_mm > reach_mm] = 0
    return Frames(kept_THWC, frames.times_s)


def _hand_side(depth_THW: npt.NDArray[np.generic]) -> float:
    """Return the median over the frames of the longer side of what was measured, in pixels."""
    measured = depth_THW.astype(bool)
    rows = [np.flatnonzero(frame.any(1)) for frame in measured]
    columns = [np.flatnonzero(frame.any(0)) for frame in measured]
    sides = [max(np.ptp(r), np.ptp(c)) + 1 for r, c in zip(rows, columns, strict=True) if len(r)]
    return float(np.median(sides)) if sides else 0.0


def _extent(counts: npt.NDArray[np.float64]) -> tuple[int, int]:
    share = np.cumsum(counts) / counts.sum()
    low, high = MOTION_QUANTILES
    return int(np.searchsorted(share, low, side="right")), int(np.searchsorted(share, high)) + 1


def _depth_activity(depth_THW: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    measured = depth_THW.astype(bool)
    if is_cut_out(depth_THW):
        activity: npt.NDArray[np.float64] = measured.sum(0, dtype=np.float64)
        return activity
    depth = depth_THW.astype(np.float32)
    both = measured[1:] & measured[:-1]
    return np.asarray(((np.abs(np.diff(depth, axis=0)) > MOVED_MM) & both).sum(0, dtype=np.float64))


def _colour_activity(frames_THWC: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    grey = [cv2.blur(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), (3, 3)) for frame in frames_THWC.astype(np.uint8)]
    if len(grey) < 2:
        return np.zeros(frames_THWC.shape[1:3])
    change = np.abs(np.diff(np.stack(grey).astype(np.int16), axis=0))
    return np.asarray((change > MOVED_LEVELS).sum(0, dtype=np.float64))
