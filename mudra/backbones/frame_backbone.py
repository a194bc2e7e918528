"""The contract of 2-D networks that see a clip frame by frame, with temporal modules between or without.

The clips' frames are folded into the batch, (B, T) into B * T, for everything but the temporal modules, and unfolded
again at the end.

Shape letters: B clips, or clips times frames where only C, H, W follow; T frames, C channels, H W pixels or cells.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mudra.backbones.backbone import BackboneState, StreamedMaps, Taps
from mudra.backbones.published_backbone import PublishedBackbone
from mudra.backbones.temporal_conv import check_state
from mudra.backbones.temporal_module import TemporalModule, split_frames

TORCH_NORM_MOMENTUM = 0.1
Head = Callable[[nn.Module], Tensor]  # runs the first layer of a residual branch, behind what mixes the frames


class FrameBackbone(PublishedBackbone):
    """A 2-D network over the frames of clips.

    Args:
        in_channels: Channels of the clip (C).
        out_channels: Channels of its last maps.
        stem_channels: Channels of the stem's maps, which have a quarter of the clip's height and width.
        pretrained: What `load_pretrained` loads: `imagenet`, a file, or None.
        torchvision_weights: What torchvision calls the weights that `imagenet` stands for.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        stem_channels: int,
        pretrained: str | None,
        torchvision_weights: str | None,
    ) -> None:
        super().__init__(
            in_channels=in_channels,
            out_channels=out_channels,
            time_stride=1,
            pretrained=pretrained,
            torchvision_weights=torchvision_weights,
        )
        self.stem_channels = stem_channels

    @abstractmethod
    def stem(self, x_BCHW: Tensor) -> Tensor:
        """Return the first stage's maps of every frame."""

    @abstractmethod
    def run_blocks(self, maps_BCHW: Tensor, num_frames: int, state: BackboneState | None) -> BlockOutput:
        """Return the last maps of all frames, clip by clip; with a state, also what is kept for the next piece."""

    def temporal_modules(self) -> list[TemporalModule]:
        """Return the modules at the heads of residual branches, first to last."""
        return [module for module in self.modules() if isinstance(module, TemporalModule)]

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        return self.forward_taps(x_BTCHW).maps_BTCHW

    def forward_taps(self, x_BTCHW: Tensor) -> Taps:
        """Return the maps of the clips, and those of the stem.

        Raises:
            ModelError: In training, if `pretrained` names weights or the backbone is frozen, and none were ever loaded.
        """
        num_frames = x_BTCHW.shape[1]
        stem_BCHW = self._run_stem(x_BTCHW)
        maps_BCHW = self.run_blocks(stem_BCHW, num_frames, None).maps_BCHW
        return Taps(split_frames(stem_BCHW, num_frames), split_frames(maps_BCHW, num_frames))

    def forward_stream(self, x_BTCHW: Tensor, state: BackboneState | None = None) -> StreamedMaps:
        """Return the maps of one piece of a stream; of causal networks exactly those of the whole video.

        Raises:
            ModelError: If the state is of another backbone.
        """
        if not self.is_causal:
            return super().forward_stream(x_BTCHW, state)
        check_state(state, num_parts=len(self.temporal_modules()))
        num_frames = x_BTCHW.shape[1]
        maps_BCHW, after = self.run_blocks(self._run_stem(x_BTCHW), num_frames, () if state is None else state)
        return StreamedMaps(split_frames(maps_BCHW, num_frames), after)

    def _run_stem(self, x_BTCHW: Tensor) -> Tensor:
        self.check_filled()
        return self.stem(x_BTCHW.flatten(0, 1).contiguous(memory_format=torch.channels_last))


class BlockOutput(NamedTuple):
    """What `FrameBackbone.run_blocks` returns.

    Args:
        maps_BCHW: The last maps of all frames, clip by clip.
        state: What the next piece of a stream needs; nothing for whole clips.
    """

    maps_BCHW: Tensor
    state: BackboneState


def run_residual_blocks(
    blocks: list[nn.Module],
    run_block: Callable[[nn.Module, Tensor, Head], Tensor],
    maps_BCHW: Tensor,
    num_frames: int,
    state: BackboneState | None,
) -> BlockOutput:
    """Run blocks whose residual branch may begin with a temporal module, which the shortcut does not pass.

    Args:
        blocks: First to last; a module named `temporal` inside stands at the head of the branch.
        run_block: Called with a block, its input, and a function that returns what a layer, the first of the block's
            branch, makes of the branch's input.
        maps_BCHW: Maps of all frames, clip by clip.
        num_frames: Frames of a clip (T).
        state: None for whole clips; what was kept of the piece before, () at a stream's start.
    """
    kept = [] if state is None else list(state)
    after: list[Tensor] = []
    for block in blocks:
        temporal = temporal_of(block)
        head: Head = partial(_begin, maps_BCHW)
        if temporal is not None:
            before = kept[len(after)] if kept else None
            head = partial(temporal.lead_into, x_BCHW=maps_BCHW, num_frames=num_frames, before_BCHW=before)
            if state is not None:
                after.append(temporal.remember(maps_BCHW, num_frames))
        maps_BCHW = run_block(block, maps_BCHW, head)
    return BlockOutput(maps_BCHW, tuple(after))


def _begin(x_BCHW: Tensor, layer: nn.Module) -> Tensor:
    made_BCHW: Tensor = layer(x_BCHW)
    return made_BCHW


def temporal_of(block: nn.Module) -> TemporalModule | None:
    """Return the temporal module at the head of a block's branch, if there is one."""
    found = dict(block.named_children()).get("temporal")
    assert found is None or isinstance(found, TemporalModule)
    return found


def set_norm_momentum(network: nn.Module, momentum: float) -> None:
    """Set the share of each batch in all running statistics of a 2-D network."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = momentum
