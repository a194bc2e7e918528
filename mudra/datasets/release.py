"""What readers of published sets share: lists with a recording per line, and recordings that are not on this disk."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, NoReturn

from mudra.datasets.dataset import SPLITS, shorten
from mudra.errors import DataError
from mudra.types import Recording

OnMissing = Literal["refuse", "skip"]

NUM_SHOWN = 3  # missing files that a message names


class Line(NamedTuple):
    """One line of a list.

    Args:
        where: The file and the number of the line, for error messages.
        words: What stands in it.
    """

    where: str
    words: tuple[str, ...]

    def refuse(self, why: str, *, hint: str = "") -> NoReturn:
        """Raise the error that names the line and what is wrong with it."""
        raise DataError(f"{self.where}: {why}", hint=hint)


def read_lines(path: Path, *, form: str, separator: str | None = None) -> list[Line]:
    """Read a list without a line of column names; empty lines are passed over.

    Args:
        form: What a line looks like, in the same words and separators, with those that may be left out in brackets;
            `...` stands for any number of further words.
        separator: What stands between the words; None for blanks.

    Raises:
        DataError: If the list cannot be read, is empty, has a line of another form, or names a recording twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as a list ({error})") from None
    most = math.inf if "..." in form else len(form.split(separator))
    least = len(form.partition("[")[0].split(separator))
    lines: dict[str, Line] = {}
    for number, content in enumerate(text.splitlines(), start=1):
        words = tuple(word.strip() for word in content.split(separator))
        if not any(words):
            continue
        line = Line(f"{path}, line {number}", words)
        if not least <= len(words) <= most or not all(words):
            line.refuse(f"holds {content.strip()!r}; wanted {form}")
        if words[0] in lines:
            line.refuse(f"names {words[0]} again, which {lines[words[0]].where} names")
        lines[words[0]] = line
    if not lines:
        raise DataError(f"{path}: names no recordings; wanted lines such as {form}")
    return list(lines.values())


class Listed(NamedTuple):
    """The recordings of one split that a list names.

    Args:
        listing: The list.
        split: The split.
        recordings: What it names, there or not.
    """

    listing: Path
    split: str
    recordings: tuple[Recording, ...]


class Present(NamedTuple):
    """What is there of a release.

    Args:
        recordings: Recordings by split; no split is lacking.
        left_out: What is not, one sentence for each list.
    """

    recordings: dict[str, tuple[Recording, ...]]
    left_out: tuple[str, ...]


def find_missing(recording: Recording) -> Path | None:
    """Return the first file of a recording that does not exist, or None."""
    paths = (recording.path, recording.depth_path)
    return next((path for path in paths if path is not None and not path.exists()), None)


def keep_present(
    lists: Sequence[Listed],
    *,
    on_missing: OnMissing,
    url: str,
    find_missing: Callable[[Recording], Path | None] = find_missing,
) -> Present:
    """Return the recordings that are there.

    A split of which nothing is there is left out: nobody needs all of a release. One of which a part is missing was
    not copied whole, which is refused unless the config says otherwise.

    Args:
        lists: What the lists name. A recording that two of them name counts once.
        on_missing: What to do about a split of which a part is missing.
        url: Where to get the recordings.
        find_missing: Returns the file of a recording that is not there, or None.

    Raises:
        DataError: If nothing at all is there, or a part of a split is missing and `on_missing` is `refuse`; the message
            counts what is missing and names the first three files that were looked for.
    """
    kept: dict[str, dict[Path, Recording]] = {split: {} for split in SPLITS}
    left_out: list[str] = []
    looked_for: list[Path] = []
    for listed in lists:
        checked = [(recording, find_missing(recording)) for recording in listed.recordings]
        there = {recording.path: recording for recording, gone in checked if gone is None}
        missing = [gone for _, gone in checked if gone is not None]
        kept[listed.split] |= there
        if missing and there and on_missing == "refuse":
            raise DataError(
                _count_missing(listed, missing),
                hint=f"get the rest from {url}, or go on with the other {len(there)}: data.on_missing=skip",
            )
        left_out += [_count_missing(listed, missing)] if missing else []
        looked_for += missing
    if not any(kept.values()):
        raise DataError(
            f"{' and '.join(str(listed.listing) for listed in lists)}: none of {len(looked_for)} recordings is there; "
            f"looked for {_shorten_paths(looked_for)}",
            hint=f"where to get them: {url}",
        )
    return Present({split: tuple(found.values()) for split, found in kept.items()}, tuple(left_out))


def _count_missing(listed: Listed, missing: Sequence[Path]) -> str:
    return (
        f"{listed.listing}: {len(missing)} of {len(listed.recordings)} {listed.split} recordings are not there; "
        f"looked for {_shorten_paths(missing)}"
    )


def _shorten_paths(paths: Sequence[Path]) -> str:
    # Absolute, so that a reader sees where was looked; only those that are shown, as there may be very many.
    return shorten([*(path.absolute() for path in paths[:NUM_SHOWN]), *paths[NUM_SHOWN:]], limit=NUM_SHOWN)
