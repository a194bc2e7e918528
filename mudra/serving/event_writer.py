"""Events as files: a table, subtitles that every player shows over the video, and plain values for JSON."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mudra.errors import DataError
from mudra.scoring import Event

COLUMNS = ("path", "label", "start_s", "end_s", "probability")


def write_events_csv(path: Path | str, rows: Iterable[tuple[str, Event]]) -> None:
    """Write one row per event: path, label, start_s, end_s, probability. It can be read as a list of segments.

    Paths that are not absolute are written as they are seen from the table's folder, as in every such list.

    Args:
        path: The file to write, UTF-8.
        rows: Each event with the file that it is of; empty for an array.

    Raises:
        DataError: If the file cannot be written.
    """
    try:
        with Path(path).open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(COLUMNS)
            for of, event in rows:
                seen = os.path.relpath(of, Path(path).parent) if of and not Path(of).is_absolute() else of
                table.writerow(
                    [seen, event.label, f"{event.start_s:.3f}", f"{event.end_s:.3f}", round(event.probability, 4)]
                )
    except OSError as error:
        raise _cannot_write(path, error) from None


def refuse_unwritable(path: Path) -> None:
    """Find out before long work whether a file can be written; nothing is left behind.

    Raises:
        DataError: If it is a folder, or its folder is not there or may not be written to.
    """
    if path.is_dir():
        raise DataError(f"{path}: is a folder", hint="name a file in it")
    if not path.parent.is_dir():
        raise DataError(f"{path}: there is no folder {path.parent}", hint=f"mkdir -p {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise DataError(f"{path}: may not be written", hint="name a file in a folder of your own")


def write_srt(path: Path | str, events: Sequence[Event]) -> None:
    """Write the events of one recording as subtitles (SubRip).

    Raises:
        DataError: If the file cannot be written.
    """
    blocks = [
        f"{number}\n{format_time(one.start_s)} --> {format_time(one.end_s)}\n{one.label} {one.probability:.2f}\n"
        for number, one in enumerate(events, start=1)
    ]
    try:
        Path(path).write_text("\n".join(blocks), encoding="utf-8")
    except OSError as error:
        raise _cannot_write(path, error) from None


def format_time(time_s: float) -> str:
    """Return a time as SubRip writes it.

    Example:
        >>> format_time(3723.0456)
        '01:02:03,046'
    """
    total_ms = max(round(time_s * 1000), 0)
    hours, rest_ms = divmod(total_ms, 3_600_000)
    minutes, rest_ms = divmod(rest_ms, 60_000)
    return f"{hours:02d}:{minutes:02d}:{rest_ms // 1000:02d},{rest_ms % 1000:03d}"


def event_to_json(event: Event) -> dict[str, Any]:
    """Return plain values for `json.dump`."""
    return {
        "label": event.label,
        "start_s": round(event.start_s, 3),
        "end_s": round(event.end_s, 3),
        "probability": round(event.probability, 4),
        "decided_at_s": None if event.decided_at_s is None else round(event.decided_at_s, 3),
    }


def _cannot_write(path: Path | str, error: OSError) -> DataError:
    return DataError(f"{path}: cannot be written ({error.strerror})", hint="name a file in a folder that is there")
