"""Traces: the network's own numbers, the channel that the rule says, gates in time's order, and Grad-CAM by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mudra.cells import (
    Bidirectional,
    BidirectionalConfig,
    Cell,
    ConvLSTMConfig,
    GatedConvLSTMCell,
    GatedConvLSTMConfig,
    InputAttentionConvLSTMConfig,
    InputGateAttentionConvLSTMConfig,
    MapState,
    OutputGateAttentionConvLSTMConfig,
    unroll,
)
from mudra.errors import ModelError
from mudra.models import GestureNetConfig
from mudra.serving.trace import step_frames, trace_clip

LAYERS: dict[str, Any] = {
    "plain": (ConvLSTMConfig(hidden_channels=8), GatedConvLSTMConfig(hidden_channels=8)),
    "input_attention": (InputAttentionConvLSTMConfig(hidden_channels=8),),
    "input_gate_attention": (InputGateAttentionConvLSTMConfig(hidden_channels=8),),
    "output_gate_attention": (OutputGateAttentionConvLSTMConfig(hidden_channels=8),),
    "bidirectional": (BidirectionalConfig(hidden_channels=8, cell=GatedConvLSTMConfig()),),
    "none": (),
}


def build(cells: Any, *, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    config = GestureNetConfig(num_classes=4, in_channels=3, width=0.125, cells=cells)
    return config.build().eval()


def clip(num_frames: int = 8) -> Tensor:
    return torch.randn(num_frames, 3, 32, 48, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("cells", LAYERS.values(), ids=LAYERS)
def test_the_answer_and_the_maps_are_the_networks_own(cells: Any) -> None:
    network = build(cells)
    trace = trace_clip(network, clip(), label=1)
    with torch.no_grad():
        logits_K = network(clip()[None])[0]
        maps = network.backbone(clip()[None])
        for layer in network.cells:
            maps = unroll(layer, maps).hidden_BTDHW
    np.testing.assert_allclose(trace.logits_K, logits_K, atol=1e-5)
    last = trace.layers[-1]
    np.testing.assert_allclose(last.active_THW, maps[0, :, last.channel], atol=1e-6)
    assert trace.cam_THW.shape == last.active_THW.shape
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(not module._forward_pre_hooks for module in network.modules())


def test_every_cell_tells_its_gates_and_attention() -> None:
    traces = {name: trace_clip(build(cells), clip(), label=0).layers[0] for name, cells in LAYERS.items()}
    own = {"input_gate", "forget_gate", "output_gate"}
    assert {name: set(layer.gates) for name, layer in traces.items()} == {
        **dict.fromkeys(LAYERS, own),
        "bidirectional": {f"{way} {gate}" for way in ("along", "against") for gate in own},
        "none": set(),
    }
    with_attention = {name for name, layer in traces.items() if layer.attention_THW is not None}
    assert with_attention == {"input_attention", "input_gate_attention", "output_gate_attention"}
    shared = traces["input_attention"].attention_THW
    assert shared is not None
    np.testing.assert_allclose(shared.sum(axis=(1, 2)), 1.0, atol=1e-5)  # its map sums to 1 over space
    assert [layer.name for layer in trace_clip(build(LAYERS["plain"]), clip(), label=0).layers] == [
        "layer 1",
        "layer 2",
    ]
    assert traces["none"].name == "backbone"
    assert (traces["none"].kind, traces["plain"].kind) == ("Res3D", "ConvLSTMCell")


def test_attention_is_averaged_over_the_channels() -> None:
    network = build(LAYERS["input_gate_attention"])
    layer = trace_clip(network, clip(), label=0).layers[0]
    with torch.no_grad():
        maps = network.backbone(clip()[None])
        cell = network.cells[0]
        first = tuple(part[:, 0] for part in cell.precompute(maps))
        attention = cell.inspect(first, cell.initial_state(maps[:, 0]))["attention"]
    assert layer.attention_THW is not None
    np.testing.assert_allclose(layer.attention_THW[0], attention[0].mean(dim=0), atol=1e-6)


def test_gates_are_summed_up_over_channels_at_every_step() -> None:
    network = build((GatedConvLSTMConfig(hidden_channels=8),))
    cell = network.cells[0]
    assert isinstance(cell, GatedConvLSTMCell)
    bias_D = torch.linspace(-2.0, 3.0, 8)
    with torch.no_grad():
        cell.input_to_gates.weight.zero_()
        cell.hidden_to_gates.weight.zero_()
        cell.input_to_gates.bias.zero_()
        cell.input_to_gates.bias[8:16] = bias_D  # the forget gate's
    gates = trace_clip(network, clip(), label=0).layers[0].gates
    opening = bias_D.sigmoid().numpy()
    told = gates["forget_gate"]
    for series, value in zip(told, (opening.mean(), opening.std(), opening.min(), opening.max()), strict=True):
        np.testing.assert_allclose(series, [value] * 4, atol=1e-6)
    np.testing.assert_allclose(gates["input_gate"].mean_T, 0.5)
    np.testing.assert_allclose(gates["input_gate"].spread_T, 0.0)


def test_gates_against_time_are_told_in_the_order_of_time() -> None:
    network = build(LAYERS["bidirectional"])
    layer = network.cells[0]
    assert isinstance(layer, Bidirectional)
    gates = trace_clip(network, clip(), label=0).layers[0].gates
    with torch.no_grad():
        maps = network.backbone(clip()[None])
        last = tuple(part[:, 0] for part in layer.against.precompute(maps.flip(1)))
        opening = layer.against.inspect(last, layer.against.initial_state(maps[:, 0]))["forget_gate"].mean()
    assert gates["against forget_gate"].mean_T[-1] == pytest.approx(float(opening), abs=1e-6)
    assert gates["against forget_gate"].mean_T[0] != pytest.approx(float(opening), abs=1e-6)


class Echo(Cell):
    """Puts out what comes in."""

    def precompute(self, x_BTCHW: Tensor) -> tuple[Tensor, ...]:
        return (x_BTCHW,)

    def forward(self, from_input: tuple[Tensor, ...], state: MapState) -> MapState:
        return MapState(from_input[0], state.memory_BDHW)

    def inspect(self, from_input: tuple[Tensor, ...], state: MapState) -> dict[str, Tensor]:
        return {"candidate": from_input[0]}


class StepHead(nn.Module):
    """Class k is the sum of channel k; step t counts t + 1 times."""

    def forward(self, maps_BTCHW: Tensor) -> Tensor:
        counts_T = torch.arange(1.0, 1.0 + maps_BTCHW.shape[1])
        return torch.einsum("btchw,t->bc", maps_BTCHW, counts_T)


class Glass(nn.Module):
    """A network that one can see through: its maps are its clip."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.backbone = nn.Identity()
        self.cells = nn.ModuleList([Echo(channels, channels)])
        self.top = nn.Identity()
        self.head = StepHead()
        self.scale = nn.Parameter(torch.ones(()))


def channels_of_known_sums() -> Tensor:
    """Three channels: weakly active everywhere, strongly in one corner, strongly negative."""
    maps_TDHW = torch.zeros(2, 3, 4, 5)
    maps_TDHW[:, 0] = 0.5  # sum 20
    maps_TDHW[:, 1, 0, 0] = 4.0  # sum 8
    maps_TDHW[:, 2, 1] = -9.0
    return maps_TDHW


def test_the_most_active_channel_is_the_one_that_the_rule_says() -> None:
    by_sum = trace_clip(Glass(3), channels_of_known_sums(), label=0)
    by_contrast = trace_clip(Glass(3), channels_of_known_sums(), label=0, rule="contrast")
    assert (by_sum.layers[0].channel, by_sum.rule) == (0, "sum")
    assert (by_contrast.layers[0].channel, by_contrast.rule) == (1, "contrast")
    assert by_contrast.layers[0].active_THW[1, 0, 0] == 4.0


def test_of_equally_active_channels_the_first_is_told() -> None:
    assert trace_clip(Glass(3), torch.ones(2, 3, 4, 5), label=0).layers[0].channel == 0


def test_the_sum_runs_over_all_steps() -> None:
    maps_TDHW = torch.zeros(3, 2, 2, 2)
    maps_TDHW[0, 0] = 3.0  # the strongest single step
    maps_TDHW[:, 1] = 2.0  # the largest sum
    assert trace_clip(Glass(2), maps_TDHW, label=0).layers[0].channel == 1


def test_grad_cam_weighs_each_step_by_its_own_gradient() -> None:
    maps_TDHW = torch.randn(3, 2, 4, 5, generator=torch.Generator().manual_seed(3))
    cam_THW = trace_clip(Glass(2), maps_TDHW, label=1).cam_THW
    # The gradient of class 1 is t + 1 in channel 1 and nothing elsewhere.
    wanted = maps_TDHW[:, 1].clamp(min=0.0) * torch.tensor([1.0, 2.0, 3.0])[:, None, None]
    np.testing.assert_allclose(cam_THW, wanted, rtol=1e-6)


def test_steps_are_shown_by_the_middle_of_their_frames() -> None:
    assert step_frames(8, 16) == [1, 3, 5, 7, 9, 11, 13, 15]
    assert step_frames(2, 8) == [2, 6]
    assert step_frames(1, 5) == [2]
    assert step_frames(5, 4) == [0, 1, 2, 2, 3]


def test_a_network_of_another_kind_is_refused() -> None:
    with pytest.raises(ModelError, match="Linear cannot be explained: it has no backbone, cells, top, head") as caught:
        trace_clip(nn.Linear(2, 2), clip(), label=0)
    assert caught.value.hint == "explain a network of kind gesture_net"


@pytest.mark.parametrize("label", [-1, 4])
def test_a_class_that_the_network_lacks_is_refused(label: int) -> None:
    with pytest.raises(ModelError, match=f"class {label} cannot be explained: the network knows classes 0 to 3"):
        trace_clip(build(()), clip(), label=label)
