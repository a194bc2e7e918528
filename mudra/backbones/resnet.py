"""ResNet, frame by frame: a 2-D residual network sees every frame by itself.

Source: He et al. 2016, arXiv:1512.03385, table 1, in torchvision's form: blocks, names of the weights (`conv1.weight`,
`layer1.0.conv1.weight`, ...) and initialisation are torchvision's, so that its published weights fit.
Differs: the last mean and the dense layer are the head's; `width` scales the channels.

The clips' frames are folded into the batch, (B, T) into B * T, and unfolded again: with a linear head behind it, the
mean over frames of the logits comes out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import torch
import torchvision
from pydantic import Field, PositiveFloat, PositiveInt
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from mudra.backbones.backbone import Backbone, scale_channels
from mudra.config import Config
from mudra.errors import ConfigError, ModelError

Depth = Literal[18, 34, 50]

Block = type[BasicBlock | Bottleneck]
# Block and number of blocks of each stage; table 1.
LAYOUTS: dict[int, tuple[Block, tuple[int, int, int, int]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
}
STAGE_CHANNELS = (64, 128, 256, 512)
IMAGENET = "imagenet"
TORCH_NORM_MOMENTUM = 0.1


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

    def build(self, in_channels: int | None = None) -> ResNet:
        """Return the backbone for clips of `in_channels` channels; `load_pretrained` then fills it."""
        return ResNet(
            in_channels=in_channels or self.in_channels or 3,
            width=self.width,
            depth=self.depth,
            pretrained=self.pretrained,
            norm_momentum=self.norm_momentum,
        )


class ResNet(Backbone):
    """A 2-D residual network on every frame.

    Args:
        in_channels: Channels of the clip (C).
        width: Factor on all channel counts, rounded to multiples of 8.
        depth: Layers with weights: 18, 34 or 50.
        pretrained: What `load_pretrained` loads: `imagenet`, a file, or None.
        norm_momentum: Share of each batch in the running statistics of batch normalisation.

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
    ) -> None:
        if depth not in LAYOUTS:
            raise ConfigError(f"depth is {depth}", hint=f"known: {', '.join(map(str, LAYOUTS))}")
        block, num_blocks = LAYOUTS[depth]
        planes = [scale_channels(channels, width) for channels in STAGE_CHANNELS]
        expansion = int(block.expansion)
        super().__init__(in_channels=in_channels, out_channels=planes[-1] * expansion, time_stride=1)
        self.depth, self.pretrained = depth, pretrained
        self.holds_weights = pretrained is None
        self.register_load_state_dict_post_hook(_mark_filled)  # type: ignore[no-untyped-call]
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
            elif isinstance(module, nn.BatchNorm2d):
                module.momentum = norm_momentum

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        if self.training and not self.holds_weights:
            raise ModelError(
                f"training is to start from pretrained={self.pretrained!r}, which was not loaded",
                hint="call load_pretrained() first, or load the state of another training",
            )
        num_clips, num_frames = x_BTCHW.shape[:2]
        x_BCHW = x_BTCHW.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        maps: Tensor = self.maxpool(self.bn1(self.conv1(x_BCHW)).relu_())
        for index in range(len(STAGE_CHANNELS)):
            maps = self.get_submodule(f"layer{index + 1}")(maps)
        return maps.view(num_clips, num_frames, *maps.shape[1:])

    def load_pretrained(self) -> None:
        """Load what `pretrained` names; nothing without it.

        Clips of other than three channels get the mean of the first kernels' three, in every channel (Wang et al. 2016,
        arXiv:1608.00859, section 3.2, cross modality). The dense layer in the file is left out.

        Raises:
            ModelError: If the file is missing, is damaged, or holds another network's weights.
        """
        if self.pretrained is None:
            return
        weights = {
            name: value
            for name, value in _read_weights(self.pretrained, self.depth).items()
            if not name.startswith("fc.")
        }
        first = weights.get("conv1.weight")
        if first is not None and first.ndim == 4 and first.shape[1] != self.in_channels:
            weights["conv1.weight"] = first.mean(dim=1, keepdim=True).repeat(1, self.in_channels, 1, 1)
        _check_fit(
            weights, self.state_dict(), f"{self.pretrained}: not the weights of ResNet-{self.depth} of this width"
        )
        self.load_state_dict(weights)


def _mark_filled(network: nn.Module, incompatible: object) -> None:
    assert isinstance(network, ResNet)
    network.holds_weights = True


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


def _read_weights(source: str, depth: int) -> dict[str, Tensor]:
    if source == IMAGENET:
        # The first published version: that of the papers.
        weights: dict[str, Tensor] = torchvision.models.get_weight(
            f"ResNet{depth}_Weights.IMAGENET1K_V1"
        ).get_state_dict(progress=False, check_hash=True)
        return weights
    path = Path(source)
    try:
        found = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except FileNotFoundError:
        hint = f"give a file of weights, or {IMAGENET!r} for torchvision's own"
        raise ModelError(f"{path}: no such file of weights", hint=hint) from None
    except Exception as error:  # a damaged file is refused by pickle, zip, torch or safetensors, each in its own way
        raise ModelError(f"{path}: not a file of weights ({error})") from None
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise ModelError(f"{path}: holds no weights by name", hint="save network.state_dict()")
    return found


def _check_fit(weights: dict[str, Tensor], wanted: dict[str, Tensor], complaint: str) -> None:
    # Older files do not count the batches that their statistics were taken over; PyTorch does without.
    names = [name for name in wanted if not name.endswith("num_batches_tracked")]
    wrong = [name for name in names if name not in weights or weights[name].shape != wanted[name].shape]
    wrong += [name for name in weights if name not in wanted]
    if wrong:
        shown = ", ".join(wrong[:3]) + (", ..." if len(wrong) > 3 else "")
        raise ModelError(
            f"{complaint}: {len(wrong)} missing, unknown or of another shape ({shown})",
            hint="wanted: a state dict with torchvision's names, conv1.weight, layer1.0.conv1.weight, ...",
        )
