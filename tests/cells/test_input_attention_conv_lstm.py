"""InputAttentionConvLSTMCell against its equations written out in plain loops, and its map under extreme scores."""

from __future__ import annotations

import itertools
import typing

import numpy as np
import pytest
import torch
from torch import nn

from mudra.cells import GateActivation, InputAttentionConvLSTMCell, InputAttentionConvLSTMConfig, unroll
from mudra.errors import ConfigError
from tests.cells.by_hand import GATES, Array, GateWeights, State, attention_over_map, input_attention_step
from tests.cells.reading import as_batch, fill, gates_of, numbers, random_maps, transition_of

NAMES = "ifo"
ACTIVATIONS: tuple[GateActivation, ...] = typing.get_args(GateActivation)
START = State(*random_maps(2, 2, 4, 5, seed=2))


def random_cell(activation: GateActivation = "sigmoid", *, kernel_size: int = 3) -> InputAttentionConvLSTMCell:
    cell = InputAttentionConvLSTMCell(
        in_channels=3, hidden_channels=2, kernel_size=kernel_size, gate_activation=activation
    ).double()
    fill(cell, std=1.0, seed=13)
    return cell


def run_by_hand(
    cell: InputAttentionConvLSTMCell, x_TCHW: Array, gates: dict[str, GateWeights], activation: str
) -> list[State]:
    states, state = [], START
    parts = transition_of(cell, "candidate"), transition_of(cell, "attention")
    for x_CHW in x_TCHW:
        score_DKK = numbers(cell.attention_to_score.weight)[0]
        state = input_attention_step(x_CHW, state, gates, *parts, score_DKK, GATES[activation])
        states.append(state)
    return states


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kernel_size", [3, 5])
def test_equations_17_to_19_and_8_to_15(activation: GateActivation, kernel_size: int) -> None:
    cell = random_cell(activation, kernel_size=kernel_size)
    # Large frames: the map divides what the gates see by about the number of places.
    x_TCHW = 9 * random_maps(3, 3, 4, 5, seed=1)
    hidden_BTDHW, state = unroll(cell, torch.from_numpy(x_TCHW)[None], as_batch(START))
    expected = run_by_hand(cell, x_TCHW, gates_of(cell, NAMES), activation)
    np.testing.assert_allclose(hidden_BTDHW[0].detach(), [step.hidden_DHW for step in expected], atol=1e-12)
    np.testing.assert_allclose(state.memory_BDHW[0].detach(), expected[-1].memory_DHW, atol=1e-12)


@pytest.mark.parametrize("pair", list(itertools.combinations(NAMES, 2)), ids="".join)
def test_the_equations_see_two_gates_swapped(pair: tuple[str, str]) -> None:
    cell, x_TCHW = random_cell(), 9 * random_maps(2, 3, 4, 5, seed=1)
    gates = gates_of(cell, NAMES)
    gates[pair[0]], gates[pair[1]] = gates[pair[1]], gates[pair[0]]
    hidden_BTDHW, _ = unroll(cell, torch.from_numpy(x_TCHW)[None], as_batch(START))
    swapped = run_by_hand(cell, x_TCHW, gates, "sigmoid")[-1].hidden_DHW
    assert np.abs(hidden_BTDHW[0, -1].detach().numpy() - swapped).max() > 1e-2


def inspect(cell: InputAttentionConvLSTMCell, x_BCHW: torch.Tensor) -> dict[str, torch.Tensor]:
    from_input = tuple(part[:, 0] for part in cell.precompute(x_BCHW[:, None]))
    return cell.inspect(from_input, as_batch(START))


def test_the_map_is_that_of_equations_17_and_18_and_sums_to_1() -> None:
    cell, x_CHW = random_cell(), random_maps(3, 4, 5, seed=1)
    attention_B1HW = inspect(cell, torch.from_numpy(x_CHW)[None])["attention"].detach()
    assert attention_B1HW.shape == (1, 1, 4, 5)
    assert attention_B1HW.sum().item() == pytest.approx(1.0, abs=1e-12)
    score_DKK = numbers(cell.attention_to_score.weight)[0]
    expected_HW = attention_over_map(x_CHW, START, transition_of(cell, "attention"), score_DKK)
    np.testing.assert_allclose(attention_B1HW[0, 0], expected_HW, atol=1e-12)


def test_the_map_sums_to_1_in_every_clip_by_itself() -> None:
    cell = InputAttentionConvLSTMCell(in_channels=3, hidden_channels=2)
    fill(cell, std=1.0, seed=13)
    x_BTCHW = torch.randn(4, 1, 3, 6, 5, generator=torch.Generator().manual_seed(3))
    state = cell.step(x_BTCHW[:, 0])
    from_input = tuple(part[:, 0] for part in cell.precompute(x_BTCHW))
    sums = cell.inspect(from_input, state)["attention"].sum(dim=(1, 2, 3))
    torch.testing.assert_close(sums, torch.ones(4))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_scores_of_ten_thousand_stay_finite_and_so_do_gradients(dtype: torch.dtype) -> None:
    cell = InputAttentionConvLSTMCell(in_channels=3, hidden_channels=2).to(dtype)
    fill(cell, std=1.0, seed=13)
    with torch.no_grad():
        cell.attention_to_score.weight.mul_(1e4)
    x_BTCHW = torch.randn(2, 3, 3, 4, 5, generator=torch.Generator().manual_seed(3)).to(dtype).requires_grad_()
    from_input = tuple(part[:, 0] for part in cell.precompute(x_BTCHW))
    hidden = cell.initial_state(x_BTCHW[:, 0])
    scores = cell.attention_to_score((from_input[1] + cell.hidden_to_attention(hidden.hidden_BDHW)).tanh())
    assert scores.max() > 1e4
    assert scores.min() < -1e4
    hidden_BTDHW, _ = unroll(cell, x_BTCHW)
    hidden_BTDHW.square().sum().backward()
    assert hidden_BTDHW.isfinite().all()
    gradients = [x_BTCHW.grad, *(parameter.grad for parameter in cell.parameters())]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


def test_what_a_step_consists_of_makes_the_step() -> None:
    cell, x_BCHW = random_cell(), torch.from_numpy(random_maps(1, 3, 4, 5, seed=1))
    inside = inspect(cell, x_BCHW)
    assert {name: tuple(part.shape) for name, part in inside.items()} == {
        **dict.fromkeys(("input_gate", "forget_gate", "output_gate"), (1, 2, 1, 1)),
        "candidate": (1, 2, 4, 5),
        "attention": (1, 1, 4, 5),
    }
    memory = inside["forget_gate"] * as_batch(START).memory_BDHW + inside["input_gate"] * inside["candidate"]
    after = cell.step(x_BCHW, as_batch(START))
    torch.testing.assert_close(after.memory_BDHW, memory)
    torch.testing.assert_close(after.hidden_BDHW, inside["output_gate"] * memory.tanh())


def test_forget_bias_is_the_forget_gates_alone() -> None:
    cell = InputAttentionConvLSTMCell(in_channels=3, hidden_channels=4, forget_bias=1.5)
    assert cell.input_to_gates.bias.tolist() == [0.0] * 4 + [1.5] * 4 + [0.0] * 4


def test_it_starts_as_the_paper_or_as_pytorch() -> None:
    cell = InputAttentionConvLSTMCell(in_channels=4, hidden_channels=8)
    assert cell.input_to_gates.weight.eq(1 / 4).all()
    assert cell.hidden_to_gates.weight.eq(1 / 8).all()
    torch.manual_seed(3)
    cell = InputAttentionConvLSTMCell(in_channels=4, hidden_channels=8, initialisation="pytorch")
    torch.manual_seed(3)
    assert torch.equal(cell.input_to_gates.weight, nn.Linear(4, 24).weight)


def test_weights_of_table_1() -> None:
    with torch.device("meta"):
        cell = InputAttentionConvLSTMConfig(in_channels=256).build()
    assert sum(parameter.numel() for parameter in cell.parameters() if parameter.ndim > 1) == 666_880
    assert sum(parameter.numel() for parameter in cell.parameters() if parameter.ndim == 1) == 1_280


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ConfigError, match="kernel_size is 2, wanted an odd number"):
        InputAttentionConvLSTMCell(in_channels=3, hidden_channels=4, kernel_size=2)
    with pytest.raises(ConfigError, match="gate_activation is 'sigmod'"):
        InputAttentionConvLSTMCell(in_channels=3, hidden_channels=4, gate_activation="sigmod")  # type: ignore[arg-type]


def test_a_cell_outside_a_network_must_be_told_its_channels() -> None:
    with pytest.raises(ConfigError, match="cell 'input_attention_conv_lstm': in_channels is missing"):
        InputAttentionConvLSTMConfig().build()
