"""Windows of frames with one answer: how the steps that a backbone leaves of a window become one row of features.

Source: Pigou et al. 2015, figure 1 (b), temporal pooling: mean and maximum; (d), temporal convolutions: all in one row.
Differs: `flatten` takes windows of another length too, averaged to the steps of its own.
"""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveInt
from torch import Tensor
from torch.nn import functional

from mudra.config import Config


class WindowConfig(Config):
    """How the frames of a window become one answer, about its middle frame."""

    num_frames: PositiveInt = 32
    """Frames of a window; the answer is that of frame (num_frames - 1) // 2, counted from 0."""
    pooling: Literal["mean", "max", "flatten"] = "mean"
    """Over the steps that the backbone leaves: their mean, their largest values, or all of them side by side."""

    def count_rows(self, time_stride: int) -> int:
        """Return how many steps' features stand side by side in the pooled row.

        Args:
            time_stride: Frames of one step of the backbone.

        Example:
            >>> WindowConfig(num_frames=32, pooling="flatten").count_rows(16), WindowConfig().count_rows(16)
            (2, 1)
        """
        return -(-self.num_frames // time_stride) if self.pooling == "flatten" else 1


def pool_window(features_BTC: Tensor, window: WindowConfig, *, num_rows: int) -> Tensor:
    """Return one row of features for all steps of a window, shape (B, 1, C).

    Args:
        features_BTC: Features of every step.
        window: How.
        num_rows: Of how many steps the row is made where they stand side by side; of others they are averaged to these.
    """
    if window.pooling == "mean":
        return features_BTC.mean(dim=1, keepdim=True)
    if window.pooling == "max":
        return features_BTC.amax(dim=1, keepdim=True)
    if features_BTC.shape[1] != num_rows:
        steps_BCT = functional.adaptive_avg_pool1d(features_BTC.transpose(1, 2), num_rows)
        features_BTC = steps_BCT.transpose(1, 2)
    return features_BTC.flatten(1).unsqueeze(1)
