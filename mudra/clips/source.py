"""Where frames come from: readers and arrays, which of their streams are read, and which frames belong together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import cv2
import numpy as np

from mudra.clips.sampling import Indices
from mudra.clips.spec import ClipSpec
from mudra.errors import ClipError
from mudra.types import FloatArray, Frames, PixelBox, Stream

WHOLE_FRAMES = 16  # that are in memory at once where a part of each is kept


class FrameSource(Protocol):
    """Where frames come from: a reader of a file, or an array."""

    @property
    def times_s(self) -> FloatArray:
        """Times of all frames."""

    @property
    def frame_size(self) -> tuple[int, int]:
        """Height and width of the frames."""

    def read(self, indices: Indices | None = None, *, size: tuple[int, int] | None = None) -> Frames:
        """Return the frames at `indices`, scaled to `size`."""


class ArraySource:
    """Frames that are in memory already, as a source."""

    def __init__(self, frames: Frames) -> None:
        self.frames = frames
        self.times_s = frames.times_s
        height, width = frames.frames_THWC.shape[1:3]
        self.frame_size = (int(height), int(width))

    def read(self, indices: Indices | None = None, *, size: tuple[int, int] | None = None) -> Frames:
        """Return the frames at `indices`; colour is averaged when it shrinks, depth is picked."""
        frames = self.frames if indices is None else self.frames.take(indices)
        if size is None or size == self.frame_size:
            return frames
        colour = frames.frames_THWC.dtype == np.uint8
        how = cv2.INTER_AREA if colour else cv2.INTER_NEAREST
        scaled = [cv2.resize(frame, size[::-1], interpolation=how) for frame in frames.frames_THWC]
        return Frames(np.stack(scaled).reshape(len(frames), *size, -1), frames.times_s)


class BoxedSource:
    """One part of every frame of another source, as if the file held nothing else.

    Args:
        source: Where whole frames come from.
        box: The part, in whole frames' pixels.

    Raises:
        ClipError: If the part does not lie within the frames.
    """

    def __init__(self, source: FrameSource, box: PixelBox) -> None:
        height, width = source.frame_size
        inside = box.top >= 0 and box.left >= 0 and box.top + box.height <= height and box.left + box.width <= width
        if not inside or min(box.height, box.width) < 1:
            raise ClipError(
                f"a box of {box.height}x{box.width} pixels at row {box.top}, column {box.left} of frames of "
                f"{height}x{width}",
                hint="give the recording a box within its frames, or none",
            )
        self.source, self.box = source, box

    @property
    def times_s(self) -> FloatArray:
        """Times of all frames."""
        return self.source.times_s

    @property
    def frame_size(self) -> tuple[int, int]:
        """Height and width of the part."""
        return self.box.height, self.box.width

    def read(self, indices: Indices | None = None, *, size: tuple[int, int] | None = None) -> Frames:
        """Return the part of the frames at `indices`, scaled to `size`."""
        if indices is None:
            indices = np.arange(len(self.times_s))
        rows = slice(self.box.top, self.box.top + self.box.height)
        columns = slice(self.box.left, self.box.left + self.box.width)
        parts = []
        # A few at a time: whole frames are far larger than what is kept of them.
        for start in range(0, max(len(indices), 1), WHOLE_FRAMES):
            whole = self.source.read(indices[start : start + WHOLE_FRAMES])
            part = Frames(np.ascontiguousarray(whole.frames_THWC[:, rows, columns]), whole.times_s)
            parts.append(ArraySource(part).read(size=size))
        return Frames(np.concatenate([p.frames_THWC for p in parts]), np.concatenate([p.times_s for p in parts]))


def choose_primary(sources: Mapping[Stream, FrameSource], spec: ClipSpec) -> Stream:
    """Return the stream whose times choose the frames: colour, or else depth.

    Raises:
        ClipError: If a stream that the clip needs is missing.
    """
    for stream in spec.streams:
        if stream is not Stream.FLOW and stream not in sources:
            raise ClipError(
                f"the clip needs the {stream.value} stream, the recording has {', '.join(sources) or 'none'}",
                hint="choose a run or clip.streams that fit the recording, or give its depth file",
            )
    measured = choose_measured(sources, spec)
    if not measured:
        raise ClipError("flow is computed from colour or depth, and the recording has neither")
    return measured[0]


def choose_measured(sources: Mapping[Stream, FrameSource], spec: ClipSpec) -> list[Stream]:
    """Return the streams that are read, colour first."""
    wanted: set[Stream] = {stream for stream in spec.streams if stream is not Stream.FLOW}
    if Stream.FLOW in spec.streams and not wanted:
        wanted = {Stream.RGB if Stream.RGB in sources else Stream.DEPTH} & set(sources)
    if wanted and spec.target is not None:
        wanted |= {Stream.DEPTH} & set(sources)
    return [stream for stream in (Stream.RGB, Stream.DEPTH) if stream in wanted]


def nearest_frames(times_s: FloatArray, wanted_s: FloatArray) -> Indices:
    """Return the frame nearest in time to each of `wanted_s`.

    Example:
        >>> nearest_frames(np.array([0.0, 1.0, 2.0]), np.array([0.4, 0.6, 5.0])).tolist()
        [0, 1, 2]
    """
    middle_s = (times_s[1:] + times_s[:-1]) / 2
    return np.searchsorted(middle_s, wanted_s, side="right").astype(np.int64)


def pair_frames(primary: FrameSource, other: FrameSource, indices: Indices) -> Indices:
    """Return the frames of `other` that belong to the frames of `primary` at `indices`.

    Streams of as many frames were recorded frame by frame, whatever rate their files tell (aligned depth of IsoGD tells
    10 per second beside colour of 8.4); of others, the nearest in time are taken.
    """
    if len(primary.times_s) == len(other.times_s):
        return indices
    return nearest_frames(other.times_s, primary.times_s[indices])
