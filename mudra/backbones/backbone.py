"""The contract of every backbone: frames or maps in, maps out, one axis order.

Shape letters: B clips, T frames, C channels in, D channels out, H W pixels or cells of a map.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

# Keras' batch normalisation, which the released code was trained with: eps, and PyTorch's momentum = 1 - Keras'.
KERAS_NORM_EPS = 1e-3
KERAS_NORM_MOMENTUM = 0.01


class Backbone(nn.Module, ABC):
    """Clips or maps (B, T, C, H, W) into maps (B, T', D, H', W').

    Args:
        in_channels: Channels that come in.
        out_channels: Channels that go out.
        time_stride: Frames that become one: T' is T / time_stride, rounded up.
    """

    def __init__(self, *, in_channels: int, out_channels: int, time_stride: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.time_stride = time_stride

    @abstractmethod
    def forward(self, x_BTCHW: Tensor) -> Tensor:
        """Return the maps of the clips."""

    def load_pretrained(self) -> None:
        """Load the published weights that training starts from, where the config names any.

        Called once, when training starts; building reads no file, so that a finished run needs none.
        """


def scale_channels(channels: int, width: float) -> int:
    """Return `channels` times `width`, rounded to a multiple of 8 (never below 8) unless the width is 1.

    Multiples of 8 fill the vector registers of the convolutions.

    Example:
        >>> scale_channels(64, 0.3), scale_channels(100, 1.0)
        (16, 100)
    """
    return channels if width == 1.0 else max(8, round(channels * width / 8) * 8)
