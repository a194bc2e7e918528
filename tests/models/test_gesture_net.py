"""GestureNet: its parts in their order, its streams, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mudra.backbones import AnyBackboneConfig, C3DConfig, ConvTopConfig, Res3DConfig, ResNetConfig, Stage
from mudra.cells import BidirectionalConfig, Cell, ConvLSTMConfig, GatedConvLSTMConfig, unroll
from mudra.errors import ModelError
from mudra.heads import DenseClassifierConfig, MeanClassifierConfig
from mudra.models import GestureNet, GestureNetConfig


def small(**values: Any) -> GestureNet:
    return GestureNet(num_classes=5, in_channels=3, **({"width": 0.05} | values)).double().eval()


def random_clip(num_frames: int = 8, size: tuple[int, int] = (16, 24)) -> Tensor:
    return torch.randn(2, num_frames, 3, *size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_parts_follow_one_another() -> None:
    network, clip_BTCHW = small(cells=(ConvLSTMConfig(hidden_channels=200), GatedConvLSTMConfig())), random_clip()
    maps_BTCHW = network.backbone(clip_BTCHW)
    for cell in network.cells:
        assert isinstance(cell, Cell)
        maps_BTCHW = unroll(cell, maps_BTCHW).hidden_BTDHW
    torch.testing.assert_close(network(clip_BTCHW), network.head(network.top(maps_BTCHW)))


def test_channels_left_out_are_as_many_as_come_in() -> None:
    cells = (GatedConvLSTMConfig(), ConvLSTMConfig(hidden_channels=32), GatedConvLSTMConfig())
    network = small(width=0.25, cells=cells)
    channels = [(cell.in_channels, cell.hidden_channels) for cell in network.cells if isinstance(cell, Cell)]
    # A quarter of the backbone's 256; the cell's own 32 are scaled alike.
    assert channels == [(64, 64), (64, 8), (8, 8)]
    assert network.top.in_channels == 8


def test_width_is_multiplied_with_the_parts_own() -> None:
    network = small(width=0.5, backbone=Res3DConfig(width=0.5))
    assert network.backbone.out_channels == 64
    assert network.top.out_channels == 512


def test_parts_may_be_left_out() -> None:
    network = small(cells=(), top=None)
    clip_BTCHW = random_clip()
    torch.testing.assert_close(network(clip_BTCHW), network.head(network.backbone(clip_BTCHW)))
    assert isinstance(network.top, nn.Identity)
    assert network.forward_stream(clip_BTCHW).states == ()


@pytest.mark.parametrize(
    "backbone",
    [C3DConfig(stages=(Stage(32, 1, (1, 2, 2)), Stage(64, 2, (2, 2, 2)))), ResNetConfig(depth=18), Res3DConfig()],
    ids=lambda config: config.kind,
)
def test_any_backbone_feeds_the_cells(backbone: AnyBackboneConfig) -> None:
    network, clip_BTCHW = small(backbone=backbone, top=ConvTopConfig(), head=DenseClassifierConfig()), random_clip()
    maps_BTCHW = network.backbone(clip_BTCHW)
    hidden, _ = network.recur(maps_BTCHW)
    assert hidden.shape[:2] == (2, -(-8 // network.backbone.time_stride))
    torch.testing.assert_close(network(clip_BTCHW), network.head(network.top(hidden)))


def test_a_resnet_alone_is_the_mean_of_its_frames() -> None:
    network, clip_BTCHW = small(backbone=ResNetConfig(depth=18), cells=(), top=None), random_clip(num_frames=3)
    per_frame_BK = torch.stack([network(clip_BTCHW[:, t : t + 1]) for t in range(3)]).mean(dim=0)
    torch.testing.assert_close(network(clip_BTCHW), per_frame_BK)


def test_width_reaches_a_heads_hidden_layers() -> None:
    head = DenseClassifierConfig(hidden_features=(80,), width=0.5)
    network = small(width=0.25, cells=(), top=None, head=head)
    assert [layer.out_features for layer in network.head.layers if isinstance(layer, nn.Linear)] == [10, 5]


def test_both_directions_are_joined_before_the_next_layer() -> None:
    cells = (BidirectionalConfig(hidden_channels=160), GatedConvLSTMConfig(hidden_channels=320))
    network, clip_BTCHW = small(cells=cells), random_clip()
    assert [(cell.in_channels, cell.hidden_channels) for cell in network.cells] == [(16, 16), (16, 16)]
    turned = small(cells=(BidirectionalConfig(),), top=None)
    assert turned.head.dense.in_features == 2 * turned.backbone.out_channels
    # What the last frame shows reaches the first hidden map.
    other = clip_BTCHW.clone()
    other[:, -1] += 1.0
    before, after = (turned.recur(turned.backbone(clip))[0][:, 0] for clip in (clip_BTCHW, other))
    assert not torch.allclose(before, after)


def test_layers_that_need_the_whole_clip_refuse_a_stream() -> None:
    network = small(cells=(GatedConvLSTMConfig(), BidirectionalConfig()))
    with pytest.raises(ModelError, match=r"cells\.1 \(Bidirectional\) runs backwards too.*\n  hint: give whole clips"):
        network.forward_stream(random_clip())


def test_steps_computed_again_give_the_same_gradients() -> None:
    cells = (ConvLSTMConfig(), GatedConvLSTMConfig())
    kept, recomputed = small(cells=cells), small(cells=cells, recompute_steps=True)
    recomputed.load_state_dict(kept.state_dict())
    sizes = []
    for network in (kept, recomputed):
        saved: list[Tensor] = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x, saved=saved: (saved.append(x), x)[1], lambda x: x):
            loss = network(random_clip(num_frames=16)).square().sum()
        sizes.append(sum(x.numel() for x in saved))
        loss.backward()
    assert sizes[1] < sizes[0]
    for one, other in zip(kept.parameters(), recomputed.parameters(), strict=True):
        assert one.grad is not None
        torch.testing.assert_close(one.grad, other.grad)


def test_published_weights_are_loaded_when_asked_for(tmp_path: Path) -> None:
    backbone = ResNetConfig(depth=18, width=0.125)
    weights = backbone.build(3).state_dict()
    torch.save(weights, tmp_path / "weights.pt")
    named = backbone.model_copy(update={"pretrained": str(tmp_path / "weights.pt")})
    network = GestureNet(num_classes=5, in_channels=3, backbone=named, cells=(), top=None)
    assert not torch.equal(network.backbone.get_parameter("conv1.weight"), weights["conv1.weight"])
    network.load_pretrained()
    assert all(torch.equal(value, weights[name]) for name, value in network.backbone.state_dict().items())
    missing = GestureNet(
        num_classes=5, in_channels=3, backbone=backbone.model_copy(update={"pretrained": "nowhere.pt"}), cells=()
    )
    with pytest.raises(ModelError, match="no such file of weights"):
        missing.load_pretrained()
    small().load_pretrained()  # nothing is named


def test_one_piece_of_a_stream_is_the_whole_clip() -> None:
    network, clip_BTCHW = small(), random_clip()
    torch.testing.assert_close(network.forward_stream(clip_BTCHW).logits_BK, network(clip_BTCHW))


def test_the_recurrence_goes_on_exactly_from_piece_to_piece() -> None:
    network, clip_BTCHW = small(), random_clip()
    maps_BTCHW = network.backbone(clip_BTCHW)
    whole, states = network.recur(maps_BTCHW)
    first, between = network.recur(maps_BTCHW[:, :1])
    second, after = network.recur(maps_BTCHW[:, 1:], between)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)
    assert len(after) == len(states) == 2
    for one, other in zip(after, states, strict=True):
        torch.testing.assert_close(one.hidden_BDHW, other.hidden_BDHW)
        torch.testing.assert_close(one.memory_BDHW, other.memory_BDHW)


def test_pieces_of_a_stream_are_the_whole_clip_where_the_backbone_keeps_frames_apart() -> None:
    by_frame = Res3DConfig(stem_kernel=(1, 7, 7), kernel_frames=1, block_strides=((1, 1, 1), (1, 2, 2), (1, 1, 1)))
    network, clip_BTCHW = small(backbone=by_frame), random_clip(num_frames=4)
    pieces, states = [], None
    for t in range(4):
        logits_BK, states = network.forward_stream(clip_BTCHW[:, t : t + 1], states)
        pieces.append(logits_BK)
    # The head is linear in the mean over time, so that the mean of the pieces' logits is the clip's.
    torch.testing.assert_close(torch.stack(pieces).mean(dim=0), network(clip_BTCHW))


@pytest.mark.parametrize("shape", [(8, 3, 16, 16), (2, 3, 8, 16, 16)], ids=["axis missing", "channels before time"])
def test_clips_of_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    network = small()
    for forward in (network.forward, network.forward_stream):
        with pytest.raises(ModelError, match=r"got a clip of shape .* wanted \(B, T, 3, H, W\): time") as caught:
            forward(torch.zeros(shape))
        assert str(shape) in str(caught.value)


@pytest.mark.parametrize("missing", ["num_classes", "in_channels"])
def test_an_unfinished_config_is_not_built(missing: str) -> None:
    config = GestureNetConfig.from_mapping({"num_classes": 5, "in_channels": 3} | {missing: None})
    with pytest.raises(ModelError, match=rf"{missing} is not known\n  hint: set model\.{missing}"):
        config.build()


def test_channels_that_do_not_come_in_are_refused() -> None:
    with pytest.raises(ModelError, match=r"backbone\.in_channels is 1, but 3 channels come in\n  hint: leave backbone"):
        small(backbone=Res3DConfig(in_channels=1))
    with pytest.raises(ModelError, match=r"cells\.1\.in_channels is 9, but 16 channels come in"):
        small(cells=(GatedConvLSTMConfig(), GatedConvLSTMConfig(in_channels=9)))
    assert small(backbone=Res3DConfig(in_channels=3)).in_channels == 3


def test_overrides_reach_every_part() -> None:
    config = GestureNetConfig(num_classes=5, in_channels=3, width=0.05).with_overrides(
        ["cells=[conv_lstm]", "top=null", "head.dropout=0.5", "backbone.padding=symmetric"]
    )
    assert config.cells == (ConvLSTMConfig(),)
    assert config.head == MeanClassifierConfig(dropout=0.5)
    network = config.build()
    assert (network.backbone.stem.padding, len(network.cells)) == ("symmetric", 1)
