"""Counts: modules whose numbers can be worked out by hand, and the published totals to the digit."""

from __future__ import annotations

import json

import pytest
import torch
from torch import Tensor, nn

from mudra.backbones import (
    ActionConfig,
    AnyBackboneConfig,
    Res2NetConfig,
    ResNetConfig,
    TemporalShiftConfig,
)
from mudra.cells import ConvLSTMConfig
from mudra.heads import ConsensusConfig, MultiScaleDecoderConfig
from mudra.models import Complexity, GestureNet, GestureNetConfig, count_parameters, measure_complexity

PLAIN = (ConvLSTMConfig(), ConvLSTMConfig())


class ByHand(nn.Module):
    """A convolution, a list of layers that is never called itself, and work outside every part."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 5, 3, stride=2, bias=True)
        self.lists = nn.ModuleList([nn.Linear(5, 5), nn.Sequential(nn.Linear(5, 7), nn.ReLU())])
        self.own = nn.Parameter(torch.ones(7, 2))
        self.frozen = nn.Linear(2, 2)
        self.frozen.requires_grad_(False)

    def forward(self, clip_BTCHW: Tensor) -> Tensor:
        x_NC = self.first(clip_BTCHW.flatten(0, 1)).mean(dim=(-2, -1))
        for layer in self.lists:
            x_NC = layer(x_NC)
        out: Tensor = self.frozen(x_NC @ self.own)
        return out


def test_counts_that_can_be_worked_out_by_hand() -> None:
    counted = measure_complexity(ByHand(), num_frames=4, in_channels=3, size=(9, 7))
    # 4 frames; 9x7 under a 3x3 kernel at stride 2 is 4x3 places.
    assert counted.macs_by_part == {
        "first": 4 * (4 * 3) * 5 * 3 * 9,
        "lists": 4 * (5 * 5 + 5 * 7),
        "frozen": 4 * 2 * 2,
        "other": 4 * 7 * 2,
    }
    assert counted.parameters_by_part == {
        "first": 5 * 3 * 9 + 5,
        "lists": 30 + 42,
        "frozen": 6,
        "other": 14,
    }
    assert counted.parameters == 140 + 72 + 6 + 14 == count_parameters(ByHand())
    assert counted.macs_per_clip == 6480 + 240 + 16 + 56
    assert counted.macs_per_frame == counted.macs_per_clip / 4


def test_nothing_outside_the_parts_is_no_other_part() -> None:
    counted = measure_complexity(
        nn.Sequential(nn.Flatten(2), nn.Linear(3 * 4, 2)), num_frames=5, in_channels=3, size=(2, 2)
    )
    assert counted.macs_by_part == {"0": 0, "1": 5 * 12 * 2}
    assert counted.parameters_by_part == {"0": 0, "1": 26}


def test_a_network_that_multiplies_nothing_costs_nothing() -> None:
    counted = measure_complexity(nn.Sequential(nn.ReLU()), num_frames=2, in_channels=3, size=(4, 4))
    assert (counted.parameters, counted.macs_per_clip) == (0, 0)


@pytest.mark.parametrize("training", [True, False])
def test_the_network_is_left_as_it_was(training: bool) -> None:
    network = GestureNet(num_classes=3, in_channels=3, width=0.05).train(training)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    measure_complexity(network, num_frames=2, in_channels=3, size=(16, 16))
    assert network.training is training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_a_failing_network_is_left_as_it_was() -> None:
    network = nn.Sequential(nn.Linear(3, 3)).train()
    with pytest.raises(RuntimeError):
        measure_complexity(network, num_frames=2, in_channels=3, size=(4, 4))
    assert network.training


@pytest.mark.parametrize(
    ("num_classes", "plain", "gated"), [(27, 20_666_715, 12_287_323), (249, 20_894_265, 12_514_873)]
)
def test_published_parameter_totals(num_classes: int, plain: int, gated: int) -> None:
    with torch.device("meta"):
        networks = [
            GestureNet(num_classes=num_classes, in_channels=3, cells=PLAIN),
            GestureNet(num_classes=num_classes, in_channels=3),
        ]
    assert [count_parameters(network) for network in networks] == [plain, gated]


def test_published_parts() -> None:
    config = GestureNetConfig(num_classes=27, in_channels=3)
    counted = {t: measure_complexity(config.build(), num_frames=t, in_channels=3, size=(112, 112)) for t in (16, 32)}
    assert counted[16].parameters_by_part == {
        "backbone": 8_261_696,
        "cells": 2 * (528_896 + 1_024),
        "top": 2_938_112,
        "head": 27_675,
    }
    assert set(counted[16].macs_by_part) == {"backbone", "cells", "top", "head"}, "nothing is counted as other"
    giga = {t: {part: macs / 1e9 for part, macs in c.macs_by_part.items()} for t, c in counted.items()}
    assert (round(giga[16]["backbone"], 2), round(giga[32]["backbone"], 2)) == (72.63, 145.26)
    assert (round(giga[16]["top"], 3), round(giga[32]["top"], 3)) == (2.757, 5.514)
    # Two layers, 8 steps: two depthwise and two pointwise convolutions on 28x28, and six dense layers.
    assert counted[16].macs_by_part["cells"] == 2 * 8 * (2 * 784 * 256 * (9 + 256) + 6 * 256 * 256)
    assert counted[16].macs_by_part["head"] == 1024 * 27
    assert [round(counted[t].macs_per_clip / 1e9, 2) for t in (16, 32)] == [77.09, 154.19]


def test_published_cost_of_the_plain_cells() -> None:
    network = GestureNet(num_classes=27, in_channels=3, cells=PLAIN)
    totals = [
        measure_complexity(network, num_frames=t, in_channels=3, size=(112, 112)).macs_per_clip / 1e9 for t in (16, 32)
    ]
    assert [round(total, 2) for total in totals] == [134.58, 269.15]


@pytest.mark.parametrize(
    ("backbone", "parameters", "macs", "shifts"),
    [
        (ResNetConfig(temporal_module=TemporalShiftConfig()), 23_678_099, 32_698_449_920, 0),
        # The released code's shift is a convolution with 134.9 M products; the papers count it as a shift.
        (ResNetConfig(temporal_module=ActionConfig()), 27_895_919, 34_300_617_328, 134_873_088),
        (Res2NetConfig(temporal="tea"), 24_269_821, 34_536_004_864, 0),
    ],
    ids=["tsm", "action", "tea"],
)
def test_two_dimensional_networks_of_the_papers(
    backbone: AnyBackboneConfig, parameters: int, macs: int, shifts: int
) -> None:
    parts = {"backbone": backbone, "cells": (), "top": None, "head": ConsensusConfig()}
    network = GestureNetConfig(num_classes=83, in_channels=3, decoder=MultiScaleDecoderConfig(), **parts).build()
    counted = measure_complexity(network, num_frames=8, in_channels=3, size=(224, 224))
    assert (counted.parameters, counted.macs_per_clip, counted.shift_macs) == (parameters, macs, shifts)
    # The decoder stands apart: inference has none. 4.37 GFLOPs and 8.5 M in Fan et al. 2021, section IV-C.
    assert (counted.training_parameters_by_part, counted.training_macs) == ({"decoder": 8_553_472}, 4_370_530_304)
    assert "other" not in counted.macs_by_part


def test_json_holds_totals_and_parts() -> None:
    counted = Complexity(
        parameters_by_part={"a": 3, "b": 4}, macs_by_part={"a": 10, "other": 2}, num_frames=4, size=(8, 9)
    )
    assert json.loads(json.dumps(counted.to_json())) == {
        "parameters": {"total": 7, "by_part": {"a": 3, "b": 4}},
        "macs_per_clip": 12,
        "macs_per_frame": 3.0,
        "macs_by_part": {"a": 10, "other": 2},
        "num_frames": 4,
        "size": [8, 9],
        "training_alone": {"parameters": {}, "macs_per_clip": 0},
        "macs_of_shifts": 0,
    }
