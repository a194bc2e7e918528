"""When the frames of many files are shown: read from each file's header once, then kept.

Lists of gestures that count frames say nothing of seconds, and every file has a frame rate of its own. A header costs
a few milliseconds, which is minutes for a set of 20,000 files; so what was read is kept in a file of the user's cache
folder, under the file's path, its size and the time of its last change, as the verdicts of the damage check are.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mudra.datasets.check import cache_folder, fingerprint
from mudra.errors import VideoError
from mudra.types import FloatArray, Stream
from mudra.video import open_video

CACHE_NAME = "frame_times.json"
CACHE_VERSION = 1
EVEN_S = 1e-6  # Frames this close to even steps are kept as their number and the step.


class FrameTimes(NamedTuple):
    """When the frames of one file are shown.

    Args:
        times_s: Times in seconds, ascending from 0, shape (S,).
        period_s: How long the last frame is shown.
    """

    times_s: FloatArray
    period_s: float

    def start_s(self, frame: int) -> float:
        """Return when a frame, counted from 0, is shown; one behind the end as if the file went on at its rate."""
        last = len(self.times_s) - 1
        if frame <= last:
            return float(self.times_s[frame])
        # Of an empty file, the last frame is the one before frame 0.
        last_s = float(self.times_s[last]) if last >= 0 else -self.period_s
        return last_s + (frame - last) * self.period_s


def read_frame_times(paths: Iterable[Path], *, nominal_fps: float) -> dict[Path, FrameTimes]:
    """Return when the frames of each file are shown; nothing is decoded.

    Args:
        nominal_fps: Rate of files that cannot be opened. That they cannot is found by the check for damage.
    """
    known = _read_cache()
    found: dict[Path, FrameTimes] = {}
    new: dict[str, Any] = {}
    try:
        for path in paths:
            key, print_ = str(path.resolve()), fingerprint(path)
            kept = known.get(key)
            if kept is not None and kept["fingerprint"] == print_:
                found[path] = _unpack(kept["times"])
                continue
            times = _read_header(path)
            found[path] = times or FrameTimes(np.empty(0), 1 / nominal_fps)
            if times is not None:
                new[key] = {"fingerprint": print_, "times": _pack(times)}
    finally:
        # Also after Ctrl-C: what was read need not be read again.
        _write_cache(new)
    return found


def _read_header(path: Path) -> FrameTimes | None:
    try:
        # Which stream it is opened as does not matter: no pixel is looked at.
        with open_video(path, stream=Stream.RGB) as reader:
            times_s = reader.times_s
    except VideoError:
        return None
    if len(times_s) < 2:
        return None
    return FrameTimes(times_s, float(times_s[-1] - times_s[0]) / (len(times_s) - 1))


def _pack(times: FrameTimes) -> list[float]:
    """Return two numbers for even steps, and every time otherwise."""
    num_frames = len(times.times_s)
    even_s = np.arange(num_frames) * times.period_s
    is_even = num_frames > 2 and bool(np.abs(times.times_s - even_s).max() <= EVEN_S)
    return [num_frames, times.period_s] if is_even else times.times_s.tolist()


def _unpack(packed: list[float]) -> FrameTimes:
    if len(packed) == 2 and packed[0] > 0:
        return FrameTimes(np.arange(int(packed[0]), dtype=np.float64) * packed[1], packed[1])
    times_s = np.array(packed)
    return FrameTimes(times_s, float(times_s[-1] - times_s[0]) / (len(times_s) - 1))


def _read_cache() -> dict[str, Any]:
    """Return what is kept; nothing if there is nothing, or nothing that can be read."""
    try:
        kept = json.loads((cache_folder() / CACHE_NAME).read_text(encoding="utf-8"))
        return dict(kept["files"]) if kept["version"] == CACHE_VERSION else {}
    except (OSError, ValueError, KeyError, TypeError):
        # A cache that cannot be read costs time, not truth.
        return {}


def _write_cache(new: dict[str, Any]) -> None:
    """Add to what is kept; a folder that cannot be written to is passed over, as reading again is right."""
    if not new:
        return
    folder = cache_folder()
    draft = folder / f"{CACHE_NAME}.{os.getpid()}"
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps({"version": CACHE_VERSION, "files": _read_cache() | new}), encoding="utf-8")
        draft.replace(folder / CACHE_NAME)
