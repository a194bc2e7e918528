"""The user's own recordings: a folder per class.

Two forms are read, whichever the folders show:

    root/split/class/*      splits as they are (train, validation or val, test); no validation: drawn from train
    root/class/*            all splits are drawn, by subject or by chance (see `split.py`)

A recording is a video file, or a folder of numbered pictures. Hidden files and folders are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from mudra.datasets.base import OwnClipsConfig
from mudra.datasets.card import DatasetCard
from mudra.datasets.dataset import SPLIT_SPELLINGS, SPLITS, Dataset, order_classes, shorten
from mudra.datasets.mirror import complete_mirror_pairs
from mudra.datasets.split import FRACTIONS, SplitBy, check_fractions, divide
from mudra.errors import ConfigError, DataError
from mudra.types import DepthFormat, Recording, Stream
from mudra.video.listing import VIDEO_SUFFIXES, is_image, is_video, natural_key

# "s02_f1_e1" and "a01_s2_e3" name subject 2, "subject-7.mp4" subject 7, "person03_walk" subject 3.
SUBJECT_PATTERN = r"(?:^|_)(?:(?:subject|person|user)[_-]?(\d+)|s(\d+)(?=_))"


class FolderConfig(OwnClipsConfig):
    """A folder per class, with or without a folder per split above them."""

    kind: Literal["folder"] = "folder"

    root: Path
    """The folder."""
    subject_pattern: str = SUBJECT_PATTERN
    """Regular expression searched in a recording's name without suffix; its first group that matches is the subject."""

    def build(self) -> Dataset:
        """Look through the folders; nothing is decoded."""
        return read_folder(
            self.root,
            classes=self.classes,
            split_by=self.split_by,
            fractions=self.fractions,
            seed=self.seed,
            subject_pattern=self.subject_pattern,
            stream=self.stream,
            fps=self.fps,
            depth=self.depth,
            mirror=self.mirror,
        )


def read_folder(
    root: Path | str,
    *,
    classes: Sequence[str] | None = None,
    split_by: SplitBy = "subject",
    fractions: tuple[float, float, float] = FRACTIONS,
    seed: int = 0,
    subject_pattern: str = SUBJECT_PATTERN,
    stream: Stream = Stream.RGB,
    fps: float = 30.0,
    depth: DepthFormat | None = None,
    mirror: dict[str, str | None] | None = None,
) -> Dataset:
    """Find the recordings below `root`; the arguments are those of `FolderConfig`.

    Raises:
        DataError: If the folder is missing, holds no recordings in either form, mixes both forms, or has a class
            without recordings or outside `classes`.
        ConfigError: If `subject_pattern`, `fractions` or `mirror` cannot be used.
    """
    root = Path(root)
    check_fractions(dict(zip(SPLITS, fractions, strict=True)))
    pattern = compile_subject_pattern(subject_pattern)
    found = _find(root)
    names = order_classes((item.label for item in found), classes, where=str(root))
    depth = depth or DepthFormat()
    recordings = [
        Recording(
            path=item.path,
            label=names.index(item.label),
            split=item.split,
            subject=find_subject(pattern, item.path),
            stream=stream,
            depth=depth,
            fps=fps if item.path.is_dir() else None,
        )
        for item in found
    ]
    divided = divide(recordings, classes=names, root=root, split_by=split_by, fractions=fractions, seed=seed)
    card = DatasetCard(
        name=root.resolve().name,
        classes=names,
        streams=(stream,),
        mirror=complete_mirror_pairs(names, mirror or {}),
        subjects_disjoint=divided.subjects_disjoint,
        depth=depth if stream is Stream.DEPTH else None,
    )
    looked_for = {split: (str(root / split / "<class>" / "*"), str(root / "<class>" / "*")) for split in SPLITS}
    return Dataset(card=card, recordings=divided.recordings, root=root, looked_for=looked_for, notes=divided.notes)


def compile_subject_pattern(pattern: str) -> re.Pattern[str]:
    """Compile the expression that finds a subject in a file's name.

    Raises:
        ConfigError: If it is no regular expression, or has no group.
    """
    try:
        compiled = re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise ConfigError(f"subject_pattern {pattern!r} is no regular expression: {error}") from None
    if not compiled.groups:
        raise ConfigError(
            f"subject_pattern {pattern!r} has no group", hint=r"put the subject in brackets, for example '^s(\d+)_'"
        )
    return compiled


def find_subject(pattern: re.Pattern[str], path: Path) -> str:
    """Return the subject that a recording's name tells, or an empty string.

    Example:
        >>> find_subject(compile_subject_pattern(SUBJECT_PATTERN), Path("grab/s02_f1_e1.mkv"))
        '02'
    """
    match = pattern.search(path.stem)
    return next((group for group in match.groups() if group), "") if match else ""


def holds_classes(root: Path) -> bool:
    """Say whether `root` looks like a folder per class, with or without splits."""
    folders = [inner for folder in _folders(root) for inner in (folder, *_folders(folder))]
    return any(_recordings(folder) for folder in folders)


class _Found(NamedTuple):
    path: Path
    label: str
    split: str


def _find(root: Path) -> list[_Found]:
    """Walk the folder in one of its two forms."""
    if not root.is_dir():
        raise DataError(
            f"{root}: {'a file' if root.exists() else 'no such folder'}; wanted a folder with one folder per class"
        )
    folders = _folders(root)
    splits = {folder: SPLIT_SPELLINGS[folder.name.lower()] for folder in folders if _is_split(folder)}
    if splits:
        strangers = [folder for folder in folders if folder not in splits and _recordings(folder)]
        if strangers:
            raise DataError(
                f"{root}: holds splits ({shorten(s.name for s in splits)}) beside classes "
                f"({shorten(s.name for s in strangers)})",
                hint="put every class folder into a split folder, or none",
            )
    parents = splits or {root: ""}
    found = [item for parent, split in parents.items() for item in _find_classes(parent, split)]
    if not found:
        raise DataError(
            f"{root}: holds no recordings; looked for {root}/<class>/* and {root}/<{'|'.join(SPLITS)}>/<class>/*",
            hint=f"a recording is a folder of pictures or a file ending in {', '.join(sorted(VIDEO_SUFFIXES))}",
        )
    _refuse_empty_classes(root, parents, found)
    return found


def _is_split(folder: Path) -> bool:
    """A class may be called `test`: a split is told by holding folders that hold recordings."""
    return folder.name.lower() in SPLIT_SPELLINGS and any(_recordings(inner) for inner in _folders(folder))


def _find_classes(parent: Path, split: str) -> list[_Found]:
    return [_Found(path, folder.name, split) for folder in _folders(parent) for path in _recordings(folder)]


def _refuse_empty_classes(root: Path, parents: Iterable[Path], found: Iterable[_Found]) -> None:
    filled = {item.label for item in found}
    empty = [folder for parent in parents for folder in _folders(parent) if folder.name not in filled]
    if empty:
        raise DataError(
            f"{root}: class folders without a recording: {shorten(empty)}",
            hint="fill it, or move it out of the data set",
        )


def _folders(parent: Path) -> list[Path]:
    inside = (entry for entry in parent.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    return sorted(inside, key=_order)


def _recordings(folder: Path) -> list[Path]:
    entries = (entry for entry in folder.iterdir() if not entry.name.startswith("."))
    return sorted(filter(_is_recording, entries), key=_order)


def _order(entry: Path) -> tuple[object, ...]:
    return natural_key(entry.name), entry.name


def _is_recording(entry: Path) -> bool:
    return any(map(is_image, entry.iterdir())) if entry.is_dir() else is_video(entry)
