"""Write frames to files: colour as H.264, depth without any loss as FFV1. A file appears whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import numpy.typing as npt
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream

from mudra.errors import VideoError
from mudra.types import FloatArray, Frames, UInt8Array, UInt16Array

COLOUR_SUFFIXES = (".mp4", ".mkv", ".mov", ".m4v")
DEPTH_SUFFIXES = (".mkv",)
DEFAULT_CRF = 18  # x264's scale from 0 (lossless) to 51; 18 is hard to tell from the original by eye
TICKS_PER_S = 90_000  # MPEG's clock: whole ticks for all usual frame rates
MATROSKA_TICKS_PER_S = 1_000
BT601 = 6  # AVCOL_SPC_SMPTE170M, the matrix of Colorspace.ITU601 in a stream's own numbering
MAX_RATE_DENOMINATOR = 1001  # that of 30000/1001, the finest in use


class _Clock(NamedTuple):
    """When frames are shown: frame k at `ticks[k]` (None for k itself) times `tick_s`."""

    rate: Fraction
    tick_s: Fraction
    ticks: list[int] | None


def write_video(
    path: Path | str,
    frames: Frames | Iterable[UInt8Array],
    *,
    fps: float | None = None,
    times_s: Sequence[float] | FloatArray | None = None,
    crf: int = DEFAULT_CRF,
) -> None:
    """Write colour frames as H.264.

    Pictures with even sides are stored as yuv420p, which every player shows; others as yuv444p, which keeps each pixel
    but which some browsers refuse.

    Args:
        path: The file; its suffix chooses the container (.mp4, .mkv, .mov, .m4v).
        frames: `Frames`, or pictures one after the other, each uint8 RGB of one shape (H, W, 3).
        fps: Frame rate; None to keep the frames' own times.
        times_s: When each frame is shown, in seconds, ascending; in place of `fps`.
        crf: Quality from 0 (lossless) to 51 (worst).

    Raises:
        VideoError: If there are no frames, they are not uint8 RGB of one size, times and rate are both missing or both
            given, times do not ascend or are not as many as the frames, or the file cannot be written.
    """
    pictures = _pictures(path, frames, dtype=np.uint8, channels=3, hint="write_depth writes depth")
    clock = _clock(path, frames, fps=fps, times_s=times_s, ticks_per_s=_ticks_per_s(path))
    pixel_format = "yuv420p" if pictures.height % 2 == 0 and pictures.width % 2 == 0 else "yuv444p"
    painter = VideoReformatter()

    def convert(rgb: npt.NDArray[np.generic]) -> av.VideoFrame:
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
        return painter.reformat(
            frame,
            format=pixel_format,
            dst_colorspace=Colorspace.ITU601,
            dst_color_range=ColorRange.MPEG,
            threads=1,
        )

    with _Output(path, suffixes=COLOUR_SUFFIXES) as container:
        stream = container.add_stream("libx264", rate=clock.rate, options={"crf": str(crf)})
        stream.codec_context.colorspace, stream.codec_context.color_range = BT601, ColorRange.MPEG
        _encode(path, container, stream, (convert(rgb) for rgb in pictures.rows), clock, pictures, pixel_format)


def write_depth(
    path: Path | str,
    frames: Frames | Iterable[UInt16Array],
    *,
    fps: float | None = None,
    times_s: Sequence[float] | FloatArray | None = None,
) -> None:
    """Write depth in millimetres as FFV1 with 16 bits per pixel: every level comes back as it was.

    Times are kept to the millisecond, which is what Matroska stores.

    Args:
        path: The file, ending in .mkv.
        frames: `Frames`, or pictures one after the other, each uint16 of one shape (H, W, 1).
        fps: Frame rate; None to keep the frames' own times.
        times_s: When each frame is shown, in seconds, ascending; in place of `fps`.

    Raises:
        VideoError: If there are no frames, they are not uint16 depth of one size, times and rate are both missing or
            both given, times do not ascend by a millisecond or are not as many as the frames, or the file cannot be
            written.
    """
    pictures = _pictures(path, frames, dtype=np.uint16, channels=1, hint="write_video writes colour")
    clock = _clock(path, frames, fps=fps, times_s=times_s, ticks_per_s=MATROSKA_TICKS_PER_S)

    def convert(depth: npt.NDArray[np.generic]) -> av.VideoFrame:
        levels = np.ascontiguousarray(depth[..., 0], dtype="<u2")
        return av.VideoFrame.from_ndarray(levels, format="gray16le")

    with _Output(path, suffixes=DEPTH_SUFFIXES) as container:
        # Version 3 stores a checksum per slice, by which a damaged file is found.
        options = {"level": "3", "slicecrc": "1"}
        stream = container.add_stream("ffv1", rate=clock.rate, options=options)
        _encode(path, container, stream, (convert(depth) for depth in pictures.rows), clock, pictures, "gray16le")


class _Pictures(NamedTuple):
    rows: Iterator[npt.NDArray[np.generic]]
    height: int
    width: int


def _pictures(
    path: Path | str, frames: Frames | Iterable[npt.NDArray[np.generic]], *, dtype: type, channels: int, hint: str
) -> _Pictures:
    """Look at the first picture for the size, and check each of them as it passes."""
    source = iter(frames.frames_THWC if isinstance(frames, Frames) else frames)
    first = next(source, None)
    if first is None:
        raise VideoError(path, "cannot be written: there are no frames", hint="give one frame at least")
    wanted = (*first.shape[:2], channels)

    def checked() -> Iterator[npt.NDArray[np.generic]]:
        for index, picture in enumerate(chain([first], source)):
            if picture.dtype != dtype or picture.shape != wanted:
                got = f"{picture.dtype} of shape {picture.shape}"
                reason = f"cannot be written: frame {index} is {got}, wanted {np.dtype(dtype)} of shape {wanted}"
                raise VideoError(path, reason, hint=hint)
            yield picture

    return _Pictures(checked(), *wanted[:2])


def _clock(
    path: Path | str,
    frames: object,
    *,
    fps: float | None,
    times_s: Sequence[float] | FloatArray | None,
    ticks_per_s: int,
) -> _Clock:
    if times_s is None and fps is None and isinstance(frames, Frames):
        times_s = frames.times_s
    if (fps is None) == (times_s is None):
        reason = "cannot be written: " + (
            "fps and times_s are both given" if fps else "neither fps nor times_s is given"
        )
        raise VideoError(path, reason, hint="give one of them; Frames bring their own times")
    if fps is not None:
        if not fps > 0:
            raise VideoError(path, f"cannot be written at {fps} frames per second", hint="give a positive fps")
        rate = Fraction(fps).limit_denominator(MAX_RATE_DENOMINATOR)
        return _Clock(rate, 1 / rate, None)
    ticks = np.rint(np.asarray(times_s, dtype=np.float64) * ticks_per_s).astype(np.int64)
    if (np.diff(ticks) <= 0).any() or (ticks < 0).any():
        raise VideoError(path, f"cannot be written: times must ascend from 0 on by 1/{ticks_per_s} s or more")
    mean_s = float(ticks[-1] - ticks[0]) / ticks_per_s / (len(ticks) - 1) if len(ticks) > 1 else 1.0
    rate = Fraction(1 / mean_s).limit_denominator(MAX_RATE_DENOMINATOR) or Fraction(1, MAX_RATE_DENOMINATOR)
    return _Clock(rate, Fraction(1, ticks_per_s), ticks.tolist())


def _ticks_per_s(path: Path | str) -> int:
    return MATROSKA_TICKS_PER_S if Path(path).suffix.lower() == ".mkv" else TICKS_PER_S


def _encode(
    path: Path | str,
    container: OutputContainer,
    stream: VideoStream,
    frames: Iterator[av.VideoFrame],
    clock: _Clock,
    pictures: _Pictures,
    pixel_format: str,
) -> None:
    stream.width, stream.height, stream.pix_fmt = pictures.width, pictures.height, pixel_format
    stream.codec_context.time_base = clock.tick_s
    num_frames = 0
    for frame in frames:
        if clock.ticks is not None and num_frames >= len(clock.ticks):
            raise VideoError(path, f"cannot be written: more frames than the {len(clock.ticks)} times")
        frame.pts = num_frames if clock.ticks is None else clock.ticks[num_frames]
        frame.time_base = clock.tick_s
        container.mux(stream.encode(frame))
        num_frames += 1
    container.mux(stream.encode())
    if clock.ticks is not None and num_frames < len(clock.ticks):
        raise VideoError(path, f"cannot be written: {num_frames} frames for {len(clock.ticks)} times")


class _Output:
    """A container under another name, which takes its own once it is whole, and vanishes if writing fails."""

    def __init__(self, path: Path | str, *, suffixes: tuple[str, ...]) -> None:
        self._path = Path(path)
        if self._path.suffix.lower() not in suffixes:
            reason = f"cannot be written: unknown ending {self._path.suffix!r}"
            raise VideoError(path, reason, hint=f"name it *{' or *'.join(suffixes)}")
        self._partial = self._path.with_name(f".{self._path.stem}.{os.getpid()}.part{self._path.suffix}")

    def __enter__(self) -> OutputContainer:
        # FFmpeg opens the file with its first packet only, but a missing folder is known now.
        if not self._path.parent.is_dir():
            raise VideoError(self._path, "cannot be written: no such folder", hint=f"make {self._path.parent}")
        self._container = av.open(str(self._partial), "w")
        return self._container

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            self._container.close()
            if error is None:
                os.replace(self._partial, self._path)
        except (av.error.FFmpegError, OSError) as failure:
            raise VideoError(self._path, f"cannot be written ({failure.strerror})") from None
        finally:
            self._partial.unlink(missing_ok=True)
        if isinstance(error, av.error.FFmpegError):
            raise VideoError(self._path, f"cannot be written ({error.strerror})") from None
