"""The user's own streams: a CSV with one row for each thing that happens in a long recording.

    path,start_s,end_s,label,split,subject,depth_path
    evening.mp4,4.5,7.7,walk,train,anna,
    evening.mp4,7.7,10.1,sit,train,anna,
    empty_room.mp4,,,,train,,

The first four columns are needed. A path stands in as many rows as the stream has segments, with the same split,
subject and depth file in each; one without times and label says that the stream is known to hold nothing. Frames in no
segment are of the class "no gesture", unless the config says that nothing is known of them. Paths that are not absolute
start at the CSV's folder. Without a `split` in any row the splits are drawn, whole streams or subjects at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

from mudra.datasets.base import OwnClipsConfig
from mudra.datasets.card import DatasetCard
from mudra.datasets.dataset import SPLIT_SPELLINGS, SPLITS, Dataset, order_classes
from mudra.datasets.frame_labels import TOLERANCE_S
from mudra.datasets.mirror import complete_mirror_pairs
from mudra.datasets.split import FRACTIONS, SplitBy, divide
from mudra.datasets.table import Row, read_rows, refuse_half_split, refuse_missing
from mudra.errors import DataError, nearest_name
from mudra.types import DepthFormat, Recording, Segment, Stream

REQUIRED_COLUMNS = ("path", "start_s", "end_s", "label")
STREAM_COLUMNS = ("split", "subject", "depth_path")
COLUMNS = (*REQUIRED_COLUMNS, *STREAM_COLUMNS)
# That of events which were recognised: read back as segments they are as good as any.
PASSED_OVER = ("probability",)
IDLE_CLASS = "no gesture"


class SegmentsConfig(OwnClipsConfig):
    """A CSV of what happens in uncut streams, and when."""

    kind: Literal["segments"] = "segments"

    path: Path
    """The CSV."""
    idle_class: str | None = IDLE_CLASS
    """Class of the frames in no segment, which comes first if `classes` does not place it; None: they have no label."""

    def build(self) -> Dataset:
        """Read the CSV; the recordings must exist, but nothing is decoded."""
        return read_segments(
            self.path,
            idle_class=self.idle_class,
            classes=self.classes,
            split_by=self.split_by,
            fractions=self.fractions,
            seed=self.seed,
            stream=self.stream,
            fps=self.fps,
            depth=self.depth,
            mirror=self.mirror,
        )


def read_segments(
    path: Path | str,
    *,
    idle_class: str | None = IDLE_CLASS,
    classes: Sequence[str] | None = None,
    split_by: SplitBy = "subject",
    fractions: tuple[float, float, float] = FRACTIONS,
    seed: int = 0,
    stream: Stream = Stream.RGB,
    fps: float = 30.0,
    depth: DepthFormat | None = None,
    mirror: dict[str, str | None] | None = None,
) -> Dataset:
    """Read the streams that a CSV lists; the arguments are those of `SegmentsConfig`.

    Raises:
        DataError: If the CSV is missing or empty, has unknown or lacks needed columns, a row has no label, an unknown
            split or times that are no span, two segments of a stream overlap, rows of a stream contradict each other,
            a file does not exist, or a class is not in `classes`.
        ConfigError: If `fractions` or `mirror` cannot be used.
    """
    path = Path(path)
    rows = read_rows(path, required=REQUIRED_COLUMNS, known=(*COLUMNS, *PASSED_OVER))
    names = _name_classes(rows, classes, idle_class, where=str(path))
    depth = depth or DepthFormat()
    streams = group_rows(rows, "path")
    recordings = [_read_stream(found, names, stream=stream, fps=fps, depth=depth) for found in streams.values()]
    refuse_missing(path, [file for r in recordings for file in (r.path, r.depth_path) if file is not None])
    refuse_half_split(path, recordings)
    divided = divide(recordings, classes=names, root=path.parent, split_by=split_by, fractions=fractions, seed=seed)
    has_depth = stream is not Stream.DEPTH and all(recording.depth_path for recording in recordings)
    held = (stream, Stream.DEPTH) if has_depth else (stream,)
    idle_mirror: dict[str, str | None] = {} if idle_class is None else {idle_class: idle_class}
    card = DatasetCard(
        name=path.name,
        classes=names,
        streams=held,
        idle_class=idle_class,
        metric="mean_jaccard",
        mirror=complete_mirror_pairs(names, idle_mirror | (mirror or {})),
        subjects_disjoint=divided.subjects_disjoint,
        depth=depth if Stream.DEPTH in held else None,
    )
    looked_for = {split: (f"rows of {path} with split={split}",) for split in SPLITS}
    return Dataset(
        card=card, recordings=divided.recordings, root=path.parent, looked_for=looked_for, notes=divided.notes
    )


def is_segments_table(path: Path, *, one_each: bool = False) -> bool:
    """Say whether a CSV lists what happens in streams, and not clips, which may have the same columns.

    It does if every row gives a start and an end (or no label either), and a path stands in several rows. A list with
    whole files among its clips is none; one with a single span of each file is, if `one_each` says so.
    """
    try:
        rows = read_rows(path, required=REQUIRED_COLUMNS, known=(*COLUMNS, *PASSED_OVER))
        streams = group_rows(rows, "path")
    except DataError:
        return False
    has_spans = all(_is_empty(row) or (row.values["start_s"] and row.values["end_s"]) for row in rows)
    return has_spans and (one_each or len(streams) < len(rows) or any(map(_is_empty, rows)))


def group_rows(rows: Iterable[Row], column: str) -> dict[str, list[Row]]:
    """Return the rows by the path that stands in a column, in the order in which it first stands there.

    Raises:
        DataError: If it is empty in a row.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        # As a path, so that ./a.mp4 and a.mp4 are one.
        groups.setdefault(str(Path(row.need(column))), []).append(row)
    return groups


def read_segment(row: Row, classes: Sequence[str]) -> Segment:
    """Return the segment of one row.

    Raises:
        DataError: If a time is no number of seconds, the end does not come after the start, or the label is no class.
    """
    label = row.need("label")
    if label not in classes:
        row.refuse("label", f"is {label!r}", hint=nearest_name(label, classes))
    row.need("start_s")
    row.need("end_s")
    start_s, end_s = row.read_seconds("start_s") or 0.0, row.read_seconds("end_s") or 0.0
    if end_s <= start_s:
        row.refuse("end_s", f"is {end_s:g}, which is not after start_s ({start_s:g})")
    return Segment(classes.index(label), start_s, end_s)


def _name_classes(
    rows: Sequence[Row], classes: Sequence[str] | None, idle_class: str | None, *, where: str
) -> tuple[str, ...]:
    seen = [row.need("label") for row in rows if not _is_empty(row)]
    if classes is None:
        first = () if idle_class is None else (idle_class,)
        names = (*first, *(name for name in order_classes(seen, None, where=where) if name != idle_class))
    else:
        added = () if idle_class is None or idle_class in classes else (idle_class,)
        names = order_classes(seen, (*added, *classes), where=where)
    if not names:
        raise DataError(f"{where}: no row names a label, and there is no class of idle frames")
    return names


def _is_empty(row: Row) -> bool:
    """Whether a row says of a stream no more than that it exists."""
    return not any(row.values[name] for name in ("start_s", "end_s", "label"))


def _read_stream(
    rows: Sequence[Row], classes: Sequence[str], *, stream: Stream, fps: float, depth: DepthFormat
) -> Recording:
    first = rows[0]
    for row in rows[1:]:
        _refuse_contradiction(row, first)
    split = first.values.get("split", "")
    if split and split.lower() not in SPLIT_SPELLINGS:
        first.refuse("split", f"is {split!r}", hint=nearest_name(split, SPLITS))
    path = first.folder / first.need("path")
    return Recording(
        path=path,
        split=SPLIT_SPELLINGS[split.lower()] if split else "",
        subject=first.values.get("subject", ""),
        depth_path=first.read_path("depth_path"),
        depth=depth,
        stream=stream,
        fps=fps if path.is_dir() else None,
        segments=_read_stream_segments(rows, classes),
    )


def _refuse_contradiction(row: Row, first: Row) -> None:
    for name in STREAM_COLUMNS:
        value, before = row.values.get(name, ""), first.values.get(name, "")
        if value != before:
            row.refuse(
                name,
                f"is {value!r}, but {first.where} says {before!r} of the same stream",
                hint=f"write one {name} into every row of {first.values['path']}",
            )


def _read_stream_segments(rows: Sequence[Row], classes: Sequence[str]) -> tuple[Segment, ...]:
    found = [(read_segment(row, classes), row) for row in rows if not _is_empty(row)]
    found.sort(key=lambda pair: (pair[0].start_s, pair[0].end_s))
    for (before, row_before), (segment, row) in pairwise(found):
        if segment.start_s < before.end_s - TOLERANCE_S:
            row.refuse(
                "start_s",
                f"is {segment.start_s:g}, before the end of the segment of {row_before.where} "
                f"({before.start_s:g} to {before.end_s:g} s)",
                hint="a frame has one label: end the one where the other begins; a list of clips is data=table",
            )
    return tuple(segment for segment, _ in found)
