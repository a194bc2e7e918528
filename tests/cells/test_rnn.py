"""RNN: its equation rewritten by hand, PyTorch's own RNN for the activations that it knows, and how weights start."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from mudra.cells import RNNCell, unroll_vectors
from mudra.cells.rnn import Activation
from mudra.cells.vector_cell import unroll_steps
from mudra.errors import ConfigError
from tests.cells.vectors_by_hand import leaky_relu, run_rnn

ACTIVATIONS = {"leaky_relu": leaky_relu, "tanh": math.tanh, "relu": lambda x: max(x, 0.0)}


def build(activation: Activation) -> RNNCell:
    cell = RNNCell(in_features=3, hidden_features=4, activation=activation).double()
    generator = torch.Generator().manual_seed(3)
    for parameter in cell.parameters():
        nn.init.normal_(parameter, std=0.6, generator=generator)
    return cell


def random_vectors(num_frames: int = 4) -> torch.Tensor:
    return torch.randn(2, num_frames, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("activation", ["leaky_relu", "tanh", "relu"])
def test_it_is_its_equation(activation: Activation) -> None:
    cell, x_BTC = build(activation), random_vectors()
    hidden_BTD, state = unroll_vectors(cell, x_BTC)
    for clip in range(2):
        expected_TD = run_rnn(
            x_BTC[clip].numpy(),
            cell.input_to_hidden.weight.detach().numpy(),
            cell.hidden_to_hidden.weight.detach().numpy(),
            cell.input_to_hidden.bias.detach().numpy(),
            ACTIVATIONS[activation],
        )
        torch.testing.assert_close(hidden_BTD[clip].detach(), torch.from_numpy(expected_TD), rtol=1e-12, atol=1e-12)
    assert state.memory_BD.shape == (2, 0)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_pytorchs_kernel_and_single_steps_agree_with_their_gradients(activation: Activation) -> None:
    cell, outcomes = build(activation), []
    for fused in (True, False):
        x_BTC = random_vectors(7).requires_grad_()
        state = cell.initial_state(x_BTC[:, 0])
        unrolled = cell.unroll_fused(x_BTC, state) if fused else unroll_steps(cell, x_BTC, state, None)
        assert unrolled is not None
        loss = unrolled.hidden_BTD.sin().sum() + unrolled.state.hidden_BD.square().sum()
        outcomes.append((*unrolled.state, *torch.autograd.grad(loss, [x_BTC, *cell.parameters()])))
    torch.testing.assert_close(outcomes[0], outcomes[1], rtol=1e-12, atol=1e-12)


def test_pytorch_has_no_kernel_for_the_papers_activation() -> None:
    cell = build("leaky_relu")
    assert cell.unroll_fused(random_vectors(), cell.initial_state(random_vectors()[:, 0])) is None


def test_it_starts_as_the_paper_says() -> None:
    cell = RNNCell(in_features=9, hidden_features=6)
    for layer in (cell.input_to_hidden, cell.hidden_to_hidden):
        weight = layer.weight.detach()
        torch.testing.assert_close(weight @ weight.T, torch.eye(6), rtol=0, atol=1e-5)
    assert torch.equal(cell.input_to_hidden.bias.detach(), torch.full((6,), 0.1))


def test_it_starts_as_pytorchs_on_request() -> None:
    cell = RNNCell(in_features=9, hidden_features=64, initialisation="pytorch")
    for parameter in cell.parameters():
        assert 0.08 < parameter.abs().max().item() <= 64**-0.5
    assert cell.input_to_hidden.bias.unique().numel() == 64


@pytest.mark.parametrize(("name", "value"), [("activation", "tanhh"), ("initialisation", "papers")])
def test_an_unknown_choice_is_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"{name} is '{value}'\n  hint: did you mean '{value[:-1]}'\?"):
        RNNCell(in_features=3, hidden_features=4, **{name: value})  # type: ignore[arg-type]
