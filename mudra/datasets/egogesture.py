"""EgoGesture: 83 hand gestures seen from the performer's head, in colour and depth (Zhang et al. 2018).

    root/labels-final-revised1/subject01/Scene1/Group1.csv      class,start,end  a row per gesture, from 1 on
    root/Subject01/Scene1/Color/rgb1/000001.jpg                 a folder per video, 30 pictures a second
    root/Subject01/Scene1/Depth/depth1/000001.jpg               depth as grey levels

The folders of the subjects may also lie in `root/images`, or any folder in `root` whose name begins so. A row without
a start is passed over, as published code does. That code reads the frames start to end - 2, and so does this reader:
a span is half-open in seconds, picture 000001 is shown at 0 s.

`form=clips` gives a recording per gesture. `form=streams` gives a recording per video with its gestures as segments,
and a class "no gesture" after the 83 for the frames between them: within a video every gesture is labelled.

Fan et al. 2021 train on train and validation together for their numbers on the test split: `train_on_validation=true`.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field

from mudra.datasets.base import ReleaseConfig
from mudra.datasets.card import DatasetCard
from mudra.datasets.dataset import SPLITS, Dataset
from mudra.datasets.mirror import complete_mirror_pairs
from mudra.datasets.release import Line, Listed, OnMissing, keep_present
from mudra.errors import DataError
from mudra.types import DepthFormat, Recording, Segment, Stream
from mudra.video.listing import natural_key

LABELS_FOLDER = "labels-final-revised1"
GROUP = re.compile(r"subject(\d+)/scene(\d+)/group(\d+)\.csv", re.IGNORECASE)
FPS = 30.0
# In the order of the official numbers 1 to 83.
CLASSES = tuple(Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").split())
IDLE_CLASS = "no gesture"
# As for IsoGD, so that `clip.depth.kind=levels` gives back the levels of the file.
DEPTH = DepthFormat(mm_per_level=4000 / 255, missing_level=0)

# The official split by subject.
SUBJECTS = {
    "train": (
        3,
        4,
        5,
        6,
        8,
        10,
        15,
        16,
        17,
        20,
        21,
        22,
        23,
        25,
        26,
        27,
        30,
        32,
        36,
        38,
        39,
        40,
        *range(42, 47),
        48,
        49,
        50,
    ),
    "validation": (1, 7, 12, 13, 24, 29, 33, 34, 35, 37),
    "test": (2, 9, 11, 14, 18, 19, 28, 31, 41, 47),
}
SPLIT_OF = {subject: split for split, subjects in SUBJECTS.items() for subject in subjects}

CARD = DatasetCard(
    name="egogesture",
    title="EgoGesture",
    classes=CLASSES,
    streams=(Stream.RGB, Stream.DEPTH),
    fps=FPS,
    frame_size=(240, 320),
    licence="research use, after signing the makers' agreement",
    url="http://www.nlpr.ia.ac.cn/iva/yfzhang/datasets/egogesture.html",
    citation=(
        "Zhang, Cao, Cheng, Lu: EgoGesture: A New Dataset and Benchmark for Egocentric Hand Gesture Recognition. "
        "IEEE Transactions on Multimedia 20(5), 2018"
    ),
    metric="top1",
    counts={"train": 14416, "validation": 4768, "test": 4977},
    subjects_disjoint=True,
    depth=DEPTH,
    remarks=(
        "Depth is 8-bit grey levels of unknown unit in JPEG files; 0 is not measured, which is the background too: "
        "clip.target.missing=zero learns it as such. Millimetres are nominal, 15.69 for each level.",
        "Some signs have a sense of turning that their names do not tell, such as a check mark; published training "
        "does not mirror.",
    ),
)


class EgogestureConfig(ReleaseConfig):
    """EgoGesture: hand gestures seen from the head in colour and depth, 83 classes."""

    kind: Literal["egogesture"] = "egogesture"

    form: Literal["clips", "streams"] = "clips"
    """A recording per gesture, or uncut videos with the gestures as segments and a class "no gesture"."""
    train_on_validation: bool = False
    """Whether the validation split's recordings are trained on as well, which leaves that split empty."""
    labels: Path | None = None
    """Folder of the label files; None: `labels-final-revised1` in `root`."""
    mirror: dict[str, str | None] = Field(default_factory=dict)
    """Mirror partners that the class names do not tell, for example {Knock: Knock}; without, clips are not mirrored."""

    def build(self) -> Dataset:
        """Read the label files; the folders of pictures must exist, but none is looked into."""
        return read_egogesture(
            self.root,
            on_missing=self.on_missing,
            form=self.form,
            train_on_validation=self.train_on_validation,
            labels=self.labels,
            mirror=self.mirror,
        )


class _Group(NamedTuple):
    """One label file, and what it says."""

    subject: int
    scene: int
    number: int
    segments: tuple[Segment, ...]
    num_dropped: int


def read_egogesture(
    root: Path | str,
    *,
    on_missing: OnMissing = "refuse",
    form: Literal["clips", "streams"] = "clips",
    train_on_validation: bool = False,
    labels: Path | str | None = None,
    mirror: Mapping[str, str | None] | None = None,
) -> Dataset:
    """Read the recordings below `root`; the arguments are those of `EgogestureConfig`.

    Raises:
        DataError: If no label file is found, a row is of another form, a subject is in no split, or videos are missing
            (see `keep_present`).
        ConfigError: If `mirror` names no classes.
    """
    root = Path(root)
    folder = root / LABELS_FOLDER if labels is None else Path(labels)
    groups = [_read_group(listing, folder) for listing in _find_groups(folder)]
    if not groups:
        raise DataError(
            f"{root}: no labels of EgoGesture; looked for {folder / 'subject01' / 'Scene1' / 'Group1.csv'} and so on",
            hint=f"name their folder, data.labels=FOLDER; where to get them: {CARD.url}",
        )
    places = _find_images(root)
    found = [_to_recording(group, places.get(group.subject, root / f"Subject{group.subject:02d}")) for group in groups]
    lists = [Listed(folder, split, tuple(r for r in found if r.split == split)) for split in SPLITS]
    present = keep_present([listed for listed in lists if listed.recordings], on_missing=on_missing, url=CARD.url)
    num_dropped = sum(group.num_dropped for group in groups)
    dropped = [
        f"{folder}: {num_dropped} rows have no start, no end or no frame, and are passed over; "
        "in streams, their frames count as no gesture"
    ]
    streams = Dataset(
        card=_card(form, mirror or {}),
        recordings=present.recordings,
        root=root,
        looked_for={split: (f"subjects {_list_numbers(split)} of {folder}",) for split in SPLITS},
        notes=(*present.left_out, *(dropped if num_dropped else [])),
        left_out=present.left_out,
    )
    dataset = streams.cut_segments() if form == "clips" else streams
    return _join_validation(dataset) if train_on_validation else dataset


def is_egogesture(root: Path) -> bool:
    """Say whether `root` holds the folder of EgoGesture's label files."""
    return (root / LABELS_FOLDER).is_dir()


def _card(form: str, mirror: Mapping[str, str | None]) -> DatasetCard:
    pairs = complete_mirror_pairs(CLASSES, mirror)
    if form == "clips":
        return CARD.model_copy(update={"mirror": pairs})
    changes = {
        "classes": (*CLASSES, IDLE_CLASS),
        "idle_class": IDLE_CLASS,
        "mirror": {**pairs, IDLE_CLASS: IDLE_CLASS},
        "counts": {},
    }
    return CARD.model_copy(update=changes)


def _join_validation(dataset: Dataset) -> Dataset:
    """Return the set with the recordings of validation after those of train, and no validation split."""
    found, counts, looked_for = dataset.recordings, dataset.card.counts, dataset.looked_for
    moved = tuple(replace(recording, split="train") for recording in found.get("validation", ()))
    if counts:
        counts = {"train": counts["train"] + counts["validation"], "test": counts["test"]}
    note = (
        f"data.train_on_validation: the {len(moved)} recordings of validation are trained on, and that split is empty"
    )
    return replace(
        dataset,
        card=dataset.card.model_copy(update={"counts": counts}),
        recordings={**found, "train": (*found.get("train", ()), *moved), "validation": ()},
        looked_for={
            **looked_for,
            "train": (*looked_for["train"], *looked_for["validation"]),
            "validation": ("none, as data.train_on_validation trains on them",),
        },
        notes=(*dataset.notes, note),
    )


def _list_numbers(split: str) -> str:
    return ", ".join(map(str, SUBJECTS[split]))


def _find_groups(folder: Path) -> list[Path]:
    found = [path for path in folder.glob("*/*/*") if GROUP.fullmatch(path.relative_to(folder).as_posix())]
    return sorted(found, key=natural_key)


def _find_images(root: Path) -> dict[int, Path]:
    """Return the folder of each subject's pictures: the archives unpack into folders of several names."""
    places = [root, *sorted(root.glob("images*"))]
    found = [path for place in places if place.is_dir() for path in place.glob("[Ss]ubject*")]
    return {int(path.name[7:]): path for path in reversed(found) if path.name[7:].isdecimal() and path.is_dir()}


def _read_group(listing: Path, folder: Path) -> _Group:
    numbers = GROUP.fullmatch(listing.relative_to(folder).as_posix())
    assert numbers is not None  # `_find_groups` has found no other
    subject, scene, number = map(int, numbers.groups())
    if subject not in SPLIT_OF:
        raise DataError(f"{listing}: subject {subject} is in no official split; wanted 1 to {len(SPLIT_OF)}")
    try:
        rows = list(csv.reader(io.StringIO(listing.read_text(encoding="utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{listing}: cannot be read as a CSV ({error})") from None
    lines = [Line(f"{listing}, line {i}", tuple(map(str.strip, row))) for i, row in enumerate(rows, 1) if any(row)]
    segments = [_read_row(line) for line in lines]
    kept = sorted((segment for segment in segments if segment is not None), key=lambda segment: segment.start_s)
    return _Group(subject, scene, number, tuple(kept), len(lines) - len(kept))


def _read_row(line: Line) -> Segment | None:
    """Return the gesture of a row; None if it has no start or end, or no frame."""
    try:
        label, start, end = (float(word) if word else math.nan for word in line.words)
    except ValueError:
        line.refuse(f"holds {','.join(line.words)!r}; wanted class,start,end in numbers")
    if label not in range(1, len(CLASSES) + 1):
        line.refuse(f"class is {line.words[0]!r}; wanted a number from 1 to {len(CLASSES)}")
    if math.isnan(start) or math.isnan(end) or end - 1 <= start:
        return None
    if start < 1:
        line.refuse(f"start is {line.words[1]!r}; pictures count from 1")
    return Segment(int(label) - 1, (start - 1) / FPS, (end - 2) / FPS)


def _to_recording(group: _Group, images: Path) -> Recording:
    scene = images / f"Scene{group.scene}"
    return Recording(
        path=scene / "Color" / f"rgb{group.number}",
        depth_path=scene / "Depth" / f"depth{group.number}",
        split=SPLIT_OF[group.subject],
        subject=str(group.subject),
        depth=DEPTH,
        stream=Stream.RGB,
        fps=FPS,
        segments=group.segments,
    )
