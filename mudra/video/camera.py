"""CameraReader: the newest frame of a camera, a network stream, or a file played at its own pace."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple, final

import av
import cv2
import numpy as np
from av.container import InputContainer

from mudra.errors import VideoError
from mudra.types import FloatArray, Frames, Stream, UInt8Array
from mudra.video.file import open_container
from mudra.video.folder import scale_rgb
from mudra.video.pixel import convert_rgb
from mudra.video.reader import Frame, Indices, Pixels, Size, VideoInfo, VideoReader

OPEN_TIMEOUT_S = 10.0  # a camera in the network that has not answered by then is not there
DEVICE_PREFIX = "/dev/video"
NO_INDICES = "a camera has no past and no end, so that frames cannot be asked for by index"


class _Shot(NamedTuple):
    number: int
    taken_s: float
    convert: Callable[[Size | None], Pixels]


class _Source(NamedTuple):
    """An opened camera: where its pictures come from, and how to let go of it."""

    info: VideoInfo
    shots: Iterator[Callable[[Size | None], Pixels]]
    close: Callable[[], None]


@final
class CameraReader(VideoReader):
    """The frames of a camera as they come. Made by `open_camera`.

    A thread of its own takes the frames and keeps the newest alone: who is slow misses frames (`Frame.index` tells how
    many) and never sees old ones. `Frame.time_s` is when a frame was taken, by a clock that only moves forward.

    Args:
        source: The opened camera.
    """

    def __init__(self, source: _Source) -> None:
        super().__init__(source.info.path, stream=Stream.RGB)
        self._source = source
        self._changed = threading.Condition()
        self._newest: _Shot | None = None
        self._error: VideoError | None = None
        self._has_ended = False
        self._thread = threading.Thread(target=self._capture, name="mudra-camera", daemon=True)
        self._thread.start()

    @property
    def info(self) -> VideoInfo:
        """Size and rate as the camera names them; length and number of frames are 0."""
        return self._source.info

    @property
    def times_s(self) -> FloatArray:
        """Raise: a camera's times are not known beforehand.

        Raises:
            VideoError: Always.
        """
        raise VideoError(self.path, NO_INDICES, hint="iterate over the reader")

    def read(self, indices: Indices | None = None, *, size: Size | None = None) -> Frames:
        """Raise: a camera is iterated over.

        Raises:
            VideoError: Always.
        """
        raise VideoError(self.path, NO_INDICES, hint="iterate over the reader")

    def __iter__(self) -> Iterator[Frame]:
        """Yield the newest frame that was not yielded yet, waiting for it, until the camera ends or is closed.

        Raises:
            VideoError: If the camera fails, or the reader is closed already.
        """
        self._refuse_if_closed()
        start_s: float | None = None
        while (shot := self._take()) is not None:
            start_s = shot.taken_s if start_s is None else start_s
            yield Frame(shot.number, shot.taken_s - start_s, shot.convert)

    def close(self) -> None:
        """Stop the thread and let go of the camera; may be called twice."""
        if self._is_closed:
            return
        with self._changed:
            super().close()
            self._changed.notify_all()
        self._thread.join()

    def _frames_at(self, indices: Iterable[int]) -> Iterator[Frame]:
        raise VideoError(self.path, NO_INDICES, hint="iterate over the reader")

    def _take(self) -> _Shot | None:
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._has_ended or self._is_closed)
            shot, self._newest = self._newest, None
            if shot is None and self._error is not None:
                raise self._error
            return None if self._is_closed else shot

    def _capture(self) -> None:
        try:
            for index, convert in enumerate(self._source.shots):
                with self._changed:
                    if self._is_closed:
                        break
                    self._newest = _Shot(index, time.monotonic(), convert)
                    self._changed.notify_all()
        except (av.error.FFmpegError, cv2.error) as error:
            self._error = VideoError(self.path, f"broke off ({error})", hint="open the camera again")
        finally:
            self._source.close()
            with self._changed:
                self._has_ended = True
                self._changed.notify_all()


def open_camera(source: int | str, *, size: Size | None = None, fps: float | None = None) -> CameraReader:
    """Open a camera by its number, a network stream by its URL, or a file, which is played at its own pace.

    Args:
        source: 0 for the first camera, or its path such as `/dev/video0`; or a URL such as `rtsp://...`; or the path
            of a video file.
        size: The (height, width) to ask the camera for; it may give another, `info` tells.
        fps: The frame rate to ask the camera for.

    Raises:
        VideoError: If it cannot be opened.
    """
    if isinstance(source, str) and source.isdecimal():
        source = int(source)
    if isinstance(source, int) or source.startswith(DEVICE_PREFIX):
        return CameraReader(_open_device(source, size=size, fps=fps))
    return CameraReader(_open_stream(source))


def _open_device(source: int | str, *, size: Size | None, fps: float | None) -> _Source:
    name = f"camera {source}"
    device = _quietly(lambda: cv2.VideoCapture(source))
    if size is not None:
        device.set(cv2.CAP_PROP_FRAME_HEIGHT, size[0])
        device.set(cv2.CAP_PROP_FRAME_WIDTH, size[1])
    if fps is not None:
        device.set(cv2.CAP_PROP_FPS, fps)
    is_there, first = _quietly(device.read) if device.isOpened() else (False, None)
    if not is_there or first is None:
        device.release()
        raise VideoError(
            name,
            "cannot be opened, or gives no picture",
            hint="is it plugged in, free and allowed? Linux lists cameras as /dev/video*; try another number",
        )
    info = VideoInfo(
        path=name,
        width=first.shape[1],
        height=first.shape[0],
        fps=float(device.get(cv2.CAP_PROP_FPS)),
        duration_s=0.0,
        declared_frames=0,
        codec="camera",
        pixel_format="bgr24",
        rotation_deg=0,
    )
    return _Source(info, _device_shots(device), device.release)


def _device_shots(device: cv2.VideoCapture) -> Iterator[Callable[[Size | None], Pixels]]:
    while True:
        is_there, bgr = device.read()
        if not is_there:
            return
        yield partial(_convert_bgr, np.asarray(bgr, dtype=np.uint8))


def _convert_bgr(bgr: UInt8Array, size: Size | None) -> Pixels:
    return np.ascontiguousarray(scale_rgb(bgr, size)[..., ::-1])


def _quietly(action: Callable[[], Any]) -> Any:
    """Keep OpenCV from printing about a missing camera: the error says it better."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(0)
    try:
        return action()
    finally:
        cv2.utils.logging.setLogLevel(level)


def _open_stream(source: str) -> _Source:
    is_url = "://" in source
    try:
        container = av.open(source, timeout=OPEN_TIMEOUT_S) if is_url else open_container(source)
        video = container.streams.video[0]
    except (av.error.FFmpegError, OSError) as error:
        reason = f"cannot be opened ({error.strerror})"
        raise VideoError(source, reason, hint="does a video player show this address?") from None
    except IndexError:
        raise VideoError(source, "holds no video stream", hint="is it a stream of sound alone?") from None
    video.codec_context.thread_count = 1
    info = VideoInfo(
        path=source,
        width=video.codec_context.width,
        height=video.codec_context.height,
        fps=float(video.average_rate or 0),
        duration_s=0.0,
        declared_frames=0,
        codec=video.codec_context.name,
        pixel_format=video.codec_context.pix_fmt or "",
        rotation_deg=0,
    )
    return _Source(info, _stream_shots(container, is_paced=not is_url), container.close)


def _stream_shots(container: InputContainer, *, is_paced: bool) -> Iterator[Callable[[Size | None], Pixels]]:
    start_s: float | None = None
    for frame in container.decode(video=0):
        if is_paced and frame.time is not None:
            start_s = time.monotonic() - frame.time if start_s is None else start_s
            time.sleep(max(0.0, start_s + frame.time - time.monotonic()))
        yield partial(convert_rgb, frame)
