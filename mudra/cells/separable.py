"""Separable convolutions, and how the cells made of them and of pooled gates start.

Source: Zhang et al. 2018, equation 13 ("the depthwise separable convolutions are used"); the initialisation after
the paper's released code.
Differs: nothing.
"""

from __future__ import annotations

from torch import nn

from mudra.cells.cell import init_he_normal
from mudra.cells.pointwise import PointwiseConv2d


def build_separable(in_channels: int, out_channels: int, kernel_size: int, *, bias: bool) -> nn.Sequential:
    """Return a depthwise convolution that keeps H and W, followed by a 1x1 one with nothing between them.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.
        kernel_size: Side of the depthwise kernels, odd.
        bias: Whether the 1x1 convolution has a bias; the depthwise one has none.

    Example:
        >>> sum(parameter.numel() for parameter in build_separable(256, 256, 3, bias=False).parameters())
        67840
    """
    return nn.Sequential(
        nn.Conv2d(in_channels, in_channels, kernel_size, padding=kernel_size // 2, groups=in_channels, bias=False),
        PointwiseConv2d(in_channels, out_channels, bias=bias),
    )


def init_as_paper(cell: nn.Module) -> None:
    """Start a cell as the paper's code does: constant gates, he-normal convolutions, zero biases.

    Linear layers get 1/channels in every weight, so that all gates of a cell open alike at first.
    """
    for module in cell.modules():
        if isinstance(module, nn.Linear):
            nn.init.constant_(module.weight, 1.0 / module.in_features)
        elif isinstance(module, nn.Conv2d):
            # Keras counts every input channel into the fan-in of a depthwise kernel too; that is what was trained.
            init_he_normal(module.weight, fan_in=module.in_channels * module.weight[0, 0].numel())
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
