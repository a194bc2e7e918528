"""The element-wise half of a step, made cheap: what every LSTM over maps does after its convolutions.

Source: Zhang et al. 2018, equations 5 and 6 (14 and 15 of the gated cell): the same two lines in every cell.
Differs: nothing.

    C_t = f_t . C_{t-1} + i_t . G_t
    H_t = o_t . tanh(C_t)

A map of 256 x 28 x 28 passes through the cache once per operation, so that the time goes into passes over it and into
fresh memory, not into arithmetic. Hence three savings: operations work in place on what they made themselves; the
backward pass computes tanh(C_t) again instead of keeping it, as H_t / o_t where o_t is one number per channel and not
shut; and on the CPU tanh comes from the sigmoid, which is five times as fast there.

Inside `torch.compile` and exports the plain equations are used: compilers fuse them themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mudra.cells.cell import MapState

SHUT = 1e-6  # a gate's opening by which nothing is divided


def tanh(x: Tensor) -> Tensor:
    """Return tanh(x), on the CPU in float32 and bfloat16 as 2 sigmoid(2x) - 1: at most 2e-7 from the truth.

    The bound is absolute: of x below 1e-7 nothing is left. bfloat16 rounds to far less in the end.

    Example:
        >>> tanh(torch.tensor([0.0, 100.0, -100.0]))
        tensor([ 0.,  1., -1.])
    """
    if not _has_slow_tanh(x) or torch.compiler.is_compiling():
        return x.tanh()
    if torch.is_grad_enabled() and x.requires_grad:
        tanh_x: Tensor = _Tanh.apply(x)
        return tanh_x
    return _tanh(x)


def remember(inside: Mapping[str, Tensor], memory_BDHW: Tensor) -> MapState:
    """Return the state after a step, from what `Cell.inspect` says is inside it.

    Args:
        inside: "input_gate", "forget_gate", "output_gate": openings, each a map (B, D, H, W) or one number per channel
            (B, D, 1, 1); "candidate": (B, D, H, W). Other names are left alone.
        memory_BDHW: The memory map of the frame before.

    Example:
        >>> half, ones = torch.full((1, 2, 1, 1), 0.5), torch.ones(1, 2, 3, 4)
        >>> inside = {"input_gate": half, "forget_gate": half, "output_gate": half, "candidate": ones}
        >>> remember(inside, 3.0 * ones).memory_BDHW.unique()
        tensor([2.])
    """
    i, f, o, g = (inside[name] for name in ("input_gate", "forget_gate", "output_gate", "candidate"))
    parts = (i, f, o, g, memory_BDHW)
    if torch.compiler.is_compiling() or len({part.dtype for part in parts}) > 1:
        # Autocast mixes precisions; which one the result has is PyTorch's rule to know.
        memory_BDHW = f * memory_BDHW + i * g
        return MapState(o * memory_BDHW.tanh(), memory_BDHW)
    if torch.is_grad_enabled() and any(part.requires_grad for part in parts):
        return MapState(*_Remember.apply(*parts))
    return MapState(*_remember(*parts))


class Pooled(NamedTuple):
    """What `pool` returns.

    Args:
        maps: The maps that came, for whatever else uses them.
        mean: Their mean over H and W.
    """

    maps: Tensor
    mean: Tensor


def pool(maps: Tensor) -> Pooled:
    """Return maps (..., C, H, W) and their mean (..., C).

    Use the returned maps from then on: their gradient and the mean's are then added in one pass, without the mean's
    being spread over a map of its own first.

    Example:
        >>> pool(torch.ones(2, 3, 4, 5)).mean.shape
        torch.Size([2, 3])
    """
    if torch.is_grad_enabled() and maps.requires_grad and not torch.compiler.is_compiling():
        return Pooled(*_Pool.apply(maps))
    return Pooled(maps, maps.mean(dim=(-2, -1)))


def _has_slow_tanh(x: Tensor) -> bool:
    return x.dtype in (torch.float32, torch.bfloat16) and x.device.type == "cpu"


def _tanh(x: Tensor) -> Tensor:
    if not _has_slow_tanh(x):
        return x.tanh()
    opening = x.float().mul(2.0).sigmoid_()
    return torch.add(opening.new_tensor(-1.0), opening, alpha=2.0, out=opening).to(x.dtype)


def _remember(i: Tensor, f: Tensor, o: Tensor, g: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    memory = torch.mul(memory, f).addcmul_(g, i)
    return _tanh(memory).mul_(o), memory


class _Tanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        tanh_x = _tanh(x)
        ctx.save_for_backward(tanh_x)
        return tanh_x

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (tanh_x,) = ctx.saved_tensors
        grad_x: Tensor = torch.ops.aten.tanh_backward(grad, tanh_x)
        return grad_x


class _Pool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> tuple[Tensor, Tensor]:
        ctx.num_places = maps.shape[-2] * maps.shape[-1]
        # Not `view_as`: it gives a batch of one another stride, and convolutions then take the maps for plain ones.
        return maps.detach(), maps.mean(dim=(-2, -1))

    @staticmethod
    def backward(ctx: Any, grad_maps: Tensor, grad_mean: Tensor) -> Tensor:
        return torch.add(grad_maps, grad_mean[..., None, None], alpha=1.0 / ctx.num_places)


class _Remember(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, i: Tensor, f: Tensor, o: Tensor, g: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        hidden, memory = _remember(i, f, o, g, before)
        ctx.save_for_backward(i, f, o, g, before, memory, hidden)
        return hidden, memory

    @staticmethod
    def backward(ctx: Any, grad_hidden: Tensor, grad_memory: Tensor) -> tuple[Tensor, ...]:
        i, f, o, g, before, memory, hidden = ctx.saved_tensors
        # Nothing here works in place on what another line reads, so that the backward pass has a derivative itself.
        tanh_memory = hidden / o if _is_open(o) else tanh(memory)
        grad_o = _sum_to(grad_hidden * tanh_memory, o)
        grad_c = torch.ops.aten.tanh_backward(grad_hidden * o, tanh_memory).add_(grad_memory)
        del tanh_memory  # One map less where most are held.
        grad_i, grad_f = _sum_to(grad_c * g, i), _sum_to(grad_c * before, f)
        return grad_i, grad_f, grad_o, grad_c * i, grad_c * f


def _is_open(o: Tensor) -> bool:
    """Say whether the maps behind a gate can be had by dividing by it: looking at one number per channel is cheap."""
    return o.shape[-2:] == (1, 1) and o.device.type == "cpu" and float(o.detach().amin()) > SHUT


def _sum_to(grad_BDHW: Tensor, like: Tensor) -> Tensor:
    """Sum over the map what was spread over it."""
    return grad_BDHW if like.shape == grad_BDHW.shape else grad_BDHW.sum(dim=(-2, -1), keepdim=True)
