"""Decoded frames become arrays: colour as RGB, depth as millimetres.

Colour is scaled before it is converted: the scaler's path for pictures of one size is several times faster than the one
that does both at once. Depth never passes the scaler, which would mix near with far and stretch its levels.
"""

from __future__ import annotations

from typing import Any, final

import av
import numpy as np
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from mudra.errors import VideoError
from mudra.types import DepthFormat, UInt8Array, UInt16Array
from mudra.video.reader import Size

MAX_MM = 65535


def quarter_turns(rotation_deg: int) -> int:
    """Return how many anticlockwise quarter turns come nearest to `rotation_deg`, 0 to 3.

    Example:
        >>> quarter_turns(-90), quarter_turns(180), quarter_turns(0)
        (3, 2, 0)
    """
    return round(rotation_deg / 90) % 4


@final
class RgbConverter:
    """Makes uint8 RGB arrays, upright and at the wanted size."""

    def __init__(self) -> None:
        # One each, kept: a reformatter whose parameters stay the same is set up once.
        self._scaler = VideoReformatter()
        self._painter = VideoReformatter()

    def __call__(self, frame: av.VideoFrame, size: Size | None) -> UInt8Array:
        turns = quarter_turns(frame.rotation)
        height, width = (frame.height, frame.width) if size is None else size if turns % 2 == 0 else size[::-1]
        if (height, width) != (frame.height, frame.width) and not frame.format.has_palette:
            frame = self._scaler.reformat(
                frame, width=width, height=height, interpolation=Interpolation.BILINEAR, threads=1
            )
        painted = self._painter.reformat(
            frame, width=width, height=height, format="rgb24", dst_color_range=ColorRange.JPEG, threads=1
        )
        array = np.asarray(painted.to_ndarray(), dtype=np.uint8)
        return np.ascontiguousarray(np.rot90(array, turns)) if turns else array


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
        if not _has_grey_plane(frame.format):
            return self.from_levels(self._grey_of(frame), size, turns=quarter_turns(frame.rotation))
        bits = frame.format.components[0].bits
        levels = _first_plane(frame, bits)
        return self.from_levels(
            levels, size, turns=quarter_turns(frame.rotation), bits=bits, is_limited=_is_limited(frame)
        )

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
        return self._table(bits or 8 * levels.itemsize, is_limited)[nearest][..., None]

    def _table(self, bits: int, is_limited: bool) -> UInt16Array:
        if (bits, is_limited) not in self._tables:
            self._tables[bits, is_limited] = build_depth_table(self._depth, bits=bits, is_limited=is_limited)
        return self._tables[bits, is_limited]

    def _grey_of(self, frame: av.VideoFrame) -> UInt8Array:
        rgb = np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
        return require_grey(rgb, path=self._path)


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
    rows = ((np.arange(size[0]) + 0.5) * levels.shape[0] / size[0]).astype(np.int64)
    columns = ((np.arange(size[1]) + 0.5) * levels.shape[1] / size[1]).astype(np.int64)
    nearest: UInt8Array | UInt16Array = levels[rows[:, None], columns]
    return nearest


def require_grey(rgb: UInt8Array, *, path: str) -> UInt8Array:
    """Return the one channel of a grey picture that is stored as colour, shape (H, W).

    Raises:
        VideoError: If the channels differ.
    """
    if not (np.array_equal(rgb[..., 0], rgb[..., 1]) and np.array_equal(rgb[..., 0], rgb[..., 2])):
        raise VideoError(path, "holds colours where depth was wanted", hint="open it as the stream 'rgb'")
    return rgb[..., 0]


def _has_grey_plane(pixel_format: av.VideoFormat) -> bool:
    if pixel_format.name.startswith("gray"):
        return True
    return (
        not pixel_format.is_rgb
        and not pixel_format.has_palette
        and pixel_format.components[0].plane == 0
        and pixel_format.is_planar
    )


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
