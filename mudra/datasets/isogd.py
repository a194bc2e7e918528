"""IsoGD: single gestures of 249 classes in colour and depth (Wan et al. 2016).

    root/train_list.txt                     train/001/M_00001.avi train/001/K_00001.avi 26
    root/valid_list.txt, test_list.txt      the same without labels, as the release has them, or with
    root/train/001/M_00001.avi              colour
    root/train/001/K_00001.avi              depth as grey levels
    root/aligned_depth/train/001/K_00001.avi   the same moved onto the colour pixels, for a part of the recordings

Released depth is seen from its own camera, some pixels beside the colour; aligned depth is in place, and white where
nothing was measured.

The makers number the classes from 1 to 249 and do not name them; here the number is the name, and label 0 is class 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt

from mudra.datasets.base import ReleaseConfig
from mudra.datasets.card import DatasetCard
from mudra.datasets.dataset import Dataset, shorten
from mudra.datasets.isogd_split import split_by_distance, split_by_scene
from mudra.datasets.mirror import complete_mirror_pairs
from mudra.datasets.release import Line, Listed, OnMissing, find_missing, keep_present, read_lines
from mudra.errors import DataError
from mudra.types import DepthFormat, Recording, Stream

LISTS = {"train": "train_list.txt", "validation": "valid_list.txt", "test": "test_list.txt"}
CLASSES = tuple(str(number) for number in range(1, 250))
# Spread over the sensor's four metres, so that `clip.depth.kind=levels` with its own bounds gives back the levels.
DEPTH = DepthFormat(mm_per_level=4000 / 255, missing_level=0)
# Level 0, which is carried over from the released file, becomes 0 mm: not measured either.
ALIGNED_DEPTH = DepthFormat(mm_per_level=4000 / 255, missing_level=255)
ALIGNED_FOLDER = "aligned_depth"

IsogdDepth = Literal["released", "aligned"]
IsogdSplit = Literal["official", "distance", "scene"]

ALIGNED_REMARK = (
    "Aligned depth is JPEG pictures at a nominal 10 per second, one for each picture of colour, whose rate differs."
)
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

    depth: IsogdDepth = "released"
    """Depth as released, or `aligned` with the colour pixels; recordings without aligned depth are then left out, and
    counted."""
    split_by: IsogdSplit = "official"
    """The official splits; or a part of the training list validates, chosen by the `distance` of its file numbers, or
    as whole rooms by what its pictures look like (`scene`). See docs/datasets.md for what each keeps apart."""
    fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the training list that validates where the split is drawn."""
    gap: NonNegativeInt = 5
    """File numbers between training and validation that belong to neither, with `split_by=distance`."""
    mirror: dict[str, str | None] = Field(default_factory=dict)
    """Mirror partners, for example {'1': '1'}. None are known, which forbids mirroring until every class has one."""

    def build(self) -> Dataset:
        """Read the lists; colour and depth of a recording must exist. Nothing is decoded, but for `split_by=scene`."""
        return read_isogd(
            self.root,
            on_missing=self.on_missing,
            depth=self.depth,
            split_by=self.split_by,
            fraction=self.fraction,
            gap=self.gap,
            mirror=self.mirror,
        )


def read_isogd(
    root: Path | str,
    *,
    on_missing: OnMissing = "refuse",
    depth: IsogdDepth = "released",
    split_by: IsogdSplit = "official",
    fraction: float = 0.2,
    gap: int = 5,
    mirror: Mapping[str, str | None] | None = None,
) -> Dataset:
    """Read the recordings below `root`; the arguments are those of `IsogdConfig`.

    Recordings of a list without labels have none: they can be predicted, not scored.

    Raises:
        DataError: If no list is found, a line is of another form, recordings are missing (see `keep_present`), there is
            no aligned depth where it is wanted, or a drawn split would leave a part empty.
        VideoError: If a recording cannot be decoded that `split_by=scene` looks at.
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
    missing = find_missing if depth == "released" else _find_missing_colour
    present = keep_present(lists, on_missing=on_missing, url=CARD.url, find_missing=missing)
    recordings, left_out = present.recordings, present.left_out
    if depth == "aligned":
        recordings, counted = _align(recordings, root)
        left_out += counted
    notes = left_out + _count_unlabelled(recordings, listings)
    if split_by != "official":
        recordings, note = _draw_split(recordings, split_by=split_by, fraction=fraction, gap=gap)
        notes += (note,)
    return Dataset(
        card=_card(depth, split_by, mirror or {}),
        recordings=recordings,
        root=root,
        looked_for={split: (f"the recordings of {root / name}",) for split, name in LISTS.items()},
        notes=notes,
        left_out=left_out,
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


def _card(depth: IsogdDepth, split_by: IsogdSplit, mirror: Mapping[str, str | None]) -> DatasetCard:
    changes: dict[str, object] = {"mirror": complete_mirror_pairs(CLASSES, mirror)}
    if depth == "aligned":
        changes |= {"depth": ALIGNED_DEPTH, "counts": {}, "remarks": (*CARD.remarks, ALIGNED_REMARK)}
    if split_by != "official":
        changes |= {"subjects_disjoint": False, "counts": {}}
    return CARD.model_copy(update=changes)


def _find_missing_colour(recording: Recording) -> Path | None:
    return None if recording.path.exists() else recording.path


def _align(
    recordings: Mapping[str, tuple[Recording, ...]], root: Path
) -> tuple[dict[str, tuple[Recording, ...]], tuple[str, ...]]:
    """Return the recordings that have aligned depth, with it, and a sentence for each split that loses some."""
    folder = root / ALIGNED_FOLDER
    kept: dict[str, tuple[Recording, ...]] = {}
    left_out, looked_for = [], []
    for split, found in recordings.items():
        moved = [_with_aligned(recording, root) for recording in found]
        kept[split] = tuple(recording for recording in moved if find_missing(recording) is None)
        looked_for += [find_missing(recording) for recording in moved]
        if len(kept[split]) < len(found):
            num_lost = len(found) - len(kept[split])
            left_out.append(f"{folder}: {num_lost} of {len(found)} {split} recordings have no aligned depth")
    if not any(kept.values()):
        raise DataError(
            f"{folder}: no aligned depth of any recording; looked for {shorten(looked_for)}",
            hint="data.depth=released takes the depth files of the release",
        )
    return kept, tuple(left_out)


def _with_aligned(recording: Recording, root: Path) -> Recording:
    assert recording.depth_path is not None  # `_read_line` gives one to each
    aligned = root / ALIGNED_FOLDER / recording.depth_path.relative_to(root)
    return replace(recording, depth_path=aligned, depth=ALIGNED_DEPTH)


def _count_unlabelled(recordings: Mapping[str, tuple[Recording, ...]], listings: Mapping[str, Path]) -> tuple[str, ...]:
    return tuple(
        f"{listing} gives no labels: its recordings can be predicted, not scored"
        for split, listing in listings.items()
        if recordings[split] and all(recording.label is None for recording in recordings[split])
    )


def _draw_split(
    recordings: Mapping[str, tuple[Recording, ...]], *, split_by: IsogdSplit, fraction: float, gap: int
) -> tuple[dict[str, tuple[Recording, ...]], str]:
    """Return the recordings with a part of train as validation, and a sentence that says so."""
    if split_by == "distance":
        drawn = split_by_distance(recordings["train"], fraction=fraction, gap=gap)
    else:
        drawn = split_by_scene(recordings["train"], fraction=fraction)
    note = (
        f"split by {split_by}: {len(drawn.train)} recordings of the training list train, {len(drawn.validation)} "
        f"validate, {drawn.num_left_out} do neither; the official validation list is not used"
    )
    return {**recordings, "train": drawn.train, "validation": drawn.validation}, note
