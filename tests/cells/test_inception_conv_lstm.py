"""InceptionConvLSTMCell against plain loops, and its widths."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import nn

from mudra.cells import InceptionConvLSTMCell, InceptionConvLSTMConfig, unroll
from mudra.cells.inception_conv_lstm import AfterReduction
from mudra.cells.interleave import ParallelConvs
from mudra.errors import ConfigError
from tests.cells.by_hand import Array, State, convolve
from tests.cells.kernels_by_hand import biased, elementwise, interleaved, rectify, step_from
from tests.cells.reading import as_batch, fill, numbers, random_maps

SIZE = (4, 6)


def random_cell(**values: Any) -> InceptionConvLSTMCell:
    """Three channels in; hidden channels 1, 2 and 3 of the branches 1x1, 3x3 and 5x5, which see two channels."""
    given = {"in_channels": 3, "hidden_channels": (1, 2, 3), "reduced_channels": 2} | values
    cell = InceptionConvLSTMCell(**given).double()
    fill(cell, std=0.4, seed=23)
    return cell


def convs_of(module: nn.Module) -> list[nn.Conv2d]:
    return [part for part in module.modules() if isinstance(part, nn.Conv2d)]


def sums_by_hand(side: ParallelConvs, x_CHW: Array, after: AfterReduction) -> Array:
    outputs = []
    for branch in side.branches:
        *reduction, last = convs_of(branch)
        assert len(reduction) == (0 if last.kernel_size == (1, 1) else 1)
        seen = x_CHW
        for conv in reduction:
            seen = convolve(x_CHW, numbers(conv.weight))
            assert conv.bias is None
            seen = elementwise(rectify, seen) if after == "relu" else seen
        sums = convolve(seen, numbers(last.weight))
        outputs.append(sums if last.bias is None else biased(sums, numbers(last.bias)))
    return interleaved(outputs)


@pytest.mark.parametrize("after", get_args(AfterReduction))
def test_equations_6_to_10_with_blocks_for_convolutions(after: AfterReduction) -> None:
    cell = random_cell(after_reduction=after)
    x_TCHW, start = random_maps(2, 3, *SIZE, seed=1), State(*random_maps(2, 6, *SIZE, seed=2))
    state, expected = start, []
    for x_CHW in x_TCHW:
        sums = sums_by_hand(cell.input_to_gates, x_CHW, after)
        state = step_from(sums + sums_by_hand(cell.hidden_to_gates, state.hidden_DHW, after), state)
        expected.append(state)
    for with_grad in (True, False):  # two orders of the maps in memory
        with torch.set_grad_enabled(with_grad):
            hidden_BTDHW, last = unroll(cell, torch.from_numpy(x_TCHW)[None], as_batch(start))
        np.testing.assert_allclose(hidden_BTDHW[0].detach(), [step.hidden_DHW for step in expected], atol=1e-12)
        np.testing.assert_allclose(last.memory_BDHW[0].detach(), expected[-1].memory_DHW, atol=1e-12)


def test_widths_are_a_quarter_a_half_and_a_quarter_of_reduced_maps() -> None:
    with torch.device("meta"):
        cell = InceptionConvLSTMConfig(in_channels=1024, hidden_channels=256).build()
    assert cell.hidden_channels == 256
    for side, channels in ((cell.input_to_gates, 1024), (cell.hidden_to_gates, 256)):
        shapes = [[tuple(conv.weight.shape) for conv in convs_of(branch)] for branch in side.branches]
        assert shapes == [
            [(256, channels, 1, 1)],
            [(128, channels, 1, 1), (512, 128, 3, 3)],
            [(128, channels, 1, 1), (256, 128, 5, 5)],
        ]
    biases = [conv.bias for conv in convs_of(cell) if conv.bias is not None]
    assert [len(bias) for bias in biases] == [256, 512, 256], "one for every gate and channel, and no more"


def test_batch_normalisation_follows_every_convolution() -> None:
    cell = random_cell(normalisation="batch")
    order = [type(part).__name__ for part in cell.input_to_gates.branches[2].modules() if not list(part.children())]
    assert order == ["PointwiseConv2d", "BatchNorm2d", "ReLU", "Conv2d", "BatchNorm2d"]
    assert len([part for part in cell.modules() if isinstance(part, nn.BatchNorm2d)]) == len(convs_of(cell)) == 10


def test_forget_bias_is_the_forget_gates_alone() -> None:
    cell = InceptionConvLSTMCell(in_channels=3, hidden_channels=(1, 2, 1), forget_bias=1.5)
    sums = cell.precompute(torch.zeros(1, 1, 3, 2, 2))[0]
    assert sums[0, 0, :, 0, 0].tolist() == [0.0] * 4 + [1.5] * 4 + [0.0] * 8


def test_weights_start_uniform_or_as_pytorch_has_them() -> None:
    reduction, large = convs_of(InceptionConvLSTMCell(in_channels=64, hidden_channels=64).input_to_gates.branches[1])
    for conv, fans in ((reduction, 64 + 32), (large, 9 * (32 + 32))):
        assert conv.weight.abs().max().item() == pytest.approx((6 / fans) ** 0.5, rel=0.01)
    torch.manual_seed(3)
    cell = InceptionConvLSTMCell(in_channels=3, hidden_channels=4, initialisation="pytorch")
    torch.manual_seed(3)
    assert torch.equal(next(cell.parameters()), nn.Conv2d(3, 4, 1).weight)


def test_on_the_cpu_training_alone_keeps_maps_plain_in_memory() -> None:
    cell = InceptionConvLSTMCell(in_channels=3, hidden_channels=4)
    assert not cell.wants_channels_last(torch.device("cpu"))
    assert cell.wants_channels_last(torch.device("cuda"))
    with torch.no_grad():
        assert cell.wants_channels_last(torch.device("cpu"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"after_reduction": "rel"}, "after_reduction is 'rel'"),
        ({"normalisation": "layer"}, "normalisation is 'layer'"),
        ({"initialisation": "papr"}, "initialisation is 'papr'"),
        ({"hidden_channels": (2, 3)}, "hidden_channels has 2 numbers for 3 kernels"),
        ({"hidden_channels": 2}, "too few for 3 kernels"),
    ],
)
def test_bad_arguments_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        random_cell(**values)


def test_a_cell_outside_a_network_must_be_told_its_channels() -> None:
    with pytest.raises(ConfigError, match="cell 'inception_conv_lstm': in_channels is missing"):
        InceptionConvLSTMConfig().build()
