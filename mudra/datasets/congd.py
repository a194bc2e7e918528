"""ConGD: several gestures one after the other, 249 classes, in colour and depth (Wan et al. 2016).

    root/train.txt                  001/00001 1,38:93 39,73:95 74,104:93
    root/valid.txt, test.txt        the same, or the names alone
    root/train/001/00001.M.avi      colour
    root/train/001/00001.K.avi      depth as grey levels

A word such as 39,73:95 says that frames 39 to 73, counted from 1 and both included, show class 95. In the released
validation list, gestures follow one another without a gap, and the first begins with frame 1.

Gestures are counted in frames and every file has a rate of its own, so that the headers of the colour files are read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field

from mudra.datasets.base import ReleaseConfig
from mudra.datasets.card import DatasetCard
from mudra.datasets.dataset import Dataset
from mudra.datasets.frame_times import FrameTimes, read_frame_times
from mudra.datasets.isogd import CLASSES, DEPTH
from mudra.datasets.mirror import complete_mirror_pairs
from mudra.datasets.release import Line, Listed, OnMissing, keep_present, read_lines
from mudra.errors import DataError
from mudra.types import Recording, Segment, Stream

LISTS = {"train": "train.txt", "validation": "valid.txt", "test": "test.txt"}
FOLDERS = {"train": "train", "validation": "valid", "test": "test"}
FORM = "001/00001 [1,38:93 39,73:95 ...]"
GESTURE = re.compile(r"(\d+),(\d+):(\d+)")
FPS = 10.0  # nominal: files differ by some hundredths

CARD = DatasetCard(
    name="congd",
    title="ChaLearn LAP ConGD: large-scale continuous RGB-D gestures",
    classes=CLASSES,
    streams=(Stream.RGB, Stream.DEPTH),
    fps=None,
    frame_size=(240, 320),
    licence="research use, after registration with the makers",
    url="http://www.cbsr.ia.ac.cn/users/jwan/database/congd.html",
    citation=(
        "Wan, Zhao, Zhou, Guyon, Escalera, Li: ChaLearn Looking at People RGB-D Isolated and Continuous Datasets for "
        "Gesture Recognition. CVPR Workshops, 2016"
    ),
    idle_class=None,
    metric="mean_jaccard",
    counts={"train": 14314, "validation": 4179, "test": 4042},
    subjects_disjoint=True,
    depth=DEPTH,
    remarks=(
        "Gestures follow one another without a gap; there is no class of frames without a gesture.",
        "The classes are those of IsoGD, which holds the same recordings cut into gestures.",
        "Depth is 8-bit grey levels of unknown unit: larger is further, 0 is not measured. Millimetres are nominal, "
        "15.69 for each level; distances of different recordings cannot be compared.",
        "Subjects are 17 in train, 2 in validation and 2 in test; no list says who is in which recording.",
    ),
)


class CongdConfig(ReleaseConfig):
    """ConGD: gestures one after the other in colour and depth, 249 classes."""

    kind: Literal["congd"] = "congd"

    mirror: dict[str, str | None] = Field(default_factory=dict)
    """Mirror partners, for example {'1': '1'}. None are known, which forbids mirroring until every class has one."""

    def build(self) -> Dataset:
        """Read the lists, and the headers of the colour files; nothing is decoded."""
        return read_congd(self.root, on_missing=self.on_missing, mirror=self.mirror)


def read_congd(
    root: Path | str, *, on_missing: OnMissing = "refuse", mirror: Mapping[str, str | None] | None = None
) -> Dataset:
    """Read the videos below `root`; the arguments are those of `CongdConfig`.

    Videos of a list without gestures have none: they can be predicted, not scored.

    Raises:
        DataError: If no list is found, a line is of another form, or videos are missing (see `keep_present`).
        ConfigError: If `mirror` names no classes.
    """
    root = Path(root)
    listings = {split: root / name for split, name in LISTS.items() if (root / name).is_file()}
    if not listings:
        raise DataError(
            f"{root}: no list of ConGD; looked for {', '.join(str(root / name) for name in LISTS.values())}",
            hint=f"where to get the videos: {CARD.url}",
        )
    found = {split: _read_list(listing, split) for split, listing in listings.items()}
    gestures = {video.recording.path: video.gestures for videos in found.values() for video in videos}
    lists = [Listed(listings[split], split, tuple(video.recording for video in found[split])) for split in found]
    present = keep_present(lists, on_missing=on_missing, url=CARD.url)
    times = read_frame_times((r.path for split in present.recordings.values() for r in split), nominal_fps=FPS)
    recordings = {
        split: tuple(_with_segments(r, gestures[r.path], times[r.path]) for r in there)
        for split, there in present.recordings.items()
    }
    unlabelled = tuple(
        f"{listing} gives no gestures: its videos can be predicted, not scored"
        for split, listing in listings.items()
        if recordings[split] and not any(r.is_labelled for r in recordings[split])
    )
    return Dataset(
        card=CARD.model_copy(update={"mirror": complete_mirror_pairs(CLASSES, mirror or {})}),
        recordings=recordings,
        root=root,
        looked_for={split: (f"the videos of {root / name}",) for split, name in LISTS.items()},
        notes=(*present.left_out, *unlabelled),
        left_out=present.left_out,
    )


def is_congd(root: Path) -> bool:
    """Say whether `root` holds one of ConGD's lists: text files of these names are found elsewhere too."""
    return any(_is_list(root / name) for name in LISTS.values())


def _is_list(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8-sig") as file:
            name, *gestures = file.readline().split() or [""]
    except (OSError, UnicodeDecodeError):
        return False
    return re.fullmatch(r"\d{3}/\d{5}", name) is not None and all(map(GESTURE.fullmatch, gestures))


class _Gesture(NamedTuple):
    """Frames are counted from 0 here; `end` is the frame after the last one."""

    label: int
    start: int
    end: int


class _Video(NamedTuple):
    recording: Recording
    gestures: tuple[_Gesture, ...] | None


def _read_list(listing: Path, split: str) -> tuple[_Video, ...]:
    folder = listing.parent / FOLDERS[split]
    return tuple(_read_line(line, folder, split) for line in read_lines(listing, form=FORM))


def _read_line(line: Line, folder: Path, split: str) -> _Video:
    name, *words = line.words
    recording = Recording(
        path=folder / f"{name}.M.avi",
        depth_path=folder / f"{name}.K.avi",
        split=split,
        depth=DEPTH,
        stream=Stream.RGB,
    )
    return _Video(recording, tuple(_read_gesture(line, word) for word in words) or None)


def _read_gesture(line: Line, word: str) -> _Gesture:
    match = GESTURE.fullmatch(word)
    if match is None:
        line.refuse(f"holds {word!r}; wanted begin,end:label such as 39,73:95")
    begin, end, number = map(int, match.groups())
    if str(number) not in CLASSES:
        line.refuse(f"label is {number}; wanted a number from 1 to {len(CLASSES)}")
    if not 1 <= begin <= end:
        line.refuse(f"frames {begin} to {end} are no span; frames count from 1, and the last is included")
    return _Gesture(number - 1, begin - 1, end)


def _with_segments(recording: Recording, gestures: tuple[_Gesture, ...] | None, times: FrameTimes) -> Recording:
    if gestures is None:
        return recording
    in_order = sorted(gestures, key=lambda gesture: gesture.start)
    segments = (Segment(label, times.start_s(start), times.start_s(end)) for label, start, end in in_order)
    return replace(recording, segments=tuple(segments))
