"""The few values that cross from one room to the next.

Shape letters, fixed for the whole project: B clips in a batch, T frames of a clip, S frames of a whole video,
C channels in, D hidden channels, H W pixels or cells of a map, K classes. Time stands before channels, always.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

UInt8Array = npt.NDArray[np.uint8]
UInt16Array = npt.NDArray[np.uint16]
FloatArray = npt.NDArray[np.float64]


class Stream(StrEnum):
    """What a frame's pixels measure."""

    RGB = "rgb"
    DEPTH = "depth"
    FLOW = "flow"


@dataclass(frozen=True, kw_only=True)
class DepthFormat:
    """How the grey levels of a depth recording become millimetres.

    Args:
        mm_per_level: Millimetres that one grey level stands for.
        missing_level: The level that says that nothing was measured.
    """

    mm_per_level: float = 1.0
    missing_level: int = 0


@dataclass(frozen=True)
class Frames:
    """Frames of one stream with their presentation times.

    Args:
        frames_THWC: uint8 RGB (C = 3), or uint16 depth in millimetres (C = 1) where 0 says that nothing was
            measured, or float32 flow in pixels per frame (C = 2: x right, y down).
        times_s: When each frame is shown, in seconds from the start of the recording, ascending, shape (T,).
    """

    frames_THWC: npt.NDArray[np.generic]
    times_s: FloatArray

    def __post_init__(self) -> None:
        if self.frames_THWC.ndim != 4 or len(self.frames_THWC) != len(self.times_s):
            raise ValueError(
                f"frames_THWC has shape {self.frames_THWC.shape} with {len(self.times_s)} times; "
                "wanted (T, H, W, C) with T times"
            )

    def __len__(self) -> int:
        return len(self.times_s)

    def take(self, indices: npt.NDArray[np.int64] | list[int]) -> Frames:
        """Return the frames at `indices`, in that order (repeats allowed)."""
        return Frames(self.frames_THWC[indices], self.times_s[indices])


class Segment(NamedTuple):
    """What happens in a part of an uncut stream.

    Args:
        label: Index of the class.
        start_s, end_s: From the first frame up to, but not including, `end_s`, in seconds.
    """

    label: int
    start_s: float
    end_s: float


class PixelBox(NamedTuple):
    """A part of every frame of a file, in the file's own pixels.

    Args:
        top, left: Its first row and column, from 0 on.
        height, width: How many rows and columns it has.
    """

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One piece of video, a whole file or the span of one: with one label, or with what happens in it and when.

    Args:
        path: The colour file or folder of frames; for a data set of depth alone, the depth file.
        label: Index of the class, or None where nothing is known of it.
        split: `train`, `validation` or `test`.
        subject: Who performs; empty where it is not known.
        start_s, end_s: The span within the file in seconds; None for its beginning or end.
        depth_path: The depth file that belongs to `path`, if any.
        depth: How depth levels become millimetres.
        stream: What `path` itself holds.
        fps: Frame rate of a folder of frames, which has none of its own.
        segments: What happens in an uncut stream, in order of time, in seconds from the start of the file; None for a
            clip of one label.
        box: The part of each frame that matters, the same in all of its files; None for all of it.
    """

    path: Path
    label: int | None = None
    split: str = "train"
    subject: str = ""
    start_s: float | None = None
    end_s: float | None = None
    depth_path: Path | None = None
    depth: DepthFormat = field(default_factory=DepthFormat)
    stream: Stream = Stream.RGB
    fps: float | None = None
    segments: tuple[Segment, ...] | None = None
    box: PixelBox | None = None

    @property
    def is_labelled(self) -> bool:
        """Whether it is known what it shows."""
        return self.label is not None or self.segments is not None

    def path_of(self, stream: Stream) -> Path | None:
        """Return the file that holds `stream` (flow is computed from colour, or else from depth), or None."""
        if stream is Stream.FLOW:
            return self.path
        if stream is self.stream:
            return self.path
        return self.depth_path if stream is Stream.DEPTH else None

    @property
    def key(self) -> str:
        """A name for this piece, unique within a data set: the path, and the span if there is one."""
        if self.start_s is None and self.end_s is None:
            return str(self.path)
        return f"{self.path}@{self.start_s or 0:.3f}-{'end' if self.end_s is None else f'{self.end_s:.3f}'}"


class Batch(NamedTuple):
    """Clips as a network takes them.

    Args:
        clip_BTCHW: float32, streams side by side along C in the ClipSpec's order.
        label_B: int64 class indices.
        index_B: int64 positions of the clips' recordings in their split.
        depth_BTHW: float32 depth to learn, in [0, 1], cut as the clips are; None where none is wanted.
        measured_BTHW: Share of its pixels that was measured, in [0, 1]; 0 throughout for recordings without depth.
    """

    clip_BTCHW: Tensor
    label_B: Tensor
    index_B: Tensor
    depth_BTHW: Tensor | None = None
    measured_BTHW: Tensor | None = None


class Ranked(NamedTuple):
    """One of a prediction's best classes."""

    label: str
    probability: float


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a network says of one clip.

    Args:
        label: Name of the most probable class.
        probability: Its probability in [0, 1].
        top: The most probable classes, best first.
        span_s: Start and end of what was looked at, in seconds.
        path: The file; empty for an array.
        latency_ms: Time that decoding, making the clip and the network took, by those names.
    """

    label: str
    probability: float
    top: tuple[Ranked, ...]
    span_s: tuple[float, float]
    path: str = ""
    latency_ms: dict[str, float] = field(default_factory=dict)
