"""What stands in the way of running forwards is named, and replaced where there is a twin."""

from __future__ import annotations

from mudra.backbones import FrameResNetConfig, FrameTrunkConfig
from mudra.cells import BidirectionalVectorConfig, PeepholeLSTMConfig, RNNConfig
from mudra.models.assembly import build_vector_layers
from mudra.models.frame_stream import name_whole_parts, to_causal_backbone, to_causal_layers

LAYERS = (PeepholeLSTMConfig(hidden_features=9), BidirectionalVectorConfig(hidden_features=8, cell=RNNConfig()))


def test_parts_that_need_later_frames_are_named() -> None:
    centred = FrameTrunkConfig(channels=(8,), temporal_conv="centred").build(3)
    alone = FrameTrunkConfig(channels=(8,), temporal_conv="none").build(3)
    layers = build_vector_layers("cells", LAYERS, 4, width=1.0)
    assert name_whole_parts(centred, layers, has_window=True) == [
        "window",
        "backbone (FrameTrunk)",
        "cells.1 (BidirectionalVector)",
    ]
    assert name_whole_parts(alone, layers[:1], has_window=False) == []


def test_layers_that_run_both_ways_are_replaced_by_their_cell() -> None:
    named = BidirectionalVectorConfig(in_features=7, hidden_features=8, cell=RNNConfig())
    assert to_causal_layers((LAYERS[0], named)) == (LAYERS[0], RNNConfig(in_features=7, hidden_features=8))


def test_temporal_convolutions_are_moved_to_earlier_frames() -> None:
    assert to_causal_backbone(FrameTrunkConfig(channels=(8,), temporal_conv="centred")) == FrameTrunkConfig(
        channels=(8,), temporal_conv="causal"
    )
    for kept in (FrameTrunkConfig(temporal_conv="none"), FrameTrunkConfig(temporal_conv="causal"), FrameResNetConfig()):
        assert to_causal_backbone(kept) == kept
