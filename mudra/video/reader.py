"""VideoReader: the contract that a file, a folder of pictures and a camera share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple, Self, final

import numpy as np
import numpy.typing as npt

from mudra.errors import VideoError
from mudra.types import FloatArray, Frames, Stream, UInt8Array, UInt16Array

Pixels = UInt8Array | UInt16Array
Indices = Sequence[int] | npt.NDArray[np.integer]
Size = tuple[int, int]


class VideoInfo(NamedTuple):
    """What is known of a video before its frames are looked at.

    Args:
        path: The file, folder or camera.
        width: Columns of a frame as it is shown, after rotation.
        height: Rows of a frame as it is shown.
        fps: Average frame rate; 0.0 where it is not known.
        duration_s: Length in seconds; 0.0 where it is not known.
        declared_frames: Number of frames that the container says it holds; 0 where it does not say.
        codec: Name of the decoder.
        pixel_format: How pixels are stored, by FFmpeg's names.
        rotation_deg: Anticlockwise turn, in degrees, that brings a stored frame upright.
    """

    path: str
    width: int
    height: int
    fps: float
    duration_s: float
    declared_frames: int
    codec: str
    pixel_format: str
    rotation_deg: int


@final
@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded frame, not yet converted: frames that nobody looks at cost no conversion.

    Args:
        index: Position in the stream, from 0. Gaps in a camera's indices are frames that came too fast.
        time_s: When it is shown, in seconds from the first frame.
        convert: Makes the pixels, at a (height, width) or at their own size for None.
    """

    index: int
    time_s: float
    convert: Callable[[Size | None], Pixels]

    def to_array(self, size: Size | None = None) -> Pixels:
        """Return the pixels: uint8 RGB (H, W, 3), or uint16 depth in millimetres (H, W, 1).

        Args:
            size: Wanted (height, width) in pixels; None for the frame's own. Depth is never interpolated.
        """
        return self.convert(size)


class VideoReader(ABC):
    """Frames of one stream, by index or in order. Use it in a `with` statement, or call `close`.

    Args:
        path: The file, folder or camera, for messages.
        stream: What the pixels measure.
    """

    def __init__(self, path: str, *, stream: Stream) -> None:
        if stream is Stream.FLOW:
            raise VideoError(path, "flow is computed, not stored", hint="open the stream 'rgb' or 'depth'")
        self.path = path
        self.stream = stream
        self._is_closed = False

    @property
    @abstractmethod
    def info(self) -> VideoInfo:
        """Size, rate and codec.

        Raises:
            VideoError: If no frame can be decoded.
        """

    @property
    @abstractmethod
    def times_s(self) -> FloatArray:
        """Times of all frames in seconds, ascending from 0, shape (S,); found without decoding.

        Raises:
            VideoError: If the stream has no end, as a camera's.
        """

    @property
    def frame_size(self) -> Size:
        """Height and width of a frame as it is shown.

        Raises:
            VideoError: If no frame can be decoded.
        """
        return self.info.height, self.info.width

    @abstractmethod
    def _frames_at(self, indices: Iterable[int]) -> Iterator[Frame]:
        """Yield the frames at ascending `indices`, each within the stream."""

    def read(self, indices: Indices | None = None, *, size: Size | None = None) -> Frames:
        """Decode frames.

        Args:
            indices: Positions in the stream in any order, repeats allowed; None for all.
            size: Wanted (height, width) in pixels; None for the video's own.

        Returns:
            The frames in the order of `indices`, with their times.

        Raises:
            VideoError: If an index lies outside the stream, a frame cannot be decoded, or the picture size changes
                on the way and no `size` was given.
        """
        times_s = self.times_s
        # Plain lists: for the few frames of a clip, NumPy's calls cost more than the work that they do.
        wanted = list(range(len(times_s))) if indices is None else np.asarray(indices, np.int64).reshape(-1).tolist()
        ascending = sorted(set(wanted))
        self._check_indices(ascending, len(times_s))
        stack = self._decode_stack(ascending, size)
        if ascending != wanted:
            stack = stack[np.searchsorted(ascending, wanted)]
        return Frames(stack, times_s[wanted])

    def __iter__(self) -> Iterator[Frame]:
        """Yield the whole stream in order; one frame is held at a time."""
        return self._frames_at(range(len(self.times_s)))

    def close(self) -> None:
        """Let go of the file or camera; may be called twice."""
        self._is_closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _decode_stack(self, indices: list[int], size: Size | None) -> npt.NDArray[Any]:
        if not indices:
            height, width = size or (self.info.height, self.info.width)
            is_depth = self.stream is Stream.DEPTH
            return np.empty((0, height, width, 1 if is_depth else 3), np.uint16 if is_depth else np.uint8)
        stack: npt.NDArray[Any] | None = None
        for row, frame in enumerate(self._frames_at(indices)):
            pixels = frame.to_array(size)
            if stack is None:
                stack = np.empty((len(indices), *pixels.shape), pixels.dtype)
            elif pixels.shape != stack.shape[1:]:
                raise VideoError(
                    self.path,
                    f"frame {frame.index} is {pixels.shape[1]}x{pixels.shape[0]}, "
                    f"those before it {stack.shape[2]}x{stack.shape[1]}",
                    hint="give the wanted size: read(..., size=(height, width))",
                )
            stack[row] = pixels
        assert stack is not None
        return stack

    def _check_indices(self, ascending: list[int], num_frames: int) -> None:
        if ascending and (ascending[0] < 0 or ascending[-1] >= num_frames):
            outside = ascending[0] if ascending[0] < 0 else ascending[-1]
            raise VideoError(
                self.path,
                f"has no frame {outside}; it holds {num_frames}",
                hint=f"indices run from 0 to {num_frames - 1}" if num_frames else "the file holds no frames",
            )

    def _refuse_if_closed(self) -> None:
        if self._is_closed:
            raise VideoError(self.path, "is closed", hint="read inside the with statement")
