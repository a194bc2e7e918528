"""Mean classifier: average over time and space, then one dense layer.

Source: Zhang et al. 2018, figure 1; the order of mean and dense layer after its released code. With a linear layer the
mean of the features and the mean of the logits are the same; the mean of the probabilities is not.
Differs: `dropout` before the dense layer, 0 as in the paper unless asked for.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from mudra.config import Config


class MeanClassifierConfig(Config):
    """Average over time and space, then one dense layer."""

    kind: Literal["mean_classifier"] = "mean_classifier"

    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Probability that a feature is dropped in training."""

    def build(self, in_channels: int, num_classes: int) -> MeanClassifier:
        """Return the head for maps of `in_channels` channels."""
        return MeanClassifier(in_channels=in_channels, num_classes=num_classes, dropout=self.dropout)


class MeanClassifier(nn.Module):
    """maps_BTCHW into logits_BK.

    Args:
        in_channels: Channels of the maps (C).
        num_classes: Classes (K).
        dropout: Probability that a feature is dropped in training.

    Example:
        >>> import torch
        >>> MeanClassifier(in_channels=8, num_classes=5)(torch.zeros(2, 4, 8, 3, 3)).shape
        torch.Size([2, 5])
    """

    def __init__(self, *, in_channels: int, num_classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(in_channels, num_classes)
        nn.init.xavier_uniform_(self.dense.weight)
        nn.init.zeros_(self.dense.bias)

    def forward(self, maps_BTCHW: Tensor) -> Tensor:
        logits: Tensor = self.dense(self.dropout(maps_BTCHW.mean(dim=(1, 3, 4))))
        return logits
