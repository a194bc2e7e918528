"""MobileNetV2, frame by frame: inverted residuals, at whose heads temporal modules may stand.

Source: Sandler et al. 2018, arXiv:1801.04381, table 2, in torchvision's form: names of the weights
(`features.0.0.weight`, ...) and initialisation are torchvision's, so that its published weights fit. Where temporal
modules stand: the released code of Lin et al. 2019, arXiv:1811.08383: in the blocks that have a shortcut.
Differs: the last mean and the dense layer are the head's. Below a width of one the last layer keeps its 1,280 channels,
as Sandler et al. have it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torchvision.models.mobilenetv2 import InvertedResidual
from torchvision.models.mobilenetv2 import MobileNetV2 as PublishedMobileNetV2

from mudra.backbones.any_temporal_module import AnyTemporalModuleConfig
from mudra.backbones.backbone import BackboneState
from mudra.backbones.frame_backbone import (
    TORCH_NORM_MOMENTUM,
    BlockOutput,
    FrameBackbone,
    Head,
    run_residual_blocks,
    set_norm_momentum,
)
from mudra.config import Config

NUM_STEM_LAYERS = 3  # the first convolution and two blocks: what halves a frame twice


class MobileNetV2Config(Config):
    """Inverted residuals on every frame."""

    kind: Literal["mobile_net_v2"] = "mobile_net_v2"

    in_channels: PositiveInt | None = None
    """Channels of the clip (C); None inside a network: as many as the clip has."""
    width: PositiveFloat = 1.0
    """Factor on all channel counts, rounded to multiples of 8; the last layer never has fewer than 1,280."""
    pretrained: str | None = None
    """Where training starts: `imagenet` (torchvision's published weights, fetched at first use) or a file of weights
    with torchvision's names (.pth, .pt, .safetensors); None for chance. Read by `load_pretrained` alone."""
    norm_momentum: Annotated[float, Field(gt=0.0, le=1.0)] = TORCH_NORM_MOMENTUM
    """Share of each batch in the running statistics of batch normalisation."""
    temporal_module: AnyTemporalModuleConfig | None = None
    """What stands at the head of every block that has a shortcut and mixes the frames: `tsm`, `action`; None for
    nothing."""

    def build(self, in_channels: int | None = None) -> MobileNetV2:
        """Return the backbone for clips of `in_channels` channels; `load_pretrained` then fills it."""
        return MobileNetV2(
            in_channels=in_channels or self.in_channels or 3,
            width=self.width,
            pretrained=self.pretrained,
            norm_momentum=self.norm_momentum,
            temporal_module=self.temporal_module,
        )


class MobileNetV2(FrameBackbone):
    """Inverted residuals on every frame.

    Args:
        in_channels: Channels of the clip (C).
        width: Factor on all channel counts, rounded to multiples of 8.
        pretrained: What `load_pretrained` loads: `imagenet`, a file, or None.
        norm_momentum: Share of each batch in the running statistics of batch normalisation.
        temporal_module: What stands at the head of every block that has a shortcut; None for nothing.

    Raises:
        ModelError: In training, if `pretrained` names weights and none were ever loaded.

    Example:
        >>> import torch
        >>> MobileNetV2(width=0.25)(torch.zeros(1, 2, 3, 64, 64)).shape
        torch.Size([1, 2, 1280, 2, 2])
    """

    first_conv = "features.0.0.weight"
    dense_layer = "classifier."

    def __init__(
        self,
        *,
        in_channels: int = 3,
        width: float = 1.0,
        pretrained: str | None = None,
        norm_momentum: float = TORCH_NORM_MOMENTUM,
        temporal_module: AnyTemporalModuleConfig | None = None,
    ) -> None:
        # One class: the dense layer is thrown away.
        published = PublishedMobileNetV2(num_classes=1, width_mult=width)
        features = published.features
        super().__init__(
            in_channels=in_channels,
            out_channels=published.last_channel,
            stem_channels=features[NUM_STEM_LAYERS - 1].out_channels,
            pretrained=pretrained,
            torchvision_weights="MobileNet_V2_Weights.IMAGENET1K_V1",
        )
        first = features[0][0]
        if first.in_channels != in_channels:
            features[0][0] = nn.Conv2d(in_channels, first.out_channels, 3, stride=2, padding=1, bias=False)
            nn.init.kaiming_normal_(features[0][0].weight, mode="fan_out")
        self.features: nn.Sequential = features
        if temporal_module is not None:
            for block in list(features)[NUM_STEM_LAYERS:]:
                if isinstance(block, InvertedResidual) and block.use_res_connect:
                    block.add_module("temporal", temporal_module.build(block.out_channels))
        set_norm_momentum(self, norm_momentum)
        self.is_causal = all(module.is_causal for module in self.temporal_modules())

    def stem(self, x_BCHW: Tensor) -> Tensor:
        for layer in list(self.features)[:NUM_STEM_LAYERS]:
            x_BCHW = layer(x_BCHW)
        return x_BCHW

    def run_blocks(self, maps_BCHW: Tensor, num_frames: int, state: BackboneState | None) -> BlockOutput:
        blocks = list(self.features)[NUM_STEM_LAYERS:]
        return run_residual_blocks(blocks, _run_block, maps_BCHW, num_frames, state)

    def is_temporal(self, name: str) -> bool:
        return ".temporal." in name


def _run_block(block: nn.Module, x_BCHW: Tensor, head: Head) -> Tensor:
    """Run a block, whose branch begins with other maps than its shortcut."""
    layers = block.conv if isinstance(block, InvertedResidual) else block
    maps = head(layers)
    return x_BCHW + maps if isinstance(block, InvertedResidual) and block.use_res_connect else maps
