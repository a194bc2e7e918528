"""Pointwise top: one product per place, normalised; channels as many as come in or as told."""

from __future__ import annotations

import torch
from torch import nn

from mudra.backbones import PointwiseTop, PointwiseTopConfig


def test_it_is_its_formula() -> None:
    top = PointwiseTop(in_channels=3, channels=16, width=0.5).double().eval()
    generator = torch.Generator().manual_seed(3)
    for parameter in top.parameters():
        nn.init.uniform_(parameter, -0.5, 1.0, generator=generator)
    top.norm.running_mean.copy_(torch.arange(8.0))
    top.norm.running_var.copy_(torch.arange(1.0, 9.0))
    x_BTCHW = torch.randn(2, 3, 3, 4, 5, generator=generator, dtype=torch.float64)
    summed = torch.einsum("dc,btchw->btdhw", top.conv.weight[:, :, 0, 0], x_BTCHW)
    mean, deviation = torch.arange(8.0).double(), (torch.arange(1.0, 9.0).double() + 1e-3).sqrt()
    mean, deviation, weight, bias = (
        values.view(1, 1, 8, 1, 1) for values in (mean, deviation, top.norm.weight, top.norm.bias)
    )
    torch.testing.assert_close(top(x_BTCHW), ((summed - mean) / deviation * weight + bias).clamp(min=0))


def test_channels_are_those_that_come_in_unless_told() -> None:
    assert PointwiseTop(in_channels=24, width=0.5).out_channels == 24
    assert PointwiseTopConfig(channels=64, width=0.5).build(24).out_channels == 32


def test_normalisation_momentum_is_as_asked() -> None:
    assert PointwiseTop(in_channels=8, norm_momentum=0.3).norm.momentum == 0.3
