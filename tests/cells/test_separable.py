"""Separable convolutions, and the unusual start of the cells made of them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from mudra.cells import InputAttentionConvLSTMCell
from mudra.cells.cell import TRUNCATED_NORMAL_STD
from mudra.cells.separable import build_separable, init_as_paper
from tests.cells.by_hand import convolve_separably
from tests.cells.reading import convolutions, numbers, random_maps


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_every_channel_by_itself_and_then_sums(kernel_size: int) -> None:
    part = build_separable(3, 2, kernel_size, bias=False).double()
    depthwise, pointwise = convolutions(part)
    x_CHW = random_maps(3, 4, 5, seed=6)
    expected = convolve_separably(x_CHW, numbers(depthwise.weight)[:, 0], numbers(pointwise.weight)[:, :, 0, 0])
    torch.testing.assert_close(part(torch.from_numpy(x_CHW)[None])[0], torch.from_numpy(expected))


def test_only_the_second_half_has_a_bias_if_any() -> None:
    for bias in (False, True):
        depthwise, pointwise = convolutions(build_separable(3, 2, 3, bias=bias))
        assert depthwise.bias is None
        assert (pointwise.bias is not None) is bias


def test_every_part_of_a_cell_starts_as_the_papers_code_has_it() -> None:
    cell = InputAttentionConvLSTMCell(in_channels=256, hidden_channels=128)
    for target in ("candidate", "attention"):
        for source, channels in (("input", 256), ("hidden", 128)):
            depthwise, pointwise = convolutions(cell.get_submodule(f"{source}_to_{target}"))
            # The fan-in of a depthwise kernel counts every input channel.
            check_he_normal(depthwise.weight, fan_in=9 * channels)
            check_he_normal(pointwise.weight, fan_in=channels)
            assert pointwise.bias is None or pointwise.bias.count_nonzero() == 0
    check_he_normal(cell.attention_to_score.weight, fan_in=9 * 128)
    assert cell.input_to_gates.weight.eq(1 / 256).all()
    assert cell.hidden_to_gates.weight.eq(1 / 128).all()
    assert cell.input_to_gates.bias.count_nonzero() == 0


def check_he_normal(weight: torch.Tensor, *, fan_in: int) -> None:
    std = math.sqrt(2 / fan_in)
    assert weight.std().item() == pytest.approx(std, rel=0.08)
    assert abs(weight.mean().item()) < 0.1 * std
    assert weight.abs().max().item() <= 2 * std / TRUNCATED_NORMAL_STD * 1.0001


def test_other_layers_are_left_alone() -> None:
    module = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 1))
    init_as_paper(module)
    assert module[0].weight.tolist() == [1.0] * 3
    assert module[1].bias.tolist() == [0.0] * 4
