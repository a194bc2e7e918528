"""FIR: whole-body actions seen from the ceiling, uncut colour streams (FIR-Image-Action-Dataset, Zhang 2020).

    root/segments.csv                                   stream,start_s,end_s,label
    root/20200626_154313_mlx90640_01_light_none.mp4     and so on: date, time, sensor, scene, light, heat source

The set was made for a thermal array; what is read here are the films of the colour camera beside it. A frame in no
segment has no label: the room may be empty, or somebody does what the makers do not name.

The makers draw no splits. `TEST_STREAMS` are the last recordings of each of the three days on which the streams were
made: a rule that needs no look at pixels, labels or scores, and that puts whole recordings aside. The rest is for
training; by their names, all of it was made in scene 01, and one of the test streams in scene 02.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from mudra.datasets.base import ReleaseConfig
from mudra.datasets.card import DatasetCard
from mudra.datasets.dataset import SPLITS, Dataset
from mudra.datasets.release import Listed, OnMissing, keep_present
from mudra.datasets.segments_table import group_rows, read_segment
from mudra.datasets.table import Row, read_rows
from mudra.errors import DataError, nearest_name
from mudra.types import Recording, Stream

LIST_NAME = "segments.csv"
COLUMNS = ("stream", "start_s", "end_s", "label")
CLASSES = ("active", "falled", "falling", "lying", "sit", "sitdown", "sleeping", "stand", "standup", "walk")
TEST_STREAMS = (
    "20200626_175151_mlx90640_01_light_none.mp4",
    "20200627_212458_mlx90640_01_light_none.mp4",
    "20200628_222843_mlx90640_02_light_none.mp4",
)

CARD = DatasetCard(
    name="fir",
    title="FIR Image Action Dataset, colour camera",
    classes=CLASSES,
    streams=(Stream.RGB,),
    fps=12.5,
    frame_size=(120, 160),
    licence="none is stated by the makers",
    url="https://github.com/visiongo-kr/FIR-Image-Action-Dataset",
    citation="Zhang: FIR-Image-Action-Dataset. Visiongo, 2020",
    idle_class=None,
    metric="mean_jaccard",
    # Seen from above, nothing that people do has a side.
    mirror={name: name for name in CLASSES},
    subjects_disjoint=False,
    remarks=(
        "Frames in no segment have no label: nothing is known of them.",
        "Where two segments overlap, by a tenth of a second, the one that starts later has the frames.",
        "'falled' is lying after a fall, 'lying' is lying down, 'active' is moving about in one place.",
        "The makers draw no splits: test is the last stream of each day, validation is what the config names.",
    ),
)


class FirConfig(ReleaseConfig):
    """FIR: whole-body actions from above, uncut streams."""

    kind: Literal["fir"] = "fir"

    test_streams: tuple[str, ...] = TEST_STREAMS
    """File names, or patterns such as `20200628_*`, of the streams of the test split; `*` takes all."""
    validation_streams: tuple[str, ...] = ()
    """The same for the validation split; the rest is for training."""

    def build(self) -> Dataset:
        """Read the list; the streams must exist, but nothing is decoded."""
        return read_fir(
            self.root,
            on_missing=self.on_missing,
            test_streams=self.test_streams,
            validation_streams=self.validation_streams,
        )


def read_fir(
    root: Path | str,
    *,
    on_missing: OnMissing = "refuse",
    test_streams: Sequence[str] = TEST_STREAMS,
    validation_streams: Sequence[str] = (),
) -> Dataset:
    """Read the streams below `root`; the arguments are those of `FirConfig`.

    Raises:
        DataError: If the list is missing or not of this set, a named stream is not in it or is in two splits, or
            streams are missing (see `keep_present`).
    """
    root = Path(root)
    listing = root / LIST_NAME
    rows = group_rows(read_rows(listing, required=COLUMNS, known=COLUMNS), "stream")
    splits = _assign(rows, test_streams=test_streams, validation_streams=validation_streams, where=listing)
    recordings = [_read_stream(name, found, root, splits[name]) for name, found in sorted(rows.items())]
    lists = [Listed(listing, split, tuple(r for r in recordings if r.split == split)) for split in SPLITS]
    lists = [listed for listed in lists if listed.recordings]
    present = keep_present(lists, on_missing=on_missing, url=CARD.url)
    return Dataset(
        card=CARD,
        recordings=present.recordings,
        root=root,
        looked_for={split: (f"streams of {listing} that data.{split}_streams names",) for split in SPLITS[1:]},
        notes=present.left_out,
        left_out=present.left_out,
    )


def is_fir(path: Path) -> bool:
    """Say whether a file is FIR's list of segments, which names its columns otherwise than a user's own."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            return file.readline().strip().split(",") == list(COLUMNS)
    except (OSError, UnicodeDecodeError):
        return False


def _assign(
    names: Iterable[str], *, test_streams: Sequence[str], validation_streams: Sequence[str], where: Path
) -> dict[str, str]:
    splits = dict.fromkeys(names, "train")
    for split, patterns in (("test", test_streams), ("validation", validation_streams)):
        for pattern in patterns:
            found = [name for name in splits if fnmatchcase(name, pattern)]
            # The official names are no mistake where a part of the set is read; what the user names must be there.
            if not found and pattern not in TEST_STREAMS:
                raise DataError(f"{where}: no stream {pattern!r} for {split}", hint=nearest_name(pattern, splits))
            for name in found:
                if splits[name] not in ("train", split):
                    raise DataError(
                        f"{where}: {name} is in {splits[name]} and in {split}",
                        hint="name the test streams too, for example data.test_streams=[...]",
                    )
                splits[name] = split
    return splits


def _read_stream(name: str, rows: Sequence[Row], root: Path, split: str) -> Recording:
    segments = sorted((read_segment(row, CLASSES) for row in rows), key=lambda segment: segment.start_s)
    return Recording(path=root / name, split=split, segments=tuple(segments))
