"""Consensus: every frame is classified by itself, and the clip's logits are the mean of its frames'.

Source: Wang et al. 2016, arXiv:1608.00859, section 3.1 (the segmental consensus), as Lin et al. 2019, Wang et al. 2021
and Fan et al. 2021 use it; the first values of the dense layer after their released code.
Differs: nothing.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from mudra.config import Config

WEIGHT_STD = 0.001  # of the released code of Lin et al. 2019


class ConsensusConfig(Config):
    """Logits of every frame, then their mean."""

    kind: Literal["consensus"] = "consensus"

    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Probability that a feature of a frame is dropped in training."""

    def build(self, in_channels: int, num_classes: int) -> Consensus:
        """Return the head for maps of `in_channels` channels."""
        return Consensus(in_channels=in_channels, num_classes=num_classes, dropout=self.dropout)


class Consensus(nn.Module):
    """maps_BTCHW into logits_BK.

    Args:
        in_channels: Channels of the maps (C).
        num_classes: Classes (K).
        dropout: Probability that a feature of a frame is dropped in training.

    Example:
        >>> import torch
        >>> head = Consensus(in_channels=8, num_classes=5)
        >>> head(torch.zeros(2, 4, 8, 3, 3)).shape, head.classify_frames(torch.zeros(2, 4, 8, 3, 3)).shape
        (torch.Size([2, 5]), torch.Size([2, 4, 5]))
    """

    def __init__(self, *, in_channels: int, num_classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(in_channels, num_classes)
        nn.init.normal_(self.dense.weight, std=WEIGHT_STD)
        nn.init.zeros_(self.dense.bias)

    def forward(self, maps_BTCHW: Tensor) -> Tensor:
        return self.classify_frames(maps_BTCHW).mean(dim=1)

    def classify_frames(self, maps_BTCHW: Tensor) -> Tensor:
        """Return logits_BTK, those of every frame."""
        logits_BTK: Tensor = self.dense(self.dropout(maps_BTCHW.mean(dim=(3, 4))))
        return logits_BTK
