"""Where in the original frames a clip lies: the whole frame, its middle, or the window around what moves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mudra.clips import ClipSpec, FrameSource, find_motion_box
from mudra.clips.region import keep_reach
from mudra.clips.spec import MOTION_WINDOW_MARGIN
from mudra.types import FloatArray, Frames, Stream, UInt8Array


class PixelPlace(NamedTuple):
    """A rectangle in pixels; it may reach over the frame's edge."""

    top: int
    left: int
    height: int
    width: int


class Place(NamedTuple):
    """A rectangle in fractions of the frame's height and width; it may reach over the frame's edge."""

    top: float
    left: float
    height: float
    width: float

    def in_pixels(self, height: int, width: int) -> PixelPlace:
        """Return the rectangle in whole pixels of a frame."""
        return PixelPlace(
            round(self.top * height),
            round(self.left * width),
            max(round(self.height * height), 1),
            max(round(self.width * width), 1),
        )


class WatchedSource:
    """A source that keeps the first frames that were read of it: those in which a clip's window was looked for."""

    def __init__(self, source: FrameSource) -> None:
        self.source = source
        self.seen: Frames | None = None

    @property
    def times_s(self) -> FloatArray:
        """Times of all frames."""
        return self.source.times_s

    @property
    def frame_size(self) -> tuple[int, int]:
        """Height and width of the frames."""
        return self.source.frame_size

    def read(self, indices: npt.NDArray[np.int64] | None = None, *, size: tuple[int, int] | None = None) -> Frames:
        """Return the frames at `indices`, scaled to `size`."""
        frames = self.source.read(indices, size=size)
        self.seen = frames if self.seen is None else self.seen
        return frames


def find_place(spec: ClipSpec, seen: Frames, stream: Stream) -> Place:
    """Return where the test clip lies that was made of `seen`.

    Args:
        spec: How the clip was made.
        seen: What was read of the first stream, whole frames of any size.
        stream: Which stream that is, colour or depth.

    Example:
        >>> wide = Frames(np.zeros((4, 60, 80, 3), np.uint8), np.arange(4.0))
        >>> find_place(ClipSpec(size=(32, 32)), wide, Stream.RGB)
        Place(top=0.0, left=0.125, height=1.0, width=0.75)
    """
    height, width = seen.frames_THWC.shape[1:3]
    if spec.region == "motion":
        return _motion_place(spec, seen, stream)
    if spec.crop == "stretch":
        return Place(0.0, 0.0, 1.0, 1.0)
    shrink = min(height / spec.size[0], width / spec.size[1])
    share_y, share_x = spec.size[0] * shrink / height, spec.size[1] * shrink / width
    return Place((1.0 - share_y) / 2, (1.0 - share_x) / 2, share_y, share_x)


def cut_place(picture_HWC: UInt8Array, place: Place) -> UInt8Array:
    """Return the place's part of a picture; what lies over the edge is black."""
    height, width = picture_HWC.shape[:2]
    box = place.in_pixels(height, width)
    cut_HWC = np.zeros((box.height, box.width, picture_HWC.shape[2]), np.uint8)
    rows, columns = slice(max(box.top, 0), box.top + box.height), slice(max(box.left, 0), box.left + box.width)
    inside_HWC = picture_HWC[rows, columns]
    top, left = max(-box.top, 0), max(-box.left, 0)
    cut_HWC[top : top + inside_HWC.shape[0], left : left + inside_HWC.shape[1]] = inside_HWC
    return cut_HWC


def _motion_place(spec: ClipSpec, seen: Frames, stream: Stream) -> Place:
    if stream is Stream.DEPTH and spec.depth_reach_mm is not None:
        seen = keep_reach(seen, reach_mm=spec.depth_reach_mm)
    height, width = seen.frames_THWC.shape[1:3]
    box = find_motion_box(seen, stream, margin_fraction=spec.region_margin_fraction)
    # The maker cuts a wider window and takes its middle: what chance would use in training is left over.
    side = max(round(box.side * MOTION_WINDOW_MARGIN), 1)
    top, left = (round(edge + (box.side - side) / 2) for edge in (box.top, box.left))
    rest_y, rest_x = (whole - part for whole, part in zip(spec.window_size, spec.size, strict=True))
    px_y, px_x = side / spec.window_size[0], side / spec.window_size[1]
    return Place(
        (top + round(rest_y / 2) * px_y) / height,
        (left + round(rest_x / 2) * px_x) / width,
        spec.size[0] * px_y / height,
        spec.size[1] * px_x / width,
    )
