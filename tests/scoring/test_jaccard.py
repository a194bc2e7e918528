from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mudra.datasets.montalbano_labels import pair_samples, read_label_rows, read_sample_facts
from mudra.errors import DataError
from mudra.scoring import FrameSpan, MeanJaccard, SequenceJaccard, average_jaccard, mark_frames, measure_jaccard

repeatably = settings(max_examples=100, deadline=None, derandomize=True, database=None)

NUM_CLASSES = 3
NUM_FRAMES = 12

Sets = list[set[int]]  # the frames of each class

frame_sets = st.lists(
    st.sets(st.integers(0, NUM_FRAMES - 1), max_size=NUM_FRAMES), min_size=NUM_CLASSES, max_size=NUM_CLASSES
)


def as_marks(sets: Sets) -> torch.Tensor:
    return torch.tensor([[frame in frames for frames in sets] for frame in range(NUM_FRAMES)])


def by_sets(truth: Sets, predicted: Sets) -> MeanJaccard:
    """The three definitions in exact fractions of sets, each written out by itself."""
    indices = [
        Fraction(len(a & b), len(a | b)) if a | b else Fraction(0) for a, b in zip(truth, predicted, strict=True)
    ]

    def mean(counts: list[bool]) -> float | None:
        chosen = list(itertools.compress(indices, counts))
        return float(sum(chosen) / len(chosen)) if chosen else None

    return MeanJaccard(
        mean([bool(a) for a in truth]),
        mean([bool(a or b) for a, b in zip(truth, predicted, strict=True)]),
        mean([True] * len(truth)),
    )


def measure(truth: Sets, predicted: Sets) -> SequenceJaccard:
    return measure_jaccard(as_marks(truth), as_marks(predicted))


@repeatably
@given(frame_sets, frame_sets)
def test_it_is_the_definition_on_sets(truth: Sets, predicted: Sets) -> None:
    for found, wanted in zip(measure(truth, predicted).means, by_sets(truth, predicted), strict=True):
        assert found == (None if wanted is None else pytest.approx(wanted, abs=1e-12))


@repeatably
@given(frame_sets, frame_sets)
def test_union_is_symmetric_and_the_order_of_the_definitions_holds(truth: Sets, predicted: Sets) -> None:
    means, swapped = measure(truth, predicted).means, measure(predicted, truth).means
    assert (means.union, means.all_classes) == (swapped.union, swapped.all_classes)
    if means.gt_classes is not None and means.union is not None and means.all_classes is not None:
        assert 0 <= means.all_classes <= means.union + 1e-12
        assert means.union <= means.gt_classes + 1e-12 <= 1 + 1e-9


@repeatably
@given(frame_sets)
def test_perfect_predictions_score_1(truth: Sets) -> None:
    num_present = sum(map(bool, truth))
    means = measure(truth, truth).means
    assert means.gt_classes == means.union == (1 if num_present else None)
    assert means.all_classes == pytest.approx(num_present / NUM_CLASSES)


def test_a_class_that_never_occurs_costs_in_union_alone() -> None:
    truth = [set(range(4)), set(), set()]
    clean, noisy = measure(truth, truth).means, measure(truth, [set(range(4)), {5}, set()]).means
    assert noisy == MeanJaccard(gt_classes=1.0, union=0.5, all_classes=pytest.approx(1 / 3))
    assert clean.gt_classes == noisy.gt_classes
    assert clean.union == 1.0


def test_the_mean_over_sequences_weighs_each_the_same() -> None:
    one = measure([{0}, {1}, {2}], [{0}, set(), set()])  # 1/3 over three classes
    other = measure([{0, 1}, set(), set()], [{0}, set(), set()])  # 1/2 over one
    assert average_jaccard([one, other]).gt_classes == pytest.approx((1 / 3 + 1 / 2) / 2)


def test_a_sequence_without_any_class_is_left_out() -> None:
    nothing, half = measure([set()] * 3, [set()] * 3), measure([{0, 1}, set(), set()], [{0}, set(), set()])
    assert nothing.means == MeanJaccard(None, None, 0.0)
    assert average_jaccard([nothing, half]) == MeanJaccard(0.5, 0.5, pytest.approx(1 / 12))
    assert average_jaccard([nothing]) == MeanJaccard(None, None, 0.0)


def test_no_sequence_is_refused() -> None:
    with pytest.raises(DataError, match="no sequence to average over"):
        average_jaccard([])


@pytest.mark.parametrize("shape", [(12, 2), (11, 3), (12,)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"wanted the same \(frames, classes\)"):
        measure_jaccard(torch.zeros(12, 3, dtype=torch.bool), torch.zeros(shape, dtype=torch.bool))
    with pytest.raises(DataError, match=r"wanted the same \(frames, classes\)"):
        measure_jaccard(torch.zeros(shape, dtype=torch.bool), torch.zeros(12, 3, dtype=torch.bool))


@pytest.mark.real
def test_real_truth_shifted_by_frames_scores_as_plain_slices_do(shared_data: Path) -> None:
    """Every 23rd sequence, all gestures k frames late, against a rewriting with ranges of frame numbers."""
    folder = shared_data / "montalbano" / "ground_truth"
    samples = pair_samples(folder, folder).samples[::23]
    for shift, wanted_range in ((1, (0.93, 0.96)), (5, (0.74, 0.79)), (10, (0.55, 0.61))):
        scores, by_hand = [], []
        for sample in samples:
            num_frames = read_sample_facts(sample.facts).num_frames
            spans = [FrameSpan(*row) for row in read_label_rows(sample.labels)]
            late = [FrameSpan(k, min(a + shift, num_frames), b + shift) for k, a, b in spans]
            truth_SK, late_SK = (mark_frames(s, num_frames=num_frames, num_classes=20) for s in (spans, late))
            scores.append(measure_jaccard(truth_SK, late_SK))
            of_class = [
                (
                    {f for k, a, b in spans if k == n for f in range(a, b)},
                    {f for k, a, b in spans if k == n for f in range(a + shift, min(b + shift, num_frames))},
                )
                for n in {k for k, _, _ in spans}
            ]
            by_hand.append(sum(len(a & b) / len(a | b) for a, b in of_class) / len(of_class))
        found = average_jaccard(scores).gt_classes
        assert found == pytest.approx(sum(by_hand) / len(by_hand), abs=1e-12)
        assert found is not None
        assert wanted_range[0] < found < wanted_range[1]
