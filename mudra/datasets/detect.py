"""What lies at a path: the data set config that reads it."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from mudra.datasets import (
    congd,
    egogesture,
    fir,
    isogd,
    jester,
    jhmdb,
    montalbano,
    nvgesture,
    shrec2017,
    sports1m,
    ucf101,
)
from mudra.datasets.congd import CongdConfig
from mudra.datasets.dataset import SPLITS, shorten
from mudra.datasets.egogesture import EgogestureConfig
from mudra.datasets.fir import FirConfig
from mudra.datasets.folder import FolderConfig, holds_classes
from mudra.datasets.isogd import IsogdConfig
from mudra.datasets.jester import JesterConfig
from mudra.datasets.jhmdb import JhmdbConfig
from mudra.datasets.montalbano import MontalbanoConfig
from mudra.datasets.nvgesture import NvgestureConfig
from mudra.datasets.segments_table import SegmentsConfig, is_segments_table
from mudra.datasets.shrec2017 import Shrec2017Config
from mudra.datasets.sports1m import Sports1mConfig
from mudra.datasets.table import REQUIRED_COLUMNS, TableConfig
from mudra.datasets.ucf101 import Ucf101Config
from mudra.errors import DataError

ListedConfig = NvgestureConfig | EgogestureConfig | Ucf101Config | Sports1mConfig | JhmdbConfig
FileConfig = (
    FolderConfig
    | TableConfig
    | SegmentsConfig
    | Shrec2017Config
    | JesterConfig
    | IsogdConfig
    | CongdConfig
    | MontalbanoConfig
    | FirConfig
    | ListedConfig
)

# Sets that are told by the names of their lists, where they lie and what stands in them: no other has these.
TOLD_BY_LISTS: tuple[tuple[Callable[[Path], object], type[ListedConfig]], ...] = (
    (nvgesture.find_lists, NvgestureConfig),
    (egogesture.is_egogesture, EgogestureConfig),
    (ucf101.is_ucf101, Ucf101Config),
    (sports1m.is_sports1m, Sports1mConfig),
    (jhmdb.is_jhmdb, JhmdbConfig),
)


def detect(root: Path | str, *, streams: bool = False) -> FileConfig:
    """Return the config that reads what lies at `root`, with its defaults.

    Tried in this order: a published set (SHREC'17 and FIR are told by the columns of their CSVs, Montalbano by the
    names of its samples, the others by their lists), a CSV, a folder with one CSV of recordings, a folder
    per class. A CSV in which several spans of one file are labelled lists the segments of streams; any other, clips.

    Args:
        root: A file or a folder.
        streams: Whether a CSV with one labelled span of each file lists streams too: it may mean either.

    Raises:
        DataError: If nothing of these is there, or a folder holds several CSVs; the message names what was looked for.
    """
    root = Path(root)
    if not root.exists():
        raise DataError(f"{root}: no such file or folder; wanted a CSV or a folder", hint=_nearest_parent(root))
    if root.is_file():
        return _detect_file(root, streams)
    if isogd.is_isogd(root):
        return IsogdConfig(root=root)
    if congd.is_congd(root):
        return CongdConfig(root=root)
    for is_there, listed_config in TOLD_BY_LISTS:
        if is_there(root):
            return listed_config(root=root)
    if fir.is_fir(root / fir.LIST_NAME):
        return FirConfig(root=root)
    if montalbano.find_samples(root):
        return MontalbanoConfig(root=root)
    if any(map(jester.holds_lists, jester.list_places(root))):
        return JesterConfig(root=root)
    if any(_is_shrec2017(place / shrec2017.LIST_NAME) for place in (root, *(root / split for split in SPLITS))):
        return Shrec2017Config(root=root)
    tables = [path for path in sorted(root.glob("*.csv")) if set(REQUIRED_COLUMNS) <= _columns(path)]
    if len(tables) > 1:
        names = ", ".join(path.name for path in tables)
        raise DataError(f"{root}: holds {len(tables)} lists of recordings: {names}", hint=f"name one: {tables[0]}")
    if tables:
        return _detect_table(tables[0], streams)
    if holds_classes(root):
        return FolderConfig(root=root)
    raise DataError(
        f"{root}: no data set; looked for {shrec2017.LIST_NAME} of SHREC'17, {jester.LISTS['train']} of Jester, "
        f"{isogd.LISTS['train']} of IsoGD, {congd.LISTS['train']} of ConGD, {fir.LIST_NAME} of FIR, Sample0001.zip of "
        f"Montalbano, {nvgesture.LISTS['train'][0]} of NVGesture, {egogesture.LABELS_FOLDER}/ of EgoGesture, "
        f"{ucf101.LISTS_FOLDER}/trainlist01.txt of UCF-101, {sports1m.LISTS['train']} of Sports-1M, "
        f"{jhmdb.LISTS_FOLDER}/ and {jhmdb.FRAMES_FOLDER}/ of J-HMDB, a *.csv with the columns "
        f"{' and '.join(REQUIRED_COLUMNS)}, {root}/<class>/<video> and {root}/<{'|'.join(SPLITS)}>/<class>/<video>",
        hint="put each class's videos into a folder that is named after the class",
    )


def _detect_file(path: Path, streams: bool) -> FileConfig:
    if path.name in jester.LISTS.values():
        return JesterConfig(root=path.parent)
    if path.name in isogd.LISTS.values() and isogd.is_isogd(path.parent):
        return IsogdConfig(root=path.parent)
    if path.name in congd.LISTS.values() and congd.is_congd(path.parent):
        return CongdConfig(root=path.parent)
    if path.suffix.lower() != ".csv":
        raise DataError(
            f"{path}: a file that is no CSV; wanted a CSV (path,label,...) or a folder",
            hint="a single video is no data set: put it into a folder named after its class",
        )
    if fir.is_fir(path):
        return FirConfig(root=path.parent)
    return Shrec2017Config(root=path.parent) if _is_shrec2017(path) else _detect_table(path, streams)


def _detect_table(path: Path, streams: bool) -> SegmentsConfig | TableConfig:
    return SegmentsConfig(path=path) if is_segments_table(path, one_each=streams) else TableConfig(path=path)


def _is_shrec2017(path: Path) -> bool:
    return {"gesture", "gesture28", "finger"} <= _columns(path)


def _columns(path: Path) -> set[str]:
    """Return the column names of a CSV; none where there is no readable file."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return {name.strip() for name in next(csv.reader(file), [])}
    except (OSError, UnicodeDecodeError, csv.Error):
        return set()


def _nearest_parent(path: Path) -> str:
    parent = next(folder for folder in path.absolute().parents if folder.exists())
    if not parent.is_dir():
        return f"{parent} is a file"
    inside = sorted(entry.name for entry in parent.iterdir() if not entry.name.startswith("."))
    return f"{parent} holds {shorten(inside, limit=6) or 'nothing'}"
