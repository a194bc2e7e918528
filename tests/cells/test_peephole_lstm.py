"""Peephole LSTM: its equations rewritten by hand, PyTorch's own LSTM without peepholes, and how weights start."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mudra.cells import PeepholeLSTMCell, PeepholeLSTMConfig, unroll_vectors
from mudra.cells.vector_cell import unroll_steps
from mudra.errors import ConfigError
from tests.cells.vectors_by_hand import run_lstm


def build(*, peepholes: bool, seed: int = 3) -> PeepholeLSTMCell:
    cell = PeepholeLSTMCell(in_features=3, hidden_features=4, peepholes=peepholes).double()
    generator = torch.Generator().manual_seed(seed)
    for parameter in cell.parameters():
        nn.init.normal_(parameter, std=0.8, generator=generator)
    return cell


def random_vectors(num_frames: int = 4) -> torch.Tensor:
    return torch.randn(2, num_frames, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("peepholes", [True, False])
def test_it_is_its_equations(peepholes: bool) -> None:
    cell, x_BTC = build(peepholes=peepholes), random_vectors()
    hidden_BTD, state = unroll_vectors(cell, x_BTC)
    for clip in range(2):
        hidden_TD, memory_D = run_lstm(
            x_BTC[clip].numpy(),
            cell.input_to_gates.weight.detach().numpy(),
            cell.hidden_to_gates.weight.detach().numpy(),
            cell.input_to_gates.bias.detach().numpy(),
            None if cell.peepholes_3D is None else cell.peepholes_3D.detach().numpy(),
        )
        torch.testing.assert_close(hidden_BTD[clip].detach(), torch.from_numpy(hidden_TD), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(state.memory_BD[clip].detach(), torch.from_numpy(memory_D), rtol=1e-12, atol=1e-12)


def test_without_peepholes_it_is_pytorchs_lstm() -> None:
    cell, reference = build(peepholes=False), nn.LSTM(3, 4, batch_first=True).double()
    with torch.no_grad():
        reference.weight_ih_l0.copy_(cell.input_to_gates.weight)
        reference.weight_hh_l0.copy_(cell.hidden_to_gates.weight)
        reference.bias_ih_l0.copy_(cell.input_to_gates.bias)
        reference.bias_hh_l0.zero_()
    hidden_BTD, state = unroll_vectors(cell, random_vectors())
    expected_BTD, (_, memory_1BD) = reference(random_vectors())
    torch.testing.assert_close(hidden_BTD, expected_BTD)
    torch.testing.assert_close(state.memory_BD, memory_1BD[0])


def test_the_output_gate_may_see_the_memory_before_the_step() -> None:
    reference, x_BTC = build(peepholes=True), random_vectors()
    cell = PeepholeLSTMConfig(in_features=3, hidden_features=4, output_peephole="before").build().double()
    cell.load_state_dict(reference.state_dict())
    hidden_BTD, state = unroll_vectors(cell, x_BTC)
    assert cell.peepholes_3D is not None
    for clip in range(2):
        hidden_TD, memory_D = run_lstm(
            x_BTC[clip].numpy(),
            cell.input_to_gates.weight.detach().numpy(),
            cell.hidden_to_gates.weight.detach().numpy(),
            cell.input_to_gates.bias.detach().numpy(),
            cell.peepholes_3D.detach().numpy(),
            output_sees_new=False,
        )
        torch.testing.assert_close(hidden_BTD[clip].detach(), torch.from_numpy(hidden_TD), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(state.memory_BD[clip].detach(), torch.from_numpy(memory_D), rtol=1e-12, atol=1e-12)
    assert not torch.allclose(hidden_BTD, unroll_vectors(reference, x_BTC).hidden_BTD)


def test_with_peepholes_there_is_no_kernel_of_pytorchs() -> None:
    cell = build(peepholes=True)
    assert cell.unroll_fused(random_vectors(), cell.initial_state(random_vectors()[:, 0])) is None


def test_the_output_gate_sees_the_new_memory_and_the_others_the_old_one() -> None:
    # In the first step the old memory is zero: of the three peepholes, the output gate's alone can be felt.
    hidden = {}
    for row in (None, 0, 1, 2):
        cell = build(peepholes=True)
        with torch.no_grad():
            assert cell.peepholes_3D is not None
            cell.peepholes_3D.zero_()
            if row is not None:
                cell.peepholes_3D[row] = 2.0
        hidden[row] = cell.step(random_vectors()[:, 0]).hidden_BD
    assert torch.equal(hidden[0], hidden[None])
    assert torch.equal(hidden[1], hidden[None])
    assert not torch.allclose(hidden[2], hidden[None])


@pytest.mark.parametrize(("peepholes", "count"), [(True, 5_246_464), (False, 5_244_928)])
def test_it_has_one_bias_per_gate_and_one_peephole_per_unit(peepholes: bool, count: int) -> None:
    with torch.device("meta"):
        cell = PeepholeLSTMCell(in_features=2048, hidden_features=512, peepholes=peepholes)
    assert sum(parameter.numel() for parameter in cell.parameters()) == count


def test_it_starts_as_the_paper_says() -> None:
    torch.manual_seed(0)
    cell = PeepholeLSTMCell(in_features=200, hidden_features=100)
    assert cell.peepholes_3D is not None
    for weights in (cell.input_to_gates.weight, cell.hidden_to_gates.weight, cell.peepholes_3D):
        assert weights.std().item() == pytest.approx(0.01, rel=0.1)
        assert weights.mean().item() == pytest.approx(0.0, abs=2e-3)
    assert cell.input_to_gates.bias.count_nonzero() == 0


def test_it_starts_orthogonal_gate_by_gate_on_request() -> None:
    cell = PeepholeLSTMCell(in_features=9, hidden_features=6, initialisation="orthogonal")
    for layer in (cell.input_to_gates, cell.hidden_to_gates):
        for gate_DC in layer.weight.detach().chunk(4):
            torch.testing.assert_close(gate_DC @ gate_DC.T, torch.eye(6), rtol=0, atol=1e-5)
    assert cell.peepholes_3D is not None
    assert cell.peepholes_3D.count_nonzero() == cell.input_to_gates.bias.count_nonzero() == 0


def test_it_starts_as_pytorchs_on_request() -> None:
    cell = PeepholeLSTMCell(in_features=9, hidden_features=64, initialisation="pytorch")
    for parameter in cell.parameters():
        assert 0.08 < parameter.abs().max().item() <= 64**-0.5
    assert cell.input_to_gates.bias.count_nonzero() == 256


def test_the_forget_gate_alone_gets_the_forget_bias() -> None:
    cell = PeepholeLSTMConfig(in_features=3, hidden_features=2, forget_bias=1.5).build()
    assert cell.input_to_gates.bias.tolist() == [0, 0, 1.5, 1.5, 0, 0, 0, 0]


def test_an_unknown_initialisation_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"initialisation is 'papers'\n  hint: did you mean 'paper'\?"):
        PeepholeLSTMCell(in_features=3, hidden_features=4, initialisation="papers")  # type: ignore[arg-type]


def test_an_unknown_output_peephole_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"output_peephole is 'befor'\n  hint: did you mean 'before'\?"):
        PeepholeLSTMCell(in_features=3, hidden_features=4, output_peephole="befor")  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pytorchs_kernel_and_single_steps_agree_with_their_gradients(dtype: torch.dtype) -> None:
    cell, outcomes = build(peepholes=False).to(dtype), []
    for fused in (True, False):
        x_BTC = random_vectors(7).to(dtype).requires_grad_()
        state = cell.initial_state(x_BTC[:, 0])
        unrolled = cell.unroll_fused(x_BTC, state) if fused else unroll_steps(cell, x_BTC, state, None)
        assert unrolled is not None
        loss = unrolled.hidden_BTD.sin().sum() + unrolled.state.memory_BD.square().sum()
        outcomes.append((*unrolled.state, *torch.autograd.grad(loss, [x_BTC, *cell.parameters()])))
    tolerance = 1e-12 if dtype is torch.float64 else 1e-5
    torch.testing.assert_close(outcomes[0], outcomes[1], rtol=tolerance, atol=tolerance)
