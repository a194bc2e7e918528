"""One 3-D convolution, zero padded to keep ceil(size / stride), where the processor computes it right.

Source: the padding is that of `padding.py`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mudra.backbones.padding import PaddingMode, pad_same
from mudra.backbones.res3d import BROKEN_BF16_FRAMES


def convolve_same(conv: nn.Conv3d, x_BCTHW: Tensor, *, padding: PaddingMode) -> Tensor:
    """Return the convolution's maps, ceil(size / stride) along every axis; its own padding is not looked at.

    Args:
        conv: Without padding of its own.
        x_BCTHW: Maps.
        padding: `tf_same` or `symmetric`.

    Example:
        >>> convolve_same(nn.Conv3d(3, 8, 7, stride=2), torch.zeros(1, 3, 5, 32, 24), padding="tf_same").shape
        torch.Size([1, 8, 3, 16, 12])
    """
    num_frames = x_BCTHW.shape[2]
    if x_BCTHW.device.type == "cpu" and BROKEN_BF16_FRAMES in (num_frames, -(-num_frames // conv.stride[0])):
        with torch.autocast("cpu", enabled=False):
            return _convolve(conv, x_BCTHW.to(conv.weight.dtype), padding)
    return _convolve(conv, x_BCTHW, padding)


def _convolve(conv: nn.Conv3d, x_BCTHW: Tensor, padding: PaddingMode) -> Tensor:
    is_odd = all(size % 2 for size in conv.kernel_size)
    if is_odd and (padding == "symmetric" or all(step == 1 for step in conv.stride)):
        # As many zeros before as behind: the convolution pads by itself, which spares a copy of the clip.
        pads = [size // 2 for size in conv.kernel_size]
        return nn.functional.conv3d(
            x_BCTHW, conv.weight, conv.bias, stride=conv.stride, padding=pads, groups=conv.groups
        )
    maps: Tensor = conv(pad_same(x_BCTHW, kernel_size=conv.kernel_size, stride=conv.stride, mode=padding))
    return maps
