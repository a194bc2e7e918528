"""IsoGD: single gestures of 249 classes in colour and depth (Wan et al. 2016).

    root/train_list.txt                     train/001/M_00001.avi train/001/K_00001.avi 26
    root/valid_list.txt, test_list.txt      the same without labels, as the release has them, or with
    root/train/001/M_00001.avi              colour
    root/train/001/K_00001.avi              depth as grey levels

The makers number the classes from 1 to 249 and do not name them; here the number is the name, and label 0 is class 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from mudra.datasets.base import ReleaseConfig
from mudra.datasets.card import DatasetCard
from mudra.datasets.dataset import Dataset
from mudra.datasets.mirror import complete_mirror_pairs
from mudra.datasets.release import Line, Listed, OnMissing, keep_present, read_lines
from mudra.errors import DataError
from mudra.types import DepthFormat, Recording, Stream

LISTS = {"train": "train_list.txt", "validation": "valid_list.txt", "test": "test_list.txt"}
CLASSES = tuple(str(number) for number in range(1, 250))
# Spread over the sensor's four metres, so that `clip.depth.kind=levels` with its own bounds gives back the levels.
DEPTH = DepthFormat(mm_per_level=4000 / 255, missing_level=0)

CARD = DatasetCard(
    name="isogd",
    title="ChaLearn LAP IsoGD: large-scale isolated RGB-D gestures",
    classes=CLASSES,
    streams=(Stream.RGB, Stream.DEPTH),
    fps=None,
    frame_size=(240, 320),
    licence="research use, after registration with the makers",
    url="http://www.cbsr.ia.ac.cn/users/jwan/database/isogd.html",
    citation=(
        "Wan, Zhao, Zhou, Guyon, Escalera, Li: ChaLearn Looking at People RGB-D Isolated and Continuous Datasets for "
        "Gesture Recognition. CVPR Workshops, 2016"
    ),
    metric="top1",
    counts={"train": 35878, "validation": 5784, "test": 6271},
    subjects_disjoint=True,
    depth=DEPTH,
    remarks=(
        "Depth is 8-bit grey levels of unknown unit: larger is further, 0 is not measured. Millimetres are nominal, "
        "15.69 for each level; distances of different recordings cannot be compared.",
        "Files last at about 10 frames per second; each has a rate of its own.",
        "Subjects are 17 in train, 2 in validation and 2 in test; no list says who is in which recording.",
    ),
)


class IsogdConfig(ReleaseConfig):
    """IsoGD: gestures in colour and depth, 249 classes."""

    kind: Literal["isogd"] = "isogd"

    mirror: dict[str, str | None] = Field(default_factory=dict)
    """Mirror partners, for example {'1': '1'}. None are known, which forbids mirroring until every class has one."""

    def build(self) -> Dataset:
        """Read the lists; colour and depth of a recording must exist, but nothing is decoded."""
        return read_isogd(self.root, on_missing=self.on_missing, mirror=self.mirror)


def read_isogd(
    root: Path | str, *, on_missing: OnMissing = "refuse", mirror: Mapping[str, str | None] | None = None
) -> Dataset:
    """Read the recordings below `root`; the arguments are those of `IsogdConfig`.

    Recordings of a list without labels have none: they can be predicted, not scored.

    Raises:
        DataError: If no list is found, a line is of another form, or recordings are missing (see `keep_present`).
        ConfigError: If `mirror` names no classes.
    """
    root = Path(root)
    listings = {split: root / name for split, name in LISTS.items() if (root / name).is_file()}
    if not listings:
        raise DataError(
            f"{root}: no list of IsoGD; looked for {', '.join(str(root / name) for name in LISTS.values())}",
            hint=f"where to get the recordings: {CARD.url}",
        )
    lists = [Listed(listing, split, _read_list(listing, split)) for split, listing in listings.items()]
    present = keep_present(lists, on_missing=on_missing, url=CARD.url)
    unlabelled = [
        f"{listing} gives no labels: its recordings can be predicted, not scored"
        for split, listing in listings.items()
        if present.recordings[split] and all(recording.label is None for recording in present.recordings[split])
    ]
    return Dataset(
        card=CARD.model_copy(update={"mirror": complete_mirror_pairs(CLASSES, mirror or {})}),
        recordings=present.recordings,
        root=root,
        looked_for={split: (f"the recordings of {root / name}",) for split, name in LISTS.items()},
        notes=(*present.left_out, *unlabelled),
        left_out=present.left_out,
    )


def is_isogd(root: Path) -> bool:
    """Say whether `root` holds one of IsoGD's lists: text files of these names are found elsewhere too."""
    return any(_is_list(root / name) for name in LISTS.values())


def _is_list(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8-sig") as file:
            words = file.readline().split()
    except (OSError, UnicodeDecodeError):
        return False
    return [Path(word).name[:2] for word in words[:2]] == ["M_", "K_"]


def _read_list(listing: Path, split: str) -> tuple[Recording, ...]:
    form = "train/001/M_00001.avi train/001/K_00001.avi 26" if split == "train" else "colour.avi depth.avi [label]"
    lines = read_lines(listing, form=form)
    return tuple(_read_line(line, listing.parent, split) for line in lines)


def _read_line(line: Line, root: Path, split: str) -> Recording:
    colour, depth, *label = line.words
    if label and label[0] not in CLASSES:
        line.refuse(f"label is {label[0]!r}; wanted a number from 1 to {len(CLASSES)}")
    return Recording(
        path=root / colour,
        depth_path=root / depth,
        label=int(label[0]) - 1 if label else None,
        split=split,
        depth=DEPTH,
        stream=Stream.RGB,
    )
