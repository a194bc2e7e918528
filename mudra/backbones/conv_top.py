"""Plain 2-D convolutions on every step's hidden map, each closed by max-pooling.

Source: the 2-D part of Zhang et al. 2017 (ICCV 2017, Learning spatiotemporal features using 3DCNN and
convolutional LSTM for gesture recognition), in the layers of its released code.
Differs: convolutions have no bias before their normalisation; weights start he-normal; `width` and `channels` scale it.

    unit: conv 3x3 -> batch normalisation -> ReLU -> max-pool 2x2

Pooling takes a last, incomplete window too: 28 cells become 14, 7 and 4.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from mudra.backbones.backbone import KERAS_NORM_MOMENTUM, Backbone, scale_channels
from mudra.config import Config

ZHANG2017_CHANNELS = (128, 256, 256)


class ConvTopConfig(Config):
    """2-D convolutions and max-pooling on every step."""

    kind: Literal["conv_top"] = "conv_top"

    width: PositiveFloat = 1.0
    """Factor on all channel counts, rounded to multiples of 8."""
    channels: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = ZHANG2017_CHANNELS
    """Channels of each unit, before `width`."""
    norm_momentum: Annotated[float, Field(gt=0.0, le=1.0)] = KERAS_NORM_MOMENTUM
    """Share of each batch in the running statistics of batch normalisation."""

    def build(self, in_channels: int) -> ConvTop:
        """Return the top for hidden maps of `in_channels` channels."""
        return ConvTop(
            in_channels=in_channels, width=self.width, channels=self.channels, norm_momentum=self.norm_momentum
        )


class ConvTop(Backbone):
    """2-D convolutions and max-pooling on every step's map, each step by itself.

    Args:
        in_channels: Channels of the maps that come in.
        width: Factor on all channel counts, rounded to multiples of 8.
        channels: Channels of each unit, before `width`.
        norm_momentum: Share of each batch in the running statistics of batch normalisation.

    Example:
        >>> ConvTop(in_channels=32)(torch.zeros(1, 2, 32, 28, 28)).shape
        torch.Size([1, 2, 256, 4, 4])
    """

    def __init__(
        self,
        *,
        in_channels: int,
        width: float = 1.0,
        channels: tuple[int, ...] = ZHANG2017_CHANNELS,
        norm_momentum: float = KERAS_NORM_MOMENTUM,
    ) -> None:
        counts = [in_channels, *(scale_channels(count, width) for count in channels)]
        super().__init__(in_channels=in_channels, out_channels=counts[-1], time_stride=1)
        self.units = nn.Sequential(*(_build_unit(before, after, norm_momentum) for before, after in pairwise(counts)))

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        num_clips, num_frames = x_BTCHW.shape[:2]
        maps: Tensor = self.units(x_BTCHW.flatten(0, 1).contiguous(memory_format=torch.channels_last))
        return maps.view(num_clips, num_frames, *maps.shape[1:])


def _build_unit(in_channels: int, out_channels: int, norm_momentum: float) -> nn.Sequential:
    conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_in", nonlinearity="relu")
    norm = nn.BatchNorm2d(out_channels, momentum=norm_momentum)
    return nn.Sequential(conv, norm, nn.ReLU(inplace=True), nn.MaxPool2d(2, ceil_mode=True))
