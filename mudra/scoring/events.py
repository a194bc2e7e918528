"""Scores of events: whether each gesture was found once, under its name, when it happened and how soon.

    matched         an event of the right class that overlaps the true one by IoU >= min_iou; each is matched once,
                    the pairs with the largest IoU first
    f1              2 * matched / (true + predicted), over all recordings
    false alarms    unmatched events whose middle lies where nothing is performed, per hour of such idle video
    Levenshtein     1 - sum of edits / sum of true events, on the order of the labels alone; below 0 is possible
    delay           from the start of a true event to the moment when it was decided

Where the events of one class do not overlap each other, a predicted event reaches IoU 0.5 with more than one true event
only if it is exactly those two, end to end: largest IoU first then finds as many pairs as any other rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any, NamedTuple

from torchmetrics.functional.text import edit_distance

from mudra.errors import DataError

MIN_IOU = 0.5
SECONDS_PER_HOUR = 3600.0
_FIRST_PRIVATE_CHARACTER = 0xF0000  # the first of 65,534 characters that mean nothing by themselves


@dataclass(frozen=True, kw_only=True)
class Event:
    """One gesture, and when it happened.

    Args:
        label: Name of the class.
        start_s, end_s: From its start up to its end, in seconds.
        probability: How sure the network was, in [0, 1]; 1 for ground truth.
        decided_at_s: Until when one had to watch to know of it; None where that is not known.

    Raises:
        DataError: If it ends before it starts.
    """

    label: str
    start_s: float
    end_s: float
    probability: float = 1.0
    decided_at_s: float | None = None

    def __post_init__(self) -> None:
        if not self.start_s <= self.end_s:  # written so that a nan counts as wrong
            raise DataError(f"{self.label} from {self.start_s} s to {self.end_s} s ends before it starts")


class EventRecording(NamedTuple):
    """One recording's events.

    Args:
        truth: What happened.
        predicted: What was recognised.
        duration_s: How long the recording is.
        start_s: When its first frame is shown.
    """

    truth: Sequence[Event]
    predicted: Sequence[Event]
    duration_s: float
    start_s: float = 0.0


class EventMatch(NamedTuple):
    """A true event and what was recognised of it.

    Args:
        truth: Position among the true events.
        predicted: Position among the predicted ones.
        iou: Their overlap, in (0, 1].
    """

    truth: int
    predicted: int
    iou: float


class TimeError(NamedTuple):
    """How far predicted times lie from true ones, in milliseconds.

    Args:
        mean_ms: With its sign: above 0 is late.
        mean_absolute_ms: Without.
        median_absolute_ms: Without, the middle one.
    """

    mean_ms: float
    mean_absolute_ms: float
    median_absolute_ms: float


@dataclass(frozen=True, kw_only=True)
class EventScores:
    """All scores of events; None where there is nothing to score.

    Args:
        num_true, num_predicted, num_matched: Events.
        precision, recall: `num_matched` of `num_predicted`, and of `num_true`.
        f1: Their harmonic mean.
        start_error, end_error: Of the matched events.
        levenshtein_accuracy: Of the order of labels.
        idle_hours: How long nothing was performed.
        false_alarms_per_hour: Events there, per hour.
        mean_delay_ms: From start to decision, of the matched events that say when they were decided.
    """

    num_true: int
    num_predicted: int
    num_matched: int
    precision: float | None
    recall: float | None
    f1: float | None
    start_error: TimeError | None
    end_error: TimeError | None
    levenshtein_accuracy: float | None
    num_false_alarms: int
    idle_hours: float
    false_alarms_per_hour: float | None
    mean_delay_ms: float | None

    def to_json(self) -> dict[str, Any]:
        """Return plain values for `json.dump`; None where a score is not defined."""
        errors = {name: getattr(self, name) for name in ("start_error", "end_error")}
        return vars(self) | {name: one._asdict() if one else None for name, one in errors.items()}


def measure_iou(one: Event, other: Event) -> float:
    """Return shared time over covered time of two events, whatever their classes.

    Example:
        >>> measure_iou(Event(label="ok", start_s=0, end_s=2), Event(label="ok", start_s=1, end_s=3))
        0.3333333333333333
    """
    shared_s = min(one.end_s, other.end_s) - max(one.start_s, other.start_s)
    covered_s = (one.end_s - one.start_s) + (other.end_s - other.start_s) - shared_s
    return shared_s / covered_s if shared_s > 0 else 0.0


def match_events(truth: Sequence[Event], predicted: Sequence[Event], *, min_iou: float = MIN_IOU) -> list[EventMatch]:
    """Pair events of one class one to one, the largest IoU first; among equals, the earlier listed first.

    Raises:
        DataError: If `min_iou` is not above 0 and at most 1.

    Example:
        >>> wave = Event(label="wave", start_s=1, end_s=3)
        >>> match_events([wave], [Event(label="wave", start_s=1, end_s=2), Event(label="stop", start_s=1, end_s=3)])
        [EventMatch(truth=0, predicted=0, iou=0.5)]
    """
    if not 0 < min_iou <= 1:
        raise DataError(f"min_iou is {min_iou}, wanted above 0 and at most 1")
    pairs = [
        EventMatch(i, j, iou)
        for i, one in enumerate(truth)
        for j, other in enumerate(predicted)
        if one.label == other.label and (iou := measure_iou(one, other)) >= min_iou
    ]
    matches: list[EventMatch] = []
    used_truth, used_predicted = set(), set()
    for pair in sorted(pairs, key=lambda pair: -pair.iou):
        if pair.truth not in used_truth and pair.predicted not in used_predicted:
            matches.append(pair)
            used_truth.add(pair.truth)
            used_predicted.add(pair.predicted)
    return matches


def count_edits(truth: Sequence[str], predicted: Sequence[str]) -> int:
    """Return the Levenshtein distance of two lists of labels: insertions, deletions and replacements.

    Example:
        >>> count_edits(["wave", "ok", "stop"], ["wave", "stop", "stop"])
        1
    """
    # The library compares strings: each label becomes one character.
    characters = {
        label: chr(_FIRST_PRIVATE_CHARACTER + i) for i, label in enumerate(dict.fromkeys([*truth, *predicted]))
    }
    texts = ["".join(characters[label] for label in labels) for labels in (predicted, truth)]
    return int(edit_distance([texts[0]], [texts[1]], reduction="sum"))


def score_events(recordings: Sequence[EventRecording], *, min_iou: float = MIN_IOU) -> EventScores:
    """Score the events of all recordings together.

    Raises:
        DataError: If there is no recording, one has no length, or `min_iou` is not above 0 and at most 1.

    Example:
        >>> truth = [Event(label="wave", start_s=1.0, end_s=2.0)]
        >>> late = [Event(label="wave", start_s=1.25, end_s=2.0, decided_at_s=2.25)]
        >>> scores = score_events([EventRecording(truth, late, duration_s=10.0)])
        >>> scores.f1, scores.start_error.mean_ms, scores.mean_delay_ms
        (1.0, 250.0, 1250.0)
    """
    if not recordings:
        raise DataError("no recording to score", hint="give at least one")
    matched: list[tuple[Event, Event]] = []
    num_false_alarms = 0
    for one in recordings:
        if not one.duration_s > 0:
            raise DataError(f"a recording lasts {one.duration_s} s, wanted more than 0")
        matches = match_events(one.truth, one.predicted, min_iou=min_iou)
        matched += [(one.truth[match.truth], one.predicted[match.predicted]) for match in matches]
        num_false_alarms += _count_false_alarms(one, {match.predicted for match in matches})
    num_true = sum(len(one.truth) for one in recordings)
    num_predicted = sum(len(one.predicted) for one in recordings)
    idle_hours = sum(_measure_idle(one) for one in recordings) / SECONDS_PER_HOUR
    num_edits = sum(count_edits(_labels(one.truth), _labels(one.predicted)) for one in recordings)
    delays_s = [found.decided_at_s - true.start_s for true, found in matched if found.decided_at_s is not None]
    return EventScores(
        num_true=num_true,
        num_predicted=num_predicted,
        num_matched=len(matched),
        precision=len(matched) / num_predicted if num_predicted else None,
        recall=len(matched) / num_true if num_true else None,
        f1=2 * len(matched) / (num_true + num_predicted) if num_true + num_predicted else None,
        start_error=_summarise([found.start_s - true.start_s for true, found in matched]),
        end_error=_summarise([found.end_s - true.end_s for true, found in matched]),
        levenshtein_accuracy=1 - num_edits / num_true if num_true else None,
        num_false_alarms=num_false_alarms,
        idle_hours=idle_hours,
        false_alarms_per_hour=num_false_alarms / idle_hours if idle_hours > 0 else None,
        mean_delay_ms=fmean(delays_s) * 1000 if delays_s else None,
    )


def _labels(events: Iterable[Event]) -> list[str]:
    return [one.label for one in sorted(events, key=lambda one: (one.start_s, one.end_s))]


def _count_false_alarms(recording: EventRecording, matched: set[int]) -> int:
    def is_idle(event: Event) -> bool:
        middle_s = (event.start_s + event.end_s) / 2
        return not any(true.start_s <= middle_s < true.end_s for true in recording.truth)

    return sum(j not in matched and is_idle(event) for j, event in enumerate(recording.predicted))


def _measure_idle(recording: EventRecording) -> float:
    """Return how many seconds no true event covers; true events may overlap."""
    idle_s, reached_s, over_s = 0.0, recording.start_s, recording.start_s + recording.duration_s
    for event in sorted(recording.truth, key=lambda event: event.start_s):
        idle_s += max(0.0, min(event.start_s, over_s) - reached_s)
        reached_s = max(reached_s, event.end_s)
    return idle_s + max(0.0, over_s - reached_s)


def _summarise(errors_s: Sequence[float]) -> TimeError | None:
    if not errors_s:
        return None
    absolute_ms = [abs(error) * 1000 for error in errors_s]
    return TimeError(fmean(errors_s) * 1000, fmean(absolute_ms), median(absolute_ms))
