"""ResNet, frame by frame: a 2-D residual network, in which temporal modules may let frames see one another.

Source: He et al. 2016, arXiv:1512.03385, table 1, in torchvision's form: blocks, names of the weights (`conv1.weight`,
`layer1.0.conv1.weight`, ...) and initialisation are torchvision's, so that its published weights fit. Where temporal
modules stand: Lin et al. 2019, arXiv:1811.08383, section 3.3, and Wang et al. 2021, arXiv:2103.07372: at the head of
every residual branch, where the shortcut does not pass them.
Differs: the last mean and the dense layer are the head's; `width` scales the channels.

The clips' frames are folded into the batch, (B, T) into B * T, and unfolded again: with a linear head behind it, the
mean over frames of the logits comes out. Checkpoints of the released programs fit too: their wrapped convolutions,
`layerN.M.conv1.net.weight`, are `layerN.M.conv1.weight` here, and what stands beside `net` is in `layerN.M.temporal`.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from mudra.backbones.action import OFFICIAL_NAMES
from mudra.backbones.any_temporal_module import AnyTemporalModuleConfig
from mudra.backbones.backbone import BackboneState, scale_channels
from mudra.backbones.frame_backbone import (
    TORCH_NORM_MOMENTUM,
    BlockOutput,
    FrameBackbone,
    Head,
    run_residual_blocks,
    set_norm_momentum,
)
from mudra.config import Config
from mudra.errors import ConfigError

Depth = Literal[18, 34, 50]

Block = type[BasicBlock | Bottleneck]
# Block and number of blocks of each stage; table 1.
LAYOUTS: dict[int, tuple[Block, tuple[int, int, int, int]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
}
STAGE_CHANNELS = (64, 128, 256, 512)


class ResNetConfig(Config):
    """A 2-D residual network on every frame."""

    kind: Literal["resnet"] = "resnet"

    in_channels: PositiveInt | None = None
    """Channels of the clip (C); None inside a network: as many as the clip has."""
    width: PositiveFloat = 1.0
    """Factor on all channel counts, rounded to multiples of 8."""
    depth: Depth = 50
    """Layers with weights: 18, 34 or 50."""
    pretrained: str | None = None
    """Where training starts: `imagenet` (torchvision's published weights, fetched at first use) or a file of weights
    with torchvision's names (.pth, .pt, .safetensors); None for chance. Read by `load_pretrained` alone: a finished
    run needs no such file."""
    norm_momentum: Annotated[float, Field(gt=0.0, le=1.0)] = TORCH_NORM_MOMENTUM
    """Share of each batch in the running statistics of batch normalisation."""
    temporal_module: AnyTemporalModuleConfig | None = None
    """What stands at the head of every residual branch and mixes the frames: `tsm`, `action`; None for nothing."""

    def build(self, in_channels: int | None = None) -> ResNet:
        """Return the backbone for clips of `in_channels` channels; `load_pretrained` then fills it."""
        return ResNet(
            in_channels=in_channels or self.in_channels or 3,
            width=self.width,
            depth=self.depth,
            pretrained=self.pretrained,
            norm_momentum=self.norm_momentum,
            temporal_module=self.temporal_module,
        )


class ResNet(FrameBackbone):
    """A 2-D residual network on every frame.

    Args:
        in_channels: Channels of the clip (C).
        width: Factor on all channel counts, rounded to multiples of 8.
        depth: Layers with weights: 18, 34 or 50.
        pretrained: What `load_pretrained` loads: `imagenet`, a file, or None.
        norm_momentum: Share of each batch in the running statistics of batch normalisation.
        temporal_module: What stands at the head of every residual branch; None for nothing.

    Raises:
        ConfigError: If there is no such depth.
        ModelError: In training, if `pretrained` names weights and none were ever loaded.

    Example:
        >>> import torch
        >>> ResNet(in_channels=3, depth=18, width=0.25)(torch.zeros(1, 2, 3, 64, 64)).shape
        torch.Size([1, 2, 128, 2, 2])
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        width: float = 1.0,
        depth: Depth = 50,
        pretrained: str | None = None,
        norm_momentum: float = TORCH_NORM_MOMENTUM,
        temporal_module: AnyTemporalModuleConfig | None = None,
    ) -> None:
        if depth not in LAYOUTS:
            raise ConfigError(f"depth is {depth}", hint=f"known: {', '.join(map(str, LAYOUTS))}")
        block, num_blocks = LAYOUTS[depth]
        planes = [scale_channels(channels, width) for channels in STAGE_CHANNELS]
        expansion = int(block.expansion)
        super().__init__(
            in_channels=in_channels,
            out_channels=planes[-1] * expansion,
            stem_channels=planes[0],
            pretrained=pretrained,
            # The first published version: that of the papers.
            torchvision_weights=f"ResNet{depth}_Weights.IMAGENET1K_V1",
        )
        self.depth = depth
        self.conv1 = nn.Conv2d(in_channels, planes[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(planes[0])
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        before = planes[0]
        for index, (count, channels) in enumerate(zip(num_blocks, planes, strict=True)):
            stage = _build_stage(block, before, channels, num_blocks=count, stride=1 if index == 0 else 2)
            self.add_module(f"layer{index + 1}", stage)
            before = channels * expansion
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if temporal_module is not None:  # behind the loop: temporal modules start as their papers have them
            for block_module in self.blocks():
                block_module.add_module("temporal", temporal_module.build(block_module.conv1.in_channels))
        set_norm_momentum(self, norm_momentum)
        self.is_causal = all(module.is_causal for module in self.temporal_modules())

    def blocks(self) -> list[BasicBlock | Bottleneck]:
        """Return the residual blocks, first to last."""
        stages = [self.get_submodule(f"layer{index + 1}") for index in range(len(STAGE_CHANNELS))]
        return [block for stage in stages for block in stage.children()]

    def stem(self, x_BCHW: Tensor) -> Tensor:
        maps: Tensor = self.maxpool(self.bn1(self.conv1(x_BCHW)).relu_())
        return maps

    def run_blocks(self, maps_BCHW: Tensor, num_frames: int, state: BackboneState | None) -> BlockOutput:
        return run_residual_blocks(self.blocks(), _run_block, maps_BCHW, num_frames, state)

    def describe(self) -> str:
        return f"ResNet-{self.depth} of this width"

    def is_temporal(self, name: str) -> bool:
        return ".temporal." in name

    def rename(self, name: str) -> str:
        found = re.fullmatch(r"(layer\d+\.\d+)\.conv1\.(\w+)\.(\w+)", name)
        if found is None or found[2] not in ("net", *OFFICIAL_NAMES):
            return name
        place = "conv1" if found[2] == "net" else f"temporal.{OFFICIAL_NAMES[found[2]]}"
        return f"{found[1]}.{place}.{found[3]}"


def _run_block(block: nn.Module, x_BCHW: Tensor, head: Head) -> Tensor:
    """Run one of torchvision's blocks, whose branch begins with other maps than its shortcut."""
    assert isinstance(block, BasicBlock | Bottleneck)
    shortcut: Tensor = x_BCHW if block.downsample is None else block.downsample(x_BCHW)
    maps: Tensor = block.bn2(block.conv2(block.bn1(head(block.conv1)).relu_()))
    if isinstance(block, Bottleneck):
        maps = block.bn3(block.conv3(maps.relu_()))
    return maps.add_(shortcut).relu_()


def _build_stage(block: Block, in_channels: int, channels: int, *, num_blocks: int, stride: int) -> nn.Sequential:
    """Return one stage; its first block strides, and has a projection where that or the channels ask for one."""
    out_channels = channels * int(block.expansion)
    downsample = None
    if stride != 1 or in_channels != out_channels:
        downsample = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False), nn.BatchNorm2d(out_channels)
        )
    blocks = [block(in_channels, channels, stride, downsample)]
    blocks += [block(out_channels, channels) for _ in range(num_blocks - 1)]
    return nn.Sequential(*blocks)
