"""VGG-16 up to conv5_3, frame by frame: thirteen 3x3 convolutions, with max-pooling between their five groups.

Source: Simonyan and Zisserman 2015, arXiv:1409.1556, table 1, column D, in torchvision's form: names of the weights
(`features.0.weight`, ...) and initialisation are torchvision's, so that its published weights fit; as the backbone of
Agethen and Hsu 2019, section IV-A2, which leaves out the last pooling and all dense layers.
Differs: pooling takes a last, incomplete window too, so that frames of any size can be taken; where 8 divides height
and width, 224 among them, that changes nothing. `width` scales the channels.

    group: (conv 3x3 -> ReLU) as often as it says; between groups max-pool 2x2

A frame of 224x224 becomes 512 maps of 14x14.
"""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn

from mudra.backbones.backbone import BackboneState, scale_channels
from mudra.backbones.frame_backbone import BlockOutput, FrameBackbone
from mudra.config import Config

# Channels and convolutions of each group; table 1, column D.
GROUPS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
NUM_STEM_GROUPS = 2  # what halves a frame twice, with the pooling behind them


class VGG16Config(Config):
    """3x3 convolutions and max-pooling on every frame."""

    kind: Literal["vgg16"] = "vgg16"

    in_channels: PositiveInt | None = None
    """Channels of the clip (C); None inside a network: as many as the clip has."""
    width: PositiveFloat = 1.0
    """Factor on all channel counts, rounded to multiples of 8."""
    pretrained: str | None = None
    """Where training starts: `imagenet` (torchvision's published weights, fetched at first use) or a file of weights
    with torchvision's names (.pth, .pt, .safetensors); None for chance. Read by `load_pretrained` alone."""
    frozen: bool = False
    """Keep the weights as they were loaded: no gradients, evaluation mode."""

    def build(self, in_channels: int | None = None) -> VGG16:
        """Return the backbone for clips of `in_channels` channels; `load_pretrained` then fills it."""
        return VGG16(
            in_channels=in_channels or self.in_channels or 3,
            width=self.width,
            pretrained=self.pretrained,
            frozen=self.frozen,
        )


class VGG16(FrameBackbone):
    """3x3 convolutions and max-pooling on every frame.

    Args:
        in_channels: Channels of the clip (C).
        width: Factor on all channel counts, rounded to multiples of 8.
        pretrained: What `load_pretrained` loads: `imagenet`, a file, or None.
        frozen: Whether the weights stay as they were loaded.

    Raises:
        ModelError: In training, if `pretrained` names weights or the backbone is frozen, and none were ever loaded.

    Example:
        >>> import torch
        >>> VGG16(width=0.125)(torch.zeros(1, 2, 3, 64, 48)).shape
        torch.Size([1, 2, 64, 4, 3])
    """

    first_conv = "features.0.weight"
    dense_layer = "classifier."
    published_names = "torchvision's names, features.0.weight, features.0.bias, ..."
    is_causal = True

    def __init__(
        self,
        *,
        in_channels: int = 3,
        width: float = 1.0,
        pretrained: str | None = None,
        frozen: bool = False,
    ) -> None:
        counts = [scale_channels(channels, width) for channels, _ in GROUPS]
        super().__init__(
            in_channels=in_channels,
            out_channels=counts[-1],
            stem_channels=counts[NUM_STEM_GROUPS - 1],
            pretrained=pretrained,
            # The only version there is.
            torchvision_weights="VGG16_Weights.IMAGENET1K_V1",
        )
        layers: list[nn.Module] = []
        before = in_channels
        for index, (channels, (_, num_convs)) in enumerate(zip(counts, GROUPS, strict=True)):
            if index == NUM_STEM_GROUPS:
                self.num_stem_layers = len(layers) + 1
            layers += [nn.MaxPool2d(2, ceil_mode=True)] if index else []
            for _ in range(num_convs):
                layers += [_build_conv(before, channels), nn.ReLU(inplace=True)]
                before = channels
        self.features = nn.Sequential(*layers)
        if frozen:
            self.freeze()

    def stem(self, x_BCHW: Tensor) -> Tensor:
        maps: Tensor = self.features[: self.num_stem_layers](x_BCHW)
        return maps

    def run_blocks(self, maps_BCHW: Tensor, num_frames: int, state: BackboneState | None) -> BlockOutput:
        return BlockOutput(self.features[self.num_stem_layers :](maps_BCHW), ())


def _build_conv(in_channels: int, out_channels: int) -> nn.Conv2d:
    conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return conv
