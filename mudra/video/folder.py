"""FolderReader: frames of a folder of pictures, one file per frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import final

import cv2
import numpy as np

from mudra.errors import VideoError
from mudra.types import DepthFormat, FloatArray, Stream, UInt8Array, UInt16Array
from mudra.video.listing import list_images
from mudra.video.pixel import DepthConverter, require_grey
from mudra.video.reader import Frame, Pixels, Size, VideoInfo, VideoReader


@final
class FolderReader(VideoReader):
    """Frames of a folder of pictures in the natural order of their names. Made by `open_frames`.

    Args:
        folder: The folder.
        fps: Frame rate at which the pictures were taken.
        stream: Whether the pictures show colour or depth.
        depth: What grey levels say; used for depth alone.

    Raises:
        VideoError: If the folder is missing or holds no picture, or `fps` is not positive.
    """

    def __init__(self, folder: Path | str, *, fps: float, stream: Stream, depth: DepthFormat) -> None:
        super().__init__(str(folder), stream=stream)
        if not fps > 0:
            raise VideoError(folder, f"cannot be played at {fps} frames per second", hint="give a positive fps")
        self.images = list_images(folder)
        self._times_s: FloatArray = np.arange(len(self.images)) / fps
        self._fps = fps
        self._convert_depth = DepthConverter(depth, path=self.path)
        self._shape: tuple[int, int] | None = None

    @property
    def info(self) -> VideoInfo:
        """Size, rate and format; decodes the first picture.

        Raises:
            VideoError: If it cannot be decoded.
        """
        first = self._load(0)
        pixel_format = "rgb24" if first.ndim == 3 else "gray" if first.dtype == np.uint8 else "gray16le"
        return VideoInfo(
            path=self.path,
            width=first.shape[1],
            height=first.shape[0],
            fps=self._fps,
            duration_s=len(self.images) / self._fps,
            declared_frames=len(self.images),
            codec=self.images[0].suffix.lower().removeprefix("."),
            pixel_format=pixel_format,
            rotation_deg=0,
        )

    @property
    def times_s(self) -> FloatArray:
        """Times of all pictures in seconds, ascending from 0, shape (S,)."""
        self._refuse_if_closed()
        return self._times_s

    def _frames_at(self, indices: Iterable[int]) -> Iterator[Frame]:
        times_s = self.times_s
        for index in indices:
            yield Frame(index, float(times_s[index]), partial(self._convert, self._load(index)))

    def _load(self, index: int) -> UInt8Array | UInt16Array:
        image = self.images[index]
        levels = read_colour(image) if self.stream is Stream.RGB else read_levels(image)
        self._shape = self._shape or levels.shape[:2]
        if levels.shape[:2] != self._shape:
            got, wanted = (f"{shape[1]}x{shape[0]}" for shape in (levels.shape, self._shape))
            raise VideoError(
                self.path,
                f"pictures differ in size: {image.name} is {got}, others {wanted}",
                hint="keep one recording per folder",
            )
        return levels

    def _convert(self, levels: UInt8Array | UInt16Array, size: Size | None) -> Pixels:
        if self.stream is Stream.DEPTH:
            return self._convert_depth.from_levels(levels, size)
        return scale_rgb(levels, size)


def open_frames(
    folder: Path | str, *, fps: float = 30.0, stream: Stream = Stream.RGB, depth: DepthFormat | None = None
) -> FolderReader:
    """Open a folder of pictures (JPEG, PNG and others) as a video.

    Args:
        folder: The folder; names may be numbered in any way, `9.jpg` stands before `10.jpg`.
        fps: Frame rate at which the pictures were taken.
        stream: Whether the pictures show colour or depth.
        depth: What grey levels say; None for one millimetre per level.

    Raises:
        VideoError: If the folder is missing or holds no picture, or `fps` is not positive.
    """
    return FolderReader(folder, fps=fps, stream=stream, depth=depth or DepthFormat())


def read_colour(image: Path) -> UInt8Array:
    """Return a picture as uint8 RGB, shape (H, W, 3), turned upright by its EXIF orientation.

    Raises:
        VideoError: If it cannot be decoded.
    """
    return np.asarray(cv2.cvtColor(_decode_image(image, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), dtype=np.uint8)


def read_levels(image: Path) -> UInt8Array | UInt16Array:
    """Return a depth picture's grey levels as stored, 8 or 16 bits, shape (H, W).

    Raises:
        VideoError: If it cannot be decoded, is in colour, or holds something else than 8 or 16 bits.
    """
    levels = _decode_image(image, cv2.IMREAD_UNCHANGED)
    if levels.ndim == 3:
        return require_grey(levels[..., :3], path=str(image))
    if levels.dtype not in (np.uint8, np.uint16):
        raise VideoError(image, f"holds {levels.dtype} levels, wanted 8 or 16 bits", hint="save depth as 16-bit PNG")
    return levels


def scale_rgb(rgb: UInt8Array | UInt16Array, size: Size | None) -> UInt8Array:
    """Return an RGB picture (H, W, 3) at (height, width) `size`, averaging where it shrinks."""
    array = np.asarray(rgb, dtype=np.uint8)
    if size is None or array.shape[:2] == size:
        return array
    shrinks = size[0] <= array.shape[0] and size[1] <= array.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(array, (size[1], size[0]), interpolation=how), dtype=np.uint8)


def _decode_image(image: Path, flags: int) -> UInt8Array:
    # Read by numpy and not by OpenCV, which fails on names outside the system's encoding without saying so.
    try:
        data = np.fromfile(image, dtype=np.uint8)
        array = cv2.imdecode(data, flags) if len(data) else None
    except (OSError, cv2.error) as error:
        raise VideoError(image, f"cannot be read ({error})") from None
    if array is None:
        raise VideoError(image, "is not a picture that can be decoded", hint="copy or extract it again")
    return np.asarray(array)
