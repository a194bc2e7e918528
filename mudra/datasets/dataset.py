"""A data set: its card, and its recordings by split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mudra.datasets.card import DatasetCard
from mudra.errors import DataError, nearest_name
from mudra.types import Frames, Recording, Stream
from mudra.video.listing import natural_key

SPLITS = ("train", "validation", "test")
SPLIT_SPELLINGS = {
    **{name: name for name in SPLITS},
    "training": "train",
    **dict.fromkeys(("val", "valid", "dev"), "validation"),
    "testing": "test",
}

UNUSED = -1  # the new label of a class that no recording has

FrameSource = Callable[[Recording, Stream], Frames]


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Which recordings exist and what they show.

    Args:
        card: What is true of the set as a whole.
        recordings: Recordings by split, in an order that does not depend on the file system.
        root: The folder that every path lies below; None where the clips are drawn and not read.
        looked_for: For each split the places that were searched, for error messages.
        notes: What a reader of the set should know about how it was read, one sentence each.
        left_out: Which listed recordings are not there, one sentence for each list; the card of a run keeps them.
        source: Makes the frames of a recording that is no file; None where they are read from `path`.
    """

    card: DatasetCard
    recordings: dict[str, tuple[Recording, ...]]
    root: Path | None = None
    looked_for: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    source: FrameSource | None = None

    def split(self, name: str) -> tuple[Recording, ...]:
        """Return the recordings of one split, which are at least one.

        Args:
            name: `train`, `validation` or `test`, or another spelling of them (`val`, `dev`, ...).

        Raises:
            DataError: If no split has that name, or it holds no recording.
        """
        spelled = SPLIT_SPELLINGS.get(name.lower())
        if spelled is None:
            raise DataError(f"{self.card.name} has no split {name!r}", hint=nearest_name(name, SPLITS))
        found = self.recordings.get(spelled, ())
        if not found:
            where = "; looked for " + shorten(self.looked_for[spelled]) if spelled in self.looked_for else ""
            sizes = ", ".join(f"{key} ({len(value)})" for key, value in self.recordings.items() if value)
            raise DataError(
                f"0 recordings in split {spelled!r} of {self.card.name}{where}",
                hint=f"not empty: {sizes}" if sizes else "all splits are empty",
            )
        return found

    def all_recordings(self) -> tuple[Recording, ...]:
        """Return the recordings of all splits, one split after the other."""
        return tuple(recording for split in self.recordings.values() for recording in split)

    def class_counts(self, split: str | None = None) -> dict[str, int]:
        """Return how many clips, and segments of streams, each class has, in one split or in all; 0 for one without."""
        counts = dict.fromkeys(self.card.classes, 0)
        for recording in self.all_recordings() if split is None else self.recordings.get(split, ()):
            labels = [segment.label for segment in recording.segments or ()]
            for label in labels if recording.label is None else [recording.label]:
                counts[self.card.classes[label]] += 1
        return counts

    def leaking_subjects(self) -> dict[str, tuple[str, ...]]:
        """Return the subjects found in more than one split, with those splits."""
        splits: dict[str, set[str]] = defaultdict(set)
        for split, recordings in self.recordings.items():
            for recording in recordings:
                splits[recording.subject].add(split)
        leaks = {who: tuple(sorted(where)) for who, where in sorted(splits.items()) if len(where) > 1}
        leaks.pop("", None)
        return leaks

    def refuse_leaking_subjects(self) -> None:
        """Refuse a set whose card promises new people in every split, and which does not keep it.

        Raises:
            DataError: If `card.subjects_disjoint` is set and a subject is in more than one split.
        """
        leaks = self.leaking_subjects() if self.card.subjects_disjoint else {}
        if leaks:
            who = shorten(f"{name} ({' and '.join(splits)})" for name, splits in leaks.items())
            raise DataError(
                f"{self.card.name} says that no person is in two splits, and {len(leaks)} are: {who}",
                hint="keep all recordings of a person in one split; if other people bear the same name, rename them; "
                "see what is where with mudra data inspect",
            )

    def hold_out(self, subjects: Sequence[str]) -> Dataset:
        """Return the set with these subjects of the training split as its validation split; itself for none.

        Raises:
            DataError: If a subject is not in the training split.
        """
        if not subjects:
            return self
        train = self.split("train")
        known = {recording.subject for recording in train}
        unknown = [subject for subject in subjects if subject not in known]
        if unknown:
            raise DataError(
                f"{self.card.name}: no training clip of subject {unknown[0]!r}", hint=nearest_name(unknown[0], known)
            )
        kept = tuple(recording for recording in train if recording.subject not in subjects)
        held = tuple(replace(r, split="validation") for r in train if r.subject in subjects)
        return replace(self, recordings={**self.recordings, "train": kept, "validation": held})

    def labelled(self) -> Dataset:
        """Return the set without the recordings of which nothing is known."""
        known = {split: tuple(r for r in found if r.is_labelled) for split, found in self.recordings.items()}
        return replace(self, recordings=known)

    @property
    def has_streams(self) -> bool:
        """Whether it holds uncut streams, in which several things happen one after the other."""
        return any(recording.segments is not None for recording in self.all_recordings())

    def cut_segments(self) -> Dataset:
        """Return the set with every stream cut into its segments: one clip of one label for each.

        Classes stay as they are, the one for frames in no segment among them, of which no clip is made.
        """
        recordings = {
            split: tuple(clip for recording in found for clip in _cut_segments(recording))
            for split, found in self.recordings.items()
        }
        return replace(self, recordings=recordings)

    def with_classes(self, classes: Sequence[str]) -> Dataset:
        """Return the same recordings labelled by another list of classes, such as that of trained weights.

        Args:
            classes: Class names; the position is the new label. They may be more than the set has. Only the class of
                frames in no segment may be lacking, if no segment is labelled with it: such frames then have no label.

        Raises:
            DataError: If a class of this set is not among them.
        """
        idle = self.card.idle_class
        is_spare = idle is not None and idle not in classes and not self.class_counts()[idle]
        missing = [name for name in self.card.classes if name not in classes and not (is_spare and name == idle)]
        if missing:
            raise DataError(
                f"{self.card.name} has {len(missing)} of {len(self.card.classes)} classes that the {len(classes)} "
                f"wanted ones lack: {shorten(missing)}",
                hint=nearest_name(missing[0], classes),
            )
        index = [list(classes).index(name) if name in classes else UNUSED for name in self.card.classes]
        mirror = {name: self.card.mirror.get(name) for name in classes}
        recordings = {
            split: tuple(_relabel(recording, index) for recording in found) for split, found in self.recordings.items()
        }
        card = self.card.model_copy(
            update={"classes": tuple(classes), "mirror": mirror, "idle_class": None if is_spare else idle}
        )
        return replace(self, card=card, recordings=recordings)


def _cut_segments(recording: Recording) -> tuple[Recording, ...]:
    if recording.segments is None:
        return (recording,)
    return tuple(
        replace(recording, label=label, start_s=start_s, end_s=end_s, segments=None)
        for label, start_s, end_s in recording.segments
    )


def _relabel(recording: Recording, index: Sequence[int]) -> Recording:
    label = None if recording.label is None else index[recording.label]
    segments = recording.segments
    if segments is not None:
        segments = tuple(segment._replace(label=index[segment.label]) for segment in segments)
    return replace(recording, label=label, segments=segments)


def order_classes(labels: Iterable[str], classes: Sequence[str] | None, *, where: str) -> tuple[str, ...]:
    """Return the class names in the order of their labels.

    Args:
        labels: The name of each recording's class.
        classes: The wanted order; None for the natural one ("sign2" before "sign10").
        where: The list or folder, for the error message.

    Raises:
        DataError: If a recording's class is not in `classes`.
    """
    # The name itself decides between names that differ in case alone: their order must not hang on the hash seed.
    seen = sorted(set(labels), key=lambda name: (natural_key(name), name))
    if classes is None:
        return tuple(seen)
    unknown = [name for name in seen if name not in classes]
    if unknown:
        raise DataError(
            f"{where}: {len(unknown)} classes are not among the {len(classes)} that the config names: "
            f"{shorten(unknown)}",
            hint=nearest_name(unknown[0], classes),
        )
    return tuple(classes)


def refuse_bad_choice(chosen: Sequence[str], *, where: str) -> None:
    """Refuse a choice of classes that is empty, or that names one twice.

    Raises:
        DataError: If it is.
    """
    twice = sorted({name for name in chosen if chosen.count(name) > 1})
    if twice or not chosen:
        what = f"{shorten(twice)} twice" if twice else "no class"
        raise DataError(f"{where} names {what}", hint="name each class once, or all of them: all")


def shorten(names: Iterable[object], *, limit: int = 3) -> str:
    """Join the first names, and say when there are more.

    Example:
        >>> shorten(["a", "b", "c", "d"])
        'a, b, c, ... (4 in all)'
    """
    listed = list(names)
    return ", ".join(map(str, listed[:limit])) + (f", ... ({len(listed)} in all)" if len(listed) > limit else "")
