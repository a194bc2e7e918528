"""Small videos of every kind, encoded while the tests run: each frame tells its own index by its brightness."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from mudra.types import UInt8Array

FIRST_LEVEL, LEVELS_PER_FRAME = 20, 5
# container, codec, pixel format
KINDS = [
    (".avi", "mpeg4", "yuv420p"),
    (".avi", "mjpeg", "yuvj420p"),
    (".avi", "libx264", "yuv420p"),
    (".mp4", "libx264", "yuv420p"),
    (".mov", "libx264", "yuv420p"),
    (".mkv", "libx264", "yuv420p"),
    (".mkv", "ffv1", "bgr0"),
    (".webm", "libvpx-vp9", "yuv420p"),
]


def encode(
    path: Path,
    *,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    num_frames: int = 40,
    fps: int = 10,
    size: tuple[int, int] = (48, 64),
    times_ms: Sequence[int] | None = None,
    rotation_deg: int | None = None,
    options: dict[str, str] | None = None,
    pictures: Sequence[UInt8Array] | None = None,
) -> Path:
    """Write a video whose frame k is uniformly grey at `level_of(k)`, or shows `pictures[k]` (H, W, 3)."""
    if pictures is None:
        pictures = [np.full((*size, 3), level_of(index), dtype=np.uint8) for index in range(num_frames)]
    with av.open(str(path), "w") as container:
        # Without the finest steps, MPEG-4 passes over small changes of brightness.
        fine = {"qmin": "1", "qmax": "1"} if codec == "mpeg4" else {}
        stream = container.add_stream(codec, rate=fps, options=fine | (options or {}))
        stream.height, stream.width, stream.pix_fmt = *pictures[0].shape[:2], pixel_format
        if rotation_deg is not None:
            stream.set_display_rotation(rotation_deg)
        if times_ms is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixel_format)
            frame.pts = index if times_ms is None else times_ms[index]
            frame.time_base = Fraction(1, fps) if times_ms is None else Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def encode_levels(path: Path, levels: Sequence[np.ndarray], *, codec: str, pixel_format: str) -> Path:
    """Write grey levels as they are: into gray formats as the only plane, into YUV as luma with neutral chroma."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.height, stream.width, stream.pix_fmt = *levels[0].shape, pixel_format
        for index, picture in enumerate(levels):
            if not pixel_format.startswith("gray"):
                chroma = np.full((picture.shape[0] // 2, picture.shape[1]), 128, dtype=np.uint8)
                picture = np.concatenate([picture, chroma])
            frame = av.VideoFrame.from_ndarray(picture, format=pixel_format)
            frame.pts, frame.time_base = index, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def level_of(index: int) -> int:
    return FIRST_LEVEL + LEVELS_PER_FRAME * index


def indices_of(frames_THWC: np.ndarray) -> list[int]:
    """Return which frame each one is, by its brightness."""
    return [round((float(frame.mean()) - FIRST_LEVEL) / LEVELS_PER_FRAME) for frame in frames_THWC]


def picture_with_corner(height: int, width: int) -> UInt8Array:
    """A black picture whose upper left quarter is red."""
    picture = np.zeros((height, width, 3), dtype=np.uint8)
    picture[: height // 2, : width // 2, 0] = 255
    return picture


def truncate(path: Path, fraction: float) -> Path:
    """Cut the file off after `fraction` of its bytes."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * fraction)])
    return path
