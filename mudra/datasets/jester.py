"""Jester v1: 27 hand gestures before a laptop's camera, as folders of pictures (Materzynska et al. 2019).

    root/jester-v1-train.csv                34870;Drumming Fingers
    root/jester-v1-validation.csv           the same
    root/jester-v1-test.csv                 109621, without a label
    root/20bn-jester-v1/34870/00001.jpg     a folder per recording, a picture per frame, 12 of them a second

The folders of the recordings may also lie in `root` itself, and the lists beside that folder or anywhere else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from mudra.datasets.base import ReleaseConfig
from mudra.datasets.card import DatasetCard
from mudra.datasets.dataset import Dataset
from mudra.datasets.release import Line, Listed, OnMissing, keep_present, read_lines
from mudra.errors import DataError, nearest_name
from mudra.types import Recording, Stream

LISTS = {split: f"jester-v1-{split}.csv" for split in ("train", "validation", "test")}
FRAMES_FOLDER = "20bn-jester-v1"
FPS = 12.0

# In the order of jester-v1-labels.csv.
CLASSES = (
    "Swiping Left",
    "Swiping Right",
    "Swiping Down",
    "Swiping Up",
    "Pushing Hand Away",
    "Pulling Hand In",
    "Sliding Two Fingers Left",
    "Sliding Two Fingers Right",
    "Sliding Two Fingers Down",
    "Sliding Two Fingers Up",
    "Pushing Two Fingers Away",
    "Pulling Two Fingers In",
    "Rolling Hand Forward",
    "Rolling Hand Backward",
    "Turning Hand Clockwise",
    "Turning Hand Counterclockwise",
    "Zooming In With Full Hand",
    "Zooming Out With Full Hand",
    "Zooming In With Two Fingers",
    "Zooming Out With Two Fingers",
    "Thumb Up",
    "Thumb Down",
    "Shaking Hand",
    "Stop Sign",
    "Drumming Fingers",
    "No gesture",
    "Doing other things",
)
# The rest keep their name: hands roll about an axis that runs from left to right, and shaking goes both ways.
SWAPPED = {
    "Swiping Left": "Swiping Right",
    "Sliding Two Fingers Left": "Sliding Two Fingers Right",
    "Turning Hand Clockwise": "Turning Hand Counterclockwise",
}

CARD = DatasetCard(
    name="jester",
    title="20BN-Jester v1: human gestures",
    classes=CLASSES,
    streams=(Stream.RGB,),
    fps=FPS,
    frame_size=None,
    licence="research use, under terms that are accepted at the download",
    url="https://developer.qualcomm.com/software/ai-datasets/jester",
    citation=(
        "Materzynska, Berger, Bax, Memisevic: The Jester Dataset: A Large-Scale Video Dataset of Human Gestures. "
        "ICCV Workshops, 2019"
    ),
    metric="top1",
    mirror={name: name for name in CLASSES} | SWAPPED | {right: left for left, right in SWAPPED.items()},
    counts={"train": 118562, "validation": 14787, "test": 14743},
    # The lists do not say who is in which recording.
    subjects_disjoint=False,
    remarks=(
        "Pictures are 100 pixels high and of different widths.",
        "The labels of the test split were never published; papers compare on validation.",
    ),
)


class JesterConfig(ReleaseConfig):
    """Jester v1: hand gestures in colour, 27 classes."""

    kind: Literal["jester"] = "jester"

    lists: Path | None = None
    """Folder of the official CSVs; None: they lie in `root`, or beside it."""

    def build(self) -> Dataset:
        """Read the lists; the recordings' folders must exist, but none is looked into."""
        return read_jester(self.root, lists=self.lists, on_missing=self.on_missing)


def read_jester(root: Path | str, *, lists: Path | str | None = None, on_missing: OnMissing = "refuse") -> Dataset:
    """Read the recordings below `root`; the arguments are those of `JesterConfig`.

    Recordings of a list without labels have none: they can be predicted, not scored.

    Raises:
        DataError: If no list is found, a line is of another form, or recordings are missing (see `keep_present`).
    """
    root = Path(root)
    places = list_places(root) if lists is None else (Path(lists),)
    place = next((place for place in places if holds_lists(place)), None)
    if place is None:
        looked_for = ", ".join(str(place / name) for place in places for name in LISTS.values())
        raise DataError(
            f"{root}: no list of Jester; looked for {looked_for}",
            hint=f"name their folder, data.lists=FOLDER; where to get them: {CARD.url}",
        )
    frames = root if _holds_recordings(root) else root / FRAMES_FOLDER
    listings = {split: place / name for split, name in LISTS.items() if (place / name).is_file()}
    listed = [Listed(listing, split, _read_list(listing, split, frames)) for split, listing in listings.items()]
    # One look at the folder instead of a question for each of 148,092 names.
    there = {entry.name for entry in frames.iterdir()} if frames.is_dir() else set()
    present = keep_present(
        listed,
        on_missing=on_missing,
        url=CARD.url,
        find_missing=lambda recording: None if recording.path.name in there else recording.path,
    )
    return Dataset(
        card=CARD,
        recordings=present.recordings,
        root=root,
        looked_for={split: (f"folders {frames}/<id> of {place / name}",) for split, name in LISTS.items()},
        notes=present.left_out,
        left_out=present.left_out,
    )


def list_places(root: Path) -> tuple[Path, ...]:
    """Return the folders in which the lists are looked for."""
    return (root, root.parent) if root.name == FRAMES_FOLDER else (root,)


def holds_lists(folder: Path) -> bool:
    """Say whether one of the official lists lies in a folder."""
    return any((folder / name).is_file() for name in LISTS.values())


def _holds_recordings(folder: Path) -> bool:
    # Their names are numbers; one that lies beside the folder of recordings by chance does not count.
    inside = not (folder / FRAMES_FOLDER).is_dir() and folder.is_dir()
    return inside and any(entry.name.isdecimal() for entry in folder.iterdir())


def _read_list(listing: Path, split: str, frames: Path) -> tuple[Recording, ...]:
    lines = read_lines(listing, form="id[;label]" if split == "test" else "id;label", separator=";")
    return tuple(_read_line(line, frames, split) for line in lines)


def _read_line(line: Line, frames: Path, split: str) -> Recording:
    name, *label = line.words
    if label and label[0] not in CLASSES:
        line.refuse(f"label is {label[0]!r}", hint=nearest_name(label[0], CLASSES))
    return Recording(path=frames / name, label=CLASSES.index(label[0]) if label else None, split=split, fps=FPS)
