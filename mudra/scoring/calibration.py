"""Calibration: whether a network that says 0.8 is right in eight of ten cases.

Source: Guo et al. 2017, arXiv:1706.04599, equations 2 and 3.

    ECE = sum over bins m of (num_clips_m / num_clips) * |accuracy_m - confidence_m|

The confidence of a clip is the probability of its most probable class. Bins have equal widths.

Differs: a bin holds its lower edge and not its upper one, as torchmetrics has it (the last bin holds 1 as well).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torchmetrics.functional.classification import multiclass_calibration_error

NUM_BINS = 15  # Guo et al. 2017, section 5
_BELOW_ONE = 1 - 1e-9


class CalibrationBin(NamedTuple):
    """The clips whose confidence lies in [low, high).

    Args:
        low, high: Edges of the bin, probabilities.
        num_clips: How many clips fell into it.
        confidence: Their mean confidence; None where there is no clip.
        accuracy: The share of them that was right; None where there is no clip.
    """

    low: float
    high: float
    num_clips: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How far confidence and accuracy lie apart.

    Args:
        expected_error: Expected calibration error, in [0, 1]; 0 is perfect.
        mean_confidence: Mean over all clips; above the accuracy, the network is too sure of itself.
        bins: Equal widths from 0 to 1, ascending, empty ones included.
    """

    expected_error: float
    mean_confidence: float
    bins: tuple[CalibrationBin, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values for `json.dump`; None for the means of empty bins."""
        return {
            "expected_error": self.expected_error,
            "mean_confidence": self.mean_confidence,
            "bins": [one._asdict() for one in self.bins],
        }


def measure_calibration(probability_NK: Tensor, label_N: Tensor, *, num_bins: int = NUM_BINS) -> Calibration:
    """Sort clips by confidence and compare confidence with accuracy.

    Args:
        probability_NK: Probabilities in [0, 1], one row for each of N clips, N at least 1.
        label_N: int64 indices of the true classes.
        num_bins: How many bins.

    Example:
        >>> sure_but_half_right = torch.tensor([[0.9, 0.1], [0.9, 0.1]])
        >>> round(measure_calibration(sure_but_half_right, torch.tensor([0, 1])).expected_error, 3)
        0.4
    """
    # torchmetrics would put a confidence of exactly 1 into a bin of its own, and take a value above 1 for a logit.
    probability_NK = probability_NK.double().clamp(0, _BELOW_ONE)
    confidence_N, predicted_N = probability_NK.max(dim=1)
    edges = torch.linspace(0, 1, num_bins + 1, dtype=torch.float64)
    bin_N = torch.bucketize(confidence_N, edges, right=True) - 1
    right_N = predicted_N == label_N
    error = multiclass_calibration_error(
        probability_NK, label_N, num_classes=probability_NK.shape[1], n_bins=num_bins, norm="l1"
    )
    return Calibration(
        expected_error=float(error),
        mean_confidence=float(confidence_N.mean()),
        bins=tuple(
            _summarise(confidence_N[bin_N == m], right_N[bin_N == m], low=float(edges[m]), high=float(edges[m + 1]))
            for m in range(num_bins)
        ),
    )


def _summarise(confidence_N: Tensor, right_N: Tensor, *, low: float, high: float) -> CalibrationBin:
    if len(right_N) == 0:
        return CalibrationBin(low, high, 0, None, None)
    return CalibrationBin(low, high, len(right_N), float(confidence_N.mean()), float(right_N.double().mean()))
