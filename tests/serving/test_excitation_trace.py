"""Traces of temporal modules: the modules' own masks, kernels by name, decoders' maps, and which blocks are chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mudra.backbones import ActionConfig, Res2NetConfig, ResNetConfig, TemporalShiftConfig
from mudra.errors import ModelError
from mudra.heads import ConsensusConfig, MultiScaleDecoderConfig
from mudra.models import GestureNet
from mudra.serving.excitation_trace import has_temporal_parts, kernels_of, trace_temporal

BACKBONES: dict[str, Any] = {
    "tsm": ResNetConfig(depth=18, temporal_module=TemporalShiftConfig()),
    "action": ResNetConfig(depth=18, temporal_module=ActionConfig()),
    "tea": Res2NetConfig(temporal="tea"),
    "none": ResNetConfig(depth=18),
}


def build(name: str, *, decoder: MultiScaleDecoderConfig | None = None) -> GestureNet:
    torch.manual_seed(0)
    parts: dict[str, Any] = {"cells": (), "top": None, "head": ConsensusConfig(), "decoder": decoder}
    network = GestureNet(num_classes=4, in_channels=3, width=0.125, backbone=BACKBONES[name], **parts)
    return network.eval()


def clip() -> Tensor:
    return torch.randn(4, 3, 32, 64, generator=torch.Generator().manual_seed(1))


def test_excitations_are_the_modules_own() -> None:
    network = build("action")
    before = network(clip()[None])
    (block,) = trace_temporal(network, clip(), blocks=["layer2.1"]).blocks
    module: Any = network.get_submodule("backbone.layer2.1.temporal")
    inputs: list[Tensor] = []
    module.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    with torch.no_grad():
        after = network(clip()[None])
        place, channel, motion = module.measure(module.shift(inputs[0], 4), 4)
    assert block.excitations is not None
    np.testing.assert_allclose(block.excitations.spatio_temporal_THW, place[:, 0], atol=1e-6)
    np.testing.assert_allclose(block.excitations.channel_TC, channel[..., 0, 0], atol=1e-6)
    np.testing.assert_allclose(block.excitations.motion_TC, motion[..., 0, 0], atol=1e-6)
    assert (block.name, block.kind) == ("layer2.1", "Action")
    torch.testing.assert_close(before, after)
    inputs.clear()
    trace_temporal(network, clip())
    assert len(network.get_submodule("backbone.layer1.0.temporal")._forward_pre_hooks) == 0


def test_teas_gate_of_motion_is_what_excites() -> None:
    network = build("tea")
    module: Any = network.get_submodule("backbone.layer2.1.me")
    seen: list[tuple[Tensor, Tensor]] = []
    module.register_forward_hook(lambda _, given, made: seen.append((given[0], made)))
    (block,) = trace_temporal(network, clip(), blocks=["layer2.1"]).blocks
    assert (block.name, block.kind) == ("layer2.1", "Res2NetBlock")
    assert block.excitations is not None
    motion_TC = block.excitations.motion_TC
    assert list(block.excitations.by_name()) == ["motion"]
    ((before, after),) = seen
    excited = before.double() * (0.5 + torch.from_numpy(motion_TC)[..., None, None])
    np.testing.assert_allclose(excited, after, rtol=1e-5, atol=1e-6)
    assert motion_TC[:-1].std() > 10 * motion_TC[-1].std(), "the last frame has nothing to move to"
    assert len(module._forward_pre_hooks) == 0


def test_kernels_are_told_of_every_kind() -> None:
    shares = {"before": 0.125, "same": 0.75, "next": 0.125}
    for name in ("tsm", "action"):
        for block in trace_temporal(build(name), clip()).blocks:
            assert block.kernel_shares() == shares
            assert (block.excitations is None) == (name == "tsm")
    (block,) = trace_temporal(build("tea"), clip(), blocks=["layer1.0"]).blocks
    # Three plain ones of three channels each, and a shift that moves one channel each way.
    assert block.kernels_C3.shape == (12, 3)
    assert block.kernel_shares() == pytest.approx({"before": 1 / 12, "same": 10 / 12, "next": 1 / 12})


def test_learned_kernels_are_told_as_they_are() -> None:
    network = build("action")
    weight = network.get_parameter("backbone.layer1.0.temporal.shift.weight")
    with torch.no_grad():
        weight.copy_(torch.arange(weight.numel()).view_as(weight))
    module = network.get_submodule("backbone.layer1.0.temporal")
    np.testing.assert_array_equal(kernels_of(module)[:2], [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])


@pytest.mark.parametrize("given", [False, True])
def test_masks_are_the_decoders(given: bool) -> None:
    own = build("none", decoder=MultiScaleDecoderConfig(global_scale="none"))
    decoder, network = own.decoder, build("none") if given else own
    assert decoder is not None
    trace = trace_temporal(network, clip(), decoder=decoder if given else None)
    with torch.no_grad():
        wanted = decoder(*network.backbone.forward_taps(clip()[None])).local_BTHW[0]
    assert trace.local_THW is not None
    np.testing.assert_allclose(trace.local_THW, wanted, atol=1e-6)
    assert trace.local_THW.shape == (4, 32, 64)
    assert (trace.global_THW, trace.blocks, list(trace.masks)) == (None, [], ["local"])


def test_numbers_are_told_as_rows_and_as_json() -> None:
    trace = trace_temporal(build("action", decoder=MultiScaleDecoderConfig()), clip(), blocks=["layer1.0", "layer4.1"])
    rows = trace.rows()
    assert len(rows) == (2 * 3 + 2) * 4
    assert [row[:3] for row in rows[:2]] == [("layer1.0", "spatio_temporal", 0), ("layer1.0", "spatio_temporal", 1)]
    told = trace.to_json()
    assert [block["name"] for block in told["blocks"]] == ["layer1.0", "layer4.1"]
    assert told["blocks"][0]["mean_excitations"]["motion"][-1] == 0.5
    assert told["mean_masks"]["global"] == [pytest.approx(rows[-4 + t][3].mean()) for t in range(4)]
    tea = trace_temporal(build("tea"), clip(), blocks=["layer1.0"])
    assert [row[:3] for row in tea.rows()] == [("layer1.0", "motion", t) for t in range(4)]
    assert list(tea.to_json()["blocks"][0]["mean_excitations"]) == ["motion"]


def test_what_has_no_such_parts_is_refused() -> None:
    assert not has_temporal_parts(build("none"))
    assert not has_temporal_parts(GestureNet(num_classes=4, in_channels=3, width=0.125))
    with pytest.raises(ModelError, match=r"GestureNet has no temporal modules .*\n  hint: take a network like"):
        trace_temporal(build("none"), clip())
    with pytest.raises(ModelError, match=r"no temporal module stands in block 'layer1.2'\n  hint: did you mean"):
        trace_temporal(build("action"), clip(), blocks=["layer1.2"])
