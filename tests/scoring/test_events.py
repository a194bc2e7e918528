from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mudra.errors import DataError
from mudra.scoring import Event, EventRecording, count_edits, match_events, measure_iou, score_events

repeatably = settings(max_examples=100, deadline=None, derandomize=True, database=None)


def event(label: str, start_s: float, end_s: float, **more: float) -> Event:
    return Event(label=label, start_s=start_s, end_s=end_s, **more)


@st.composite
def disjoint_events(draw: st.DrawFn) -> list[Event]:
    """Events of two classes, none overlapping another, on a grid of half seconds."""
    edges = sorted(draw(st.sets(st.integers(0, 30), max_size=12)))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return [event(draw(st.sampled_from("ab")), start / 2, end / 2) for start, end in pairs]


times = st.floats(0, 100, allow_nan=False)
any_event = st.builds(lambda start, length: event("a", start, start + length), times, times)


@repeatably
@given(any_event, any_event)
def test_iou_is_symmetric_and_between_0_and_1(one: Event, other: Event) -> None:
    assert measure_iou(one, other) == pytest.approx(measure_iou(other, one))
    assert 0 <= measure_iou(one, other) <= 1 + 1e-9
    if one.end_s > one.start_s:
        assert measure_iou(one, one) == pytest.approx(1)
    if one.end_s <= other.start_s:
        assert measure_iou(one, other) == 0


def most_pairs(truth: Sequence[Event], predicted: Sequence[Event], min_iou: float) -> int:
    """The largest number of pairs that any one-to-one matching has, by trying all."""
    if not truth:
        return 0
    rest = most_pairs(truth[1:], predicted, min_iou)
    for j, other in enumerate(predicted):
        if other.label == truth[0].label and measure_iou(truth[0], other) >= min_iou:
            rest = max(rest, 1 + most_pairs(truth[1:], [*predicted[:j], *predicted[j + 1 :]], min_iou))
    return rest


@repeatably
@given(disjoint_events(), disjoint_events())
def test_no_matching_of_disjoint_events_has_more_pairs(truth: list[Event], predicted: list[Event]) -> None:
    matches = match_events(truth, predicted)
    assert len(matches) == most_pairs(truth, predicted, 0.5)
    assert len({match.truth for match in matches}) == len({match.predicted for match in matches}) == len(matches)
    for match in matches:
        assert truth[match.truth].label == predicted[match.predicted].label
        assert match.iou == measure_iou(truth[match.truth], predicted[match.predicted]) >= 0.5


def test_the_largest_overlap_is_matched_first() -> None:
    truth = [event("a", 0, 10)]
    matches = match_events(truth, [event("a", 0, 7), event("a", 1, 10), event("b", 0, 10)])
    assert [(match.truth, match.predicted) for match in matches] == [(0, 1)]
    assert matches[0].iou == pytest.approx(0.9)


def test_exactly_the_wanted_overlap_is_enough() -> None:
    assert len(match_events([event("a", 0, 2)], [event("a", 0, 1)])) == 1
    assert match_events([event("a", 0, 2)], [event("a", 0, 0.99)]) == []
    assert len(match_events([event("a", 0, 2)], [event("a", 0, 0.99)], min_iou=0.4)) == 1


@pytest.mark.parametrize("min_iou", [0.0, 1.1, float("nan")])
def test_an_overlap_out_of_range_is_refused(min_iou: float) -> None:
    with pytest.raises(DataError, match="wanted above 0 and at most 1"):
        match_events([], [], min_iou=min_iou)
    with pytest.raises(DataError, match="wanted above 0 and at most 1"):
        score_events([EventRecording([], [], 1.0)], min_iou=min_iou)


@pytest.mark.parametrize("end_s", [0.9, float("nan")])
def test_an_event_that_ends_before_it_starts_is_refused(end_s: float) -> None:
    with pytest.raises(DataError, match="ends before it starts"):
        event("a", 1.0, end_s)


@repeatably
@given(st.lists(st.sampled_from("abc"), max_size=6), st.lists(st.sampled_from("abc"), max_size=6))
def test_edits_are_those_of_the_recursion(one: list[str], other: list[str]) -> None:
    @cache
    def distance(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        changed = distance(i - 1, j - 1) + (one[i - 1] != other[j - 1])
        return min(changed, distance(i - 1, j) + 1, distance(i, j - 1) + 1)

    assert count_edits(one, other) == distance(len(one), len(other)) == count_edits(other, one)


def test_labels_that_share_letters_are_different() -> None:
    assert count_edits(["swipe_left", "ok"], ["swipe_right", "ok"]) == 1
    assert count_edits([], ["swipe_left"]) == 1


def test_scores_by_hand() -> None:
    truth = [event("a", 1, 3), event("b", 5, 7), event("a", 9, 10)]
    predicted = [
        event("a", 1.5, 3.25, decided_at_s=2.0),  # found: half a second late, a quarter long
        event("c", 5, 7, decided_at_s=6.0),  # the wrong name: no false alarm
        event("b", 7.5, 8.5),  # where nothing happens
        event("a", 8.75, 10, decided_at_s=10.5),  # found: a quarter early
        event("a", 19, 20),  # where nothing happens
    ]
    scores = score_events([EventRecording(truth, predicted, duration_s=25.0)])
    assert (scores.num_true, scores.num_predicted, scores.num_matched) == (3, 5, 2)
    assert (scores.precision, scores.recall, scores.f1) == (0.4, pytest.approx(2 / 3), 0.5)
    assert scores.start_error == (125.0, 375.0, 375.0)
    assert scores.end_error == (125.0, 125.0, 125.0)
    assert scores.levenshtein_accuracy == pytest.approx(1 - 2 / 3)  # a b a, against a c b a a
    assert scores.idle_hours == pytest.approx(20 / 3600)
    assert scores.num_false_alarms == 2
    assert scores.false_alarms_per_hour == pytest.approx(2 / (20 / 3600))
    assert scores.mean_delay_ms == pytest.approx((1.0 + 1.5) / 2 * 1000)


def test_the_median_is_not_moved_by_one_far_off() -> None:
    truth = [event("a", start, start + 10) for start in (0, 20, 40)]
    predicted = [event("a", one.start_s + late, one.end_s) for one, late in zip(truth, (0.1, 0.1, 4), strict=True)]
    start_error = score_events([EventRecording(truth, predicted, 60)]).start_error
    assert start_error is not None
    assert start_error.mean_absolute_ms == pytest.approx(1400)
    assert start_error.median_absolute_ms == pytest.approx(100)


def test_recordings_are_counted_together_and_not_mixed() -> None:
    one = EventRecording([event("a", 0, 1)], [], duration_s=2.0)
    other = EventRecording([], [event("a", 0, 1)], duration_s=4.0)
    scores = score_events([one, other])
    assert (scores.num_matched, scores.f1, scores.num_false_alarms) == (0, 0.0, 1)
    assert scores.idle_hours == pytest.approx((1 + 4) / 3600)
    assert scores.levenshtein_accuracy == -1.0
    assert (scores.start_error, scores.end_error, scores.mean_delay_ms) == (None, None, None)


def test_idle_time_lies_between_the_first_and_the_last_frame() -> None:
    overlapping = [event("a", 8, 12), event("b", 11, 14), event("a", 11, 12), event("a", 19, 30), event("a", 40, 41)]
    scores = score_events([EventRecording(overlapping, [], duration_s=10.0, start_s=10.0)])
    assert scores.idle_hours == pytest.approx(5 / 3600)


def test_a_matched_event_is_no_false_alarm_wherever_its_middle_lies() -> None:
    scores = score_events([EventRecording([event("a", 0, 1)], [event("a", 0, 2)], duration_s=9.0)])
    assert (scores.num_matched, scores.num_false_alarms) == (1, 0)


@pytest.mark.parametrize(("span_s", "num_false_alarms"), [((0.8, 4.0), 1), ((0.0, 1.9), 0), ((1.9, 2.2), 1)])
def test_the_middle_of_an_event_says_whether_it_lies_in_idle_video(
    span_s: tuple[float, float], num_false_alarms: int
) -> None:
    scores = score_events([EventRecording([event("a", 0.5, 2.0)], [event("b", *span_s)], duration_s=9.0)])
    assert scores.num_false_alarms == num_false_alarms


def test_nothing_at_all_has_no_scores() -> None:
    scores = score_events([EventRecording([], [], 1.0)])
    assert (scores.precision, scores.recall, scores.f1, scores.levenshtein_accuracy) == (None, None, None, None)
    assert scores.false_alarms_per_hour == 0.0
    busy = score_events([EventRecording([event("a", 0, 1)], [], 1.0)])
    assert busy.false_alarms_per_hour is None


@repeatably
@given(disjoint_events())
def test_perfect_predictions_score_1(truth: list[Event]) -> None:
    scores = score_events([EventRecording(truth, truth, 20.0)])
    wanted = 1.0 if truth else None
    assert (scores.precision, scores.recall, scores.f1, scores.levenshtein_accuracy) == (wanted,) * 4
    assert scores.start_error == ((0.0, 0.0, 0.0) if truth else None)
    assert scores.num_false_alarms == 0


@repeatably
@given(disjoint_events(), disjoint_events(), st.randoms())
def test_the_order_in_the_list_does_not_matter(truth: list[Event], predicted: list[Event], chance: object) -> None:
    shuffled = sorted(predicted, key=lambda _: chance.random())  # type: ignore[attr-defined]
    one, other = (score_events([EventRecording(truth, found, 20.0)]) for found in (predicted, shuffled))
    assert (one.f1, one.levenshtein_accuracy) == (other.f1, other.levenshtein_accuracy)


def test_json_holds_everything() -> None:
    found = score_events([EventRecording([event("a", 0, 1)], [event("a", 0, 1)], 2.0)])
    values = json.loads(json.dumps(found.to_json()))
    assert values["start_error"] == {"mean_ms": 0.0, "mean_absolute_ms": 0.0, "median_absolute_ms": 0.0}
    assert values["f1"] == 1.0
    assert json.loads(json.dumps(score_events([EventRecording([], [], 2.0)]).to_json()))["end_error"] is None


def test_no_recording_or_one_without_length_is_refused() -> None:
    with pytest.raises(DataError, match="no recording to score"):
        score_events([])
    for duration_s in (0.0, float("nan")):
        with pytest.raises(DataError, match="wanted more than 0"):
            score_events([EventRecording([], [], duration_s)])


def test_matching_takes_each_pair_of_a_long_list() -> None:
    truth = [event("a", 2 * i, 2 * i + 1) for i in range(200)]
    late = [event("a", one.start_s + 0.1, one.end_s + 0.1) for one in truth]
    matches = match_events(truth, late)
    assert sorted(match[:2] for match in matches) == list(zip(range(200), range(200), strict=True))
    assert all(one.iou >= other.iou for one, other in itertools.pairwise(matches))
