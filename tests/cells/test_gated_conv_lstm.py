"""GatedConvLSTMCell against its equations written out in plain loops, and its unusual initialisation."""

from __future__ import annotations

import itertools
import math
import typing

import numpy as np
import pytest
import torch
from torch import nn

from mudra.cells import GateActivation, GatedConvLSTMCell, GatedConvLSTMConfig, MapState, unroll
from mudra.cells.cell import TRUNCATED_NORMAL_STD
from mudra.errors import ConfigError
from tests.cells.by_hand import GATES, Array, CandidateWeights, GateWeights, State, gated_step, pool

NAMES = "ifo"
ACTIVATIONS: tuple[GateActivation, ...] = typing.get_args(GateActivation)


def random_cell(activation: GateActivation, *, kernel_size: int = 3) -> GatedConvLSTMCell:
    """A cell in double precision, another random number in every place."""
    cell = GatedConvLSTMCell(
        in_channels=3, hidden_channels=2, kernel_size=kernel_size, gate_activation=activation
    ).double()
    generator = torch.Generator().manual_seed(12)
    for parameter in cell.parameters():
        torch.nn.init.normal_(parameter, std=1.0, generator=generator)
    return cell


def numbers(tensor: torch.Tensor | None) -> Array:
    assert tensor is not None
    return tensor.detach().numpy()


def convolutions(part: nn.Sequential) -> tuple[nn.Conv2d, nn.Conv2d]:
    depthwise, pointwise = part
    assert isinstance(depthwise, nn.Conv2d)
    assert isinstance(pointwise, nn.Conv2d)
    return depthwise, pointwise


def gates_of(cell: GatedConvLSTMCell) -> dict[str, GateWeights]:
    count = cell.hidden_channels
    arrays = [numbers(t) for t in (cell.input_to_gates.weight, cell.hidden_to_gates.weight, cell.input_to_gates.bias)]
    return {
        name: GateWeights(*(array[index * count : (index + 1) * count] for array in arrays))
        for index, name in enumerate(NAMES)
    }


def candidate_of(cell: GatedConvLSTMCell) -> CandidateWeights:
    input_depthwise, input_pointwise = convolutions(cell.input_to_candidate)
    hidden_depthwise, hidden_pointwise = convolutions(cell.hidden_to_candidate)
    return CandidateWeights(
        numbers(input_depthwise.weight)[:, 0],
        numbers(input_pointwise.weight)[:, :, 0, 0],
        numbers(hidden_depthwise.weight)[:, 0],
        numbers(hidden_pointwise.weight)[:, :, 0, 0],
        numbers(input_pointwise.bias),
    )


def run_by_hand(
    x_TCHW: Array, state: State, gates: dict[str, GateWeights], candidate: CandidateWeights, activation: str
) -> list[State]:
    states = []
    for x_CHW in x_TCHW:
        state = gated_step(x_CHW, state, gates, candidate, GATES[activation])
        states.append(state)
    return states


def random_maps(*shape: int, seed: int) -> Array:
    # Not centred, so that pooled maps differ from zero.
    return np.random.default_rng(seed).normal(loc=0.7, size=shape)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kernel_size", [3, 5])
def test_equations_8_to_15(activation: GateActivation, kernel_size: int) -> None:
    cell = random_cell(activation, kernel_size=kernel_size)
    x_TCHW, start = random_maps(3, 3, 4, 5, seed=1), State(*random_maps(2, 2, 4, 5, seed=2))
    given = MapState(*(torch.from_numpy(part)[None] for part in start))
    hidden_BTDHW, state = unroll(cell, torch.from_numpy(x_TCHW)[None], given)
    expected = run_by_hand(x_TCHW, start, gates_of(cell), candidate_of(cell), activation)
    np.testing.assert_allclose(hidden_BTDHW[0].detach(), [step.hidden_DHW for step in expected], atol=1e-12)
    np.testing.assert_allclose(state.memory_BDHW[0].detach(), expected[-1].memory_DHW, atol=1e-12)


@pytest.mark.parametrize("pair", list(itertools.combinations(NAMES, 2)), ids="".join)
def test_the_equations_see_two_gates_swapped(pair: tuple[str, str]) -> None:
    cell = random_cell("sigmoid")
    x_TCHW, start = random_maps(2, 3, 4, 5, seed=1), State(*random_maps(2, 2, 4, 5, seed=2))
    gates = gates_of(cell)
    gates[pair[0]], gates[pair[1]] = gates[pair[1]], gates[pair[0]]
    given = MapState(*(torch.from_numpy(part)[None] for part in start))
    hidden_BTDHW, _ = unroll(cell, torch.from_numpy(x_TCHW)[None], given)
    swapped = run_by_hand(x_TCHW, start, gates, candidate_of(cell), "sigmoid")[-1].hidden_DHW
    assert np.abs(hidden_BTDHW[0, -1].detach().numpy() - swapped).max() > 1e-2


def test_the_inside_of_a_step_is_what_the_step_is_made_of() -> None:
    cell, x_BTCHW = random_cell("sigmoid"), torch.from_numpy(random_maps(1, 1, 3, 4, 5, seed=1))
    before = MapState(*(torch.from_numpy(part)[None] for part in State(*random_maps(2, 2, 4, 5, seed=2))))
    gates_BTE, candidate_BTDHW = cell.precompute(x_BTCHW)
    inside = cell.inspect((gates_BTE[:, 0], candidate_BTDHW[:, 0]), before)
    gates = [inside.pop(name) for name in ("input_gate", "forget_gate", "output_gate")]
    assert list(inside) == ["candidate"]
    assert inside["candidate"].shape == (1, 2, 4, 5)
    x_C, hidden_D = pool(x_BTCHW[0, 0].numpy()), pool(before.hidden_BDHW[0].numpy())
    for name, opening in zip(NAMES, gates, strict=True):
        weights = gates_of(cell)[name]
        sums = weights.from_input_DC @ x_C + weights.from_hidden_DD @ hidden_D + weights.bias_D
        assert opening.shape == (1, 2, 1, 1)
        np.testing.assert_allclose(opening.detach().flatten(), 1 / (1 + np.exp(-sums)), atol=1e-12)


def test_gate_weights_start_at_one_over_their_channels() -> None:
    cell = GatedConvLSTMCell(in_channels=4, hidden_channels=8)
    assert cell.input_to_gates.weight.eq(1 / 4).all()
    assert cell.hidden_to_gates.weight.eq(1 / 8).all()
    assert cell.input_to_gates.bias.count_nonzero() == 0
    assert cell.hidden_to_gates.bias is None


def test_convolutions_are_he_normal_with_the_depthwise_fan_in_over_all_channels() -> None:
    cell = GatedConvLSTMCell(in_channels=256, hidden_channels=128)
    for part, channels in ((cell.input_to_candidate, 256), (cell.hidden_to_candidate, 128)):
        depthwise, pointwise = convolutions(part)
        for weight, fan_in in ((depthwise.weight, 9 * channels), (pointwise.weight, channels)):
            std = math.sqrt(2 / fan_in)
            assert weight.std().item() == pytest.approx(std, rel=0.06)
            assert weight.abs().max().item() <= 2 * std / TRUNCATED_NORMAL_STD * 1.0001
    input_bias, hidden_bias = convolutions(cell.input_to_candidate)[1].bias, cell.hidden_to_candidate[1].bias
    assert input_bias is not None
    assert input_bias.count_nonzero() == 0
    assert hidden_bias is None


def test_pytorch_initialisation_leaves_the_layers_alone() -> None:
    torch.manual_seed(3)
    cell = GatedConvLSTMCell(in_channels=4, hidden_channels=8, initialisation="pytorch")
    torch.manual_seed(3)
    assert torch.equal(cell.input_to_gates.weight, nn.Linear(4, 24).weight)
    assert cell.input_to_gates.bias.count_nonzero() == 24


def test_forget_bias_is_the_forget_gates_alone() -> None:
    cell = GatedConvLSTMCell(in_channels=3, hidden_channels=4, forget_bias=1.5)
    assert cell.input_to_gates.bias.tolist() == [0.0] * 4 + [1.5] * 4 + [0.0] * 4


def test_weights_of_table_1() -> None:
    with torch.device("meta"):
        cell = GatedConvLSTMConfig(in_channels=256).build()
    assert sum(parameter.numel() for parameter in cell.parameters() if parameter.ndim > 1) == 528_896
    assert sum(parameter.numel() for parameter in cell.parameters() if parameter.ndim == 1) == 1_024


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ConfigError, match="kernel_size is 2, wanted an odd number"):
        GatedConvLSTMCell(in_channels=3, hidden_channels=4, kernel_size=2)


def test_a_cell_outside_a_network_must_be_told_its_channels() -> None:
    with pytest.raises(ConfigError, match="cell 'gated_conv_lstm': in_channels is missing"):
        GatedConvLSTMConfig().build()
