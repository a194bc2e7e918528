"""The user's own recordings: a CSV with one row per clip.

    path,label,split,subject,start_s,end_s,depth_path
    clips/0001.mp4,swipe_left,train,anna,,,
    clips/long.mp4,hello,,ben,12.5,14.0,depth/long.mkv

Only `path` and `label` are needed. Paths that are not absolute start at the CSV's folder; a path may be a folder of
numbered pictures. `start_s` and `end_s` cut one clip out of a longer file. Without a `split` in any row the splits are
drawn, as for a folder per class.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, NoReturn

from mudra.datasets.base import OwnClipsConfig
from mudra.datasets.card import DatasetCard
from mudra.datasets.dataset import SPLIT_SPELLINGS, SPLITS, Dataset, order_classes, shorten
from mudra.datasets.mirror import complete_mirror_pairs
from mudra.datasets.split import FRACTIONS, SplitBy, divide
from mudra.errors import DataError, nearest_name
from mudra.types import DepthFormat, Recording, Stream

REQUIRED_COLUMNS = ("path", "label")
COLUMNS = (*REQUIRED_COLUMNS, "split", "subject", "start_s", "end_s", "depth_path")


class TableConfig(OwnClipsConfig):
    """A CSV of recordings."""

    kind: Literal["table"] = "table"

    path: Path
    """The CSV."""

    def build(self) -> Dataset:
        """Read the CSV; the recordings must exist, but nothing is decoded."""
        return read_table(
            self.path,
            classes=self.classes,
            split_by=self.split_by,
            fractions=self.fractions,
            seed=self.seed,
            stream=self.stream,
            fps=self.fps,
            depth=self.depth,
            mirror=self.mirror,
        )


def read_table(
    path: Path | str,
    *,
    classes: Sequence[str] | None = None,
    split_by: SplitBy = "subject",
    fractions: tuple[float, float, float] = FRACTIONS,
    seed: int = 0,
    stream: Stream = Stream.RGB,
    fps: float = 30.0,
    depth: DepthFormat | None = None,
    mirror: dict[str, str | None] | None = None,
) -> Dataset:
    """Read the recordings that a CSV lists; the arguments are those of `TableConfig`.

    Raises:
        DataError: If the CSV is missing or empty, has unknown or lacks needed columns, a row has no label, an unknown
            split or a span that is none, two rows name the same clip, a file does not exist, or a class is not in
            `classes`.
        ConfigError: If `fractions` or `mirror` cannot be used.
    """
    path = Path(path)
    rows = read_rows(path, required=REQUIRED_COLUMNS, known=COLUMNS)
    names = order_classes((row.need("label") for row in rows), classes, where=str(path))
    depth = depth or DepthFormat()
    recordings = [_read_row(row, names, stream=stream, fps=fps, depth=depth) for row in rows]
    refuse_missing(path, [file for r in recordings for file in (r.path, r.depth_path) if file is not None])
    _refuse_repeats(rows, recordings)
    refuse_half_split(path, recordings)
    divided = divide(recordings, classes=names, root=path.parent, split_by=split_by, fractions=fractions, seed=seed)
    has_depth = stream is not Stream.DEPTH and all(recording.depth_path for recording in recordings)
    streams = (stream, Stream.DEPTH) if has_depth else (stream,)
    card = DatasetCard(
        name=path.name,
        classes=names,
        streams=streams,
        mirror=complete_mirror_pairs(names, mirror or {}),
        subjects_disjoint=divided.subjects_disjoint,
        depth=depth if Stream.DEPTH in streams else None,
    )
    looked_for = {split: (f"rows of {path} with split={split}",) for split in SPLITS}
    return Dataset(
        card=card, recordings=divided.recordings, root=path.parent, looked_for=looked_for, notes=divided.notes
    )


class Row(NamedTuple):
    """One line of a CSV.

    Args:
        where: The file and the number of the line, for error messages.
        folder: The folder of the CSV.
        values: What stands in each column, without surrounding blanks.
    """

    where: str
    folder: Path
    values: Mapping[str, str]

    def need(self, column: str) -> str:
        """Return what stands in a column that may not be empty.

        Raises:
            DataError: If it is.
        """
        return self.values[column] or self.refuse(column, "is empty")

    def read_seconds(self, column: str) -> float | None:
        """Return a time in seconds, or None where nothing stands.

        Raises:
            DataError: If what stands there is no number from 0 on.
        """
        text = self.values.get(column, "")
        try:
            value = float(text) if text else None
        except ValueError:
            value = math.nan
        if value is not None and not 0 <= value < math.inf:
            self.refuse(column, f"is {text!r}; wanted seconds from 0 on")
        return value

    def read_path(self, column: str) -> Path | None:
        """Return a path below the folder of the CSV, or None where nothing stands."""
        text = self.values.get(column, "")
        return self.folder / text if text else None

    def refuse(self, column: str, why: str, *, hint: str = "") -> NoReturn:
        """Raise the error that names the line, the column and what is wrong with it."""
        raise DataError(f"{self.where}: {column} {why}", hint=hint)


def read_rows(path: Path, *, required: Sequence[str], known: Sequence[str]) -> list[Row]:
    """Read a CSV whose first line names its columns.

    Args:
        required: Columns that must be there.
        known: Columns that may be there.

    Raises:
        DataError: If the file cannot be read, has no rows, or its columns are not the wanted ones.
    """
    try:
        reader = csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""))
        lines = [(reader.line_num, line) for line in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a CSV ({error})") from None
    header = [name.strip() for name in lines[0][1]] if lines else []
    _check_columns(path, header, required=required, known=known)
    rows = []
    for number, line in lines[1:]:
        if not any(cell.strip() for cell in line):
            continue
        where = f"{path}, line {number}"
        if len(line) != len(header):
            raise DataError(f"{where}: {len(line)} values for {len(header)} columns", hint="quote values with commas")
        values = {name: cell.strip() for name, cell in zip(header, line, strict=True)}
        rows.append(Row(where, path.parent, values))
    if not rows:
        raise DataError(f"{path}: no rows below the names of the columns")
    return rows


def _check_columns(path: Path, header: Sequence[str], *, required: Sequence[str], known: Sequence[str]) -> None:
    if len(header) == 1 and ";" in header[0]:
        raise DataError(f"{path}: the columns are separated by ';'", hint="separate them by commas")
    for name in header:
        if name not in known:
            raise DataError(f"{path}: unknown column {name!r}", hint=nearest_name(name, known))
    missing = [name for name in required if name not in header]
    if missing:
        raise DataError(
            f"{path}: the column {missing[0]!r} is missing; found {shorten(header) or 'nothing'}",
            hint=f"the first line names the columns: {','.join(known)}",
        )
    if len(set(header)) != len(header):
        raise DataError(f"{path}: a column is named twice in {', '.join(header)}")


def refuse_missing(listing: Path, files: Sequence[Path]) -> None:
    """Refuse a list whose files are not all there.

    Raises:
        DataError: If one is missing; the message counts them and shows the first three.
    """
    missing = [file for file in files if not file.exists()]
    if missing:
        raise DataError(
            f"{listing}: {len(missing)} of {len(files)} files do not exist; looked for "
            f"{shorten(file.resolve() for file in missing)}",
            hint=f"paths that are not absolute start at {listing.parent.resolve()}",
        )


def refuse_half_split(listing: Path, recordings: Sequence[Recording]) -> None:
    """Refuse a list that names the split of some recordings only.

    Raises:
        DataError: If it does.
    """
    without = sum(not recording.split for recording in recordings)
    if 0 < without < len(recordings):
        raise DataError(
            f"{listing}: {without} of {len(recordings)} recordings name no split",
            hint="name one for each, or for none: then the splits are drawn",
        )


def _read_row(row: Row, classes: Sequence[str], *, stream: Stream, fps: float, depth: DepthFormat) -> Recording:
    split = row.values.get("split", "")
    if split and split.lower() not in SPLIT_SPELLINGS:
        row.refuse("split", f"is {split!r}", hint=nearest_name(split, SPLITS))
    start_s, end_s = row.read_seconds("start_s"), row.read_seconds("end_s")
    if end_s is not None and end_s <= (start_s or 0.0):
        row.refuse("end_s", f"is {end_s:g}, which is not after start_s ({start_s or 0.0:g})")
    path = row.folder / row.need("path")
    return Recording(
        path=path,
        label=classes.index(row.values["label"]),
        split=SPLIT_SPELLINGS[split.lower()] if split else "",
        subject=row.values.get("subject", ""),
        start_s=start_s,
        end_s=end_s,
        depth_path=row.read_path("depth_path"),
        depth=depth,
        stream=stream,
        fps=fps if path.is_dir() else None,
    )


def _refuse_repeats(rows: Sequence[Row], recordings: Sequence[Recording]) -> None:
    first: dict[str, Row] = {}
    for row, recording in zip(rows, recordings, strict=True):
        if recording.key in first:
            row.refuse("path", f"names the same clip as {first[recording.key].where}")
        first[recording.key] = row
