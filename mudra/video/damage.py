"""find_damage: decode a whole file and say what is wrong with it, by four signals of which none is enough alone.

exception      the file cannot be opened, or a frame cannot be decoded
count          fewer frames, or less time, than the container declares
corrupt flag   the decoder or the container marks a frame as damaged
decoder log    the decoder reports an error and goes on as if nothing were (bit errors in H.264)
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from mudra.errors import VideoError
from mudra.video.file import open_container
from mudra.video.listing import list_images, natural_key

EXCEPTION, COUNT, CORRUPT, LOG = "exception", "count", "corrupt flag", "decoder log"
MAX_MESSAGES = 3  # of the decoder's, quoted in a reason
SLACK = 1.5  # a file may end this many of its longest steps between frames before its declared end

# While messages are captured in one thread, those of others go to this logger; without a handler of its own, Python
# would print them on the terminal.
logging.getLogger("libav").addHandler(logging.NullHandler())


class Damage(NamedTuple):
    """What is wrong with a file or a folder of pictures.

    Args:
        path: The file or folder.
        reason: What was found, in words.
        signals: Which of `exception`, `count`, `corrupt flag` and `decoder log` found it.
        decoded: Number of frames that could be decoded.
        declared: Number of frames that should be there; 0 where nothing says it.
    """

    path: str
    reason: str
    signals: tuple[str, ...]
    decoded: int
    declared: int


def find_damage(path: Path | str) -> Damage | None:
    """Decode a video file, or every picture of a folder, and return what is wrong with it, or None.

    Args:
        path: A video file, a picture, or a folder of pictures.
    """
    return _folder_damage(Path(path)) if Path(path).is_dir() else _file_damage(Path(path))


class _Tally:
    """What is seen of a file while it is decoded."""

    def __init__(self) -> None:
        self.findings: dict[str, str] = {}
        self.decoded = 0
        self.declared = 0

    def damage(self, path: Path) -> Damage | None:
        if not self.findings:
            return None
        reason = "; ".join(self.findings.values())
        return Damage(str(path), reason, tuple(self.findings), self.decoded, self.declared)


def _file_damage(path: Path) -> Damage | None:
    tally = _Tally()
    with _captured_errors() as messages:
        try:
            with open_container(str(path)) as container:
                _decode_all(container, tally)
        except VideoError as error:
            tally.findings[EXCEPTION] = error.reason
        except av.error.FFmpegError as error:
            tally.findings[EXCEPTION] = f"reading stops after {tally.decoded} frames ({error.strerror})"
    if messages:
        quoted = "; ".join(messages[:MAX_MESSAGES]) + (f"; {len(messages) - MAX_MESSAGES} more" * (len(messages) > 3))
        tally.findings[LOG] = f"the decoder reports: {quoted}"
    return tally.damage(path)


def _decode_all(container: InputContainer, tally: _Tally) -> None:
    if not container.streams.video:
        tally.findings[EXCEPTION] = "holds no video stream"
        return
    stream = container.streams.video[0]
    stream.codec_context.thread_count = 1
    tally.declared = stream.frames
    stamps: list[int] = []
    failures: list[str] = []
    slots: list[int] = []
    num_corrupt = 0
    for packet in container.demux(stream):
        if packet.dts is not None and "avi" in container.format.name:
            slots.append(packet.dts)
        num_corrupt += packet.is_corrupt
        try:
            frames = packet.decode()
        except av.error.FFmpegError as error:
            failures.append(f"after {tally.decoded} frames ({error.strerror})")
            continue
        tally.decoded += len(frames)
        num_corrupt += sum(frame.is_corrupt for frame in frames)
        stamps.extend(frame.pts for frame in frames if frame.pts is not None)
    if failures:
        tally.findings[EXCEPTION] = f"decoding fails {len(failures)} times, first {failures[0]}"
    if num_corrupt:
        tally.findings[CORRUPT] = f"{num_corrupt} frames are marked as damaged"
    if tally.decoded == 0:
        tally.findings[COUNT] = "no frame can be decoded"
    elif tally.decoded + _num_left_out(slots) < tally.declared:
        tally.findings[COUNT] = f"{tally.decoded} of {tally.declared} declared frames"
    elif tally.declared == 0:
        _compare_durations(container, stream, sorted(stamps), tally)


def _num_left_out(slots: list[int]) -> int:
    """Return how many frames an AVI may leave out because they repeat the one before; its header counts them too."""
    if len(slots) < 2:
        return 0
    longest_step = max(after - before for before, after in pairwise(slots))
    # What follows the last frame cannot be seen: as many as were left out at a stretch before are believed.
    return slots[-1] + 1 - len(slots) + longest_step - 1


def _compare_durations(container: InputContainer, stream: VideoStream, stamps: list[int], tally: _Tally) -> None:
    """Matroska and WebM declare no number of frames: compare where the frames end with where they should."""
    declared_s = _declared_duration_s(container, stream)
    if declared_s is None or len(stamps) < 2 or stream.time_base is None:
        return
    longest_s = max(after - before for before, after in pairwise(stamps)) * stream.time_base
    mean_s = (stamps[-1] - stamps[0]) * stream.time_base / (len(stamps) - 1)
    last_s = stamps[-1] * stream.time_base
    if declared_s - last_s > SLACK * longest_s + stream.time_base:
        tally.declared = round((declared_s - stamps[0] * stream.time_base) / mean_s) if mean_s else 0
        tally.findings[COUNT] = (
            f"the last of {tally.decoded} frames is at {float(last_s):.2f} s of {float(declared_s):.2f} s; "
            f"about {tally.declared} frames should be there"
        )


def _declared_duration_s(container: InputContainer, stream: VideoStream) -> Fraction | None:
    tag = stream.metadata.get("DURATION", "")
    if tag.count(":") == 2:
        hours, minutes, seconds = tag.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
    # The container's duration is that of its longest stream: with sound, it says nothing of the pictures.
    if container.duration is None or len(container.streams) > 1:
        return None
    return Fraction(container.duration, av.time_base)


def _folder_damage(folder: Path) -> Damage | None:
    tally = _Tally()
    try:
        images = list_images(folder)
    except VideoError as error:
        return Damage(str(folder), error.reason, (EXCEPTION,), 0, 0)
    found = [(image, _file_damage(image)) for image in images]
    bad = [(image, damage) for image, damage in found if damage is not None]
    for image, damage in bad[:MAX_MESSAGES]:
        for signal in damage.signals:
            tally.findings[signal] = f"{image.name}: {damage.reason}"
    missing = _missing_numbers(images)
    tally.decoded, tally.declared = len(images) - len(bad), len(images) + len(missing)
    if missing:
        shown = ", ".join(map(str, missing[:MAX_MESSAGES])) + (", ..." if len(missing) > MAX_MESSAGES else "")
        tally.findings[COUNT] = f"{len(missing)} numbers are missing between the pictures: {shown}"
    return tally.damage(folder)


def _missing_numbers(images: list[Path]) -> list[int]:
    """Return the numbers left out in names that end in one; every second frame alone, say, is no gap."""
    last_words = [natural_key(image.stem)[-1:] for image in images]
    numbers = [word[0][1] for word in last_words if word and word[0][0] == 0]
    if len(numbers) != len(images) or len(numbers) < 3:
        return []
    steps = Counter(after - before for before, after in pairwise(numbers))
    step = min(step for step, count in steps.items() if count == max(steps.values()))
    if step <= 0 or len(steps) == 1:
        return []
    return sorted(set(range(numbers[0], numbers[-1] + 1, step)) - set(numbers))


_log_lock = threading.Lock()
_num_captures = 0
_saved_settings: tuple[int | None, bool] = (None, True)


@contextmanager
def _captured_errors() -> Iterator[list[str]]:
    """Collect the errors that FFmpeg logs in this thread; filled when the block is left.

    FFmpeg's log level is the process's: the first capture of several at once sets it, the last one restores it.
    Identical messages in a row must not be left out, or a file would be called whole after another with the same flaw.
    """
    global _num_captures, _saved_settings
    messages: list[str] = []
    with _log_lock:
        if _num_captures == 0:
            _saved_settings = (av.logging.get_level(), av.logging.get_skip_repeated())
            av.logging.set_level(av.logging.ERROR)
            av.logging.set_skip_repeated(False)
        _num_captures += 1
    try:
        with av.logging.Capture() as logs:
            yield messages
    finally:
        with _log_lock:
            _num_captures -= 1
            if _num_captures == 0:
                av.logging.set_level(_saved_settings[0])
                av.logging.set_skip_repeated(_saved_settings[1])
        lines = (f"{name}: {text.strip()}" for level, name, text in logs if level <= av.logging.ERROR)
        messages.extend(dict.fromkeys(lines))
