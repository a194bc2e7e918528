"""Frame-wise networks on streams: what is carried from piece to piece, and what stands in the way of running forwards.

A part that needs later frames (a window, a convolution over later frames, a layer that runs backwards too) cannot go on
from piece to piece. Where it has a twin that sees earlier frames alone, the twin's config is given here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from torch import Tensor, nn

from mudra.backbones import AnyBackboneConfig, Backbone, BackboneState, FrameTrunkConfig
from mudra.cells import AnyVectorLayerConfig, BidirectionalVectorConfig, VectorCell, VectorState


class FrameStreamState(NamedTuple):
    """What a causal network carries from one piece of a stream to the next.

    Args:
        backbone: What the backbone needs of earlier frames.
        cells: The states of the recurrent layers.
    """

    backbone: BackboneState
    cells: tuple[VectorState, ...]


class FrameStreamOutput(NamedTuple):
    """What `FrameWiseNet.forward_stream` returns for one piece of a stream.

    Args:
        logits_BTK: A row for every frame of the piece.
        state: Give it to the call for the next piece.
    """

    logits_BTK: Tensor
    state: FrameStreamState


def name_whole_parts(backbone: Backbone, layers: Iterable[nn.Module], *, has_window: bool) -> list[str]:
    """Name the parts that need later frames.

    Example:
        >>> name_whole_parts(FrameTrunkConfig(temporal_conv="centred").build(3), (), has_window=False)
        ['backbone (FrameTrunk)']
    """
    whole = ["window"] if has_window else []
    if not backbone.is_causal:
        whole.append(f"backbone ({type(backbone).__name__})")
    return whole + [
        f"cells.{i} ({type(layer).__name__})" for i, layer in enumerate(layers) if not isinstance(layer, VectorCell)
    ]


def to_causal_backbone(config: AnyBackboneConfig) -> AnyBackboneConfig:
    """Return the backbone whose temporal convolutions see earlier frames alone; any other as it is."""
    if isinstance(config, FrameTrunkConfig) and config.temporal_conv == "centred":
        return config.model_copy(update={"temporal_conv": "causal"})
    return config


def to_causal_layers(configs: tuple[AnyVectorLayerConfig, ...]) -> tuple[AnyVectorLayerConfig, ...]:
    """Return the layers with each that runs both ways replaced by its cell, which runs forwards."""
    return tuple(
        layer.cell.model_copy(update={"in_features": layer.in_features, "hidden_features": layer.hidden_features})
        if isinstance(layer, BidirectionalVectorConfig)
        else layer
        for layer in configs
    )
