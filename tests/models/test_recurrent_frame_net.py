"""Recurrent frame network: its parts in their order, the frames' vote, masks of flow, sizes, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mudra.backbones import VGG16, I3DConfig, PointwiseTopConfig, VGG16Config
from mudra.cells import (
    BidirectionalConfig,
    ConvLSTMConfig,
    InceptionConvLSTMConfig,
    MultiKernelConvLSTMCell,
    MultiKernelConvLSTMConfig,
    PeepholeConvLSTMCell,
    PeepholeConvLSTMConfig,
    PeepholeLSTMCell,
    PeepholeLSTMConfig,
    unroll,
    unroll_vectors,
)
from mudra.errors import ConfigError, ModelError
from mudra.models import RecurrentFrameNet, RecurrentFrameNetConfig, measure_complexity


def small(**values: Any) -> RecurrentFrameNet:
    torch.manual_seed(1)
    return RecurrentFrameNet(num_classes=5, **({"in_channels": 3, "width": 0.0625} | values)).double().eval()


def random_clip(num_frames: int = 4, channels: int = 3, size: tuple[int, int] = (32, 48)) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(2, num_frames, channels, *size, generator=generator, dtype=torch.float64)


def test_parts_follow_one_another() -> None:
    network = small(frame_cells=(PeepholeLSTMConfig(hidden_features=64, initialisation="pytorch"),) * 2)
    clip_BTCHW = random_clip()
    (cell,) = network.cells
    assert isinstance(cell, PeepholeConvLSTMCell)
    features_BTC = unroll(cell, network.backbone(clip_BTCHW)).hidden_BTDHW.mean(dim=(-2, -1))
    for layer in network.frame_cells:
        assert isinstance(layer, PeepholeLSTMCell)
        features_BTC = unroll_vectors(layer, features_BTC).hidden_BTD
    torch.testing.assert_close(network.classify_frames(clip_BTCHW), network.head(features_BTC))
    assert [layer.hidden_features for layer in network.frame_cells] == [8, 8]


def test_a_clips_logits_are_the_logarithm_of_its_frames_mean_probability() -> None:
    network, clip_BTCHW = small(), random_clip()
    nn.init.normal_(network.head.get_parameter("layers.1.weight"), std=9.0)
    by_frame = network.classify_frames(clip_BTCHW).softmax(dim=-1)
    assert by_frame.std(dim=1).max() > 0.01
    logits_BK = network(clip_BTCHW)
    torch.testing.assert_close(logits_BK.exp(), sum(by_frame.unbind(dim=1)) / 4)
    torch.testing.assert_close(logits_BK.softmax(dim=-1), logits_BK.exp())
    assert torch.equal(network.vote(network.classify_frames(clip_BTCHW)), logits_BK)
    torch.testing.assert_close(logits_BK.exp().sum(dim=-1), torch.ones(2, dtype=torch.float64))


def test_the_paper_at_its_size() -> None:
    with torch.device("meta"):
        network = RecurrentFrameNet(num_classes=101, in_channels=3)
    parameters = {name: sum(p.numel() for p in part.parameters()) for name, part in network.named_children()}
    assert parameters["backbone"] == 14_714_688
    # Input and hidden kernels, biases, and a peephole for each channel of three gates.
    assert parameters["cells"] == 2 * 4 * 512 * 512 * 9 + 4 * 512 + 3 * 512
    assert parameters["frame_cells"] == 2 * 4 * 512 * 512 + 4 * 512 + 3 * 512
    assert parameters["head"] == 512 * 101 + 101
    counted = measure_complexity(network.to_empty(device="cpu"), num_frames=2, in_channels=3, size=(224, 224))
    assert counted.parameters == sum(parameters.values())
    assert counted.macs_by_part["cells"] == 2 * 2 * 4 * 512 * 512 * 9 * 14 * 14
    assert counted.macs_by_part["frame_cells"] == 2 * 2 * 4 * 512 * 512
    assert "other" not in counted.macs_by_part


@pytest.mark.parametrize(("pooling", "grid"), [("mean", (1, 1)), ("max", (1, 1)), ("max", (2, 3))])
def test_maps_are_pooled_to_the_grid(pooling: Any, grid: tuple[int, int]) -> None:
    network = small(cells=(), frame_cells=(), pooling=pooling, grid=grid)
    maps_BTCHW = torch.randn(2, 3, 32, 2, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    features_BTC = network._pool(maps_BTCHW)
    if grid == (1, 1):
        expected = maps_BTCHW.mean(dim=(-2, -1)) if pooling == "mean" else maps_BTCHW.amax(dim=(-2, -1))
    else:
        expected = maps_BTCHW.flatten(2)
    torch.testing.assert_close(features_BTC, expected)


def test_the_form_on_i3d_mixes_and_pools_without_an_lstm() -> None:
    cell = InceptionConvLSTMConfig(hidden_channels=256, normalisation="batch")
    values: dict[str, Any] = {"cells": (cell,), "mixing": PointwiseTopConfig(), "frame_cells": ()}
    network = small(backbone=I3DConfig(), width=0.125, **values)
    clip_BTCHW = random_clip(num_frames=17)
    maps_BTCHW = unroll(network.cells[0], network.backbone(clip_BTCHW)).hidden_BTDHW
    assert maps_BTCHW.shape[:3] == (2, 3, 32)
    expected = network.head(network.mixing(maps_BTCHW).mean(dim=(-2, -1)))
    torch.testing.assert_close(network.classify_frames(clip_BTCHW), expected)


def test_flow_masks_the_first_cells_input_alone() -> None:
    cell = MultiKernelConvLSTMConfig(hidden_channels=256)
    network = small(in_channels=5, flow_channels=2, cells=(cell, ConvLSTMConfig()), frame_cells=())
    first, _ = network.cells
    assert isinstance(first, MultiKernelConvLSTMCell)
    assert (network.backbone.in_channels, first.in_channels, first.flow_attention.flow_channels) == (3, 34, 2)
    clip_BTCHW = random_clip(channels=5)
    maps_BTCHW = network.backbone(clip_BTCHW[:, :, :3])
    # Each cell of the 2x3 map stands for 16x16 pixels.
    flow_BTCHW = clip_BTCHW[:, :, 3:].view(2, 4, 2, 2, 16, 3, 16).mean(dim=(4, 6))
    seen: list[Tensor] = []
    first.flow_attention.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    before = network(clip_BTCHW)
    torch.testing.assert_close(seen[0], torch.cat([maps_BTCHW, flow_BTCHW], dim=2))
    clip_BTCHW[:, :, 3:] += 3.0
    assert not torch.allclose(network(clip_BTCHW), before)


def test_maps_hold_all_that_the_rest_sees() -> None:
    cell = MultiKernelConvLSTMConfig(hidden_channels=256)
    network = small(in_channels=5, flow_channels=2, cells=(cell,))
    clip_BTCHW = random_clip(channels=5)
    maps_BTCHW = network.compute_maps(clip_BTCHW)
    assert maps_BTCHW.shape == (2, 4, network.backbone.out_channels + 2, 2, 3)
    assert torch.equal(network.classify_maps(maps_BTCHW), network.classify_frames(clip_BTCHW))
    with pytest.raises(ModelError, match=r"wanted \(B, T, 5, H, W\)"):
        network.compute_maps(clip_BTCHW[:, :, :4])


def test_recomputed_steps_have_the_same_gradients() -> None:
    gradients = []
    for recompute_steps in (False, True):
        network = small(recompute_steps=recompute_steps).train()
        network(random_clip()).square().sum().backward()
        gradients.append([p.grad for p in network.parameters()])
    torch.testing.assert_close(gradients[0], gradients[1])


def test_dropout_stands_before_the_lstm() -> None:
    network = small(dropout=0.9).train()
    assert not torch.equal(network(random_clip()), network(random_clip()))
    network.eval()
    assert torch.equal(network(random_clip()), network(random_clip()))


def test_published_weights_are_the_backbones(tmp_path: Path) -> None:
    torch.manual_seed(3)
    source = VGG16(width=0.125)
    torch.save(source.state_dict(), tmp_path / "vgg.pth")
    backbone = VGG16Config(width=0.125, pretrained=str(tmp_path / "vgg.pth"), frozen=True)
    network = RecurrentFrameNet(num_classes=5, in_channels=3, backbone=backbone, cells=(), frame_cells=())
    network.load_pretrained()
    bias = "features.28.weight"
    assert torch.equal(network.backbone.get_parameter(bias), source.get_parameter(bias))
    network.train()(random_clip().float()).sum().backward()
    assert {name.partition(".")[0] for name, p in network.named_parameters() if p.grad is not None} == {"head"}
    assert network.name_as_ours(network.state_dict()).keys() == network.state_dict().keys()
    named = network.name_as_ours({f"module.{name}": value for name, value in source.state_dict().items()})
    assert named.keys() == {name for name in network.state_dict() if name.startswith("backbone.")}


def test_layers_that_see_the_whole_clip_are_allowed() -> None:
    cell = BidirectionalConfig(cell=ConvLSTMConfig(), hidden_channels=64)
    network = small(cells=(cell,), width=0.25)
    assert network(random_clip()).shape == (2, 5)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="pooling is 'maxx'\n  hint: did you mean 'max'"):
        small(pooling="maxx")
    with pytest.raises(ModelError, match="flow_channels is 3 of 3 channels: none is left"):
        small(flow_channels=3)
    with pytest.raises(
        ModelError, match="2 channels of flow pass the backbone by, but the first recurrent layer, 'peephole_conv_lstm'"
    ):
        small(in_channels=5, flow_channels=2)
    with pytest.raises(
        ModelError, match=r"2 channels of flow pass the backbone by, but no cell follows\n  hint: set model\.flow"
    ):
        small(in_channels=5, flow_channels=2, cells=())
    with pytest.raises(ModelError, match=r"cells\.0\.in_channels is 7, but 32 channels come in"):
        small(cells=(PeepholeConvLSTMConfig(in_channels=7),))
    with pytest.raises(ModelError, match=r"backbone\.in_channels is 7, but 3 channels come in"):
        small(backbone=VGG16Config(in_channels=7))
    wrong = r"frame_cells\.0\.in_features is 7, but 32 come in\n  hint: leave frame_cells\.0\.in_features out"
    with pytest.raises(ModelError, match=wrong):
        small(frame_cells=(PeepholeLSTMConfig(in_features=7),))
    with pytest.raises(ModelError, match=r"wanted \(B, T, 3, H, W\): time stands before channels"):
        small()(random_clip(channels=4))
    with pytest.raises(ModelError, match="in_channels is not known"):
        RecurrentFrameNetConfig(num_classes=5).build()


def test_steps_with_batch_normalisation_are_not_recomputed() -> None:
    cells = (ConvLSTMConfig(hidden_channels=64), MultiKernelConvLSTMConfig(normalisation="batch"))
    small(cells=cells)
    with pytest.raises(ConfigError, match=r"recompute_steps .* cells\.1 has batch normalisation"):
        small(cells=cells, recompute_steps=True)
