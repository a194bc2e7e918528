"""3-D ResNeXt: residual units whose middle convolution is cut into 32 groups.

Source: Hara et al. 2018, arXiv:1711.09577, table 1 (ResNeXt), after Xie et al. 2017, arXiv:1611.05431; names of the
weights (`conv1.weight`, `layer1.0.conv1.weight`, ...) and initialisation are those of its public code
(github.com/kenshohara/3D-ResNets-PyTorch) with convolutions in the shortcuts (type B), so that its published
checkpoints fit. Fan et al. 2021 compare with the one of 101 layers, after Köpüklü et al. 2019, arXiv:1901.10323.
Differs: the last mean and the dense layer are the head's. `width` scales the channels; where 32 does not divide them
any more, there are as many groups as divide both.

    clip -> 7x7x7 conv /(1,2,2) -> max-pool 3x3x3 /2 -> stage 1 -> stage 2 /2 -> stage 3 /2 -> stage 4 /2 -> maps
    unit: conv 1x1x1 -> conv 3x3x3 in groups -> conv 1x1x1 to twice the channels, beside a shortcut

Every convolution has no bias and is followed by batch normalisation. 16 frames become one step.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from mudra.backbones.backbone import scale_channels
from mudra.backbones.conv3d import convolve_same
from mudra.backbones.frame_backbone import TORCH_NORM_MOMENTUM
from mudra.backbones.published_backbone import PublishedBackbone
from mudra.config import Config
from mudra.errors import ConfigError

Depth = Literal[50, 101]

# Residual units of each stage; Hara et al. 2018, table 1.
LAYOUTS: dict[int, tuple[int, int, int, int]] = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
STEM_CHANNELS, STAGE_CHANNELS = 64, (128, 256, 512, 1024)
EXPANSION, NUM_GROUPS = 2, 32


class ResNeXt3DConfig(Config):
    """Residual units with grouped 3-D convolutions."""

    kind: Literal["resnext3d"] = "resnext3d"

    in_channels: PositiveInt | None = None
    """Channels of the clip (C); None inside a network: as many as the clip has."""
    width: PositiveFloat = 1.0
    """Factor on all channel counts, rounded to multiples of 8."""
    depth: Depth = 101
    """Layers with weights: 50 or 101."""
    pretrained: str | None = None
    """Where training starts: a file of weights with the names of the public code (.pth, .pt, .safetensors); None for
    chance. Read by `load_pretrained` alone."""
    norm_momentum: Annotated[float, Field(gt=0.0, le=1.0)] = TORCH_NORM_MOMENTUM
    """Share of each batch in the running statistics of batch normalisation."""

    def build(self, in_channels: int | None = None) -> ResNeXt3D:
        """Return the backbone for clips of `in_channels` channels; `load_pretrained` then fills it."""
        return ResNeXt3D(
            in_channels=in_channels or self.in_channels or 3,
            width=self.width,
            depth=self.depth,
            pretrained=self.pretrained,
            norm_momentum=self.norm_momentum,
        )


class GroupedUnit(nn.Module):
    """Three convolutions, the middle one in groups, around a shortcut."""

    def __init__(self, in_channels: int, channels: int, *, stride: int, project: bool) -> None:
        super().__init__()
        out = channels * EXPANSION
        self.conv1 = nn.Conv3d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(channels)
        groups = math.gcd(NUM_GROUPS, channels)
        self.conv2 = nn.Conv3d(channels, channels, 3, stride=stride, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm3d(channels)
        self.conv3 = nn.Conv3d(channels, out, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(out)
        self.downsample: nn.Sequential | None = None
        if project:
            shortcut = nn.Conv3d(in_channels, out, 1, stride=stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm3d(out))

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        inner = _normalise(self.conv1, self.bn1, x_BCTHW).relu_()
        inner = _normalise(self.conv2, self.bn2, inner).relu_()
        shortcut = x_BCTHW
        if self.downsample is not None:
            shortcut = _normalise(self.downsample[0], self.downsample[1], x_BCTHW)
        return (_normalise(self.conv3, self.bn3, inner) + shortcut).relu_()


class ResNeXt3D(PublishedBackbone):
    """Residual units with grouped 3-D convolutions.

    Args:
        in_channels: Channels of the clip (C).
        width: Factor on all channel counts, rounded to multiples of 8.
        depth: Layers with weights: 50 or 101.
        pretrained: What `load_pretrained` loads: a file, or None.
        norm_momentum: Share of each batch in the running statistics of batch normalisation.

    Raises:
        ConfigError: If there is no such depth.
        ModelError: In training, if `pretrained` names weights and none were ever loaded.

    Example:
        >>> ResNeXt3D(depth=50, width=0.125)(torch.zeros(1, 16, 3, 64, 64)).shape
        torch.Size([1, 1, 256, 2, 2])
    """

    published_names = "the public code's names, conv1.weight, layer1.0.conv1.weight, layer1.0.downsample.0.weight, ..."

    def __init__(
        self,
        *,
        in_channels: int = 3,
        width: float = 1.0,
        depth: Depth = 101,
        pretrained: str | None = None,
        norm_momentum: float = TORCH_NORM_MOMENTUM,
    ) -> None:
        if depth not in LAYOUTS:
            raise ConfigError(f"depth is {depth}", hint=f"known: {', '.join(map(str, LAYOUTS))}")
        stem, *stages = (scale_channels(channels, width) for channels in (STEM_CHANNELS, *STAGE_CHANNELS))
        super().__init__(
            in_channels=in_channels,
            out_channels=stages[-1] * EXPANSION,
            time_stride=2 ** len(stages),
            pretrained=pretrained,
            torchvision_weights=None,
        )
        self.depth = depth
        self.conv1 = nn.Conv3d(in_channels, stem, 7, stride=(1, 2, 2), bias=False)
        self.bn1 = nn.BatchNorm3d(stem)
        before = stem
        for index, (num_units, channels) in enumerate(zip(LAYOUTS[depth], stages, strict=True)):
            self.add_module(
                f"layer{index + 1}", _build_stage(before, channels, num_units, stride=1 if index == 0 else 2)
            )
            before = channels * EXPANSION
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.BatchNorm3d):
                module.momentum = norm_momentum

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        self.check_filled()
        x_BCTHW = x_BTCHW.transpose(1, 2).contiguous(memory_format=torch.channels_last_3d)
        maps_BCTHW = _normalise(self.conv1, self.bn1, x_BCTHW).relu_()
        maps_BCTHW = nn.functional.max_pool3d(maps_BCTHW, 3, stride=2, padding=1)
        for index in range(len(STAGE_CHANNELS)):
            maps_BCTHW = self.get_submodule(f"layer{index + 1}")(maps_BCTHW)
        return maps_BCTHW.transpose(1, 2)

    def describe(self) -> str:
        return f"3-D ResNeXt-{self.depth} of this width"


def _normalise(conv: nn.Module, norm: nn.Module, x_BCTHW: Tensor) -> Tensor:
    assert isinstance(conv, nn.Conv3d)
    maps: Tensor = norm(convolve_same(conv, x_BCTHW, padding="symmetric"))
    return maps


def _build_stage(in_channels: int, channels: int, num_units: int, *, stride: int) -> nn.Sequential:
    first = GroupedUnit(in_channels, channels, stride=stride, project=True)
    rest = (GroupedUnit(channels * EXPANSION, channels, stride=1, project=False) for _ in range(num_units - 1))
    return nn.Sequential(first, *rest)
