"""Shifted convolution: a temporal shift and the 1x1 convolution behind it as matrix products that move nothing.

Source: ours; the shift is that of Lin et al. 2019, arXiv:1811.08383, section 3.3.
Differs: nothing; it is a second way to the same numbers, up to the order in which they are added.

    y[t] = W_0 x_0[t] + W_1 x_1[t + 1] + W_2 x_2[t - 1]       x_0, x_1, x_2: the channels that stay, that come from the
                                                              next frame, and from the frame before; W_i: their columns

Maps that stand channels last in memory are matrices with a row for each place, of which some columns, of some frames,
are matrices too. So neither the shifted maps nor their gradient is ever written, and none are kept for the backward
pass, which reads the maps themselves. Gradients have no gradients themselves.

Shape letters: F frames of all clips, T frames of one, P places of all frames, C channels in, D channels out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class Fold(NamedTuple):
    """Neighbouring channels that move together: they show what is `offset` frames later."""

    start: int
    stop: int
    offset: int


class _Move(NamedTuple):
    """Neighbouring channels of one clip, and which rows of the maps meet which rows of the result."""

    columns: slice
    maps: slice
    result: slice
    unseen: slice


def is_foldable(layer: nn.Module, x_FCHW: Tensor) -> bool:
    """Return whether `convolve_shifted` may stand for a shift and this layer.

    It must be a plain 1x1 convolution without stride and bias; and nothing may look on that knows a convolution and not
    its parts: a compiler, a hook, a weight that is computed, or what counts operations with a tensor of its own kind.

    It must not widen: the numbers would be the same, but the moved channels are added onto a result that is larger than
    the maps, which a shift of the maps copies once. Measured on one thread, folding takes 0.76 to 0.94 times as long as
    shift and convolution in the bottlenecks of ResNet-50, and 1.2 to 1.6 times as long in the inverted residuals of
    MobileNetV2, whose first convolutions give six channels for one. So those keep their shift.
    """
    if type(layer) is not nn.Conv2d or "weight" not in layer._parameters:
        return False
    if any((layer._forward_hooks, layer._forward_pre_hooks, layer._backward_hooks, layer._backward_pre_hooks)):
        return False
    is_pointwise = layer.kernel_size == layer.stride == (1, 1) and layer.padding in ((0, 0), 0) and layer.groups == 1
    is_plain = type(x_FCHW) is Tensor and x_FCHW.device.type == "cpu" and not torch.compiler.is_compiling()
    return is_pointwise and layer.out_channels <= layer.in_channels and layer.bias is None and is_plain


def convolve_shifted(x_FCHW: Tensor, weight_DC11: Tensor, num_frames: int, plan: tuple[Fold, ...]) -> Tensor:
    """Return the 1x1 convolution of shifted maps.

    Args:
        x_FCHW: Maps of all frames, clip by clip, before the shift.
        weight_DC11: Weights of the convolution.
        num_frames: Frames of a clip (T).
        plan: Which channels move where, covering all of them.
    """
    if torch.is_autocast_enabled(x_FCHW.device.type):  # as convolutions do; the backward pass has no autocast
        x_FCHW = x_FCHW.to(torch.get_autocast_dtype(x_FCHW.device.type))
    weight_DC = weight_DC11.flatten(1).to(x_FCHW.dtype)
    convolved: Tensor = _ConvolveShifted.apply(x_FCHW, weight_DC, num_frames, plan)
    return convolved


class _ConvolveShifted(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_FCHW: Tensor, weight_DC: Tensor, num_frames: int, plan: tuple[Fold, ...]) -> Tensor:
        x_FCHW = x_FCHW.contiguous(memory_format=torch.channels_last)
        ctx.save_for_backward(x_FCHW, weight_DC)
        ctx.num_frames, ctx.plan = num_frames, plan
        x_PC = _as_rows(x_FCHW)
        (staying,) = (slice(start, stop) for start, stop, offset in plan if offset == 0)
        y_PD = x_PC[:, staying] @ weight_DC[:, staying].t()
        for move in _moves(x_FCHW, num_frames, plan):
            y_PD[move.result].addmm_(x_PC[move.maps, move.columns], weight_DC[:, move.columns].t())
        num_all, _, height, width = x_FCHW.shape
        return y_PD.view(num_all, height, width, -1).permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_FDHW: Tensor) -> tuple[Tensor, Tensor, None, None]:
        x_FCHW, weight_DC = ctx.saved_tensors
        x_PC, grad_PD = _as_rows(x_FCHW), _as_rows(grad_FDHW)
        grad_x_FCHW = torch.empty_like(x_FCHW)
        # Sums over clips must not lose what one more clip adds.
        grad_weight_DC = torch.zeros_like(weight_DC, dtype=torch.promote_types(weight_DC.dtype, torch.float32))
        grad_x_PC = _as_rows(grad_x_FCHW)
        (staying,) = (slice(start, stop) for start, stop, offset in ctx.plan if offset == 0)
        torch.mm(grad_PD, weight_DC[:, staying], out=grad_x_PC[:, staying])
        grad_weight_DC[:, staying] = grad_PD.t() @ x_PC[:, staying]
        for move in _moves(x_FCHW, ctx.num_frames, ctx.plan):
            own_PD = grad_PD[move.result]
            torch.mm(own_PD, weight_DC[:, move.columns], out=grad_x_PC[move.maps, move.columns])
            grad_x_PC[move.unseen, move.columns] = 0.0  # what the shift moves out of the clip
            grad_weight_DC[:, move.columns] += own_PD.t() @ x_PC[move.maps, move.columns]
        return grad_x_FCHW, grad_weight_DC.to(weight_DC.dtype), None, None


def _moves(x_FCHW: Tensor, num_frames: int, plan: tuple[Fold, ...]) -> Iterator[_Move]:
    """Yield what moves, clip by clip; no row of one clip meets one of another."""
    num_all, _, height, width = x_FCHW.shape
    places = height * width
    for first in range(0, num_all * places, num_frames * places):
        last = first + num_frames * places
        for start, stop, offset in plan:
            columns = slice(start, stop)
            if offset > 0:
                later, unseen = slice(first + places, last), slice(first, first + places)
                yield _Move(columns, maps=later, result=slice(first, last - places), unseen=unseen)
            elif offset < 0:
                earlier, unseen = slice(first, last - places), slice(last - places, last)
                yield _Move(columns, maps=earlier, result=slice(first + places, last), unseen=unseen)


def _as_rows(maps_FCHW: Tensor) -> Tensor:
    """Return maps as a matrix of a row for each place, without a copy where they stand channels last."""
    return maps_FCHW.permute(0, 2, 3, 1).flatten(0, 2).contiguous()
