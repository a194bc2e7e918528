"""Finding damaged recordings before they cost an epoch, and remembering the verdicts.

Every file is decoded once; `mudra.video.find_damage` says what counts as damage. A verdict is kept in a file of the
user's cache folder (`$MUDRA_CACHE`, or where the system keeps caches) under the recording's path, its size and the
time of its last change, so that a second check reads nothing but these.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from mudra.types import Recording
from mudra.video import Damage, find_damage, list_recordings

# Raise when `find_damage` learns to see more: older verdicts are then not believed.
VERDICT_VERSION = 1
CACHE_NAME = "verdicts.json"
MANY_FILES = 300  # From here on, processes side by side make up for the seconds that their start takes.

Progress = Callable[[int, int], None]


class _Verdict(NamedTuple):
    fingerprint: list[int]
    damage: Damage | None


def check_recordings(
    recordings: Path | str | Iterable[Recording],
    *,
    num_workers: int | None = 0,
    use_cache: bool = True,
    progress: Progress | None = None,
) -> list[Damage]:
    """Decode every file and return the damaged ones.

    Args:
        recordings: Recordings, of which colour and depth files are checked; or a file, a pattern, or a folder whose
            video files and folders of pictures are checked, whatever its form.
        num_workers: Processes that decode side by side; 0 decodes in this one. None takes one per core for many files;
            a script must then guard its start with `if __name__ == "__main__"`.
        use_cache: Whether verdicts on unchanged files are believed. New verdicts are written in any case.
        progress: Called with the number of files done and of all files, first with those whose verdict is kept.

    Returns:
        The damage of each bad file, in the order of the files; a recording that does not exist is damaged.

    Raises:
        VideoError: If a path is neither there nor a pattern.
    """
    files = _list_files(recordings)
    known = _read_cache() if use_cache else {}
    fingerprints = {file: fingerprint(file) for file in files}
    verdicts = {file: known[str(file)] for file in files if _is_current(known.get(str(file)), fingerprints[file])}
    todo = [file for file in files if file not in verdicts]
    report = progress or _ignore
    report(len(files) - len(todo), len(files))
    try:
        for file, damage in _find_all(todo, num_workers):
            verdicts[file] = _Verdict(fingerprints[file], damage)
            report(len(verdicts), len(files))
    finally:
        # Also after Ctrl-C: what was decoded need not be decoded again.
        _write_cache({str(file): verdicts[file] for file in todo if file in verdicts and fingerprints[file]})
    return [damage for file in files if (damage := verdicts[file].damage) is not None]


def cache_folder() -> Path:
    """Return the folder for what can be computed again: `$MUDRA_CACHE`, or `mudra` in the system's cache folder."""
    if named := os.environ.get("MUDRA_CACHE"):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".cache") / "mudra"


def fingerprint(path: Path) -> list[int]:
    """Return number of files, bytes in all and time of the last change in nanoseconds; empty if there is nothing."""
    try:
        entries = sorted(path.iterdir()) if path.is_dir() else [path]
        stats = [entry.stat() for entry in entries]
    except OSError:
        return []
    return [len(stats), sum(stat.st_size for stat in stats), max((stat.st_mtime_ns for stat in stats), default=0)]


def _list_files(recordings: Path | str | Iterable[Recording]) -> list[Path]:
    if isinstance(recordings, (Path, str)):
        found: Iterable[Path] = list_recordings(recordings)
    else:
        found = [file for r in recordings for file in (r.path, r.depth_path) if file is not None]
    # Several spans of one long file are one file.
    return list(dict.fromkeys(file.resolve() for file in found))


def _find_all(files: Sequence[Path], num_workers: int | None) -> Iterator[tuple[Path, Damage | None]]:
    if num_workers is None:
        num_workers = (os.cpu_count() or 1) if len(files) >= MANY_FILES else 0
    if num_workers == 0 or len(files) < 2:
        yield from ((file, find_damage(file)) for file in files)
        return
    # Not forked: the decoder's and torch's threads do not survive a fork.
    with ProcessPoolExecutor(min(num_workers, len(files)), mp_context=get_context("spawn")) as pool:
        yield from zip(files, pool.map(find_damage, files, chunksize=4), strict=True)


def _is_current(verdict: _Verdict | None, fingerprint: list[int]) -> bool:
    return verdict is not None and bool(fingerprint) and verdict.fingerprint == fingerprint


def _read_cache() -> dict[str, _Verdict]:
    """Return the kept verdicts; none if there are none, or none that can be read."""
    try:
        kept = json.loads((cache_folder() / CACHE_NAME).read_text(encoding="utf-8"))
        if kept["version"] != VERDICT_VERSION:
            return {}
        return {path: _from_json(value) for path, value in kept["verdicts"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # A cache that cannot be read costs time, not truth.
        return {}


def _from_json(value: Mapping[str, Any]) -> _Verdict:
    damage = value["damage"]
    if damage is not None:
        damage = Damage(**{**damage, "signals": tuple(damage["signals"])})
    return _Verdict(list(value["fingerprint"]), damage)


def _write_cache(verdicts: Mapping[str, _Verdict]) -> None:
    """Add verdicts to the kept ones; a folder that cannot be written to is passed over, as checking again is right."""
    if not verdicts:
        return
    merged = {
        path: {"fingerprint": verdict.fingerprint, "damage": verdict.damage and verdict.damage._asdict()}
        for path, verdict in {**_read_cache(), **verdicts}.items()
    }
    folder = cache_folder()
    draft = folder / f"{CACHE_NAME}.{os.getpid()}"
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps({"version": VERDICT_VERSION, "verdicts": merged}), encoding="utf-8")
        draft.replace(folder / CACHE_NAME)


def _ignore(done: int, total: int) -> None:
    """Report to nobody."""
