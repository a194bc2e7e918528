"""UCF-101: 101 human actions in clips from the web (Soomro et al. 2012).

    root/UCF-101/Archery/v_Archery_g01_c03.avi      320x240, 25 or 30 frames a second
    root/ucfTrainTestlist/trainlist01.txt           Archery/v_Archery_g08_c01.avi 3
    root/ucfTrainTestlist/testlist01.txt            Archery/v_Archery_g01_c01.avi

There are three folds, each a list to train on and one to test on; papers report one of them or the mean of three. The
clips of a group (g01 to g25) are cut from one video or share their scene, and the makers keep groups together: here the
group is the subject. The folders of the classes may also lie in `root` itself, and so may the lists.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from mudra.datasets.base import ReleaseConfig
from mudra.datasets.card import DatasetCard
from mudra.datasets.dataset import Dataset, order_classes, refuse_bad_choice
from mudra.datasets.release import Line, Listed, OnMissing, keep_present, read_lines
from mudra.errors import DataError
from mudra.types import Recording, Stream

SPLITS = {"train": "trainlist", "test": "testlist"}
LISTS_FOLDER = "ucfTrainTestlist"
VIDEOS_FOLDER = "UCF-101"
CLIP = re.compile(r"v_\w+_g(\d+)_c\d+\.\w+")
# In the order of the official numbers 1 to 101.
CLASSES = tuple(Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").split())
# The 17 classes of Agethen and Hsu 2019, Table V, as its footnote names them.
# Differs: the footnote has "Shotgun", which is no class of this set; "Shotput" is the one in its place of the alphabet.
AGETHEN2019 = (
    "ApplyEyeMakeup",
    "BlowDryHair",
    "BoxingPunchingBag",
    "FloorGymnastics",
    "HandstandPushups",
    "HorseRace",
    "JumpRope",
    "Lunges",
    "MilitaryParade",
    "PlayingCello",
    "PlayingPiano",
    "PlayingTabla",
    "PushUps",
    "Rafting",
    "Shotput",
    "Skiing",
    "WalkingWithDog",
)

Fold = Literal[1, 2, 3]
ClassChoice = tuple[str, ...] | Literal["all", "agethen2019"]

CARD = DatasetCard(
    name="ucf101",
    title="UCF101: a dataset of 101 human action classes from videos in the wild",
    classes=CLASSES,
    streams=(Stream.RGB,),
    fps=None,
    frame_size=(240, 320),
    licence="none stated; the clips are cut from videos of the web",
    url="https://www.crcv.ucf.edu/data/UCF101.php",
    citation=(
        "Soomro, Zamir, Shah: UCF101: A Dataset of 101 Human Actions Classes From Videos in The Wild. "
        "CRCV-TR-12-01, 2012"
    ),
    metric="top1",
    # No class is another one's mirror image: who plays the violin left-handed still plays the violin.
    mirror={name: name for name in CLASSES},
    counts={"train": 9537, "test": 3783},
    subjects_disjoint=True,
    remarks=(
        "The subject is the group: clips cut from one video or of one scene. Counts are those of the first fold.",
    ),
)
COUNTS = {1: CARD.counts, 2: {"train": 9586, "test": 3734}, 3: {"train": 9624, "test": 3696}}


class Ucf101Config(ReleaseConfig):
    """UCF-101: human actions in colour, 101 classes, or some of them."""

    kind: Literal["ucf101"] = "ucf101"

    fold: Fold = 1
    """Which of the three pairs of lists."""
    classes: ClassChoice = "all"
    """All 101, the 17 of `agethen2019`, or a list of names, in the order of their labels."""
    held_out_groups: tuple[int, ...] = ()
    """Validate on these groups of the training list, which then lacks them: the release has no validation split."""
    lists: Path | None = None
    """Folder of the official lists; None: they lie in `root`, in `ucfTrainTestlist`, or beside `UCF-101`."""

    def build(self) -> Dataset:
        """Read the lists; the clips must exist, but nothing is decoded."""
        return read_ucf101(
            self.root,
            on_missing=self.on_missing,
            fold=self.fold,
            classes=self.classes,
            held_out_groups=self.held_out_groups,
            lists=self.lists,
        )


def read_ucf101(
    root: Path | str,
    *,
    on_missing: OnMissing = "refuse",
    fold: Fold = 1,
    classes: ClassChoice = "all",
    held_out_groups: tuple[int, ...] = (),
    lists: Path | str | None = None,
) -> Dataset:
    """Read the clips below `root`; the arguments are those of `Ucf101Config`.

    Raises:
        DataError: If no list is found, a line is of another form, a class is none of the 101, clips are missing (see
            `keep_present`), or a group that is held out is not in the training list.
    """
    root = Path(root)
    names = {split: f"{stem}{fold:02d}.txt" for split, stem in SPLITS.items()}
    places = list_places(root) if lists is None else (Path(lists),)
    place = next((place for place in places if any((place / name).is_file() for name in names.values())), None)
    if place is None:
        looked_for = ", ".join(str(place / name) for place in places for name in names.values())
        raise DataError(
            f"{root}: no list of UCF-101; looked for {looked_for}",
            hint=f"name their folder, data.lists=FOLDER; where to get them: {CARD.url}",
        )
    chosen = choose_classes(classes)
    videos = root / VIDEOS_FOLDER if (root / VIDEOS_FOLDER).is_dir() else root
    listings = {split: place / name for split, name in names.items() if (place / name).is_file()}
    listed = [Listed(path, split, _read_list(path, split, videos, chosen)) for split, path in listings.items()]
    present = keep_present(listed, on_missing=on_missing, url=CARD.url)
    counts = COUNTS[fold] if chosen == CLASSES else {}
    mirror = {name: name for name in chosen}
    dataset = Dataset(
        card=CARD.model_copy(update={"classes": chosen, "mirror": mirror, "counts": counts}),
        recordings=present.recordings,
        root=root,
        looked_for={split: (f"the clips of {place / name} below {videos}",) for split, name in names.items()},
        notes=present.left_out,
        left_out=present.left_out,
    )
    return dataset.hold_out([f"g{group:02d}" for group in held_out_groups])


def list_places(root: Path) -> tuple[Path, ...]:
    """Return the folders in which the lists are looked for."""
    beside = (root.parent, root.parent / LISTS_FOLDER) if root.name == VIDEOS_FOLDER else ()
    return (root, root / LISTS_FOLDER, *beside)


def is_ucf101(root: Path) -> bool:
    """Say whether lists of UCF-101 belong to `root`: text files of these names are found elsewhere too."""
    names = [f"{stem}{fold:02d}.txt" for stem in SPLITS.values() for fold in COUNTS]
    return any(_is_list(place / name) for place in list_places(root) for name in names)


def choose_classes(classes: ClassChoice) -> tuple[str, ...]:
    """Return the names of the chosen classes.

    Raises:
        DataError: If one is no class of the set or named twice, or none is named.
    """
    if classes == "all":
        return CLASSES
    if classes == "agethen2019":
        return AGETHEN2019
    refuse_bad_choice(classes, where="data.classes")
    order_classes(classes, CLASSES, where="data.classes")
    return tuple(classes)


def _is_list(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8-sig") as file:
            first = file.readline().split()
    except (OSError, UnicodeDecodeError):
        return False
    return bool(first) and CLIP.fullmatch(first[0].rpartition("/")[2]) is not None


def _read_list(listing: Path, split: str, videos: Path, chosen: Sequence[str]) -> tuple[Recording, ...]:
    form = "Archery/v_Archery_g08_c01.avi 3" if split == "train" else "Archery/v_Archery_g01_c01.avi [3]"
    found = [_read_line(line, split, videos, chosen) for line in read_lines(listing, form=form)]
    return tuple(recording for recording in found if recording is not None)


def _read_line(line: Line, split: str, videos: Path, chosen: Sequence[str]) -> Recording | None:
    """Return the clip of a line; None if its class is not chosen."""
    path, *number = line.words
    # The folder tells the class: files of HandstandPushups are spelt v_HandStandPushups.
    name, _, file = path.rpartition("/")
    clip = CLIP.fullmatch(file)
    if name not in CLASSES or clip is None:
        line.refuse(f"names {path!r}; wanted a clip of a known class, for example Archery/v_Archery_g08_c01.avi")
    if number and number[0] != str(CLASSES.index(name) + 1):
        line.refuse(f"label is {number[0]!r}; {name} is number {CLASSES.index(name) + 1}")
    if name not in chosen:
        return None
    label = chosen.index(name)
    return Recording(path=videos / path, label=label, split=split, subject=f"g{int(clip[1]):02d}")
