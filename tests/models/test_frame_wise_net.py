"""Frame-wise networks: the paper's counts, windows and rows, causal twins and their streams."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from mudra.backbones import FrameResNetConfig, FrameTrunkConfig, ResNetConfig
from mudra.cells import BidirectionalVectorConfig, PeepholeLSTMConfig, RNNConfig, unroll_vectors
from mudra.errors import ConfigError, ModelError
from mudra.heads import FrameClassifierConfig
from mudra.models import FrameWiseNet, FrameWiseNetConfig, WindowConfig

NUM_FRAMES = 7
SMALL_TRUNK = FrameTrunkConfig(channels=(8, 8), temporal_conv="centred")
CAUSAL = {
    "rnn": FrameWiseNetConfig(
        backbone=FrameTrunkConfig(channels=(8,)),
        cells=(BidirectionalVectorConfig(hidden_features=8, cell=RNNConfig()),),
    ),
    "lstm": FrameWiseNetConfig(
        backbone=FrameTrunkConfig(channels=(8,)), cells=(BidirectionalVectorConfig(hidden_features=8),)
    ),
    "temporal_conv_lstm": FrameWiseNetConfig(
        backbone=SMALL_TRUNK,
        cells=(BidirectionalVectorConfig(hidden_features=8), PeepholeLSTMConfig(hidden_features=9)),
    ),
    "ours": FrameWiseNetConfig(
        backbone=FrameResNetConfig(channels=(8, 8)), cells=(PeepholeLSTMConfig(hidden_features=8, peepholes=False),)
    ),
    "single_frame": FrameWiseNetConfig(backbone=FrameTrunkConfig(channels=(8,)), cells=()),
}


def build(config: FrameWiseNetConfig, **changes: Any) -> FrameWiseNet:
    """The network for 2 channels and 5 classes, in double precision and evaluation mode, weights apart from zero."""
    torch.manual_seed(0)
    network = config.model_copy(update={"num_classes": 5, "in_channels": 2, **changes}).build().double()
    for parameter in network.cells.parameters():
        nn.init.normal_(parameter, std=0.2)
    return network.eval()


def random_clip(num_frames: int = NUM_FRAMES, size: tuple[int, int] = (16, 16)) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, num_frames, 2, *size, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("name", CAUSAL)
@given(cuts=st.sets(st.integers(1, NUM_FRAMES - 1)))
@settings(max_examples=5, deadline=None, derandomize=True, database=None)
def test_a_causal_twin_streams_what_it_says_of_the_whole_clip(name: str, cuts: set[int]) -> None:
    network, clip_BTCHW = build(CAUSAL[name].to_causal()), random_clip()
    assert network.is_causal
    rows, state = [], None
    with torch.no_grad():
        for first, last in itertools.pairwise([0, *sorted(cuts), NUM_FRAMES]):
            logits_BTK, state = network.forward_stream(clip_BTCHW[:, first:last], state)
            rows.append(logits_BTK)
        torch.testing.assert_close(torch.cat(rows, dim=1), network(clip_BTCHW), rtol=0, atol=1e-12)


def test_a_causal_twin_has_the_same_parts_forwards_only() -> None:
    twin = CAUSAL["temporal_conv_lstm"].to_causal()
    assert twin.backbone == SMALL_TRUNK.model_copy(update={"temporal_conv": "causal"})
    assert twin.cells == (PeepholeLSTMConfig(hidden_features=8), PeepholeLSTMConfig(hidden_features=9))
    assert twin.to_causal() == twin
    clip_BTCHW = random_clip()
    changed = clip_BTCHW.clone()
    changed[:, 4:] += 1.0
    for config, is_causal in ((twin, True), (CAUSAL["temporal_conv_lstm"], False)):
        network = build(config)
        before, after = network(clip_BTCHW)[:, :4], network(changed)[:, :4]
        assert torch.allclose(before, after, rtol=1e-12, atol=1e-12) == is_causal == network.is_causal


def test_a_window_has_no_causal_twin() -> None:
    with pytest.raises(ConfigError, match="a window of 8 frames answers for its middle"):
        FrameWiseNetConfig(window=WindowConfig(num_frames=8), cells=()).to_causal()


@pytest.mark.parametrize(
    ("config", "part"),
    [
        (CAUSAL["temporal_conv_lstm"], r"backbone \(FrameTrunk\), cells.0 \(BidirectionalVector\) needs later frames"),
        (FrameWiseNetConfig(backbone=FrameTrunkConfig(channels=(8,)), window=WindowConfig(), cells=()), "window needs"),
        (
            FrameWiseNetConfig(backbone=ResNetConfig(depth=18, width=0.1), cells=(BidirectionalVectorConfig(),)),
            "cells.0",
        ),
    ],
)
def test_a_network_that_looks_ahead_streams_nothing(config: FrameWiseNetConfig, part: str) -> None:
    with pytest.raises(ModelError, match=part):
        build(config).forward_stream(random_clip())


def test_both_directions_are_added_before_the_last_layer() -> None:
    network = build(CAUSAL["lstm"])
    features_BTC = network.flatten_maps(network.backbone(random_clip()))
    layer: Any = network.cells[0]
    along = unroll_vectors(layer.along, features_BTC).hidden_BTD
    against = unroll_vectors(layer.against, features_BTC.flip(1)).hidden_BTD.flip(1)
    torch.testing.assert_close(network(random_clip()), network.head(along + against))


def test_padding_is_passed_over_by_recurrence_and_seen_by_convolutions() -> None:
    mask_BT = torch.tensor([[True] * 5 + [False] * 2] * 2)
    spatial, padded = build(CAUSAL["lstm"]), random_clip()
    torch.testing.assert_close(spatial(padded, mask_BT=mask_BT)[:, :5], spatial(padded[:, :5]))
    temporal = build(CAUSAL["temporal_conv_lstm"])
    assert not torch.allclose(temporal(padded, mask_BT=mask_BT)[:, :5], temporal(padded[:, :5]))


@pytest.mark.parametrize("pooling", ["mean", "max", "flatten"])
def test_a_window_has_one_row_of_all_its_frames(pooling: Any) -> None:
    window = WindowConfig(num_frames=4, pooling=pooling)
    head = FrameClassifierConfig(hidden_features=(9,))
    network = build(FrameWiseNetConfig(backbone=FrameTrunkConfig(channels=(8,)), window=window, cells=(), head=head))
    clip_BTCHW = random_clip(4, (8, 8))
    features_BTC = network.backbone(clip_BTCHW).flatten(2)
    pooled = {
        "mean": features_BTC.sum(1) / 4,
        "max": torch.stack([features_BTC[:, t] for t in range(4)]).amax(0),
        "flatten": torch.cat([features_BTC[:, t] for t in range(4)], dim=1),
    }[pooling]
    logits = network(clip_BTCHW)
    assert logits.shape == (2, 1, 5)
    torch.testing.assert_close(logits, network.head(pooled[:, None]))


def test_a_window_of_another_length_is_averaged_to_its_steps() -> None:
    trunk = FrameTrunkConfig(channels=(8, 8), temporal_conv="centred", pool_time=True)
    window = WindowConfig(num_frames=8, pooling="flatten")
    network = build(FrameWiseNetConfig(backbone=trunk, window=window, cells=()))
    assert network.window_steps == 2
    for num_frames in (1, 8, 16):
        assert network(random_clip(num_frames)).shape == (2, 1, 5)


def test_maps_of_another_size_are_averaged_to_the_grid() -> None:
    network = build(FrameWiseNetConfig(backbone=FrameTrunkConfig(channels=(8,)), cells=()), grid=(2, 3))
    maps_BTDHW = torch.rand(2, 3, 8, 4, 6, dtype=torch.float64)
    features_BTC = network.flatten_maps(maps_BTDHW)
    assert features_BTC.shape == (2, 3, 48)
    assert features_BTC[1, 2, 6 + 4].item() == pytest.approx(maps_BTDHW[1, 2, 1, 2:, 2:4].mean().item())
    fitting = torch.rand(2, 3, 8, 2, 3)
    assert torch.equal(network.flatten_maps(fitting), fitting.flatten(2))


def test_rows_are_about_all_frames_or_the_middle_one() -> None:
    assert build(CAUSAL["single_frame"]).judged_frames(1) == range(1)
    windowed = build(FrameWiseNetConfig(backbone=SMALL_TRUNK, window=WindowConfig(), cells=()))
    # The released code takes the label of frame L / 2 - 1.
    assert [windowed.judged_frames(count) for count in (32, 16, 1)] == [range(15, 16), range(7, 8), range(1)]


def test_a_delay_is_the_same_network_answering_later() -> None:
    at_once = build(CAUSAL["ours"])
    delayed = build(CAUSAL["ours"], delay_frames=3)
    delayed.load_state_dict(at_once.state_dict())
    clip_BTCHW = random_clip()
    torch.testing.assert_close(delayed(clip_BTCHW), at_once(clip_BTCHW)[:, 3:])
    assert delayed.judged_frames(NUM_FRAMES) == range(NUM_FRAMES - 3)
    with pytest.raises(ModelError, match=r"3 frames, but each is answered for 3 frames later"):
        delayed.judged_frames(3)


@pytest.mark.parametrize("changes", [{"window": WindowConfig(), "cells": ()}, {}], ids=["window", "both ways"])
def test_a_delay_of_what_sees_later_frames_is_refused(changes: dict[str, Any]) -> None:
    config = FrameWiseNetConfig(backbone=SMALL_TRUNK, delay_frames=2, **changes)
    with pytest.raises(ConfigError, match="sees later frames anyway"):
        build(config)


def test_dropout_falls_on_what_goes_into_recurrent_and_dense_layers() -> None:
    network = build(CAUSAL["lstm"], dropout=0.25, head=FrameClassifierConfig(dropout=0.125)).train()
    assert [(name, m.p) for name, m in network.named_modules() if isinstance(m, nn.Dropout)] == [
        ("dropout", 0.25),
        ("head.layers.0", 0.125),
    ]
    seen: list[Tensor] = []
    network.dropout.register_forward_hook(lambda _, inputs, output: seen.append(output))
    network(random_clip())
    assert seen[0].shape == (2, NUM_FRAMES, 128)
    assert 0.15 < (seen[0] == 0).double().mean() < 0.35


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"window": WindowConfig()}, ConfigError, "both a window and recurrent layers"),
        ({"backbone": FrameTrunkConfig(pool_time=True)}, ConfigError, "one map of 16 frames, but every frame wants"),
        ({"backbone": FrameTrunkConfig(in_channels=3)}, ModelError, "backbone.in_channels is 3, but 2 come in"),
        ({"cells": (RNNConfig(in_features=3),)}, ModelError, "cells.0.in_features is 3, but 2048 come in"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes: dict[str, Any], error: type[Exception], said: str) -> None:
    with torch.device("meta"), pytest.raises(error, match=said):
        FrameWiseNetConfig(num_classes=5, in_channels=2).model_copy(update=changes).build()


def test_width_scales_every_part() -> None:
    network = build(CAUSAL["temporal_conv_lstm"], width=2.0, head=FrameClassifierConfig(hidden_features=(4,)))
    assert network.backbone.out_channels == 16
    assert [layer.hidden_features for layer in network.cells] == [16, 16]
    assert next(m for m in network.head.modules() if isinstance(m, nn.Linear)).out_features == 8


def test_published_weights_are_asked_of_the_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    network, called = build(CAUSAL["single_frame"]), []
    monkeypatch.setattr(network.backbone, "load_pretrained", lambda: called.append(True))
    network.load_pretrained()
    assert called == [True]
