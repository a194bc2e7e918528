"""Recurrent layers over maps: channels filled in, flow for the first of them, and what they refuse."""

from __future__ import annotations

import pytest
import torch

from mudra.cells import (
    AnyRecurrentLayerConfig,
    BidirectionalConfig,
    ConvLSTMConfig,
    GatedConvLSTMConfig,
    MultiKernelConvLSTMConfig,
)
from mudra.errors import ModelError
from mudra.models.map_layers import build_map_layers, join_flow, require_forward_layers


def sizes(configs: tuple[AnyRecurrentLayerConfig, ...], *, flow_channels: int = 0) -> list[tuple[int, int]]:
    layers = build_map_layers(configs, 24, flow_channels=flow_channels, width=0.25)
    return [(layer.in_channels, layer.hidden_channels) for layer in layers]


def test_layers_follow_one_another() -> None:
    assert sizes((GatedConvLSTMConfig(), ConvLSTMConfig(hidden_channels=32), BidirectionalConfig())) == [
        (24, 24),
        (24, 8),
        (8, 16),
    ]
    assert sizes(()) == []


def test_flow_comes_to_the_first_layer_alone() -> None:
    configs = (MultiKernelConvLSTMConfig(hidden_channels=(32, 64)), MultiKernelConvLSTMConfig())
    assert sizes(configs, flow_channels=2) == [(26, 24), (24, 24)]


def test_channels_that_do_not_come_in_are_refused() -> None:
    with pytest.raises(ModelError, match=r"cells\.1\.in_channels is 9, but 24 channels come in"):
        sizes((GatedConvLSTMConfig(), GatedConvLSTMConfig(in_channels=9)))
    with pytest.raises(ModelError, match=r"cells\.0\.in_channels is 24, but 26 channels come in"):
        sizes((MultiKernelConvLSTMConfig(in_channels=24),), flow_channels=2)


@pytest.mark.parametrize(
    ("configs", "why"), [((GatedConvLSTMConfig(),), "'gated_conv_lstm', makes no masks"), ((), "no cell follows")]
)
def test_flow_that_no_layer_can_use_is_refused(configs: tuple[AnyRecurrentLayerConfig, ...], why: str) -> None:
    with pytest.raises(ModelError, match=rf"2 channels of flow pass the backbone by.*{why}.*\n  hint: set model\.flow"):
        sizes(configs, flow_channels=2)


@pytest.mark.parametrize(
    ("flow_channels", "told", "wrong"),
    [
        (0, (2, 0), r"cells\.0\.flow_channels is 2, but 0 channels of flow come in"),
        (2, (7, 0), r"cells\.0\.flow_channels is 7, but 2 channels of flow come in"),
        (2, (2, 2), r"cells\.1\.flow_channels is 2, but 0 channels of flow come in"),
    ],
)
def test_cells_told_of_other_flow_are_refused(flow_channels: int, told: tuple[int, int], wrong: str) -> None:
    configs = tuple(MultiKernelConvLSTMConfig(flow_channels=flow) for flow in told)
    with pytest.raises(ModelError, match=wrong + r"\n  hint: leave cells\.[01]\.flow_channels out"):
        sizes(configs, flow_channels=flow_channels)


def test_flow_is_averaged_to_the_steps_and_places_of_the_maps() -> None:
    maps_BTCHW = torch.rand(2, 2, 3, 2, 4)
    flow_BTCHW = torch.rand(2, 8, 1, 6, 8)
    joined_BTCHW = join_flow(maps_BTCHW, flow_BTCHW)
    assert joined_BTCHW.shape == (2, 2, 4, 2, 4)
    assert torch.equal(joined_BTCHW[:, :, :3], maps_BTCHW)
    torch.testing.assert_close(joined_BTCHW[1, 1, 3, 0, 2], flow_BTCHW[1, 4:, 0, :3, 4:6].mean())
    assert join_flow(maps_BTCHW.half(), flow_BTCHW).dtype == torch.float16
    assert join_flow(maps_BTCHW, None) is maps_BTCHW


def test_layers_that_need_the_whole_clip_are_named() -> None:
    layers = build_map_layers((GatedConvLSTMConfig(), BidirectionalConfig()), 4, flow_channels=0, width=1.0)
    require_forward_layers(layers[:1])
    with pytest.raises(ModelError, match=r"^cells\.1 \(Bidirectional\) runs backwards too.*\n  hint: give whole clips"):
        require_forward_layers(layers)
