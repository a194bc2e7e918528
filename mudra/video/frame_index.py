"""FrameIndex: when each frame of a file is shown and from where decoding may start, found without decoding."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.stream import VideoStream

from mudra.types import FloatArray

FALLBACK_FPS = 25.0  # a stream without any time stamps and rate is played at FFmpeg's own default


@dataclass(frozen=True)
class FrameIndex:
    """The frames of a file in the order in which they are shown.

    Args:
        times_s: Times in seconds, ascending from 0, shape (S,).
        places: From a decoded frame's time stamp to its position; None where time stamps do not tell frames apart,
            so that frames are counted from the beginning of the file.
        key_places: Lower bounds of the positions of the key frames, ascending; decoding can start at them.
        key_stamps: For each key frame, the time stamp to seek to.
    """

    times_s: FloatArray
    places: dict[int, int] | None
    key_places: list[int]
    key_stamps: list[int]

    def key_before(self, place: int) -> int:
        """Return which key frame is the last one at or before `place`; 0 if none is known."""
        return max(bisect_right(self.key_places, place) - 1, 0)


def read_index(container: InputContainer, stream: VideoStream) -> tuple[FrameIndex, bool]:
    """Return the index of `stream`, and whether packets were read for it (the container then stands at its end)."""
    declared = _declared_index(container, stream)
    return (declared, False) if declared is not None else (_demuxed_index(container, stream), True)


def _declared_index(container: InputContainer, stream: VideoStream) -> FrameIndex | None:
    """Return the index from an MP4's or AVI's own table, or None where only the packets tell the times.

    The table holds decoding times. These are presentation times, but for an offset, where all frames last equally
    long; that is so if both the steps between them and the stream's whole duration say it.
    """
    entries = stream.index_entries
    num_frames = len(entries)
    if num_frames == 0 or num_frames != stream.frames or stream.start_time is None or stream.time_base is None:
        return None
    rows = [(entry.timestamp, entry.is_keyframe, entry.size) for entry in entries]
    step = (stream.duration or 0) // num_frames
    first, last = rows[0][0], entries[num_frames - 1]
    is_regular = step > 0 and step * num_frames == stream.duration
    is_regular = is_regular and all(row[0] == first + step * place for place, row in enumerate(rows))
    is_whole = all(row[2] > 0 for row in rows) and last.pos + last.size <= container.size
    if not is_regular or not is_whole or any(entry.is_discard for entry in entries):
        return None
    stamps = [stream.start_time + step * place for place in range(num_frames)]
    keys = [place for place, row in enumerate(rows) if row[1]]
    return FrameIndex(
        times_s=np.arange(num_frames, dtype=np.float64) * float(step * stream.time_base),
        places=None if _is_reordered_avi(container, stream) else dict(zip(stamps, range(num_frames), strict=True)),
        key_places=keys,
        key_stamps=[rows[place][0] for place in keys],
    )


def _demuxed_index(container: InputContainer, stream: VideoStream) -> FrameIndex:
    is_avi, is_matroska = "avi" in container.format.name, "matroska" in container.format.name
    stamps: list[int | None] = []
    keys: list[tuple[int, int]] = []
    try:
        for packet in container.demux(stream):
            if packet.size == 0 or packet.is_discard:
                continue
            shown = packet.dts if is_avi or packet.pts is None else packet.pts
            # Matroska is searched by presentation time, the others by decoding time.
            sought = shown if is_matroska or packet.dts is None else packet.dts
            if packet.is_keyframe and sought is not None:
                keys.append((len(stamps), sought))
            stamps.append(shown)
    except av.error.FFmpegError:
        pass  # a file that breaks off holds the frames before the break; the damage check names it
    ascending = sorted(stamp for stamp in stamps if stamp is not None)
    is_distinct = len(ascending) == len(stamps) == len(set(ascending))
    return FrameIndex(
        times_s=_to_times(stamps, stream),
        places={stamp: place for place, stamp in enumerate(ascending)}
        if is_distinct and not _is_reordered_avi(container, stream)
        else None,
        key_places=[place for place, _ in keys],
        key_stamps=[stamp for _, stamp in keys],
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
