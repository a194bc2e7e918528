"""Montalbano: Italian gestures in uncut recordings, the gesture track of ChaLearn 2014 (Escalera et al. 2014).

    root/Sample0001.zip         or root/Sample0001/, each with
        Sample0001_color.mp4        colour, 640x480, 20 frames per second
        Sample0001_depth.mp4        depth as grey levels; runs on colour alone do without
        Sample0001_data.csv         frames,frames per second,largest depth in millimetres, for data.depth_unit
        Sample0001_labels.csv       class,begin,end (see `montalbano_labels.py`); none: its gestures are not known
        Sample0001_skeleton.csv     where the person is (see `skeleton.py`)

Samples may lie in `root` or in its folders. Of an archive, these files are unpacked when it is first read, into
the cache folder or where the config says. The splits are those of Pigou et al. 2015: samples 1 to 600 for training,
601 to 700 for validation, 701 to 940 for testing. Sample 417 is damaged and belongs to none.

Class 0 is "no gesture", and a gesture's label is the number that the makers give it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from mudra.datasets.archive import unpack
from mudra.datasets.base import ReleaseConfig
from mudra.datasets.card import DatasetCard
from mudra.datasets.dataset import Dataset, shorten
from mudra.datasets.frame_times import FrameTimes, read_frame_times
from mudra.datasets.montalbano_labels import FACTS, LABELS, EndRule, LabelRow, read_label_rows, read_largest_depth_mm
from mudra.datasets.release import Listed, OnMissing, keep_present
from mudra.datasets.skeleton import read_skeleton_box
from mudra.errors import DataError
from mudra.types import DepthFormat, PixelBox, Recording, Segment, Stream

COLOUR, DEPTH_VIDEO, SKELETON = "_color.mp4", "_depth.mp4", "_skeleton.csv"
NUMBERS = {"train": range(1, 601), "validation": range(601, 701), "test": range(701, 941)}
DAMAGED = (417,)  # Pigou et al. leave it out too
SAMPLE = re.compile(r"Sample(\d{4})(\.zip)?", re.IGNORECASE)
FPS = 20.0
FRAME_SIZE = (480, 640)
CENTRE = PixelBox(0, 80, 480, 480)
BRIGHTEST = 255
# Spread over the sensor's four metres, so that `clip.depth.kind=levels` with its own bounds gives back the levels.
DEPTH = DepthFormat(mm_per_level=4000 / BRIGHTEST, missing_level=0)

# Numbers 1 to 20 of the challenge.
GESTURES = (
    "vattene",
    "vieniqui",
    "perfetto",
    "furbo",
    "cheduepalle",
    "chevuoi",
    "daccordo",
    "seipazzo",
    "combinato",
    "freganiente",
    "ok",
    "cosatifarei",
    "basta",
    "prendere",
    "noncenepiu",
    "fame",
    "tantotempo",
    "buonissimo",
    "messidaccordo",
    "sonostufo",
)
IDLE_CLASS = "no gesture"
CLASSES = (IDLE_CLASS, *GESTURES)

Crop = Literal["skeleton", "centre", "frame"]
DepthUnit = Literal["levels", "millimetres"]

CARD = DatasetCard(
    name="montalbano",
    title="ChaLearn Looking at People 2014, gesture recognition (Montalbano)",
    classes=CLASSES,
    streams=(Stream.RGB, Stream.DEPTH),
    fps=FPS,
    frame_size=FRAME_SIZE,
    licence="research use",
    url="https://chalearnlap.cvc.uab.es/dataset/13/description/",
    citation=(
        "Escalera, Baro, Gonzalez, Bautista, Madadi, Reyes, Ponce-Lopez, Escalante, Shotton, Guyon: ChaLearn Looking "
        "at People Challenge 2014: Dataset and Results. ECCV Workshops, 2014"
    ),
    idle_class=IDLE_CLASS,
    metric="mean_jaccard",
    # The gestures are made with either hand, and Pigou et al. 2015 mirror them without a change of label.
    mirror={name: name for name in CLASSES},
    counts={"train": 599, "validation": 100, "test": 240},
    subjects_disjoint=False,
    depth=DEPTH,
    remarks=(
        "Splits by number as in Pigou et al. 2015; the challenge's own validation split is samples 471 to 700.",
        "Depth is 8-bit grey levels. Millimetres are nominal, 15.69 for each, unless data.depth_unit=millimetres.",
        "27 people; the files do not say who is in which recording.",
    ),
)


class MontalbanoConfig(ReleaseConfig):
    """Montalbano: Italian gestures in uncut recordings, colour and depth, 20 classes and "no gesture"."""

    kind: Literal["montalbano"] = "montalbano"

    crop: Crop = "skeleton"
    """Which part of each frame matters: one square around the person's skeleton for a whole recording, the frame's
    `centre` of 480x480 pixels, or all of the `frame`."""
    depth_unit: DepthUnit = "levels"
    """What depth says: grey `levels` as they are stored, the brightest at nominal four metres, or `millimetres` by the
    largest depth of each sample."""
    end: EndRule = "exclusive"
    """Whether the third number of a label row is the frame after the gesture, or `inclusive` its last frame."""
    labels: Path | None = None
    """Folder of `_labels.csv` of samples that hold none, as those of the test split were published."""
    left_out: tuple[int, ...] = DAMAGED
    """Numbers of samples that belong to no split, because they are damaged."""
    unpack_to: Path | None = None
    """Folder that archives are unpacked into; None for the cache folder."""

    def build(self) -> Dataset:
        """Read labels, skeletons and the headers of the colour files; unpack archives that are not unpacked yet."""
        return read_montalbano(
            self.root,
            on_missing=self.on_missing,
            crop=self.crop,
            depth_unit=self.depth_unit,
            end=self.end,
            labels=self.labels,
            left_out=self.left_out,
            unpack_to=self.unpack_to,
        )


def read_montalbano(
    root: Path | str,
    *,
    on_missing: OnMissing = "refuse",
    crop: Crop = "skeleton",
    depth_unit: DepthUnit = "levels",
    end: EndRule = "exclusive",
    labels: Path | None = None,
    left_out: Sequence[int] = DAMAGED,
    unpack_to: Path | None = None,
) -> Dataset:
    """Read the samples below `root`; the arguments are those of `MontalbanoConfig`.

    Samples without labels have none: they can be predicted, not scored.

    Raises:
        DataError: If no sample is found, an archive cannot be unpacked, a sample lacks a file or holds one of another
            form, or samples are missing (see `keep_present`).
    """
    root = Path(root)
    places = find_samples(root)
    if not places:
        looked_for = ", ".join(str(root / name) for name in ("Sample0001.zip", "Sample0001/", "*/Sample0001.zip"))
        raise DataError(f"{root}: no sample of Montalbano; looked for {looked_for}", hint=f"get them: {CARD.url}")
    lists = [_list_split(root, split, places, left_out) for split in NUMBERS]
    present = keep_present(lists, on_missing=on_missing, url=CARD.url)
    samples = {
        r.path: _open_sample(r.path, labels, unpack_to, crop, depth_unit)
        for found in present.recordings.values()
        for r in found
    }
    times = read_frame_times((sample.file(COLOUR) for sample in samples.values()), nominal_fps=FPS)
    recordings = {
        split: tuple(
            _read_sample(samples[r.path], times[samples[r.path].file(COLOUR)], split, crop, depth_unit, end)
            for r in found
        )
        for split, found in present.recordings.items()
    }
    return Dataset(
        card=CARD,
        recordings=recordings,
        root=root,
        looked_for={split: (f"samples {numbers[0]} to {numbers[-1]} in {root}",) for split, numbers in NUMBERS.items()},
        notes=(*present.left_out, *_tell_what_lacks(recordings, crop)),
        left_out=present.left_out,
    )


def find_samples(root: Path) -> dict[int, Path]:
    """Return the archive or folder of each sample that lies in `root` or in a folder of it, by number."""
    if not root.is_dir():
        return {}
    inner = (entry for entry in sorted(root.iterdir()) if entry.is_dir() and not SAMPLE.fullmatch(entry.name))
    found: dict[int, Path] = {}
    for place in (root, *inner):
        for entry in sorted(place.iterdir()):
            match = SAMPLE.fullmatch(entry.name)
            # A folder sorts before its archive and is the quicker one to read.
            if match and entry.is_dir() == (match[2] is None):
                found.setdefault(int(match[1]), entry)
    return dict(sorted(found.items()))


def _list_split(root: Path, split: str, places: dict[int, Path], left_out: Sequence[int]) -> Listed:
    numbers = [number for number in NUMBERS[split] if number not in left_out]
    paths = [places.get(number, root / f"Sample{number:04d}.zip") for number in numbers]
    return Listed(root, split, tuple(Recording(path=path, split=split) for path in paths))


class _Sample(NamedTuple):
    """Where the files of one sample lie."""

    folder: Path
    name: str
    labels: Path | None

    def file(self, ending: str) -> Path:
        return self.folder / f"{self.name}{ending}"


def _open_sample(
    place: Path, labels: Path | None, unpack_to: Path | None, crop: Crop, depth_unit: DepthUnit
) -> _Sample:
    needed = [COLOUR]
    if depth_unit == "millimetres":
        needed += [DEPTH_VIDEO, FACTS]
    if crop == "skeleton":
        needed.append(SKELETON)
    folder = place if place.is_dir() else unpack(place, (*needed, DEPTH_VIDEO, LABELS), into=unpack_to)
    sample = _Sample(folder, place.stem, None)
    missing = [ending for ending in needed if not sample.file(ending).is_file()]
    if missing:
        raise DataError(
            f"{place}: holds no {sample.name}{missing[0]}",
            hint=f"copy it again, or go on without it: data.left_out=[..., {int(sample.name[-4:])}]",
        )
    known = (sample.file(LABELS), *(() if labels is None else (labels / f"{sample.name}{LABELS}",)))
    return sample._replace(labels=next((path for path in known if path.is_file()), None))


def _read_sample(
    sample: _Sample, times: FrameTimes, split: str, crop: Crop, depth_unit: DepthUnit, end: EndRule
) -> Recording:
    depth = DEPTH
    if depth_unit == "millimetres":
        depth = replace(DEPTH, mm_per_level=read_largest_depth_mm(sample.file(FACTS)) / BRIGHTEST)
    boxes = {"frame": None, "centre": CENTRE}
    box = boxes[crop] if crop in boxes else read_skeleton_box(sample.file(SKELETON), frame_size=FRAME_SIZE)
    segments = None
    if sample.labels is not None:
        rows = sorted(read_label_rows(sample.labels, end=end), key=lambda row: row.start_frame)
        segments = tuple(_to_segment(row, times) for row in rows)
    return Recording(
        path=sample.file(COLOUR),
        depth_path=sample.file(DEPTH_VIDEO) if sample.file(DEPTH_VIDEO).is_file() else None,
        split=split,
        depth=depth,
        stream=Stream.RGB,
        segments=segments,
        box=box,
    )


def _to_segment(row: LabelRow, times: FrameTimes) -> Segment:
    return Segment(row.label + 1, times.start_s(row.start_frame), times.start_s(row.end_frame))


def _tell_what_lacks(recordings: dict[str, tuple[Recording, ...]], crop: Crop) -> list[str]:
    notes = []
    everything = [recording for found in recordings.values() for recording in found]
    unlabelled = [r.path.name for r in everything if not r.is_labelled]
    if unlabelled:
        notes.append(
            f"{len(unlabelled)} samples have no labels and can be predicted, not scored: {shorten(unlabelled)}; "
            "name the folder of their files, data.labels=FOLDER"
        )
    colour_alone = [r.path.name for r in everything if r.depth_path is None]
    if colour_alone:
        notes.append(f"{len(colour_alone)} samples have no depth, and serve colour alone: {shorten(colour_alone)}")
    whole = [r.path.name for r in everything if r.box is None]
    if crop == "skeleton" and whole:
        notes.append(f"{len(whole)} samples show no skeleton: their whole frames are used: {shorten(whole)}")
    return notes
