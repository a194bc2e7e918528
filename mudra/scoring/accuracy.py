"""Accuracy of clips that each show one class: what was right, what was taken for what, and how sure that is.

Letters: N clips, T frames, K classes. Rows of `confusion_KK` are the true classes, columns the predicted ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist, fmean
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_confusion_matrix

from mudra.errors import DataError, ModelError
from mudra.scoring.calibration import Calibration, measure_calibration

LEAST_PROBABILITY = 1e-12  # keeps one clip of probability 0 from making the mean log likelihood infinite
SUM_TOLERANCE = 0.02  # bfloat16 keeps 8 bits: its softmax over many classes misses 1 by about a hundredth


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


class Confusion(NamedTuple):
    """Clips of one class that were called another.

    Args:
        label: The true class.
        predicted: What it was called.
        num_confused: How many clips that befell.
        num_clips: How many clips `label` has.
    """

    label: str
    predicted: str
    num_confused: int
    num_clips: int


class ClassScore(NamedTuple):
    """How one class fared.

    Args:
        name: The class.
        num_clips: Clips that show it.
        num_right: How many of them were named so.
        accuracy: `num_right / num_clips`, which is its recall; None without a clip.
        precision: The share of what was named so that was so; None where nothing was.
        f1: Harmonic mean of both, 0 where nothing was right; None without a clip.
        most_confused_with: The class that its clips were most often taken for; None if all were right.
        num_confused: How many of its clips were taken for that class.
    """

    name: str
    num_clips: int
    num_right: int
    accuracy: float | None
    precision: float | None
    f1: float | None
    most_confused_with: str | None
    num_confused: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """All scores of one evaluation.

    Args:
        num_clips: N.
        num_right: Clips whose most probable class was the true one.
        top1: `num_right / num_clips`.
        top5: Share of clips with the true class among the five most probable; None for five classes or fewer, where
            it would be 1 whatever the network says.
        mean_class_accuracy: Mean accuracy over the classes that have clips.
        per_class: One score per class, in the order of the classes.
        confusion_KK: int64 counts; rows are true classes, columns predicted ones.
        calibration: Confidence against accuracy.
        mean_nll: Mean of -ln(probability of the true class); probabilities below 1e-12 count as 1e-12.
        frame_top1: Share of all clips' frames that, by themselves, are taken for their clip's class; None for a network
            that does not classify frames.
    """

    num_clips: int
    num_right: int
    top1: float
    top5: float | None
    mean_class_accuracy: float
    per_class: tuple[ClassScore, ...]
    confusion_KK: Tensor
    calibration: Calibration
    mean_nll: float
    frame_top1: float | None = None

    @property
    def top1_interval(self) -> Interval:
        """The 95 % Wilson interval of `top1`; it takes the clips for independent draws."""
        return wilson_interval(self.num_right, self.num_clips)

    @property
    def empty_classes(self) -> tuple[str, ...]:
        """The classes without a clip; `mean_class_accuracy` leaves them out."""
        return tuple(one.name for one in self.per_class if one.num_clips == 0)

    @property
    def largest_class(self) -> ClassScore:
        """The class with most clips: naming it always is the least that a network must beat."""
        return max(self.per_class, key=lambda one: one.num_clips)

    def confusions(self, limit: int) -> list[Confusion]:
        """Return the most frequent confusions, the most frequent first; among equals, the larger share first."""
        names = [one.name for one in self.per_class]
        wrong_KK = self.confusion_KK.clone().fill_diagonal_(0)
        found = [
            Confusion(names[i], names[j], int(wrong_KK[i, j]), self.per_class[i].num_clips)
            for i, j in wrong_KK.nonzero().tolist()
        ]
        return sorted(found, key=lambda one: (-one.num_confused, one.num_clips))[:limit]

    def to_json(self) -> dict[str, Any]:
        """Return plain values for `json.dump`; None where a score is not defined."""
        return {
            "num_clips": self.num_clips,
            "num_right": self.num_right,
            "top1": self.top1,
            "top1_interval": list(self.top1_interval),
            "top5": self.top5,
            "frame_top1": self.frame_top1,
            "mean_class_accuracy": self.mean_class_accuracy,
            "mean_nll": self.mean_nll,
            "empty_classes": list(self.empty_classes),
            "per_class": [one._asdict() for one in self.per_class],
            "confusion": self.confusion_KK.tolist(),
            "calibration": self.calibration.to_json(),
        }


def wilson_interval(num_right: int, num_clips: int, *, confidence: float = 0.95) -> Interval:
    """Return the Wilson score interval of a share.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".

    Example:
        >>> low, high = wilson_interval(8, 10)
        >>> f"{low:.3f} {high:.3f}"
        '0.490 0.943'

    Raises:
        DataError: If there are no clips, or more right ones than clips.
    """
    if not 0 <= num_right <= num_clips or num_clips == 0:
        raise DataError(f"{num_right} right of {num_clips} clips is not a share", hint="score at least one clip")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = num_right / num_clips
    centre = share + z * z / (2 * num_clips)
    reach = z * sqrt(share * (1 - share) / num_clips + (z / (2 * num_clips)) ** 2)
    scale = 1 + z * z / num_clips
    # Rounding can pass 0 or 1 by one unit in the last place.
    return Interval(max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale))


def score_clips(
    probability_NK: Tensor, label_N: Tensor, *, class_names: Sequence[str], predicted_NT: Tensor | None = None
) -> Scores:
    """Score the probabilities of N clips against their labels.

    Args:
        probability_NK: Probabilities, each row summing to 1, any float type, any device.
        label_N: int64 indices of the true classes.
        class_names: One name per column.
        predicted_NT: int64 indices of what each frame by itself is taken for, where the network says so.

    Raises:
        DataError: If there is no clip, or labels are missing or out of range.
        ModelError: If there are fewer than two classes, names and columns differ in number, the rows are no
            probabilities, or the frames are of other clips.

    Example:
        >>> probability_NK = torch.tensor([[0.7, 0.3], [0.6, 0.4], [0.2, 0.8], [0.1, 0.9]])
        >>> scores = score_clips(probability_NK, torch.tensor([0, 1, 1, 1]), class_names=["grab", "pinch"])
        >>> scores.top1, round(scores.mean_class_accuracy, 3)
        (0.75, 0.833)
        >>> scores.confusions(1)
        [Confusion(label='pinch', predicted='grab', num_confused=1, num_clips=3)]
    """
    probability_NK, label_N = probability_NK.detach().cpu().double(), label_N.detach().cpu()
    _check_shapes(probability_NK, label_N, class_names)
    _check_values(probability_NK, label_N)
    num_clips, num_classes = probability_NK.shape
    confusion_KK = multiclass_confusion_matrix(probability_NK.argmax(dim=1), label_N, num_classes=num_classes).long()
    per_class = tuple(_score_class(confusion_KK, k, class_names) for k in range(num_classes))
    num_right = int(confusion_KK.trace())
    truth_N = probability_NK.gather(1, label_N[:, None])[:, 0]
    return Scores(
        num_clips=num_clips,
        num_right=num_right,
        top1=num_right / num_clips,
        top5=_score_top5(probability_NK, label_N) if num_classes > 5 else None,
        mean_class_accuracy=fmean(one.accuracy for one in per_class if one.accuracy is not None),
        per_class=per_class,
        confusion_KK=confusion_KK,
        calibration=measure_calibration(probability_NK, label_N),
        mean_nll=float(-truth_N.clamp(min=LEAST_PROBABILITY).log().mean()),
        frame_top1=None if predicted_NT is None else _score_frames(predicted_NT.detach().cpu(), label_N),
    )


def _score_frames(predicted_NT: Tensor, label_N: Tensor) -> float:
    if predicted_NT.ndim != 2 or len(predicted_NT) != len(label_N) or not predicted_NT.numel():
        raise ModelError(
            f"predictions of frames have shape {tuple(predicted_NT.shape)} for {len(label_N)} clips, "
            f"wanted ({len(label_N)}, frames)"
        )
    return float((predicted_NT == label_N[:, None]).double().mean())


def _score_top5(probability_NK: Tensor, label_N: Tensor) -> float:
    num_classes = probability_NK.shape[1]
    return float(multiclass_accuracy(probability_NK, label_N, num_classes=num_classes, top_k=5, average="micro"))


def _score_class(confusion_KK: Tensor, k: int, class_names: Sequence[str]) -> ClassScore:
    # From the matrix and not from torchmetrics, which gives 0 where a score is not defined.
    num_clips, num_named = int(confusion_KK[k].sum()), int(confusion_KK[:, k].sum())
    num_right = int(confusion_KK[k, k])
    wrong_K = confusion_KK[k].clone()
    wrong_K[k] = 0
    num_confused, other = int(wrong_K.max()), int(wrong_K.argmax())
    return ClassScore(
        name=class_names[k],
        num_clips=num_clips,
        num_right=num_right,
        accuracy=num_right / num_clips if num_clips else None,
        precision=num_right / num_named if num_named else None,
        f1=2 * num_right / (num_clips + num_named) if num_clips else None,
        most_confused_with=class_names[other] if num_confused else None,
        num_confused=num_confused,
    )


def _check_shapes(probability_NK: Tensor, label_N: Tensor, class_names: Sequence[str]) -> None:
    if probability_NK.ndim != 2 or len(probability_NK) == 0:
        raise DataError(
            f"probabilities have shape {tuple(probability_NK.shape)}, wanted (clips, classes) with at least one clip",
            hint="choose a split that has clips",
        )
    if label_N.shape != probability_NK.shape[:1]:
        raise DataError(
            f"labels have shape {tuple(label_N.shape)} for {len(probability_NK)} clips, wanted one for each"
        )
    num_classes = probability_NK.shape[1]
    if num_classes < 2:
        raise ModelError("the network knows one class, and with one class nothing can be wrong", hint="use two or more")
    if num_classes != len(class_names):
        raise ModelError(
            f"{num_classes} probabilities per clip but {len(class_names)} class names",
            hint="take the class names from the run that made the probabilities",
        )


def _check_values(probability_NK: Tensor, label_N: Tensor) -> None:
    num_classes = probability_NK.shape[1]
    if label_N.dtype != torch.int64:
        raise DataError(f"labels are {label_N.dtype}, wanted torch.int64 class indices")
    if label_N.min() < 0 or label_N.max() >= num_classes:
        raise DataError(
            f"labels span {int(label_N.min())} to {int(label_N.max())}, wanted 0 to {num_classes - 1}",
            hint="score with the data set, or the list of classes, that the network was trained on",
        )
    off_N = (probability_NK.sum(dim=1) - 1).abs()
    # Written so that a nan counts as wrong.
    wrong_N = ~((off_N <= SUM_TOLERANCE) & (probability_NK >= -1e-6).all(dim=1))
    if wrong_N.any():
        row = int(wrong_N.nonzero()[0])
        first = ", ".join(f"{value:.3g}" for value in probability_NK[row, :4].tolist())
        raise ModelError(
            f"row {row} ({first}, ...) sums to {float(probability_NK[row].sum()):.4g}: no probabilities",
            hint="apply softmax to logits; nan comes from a network whose training diverged",
        )
