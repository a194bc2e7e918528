"""Consensus: the mean of every frame's logits, first values, dropout."""

from __future__ import annotations

import torch
from torch import nn

from mudra.heads import Consensus, ConsensusConfig


def random_maps() -> torch.Tensor:
    return torch.randn(2, 3, 8, 4, 5, generator=torch.Generator().manual_seed(1))


def test_it_is_the_mean_of_the_frames_logits() -> None:
    head, maps = Consensus(in_channels=8, num_classes=5), random_maps()
    nn.init.normal_(head.dense.bias)
    frames_BTK = torch.stack([head.dense(maps[:, t].mean(dim=(2, 3))) for t in range(3)], dim=1)
    torch.testing.assert_close(head.classify_frames(maps), frames_BTK)
    torch.testing.assert_close(head(maps), frames_BTK.mean(dim=1))


def test_it_starts_small() -> None:
    torch.manual_seed(0)
    dense = Consensus(in_channels=512, num_classes=100).dense
    assert abs(dense.weight.std().item() - 0.001) < 2e-5
    assert dense.bias.count_nonzero() == 0


def test_features_of_frames_are_dropped_in_training_alone() -> None:
    head, ones = ConsensusConfig(dropout=0.75).build(400, 3), torch.ones(1, 2, 400, 1, 1)
    nn.init.ones_(head.dense.weight)
    torch.manual_seed(0)
    first, second = head.train().classify_frames(ones)[0, :, 0].tolist()
    assert first != second  # each frame by itself
    assert head.eval()(ones)[0, 0].item() == 400.0
