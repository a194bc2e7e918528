"""Splitting recordings by subject or by chance, so that the same clips always land in the same split.

Every subject and every clip is drawn by a hash of the seed and its own name: neither the order of the file system nor
the folder that the set lies in matters.

- By subject: all clips of a subject stay together. Subjects are ranked by their hash, and each split takes its share
  of that ranking, at least one. More clips of known subjects change nothing; a new subject can move others.
- By chance: each clip falls where its hash says, whatever other clips exist, so that adding clips moves none. A class
  that so misses a split lends it the clip whose hash is lowest, if it has enough clips. Clips that are cut from the
  same file show neighbouring moments: they stay together, and the files are dealt as subjects are.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Literal, NamedTuple

from mudra.datasets.dataset import SPLITS
from mudra.errors import ConfigError
from mudra.types import Recording

FRACTIONS = (0.7, 0.15, 0.15)

SplitBy = Literal["subject", "chance"]


class Clip(NamedTuple):
    """What the draw needs to know of a recording.

    Args:
        key: A name that is unique in the set and the same on every machine: the path below the root.
        label: Its class.
        subject: Who performs; empty where that is not known.
        file: The file that it is cut from, named like the key; empty for a file of its own.
    """

    key: str
    label: str
    subject: str = ""
    file: str = ""


class Divided(NamedTuple):
    """Recordings by split.

    Args:
        recordings: Recordings of each split, in the order in which they came.
        subjects_disjoint: Whether every recording names its subject and no subject is in two splits.
        notes: What was drawn and why, one sentence each.
    """

    recordings: dict[str, tuple[Recording, ...]]
    subjects_disjoint: bool
    notes: tuple[str, ...]


class Assignment(NamedTuple):
    """Where the clips went.

    Args:
        splits: The split of each clip, in the order of the clips.
        notes: Why the draw is not the one asked for, one sentence each.
    """

    splits: tuple[str, ...]
    notes: tuple[str, ...]


def divide(
    recordings: Sequence[Recording],
    *,
    classes: Sequence[str],
    root: Path,
    split_by: SplitBy = "subject",
    fractions: tuple[float, float, float] = FRACTIONS,
    seed: int = 0,
) -> Divided:
    """Sort recordings into splits, and draw the splits that are missing.

    Args:
        recordings: Their `split` is the one that they were found in; empty where it is to be drawn.
        classes: Names of their labels.
        root: Folder that a draw does not depend on: recordings are known by their path below it.
        split_by: See `assign_splits`.
        fractions: Shares of train, validation and test. Where splits were found but no validation, it is drawn from
            train with these shares; a share of 0 leaves it empty.
        seed: Another seed draws other splits.

    Raises:
        ConfigError: If the fractions are negative or do not add up to 1.
    """
    shares = dict(zip(SPLITS, fractions, strict=True))
    check_fractions(shares)
    found = Counter(recording.split for recording in recordings)
    notes: tuple[str, ...] = ()
    if found["train"] and not found["validation"] and shares["validation"]:
        whole = shares["train"] + shares["validation"]
        shares = {name: shares[name] / whole for name in ("train", "validation")}
        notes = ("no validation split was found: it is drawn from train",)
        drawn = [recording.split == "train" for recording in recordings]
    else:
        drawn = [not recording.split for recording in recordings]
    clips = [
        Clip(
            _below(recording.key, root),
            classes[recording.label or 0],
            recording.subject,
            _below(str(recording.path), root),
        )
        for recording, is_drawn in zip(recordings, drawn, strict=True)
        if is_drawn
    ]
    assigned = assign_splits(clips, fractions=shares, split_by=split_by, seed=seed)
    splits = iter(assigned.splits)
    done = [replace(r, split=next(splits)) if d else r for r, d in zip(recordings, drawn, strict=True)]
    by_split = {name: tuple(r for r in done if r.split == name) for name in SPLITS}
    return Divided(by_split, _is_disjoint(done), (*notes, *assigned.notes))


def _below(key: str, root: Path) -> str:
    return key.removeprefix(str(root)).replace("\\", "/").lstrip("/")


def _is_disjoint(recordings: Sequence[Recording]) -> bool:
    pairs = {(recording.subject, recording.split) for recording in recordings}
    subjects = [subject for subject, _ in pairs]
    return all(subjects) and len(subjects) == len(set(subjects))


def assign_splits(
    clips: Sequence[Clip], *, fractions: Mapping[str, float], split_by: SplitBy = "subject", seed: int = 0
) -> Assignment:
    """Draw a split for each clip.

    Args:
        fractions: Share of each split, adding up to 1. A share of 0 leaves the split empty.
        split_by: `subject` keeps each subject's clips together; with fewer subjects than splits the draw falls back
            to chance and says so. Clips whose subject is not known go to the first split.
        seed: Another seed draws other splits.

    Raises:
        ConfigError: If the fractions are negative or do not add up to 1.
    """
    check_fractions(fractions)
    if not clips:
        return Assignment((), ())
    wanted = {name: share for name, share in fractions.items() if share > 0}
    subjects = sorted({clip.subject for clip in clips} - {""})
    note = _why_not_by_subject(subjects, len(wanted)) if split_by == "subject" else ""
    if split_by == "subject" and not note:
        return _by_subject(clips, _deal(subjects, wanted, seed), next(iter(wanted)))
    notes: tuple[str, ...] = (note,) if note else ()
    files = sorted({clip.file or clip.key for clip in clips})
    if len(wanted) <= len(files) < len(clips):
        split_of = _deal(files, wanted, seed)
        return Assignment(tuple(split_of[clip.file or clip.key] for clip in clips), notes)
    if len(files) < len(clips):
        notes += (f"{len(files)} files cannot fill {len(wanted)} splits: clips of the same file are in several",)
    by_key: dict[str, str] = {}
    by_class: dict[str, list[str]] = defaultdict(list)
    for clip in clips:
        by_class[clip.label].append(clip.key)
    for keys in by_class.values():
        by_key.update(_draw_class(keys, wanted, seed))
    return Assignment(tuple(by_key[clip.key] for clip in clips), notes)


def check_fractions(fractions: Mapping[str, float]) -> None:
    """Refuse shares that are no division of the whole.

    Raises:
        ConfigError: If one is negative or they do not add up to 1.
    """
    shares = list(fractions.values())
    if min(shares, default=-1.0) < 0 or not math.isclose(sum(shares), 1.0, abs_tol=1e-6):
        shown = ", ".join(f"{name} {share:g}" for name, share in fractions.items())
        raise ConfigError(
            f"the fractions of the splits are {shown}; wanted none below 0 and a sum of 1",
            hint="for example data.fractions=[0.7, 0.15, 0.15]",
        )


def _why_not_by_subject(subjects: Sequence[str], num_splits: int) -> str:
    if len(subjects) >= num_splits:
        return ""
    if not subjects:
        why = "no clip's subject is known, so one person may be in several splits"
    else:
        count = f"{len(subjects)} subject{'s' if len(subjects) > 1 else ''}"
        why = f"{count} cannot fill {num_splits} splits, so the same person is in several"
    return f"split by chance, not by subject: {why} and scores will flatter"


def _by_subject(clips: Sequence[Clip], split_of: Mapping[str, str], unnamed_go_to: str) -> Assignment:
    unnamed = sum(not clip.subject for clip in clips)
    note = f"{unnamed} of {len(clips)} clips name no subject: all are in {unnamed_go_to}, whoever they show"
    splits = tuple(split_of.get(clip.subject, unnamed_go_to) for clip in clips)
    return Assignment(splits, (note,) if unnamed else ())


def _deal(names: Sequence[str], fractions: Mapping[str, float], seed: int) -> dict[str, str]:
    """Give each split its share of the ranked subjects or files: one first, then whoever lacks most."""
    counts = dict.fromkeys(fractions, 1)
    for _ in range(len(names) - len(counts)):
        lacks = {name: share * len(names) - counts[name] for name, share in fractions.items()}
        counts[max(lacks, key=lambda name: lacks[name])] += 1
    ranked = sorted(names, key=lambda name: _draw(seed, "whole", name))
    splits = [split for split, count in counts.items() for _ in range(count)]
    return dict(zip(ranked, splits, strict=True))


def _draw_class(keys: Sequence[str], fractions: Mapping[str, float], seed: int) -> dict[str, str]:
    drawn = {key: _draw(seed, "clip", key) for key in keys}
    ends = list(accumulate(fractions.values()))
    names = list(fractions)
    # Rounding may leave the last end a little below 1.
    splits = {key: names[min(bisect_right(ends, value), len(names) - 1)] for key, value in drawn.items()}
    if len(keys) < len(fractions):
        # Too few to have one everywhere: what there is serves training.
        return dict.fromkeys(keys, next(iter(fractions)))
    for name in fractions:
        _lend(splits, name, drawn)
    return splits


def _lend(splits: dict[str, str], name: str, drawn: Mapping[str, float]) -> None:
    """Give an empty split the lowest drawn clip of a split that keeps at least one."""
    held = list(splits.values())
    if name in held:
        return
    spare = [key for key in splits if held.count(splits[key]) > 1]
    splits[min(spare, key=lambda key: drawn[key])] = name


def _draw(seed: int, what: str, name: str) -> float:
    """Return a number in [0, 1) that depends on nothing but the arguments."""
    digest = hashlib.blake2b(f"{seed}/{what}/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
