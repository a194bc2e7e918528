"""The element-wise half of a step: the numbers and gradients of the plain equations; less is kept, less is touched."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from mudra.cells.cell import MapState
from mudra.cells.fused import pool, remember, tanh

GATES = ("input_gate", "forget_gate", "output_gate")
# Which of the three gates are maps; the others are one number per channel.
every_mix = pytest.mark.parametrize("are_maps", list(itertools.product([False, True], repeat=3)), ids=str)


def random_parts(are_maps: tuple[bool, ...] = (True, False, True), size: tuple[int, int] = (4, 5)) -> list[Tensor]:
    """Openings i, f, o, the candidate and the memory map, in double precision, that gradients are wanted of."""
    generator = torch.Generator().manual_seed(3)
    sizes = [size if is_map else (1, 1) for is_map in are_maps] + [size, size]
    parts = [torch.randn(2, 3, *own, generator=generator, dtype=torch.float64) for own in sizes]
    return [part.sigmoid().requires_grad_() for part in parts[:3]] + [part.requires_grad_() for part in parts[3:]]


def step(*parts: Tensor) -> MapState:
    *openings, candidate_BDHW, memory_BDHW = parts
    return remember({**dict(zip(GATES, openings, strict=True)), "candidate": candidate_BDHW}, memory_BDHW)


def plain_step(i: Tensor, f: Tensor, o: Tensor, g: Tensor, memory_BDHW: Tensor) -> MapState:
    memory_BDHW = f * memory_BDHW + i * g
    return MapState(o * torch.tanh(memory_BDHW), memory_BDHW)


@every_mix
@pytest.mark.parametrize("size", [(4, 5), (1, 1)], ids=["map", "one place"])
def test_remember_is_the_plain_equations(are_maps: tuple[bool, ...], size: tuple[int, int]) -> None:
    parts = random_parts(are_maps, size)
    torch.testing.assert_close(step(*parts), plain_step(*parts), rtol=0, atol=1e-15)
    grads = [torch.full((2, 3, *size), 0.7, dtype=torch.float64), torch.full((2, 3, *size), -1.3, dtype=torch.float64)]
    ours, plain = (torch.autograd.grad([*function(*parts)], parts, grads) for function in (step, plain_step))
    torch.testing.assert_close(ours, plain, rtol=0, atol=1e-13)


@every_mix
def test_gradients_of_remember_are_exact(are_maps: tuple[bool, ...]) -> None:
    assert torch.autograd.gradcheck(lambda *parts: tuple(step(*parts)), random_parts(are_maps))


def test_remember_without_gradients_gives_the_same_numbers_and_leaves_its_inputs_alone() -> None:
    parts = random_parts()
    copies = [part.detach().clone() for part in parts]
    with torch.no_grad():
        torch.testing.assert_close(step(*parts), plain_step(*copies), rtol=0, atol=1e-15)
    step(*parts).hidden_BDHW.sum().backward()
    assert all(torch.equal(part, copy) for part, copy in zip(parts, copies, strict=True))


def test_remember_looks_at_its_four_names_only() -> None:
    parts = random_parts()
    inside = {**dict(zip(GATES, parts, strict=False)), "candidate": parts[3], "attention": torch.full((1,), torch.nan)}
    torch.testing.assert_close(remember(inside, parts[4]), step(*parts))


def test_mixed_precisions_give_what_pytorch_gives() -> None:
    parts = [part.detach().bfloat16() for part in random_parts()]
    parts[4] = parts[4].float()
    assert [part.dtype for part in step(*parts)] == [torch.float32, torch.float32]
    torch.testing.assert_close(step(*parts), plain_step(*parts), rtol=0, atol=0)


def kept_for_the_backward_pass(parts: list[Tensor]) -> list[Tensor]:
    kept: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        step(*parts)
    return kept


def test_remember_keeps_nothing_but_what_came_and_the_new_state() -> None:
    parts = random_parts()
    after = step(*parts)
    others = [tensor for tensor in kept_for_the_backward_pass(parts) if not any(tensor is part for part in parts)]
    torch.testing.assert_close(others, [after.memory_BDHW.detach(), after.hidden_BDHW.detach()])


@pytest.mark.parametrize("opening", [0.0, 1e-12, 1.0])
def test_gradients_are_exact_however_shut_the_output_gate_is(opening: float) -> None:
    parts = random_parts((False, False, False))
    parts[2] = torch.full_like(parts[2], opening).requires_grad_()
    ours, plain = (torch.autograd.grad(function(*parts).hidden_BDHW.sum(), parts) for function in (step, plain_step))
    torch.testing.assert_close(ours, plain, rtol=0, atol=1e-13)


@pytest.mark.parametrize("requires_grad", [False, True])
def test_tanh_in_float32_is_near_the_truth_everywhere(requires_grad: bool) -> None:
    x = torch.cat([torch.linspace(-12.0, 12.0, 100_001), torch.tensor([-1e4, -90.0, 0.0, 90.0, 1e4])])
    x.requires_grad_(requires_grad)
    ours = tanh(x)
    assert (ours.double() - x.double().tanh()).abs().max() < 2e-7
    assert ours.requires_grad == requires_grad


def test_gradient_of_tanh_in_float32() -> None:
    x = torch.linspace(-12.0, 12.0, 1001).requires_grad_()
    (ours,) = torch.autograd.grad(tanh(x).sum(), x)
    torch.testing.assert_close(ours.double(), 1 - x.detach().double().tanh() ** 2, rtol=0, atol=5e-7)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_tanh_of_other_precisions_is_pytorchs_own(dtype: torch.dtype) -> None:
    x = torch.linspace(-3.0, 3.0, 101, dtype=dtype)
    assert torch.equal(tanh(x), x.tanh())


def test_tanh_in_bfloat16_is_rounded_once() -> None:
    x = torch.linspace(-6.0, 6.0, 10_001).bfloat16()
    assert tanh(x).dtype is torch.bfloat16
    torch.testing.assert_close(tanh(x).double(), x.double().tanh(), rtol=2**-8, atol=2e-7)


def test_pool_gives_the_maps_back_and_their_mean() -> None:
    maps_BTDHW = torch.randn(2, 3, 4, 5, 6, generator=torch.Generator().manual_seed(0))
    maps, mean_BTD = pool(maps_BTDHW)
    assert torch.equal(maps, maps_BTDHW)
    torch.testing.assert_close(mean_BTD, maps_BTDHW.mean(dim=(-2, -1)))


def test_gradients_of_pool_are_exact() -> None:
    maps = torch.randn(2, 3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert torch.autograd.gradcheck(lambda maps: tuple(pool(maps)), maps)


def test_pool_keeps_the_strides_of_one_single_map() -> None:
    maps_BDHW = torch.zeros(1, 5, 6, 4).movedim(-1, 1).requires_grad_()
    assert pool(maps_BDHW).maps.stride() == maps_BDHW.stride() == (120, 1, 24, 4)


def test_second_derivatives_are_exact() -> None:
    assert torch.autograd.gradgradcheck(lambda *parts: tuple(step(*parts)), random_parts(size=(2, 2)))
    assert torch.autograd.gradgradcheck(lambda maps: tuple(pool(maps)), random_parts()[3])
    x = torch.linspace(-3.0, 3.0, 101).requires_grad_()
    (grad,) = torch.autograd.grad(tanh(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(grad.sum(), x)
    truth = x.detach().double().tanh()
    torch.testing.assert_close(second.double(), -2 * truth * (1 - truth**2), rtol=0, atol=2e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_compiled_it_is_the_same(dtype: torch.dtype) -> None:
    parts = [part.detach().to(dtype).requires_grad_() for part in random_parts()]

    def function(i: Tensor, f: Tensor, o: Tensor, g: Tensor, memory_BDHW: Tensor) -> Tensor:
        maps, mean = pool(tanh(g))
        return step(i, f, o, maps + mean[..., None, None], memory_BDHW).hidden_BDHW

    compiled = torch.compile(function, backend="aot_eager", fullgraph=True)
    expected, ours = function(*parts), compiled(*parts)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-6)
    grads = [torch.autograd.grad(output.sum(), parts) for output in (ours, expected)]
    torch.testing.assert_close(grads[0], grads[1], rtol=0, atol=1e-5)
