"""One 1x1 convolution with batch normalisation on every step's hidden map.

Source: Agethen and Hsu 2019, section IV-A4, where it stands between the recurrent layer and the classes on I3D.
Differs: how many channels it makes, and what follows, is not in the text: as many as come in unless told, and ReLU.

    y_t = relu(batch normalisation of W * h_t)
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from mudra.backbones.backbone import KERAS_NORM_EPS, KERAS_NORM_MOMENTUM, Backbone, scale_channels
from mudra.config import Config


class PointwiseTopConfig(Config):
    """A 1x1 convolution with batch normalisation on every step."""

    kind: Literal["pointwise_top"] = "pointwise_top"

    width: PositiveFloat = 1.0
    """Factor on `channels`, rounded to multiples of 8."""
    channels: PositiveInt | None = None
    """Channels that go out, before `width`; None: as many as come in."""
    norm_momentum: Annotated[float, Field(gt=0.0, le=1.0)] = KERAS_NORM_MOMENTUM
    """Share of each batch in the running statistics of batch normalisation."""

    def build(self, in_channels: int) -> PointwiseTop:
        """Return the top for hidden maps of `in_channels` channels."""
        return PointwiseTop(
            in_channels=in_channels, width=self.width, channels=self.channels, norm_momentum=self.norm_momentum
        )


class PointwiseTop(Backbone):
    """A 1x1 convolution with batch normalisation on every step's map, each step by itself.

    Args:
        in_channels: Channels of the maps that come in.
        width: Factor on `channels`, rounded to multiples of 8.
        channels: Channels that go out, before `width`; None: as many as come in.
        norm_momentum: Share of each batch in the running statistics of batch normalisation.

    Example:
        >>> PointwiseTop(in_channels=32)(torch.zeros(1, 2, 32, 7, 7)).shape
        torch.Size([1, 2, 32, 7, 7])
    """

    def __init__(
        self,
        *,
        in_channels: int,
        width: float = 1.0,
        channels: int | None = None,
        norm_momentum: float = KERAS_NORM_MOMENTUM,
    ) -> None:
        out = in_channels if channels is None else scale_channels(channels, width)
        super().__init__(in_channels=in_channels, out_channels=out, time_stride=1)
        self.conv = nn.Conv2d(in_channels, out, 1, bias=False)
        self.norm = nn.BatchNorm2d(out, eps=KERAS_NORM_EPS, momentum=norm_momentum)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_in", nonlinearity="relu")

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        num_clips, num_frames = x_BTCHW.shape[:2]
        x_BCHW = x_BTCHW.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        maps: Tensor = self.norm(self.conv(x_BCHW)).relu_()
        return maps.view(num_clips, num_frames, *maps.shape[1:])
