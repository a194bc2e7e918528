"""Learned shift: every channel has three weights of its own over the frame before, the frame itself and the next.

Source: the depthwise temporal convolution of Wang et al. 2021, arXiv:2103.07372, section 3 (ACTION), and of Li et al.
2020, arXiv:2004.01398, section 3.2 (TEA), in the details of both released codes: no bias, zeros beyond the ends.
Differs: nothing.

    y[t, c] = w[c, 0] x[t - 1, c] + w[c, 1] x[t, c] + w[c, 2] x[t + 1, c]
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mudra.backbones.temporal_module import split_frames
from mudra.backbones.temporal_shift import Fold


class LearnedShift(nn.Module):
    """A depthwise convolution over three frames.

    Args:
        plan: Which channels start as a shift, and where to; all others start as they are.
        channels: Channels of the maps (C).
        is_movement: Whether it stands for a fixed shift, which moves numbers and multiplies none, so that counts of
            multiply-accumulates name it apart.

    Example:
        >>> from mudra.backbones.temporal_shift import plan_shift
        >>> LearnedShift(plan_shift(8), channels=8).weight[:3, 0].tolist()
        [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """

    def __init__(self, plan: Sequence[Fold], *, channels: int, is_movement: bool = False) -> None:
        super().__init__()
        self.is_movement = is_movement
        weight = torch.zeros(channels, 1, 3)
        weight[:, 0, 1] = 1.0
        for start, stop, offset in plan:
            weight[start:stop, 0] = 0.0
            weight[start:stop, 0, 1 + offset] = 1.0
        self.weight = nn.Parameter(weight)

    def forward(self, x_BCHW: Tensor, num_frames: int) -> Tensor:
        """Return the convolved maps of all frames, clip by clip, shape (B * T, C, H, W)."""
        return convolve_over_time(x_BCHW, self.weight.to(x_BCHW.dtype), num_frames)


def convolve_over_time(x_BCHW: Tensor, weight_C13: Tensor, num_frames: int) -> Tensor:
    """Return maps of all frames, clip by clip, each channel convolved over the frames of its clip."""
    if num_frames == 1:  # no neighbours, and a convolution over one row would lose the maps' layout
        return x_BCHW * weight_C13[:, 0, 1].view(1, -1, 1, 1)
    rows_BCTN = _as_rows(x_BCHW, num_frames)
    mixed_BCTN = nn.functional.conv2d(rows_BCTN, weight_C13.unsqueeze(-1), padding=(1, 0), groups=len(weight_C13))
    return _as_maps(mixed_BCTN, x_BCHW)


def convolve_back_over_time(
    grad_BCHW: Tensor, x_BCHW: Tensor, weight_C13: Tensor, num_frames: int
) -> tuple[Tensor, Tensor]:
    """Return the gradients of `convolve_over_time` by the maps and by the weights, from that of its result."""
    if num_frames == 1:
        grad_weight_C13 = torch.zeros_like(weight_C13)
        grad_weight_C13[:, 0, 1] = (grad_BCHW * x_BCHW).sum(dim=(0, 2, 3))
        return grad_BCHW * weight_C13[:, 0, 1].view(1, -1, 1, 1), grad_weight_C13
    grad_BCTN, grad_weight_C131, _ = torch.ops.aten.convolution_backward(
        _as_rows(grad_BCHW, num_frames),
        _as_rows(x_BCHW, num_frames),
        weight_C13.unsqueeze(-1),
        None,
        stride=[1, 1],
        padding=[1, 0],
        dilation=[1, 1],
        transposed=False,
        output_padding=[0, 0],
        groups=len(weight_C13),
        output_mask=[True, True, False],
    )
    return _as_maps(grad_BCTN, x_BCHW), grad_weight_C131.squeeze(-1)


def _as_rows(x_BCHW: Tensor, num_frames: int) -> Tensor:
    """Return clips as pictures of T rows and H * W columns.

    Maps that stand channels last in memory are such pictures, channels last, without a copy, so that a plain 2-D
    convolution walks through them once.
    """
    return split_frames(x_BCHW, num_frames).flatten(3).transpose(1, 2)


def _as_maps(mixed_BCTN: Tensor, like_BCHW: Tensor) -> Tensor:
    maps_BCHW = mixed_BCTN.transpose(1, 2).flatten(0, 1).view(like_BCHW.shape)
    # No copy but for one clip of 1x1 maps, whose rows a convolution may lay out otherwise.
    return maps_BCHW.contiguous(memory_format=torch.channels_last)
