"""NVGesture: 25 gestures of a driver, seen by a depth and a colour camera (Molchanov et al. 2016).

    root/nvgesture_train_correct_cvpr2016_v2.lst    a line per recording: path:./Video_data/class_01/subject13_r0
    root/nvgesture_test_correct_cvpr2016_v2.lst       depth:sk_depth:80:160 color:sk_color:80:160 ... label:1
    root/Video_data/class_01/subject13_r0/sk_depth.avi      depth as grey levels, 30 frames a second
    root/Video_data/class_01/subject13_r0/sk_color.avi      colour from a camera beside it
    root/Video_data/class_01/subject13_r0/sk_wrapped.avi    colour warped onto the view of the depth camera

Lists that end in `_mini.lst`, of a part of the recordings, have the same form. Of each sensor a line tells the first
frame of the gesture, from 0 on, and the frame after its last one.

The two cameras see the scene from different places and have spans of their own, and a recording has one span. So one
file is chosen, by whose span the recording is cut: `depth`, `rgb`, or `wrapped`, which runs with the depth file. Depth
comes with colour where both have the same span; a line in which they differ gives colour alone.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import Field

from mudra.datasets.base import ReleaseConfig
from mudra.datasets.card import DatasetCard
from mudra.datasets.dataset import Dataset
from mudra.datasets.mirror import complete_mirror_pairs
from mudra.datasets.release import Line, Listed, OnMissing, Present, keep_present, read_lines
from mudra.errors import ConfigError, DataError
from mudra.types import DepthFormat, Recording, Stream

# The list of all recordings is preferred to that of a part.
LISTS = {
    split: tuple(f"nvgesture_{split}_correct_cvpr2016_v2{part}.lst" for part in ("", "_mini"))
    for split in ("train", "test")
}
FORM = (
    "path:./Video_data/class_01/subject13_r0 depth:sk_depth:80:160 "
    "[color:sk_color:80:160 duo_left:duo_left:93:186 label:1]"
)
TAKE = re.compile(r"subject(\d+)_r(\d+)")
FPS = 30.0
CLASSES = tuple(str(number) for number in range(1, 26))
# As for IsoGD, so that `clip.depth.kind=levels` gives back the levels of the file.
DEPTH = DepthFormat(mm_per_level=4000 / 255, missing_level=0)

NvgestureStream = Literal["depth", "rgb", "wrapped"]
NvgestureSplit = Literal["official", "repetition"]
# What the file is called, and which sensor's span it has.
FILES = {"depth": ("sk_depth", "depth"), "rgb": ("sk_color", "color"), "wrapped": ("sk_wrapped", "depth")}

CARD = DatasetCard(
    name="nvgesture",
    title="NVIDIA Dynamic Hand Gesture",
    classes=CLASSES,
    streams=(Stream.RGB, Stream.DEPTH),
    fps=FPS,
    frame_size=(240, 320),
    licence="research use, under the makers' terms",
    url="https://research.nvidia.com/publication/2016-06_online-detection-and-classification-dynamic-hand-gestures-recurrent-3d",
    citation=(
        "Molchanov, Yang, Gupta, Kim, Tyree, Kautz: Online Detection and Classification of Dynamic Hand Gestures with "
        "Recurrent 3D Convolutional Neural Networks. CVPR, 2016"
    ),
    metric="top1",
    counts={"train": 1050, "test": 482},
    subjects_disjoint=True,
    depth=DEPTH,
    remarks=(
        "The lists number the classes from 1 to 25 and do not name them; the number is the name.",
        "Depth is 8-bit grey levels of unknown unit; 0 is not measured, and that is most of a picture: all that is "
        "beyond the arm. clip.target.missing=zero learns it as background. Millimetres are nominal, 15.69 for each "
        "level.",
        "Colour as recorded is not aligned with depth, neither in place nor exactly in time; wrapped colour is in "
        "place.",
    ),
)


class NvgestureConfig(ReleaseConfig):
    """NVGesture: a driver's gestures in depth or colour, 25 classes."""

    kind: Literal["nvgesture"] = "nvgesture"

    stream: NvgestureStream = "depth"
    """Which file is read, and by whose span it is cut: `depth`, colour as recorded (`rgb`), or colour warped onto the
    depth view (`wrapped`). Both colours bring depth along."""
    split_by: NvgestureSplit = "official"
    """Whether the training list is all for training, or halved by `repetition`: of each class, the recordings of lower
    repetition numbers train and the others validate. The same people are then on both sides."""
    held_out_subjects: tuple[int, ...] = ()
    """Validate on these subjects of the training list, which then lacks them: the release has no validation split."""
    mirror: dict[str, str | None] = Field(default_factory=dict)
    """Mirror partners, for example {'1': '2'}. None are known, which forbids mirroring until every class has one."""

    def build(self) -> Dataset:
        """Read the lists; the chosen files must exist, but nothing is decoded."""
        return read_nvgesture(
            self.root,
            on_missing=self.on_missing,
            stream=self.stream,
            split_by=self.split_by,
            held_out_subjects=self.held_out_subjects,
            mirror=self.mirror,
        )


def read_nvgesture(
    root: Path | str,
    *,
    on_missing: OnMissing = "refuse",
    stream: NvgestureStream = "depth",
    split_by: NvgestureSplit = "official",
    held_out_subjects: tuple[int, ...] = (),
    mirror: Mapping[str, str | None] | None = None,
) -> Dataset:
    """Read the recordings below `root`; the arguments are those of `NvgestureConfig`.

    Raises:
        DataError: If no list is found, a line is of another form, recordings are missing (see `keep_present`), or a
            subject that is held out is not in the training list.
        ConfigError: If `mirror` names no classes, or subjects are held out of a set that is split by repetition.
    """
    root = Path(root)
    if held_out_subjects and split_by == "repetition":
        raise ConfigError(
            "held_out_subjects and split_by=repetition both make a validation split", hint="leave one of them out"
        )
    listings = find_lists(root)
    if not listings:
        places = ", ".join(str(root / name) for names in LISTS.values() for name in names)
        raise DataError(
            f"{root}: no list of NVGesture; looked for {places}",
            hint=f"where to get the recordings: {CARD.url}",
        )
    lists = [Listed(listing, split, _read_list(listing, split, stream)) for split, listing in listings.items()]
    present = keep_present(lists, on_missing=on_missing, url=CARD.url)
    recordings = dict(present.recordings)
    if split_by == "repetition":
        recordings["train"], recordings["validation"] = _halve_by_repetition(recordings["train"])
    dataset = Dataset(
        card=_card(stream, split_by, mirror or {}),
        recordings=recordings,
        root=root,
        looked_for={split: (f"the recordings of {root / names[0]}",) for split, names in LISTS.items()},
        notes=(*present.left_out, *_count_without_depth(present, stream)),
        left_out=present.left_out,
    )
    return dataset.hold_out([str(subject) for subject in held_out_subjects])


def find_lists(root: Path) -> dict[str, Path]:
    """Return the list of each split that lies in `root`."""
    found = {split: [root / name for name in names if (root / name).is_file()] for split, names in LISTS.items()}
    return {split: paths[0] for split, paths in found.items() if paths}


def _card(stream: NvgestureStream, split_by: NvgestureSplit, mirror: Mapping[str, str | None]) -> DatasetCard:
    changes: dict[str, object] = {"mirror": complete_mirror_pairs(CLASSES, mirror)}
    if stream == "depth":
        changes["streams"] = (Stream.DEPTH,)
    if split_by == "repetition":
        changes |= {"subjects_disjoint": False, "counts": {}}
    return CARD.model_copy(update=changes)


def _read_list(listing: Path, split: str, stream: NvgestureStream) -> tuple[Recording, ...]:
    return tuple(_read_line(line, listing.parent, split, stream) for line in read_lines(listing, form=FORM))


def _read_line(line: Line, root: Path, split: str, stream: NvgestureStream) -> Recording:
    values = dict(word.split(":", 1) for word in line.words if ":" in word)
    file, sensor = FILES[stream]
    for key in ("path", "label", "depth", sensor):
        if key not in values:
            line.refuse(f"has no {key}; wanted {FORM}")
    if values["label"] not in CLASSES:
        line.refuse(f"label is {values['label']!r}; wanted a number from 1 to {len(CLASSES)}")
    folder = root / values["path"]
    take = TAKE.fullmatch(folder.name)
    if take is None:
        line.refuse(f"path ends in {folder.name!r}; wanted subject<number>_r<number>")
    start, end = _read_span(line, sensor, values[sensor])
    has_depth = stream != "depth" and _read_span(line, "depth", values["depth"]) == (start, end)
    return Recording(
        path=folder / f"{file}.avi",
        label=int(values["label"]) - 1,
        split=split,
        subject=take[1],
        start_s=start / FPS,
        end_s=end / FPS,
        depth_path=folder / "sk_depth.avi" if has_depth else None,
        depth=DEPTH,
        stream=Stream.DEPTH if stream == "depth" else Stream.RGB,
    )


def _read_span(line: Line, sensor: str, value: str) -> tuple[int, int]:
    """Return the first frame and the one after the last."""
    words = value.split(":")
    if len(words) != 3 or not all(word.isdecimal() for word in words[1:]) or int(words[1]) >= int(words[2]):
        line.refuse(f"{sensor} is {value!r}; wanted file:begin:end, for example sk_depth:80:160")
    return int(words[1]), int(words[2])


def _halve_by_repetition(recordings: Sequence[Recording]) -> tuple[tuple[Recording, ...], tuple[Recording, ...]]:
    """Return what trains and what validates; of an odd number of a class, the larger part trains."""
    by_class: dict[int | None, list[Recording]] = defaultdict(list)
    for recording in sorted(recordings, key=_repetition_and_subject):
        by_class[recording.label].append(recording)
    held = {
        recording.path for same_class in by_class.values() for recording in same_class[(len(same_class) + 1) // 2 :]
    }
    train = tuple(recording for recording in recordings if recording.path not in held)
    return train, tuple(replace(r, split="validation") for r in recordings if r.path in held)


def _repetition_and_subject(recording: Recording) -> tuple[int, int]:
    take = TAKE.fullmatch(recording.path.parent.name)
    assert take is not None  # `_read_line` has refused any other
    return int(take[2]), int(take[1])


def _count_without_depth(present: Present, stream: NvgestureStream) -> list[str]:
    found = [recording for split in present.recordings.values() for recording in split]
    without = sum(recording.depth_path is None for recording in found)
    if stream == "depth" or not without:
        return []
    return [
        f"{without} of {len(found)} recordings come without depth: its span is another one than that of colour, "
        "and a recording has one span"
    ]
