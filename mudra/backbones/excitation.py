"""Excitation: maps times a gate that is the sum of a map over places and of one number per channel.

The gate itself, as large as the maps, is never kept; neither are the products of which its gradients are sums.

Shape letters: B clips times frames, C channels, H W cells of a map.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def excite(x_BCHW: Tensor, by_place_B1HW: Tensor, by_channel_BC11: Tensor) -> Tensor:
    """Return x (place + channel).

    Args:
        x_BCHW: Maps.
        by_place_B1HW: The gate's part that is alike for all channels.
        by_channel_BC11: The gate's part that is alike for all places.

    Example:
        >>> x_BCHW = torch.full((1, 1, 1, 2), 2.0)
        >>> excite(x_BCHW, torch.tensor([0.5, 1.0]).view(1, 1, 1, 2), torch.full((1, 1, 1, 1), 3.0)).flatten()
        tensor([7., 8.])
    """
    excited: Tensor = _Excite.apply(x_BCHW, by_place_B1HW, by_channel_BC11)
    return excited


def pool_both(x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean over channels, (B, 1, H, W), and the mean over places, (B, C, 1, 1)."""
    means: tuple[Tensor, Tensor] = _PoolBoth.apply(x_BCHW)
    return means


class _Excite(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_BCHW: Tensor, by_place_B1HW: Tensor, by_channel_BC11: Tensor) -> Tensor:
        ctx.save_for_backward(x_BCHW, by_place_B1HW, by_channel_BC11)
        return (x_BCHW * by_channel_BC11).addcmul_(x_BCHW, by_place_B1HW)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_BCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x_BCHW, by_place_B1HW, by_channel_BC11 = ctx.saved_tensors
        scratch_BCHW = grad_BCHW * x_BCHW
        by_place = scratch_BCHW.sum(dim=1, keepdim=True)
        by_channel = scratch_BCHW.sum(dim=(2, 3), keepdim=True)
        torch.mul(grad_BCHW, by_channel_BC11, out=scratch_BCHW)
        return scratch_BCHW.addcmul_(grad_BCHW, by_place_B1HW), by_place, by_channel


class _PoolBoth(torch.autograd.Function):
    """Both means in one node, so that the maps get one gradient of both instead of two that are added up."""

    @staticmethod
    def forward(ctx: Any, x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        ctx.num_channels, ctx.num_places = x_BCHW.shape[1], x_BCHW.shape[2] * x_BCHW.shape[3]
        return x_BCHW.mean(dim=1, keepdim=True), x_BCHW.mean(dim=(2, 3), keepdim=True)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, over_channels_B1HW: Tensor, over_places_BC11: Tensor) -> Tensor:
        grad_BCHW: Tensor = over_channels_B1HW / ctx.num_channels + over_places_BC11 / ctx.num_places
        return grad_BCHW
