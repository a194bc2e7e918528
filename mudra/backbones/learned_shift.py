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
        if num_frames == 1:  # no neighbours, and a convolution over one row would lose the maps' layout
            return x_BCHW * self.weight[:, 0, 1].to(x_BCHW.dtype).view(1, -1, 1, 1)
        height, width = x_BCHW.shape[-2:]
        # Maps that stand channels last in memory are, without a copy, channels-last pictures of T rows and H * W
        # columns, so that a plain 2-D convolution walks through them once.
        rows_BCTN = split_frames(x_BCHW, num_frames).flatten(3).transpose(1, 2)
        mixed_BCTN = nn.functional.conv2d(rows_BCTN, self.weight.unsqueeze(-1), padding=(1, 0), groups=len(self.weight))
        return mixed_BCTN.transpose(1, 2).flatten(0, 1).view(*x_BCHW.shape[:2], height, width)
