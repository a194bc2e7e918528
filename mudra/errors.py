"""Every error that Mudra raises on purpose, drawn as a tree.

    MudraError
    |-- ConfigError    a key, a value or a combination of values that cannot be used
    |-- VideoError     a file, a folder of frames or a camera that cannot be read
    |-- ClipError      frames that cannot become a clip (none in the span, wrong stream)
    |-- DataError      a data set that cannot be used (empty split, unknown label)
    |-- ModelError     weights, classes and network that do not fit each other
    `-- RunError       a run folder that is missing, unfinished or of another kind

Each message says what came, where, what was wanted, and what mends it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class MudraError(Exception):
    """The base of all errors raised on purpose: catch this one to catch them all.

    Args:
        message: What came, and in which file or key.
        hint: The command or value that mends it; shown on a line of its own.
    """

    area = "mudra"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message


class ConfigError(MudraError):
    """A key, a value or a combination of values that cannot be used."""

    area = "config"


class VideoError(MudraError):
    """A file, a folder of frames or a camera that cannot be read.

    Args:
        path: The file, folder or camera.
        reason: What is wrong with it.
        hint: The command or value that mends it.
    """

    area = "video"

    def __init__(self, path: str | Path, reason: str, *, hint: str = "") -> None:
        super().__init__(f"{path}: {reason}", hint=hint)
        self.path = str(path)
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        # The default pickling would call the constructor with the message alone, and loader workers pickle errors.
        return (_rebuild_video_error, (self.path, self.reason, self.hint))


class ClipError(MudraError):
    """Frames that cannot become a clip."""

    area = "clip"


class DataError(MudraError):
    """A data set that cannot be used."""

    area = "data"


class ModelError(MudraError):
    """Weights, classes and network that do not fit each other."""

    area = "model"


class RunError(MudraError):
    """A run folder that is missing, unfinished or of another kind."""

    area = "run"


def nearest_name(name: str, known: Iterable[str]) -> str:
    """Return a sentence naming the closest of `known`, or listing a few of them.

    Example:
        >>> nearest_name("learing_rate", ["learning_rate", "seed"])
        "did you mean 'learning_rate'?"
        >>> nearest_name("zzz", ["a", "b"])
        'known: a, b'
    """
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"known: {shown}" if shown else ""


def _rebuild_video_error(path: str, reason: str, hint: str) -> VideoError:
    return VideoError(path, reason, hint=hint)
