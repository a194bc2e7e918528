"""Compare two runs class by class on the same clips: which classes gained, which lost, and whether it can be chance.

Source: the class-wise comparison is figure 7 of Agethen and Hsu 2019; the counts of clips that one run alone named
right are those of McNemar 1947, Psychometrika 12(2), tested exactly: had both runs the same chance to be the one that
is right where they differ, each such clip would be a fair coin.
Differs: the paper shows no test.

    p = min(1, 2 sum_{i = 0 .. min(a, b)} C(a + b, i) / 2^(a + b))       a: the first run alone right, b: the second
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from mudra.errors import ConfigError, DataError, ModelError
from mudra.serving.evaluation import Unread, evaluate
from mudra.serving.fusion import Member
from mudra.types import Recording

NOTABLE = 0.1  # a difference in accuracy that makes a class gain or lose: Agethen and Hsu 2019, section V-B
MOST_NAMES = 5  # of classes that an error lists

Progress = Callable[[int, int, str], None]


class PairedCounts(NamedTuple):
    """How many clips which of two runs named right.

    Args:
        both: Both.
        first_alone: Only the first.
        second_alone: Only the second.
        neither: Neither.
    """

    both: int
    first_alone: int
    second_alone: int
    neither: int

    @property
    def p_value(self) -> float:
        """Two-sided probability of a split at least as uneven by chance; 1 where the runs never differ."""
        return sign_test(self.first_alone, self.second_alone)


class ClassDifference(NamedTuple):
    """How one class fared in both runs.

    Args:
        name: The class.
        num_clips: Clips that show it.
        first_right, second_right: How many each run named right.
    """

    name: str
    num_clips: int
    first_right: int
    second_right: int

    @property
    def first_accuracy(self) -> float:
        """Share that the first run named right."""
        return self.first_right / self.num_clips

    @property
    def second_accuracy(self) -> float:
        """Share that the second run named right."""
        return self.second_right / self.num_clips

    @property
    def difference(self) -> float:
        """What the second run's accuracy is above the first one's."""
        return (self.second_right - self.first_right) / self.num_clips


class Comparison(NamedTuple):
    """Two runs on the same clips.

    Args:
        names: The runs.
        counts: Clips by who named them right.
        classes: Every class that has clips, the greatest gain of the second run first; equals by name.
        recordings: The clips that both could read.
        unread: What one of them could not read.
    """

    names: tuple[str, str]
    counts: PairedCounts
    classes: list[ClassDifference]
    recordings: list[Recording]
    unread: list[Unread]

    @property
    def gained(self) -> list[str]:
        """Classes in which the second run is better by a tenth or more."""
        return [one.name for one in self.classes if one.difference >= NOTABLE - 1e-9]

    @property
    def lost(self) -> list[str]:
        """Classes in which the second run is worse by a tenth or more."""
        return [one.name for one in self.classes if one.difference <= -NOTABLE + 1e-9]

    def to_json(self) -> dict[str, Any]:
        """Return plain values for `json.dump`."""
        num_clips = sum(self.counts)
        right = self.counts.both + self.counts.first_alone, self.counts.both + self.counts.second_alone
        return {
            "runs": list(self.names),
            "num_clips": num_clips,
            "top1": [count / num_clips for count in right],
            "counts": self.counts._asdict(),
            "p_value": self.counts.p_value,
            "gained": self.gained,
            "lost": self.lost,
            "unread": [clip._asdict() for clip in self.unread],
        }


def compare(
    first: Member, second: Member, recordings: Sequence[Recording], *, progress: Progress | None = None
) -> Comparison:
    """Judge two runs on the same recordings; a clip that one cannot read is left out for both.

    Args:
        first, second: Runs that know the same classes, in any order.
        recordings: Labelled by the first run's classes.
        progress: Called with (done, all, what).

    Raises:
        ConfigError: If both runs have one name.
        ModelError: If the runs know different classes.
        DataError: If no recording has a label and can be read by both.
    """
    _check(first, second)
    right: list[dict[str, bool]] = []
    read: list[dict[str, Recording]] = []
    unread: dict[str, Unread] = {}
    for member in (first, second):
        told = None if progress is None else _told(progress, member.name)
        found = evaluate(member.predictor, recordings, open_sources=member.open_sources, progress=told)
        # The second run may know the classes in another order than the labels'.
        order = torch.tensor([first.predictor.classes.index(name) for name in member.predictor.classes])
        named = order[found.probability_NK.argmax(dim=1)].tolist()
        pairs = zip(found.recordings, named, strict=True)
        right.append({recording.key: label == recording.label for recording, label in pairs})
        read.append({recording.key: recording for recording in found.recordings})
        unread |= {clip.path: clip for clip in found.unread}
    shared = [recording for key, recording in read[0].items() if key in read[1]]
    if not shared:
        raise DataError("no recording can be read by both runs", hint="the data must hold the streams of both")
    answers = [(right[0][recording.key], right[1][recording.key]) for recording in shared]
    return Comparison(
        (first.name, second.name),
        count_pairs(answers),
        _by_class(shared, answers, first.predictor.classes),
        shared,
        list(unread.values()),
    )


def count_pairs(answers: Sequence[tuple[bool, bool]]) -> PairedCounts:
    """Return how many clips were named right by which run.

    Example:
        >>> count_pairs([(True, True), (True, False), (False, False), (True, False)])
        PairedCounts(both=1, first_alone=2, second_alone=0, neither=1)
    """
    pairs = list(answers)
    return PairedCounts(*(pairs.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False))))


def sign_test(first: int, second: int) -> float:
    """Return the exact two-sided probability that fair coins fall at least as unevenly as `first` to `second`.

    Example:
        >>> sign_test(1, 9), sign_test(0, 0), sign_test(4, 4)
        (0.021484375, 1.0, 1.0)
    """
    num_coins, least = first + second, min(first, second)
    tail = sum(math.comb(num_coins, count) for count in range(least + 1))
    # Whole numbers to the end: 2^(a + b) of thousands of clips has no place among floating-point numbers.
    return min(1.0, float(2 * tail / 2**num_coins))


def write_comparison(out: Path, comparison: Comparison) -> list[Path]:
    """Write classes.csv and comparison.json into `out`, which is made if it is missing, and return their paths."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "classes.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["class", "num_clips", *(f"accuracy of {name}" for name in comparison.names), "difference"])
        for one in comparison.classes:
            told = (one.first_accuracy, one.second_accuracy, one.difference)
            table.writerow([one.name, one.num_clips, *(f"{value:.6g}" for value in told)])
    (out / "comparison.json").write_text(json.dumps(comparison.to_json(), indent=2), encoding="utf-8")
    return [out / "classes.csv", out / "comparison.json"]


def _told(progress: Progress, name: str) -> Progress:
    return lambda done, total, what: progress(done, total, f"judging: {name}")


def _by_class(
    recordings: Sequence[Recording], answers: Sequence[tuple[bool, bool]], classes: Sequence[str]
) -> list[ClassDifference]:
    found = []
    for label, name in enumerate(classes):
        own = [pair for recording, pair in zip(recordings, answers, strict=True) if recording.label == label]
        if own:
            found.append(ClassDifference(name, len(own), sum(a for a, _ in own), sum(b for _, b in own)))
    return sorted(found, key=lambda one: (-one.difference, one.name))


def _check(first: Member, second: Member) -> None:
    if first.name == second.name:
        raise ConfigError(f"both runs are called {first.name}", hint="name two different runs")
    known, other = set(first.predictor.classes), set(second.predictor.classes)
    if known != other:
        told = [
            f"{what} {', '.join(sorted(names)[:MOST_NAMES])}" + (" and more" if len(names) > MOST_NAMES else "")
            for what, names in (("lacks", known - other), ("adds", other - known))
            if names
        ]
        raise ModelError(
            f"{first.name} and {second.name} know different classes: the second {' and '.join(told)}",
            hint="compare runs that were trained on the same classes",
        )
