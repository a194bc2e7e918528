"""Res2Net, frame by frame: the middle of every bottleneck is split, and each split sees the one before it.

Source: Gao et al. 2019, arXiv:1904.01169, section 3 (Res2Net-50, 26w x 4s), in the released code's names and details;
with `temporal="tea"` the network of Li et al. 2020, arXiv:2004.01398.
Differs: the last mean and the dense layer are the head's; `width` scales the channels.

    u      = relu(norm(conv1(x))), with tea: motion excitation of it; s_1 .. s_4 its quarters
    y_1    = relu(norm(conv(s_1)));  y_i = relu(norm(conv(y_{i-1} + s_i)));  y_4 = s_4
    out    = relu(norm(conv3(y_1 .. y_4)) + shortcut(x))

In the first block of a stage the splits are not added to one another, and y_4 is the 3x3 mean of s_4 at the stage's
stride. With tea, a learned shift stands before every convolution of a split, and on the last split.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from mudra.backbones.backbone import BackboneState, scale_channels
from mudra.backbones.frame_backbone import (
    TORCH_NORM_MOMENTUM,
    BlockOutput,
    FrameBackbone,
    set_norm_momentum,
)
from mudra.backbones.resnet import STAGE_CHANNELS
from mudra.backbones.tea import TeaMotionExcitation, build_shifts
from mudra.config import Config
from mudra.errors import ConfigError, nearest_name

Temporal = Literal["none", "tea"]
NUM_BLOCKS = (3, 4, 6, 3)
EXPANSION = 4
SCALE = 4
BASE_WIDTH = 26  # channels of a split where a ResNet's bottleneck has 64


class Res2NetConfig(Config):
    """Res2Net-50 26w x 4s on every frame, or TEA."""

    kind: Literal["res2net"] = "res2net"

    in_channels: PositiveInt | None = None
    """Channels of the clip (C); None inside a network: as many as the clip has."""
    width: PositiveFloat = 1.0
    """Factor on all channel counts, rounded to multiples of 8."""
    pretrained: str | None = None
    """Where training starts: a file of weights with the released names (.pth, .pt, .safetensors); None for chance. Read
    by `load_pretrained` alone."""
    norm_momentum: Annotated[float, Field(gt=0.0, le=1.0)] = TORCH_NORM_MOMENTUM
    """Share of each batch in the running statistics of batch normalisation."""
    temporal: Temporal = "none"
    """What mixes the frames: `tea` (motion excitation and learned shifts in every block), or `none`."""

    def build(self, in_channels: int | None = None) -> Res2Net:
        """Return the backbone for clips of `in_channels` channels; `load_pretrained` then fills it."""
        return Res2Net(
            in_channels=in_channels or self.in_channels or 3,
            width=self.width,
            pretrained=self.pretrained,
            norm_momentum=self.norm_momentum,
            temporal=self.temporal,
        )


class Res2NetBlock(nn.Module):
    """One bottleneck with a split middle.

    Args:
        in_channels: Channels that come in.
        channels: Channels that a ResNet's bottleneck would have in its middle; four times as many go out.
        stride: Of the 3x3 convolutions.
        is_first: Whether it is the first of its stage.
        temporal: `tea` or `none`.
    """

    def __init__(self, in_channels: int, channels: int, *, stride: int, is_first: bool, temporal: Temporal) -> None:
        super().__init__()
        split = max(1, channels * BASE_WIDTH // 64)
        out_channels = channels * EXPANSION
        self.split, self.is_first = split, is_first
        self.conv1 = nn.Conv2d(in_channels, split * SCALE, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(split * SCALE)
        self.convs = nn.ModuleList(
            nn.Conv2d(split, split, 3, stride=stride, padding=1, bias=False) for _ in range(SCALE - 1)
        )
        self.bns = nn.ModuleList(nn.BatchNorm2d(split) for _ in range(SCALE - 1))
        self.pool = nn.AvgPool2d(3, stride=stride, padding=1) if is_first else nn.Identity()
        self.conv3 = nn.Conv2d(split * SCALE, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample: nn.Module = nn.Identity()
        if is_first:
            conv = nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)
            self.downsample = nn.Sequential(conv, nn.BatchNorm2d(out_channels))
        self.me = TeaMotionExcitation(split * SCALE) if temporal == "tea" else None
        self.shifts = build_shifts(split, num_convolved=SCALE - 1) if temporal == "tea" else None

    def forward(self, x_BCHW: Tensor, num_frames: int) -> Tensor:
        """Return the maps of all frames, clip by clip, shape (B * T, D, H', W')."""
        middle = self.bn1(self.conv1(x_BCHW)).relu_()
        if self.me is not None:
            middle = self.me(middle, num_frames)
        *convolved, last = middle.split(self.split, dim=1)
        parts: list[Tensor] = []
        for index, part in enumerate(convolved):
            joined = part if self.is_first or not parts else parts[-1] + part
            maps = self.convs[index](self._shift(index, joined, num_frames))
            parts.append(self.bns[index](maps).relu_())
        parts.append(self.pool(self._shift(SCALE - 1, last, num_frames)))
        out: Tensor = self.bn3(self.conv3(torch.cat(parts, dim=1)))
        return out.add_(self.downsample(x_BCHW)).relu_()

    def _shift(self, index: int, maps_BCHW: Tensor, num_frames: int) -> Tensor:
        if self.shifts is None:
            return maps_BCHW
        shifted: Tensor = self.shifts[index](maps_BCHW, num_frames)
        return shifted


class Res2Net(FrameBackbone):
    """Res2Net-50 26w x 4s on every frame, or TEA.

    Args:
        in_channels: Channels of the clip (C).
        width: Factor on all channel counts, rounded to multiples of 8.
        pretrained: What `load_pretrained` loads: a file, or None.
        norm_momentum: Share of each batch in the running statistics of batch normalisation.
        temporal: `tea` or `none`.

    Raises:
        ConfigError: If there is no such `temporal`.
        ModelError: In training, if `pretrained` names weights and none were ever loaded.

    Example:
        >>> Res2Net(width=0.25, temporal="tea")(torch.zeros(1, 2, 3, 64, 64)).shape
        torch.Size([1, 2, 512, 2, 2])
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        width: float = 1.0,
        pretrained: str | None = None,
        norm_momentum: float = TORCH_NORM_MOMENTUM,
        temporal: Temporal = "none",
    ) -> None:
        if temporal not in get_args(Temporal):
            raise ConfigError(f"temporal is {temporal!r}", hint=nearest_name(temporal, get_args(Temporal)))
        planes = [scale_channels(channels, width) for channels in STAGE_CHANNELS]
        super().__init__(
            in_channels=in_channels,
            out_channels=planes[-1] * EXPANSION,
            stem_channels=planes[0],
            pretrained=pretrained,
            torchvision_weights=None,
        )
        self.is_causal = temporal == "none"
        self.conv1 = nn.Conv2d(in_channels, planes[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(planes[0])
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        before = planes[0]
        for stage, (count, channels) in enumerate(zip(NUM_BLOCKS, planes, strict=True)):
            blocks = []
            for index in range(count):
                stride = 2 if stage > 0 and index == 0 else 1
                blocks.append(Res2NetBlock(before, channels, stride=stride, is_first=index == 0, temporal=temporal))
                before = channels * EXPANSION
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        set_norm_momentum(self, norm_momentum)

    def stem(self, x_BCHW: Tensor) -> Tensor:
        maps: Tensor = self.maxpool(self.bn1(self.conv1(x_BCHW)).relu_())
        return maps

    def run_blocks(self, maps_BCHW: Tensor, num_frames: int, state: BackboneState | None) -> BlockOutput:
        for index in range(len(NUM_BLOCKS)):
            for block in self.get_submodule(f"layer{index + 1}").children():
                maps_BCHW = block(maps_BCHW, num_frames)
        return BlockOutput(maps_BCHW, ())

    def is_temporal(self, name: str) -> bool:
        return ".me." in name or ".shifts." in name

    def rename(self, name: str) -> str:
        return re.sub(r"(\.shifts\.\d+)\.conv\.", r"\1.", name)
