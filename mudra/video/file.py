"""FileReader: frames of a video file through FFmpeg."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import final

import av
from av.container import InputContainer

from mudra.errors import VideoError
from mudra.types import DepthFormat, FloatArray, Stream
from mudra.video.frame_index import FrameIndex, KeyFrame, read_index
from mudra.video.pixel import DepthConverter, convert_rgb, quarter_turns
from mudra.video.reader import Frame, VideoInfo, VideoReader

# Starting anew at a key frame empties the decoder's pipeline; sparing fewer frames than this does not pay.
MIN_FRAMES_SPARED = 8
# What a suffix promises is tried first: to ask all of FFmpeg's formats is a fifth of the cost of opening a file.
CONTAINERS = {".avi": "avi", ".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
CHECK_HINT = "the file may be damaged: mudra data check names what is wrong with it"


@final
class FileReader(VideoReader):
    """Frames of one video file. Made by `open_video`.

    Args:
        path: The file.
        stream: Whether to read its frames as colour or as depth.
        depth: What grey levels say; used for depth alone.
        num_threads: Decoding threads; leave 1 in a loader's worker.

    Raises:
        VideoError: If the file is missing, empty, a folder, or holds no video.
    """

    def __init__(self, path: Path | str, *, stream: Stream, depth: DepthFormat, num_threads: int) -> None:
        super().__init__(str(path), stream=stream)
        self._num_threads = num_threads
        self._convert = convert_rgb if stream is Stream.RGB else DepthConverter(depth, path=self.path)
        self._index: FrameIndex | None = None
        self._held: tuple[int, av.VideoFrame] | None = None
        self._can_seek = True
        self._start()

    @property
    def info(self) -> VideoInfo:
        """Size, rate and codec; decodes one frame, which alone knows how it is to be turned.

        Raises:
            VideoError: If no frame can be decoded.
        """
        frame = self._held[1] if self._held else self._decode(0)
        turns = quarter_turns(frame.rotation)
        width, height = (frame.width, frame.height) if turns % 2 == 0 else (frame.height, frame.width)
        video = self._video
        if video.duration and video.time_base:
            duration_s = float(video.duration * video.time_base)
        else:
            duration_s = (self._container.duration or 0) / av.time_base
        return VideoInfo(
            path=self.path,
            width=width,
            height=height,
            fps=float(video.average_rate or 0),
            duration_s=duration_s,
            declared_frames=video.frames,
            codec=video.codec_context.name,
            pixel_format=frame.format.name,
            rotation_deg=turns * 90,
        )

    @property
    def times_s(self) -> FloatArray:
        """Times of all frames in seconds, ascending from 0, shape (S,)."""
        return self._ready_index().times_s

    def close(self) -> None:
        """Close the container; may be called twice."""
        super().close()
        self._held = None
        self._container.close()

    def _frames_at(self, indices: Iterable[int]) -> Iterator[Frame]:
        times_s = self.times_s
        for index in indices:
            yield Frame(index, float(times_s[index]), partial(self._convert, self._decode(index)))

    def _start(self) -> None:
        self._container = open_container(self.path)
        if not self._container.streams.video:
            self._container.close()
            raise VideoError(self.path, "holds no video stream", hint="is it a recording of sound alone?")
        self._video = self._container.streams.video[0]
        self._video.codec_context.thread_count = self._num_threads
        self._begin(0)

    def _begin(self, place: int) -> None:
        self._decoded = self._container.decode(self._video)
        self._next = place
        self._is_from_start = place == 0

    def _ready_index(self) -> FrameIndex:
        self._refuse_if_closed()
        if self._index is None:
            self._index, has_read_packets = read_index(self._container, self._video)
            self._can_seek = self._index.stamps is not None
            if has_read_packets:
                self._rewind()
        return self._index

    def _rewind(self) -> None:
        first_stamp = self._index.first_stamp if self._index else 0
        # In a single picture, FFmpeg seeks behind the end and is content.
        if self._container.format.name != "image2":
            with suppress(av.error.FFmpegError):
                self._container.seek(min(first_stamp, 0), stream=self._video)
                self._begin(0)
                return
        self._container.close()
        self._start()

    def _decode(self, index: int) -> av.VideoFrame:
        table = self._ready_index()
        if self._held and self._held[0] == index:
            return self._held[1]
        self._approach(table, index)
        while not self._advance(table, index):
            pass
        assert self._held is not None
        return self._held[1]

    def _approach(self, table: FrameIndex, index: int) -> None:
        """Bring the decoder before `index`: on from where it stands, or anew from a key frame."""
        is_ahead = index >= self._next
        if is_ahead and index < self._next + MIN_FRAMES_SPARED:
            return
        key = table.key_before(index, self._video) if self._can_seek else None
        if key is not None and key.place > 0 and (not is_ahead or key.place >= self._next + MIN_FRAMES_SPARED):
            self._seek(key)
        elif not is_ahead:
            self._rewind()

    def _seek(self, key: KeyFrame) -> None:
        try:
            self._container.seek(key.stamp, stream=self._video)
            self._begin(key.place)
        except av.error.FFmpegError:
            self._can_seek = False
            self._rewind()

    def _advance(self, table: FrameIndex, index: int) -> bool:
        """Decode one frame; return whether it is the one at `index`."""
        try:
            frame = self._next_frame(table, index)
        except av.error.FFmpegError as error:
            reason = f"frame {index} cannot be decoded ({error.strerror})"
            raise VideoError(self.path, reason, hint=CHECK_HINT) from None
        place = self._place(table, frame)
        if frame is not None and place is not None and place <= index:
            self._held, self._next = (place, frame), place + 1
            return place == index
        if self._is_from_start:
            total = len(table.times_s)
            raise VideoError(self.path, f"frame {index} of {total} cannot be decoded", hint=CHECK_HINT)
        # The container led us behind the wanted frame, or to one that cannot be told: trust its table no more.
        self._can_seek = False
        self._rewind()
        return False

    def _next_frame(self, table: FrameIndex, index: int) -> av.VideoFrame | None:
        """Decode up to the first frame that is not shown before the one at `index`: most frames are passed over."""
        wanted = None if table.stamps is None else int(table.stamps[index])
        for frame in self._decoded:
            if wanted is None or frame.pts is None or frame.pts >= wanted:
                return frame
            self._next += 1
        return None

    def _place(self, table: FrameIndex, frame: av.VideoFrame | None) -> int | None:
        if frame is None:
            return None
        place = None if frame.pts is None else table.place_of(frame.pts)
        return self._next if place is None and self._is_from_start else place


def open_video(
    path: Path | str, *, stream: Stream = Stream.RGB, depth: DepthFormat | None = None, num_threads: int = 1
) -> FileReader:
    """Open a video file: AVI, MP4, MKV, WebM, MOV and whatever else FFmpeg reads.

    Args:
        path: The file.
        stream: Whether to read its frames as colour or as depth.
        depth: What grey levels say; None for one millimetre per level.
        num_threads: Decoding threads; leave 1 in a loader's worker.

    Raises:
        VideoError: If the file is missing, empty, a folder, or holds no video.
    """
    return FileReader(path, stream=stream, depth=depth or DepthFormat(), num_threads=num_threads)


def open_container(path: str) -> InputContainer:
    """Open a file for reading.

    Raises:
        VideoError: If it is missing, empty, a folder, or not a video.
    """
    name = CONTAINERS.get(Path(path).suffix.lower())
    if name is not None:
        with suppress(av.error.FFmpegError, OSError):  # named as what it is not, or damaged: see below
            return _open(path, name)
    try:
        return _open(path, None)
    except (av.error.FFmpegError, OSError) as error:
        raise _explain(Path(path), str(error.strerror)) from None


def _open(path: str, container_format: str | None) -> InputContainer:
    # Titles in another encoding than UTF-8 must not keep the pictures from being read.
    return av.open(path, format=container_format, metadata_errors="replace")


def _explain(file: Path, reason: str) -> VideoError:
    if file.is_dir():
        return VideoError(file, "is a folder", hint="open_frames reads a folder of pictures")
    if not file.exists():
        return VideoError(file, "no such file", hint=f"the folder {file.parent} exists" if file.parent.is_dir() else "")
    if file.stat().st_size == 0:
        return VideoError(file, "is empty (0 bytes)", hint="copy or download it again")
    return VideoError(file, f"is not a video that can be read ({reason})", hint="copy it again")
