"""Excited shift: what ACTION does to whole maps, in few passes over them and with little memory kept for training.

Source: ours; the equations are those of `action` and `learned_shift`.
Differs: nothing; it is a second way to the same numbers.

    S      = w_0 x[t - 1] + w_1 x[t] + w_2 x[t + 1]
    sums   : means of S over channels and over places, and the 1x1 convolution `squeeze` of S        (`shift_and_sum`)
    out    = S (place + channel)                                                                      (`excite_here`)

Maps of a training step are far larger than a cache, so that the time goes into passes over them and into fresh memory.
Hence three savings. S is excited in the memory in which it stands: kept are x, which the block's shortcut keeps anyway,
and `out`, which the convolution behind keeps anyway; where the backward pass needs S, it is out / (place + channel) or
x shifted again. The gradients of all that is linear in S are one matrix product. And what goes through several passes
does so in pieces, some places of one frame, that a cache holds.

Gradients have no gradients themselves. Compilers and GPUs, which fuse operations or have fast memory, take the plain
operations.

Shape letters: F frames of all clips, T frames of one, P places of a map (H * W), C channels, R squeezed ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mudra.backbones.excitation import excite
from mudra.backbones.learned_shift import convolve_back_over_time, convolve_over_time

PIECE_BYTES = 512 * 1024  # several pieces are at work at once, in a cache of one or two MiB for each core


class ShiftedSums(NamedTuple):
    """What `shift_and_sum` returns.

    Args:
        shifted_FCHW: The shifted maps; for `excite_here` alone, which works in their memory.
        over_channels_F1HW: Their mean over channels.
        over_places_FC11: Their mean over places.
        squeezed_FRHW: Their 1x1 convolution.
    """

    shifted_FCHW: Tensor
    over_channels_F1HW: Tensor
    over_places_FC11: Tensor
    squeezed_FRHW: Tensor


def pays_off(x_FCHW: Tensor) -> bool:
    """Return whether `shift_and_sum` is the faster way: in training, on the CPU, where no compiler reads along."""
    return torch.is_grad_enabled() and _is_plain_cpu(x_FCHW)


def is_forward_alone(x_FCHW: Tensor) -> bool:
    """Return whether `excite_here` is the faster way without `shift_and_sum`: on the CPU, with no gradients to come."""
    return not torch.is_grad_enabled() and _is_plain_cpu(x_FCHW)


def shift_and_sum(x_FCHW: Tensor, shift_C13: Tensor, squeeze_RC11: Tensor, num_frames: int) -> ShiftedSums:
    """Shift maps by learned weights, and take the means and the squeezed maps of which excitations are made.

    Args:
        x_FCHW: Maps of all frames, clip by clip.
        shift_C13: Each channel's weights of the frame before, the frame itself and the next one.
        squeeze_RC11: Weights of a 1x1 convolution without bias.
        num_frames: Frames of a clip (T).
    """
    if torch.is_autocast_enabled(x_FCHW.device.type):  # as convolutions do; the backward pass has no autocast
        x_FCHW = x_FCHW.to(torch.get_autocast_dtype(x_FCHW.device.type))
    x_FCHW = x_FCHW.contiguous(memory_format=torch.channels_last)
    weights = (weight.to(x_FCHW.dtype) for weight in (shift_C13, squeeze_RC11.flatten(1)))
    return ShiftedSums(*_ShiftAndSum.apply(x_FCHW, *weights, num_frames))


def excite_here(shifted_FCHW: Tensor, by_place_F1HW: Tensor, by_channel_FC11: Tensor) -> Tensor:
    """Return shifted (place + channel), in the memory of `shifted_FCHW` if it stands channels last.

    Args:
        shifted_FCHW: Maps that nothing else reads from now on.
        by_place_F1HW: The gate's part that is alike for all channels.
        by_channel_FC11: The gate's part that is alike for all places; the sum of both is nowhere zero.
    """
    if not shifted_FCHW.is_contiguous(memory_format=torch.channels_last):
        return excite(shifted_FCHW, by_place_F1HW, by_channel_FC11)  # its rows would be a copy
    dtype = shifted_FCHW.dtype
    gates = by_place_F1HW.to(dtype), by_channel_FC11.to(dtype)
    if not torch.is_grad_enabled():
        return _excite_here(shifted_FCHW, *gates)
    excited: Tensor = _ExciteHere.apply(shifted_FCHW, *gates)
    return excited


class _ShiftAndSum(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x_FCHW: Tensor, shift_C13: Tensor, squeeze_RC: Tensor, num_frames: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        ctx.save_for_backward(x_FCHW, shift_C13, squeeze_RC)
        ctx.num_frames = num_frames
        num_all, _, height, width = x_FCHW.shape
        shifted_FCHW = convolve_over_time(x_FCHW, shift_C13, num_frames)
        # A tensor of its own instead of a view: views of several outputs cannot be worked on in their place.
        shifted_FCHW = x_FCHW.new_empty(0).set_(shifted_FCHW)  # type: ignore[call-overload]
        # Plain in memory, as normalisation and depthwise convolutions of few channels are fastest.
        squeezed_FRP = x_FCHW.new_empty(num_all, len(squeeze_RC), height * width)
        for shifted_PC, squeezed_RP in zip(_rows(shifted_FCHW), squeezed_FRP, strict=True):
            torch.mm(squeeze_RC, shifted_PC.t(), out=squeezed_RP)
        means = shifted_FCHW.mean(dim=1, keepdim=True), shifted_FCHW.mean(dim=(2, 3), keepdim=True)
        return shifted_FCHW, *means, squeezed_FRP.view(num_all, -1, height, width)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x_FCHW, shift_C13, squeeze_RC = ctx.saved_tensors
        # The first is nobody else's, since `excite_here` alone has seen the shifted maps: it is added to in its place.
        whole_FCHW, factor_FQP, factor_FQC = _gather(grads, squeeze_RC)
        for whole_PC, left_QP, right_QC in zip(_rows(whole_FCHW), factor_FQP, factor_FQC, strict=True):
            whole_PC.addmm_(left_QP.t(), right_QC)
        grad_squeeze_RC = _grad_squeeze(factor_FQP[:, : len(squeeze_RC)], x_FCHW, shift_C13, ctx.num_frames)
        grad_FCHW, grad_shift_C13 = convolve_back_over_time(whole_FCHW, x_FCHW, shift_C13, ctx.num_frames)
        return grad_FCHW, grad_shift_C13, grad_squeeze_RC, None


class _ExciteHere(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, shifted_FCHW: Tensor, by_place_F1HW: Tensor, by_channel_FC11: Tensor) -> Tensor:
        _excite_here(shifted_FCHW, by_place_F1HW, by_channel_FC11)
        ctx.mark_dirty(shifted_FCHW)
        ctx.save_for_backward(shifted_FCHW, by_place_F1HW, by_channel_FC11)
        return shifted_FCHW

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_FCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        excited_FCHW, by_place_F1HW, by_channel_FC11 = ctx.saved_tensors
        grad_shifted_FCHW = torch.empty_like(excited_FCHW)
        by_place_FP = torch.empty_like(by_place_F1HW.flatten(1))
        by_channel_FC = torch.zeros(by_channel_FC11.shape[:2], dtype=_sum_type(excited_FCHW))
        maps_FPC = [_rows(maps_FCHW) for maps_FCHW in (excited_FCHW, grad_FCHW, grad_shifted_FCHW)]
        size = _piece_size(excited_FCHW)
        scratch, room = (maps_FPC[0].new_empty(min(size, len(maps_FPC[0][0])), excited_FCHW.shape[1]) for _ in range(2))
        parts = *maps_FPC, by_place_F1HW.flatten(1)[..., None], by_place_FP, by_channel_FC11.flatten(1), by_channel_FC
        for *of_places, channel_C, by_channel_C in _frames(*parts):
            for excited_PC, grad_PC, grad_shifted_PC, place_P1, by_place_P in _split(size, *of_places):
                gate_PC = torch.add(place_P1, channel_C, out=room[: len(place_P1)])
                torch.mul(grad_PC, gate_PC, out=grad_shifted_PC)
                # The gradient of the gate: that of the output times the shifted maps.
                grad_gate_PC = torch.div(excited_PC, gate_PC, out=scratch[: len(place_P1)]).mul_(grad_PC)
                torch.sum(grad_gate_PC, dim=1, out=by_place_P)
                by_channel_C += grad_gate_PC.sum(dim=0)
        by_channel_FC11 = by_channel_FC.to(by_channel_FC11.dtype).view_as(by_channel_FC11)
        return grad_shifted_FCHW, by_place_FP.view_as(by_place_F1HW), by_channel_FC11


def _excite_here(shifted_FCHW: Tensor, by_place_F1HW: Tensor, by_channel_FC11: Tensor) -> Tensor:
    shifted_FPC, place_FP1 = _rows(shifted_FCHW), by_place_F1HW.flatten(1)[..., None]
    size = _piece_size(shifted_FCHW)
    room = shifted_FPC.new_empty(min(size, len(shifted_FPC[0])), shifted_FCHW.shape[1])
    for shifted_PC, place_P1, channel_C in _frames(shifted_FPC, place_FP1, by_channel_FC11.flatten(1)):
        for piece_PC, places_P1 in _split(size, shifted_PC, place_P1):
            piece_PC.mul_(torch.add(places_P1, channel_C, out=room[: len(places_P1)]))
    return shifted_FCHW


def _gather(grads: tuple[Tensor, ...], squeeze_RC: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the shifted maps' own gradient, and the two factors of the matrix products that the others add to it.

    Squeezed maps and means are all linear in the shifted maps: two more rows beside the squeezed channels, and the
    gradients of all three are one product for each frame.
    """
    whole_FCHW, over_channels_F1HW, over_places_FC11, squeezed_FRHW = grads
    num_all, channels, height, width = whole_FCHW.shape
    over_channels_F1P = over_channels_F1HW.flatten(2) / channels
    factor_FQP = torch.cat([squeezed_FRHW.flatten(2), over_channels_F1P, torch.ones_like(over_channels_F1P)], dim=1)
    over_places_F1C = over_places_FC11.flatten(1)[:, None] / (height * width)
    squeeze_FRC = squeeze_RC.expand(num_all, -1, -1)
    factor_FQC = torch.cat([squeeze_FRC, torch.ones_like(over_places_F1C), over_places_F1C], dim=1)
    return whole_FCHW, factor_FQP, factor_FQC


def _grad_squeeze(grad_FRP: Tensor, x_FCHW: Tensor, shift_C13: Tensor, num_frames: int) -> Tensor:
    """Return the gradient of the squeezing weights; the shifted maps are gone by now, and shifted again."""
    shifted_FCHW = convolve_over_time(x_FCHW, shift_C13, num_frames)
    total_RC = grad_FRP.new_zeros(grad_FRP.shape[1], x_FCHW.shape[1], dtype=_sum_type(x_FCHW))
    for grad_RP, shifted_PC in zip(grad_FRP, _rows(shifted_FCHW), strict=True):
        if total_RC.dtype == shifted_PC.dtype:
            total_RC.addmm_(grad_RP, shifted_PC)
        else:
            total_RC += grad_RP @ shifted_PC
    return total_RC.to(x_FCHW.dtype)


def _rows(maps_FCHW: Tensor) -> Tensor:
    """Return maps as rows of channels, (F, P, C), without a copy where they stand channels last."""
    return maps_FCHW.permute(0, 2, 3, 1).flatten(1, 2).contiguous()


def _piece_size(maps_FCHW: Tensor) -> int:
    """Return how many places of a frame fit in the caches of the cores that work together."""
    in_caches = PIECE_BYTES * torch.get_num_threads()
    return max(1, in_caches // (maps_FCHW.shape[1] * maps_FCHW.element_size()))


def _frames(*parts: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield frames; all views are made in one call, which costs less than to index them one by one."""
    return zip(*(part.unbind() for part in parts), strict=True)


def _split(size: int, *parts: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield pieces of so many rows."""
    return zip(*(torch.split(part, size) for part in parts), strict=True)


def _is_plain_cpu(x: Tensor) -> bool:
    return x.device.type == "cpu" and not torch.compiler.is_compiling()


def _sum_type(x: Tensor) -> torch.dtype:
    """Return the type in which sums of pieces are kept: they must not lose what one more piece adds."""
    return torch.promote_types(x.dtype, torch.float32)
