"""The top of MobileNet: separable 2-D convolutions on every step's hidden map.

Source: Zhang et al. 2018, section 2.1 and figure 1; the layer table after its released code (after Howard et al. 2017,
arXiv:1704.04861). Differs: nothing at the defaults; `width` and `units` scale it down.

A unit is depthwise 3x3 -> 1x1 with bias -> batch normalisation -> ReLU6. Unlike stock MobileNet there is nothing
between the two convolutions (`between="norm_relu6"` puts stock MobileNet's normalisation and ReLU6 there), the first
stride keeps 256 channels, and the last unit strides too.
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple, get_args

from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from mudra.backbones.backbone import KERAS_NORM_EPS, KERAS_NORM_MOMENTUM, Backbone, scale_channels
from mudra.backbones.padding import PaddingMode, check_padding, pad_same
from mudra.config import Config
from mudra.errors import ConfigError, nearest_name

Between = Literal["nothing", "norm_relu6"]


class SeparableUnit(NamedTuple):
    """One unit: its channels before `width`, and its stride."""

    channels: PositiveInt
    stride: PositiveInt


ZHANG2018_UNITS = tuple(
    SeparableUnit(*unit)
    for unit in [(256, 1), (256, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 2)]
)


class MobileNetTopConfig(Config):
    """The top of MobileNet."""

    kind: Literal["mobile_net_top"] = "mobile_net_top"

    width: PositiveFloat = 1.0
    """Factor on all channel counts, rounded to multiples of 8."""
    units: tuple[SeparableUnit, ...] = ZHANG2018_UNITS
    """Channels (before `width`) and stride of each unit."""
    padding: PaddingMode = "tf_same"
    """`tf_same` (the released code's numbers) or `symmetric`."""
    norm_momentum: Annotated[float, Field(gt=0.0, le=1.0)] = KERAS_NORM_MOMENTUM
    """Share of each batch in the running statistics of batch normalisation; 0.01 is the paper's (Keras' 0.99). Short
    trainings need more: their statistics lag behind otherwise."""
    between: Between = "nothing"
    """What stands between the two convolutions of a unit: `nothing` (the paper's code) or `norm_relu6` (Howard et al.
    2017, figure 3)."""

    def build(self, in_channels: int) -> MobileNetTop:
        """Return the top for hidden maps of `in_channels` channels."""
        return MobileNetTop(
            in_channels=in_channels,
            width=self.width,
            units=self.units,
            padding=self.padding,
            norm_momentum=self.norm_momentum,
            between=self.between,
        )


class SeparableConv(nn.Module):
    """depthwise 3x3 -> 1x1 with bias -> batch normalisation -> ReLU6."""

    def __init__(
        self, in_channels: int, out_channels: int, *, stride: int, padding: PaddingMode, between: Between = "nothing"
    ) -> None:
        super().__init__()
        check_padding(padding)
        if between not in get_args(Between):
            raise ConfigError(f"between is {between!r}", hint=nearest_name(between, get_args(Between)))
        self.padding: PaddingMode = padding
        self.depthwise = nn.Conv2d(in_channels, in_channels, 3, stride=stride, groups=in_channels, bias=False)
        self.between: nn.Module = nn.Identity()
        if between == "norm_relu6":
            self.between = nn.Sequential(nn.BatchNorm2d(in_channels, eps=KERAS_NORM_EPS), nn.ReLU6(inplace=True))
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1)
        self.norm = nn.BatchNorm2d(out_channels, eps=KERAS_NORM_EPS, momentum=KERAS_NORM_MOMENTUM)
        for conv in (self.depthwise, self.pointwise):
            nn.init.xavier_uniform_(conv.weight)
        assert self.pointwise.bias is not None
        nn.init.zeros_(self.pointwise.bias)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        padded = pad_same(
            x_BCHW, kernel_size=self.depthwise.kernel_size, stride=self.depthwise.stride, mode=self.padding
        )
        normed: Tensor = self.norm(self.pointwise(self.between(self.depthwise(padded))))
        return nn.functional.relu6(normed, inplace=True)


class MobileNetTop(Backbone):
    """Separable convolutions on every step's map, each step by itself.

    Args:
        in_channels: Channels of the maps that come in.
        width: Factor on all channel counts, rounded to multiples of 8.
        units: Channels (before `width`) and stride of each unit.
        padding: `tf_same` or `symmetric`.
        norm_momentum: Share of each batch in the running statistics of batch normalisation.
        between: What stands between the two convolutions of a unit: `nothing` or `norm_relu6`.

    Raises:
        ConfigError: If there is no such `padding` or `between`.

    Example:
        >>> import torch
        >>> MobileNetTop(in_channels=256)(torch.zeros(1, 2, 256, 28, 28)).shape
        torch.Size([1, 2, 1024, 4, 4])
    """

    def __init__(
        self,
        *,
        in_channels: int,
        width: float = 1.0,
        units: tuple[SeparableUnit, ...] = ZHANG2018_UNITS,
        padding: PaddingMode = "tf_same",
        norm_momentum: float = KERAS_NORM_MOMENTUM,
        between: Between = "nothing",
    ) -> None:
        channels = [in_channels, *(scale_channels(unit.channels, width) for unit in units)]
        super().__init__(in_channels=in_channels, out_channels=channels[-1], time_stride=1)
        self.units = nn.Sequential(
            *(
                SeparableConv(before, after, stride=unit.stride, padding=padding, between=between)
                for before, after, unit in zip(channels[:-1], channels[1:], units, strict=True)
            )
        )
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = norm_momentum

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        num_clips, num_frames = x_BTCHW.shape[:2]
        maps: Tensor = self.units(x_BTCHW.flatten(0, 1))
        return maps.view(num_clips, num_frames, *maps.shape[1:])
