"""Mean Jaccard: how far the frames that are said to show a gesture are those that do.

Source: Pigou et al. 2015, arXiv:1506.01911, equations 7 and 8; the ChaLearn Looking at People challenge 2014.

    J_sn  = |A_sn and B_sn| / |A_sn or B_sn|        A: frames of class n in sequence s, B: frames predicted so
    J_avg = mean over sequences s of (mean of J_sn over the classes that count)

Three answers are in use to which classes count, and they lie far apart:

    gt_classes    those that the sequence truly has. The challenge's released evaluator does so, and published numbers
                  are made with it: a class that is predicted where it never occurs costs nothing.
    union         those that it truly has or that are predicted in it, as the challenge's page says: such a class
                  scores 0.
    all_classes   all N of them, equation 8 as it is printed: an absent class scores 0 even if nothing is predicted, so
                  that perfect predictions do not reach 1.

Differs: a sequence in which no class counts has no score and is left out of the mean over sequences.

Letters: S frames of a sequence, K classes of gestures; "no gesture" is no class here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from torch import Tensor, where

from mudra.errors import DataError


class MeanJaccard(NamedTuple):
    """The three definitions side by side; None where no class counts.

    Args:
        gt_classes: Over the classes in the ground truth: what published numbers are.
        union: Over the classes in the ground truth or in the predictions.
        all_classes: Over all classes, absent ones scoring 0.
    """

    gt_classes: float | None
    union: float | None
    all_classes: float | None


@dataclass(frozen=True, kw_only=True, eq=False)
class SequenceJaccard:
    """The Jaccard index of each class in one sequence.

    Args:
        jaccard_K: float64; 0 for a class that is absent from truth and predictions.
        is_true_K: Whether the truth has the class, bool.
        is_predicted_K: Whether it is predicted in any frame, bool.
    """

    jaccard_K: Tensor
    is_true_K: Tensor
    is_predicted_K: Tensor

    @property
    def means(self) -> MeanJaccard:
        """The mean over the classes, in the three definitions."""
        return MeanJaccard(
            gt_classes=_mean(self.jaccard_K[self.is_true_K]),
            union=_mean(self.jaccard_K[self.is_true_K | self.is_predicted_K]),
            all_classes=_mean(self.jaccard_K),
        )


def measure_jaccard(truth_SK: Tensor, predicted_SK: Tensor) -> SequenceJaccard:
    """Compare one sequence's predictions with its truth, class by class.

    Args:
        truth_SK: Which classes each frame shows, bool; `mark_frames` makes it.
        predicted_SK: Which it is said to show, bool; several at once are allowed.

    Raises:
        DataError: If the shapes differ or are not (frames, classes).

    Example:
        >>> from mudra.scoring.span import FrameSpan, mark_frames
        >>> truth_SK = mark_frames([FrameSpan(0, 0, 10)], num_frames=40, num_classes=20)
        >>> predicted_SK = mark_frames([FrameSpan(0, 0, 5), FrameSpan(1, 20, 30)], num_frames=40, num_classes=20)
        >>> measure_jaccard(truth_SK, predicted_SK).means
        MeanJaccard(gt_classes=0.5, union=0.25, all_classes=0.025)
    """
    if truth_SK.ndim != 2 or truth_SK.shape != predicted_SK.shape:
        raise DataError(
            f"truth has shape {tuple(truth_SK.shape)}, predictions {tuple(predicted_SK.shape)}; "
            "wanted the same (frames, classes) for both"
        )
    truth_SK, predicted_SK = truth_SK.bool(), predicted_SK.bool()
    shared_K = (truth_SK & predicted_SK).sum(dim=0).double()
    either_K = (truth_SK | predicted_SK).sum(dim=0).double()
    return SequenceJaccard(
        jaccard_K=where(either_K > 0, shared_K / either_K.clamp(min=1), 0.0),
        is_true_K=truth_SK.any(dim=0),
        is_predicted_K=predicted_SK.any(dim=0),
    )


def average_jaccard(sequences: Sequence[SequenceJaccard]) -> MeanJaccard:
    """Return the mean over sequences of each sequence's mean.

    Raises:
        DataError: If there is no sequence.
    """
    if not sequences:
        raise DataError("no sequence to average over", hint="score at least one")
    columns = zip(*(one.means for one in sequences), strict=True)
    return MeanJaccard(*(mean_of_known(column) for column in columns))


def _mean(jaccard_K: Tensor) -> float | None:
    return float(jaccard_K.mean()) if len(jaccard_K) else None


def mean_of_known(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values that are not None; None where there is none."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
