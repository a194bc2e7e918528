"""Frame trunk: pairs of small convolutions and max-pooling, on every frame or factorised over space and time.

Source: Pigou et al. 2015, section 3.1 (C(16) C(16) P C(32) C(32) P C(64) C(64) P C(128) C(128) P) and equations 5 and 6
(section 3.3); initialisation after the released code.
Differs: nothing at the defaults with 64x64 frames. Maps of odd sides keep their last row and column when pooled;
`temporal_conv="causal"`, `width` and the initialisation `he_normal` are ours.

    s_tij^(k) = sum_n (W_spat^(kn) * x_t^(n))_ij                      (5)
    v_tij^(k) = a(b^(k) + sum_m (W_temp^(km) * s_ij^(m))_t)           (6)

a is the leaky ReLU max(0.3 x, x). Without temporal convolutions, v_t = a(b + s_t).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Literal, get_args

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from mudra.backbones.backbone import Backbone, BackboneState, StreamedMaps, scale_channels
from mudra.backbones.temporal_conv import TemporalConv, check_state, convolve_frames
from mudra.config import Config, OddInt
from mudra.errors import ConfigError, nearest_name

TemporalKind = Literal["none", "centred", "causal"]
Initialisation = Literal["orthogonal", "he_normal"]
PIGOU2015_CHANNELS = (16, 32, 64, 128)
# Of the released code of Pigou et al. 2015, for convolutions and dense layers alike.
PIGOU2015_GAIN, PIGOU2015_BIAS = math.sqrt(2.0), 0.1


class FrameTrunkConfig(Config):
    """Small convolutions and max-pooling on every frame, with temporal convolutions on request."""

    kind: Literal["frame_trunk"] = "frame_trunk"

    in_channels: PositiveInt | None = None
    """Channels of the clip (C); None inside a network: as many as the clip has."""
    width: PositiveFloat = 1.0
    """Factor on all channel counts, rounded to multiples of 8."""
    channels: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = PIGOU2015_CHANNELS
    """Channels of each stage, before `width`; max-pooling closes each stage."""
    num_convs: PositiveInt = 2
    """Convolutions of each stage."""
    temporal_conv: TemporalKind = "none"
    """`none`: every frame by itself; `centred`: each convolution is a spatial one, without bias and activation, and one
    over time (the paper); `causal`: likewise, but over earlier frames alone."""
    temporal_kernel_size: OddInt = 3
    """Frames that each convolution over time sees."""
    pool_time: bool = False
    """Whether max-pooling takes pairs of frames too (the paper's figure 1d)."""
    negative_slope: NonNegativeFloat = 0.3
    """Slope of the leaky ReLU below zero."""
    initialisation: Initialisation = "orthogonal"
    """`orthogonal` with gain sqrt(2) and biases of 0.1; `he_normal` with biases of zero, where spatial convolutions
    that no activation follows keep the variance."""

    def build(self, in_channels: int | None = None) -> FrameTrunk:
        """Return the backbone for clips of `in_channels` channels."""
        return FrameTrunk(
            in_channels=in_channels or self.in_channels or 3,
            width=self.width,
            channels=self.channels,
            num_convs=self.num_convs,
            temporal_conv=self.temporal_conv,
            temporal_kernel_size=self.temporal_kernel_size,
            pool_time=self.pool_time,
            negative_slope=self.negative_slope,
            initialisation=self.initialisation,
        )


class FrameLayer(nn.Module):
    """A 3x3 convolution, factorised or not, and its leaky ReLU."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        temporal_conv: TemporalKind,
        kernel_size: int,
        negative_slope: float,
    ) -> None:
        super().__init__()
        self.negative_slope = negative_slope
        self.spatial = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=temporal_conv == "none")
        self.temporal = (
            None
            if temporal_conv == "none"
            else TemporalConv(out_channels, out_channels, kernel_size=kernel_size, causal=temporal_conv == "causal")
        )

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        maps_BTDHW = convolve_frames(self.spatial, x_BTCHW)
        return self.activate(maps_BTDHW if self.temporal is None else self.temporal(maps_BTDHW))

    def activate(self, maps: Tensor) -> Tensor:
        """Return max(slope x, x)."""
        return nn.functional.leaky_relu(maps, self.negative_slope)


class FrameTrunk(Backbone):
    """Small convolutions and max-pooling, on every frame or factorised over space and time.

    Args:
        in_channels: Channels of the clip (C).
        width: Factor on all channel counts, rounded to multiples of 8.
        channels: Channels of each stage, before `width`.
        num_convs: Convolutions of each stage.
        temporal_conv: `none`, `centred` or `causal`.
        temporal_kernel_size: Frames that each convolution over time sees.
        pool_time: Whether max-pooling takes pairs of frames too.
        negative_slope: Slope of the leaky ReLU below zero.
        initialisation: `orthogonal` or `he_normal`.

    Raises:
        ConfigError: If `temporal_conv` or `initialisation` is unknown, or `temporal_kernel_size` is even.

    Example:
        >>> FrameTrunk(in_channels=4, temporal_conv="centred", pool_time=True)(torch.zeros(1, 32, 4, 64, 64)).shape
        torch.Size([1, 2, 128, 4, 4])
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        width: float = 1.0,
        channels: tuple[int, ...] = PIGOU2015_CHANNELS,
        num_convs: int = 2,
        temporal_conv: TemporalKind = "none",
        temporal_kernel_size: int = 3,
        pool_time: bool = False,
        negative_slope: float = 0.3,
        initialisation: Initialisation = "orthogonal",
    ) -> None:
        _check_choice("temporal_conv", temporal_conv, get_args(TemporalKind))
        _check_choice("initialisation", initialisation, get_args(Initialisation))
        if temporal_kernel_size < 1 or temporal_kernel_size % 2 == 0:
            raise ConfigError(f"temporal_kernel_size is {temporal_kernel_size}, wanted an odd number: a middle frame")
        counts = [in_channels, *(scale_channels(count, width) for count in channels)]
        time_stride = 2 ** len(channels) if pool_time else 1
        super().__init__(in_channels=in_channels, out_channels=counts[-1], time_stride=time_stride)
        self.temporal_conv: TemporalKind = temporal_conv
        self.temporal_kernel_size = temporal_kernel_size
        self.pool_time = pool_time
        self.is_causal = temporal_conv != "centred" and not pool_time
        self.stages = nn.ModuleList()
        for before, after in pairwise(counts):
            layers = (
                FrameLayer(
                    before if index == 0 else after,
                    after,
                    temporal_conv=temporal_conv,
                    kernel_size=temporal_kernel_size,
                    negative_slope=negative_slope,
                )
                for index in range(num_convs)
            )
            self.stages.append(nn.ModuleList(layers))
        for conv in (module for module in self.modules() if isinstance(module, nn.Conv2d)):
            _initialise(conv, initialisation, negative_slope)

    def stage_layers(self) -> list[list[FrameLayer]]:
        """Return the layers of each stage."""
        stages: list[list[FrameLayer]] = []
        for stage in self.stages:
            assert isinstance(stage, nn.ModuleList)
            stages.append([layer for layer in stage if isinstance(layer, FrameLayer)])
        return stages

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        for layers in self.stage_layers():
            for layer in layers:
                x_BTCHW = layer(x_BTCHW)
            x_BTCHW = pool_space(x_BTCHW)
            if self.pool_time:
                x_BTCHW = pool_pairs(x_BTCHW)
        return x_BTCHW

    def forward_stream(self, x_BTCHW: Tensor, state: BackboneState | None = None) -> StreamedMaps:
        """Return the maps of one piece of a stream; of a causal trunk exactly those of the whole clip.

        Raises:
            ModelError: If the state is another trunk's, or of pieces of another shape.
        """
        if not self.is_causal:
            return super().forward_stream(x_BTCHW, state)
        num_temporal = sum(layer.temporal is not None for layers in self.stage_layers() for layer in layers)
        check_state(state, num_parts=num_temporal)
        before = iter(state or ())
        after = []
        for layers in self.stage_layers():
            for layer in layers:
                x_BTCHW = convolve_frames(layer.spatial, x_BTCHW)
                if layer.temporal is not None:
                    x_BTCHW, last_BCTP = layer.temporal.forward_stream(x_BTCHW, next(before, None))
                    after.append(last_BCTP)
                x_BTCHW = layer.activate(x_BTCHW)
            x_BTCHW = pool_space(x_BTCHW)
        return StreamedMaps(x_BTCHW, tuple(after))


def pool_space(x_BTCHW: Tensor) -> Tensor:
    """Return the largest of every 2x2 cells, of what is left of them at the borders."""
    pooled_NCHW = nn.functional.max_pool2d(x_BTCHW.flatten(0, 1), 2, ceil_mode=True)
    return pooled_NCHW.view(*x_BTCHW.shape[:2], *pooled_NCHW.shape[1:])


def pool_pairs(x_BTCHW: Tensor) -> Tensor:
    """Return the larger of every two frames; a last single frame stays."""
    first, second = x_BTCHW[:, 0::2], x_BTCHW[:, 1::2]
    if first.shape[1] > second.shape[1]:
        second = torch.cat([second, first[:, -1:]], dim=1)
    return torch.maximum(first, second)


def _check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(f"{name} is {value!r}", hint=nearest_name(value, known))


def _initialise(conv: nn.Conv2d, initialisation: Initialisation, negative_slope: float) -> None:
    if initialisation == "orthogonal":
        nn.init.orthogonal_(conv.weight, gain=PIGOU2015_GAIN)
    elif conv.bias is None:
        nn.init.kaiming_normal_(conv.weight, mode="fan_in", nonlinearity="linear")
    else:
        nn.init.kaiming_normal_(conv.weight, a=negative_slope, mode="fan_in", nonlinearity="leaky_relu")
    if conv.bias is not None:
        nn.init.constant_(conv.bias, PIGOU2015_BIAS if initialisation == "orthogonal" else 0.0)
