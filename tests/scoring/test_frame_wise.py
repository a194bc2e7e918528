from __future__ import annotations

import json
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.classification import multilabel_precision, multilabel_recall

from mudra.errors import DataError
from mudra.scoring import FrameScores, FrameSequence, FrameSpan, find_spans, mark_frames, score_frames
from mudra.scoring.frame_wise import vote

repeatably = settings(max_examples=100, deadline=None, derandomize=True, database=None)

NAMES = ["ok", "stop", "wave"]

labels = st.lists(st.integers(0, 3), min_size=1, max_size=30)


def as_sequence(truth: list[int], predicted: list[int], name: str = "a") -> FrameSequence:
    """Labels per frame, 0 for no gesture and 1 to 3 for the classes."""
    spans = [
        [FrameSpan(span.label - 1, *span[1:]) for span in find_spans(torch.tensor(row), idle=0)]
        for row in (truth, predicted)
    ]
    return FrameSequence(name, len(truth), *spans)


def score(*pairs: tuple[list[int], list[int]]) -> FrameScores:
    return score_frames([as_sequence(*pair) for pair in pairs], class_names=NAMES)


def test_counts_by_hand() -> None:
    scores = score(([0, 1, 1, 1, 1, 0, 2, 2], [0, 0, 1, 1, 0, 0, 3, 2]), ([1, 1, 0, 0], [1, 1, 1, 0]))
    ok, stop, wave = scores.per_class
    assert (ok.num_sequences, ok.num_frames, ok.num_segments) == (2, 6, 2)
    assert (ok.precision, ok.recall) == (pytest.approx(4 / 5), pytest.approx(4 / 6))
    assert ok.jaccard == pytest.approx((2 / 4 + 2 / 3) / 2)
    assert ok.error_rate == 0.5  # in the first, no gesture has as many frames
    assert (stop.precision, stop.recall, stop.error_rate) == (1.0, 0.5, 0.0)  # of equals, the first class wins
    assert wave == ("wave", 0, 0, None, 0.0, None, 0, None)
    assert scores.precision == pytest.approx((4 / 5 + 1 + 0) / 3)
    assert scores.recall == pytest.approx((4 / 6 + 0.5) / 2)
    assert scores.error_rate == pytest.approx(1 / 3)
    first, second = scores.per_sequence
    assert (first.num_frames, first.num_segments, first.num_wrong) == (8, 2, 1)
    assert first.gt_classes == pytest.approx((2 / 4 + 1 / 2) / 2)
    assert first.union == pytest.approx((2 / 4 + 1 / 2 + 0) / 3)
    assert (second.num_segments, second.num_wrong) == (1, 0)


@repeatably
@given(st.lists(st.tuples(labels, labels), min_size=1, max_size=3))
def test_precision_and_recall_are_those_of_torchmetrics(pairs: list[tuple[list[int], list[int]]]) -> None:
    cut = [(one[: len(other)], other[: len(one)]) for one, other in pairs]
    scores = score(*cut)
    sequences = [as_sequence(*pair) for pair in cut]
    truth_SK, predicted_SK = (
        torch.cat([mark_frames(one[column], num_frames=one.num_frames, num_classes=3) for one in sequences]).int()
        for column in (2, 3)
    )
    precision_K = multilabel_precision(predicted_SK, truth_SK, num_labels=3, average="none")
    recall_K = multilabel_recall(predicted_SK, truth_SK, num_labels=3, average="none")
    for k, one in enumerate(scores.per_class):
        assert one.precision is None or one.precision == pytest.approx(float(precision_K[k]), abs=1e-6)
        assert (one.precision is None) == (not truth_SK[:, k].any() and not predicted_SK[:, k].any())
        assert one.recall is None or one.recall == pytest.approx(float(recall_K[k]), abs=1e-6)
        assert (one.recall is None) == (not truth_SK[:, k].any())


@repeatably
@given(st.tuples(labels, labels))
def test_the_error_rate_is_the_vote_written_out(pair: tuple[list[int], list[int]]) -> None:
    truth, predicted = pair[0][: len(pair[1])], pair[1][: len(pair[0])]
    wrong = []
    for span in find_spans(torch.tensor(truth), idle=0):
        counts = Counter(predicted[span.start_frame : span.end_frame])
        wrong.append(min(counts, key=lambda k: (-counts[k], k)) != span.label)
    assert score((truth, predicted)).error_rate == (sum(wrong) / len(wrong) if wrong else None)


@repeatably
@given(labels)
def test_perfect_predictions_have_no_error(truth: list[int]) -> None:
    scores = score((truth, truth))
    wanted = 1.0 if any(truth) else None
    assert (scores.precision, scores.recall, scores.mean_jaccard.union) == (wanted, wanted, wanted)
    assert scores.error_rate == (0.0 if any(truth) else None)


def test_segments_of_one_class_end_to_end_are_two() -> None:
    sequence = FrameSequence("a", 10, [FrameSpan(0, 0, 5), FrameSpan(0, 5, 10)], [FrameSpan(0, 0, 5)])
    scores = score_frames([sequence], class_names=NAMES)
    assert (scores.per_class[0].num_segments, scores.error_rate) == (2, 0.5)


def test_several_classes_at_once_all_vote() -> None:
    predicted_SK = mark_frames([FrameSpan(0, 0, 4), FrameSpan(1, 1, 6)], num_frames=8, num_classes=3)
    assert vote(predicted_SK, FrameSpan(0, 0, 8)) == 1
    assert vote(predicted_SK, FrameSpan(0, 0, 3)) == 0
    assert vote(predicted_SK, FrameSpan(0, 6, 8)) is None


def test_json_holds_everything() -> None:
    values = json.loads(json.dumps(score(([0, 1], [0, 1])).to_json()))
    assert values["mean_jaccard"] == {"gt_classes": 1.0, "union": 1.0, "all_classes": pytest.approx(1 / 3)}
    assert (values["num_sequences"], values["num_frames"], values["num_segments"]) == (1, 2, 1)
    assert [one["name"] for one in values["per_class"]] == NAMES
    assert values["per_sequence"][0]["name"] == "a"


def test_no_sequence_is_refused() -> None:
    with pytest.raises(DataError, match="no sequence to score"):
        score_frames([], class_names=NAMES)


def test_an_unknown_label_is_refused() -> None:
    with pytest.raises(DataError, match="has label 3, wanted 0 to 2"):
        score_frames([FrameSequence("a", 4, [FrameSpan(3, 0, 1)], [])], class_names=NAMES)
