"""OutputGateAttentionConvLSTMCell against its equations in plain loops, and its attention under extreme scores."""

from __future__ import annotations

import typing

import numpy as np
import pytest
import torch
from torch import nn

from mudra.cells import GateActivation, OutputGateAttentionConvLSTMCell, OutputGateAttentionConvLSTMConfig, unroll
from mudra.errors import ConfigError
from tests.cells.by_hand import GATES, Array, GateWeights, State, attention_of_channels, gate_attention_step
from tests.cells.reading import as_batch, fill, gates_of, random_maps, score_of, transition_of

NAMES = "if"
ACTIVATIONS: tuple[GateActivation, ...] = typing.get_args(GateActivation)
START = State(*random_maps(2, 2, 4, 5, seed=2))


def random_cell(activation: GateActivation = "sigmoid", *, kernel_size: int = 3) -> OutputGateAttentionConvLSTMCell:
    cell = OutputGateAttentionConvLSTMCell(
        in_channels=3, hidden_channels=2, kernel_size=kernel_size, gate_activation=activation
    ).double()
    fill(cell, std=0.8, seed=14)
    return cell


def run_by_hand(
    cell: OutputGateAttentionConvLSTMCell, x_TCHW: Array, gates: dict[str, GateWeights], activation: str
) -> list[State]:
    states, state = [], START
    parts = transition_of(cell, "candidate"), transition_of(cell, "attention"), score_of(cell)
    for x_CHW in x_TCHW:
        state = gate_attention_step(x_CHW, state, gates, *parts, GATES[activation])
        states.append(state)
    return states


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kernel_size", [3, 5])
def test_equations_21_to_23_and_8_to_15(activation: GateActivation, kernel_size: int) -> None:
    cell = random_cell(activation, kernel_size=kernel_size)
    x_TCHW = random_maps(3, 3, 4, 5, seed=1)
    hidden_BTDHW, state = unroll(cell, torch.from_numpy(x_TCHW)[None], as_batch(START))
    expected = run_by_hand(cell, x_TCHW, gates_of(cell, NAMES), activation)
    np.testing.assert_allclose(hidden_BTDHW[0].detach(), [step.hidden_DHW for step in expected], atol=1e-12)
    np.testing.assert_allclose(state.memory_BDHW[0].detach(), expected[-1].memory_DHW, atol=1e-12)


@pytest.mark.parametrize("taken_for", ["fi", "of", "io"])
def test_the_equations_see_gates_taken_for_each_other(taken_for: str) -> None:
    # Names in another order, or another gate as the attention.
    cell, x_TCHW = random_cell(), random_maps(2, 3, 4, 5, seed=1)
    hidden_BTDHW, _ = unroll(cell, torch.from_numpy(x_TCHW)[None], as_batch(START))
    wrong = run_by_hand(cell, x_TCHW, gates_of(cell, taken_for), "sigmoid")[-1].hidden_DHW
    assert np.abs(hidden_BTDHW[0, -1].detach().numpy() - wrong).max() > 1e-2


def inspect(cell: OutputGateAttentionConvLSTMCell, x_BCHW: torch.Tensor) -> dict[str, torch.Tensor]:
    from_input = tuple(part[:, 0] for part in cell.precompute(x_BCHW[:, None]))
    return cell.inspect(from_input, as_batch(START))


def test_attention_is_that_of_equations_21_and_22_and_is_the_gate() -> None:
    cell, x_CHW = random_cell(), random_maps(3, 4, 5, seed=1)
    inside = inspect(cell, torch.from_numpy(x_CHW)[None])
    expected_DHW = attention_of_channels(x_CHW, START, transition_of(cell, "attention"), score_of(cell))
    np.testing.assert_allclose(inside["attention"][0].detach(), expected_DHW, atol=1e-12)
    assert inside["attention"] is inside["output_gate"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("factor", [1.0, 1e4])
def test_the_greatest_is_exactly_1_in_every_channel_of_every_clip(dtype: torch.dtype, factor: float) -> None:
    cell = OutputGateAttentionConvLSTMCell(in_channels=3, hidden_channels=6).to(dtype)
    fill(cell, std=1.0, seed=14)
    with torch.no_grad():
        cell.attention_to_score[1].weight.mul_(factor)
    x_BTCHW = torch.randn(4, 1, 3, 6, 5, generator=torch.Generator().manual_seed(3)).to(dtype)
    from_input = tuple(part[:, 0] for part in cell.precompute(x_BTCHW))
    attention_BDHW = cell.inspect(from_input, cell.step(x_BTCHW[:, 0]))["attention"]
    assert attention_BDHW.shape == (4, 6, 6, 5)
    assert attention_BDHW.amax(dim=(-2, -1)).eq(1).all()
    assert attention_BDHW.min() >= 0
    assert (attention_BDHW == 1).sum() < attention_BDHW.numel() // 4


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_scores_of_ten_thousand_stay_finite_and_so_do_gradients(dtype: torch.dtype) -> None:
    cell = OutputGateAttentionConvLSTMCell(in_channels=3, hidden_channels=2).to(dtype)
    fill(cell, std=1.0, seed=14)
    with torch.no_grad():
        cell.attention_to_score[1].weight.mul_(1e4)
    x_BTCHW = torch.randn(2, 3, 3, 4, 5, generator=torch.Generator().manual_seed(3)).to(dtype).requires_grad_()
    from_input = tuple(part[:, 0] for part in cell.precompute(x_BTCHW))
    hidden = cell.initial_state(x_BTCHW[:, 0])
    scores = cell.attention_to_score((from_input[2] + cell.hidden_to_attention(hidden.hidden_BDHW)).tanh())
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
        **dict.fromkeys(("candidate", "attention", "output_gate"), (1, 2, 4, 5)),
    }
    memory = inside["forget_gate"] * as_batch(START).memory_BDHW + inside["input_gate"] * inside["candidate"]
    after = cell.step(x_BCHW, as_batch(START))
    torch.testing.assert_close(after.memory_BDHW, memory)
    torch.testing.assert_close(after.hidden_BDHW, inside["output_gate"] * memory.tanh())


def test_forget_bias_is_the_forget_gates_alone() -> None:
    cell = OutputGateAttentionConvLSTMCell(in_channels=3, hidden_channels=4, forget_bias=1.5)
    assert cell.input_to_gates.bias.tolist() == [0.0] * 4 + [1.5] * 4


def test_it_starts_as_the_paper_or_as_pytorch() -> None:
    cell = OutputGateAttentionConvLSTMCell(in_channels=4, hidden_channels=8)
    assert cell.input_to_gates.weight.eq(1 / 4).all()
    assert cell.hidden_to_gates.weight.eq(1 / 8).all()
    torch.manual_seed(3)
    cell = OutputGateAttentionConvLSTMCell(in_channels=4, hidden_channels=8, initialisation="pytorch")
    torch.manual_seed(3)
    assert torch.equal(cell.input_to_gates.weight, nn.Linear(4, 16).weight)


def test_weights_of_table_1() -> None:
    with torch.device("meta"):
        cell = OutputGateAttentionConvLSTMConfig(in_channels=256).build()
    assert sum(parameter.numel() for parameter in cell.parameters() if parameter.ndim > 1) == 601_344
    assert sum(parameter.numel() for parameter in cell.parameters() if parameter.ndim == 1) == 1_024


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ConfigError, match="kernel_size is 2, wanted an odd number"):
        OutputGateAttentionConvLSTMCell(in_channels=3, hidden_channels=4, kernel_size=2)
    with pytest.raises(ConfigError, match="initialisation is 'papers'"):
        OutputGateAttentionConvLSTMCell(in_channels=3, hidden_channels=4, initialisation="papers")  # type: ignore[arg-type]


def test_a_cell_outside_a_network_must_be_told_its_channels() -> None:
    with pytest.raises(ConfigError, match="cell 'output_gate_attention_conv_lstm': in_channels is missing"):
        OutputGateAttentionConvLSTMConfig().build()
