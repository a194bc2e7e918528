"""FrameIndex: when each frame of a file is shown and from where decoding may start, found without decoding."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.stream import VideoStream

from mudra.types import FloatArray

FALLBACK_FPS = 25.0  # a stream without any time stamps and rate is played at FFmpeg's own default


class KeyFrame(NamedTuple):
    """A frame at which decoding can start: its position (or a lower bound of it), and the time stamp to seek to."""

    place: int
    stamp: int


@dataclass(frozen=True)
class FrameIndex:
    """The frames of a file in the order in which they are shown.

    Args:
        times_s: Times in seconds, ascending from 0, shape (S,).
        stamps: Presentation time stamps as decoded frames bear them, ascending; None where they do not tell frames
            apart, so that frames are counted from the beginning of the file.
        keys: The key frames, ascending; None where the container itself is asked, by decoding times that run in even
            steps from `first_stamp`.
        first_stamp: The lowest time stamp of the file, to start over from.
    """

    times_s: FloatArray
    stamps: Sequence[int] | None
    keys: list[KeyFrame] | None = None
    first_stamp: int = 0

    def place_of(self, stamp: int) -> int | None:
        """Return the position of the frame that bears `stamp`, or None."""
        if self.stamps is None:
            return None
        if isinstance(self.stamps, range):  # of even steps, which are divided: no search
            return self.stamps.index(stamp) if stamp in self.stamps else None
        place = bisect_left(self.stamps, stamp)
        return place if place < len(self.stamps) and self.stamps[place] == stamp else None

    def key_before(self, place: int, stream: VideoStream) -> KeyFrame | None:
        """Return the last key frame at or before `place`, or None where none is known.

        Args:
            place: A position in the file.
            stream: The opened stream that this is the index of.
        """
        if self.stamps is None:
            return None
        if self.keys is not None:
            following = bisect_right(self.keys, place, key=lambda key: key.place)
            return self.keys[following - 1] if following else None
        step = self.stamps[1] - self.stamps[0] if len(self.stamps) > 1 else 0
        found = stream.index_entries.search_timestamp(self.first_stamp + step * place, backward=True)
        return KeyFrame(found, self.stamps[found]) if found >= 0 else None


def read_index(container: InputContainer, stream: VideoStream) -> tuple[FrameIndex, bool]:
    """Return the index of `stream`, and whether packets were read for it (the container then stands at its end)."""
    declared = _declared_index(container, stream)
    return (declared, False) if declared is not None else (_demuxed_index(container, stream), True)


def _declared_index(container: InputContainer, stream: VideoStream) -> FrameIndex | None:
    """Return the index from an MP4's or AVI's own table, or None where only the packets tell the times.

    The table holds decoding times. These are presentation times, but for an offset, where all frames last equally
    long; that is so if both the steps between them and the stream's whole duration say it. An edit list that cuts
    frames away shortens the duration, and a file that breaks off ends before the last frame does.
    """
    entries, start = stream.index_entries, stream.start_time
    num_frames = len(entries)
    if num_frames == 0 or num_frames != stream.frames or start is None or stream.time_base is None:
        return None
    step = (stream.duration or 0) // num_frames
    first, last = entries[0], entries[num_frames - 1]
    if step <= 0 or step * num_frames != stream.duration or first.is_discard or last.is_discard:
        return None
    if last.pos + last.size > container.size or last.timestamp != first.timestamp + step * (num_frames - 1):
        return None
    even = range(first.timestamp, last.timestamp + 1, step)
    if [entry.timestamp for entry in entries] != list(even):
        return None
    return FrameIndex(
        times_s=np.arange(num_frames, dtype=np.float64) * float(step * stream.time_base),
        stamps=None if _is_reordered_avi(container, stream) else range(start, start + step * num_frames, step),
        first_stamp=first.timestamp,
    )


def _demuxed_index(container: InputContainer, stream: VideoStream) -> FrameIndex:
    is_avi = "avi" in container.format.name
    stamps: list[int | None] = []
    keys: list[KeyFrame] = []
    try:
        for packet in container.demux(stream):
            if packet.size == 0 or packet.is_discard:
                continue
            shown = packet.dts if is_avi or packet.pts is None else packet.pts
            if packet.is_keyframe and shown is not None:
                keys.append(KeyFrame(len(stamps), shown))
            stamps.append(shown)
    except av.error.FFmpegError:
        pass  # a file that breaks off holds the frames before the break; the damage check names it
    ascending = sorted(stamp for stamp in stamps if stamp is not None)
    is_distinct = len(ascending) == len(stamps) == len(set(ascending))
    return FrameIndex(
        times_s=_to_times(stamps, stream),
        stamps=ascending if is_distinct and not _is_reordered_avi(container, stream) else None,
        keys=keys,
        first_stamp=ascending[0] if ascending else 0,
    )


def _is_reordered_avi(container: InputContainer, stream: VideoStream) -> bool:
    # AVI stores no presentation times: with B-frames, FFmpeg's guesses do not even ascend.
    return "avi" in container.format.name and bool(stream.codec_context.has_b_frames)


def _to_times(stamps: list[int | None], stream: VideoStream) -> FloatArray:
    """Turn time stamps in decoding order into ascending seconds from 0, bridging missing and repeated ones."""
    fps = float(stream.average_rate or FALLBACK_FPS)
    known = np.array([place for place, stamp in enumerate(stamps) if stamp is not None])
    if len(known) == 0 or stream.time_base is None:
        return np.arange(len(stamps)) / fps
    known_s = np.array([float(stamp * stream.time_base) for stamp in stamps if stamp is not None])
    times_s = np.sort(np.interp(np.arange(len(stamps)), known, known_s)) - known_s.min()
    return _spread_repeats(times_s, period_s=1 / fps)


def _spread_repeats(times_s: FloatArray, *, period_s: float) -> FloatArray:
    """Space frames of one time evenly up to the next time.

    Example:
        >>> _spread_repeats(np.array([0.0, 0.0, 1.0]), period_s=0.5).tolist()
        [0.0, 0.5, 1.0]
    """
    starts: npt.NDArray[np.int64] = np.flatnonzero(np.r_[True, np.diff(times_s) > 0])
    if len(starts) == len(times_s):
        return times_s
    end_s = times_s[-1] + period_s * (len(times_s) - starts[-1])
    return np.interp(np.arange(len(times_s)), np.r_[starts, len(times_s)], np.r_[times_s[starts], end_s])
