"""ConvTop: the published layers and sizes, its units against the formula, and steps that stay apart."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from mudra.backbones import ConvTop, ConvTopConfig
from mudra.errors import ConfigError


def test_layers_are_those_of_the_published_network() -> None:
    top = ConvTop(in_channels=768)
    weights = [p.numel() for p in top.parameters() if p.ndim > 1]
    assert weights == [9 * 768 * 128, 9 * 128 * 256, 9 * 256 * 256]
    with torch.no_grad():
        assert top(torch.zeros(1, 1, 768, 28, 28)).shape == (1, 1, 256, 4, 4)


def test_units_are_their_formula() -> None:
    top = ConvTop(in_channels=3, width=1.0, channels=(5, 4)).double().eval()
    generator = torch.Generator().manual_seed(1)
    for parameter in top.parameters():
        nn.init.uniform_(parameter, -0.5, 0.5, generator=generator)
    x_BTCHW = torch.randn(2, 3, 3, 6, 5, generator=generator, dtype=torch.float64)
    maps = x_BTCHW.flatten(0, 1)
    for unit in top.units:
        conv, norm = unit[0], unit[1]
        maps = functional.conv2d(maps, conv.weight, padding=1) / math.sqrt(1 + norm.eps)
        maps = (maps * norm.weight.view(-1, 1, 1) + norm.bias.view(-1, 1, 1)).clamp(min=0)
        height, width = -(-maps.shape[2] // 2), -(-maps.shape[3] // 2)
        # Zeros behind the ends cannot win against what a ReLU lets through.
        padded = functional.pad(maps, (0, 2 * width - maps.shape[3], 0, 2 * height - maps.shape[2]))
        maps = padded.unflatten(2, (height, 2)).unflatten(4, (width, 2)).amax(dim=(3, 5))
    torch.testing.assert_close(top(x_BTCHW).flatten(0, 1), maps)


def test_steps_stay_apart() -> None:
    top = ConvTop(in_channels=4, width=0.125).double().eval()
    x_BTCHW = torch.randn(2, 3, 4, 9, 9, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    whole = top(x_BTCHW)
    for t in range(3):
        torch.testing.assert_close(whole[:, t : t + 1], top(x_BTCHW[:, t : t + 1]))


def test_weights_start_he_normal_and_momentum_is_as_asked() -> None:
    top = ConvTop(in_channels=768, norm_momentum=0.3)
    assert top.units[0][0].weight.std().item() == pytest.approx(math.sqrt(2 / (9 * 768)), rel=0.01)
    assert {module.momentum for module in top.modules() if isinstance(module, nn.BatchNorm2d)} == {0.3}


def test_no_units_at_all_are_refused() -> None:
    with pytest.raises(ConfigError, match="key 'channels' got"):
        ConvTopConfig.from_mapping({"channels": []})
