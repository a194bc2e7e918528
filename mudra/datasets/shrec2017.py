"""SHREC'17 Track: hand gestures seen by a depth camera, 14 classes, or 28 with the number of fingers.

A gesture is made with one finger or with the whole hand; the 28 classes tell these apart. Only the region of the hand
was kept, and the frame rate of a file is set so that it lasts as long as the gesture did.

    root/clips.csv                          path,split,gesture,gesture28,subject,finger,original_frames
    root/train/grab/s02_f1_e1.mkv           and so on; also validation/ and test/

A `clips.csv` inside a split's folder works too, and a list may name splits that are not on this disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from mudra.datasets.base import ReleaseConfig
from mudra.datasets.card import DatasetCard
from mudra.datasets.dataset import SPLITS, Dataset
from mudra.datasets.release import Listed, OnMissing, keep_present
from mudra.datasets.table import Row, read_rows
from mudra.errors import DataError, nearest_name
from mudra.types import DepthFormat, Recording, Stream

# In the order of the official numbers 1 to 14.
GESTURES = (
    "grab",
    "tap",
    "expand",
    "pinch",
    "rotation_cw",
    "rotation_ccw",
    "swipe_right",
    "swipe_left",
    "swipe_up",
    "swipe_down",
    "swipe_x",
    "swipe_plus",
    "swipe_v",
    "shake",
)
FINGERS = ("1 finger", "hand")
CLASSES_28 = tuple(f"{gesture} ({finger})" for gesture in GESTURES for finger in FINGERS)
# The rest keep their name: a cross, a plus or a V drawn from the other side is still one.
SWAPPED = {"swipe_left": "swipe_right", "rotation_cw": "rotation_ccw"}
COLUMNS = ("path", "split", "gesture", "gesture28", "subject", "finger", "original_frames")
DEPTH = DepthFormat(mm_per_level=5.0, missing_level=0)
LIST_NAME = "clips.csv"


def _card(classes: Sequence[str]) -> DatasetCard:
    swapped = SWAPPED | {right: left for left, right in SWAPPED.items()}
    mirror = {}
    for name in classes:
        gesture, space, finger = name.partition(" ")
        mirror[name] = swapped.get(gesture, gesture) + space + finger
    return DatasetCard(
        name="shrec2017",
        title="SHREC'17 Track: 3D Hand Gesture Recognition Using a Depth and Skeletal Dataset",
        classes=tuple(classes),
        streams=(Stream.DEPTH,),
        fps=None,
        frame_size=(180, 240),
        licence="research use",
        url="http://www-rech.telecom-lille.fr/shrec2017-hand/",
        citation=(
            "De Smedt, Wannous, Vandeborre, Guerry, Le Saux, Filliat: SHREC'17 Track: 3D Hand Gesture Recognition "
            "Using a Depth and Skeletal Dataset. Eurographics Workshop on 3D Object Retrieval, 2017"
        ),
        metric="top1",
        mirror=mirror,
        counts={"train": 1730, "validation": 230, "test": 840},
        subjects_disjoint=True,
        depth=DEPTH,
    )


CARD_14 = _card(GESTURES)
CARD_28 = _card(CLASSES_28)


class Shrec2017Config(ReleaseConfig):
    """SHREC'17 hand gestures: depth, 14 or 28 classes."""

    kind: Literal["shrec2017"] = "shrec2017"

    num_classes: Literal[14, 28] = 14
    """14 gestures, or 28 with the number of fingers."""
    held_out_subjects: tuple[int, ...] = ()
    """Validate on these subjects of the training split, which then lacks them, instead of on the validation split."""

    def build(self) -> Dataset:
        """Read the list; the recordings must exist, but nothing is decoded."""
        return read_shrec2017(
            self.root,
            on_missing=self.on_missing,
            num_classes=self.num_classes,
            held_out_subjects=self.held_out_subjects,
        )


def read_shrec2017(
    root: Path | str,
    *,
    on_missing: OnMissing = "refuse",
    num_classes: Literal[14, 28] = 14,
    held_out_subjects: tuple[int, ...] = (),
) -> Dataset:
    """Read the recordings below `root`; the arguments are those of `Shrec2017Config`.

    Raises:
        DataError: If no list is found, its columns or values are not those of the set, or recordings are missing (see
            `keep_present`).
    """
    root = Path(root)
    places = (root, *(root / split for split in SPLITS))
    listings = [place / LIST_NAME for place in places if (place / LIST_NAME).is_file()]
    if not listings:
        raise DataError(
            f"{root}: no {LIST_NAME}; looked for {', '.join(str(place / LIST_NAME) for place in places)}",
            hint=f"where to get the recordings: {CARD_14.url}",
        )
    lists = []
    for listing in listings:
        recordings = [_read_row(row, root, num_classes) for row in read_rows(listing, required=COLUMNS, known=COLUMNS)]
        by_split = ((split, tuple(r for r in recordings if r.split == split)) for split in SPLITS)
        lists += [Listed(listing, split, listed) for split, listed in by_split if listed]
    present = keep_present(lists, on_missing=on_missing, url=CARD_14.url)
    dataset = Dataset(
        card=CARD_14 if num_classes == 14 else CARD_28,
        recordings=present.recordings,
        root=root,
        looked_for={split: (str(root / split / "<gesture>" / "*"), *map(str, listings)) for split in SPLITS},
        notes=present.left_out,
        left_out=present.left_out,
    )
    return dataset.hold_out([str(subject) for subject in held_out_subjects])


def _read_row(row: Row, root: Path, num_classes: int) -> Recording:
    gesture, split = row.need("gesture"), row.need("split")
    if gesture not in GESTURES:
        row.refuse("gesture", f"is {gesture!r}", hint=nearest_name(gesture, GESTURES))
    if split not in SPLITS:
        row.refuse("split", f"is {split!r}", hint=nearest_name(split, SPLITS))
    if row.values["finger"] not in ("1", "2"):
        row.refuse("finger", f"is {row.values['finger']!r}; wanted 1 (one finger) or 2 (whole hand)")
    label = GESTURES.index(gesture)
    label28 = 2 * label + int(row.values["finger"]) - 1
    if row.values["gesture28"] != str(label28 + 1):
        row.refuse("gesture28", f"is {row.values['gesture28']!r}; {CLASSES_28[label28]!r} is number {label28 + 1}")
    # Paths start at the root, also in a list that lies in a split's folder; there they may start at that folder.
    below_list, below_root = row.folder / row.need("path"), root / row.need("path")
    return Recording(
        path=below_root if below_root.exists() else below_list,
        label=label if num_classes == 14 else label28,
        split=split,
        subject=row.need("subject"),
        depth=DEPTH,
        stream=Stream.DEPTH,
    )
