"""Sports-1M: sports videos of YouTube, 487 classes (Karpathy et al. 2014).

    root/labels.txt                         a class per line, from number 0 on
    root/original/train_partition.txt       https://www.youtube.com/watch?v=UDqivjS-lpI 168,169
    root/original/test_partition.txt        the same
    root/videos/UDqivjS-lpI.mp4             named by the video's id, with any ending, in any folder below

The release is a list of addresses; who fetches the videos finds that many are gone. So missing ones are the rule, and
`on_missing=skip` the usual setting; how many they are is kept in a run's card.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from mudra.datasets.base import ReleaseConfig
from mudra.datasets.card import DatasetCard
from mudra.datasets.dataset import Dataset, order_classes, refuse_bad_choice, shorten
from mudra.datasets.release import Line, Listed, OnMissing, keep_present, read_lines
from mudra.errors import DataError
from mudra.types import Recording, Stream
from mudra.video.listing import is_video

LABELS = "labels.txt"
LISTS = {split: f"original/{split}_partition.txt" for split in ("train", "test")}
VIDEOS_FOLDER = "videos"
URL = re.compile(r"https?://(?:www\.)?youtube\.com/watch\?v=([\w-]+)")
# The 20 classes of Agethen and Hsu 2019, section IV-A, spelt as in labels.txt ("skittles" and "sprint" there).
AGETHEN2019 = (
    "rafting",
    "skittles (sport)",
    "test cricket",
    "shidokan",
    "pitch and putt",
    "dirt track racing",
    "freestyle skiing",
    "street football",
    "sprint (running)",
    "motorcycle speedway",
    "trial",
    "dressage",
    "surf fishing",
    "juggling club",
    "soft tennis",
    "sailing",
    "road racing",
    "jetsprint",
    "gatka",
    "enduro",
)

ClassChoice = tuple[str, ...] | Literal["all", "agethen2019"]
SeveralLabels = Literal["first", "leave_out"]
OnLeak = Literal["refuse", "skip"]

CARD = DatasetCard(
    name="sports1m",
    title="The YouTube Sports-1M Dataset",
    classes=AGETHEN2019,
    streams=(Stream.RGB,),
    fps=None,
    frame_size=None,
    licence="the lists: CC BY 3.0; the videos: their owners'",
    url="https://github.com/gtoderici/sports-1m-dataset",
    citation=(
        "Karpathy, Toderici, Shetty, Leung, Sukthankar, Fei-Fei: Large-scale Video Classification with Convolutional "
        "Neural Networks. CVPR, 2014"
    ),
    metric="top1",
    # No sport is another one's mirror image.
    mirror={name: name for name in AGETHEN2019},
    # The lists do not say what was filmed by whom.
    subjects_disjoint=False,
    remarks=(
        "Labels were given by a program from what is written beside the videos, not by looking at them.",
        "Some videos have several labels; here each has one.",
    ),
)


class Sports1mConfig(ReleaseConfig):
    """Sports-1M: sports in colour, 487 classes, or some of them."""

    kind: Literal["sports1m"] = "sports1m"

    classes: ClassChoice = "all"
    """All of labels.txt, the 20 of `agethen2019`, or a list of names, in the order of their labels."""
    several_labels: SeveralLabels = "first"
    """What becomes of a video with several labels among the chosen classes: the `first` counts, or it is left out."""
    on_leak: OnLeak = "refuse"
    """What is done about videos that the list to train on and the one to test on both name: `refuse` the set, or `skip`
    them in training."""
    videos: Path | None = None
    """Folder of the videos; None: `videos` in `root`."""

    def build(self) -> Dataset:
        """Read the lists and look which videos are there; nothing is decoded."""
        return read_sports1m(
            self.root,
            on_missing=self.on_missing,
            classes=self.classes,
            several_labels=self.several_labels,
            on_leak=self.on_leak,
            videos=self.videos,
        )


def read_sports1m(
    root: Path | str,
    *,
    on_missing: OnMissing = "refuse",
    classes: ClassChoice = "all",
    several_labels: SeveralLabels = "first",
    on_leak: OnLeak = "refuse",
    videos: Path | str | None = None,
) -> Dataset:
    """Read the videos below `root`; the arguments are those of `Sports1mConfig`.

    Raises:
        DataError: If labels.txt or both lists are not found, a line is of another form, a chosen class is not in
            labels.txt, both lists name a video that is there and `on_leak` is `refuse`, or videos are missing (see
            `keep_present`).
    """
    root = Path(root)
    names = _read_labels(root / LABELS)
    chosen = _choose_classes(classes, names, root / LABELS)
    listings = {split: root / name for split, name in LISTS.items() if (root / name).is_file()}
    if not listings:
        raise DataError(
            f"{root}: no list of Sports-1M; looked for {', '.join(str(root / name) for name in LISTS.values())}",
            hint=f"where to get them (they come packed: gzip -d): {CARD.url}",
        )
    folder = root / VIDEOS_FOLDER if videos is None else Path(videos)
    there = _find_videos(folder)
    label_of = {names.index(name): label for label, name in enumerate(chosen)}
    found = {split: _read_list(path, label_of, len(names)) for split, path in listings.items()}
    num_several = sum(len(video.labels) > 1 for videos in found.values() for video in videos)
    if several_labels == "leave_out":
        found = {split: [video for video in videos if len(video.labels) == 1] for split, videos in found.items()}
    leaking = _find_leaks(found, there)
    if leaking and on_leak == "refuse":
        raise DataError(
            f"{' and '.join(map(str, listings.values()))} both name {len(leaking)} videos, to train on and to test on: "
            f"{shorten(leaking)}",
            hint="leave them out of training: data.on_leak=skip",
        )
    if leaking:
        found["train"] = [video for video in found["train"] if video.id not in leaking]
    lists = [
        Listed(path, split, tuple(_to_recording(video, split, there, folder) for video in found[split]))
        for split, path in listings.items()
    ]
    present = keep_present(
        lists,
        on_missing=on_missing,
        url="the addresses in the lists",
        find_missing=lambda recording: None if recording.path.stem in there else recording.path,
    )
    left_out = list(present.left_out)
    if leaking:
        left_out.append(
            f"{len(leaking)} videos to train on are to be tested on too and are left out: {shorten(leaking)}"
        )
    what = "are left out" if several_labels == "leave_out" else "count as the first of them"
    several = f"{num_several} listed videos have several labels among the {len(chosen)} classes and {what}"
    return Dataset(
        card=CARD.model_copy(update={"classes": chosen, "mirror": {name: name for name in chosen}}),
        recordings=present.recordings,
        root=root if folder.is_relative_to(root) else folder,
        looked_for={split: (f"{folder}/**/<id>.* of {root / name}",) for split, name in LISTS.items()},
        notes=(*left_out, *([several] if num_several else [])),
        left_out=tuple(left_out),
    )


def is_sports1m(root: Path) -> bool:
    """Say whether `root` holds a list of Sports-1M beside its labels."""
    return (root / LABELS).is_file() and any((root / name).is_file() for name in LISTS.values())


class _Video(NamedTuple):
    """One line: the video's id, and its labels among the chosen classes, in the order of the line."""

    id: str
    labels: tuple[int, ...]


def _read_labels(path: Path) -> tuple[str, ...]:
    try:
        names = tuple(line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as a list of classes ({error})", hint=f"get it: {CARD.url}") from None
    while names and not names[-1]:
        names = names[:-1]
    if not names or not all(names) or len(set(names)) < len(names):
        raise DataError(f"{path}: wanted a class per line, none of them empty or named twice")
    return names


def _choose_classes(classes: ClassChoice, names: Sequence[str], labels: Path) -> tuple[str, ...]:
    if classes == "all":
        return tuple(names)
    chosen = AGETHEN2019 if classes == "agethen2019" else tuple(classes)
    refuse_bad_choice(chosen, where="data.classes")
    order_classes(chosen, names, where=f"data.classes and {labels}")
    return chosen


def _find_videos(folder: Path) -> dict[str, Path]:
    """Return the videos below a folder by their name without its ending."""
    # One walk instead of a question for each of a million names.
    files = (Path(place) / name for place, _, names in os.walk(folder) for name in sorted(names))
    return {file.stem: file for file in files if is_video(file)}


def _find_leaks(found: Mapping[str, Sequence[_Video]], there: Mapping[str, Path]) -> list[str]:
    """Return the ids of videos that are there and that the lists of both splits name."""
    if len(found) < len(LISTS):
        return []
    ids = [{video.id for video in videos} for videos in found.values()]
    return sorted(set.intersection(*ids) & there.keys())


def _read_list(listing: Path, label_of: Mapping[int, int], num_classes: int) -> list[_Video]:
    form = "https://www.youtube.com/watch?v=UDqivjS-lpI 168,169"
    videos = [_read_line(line, label_of, num_classes) for line in read_lines(listing, form=form)]
    return [video for video in videos if video.labels]


def _read_line(line: Line, label_of: Mapping[int, int], num_classes: int) -> _Video:
    url, numbers = line.words
    address = URL.fullmatch(url)
    if address is None:
        line.refuse(f"address is {url!r}; wanted https://www.youtube.com/watch?v=<id>")
    words = numbers.split(",")
    if not all(word.isdecimal() and int(word) < num_classes for word in words):
        line.refuse(f"labels are {numbers!r}; wanted numbers from 0 to {num_classes - 1} with commas between them")
    return _Video(address[1], tuple(label_of[int(word)] for word in words if int(word) in label_of))


def _to_recording(video: _Video, split: str, there: Mapping[str, Path], folder: Path) -> Recording:
    path = there.get(video.id, folder / f"{video.id}.mp4")
    return Recording(path=path, label=video.labels[0], split=split)
