"""ConvLSTMCell against its equations written out in plain loops, and against torch's LSTM on maps of one cell."""

from __future__ import annotations

import itertools
import math
import typing

import numpy as np
import pytest
import torch

from mudra.cells import ConvLSTMCell, ConvLSTMConfig, GateActivation, MapState, unroll
from mudra.cells.cell import TRUNCATED_NORMAL_STD
from mudra.errors import ConfigError
from tests.cells.by_hand import GATES, Array, PlainWeights, State, convolve, plain_step

NAMES = "ifoG"
ACTIVATIONS: tuple[GateActivation, ...] = typing.get_args(GateActivation)


def random_cell(activation: GateActivation, *, kernel_size: int = 3) -> ConvLSTMCell:
    """A cell in double precision, another random number in every place; wide enough that hard gates saturate."""
    cell = ConvLSTMCell(in_channels=3, hidden_channels=2, kernel_size=kernel_size, gate_activation=activation).double()
    generator = torch.Generator().manual_seed(11)
    for parameter in cell.parameters():
        torch.nn.init.normal_(parameter, std=0.6, generator=generator)
    return cell


def weights_of(cell: ConvLSTMCell) -> dict[str, PlainWeights]:
    count = cell.hidden_channels
    tensors = cell.input_to_gates.weight, cell.hidden_to_gates.weight, cell.input_to_gates.bias
    arrays = [tensor.detach().numpy() for tensor in tensors if tensor is not None]
    return {
        name: PlainWeights(*(array[index * count : (index + 1) * count] for array in arrays))
        for index, name in enumerate(NAMES)
    }


def run_by_hand(x_TCHW: Array, state: State, weights: dict[str, PlainWeights], activation: str) -> list[State]:
    states = []
    for x_CHW in x_TCHW:
        state = plain_step(x_CHW, state, weights, GATES[activation])
        states.append(state)
    return states


def random_maps(*shape: int, seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kernel_size", [3, 5])
def test_equations_1_to_6(activation: GateActivation, kernel_size: int) -> None:
    cell = random_cell(activation, kernel_size=kernel_size)
    x_TCHW, start = random_maps(3, 3, 4, 5, seed=1), State(*random_maps(2, 2, 4, 5, seed=2))
    given = MapState(*(torch.from_numpy(part)[None] for part in start))
    hidden_BTDHW, state = unroll(cell, torch.from_numpy(x_TCHW)[None], given)
    expected = run_by_hand(x_TCHW, start, weights_of(cell), activation)
    np.testing.assert_allclose(hidden_BTDHW[0].detach(), [step.hidden_DHW for step in expected], atol=1e-12)
    np.testing.assert_allclose(state.memory_BDHW[0].detach(), expected[-1].memory_DHW, atol=1e-12)


@pytest.mark.parametrize("pair", list(itertools.combinations(NAMES, 2)), ids="".join)
def test_the_equations_see_two_gates_swapped(pair: tuple[str, str]) -> None:
    cell = random_cell("sigmoid")
    x_TCHW, start = random_maps(2, 3, 4, 5, seed=1), State(*random_maps(2, 2, 4, 5, seed=2))
    weights = weights_of(cell)
    weights[pair[0]], weights[pair[1]] = weights[pair[1]], weights[pair[0]]
    given = MapState(*(torch.from_numpy(part)[None] for part in start))
    hidden_BTDHW, _ = unroll(cell, torch.from_numpy(x_TCHW)[None], given)
    swapped = run_by_hand(x_TCHW, start, weights, "sigmoid")[-1].hidden_DHW
    assert np.abs(hidden_BTDHW[0, -1].detach().numpy() - swapped).max() > 1e-2


def test_the_inside_of_a_step_is_what_the_step_is_made_of() -> None:
    cell, x_BTCHW = random_cell("sigmoid"), torch.from_numpy(random_maps(1, 1, 3, 4, 5, seed=1))
    before = MapState(*(torch.from_numpy(part)[None] for part in State(*random_maps(2, 2, 4, 5, seed=2))))
    inside = cell.inspect((cell.precompute(x_BTCHW)[0][:, 0],), before)
    assert {name: tuple(part.shape) for name, part in inside.items()} == dict.fromkeys(
        ("input_gate", "forget_gate", "output_gate", "candidate"), (1, 2, 4, 5)
    )
    weights = weights_of(cell)
    for name, part in zip(NAMES, inside.values(), strict=True):
        sums = convolve(x_BTCHW[0, 0].numpy(), weights[name].from_input_DCKK)
        sums += convolve(before.hidden_BDHW[0].numpy(), weights[name].from_hidden_DDKK)
        sums += weights[name].bias_D[:, None, None]
        expected = np.tanh(sums) if name == "G" else 1 / (1 + np.exp(-sums))
        np.testing.assert_allclose(part[0].detach(), expected, atol=1e-12)


def test_on_the_cpu_training_alone_keeps_maps_plain_in_memory() -> None:
    cell = ConvLSTMCell(in_channels=3, hidden_channels=4)
    assert not cell.wants_channels_last(torch.device("cpu"))
    assert cell.wants_channels_last(torch.device("cuda"))
    with torch.no_grad():
        assert cell.wants_channels_last(torch.device("cpu"))


def test_one_by_one_kernels_on_maps_of_one_cell_are_torch_lstm() -> None:
    cell = random_cell("sigmoid", kernel_size=1)
    reference = torch.nn.LSTMCell(3, 2, dtype=torch.float64)
    # torch orders its gates i, f, g, o.
    rows = torch.tensor([0, 1, 2, 3, 6, 7, 4, 5])
    bias = cell.input_to_gates.bias
    assert bias is not None
    with torch.no_grad():
        reference.weight_ih.copy_(cell.input_to_gates.weight[rows, :, 0, 0])
        reference.weight_hh.copy_(cell.hidden_to_gates.weight[rows, :, 0, 0])
        reference.bias_ih.copy_(bias[rows])
        reference.bias_hh.zero_()
    x_BTC = torch.from_numpy(random_maps(4, 3, 3, seed=5))
    hidden, memory = torch.zeros(2, 4, 2, dtype=torch.float64)
    for x_BC in x_BTC.unbind(dim=1):
        hidden, memory = reference(x_BC, (hidden, memory))
    state = unroll(cell, x_BTC[..., None, None]).state
    torch.testing.assert_close(state.hidden_BDHW[..., 0, 0], hidden)
    torch.testing.assert_close(state.memory_BDHW[..., 0, 0], memory)


def test_paper_initialisation_is_he_normal_cut_off_with_zero_bias() -> None:
    cell = ConvLSTMCell(in_channels=64, hidden_channels=32)
    for conv, channels in ((cell.input_to_gates, 64), (cell.hidden_to_gates, 32)):
        std = math.sqrt(2 / (9 * channels))
        assert conv.weight.std().item() == pytest.approx(std, rel=0.03)
        assert conv.weight.abs().max().item() <= 2 * std / TRUNCATED_NORMAL_STD * 1.0001
    assert cell.input_to_gates.bias is not None
    assert cell.input_to_gates.bias.count_nonzero() == 0


def test_pytorch_initialisation_leaves_the_layers_alone() -> None:
    torch.manual_seed(3)
    cell = ConvLSTMCell(in_channels=3, hidden_channels=4, initialisation="pytorch")
    torch.manual_seed(3)
    conv = torch.nn.Conv2d(3, 16, 3)
    assert torch.equal(cell.input_to_gates.weight, conv.weight)
    assert cell.input_to_gates.bias is not None
    assert cell.input_to_gates.bias.count_nonzero() == 16


def test_forget_bias_is_the_forget_gates_alone() -> None:
    bias = ConvLSTMCell(in_channels=3, hidden_channels=4, forget_bias=1.5).input_to_gates.bias
    assert bias is not None
    assert bias.tolist() == [0.0] * 4 + [1.5] * 4 + [0.0] * 8


def test_weights_of_table_1() -> None:
    with torch.device("meta"):
        cell = ConvLSTMConfig(in_channels=256).build()
    assert sum(parameter.numel() for parameter in cell.parameters() if parameter.ndim > 1) == 4_718_592
    assert sum(parameter.numel() for parameter in cell.parameters() if parameter.ndim == 1) == 1_024


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ConfigError, match="kernel_size is 4, wanted an odd number"):
        ConvLSTMCell(in_channels=3, hidden_channels=4, kernel_size=4)


def test_a_cell_outside_a_network_must_be_told_its_channels() -> None:
    with pytest.raises(ConfigError, match="cell 'conv_lstm': in_channels is missing"):
        ConvLSTMConfig().build()
