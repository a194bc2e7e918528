"""Decoded frames become arrays: colour as RGB, depth as millimetres.

Colour is scaled before it is converted: the scaler's path for pictures of one size is several times faster than the one
that does both at once. One that shrinks to less than a quarter is halved first, which OpenCV does an order of magnitude
faster than the scaler. Either way a small pixel is the average of those it stands for. Depth is never averaged: that
would put a surface between a hand and the wall behind it.
"""

from __future__ import annotations

import threading
from typing import Any, final

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from mudra.errors import VideoError
from mudra.types import DepthFormat, UInt8Array, UInt16Array
from mudra.video.reader import Size

MAX_MM = 65535
HALVED_FORMATS = ("yuv420p", "yuvj420p")
SCALER_REACH = 4  # shrinking further than this, the scaler takes longer than a decoder
# As plain numbers: PyAV looks an enum's member up anew for every frame.
AVERAGING, BILINEAR, FULL_RANGE = int(Interpolation.AREA), int(Interpolation.BILINEAR), int(ColorRange.JPEG)


def quarter_turns(rotation_deg: int) -> int:
    """Return how many anticlockwise quarter turns come nearest to `rotation_deg`, 0 to 3.

    Example:
        >>> quarter_turns(-90), quarter_turns(180), quarter_turns(0)
        (3, 2, 0)
    """
    return round(rotation_deg / 90) % 4


class _Reformatters(threading.local):
    """Each thread's own two, kept: one whose parameters stay the same from clip to clip is set up once."""

    def __init__(self) -> None:
        self.scaler = VideoReformatter()
        self.painter = VideoReformatter()


_reformatters = _Reformatters()


def convert_rgb(frame: av.VideoFrame, size: Size | None) -> UInt8Array:
    """Return the frame as uint8 RGB, upright, at (height, width) `size` or at its own, shape (H, W, 3)."""
    turns = quarter_turns(frame.rotation)
    height, width = (frame.height, frame.width) if size is None else size if turns % 2 == 0 else size[::-1]
    frame = _halve(frame, height, width)
    if (height, width) != (frame.height, frame.width) and not frame.format.has_palette:
        how = _interpolation(frame, height, width)
        frame = _reformatters.scaler.reformat(frame, width=width, height=height, interpolation=how, threads=1)
    painted = _reformatters.painter.reformat(
        frame, width=width, height=height, format="rgb24", dst_color_range=FULL_RANGE, threads=1
    )
    rows = _rows(painted.planes[0])[:, : 3 * width].reshape(height, width, 3)
    return np.ascontiguousarray(np.rot90(rows, turns) if turns else rows)


@final
class DepthConverter:
    """Makes uint16 arrays of millimetres, upright and at the wanted size, each pixel taken from its nearest.

    Args:
        depth: What the grey levels say.
        path: The file, for messages.
    """

    def __init__(self, depth: DepthFormat, *, path: str) -> None:
        self._depth = depth
        self._path = path
        self._tables: dict[tuple[int, bool], UInt16Array] = {}

    def __call__(self, frame: av.VideoFrame, size: Size | None) -> UInt16Array:
        turns = quarter_turns(frame.rotation)
        if frame.format.is_rgb or frame.format.has_palette:
            rgb = np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
            return self.from_levels(require_grey(rgb, path=self._path), size, turns=turns)
        if not frame.format.is_planar and not frame.format.name.startswith("gray"):
            frame = frame.reformat(format="yuv422p")  # luma between chroma, as some cameras send it
        bits = frame.format.components[0].bits
        levels = _first_plane(frame, bits)
        return self.from_levels(levels, size, turns=turns, bits=bits, is_limited=_is_limited(frame))

    def from_levels(
        self,
        levels: UInt8Array | UInt16Array,
        size: Size | None,
        *,
        turns: int = 0,
        bits: int | None = None,
        is_limited: bool = False,
    ) -> UInt16Array:
        """Return millimetres of grey levels.

        Args:
            levels: Grey levels as stored, shape (H, W).
            size: Wanted (height, width) after turning.
            turns: Anticlockwise quarter turns that bring the picture upright.
            bits: Bits per level; None for all those of the array's type.
            is_limited: Whether black and white are stored as 16 and 235, as video does (times 2^(bits - 8)).
        """
        upright = np.rot90(levels, turns) if turns else levels
        nearest = upright if size is None else scale_nearest(upright, size)
        return self._table(bits or 8 * levels.itemsize, is_limited).take(nearest)[..., None]

    def _table(self, bits: int, is_limited: bool) -> UInt16Array:
        if (bits, is_limited) not in self._tables:
            self._tables[bits, is_limited] = build_depth_table(self._depth, bits=bits, is_limited=is_limited)
        return self._tables[bits, is_limited]


def build_depth_table(depth: DepthFormat, *, bits: int, is_limited: bool) -> UInt16Array:
    """Return the millimetres of each stored level, shape (2^bits,).

    Example:
        >>> table = build_depth_table(DepthFormat(mm_per_level=10, missing_level=255), bits=8, is_limited=False)
        >>> table[0], table[100], table[255]
        (np.uint16(0), np.uint16(1000), np.uint16(0))
    """
    levels = np.arange(2**bits, dtype=np.float64)
    if is_limited:
        unit = 2.0 ** (bits - 8)
        levels = np.rint((levels - 16 * unit) * (2**bits - 1) / (219 * unit)).clip(0, 2**bits - 1)
    table = np.rint(levels * depth.mm_per_level).clip(0, MAX_MM).astype(np.uint16)
    table[levels == depth.missing_level] = 0
    return table


def scale_nearest(levels: UInt8Array | UInt16Array, size: Size) -> UInt8Array | UInt16Array:
    """Return `levels` (H, W) at `size`, each pixel a copy of the one whose centre is nearest.

    Example:
        >>> scale_nearest(np.array([[1, 2], [3, 4]], dtype=np.uint8), (1, 4)).tolist()
        [[3, 3, 4, 4]]
    """
    nearest: Any = cv2.resize(levels, (size[1], size[0]), interpolation=cv2.INTER_NEAREST_EXACT)
    return nearest  # type: ignore[no-any-return]


def require_grey(rgb: UInt8Array, *, path: str) -> UInt8Array:
    """Return the one channel of a grey picture that is stored as colour, shape (H, W).

    Raises:
        VideoError: If the channels differ.
    """
    if not (np.array_equal(rgb[..., 0], rgb[..., 1]) and np.array_equal(rgb[..., 0], rgb[..., 2])):
        raise VideoError(path, "holds colours where depth was wanted", hint="open it as the stream 'rgb'")
    return rgb[..., 0]


def _halve(frame: av.VideoFrame, height: int, width: int) -> av.VideoFrame:
    """Return the frame at a half, a quarter ... of its size, until less than a quarter is left to shrink to."""
    reach = min(frame.height // height, frame.width // width) // SCALER_REACH
    factor = 1
    # Chroma has half the size, and every row and column of it needs its partner.
    while factor <= reach and frame.height % (4 * factor) == 0 and frame.width % (4 * factor) == 0:
        factor *= 2
    if factor == 1 or frame.format.name not in HALVED_FORMATS:
        return frame
    planes = [_average(_plane(plane), factor) for plane in frame.planes]
    stacked = np.concatenate([plane.reshape(-1) for plane in planes]).reshape(-1, frame.width // factor)
    halved = av.VideoFrame.from_ndarray(stacked, format=frame.format.name)
    halved.colorspace, halved.color_range = frame.colorspace, frame.color_range
    return halved


def _interpolation(frame: av.VideoFrame, height: int, width: int) -> int:
    # Averaging is the faster one where a picture shrinks, and leaves blocks where it grows.
    return AVERAGING if height <= frame.height and width <= frame.width else BILINEAR


def _average(plane: UInt8Array, factor: int) -> UInt8Array:
    while factor > 1:  # step by step: OpenCV averages two by two many times faster than four by four
        plane = np.asarray(cv2.resize(plane, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        factor //= 2
    return plane


def _plane(plane: Any) -> UInt8Array:
    return _rows(plane)[:, : plane.width]


def _rows(plane: Any) -> UInt8Array:
    """Return a plane's bytes, shape (H, line size), without copying them; lines may be longer than the picture."""
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height]


def _first_plane(frame: av.VideoFrame, bits: int) -> UInt8Array | UInt16Array:
    plane: Any = frame.planes[0]  # a buffer, which its type stub does not say
    dtype: np.dtype[Any] = np.dtype(np.uint8) if bits <= 8 else np.dtype(np.uint16)
    if frame.format.name.endswith("be"):
        dtype = dtype.newbyteorder(">")
    levels = np.frombuffer(plane, dtype).reshape(-1, plane.line_size // dtype.itemsize)
    grey: UInt8Array | UInt16Array = levels[: frame.height, : frame.width]
    return grey


def _is_limited(frame: av.VideoFrame) -> bool:
    name = frame.format.name
    return not (name.startswith(("gray", "yuvj")) or frame.color_range == ColorRange.JPEG)
