"""GestureNet: its parts in their order, its streams, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mudra.backbones import (
    ActionConfig,
    AnyBackboneConfig,
    C3DConfig,
    ConvTopConfig,
    MobileNetV2Config,
    Res2NetConfig,
    Res3DConfig,
    ResNetConfig,
    Stage,
    TemporalShiftConfig,
)
from mudra.cells import (
    BidirectionalConfig,
    Cell,
    ConvLSTMConfig,
    GatedConvLSTMConfig,
    MultiKernelConvLSTMCell,
    MultiKernelConvLSTMConfig,
    unroll,
)
from mudra.errors import ConfigError, ModelError
from mudra.heads import ConsensusConfig, DenseClassifierConfig, MeanClassifierConfig, MultiScaleDecoderConfig
from mudra.models import GestureNet, GestureNetConfig, StreamState
from mudra.scoring import MaskLoss


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


def test_channels_of_several_kernels_are_scaled_one_by_one() -> None:
    network = small(width=0.25, cells=(MultiKernelConvLSTMConfig(hidden_channels=(32, 64)),))
    (cell,) = network.cells
    assert isinstance(cell, MultiKernelConvLSTMCell)
    assert [branch.get_parameter("weight").shape[0] for branch in cell.hidden_to_gates.branches] == [4 * 8, 4 * 16]
    assert cell.hidden_channels == 24


def test_width_is_multiplied_with_the_parts_own() -> None:
    network = small(width=0.5, backbone=Res3DConfig(width=0.5))
    assert network.backbone.out_channels == 64
    assert network.top.out_channels == 512


def test_parts_may_be_left_out() -> None:
    network = small(cells=(), top=None)
    clip_BTCHW = random_clip()
    torch.testing.assert_close(network(clip_BTCHW), network.head(network.backbone(clip_BTCHW)))
    assert isinstance(network.top, nn.Identity)
    assert network.forward_stream(clip_BTCHW).states == StreamState((), ())


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


def test_flow_passes_the_backbone_by_and_makes_the_first_layers_masks() -> None:
    cells = (MultiKernelConvLSTMConfig(hidden_channels=(6, 4)), GatedConvLSTMConfig())
    network, clip_BTCHW = (
        small(cells=cells, width=1.0, backbone=Res3DConfig(width=0.05), flow_channels=2),
        random_clip(),
    )
    maps_BTCHW = network.backbone(clip_BTCHW[:, :, :1])
    steps, rows, columns = maps_BTCHW.shape[1], *maps_BTCHW.shape[-2:]
    flow_BTCHW = clip_BTCHW[:, :, 1:].reshape(2, steps, 8 // steps, 2, rows, 16 // rows, columns, 24 // columns)
    joined_BTCHW = torch.cat([maps_BTCHW, flow_BTCHW.mean(dim=(2, 5, 7))], dim=2)
    first, second = network.cells
    assert isinstance(first, MultiKernelConvLSTMCell)
    assert isinstance(second, Cell)
    assert (first.in_channels, first.hidden_channels) == (maps_BTCHW.shape[2] + 2, 10)
    hidden = unroll(second, unroll(first, joined_BTCHW).hidden_BTDHW).hidden_BTDHW
    torch.testing.assert_close(network(clip_BTCHW), network.head(network.top(hidden)))
    torch.testing.assert_close(network.forward_stream(clip_BTCHW).logits_BK, network(clip_BTCHW))


def test_maps_hold_all_that_the_rest_sees() -> None:
    network, clip_BTCHW = (
        small(cells=(MultiKernelConvLSTMConfig(hidden_channels=(6, 4)),), flow_channels=2),
        random_clip(),
    )
    maps_BTCHW = network.compute_maps(clip_BTCHW)
    assert maps_BTCHW.shape[2] == network.backbone.out_channels + 2
    assert torch.equal(network.classify_maps(maps_BTCHW), network(clip_BTCHW))
    with pytest.raises(ModelError, match=r"wanted \(B, T, 3, H, W\)"):
        network.compute_maps(clip_BTCHW[:, :, :2])


def test_flow_leaves_the_channels_of_a_layer_that_names_none_to_the_maps() -> None:
    network = small(cells=(MultiKernelConvLSTMConfig(),), flow_channels=1)
    (cell,) = network.cells
    assert isinstance(cell, Cell)
    assert cell.in_channels == cell.hidden_channels + 1 == network.backbone.out_channels + 1


@pytest.mark.parametrize(
    ("cells", "why"), [((GatedConvLSTMConfig(),), "'gated_conv_lstm', makes no masks"), ((), "no cell follows")]
)
def test_flow_that_no_layer_can_use_is_refused(cells: tuple[Any, ...], why: str) -> None:
    with pytest.raises(ModelError, match=why):
        small(cells=cells, flow_channels=2)


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


def test_online_tsm_is_the_offline_causal_network_frame_by_frame() -> None:
    # One frame in, its logits out: the shift's cache is all that is handed on.
    shift = TemporalShiftConfig(direction="past")
    backbone = ResNetConfig(depth=18, width=2.5, temporal_module=shift)
    network = small(backbone=backbone, cells=(), top=None, head=ConsensusConfig())
    clip_BTCHW, states, pieces = random_clip(num_frames=5, size=(32, 40)), None, []
    for t in range(5):
        logits_BK, states = network.forward_stream(clip_BTCHW[:, t : t + 1], states)
        pieces.append(logits_BK)
    whole_BTK = network.head.classify_frames(network.backbone(clip_BTCHW))
    torch.testing.assert_close(torch.stack(pieces, dim=1), whole_BTK, rtol=0, atol=1e-12)
    torch.testing.assert_close(torch.stack(pieces).mean(dim=0), network(clip_BTCHW), rtol=0, atol=1e-12)
    assert states is not None
    assert [kept.shape[1] for kept in states.backbone] == [module.plan[0].stop for module in _shifts(network)]


def _shifts(network: GestureNet) -> list[Any]:
    return list(network.backbone.temporal_modules())  # type: ignore[operator]


DECODED = [
    ResNetConfig(depth=18, width=2.5, temporal_module=TemporalShiftConfig()),
    ResNetConfig(depth=50, width=2.5, temporal_module=ActionConfig()),
    Res2NetConfig(width=2.5, temporal="tea"),
    MobileNetV2Config(width=5.0),
]


def decoded(backbone: AnyBackboneConfig = DECODED[0], **values: Any) -> GestureNet:
    torch.manual_seed(6)
    parts: dict[str, Any] = {"cells": (), "top": None, "head": ConsensusConfig(), "decoder": MultiScaleDecoderConfig()}
    return small(backbone=backbone, **(parts | values))


@pytest.mark.parametrize("backbone", DECODED, ids=lambda config: config.kind)
def test_logits_are_the_same_without_the_decoder(backbone: AnyBackboneConfig) -> None:
    clip_BTCHW = random_clip(num_frames=2, size=(64, 32))
    network, without = decoded(backbone), decoded(backbone, decoder=None)
    logits_BK = network(clip_BTCHW)
    assert torch.equal(logits_BK, without(clip_BTCHW)), "the other parts start alike"
    output = network.forward_training(clip_BTCHW)
    assert torch.equal(output.logits_BK, logits_BK)
    assert output.masks.local_BTHW is not None
    assert output.masks.global_BTHW is not None
    assert (output.masks.local_BTHW.shape, output.masks.global_BTHW.shape) == ((2, 2, 64, 32), (2, 2, 16, 8))
    network.drop_decoder()
    assert torch.equal(network(clip_BTCHW), logits_BK)
    assert network.state_dict().keys() == without.state_dict().keys()
    assert network.forward_training(clip_BTCHW).masks == (None, None)


def reached(network: GestureNet, loss: Tensor) -> set[str]:
    """Parts of the backbone, and others, that a loss has gradients for."""
    network.zero_grad()
    loss.backward()
    names = [name for name, p in network.named_parameters() if p.grad is not None and p.grad.count_nonzero() > 0]
    return {".".join(name.split(".")[: 2 if name.startswith(("backbone", "decoder")) else 1]) for name in names}


def test_each_loss_reaches_what_it_should() -> None:
    network, depth_BTHW = decoded().train(), torch.rand(2, 2, 32, 32, dtype=torch.float64)
    stem, rest = {"backbone.conv1", "backbone.bn1"}, {f"backbone.layer{index}" for index in range(1, 5)}
    for part, wanted in {
        "local": stem | {"decoder.local_decoder"},
        "global_": stem | rest | {"decoder.global_decoder"},
        "classes": stem | rest | {"head"},
    }.items():
        logits_BK, masks = network.forward_training(random_clip(num_frames=2, size=(32, 32)))
        losses = MaskLoss()(logits_BK, torch.tensor([1, 3]), masks, depth_BTHW)
        assert reached(network, getattr(losses, part)) == wanted, part


def test_a_decoder_is_not_trained_on_logits_alone() -> None:
    network = decoded().train()
    with pytest.raises(ModelError, match=r"has a decoder, which learns from depth.*\n  hint: call forward_training"):
        network(random_clip(num_frames=2, size=(32, 32)))
    decoded(decoder=None).train()(random_clip(num_frames=2, size=(32, 32)))


def test_a_decoder_wants_frames_at_a_quarter_of_their_size() -> None:
    with pytest.raises(ModelError, match=r"Res3D has no first stage for a decoder.*\n  hint: take a 2-D backbone"):
        small(decoder=MultiScaleDecoderConfig())
    with pytest.raises(ModelError, match=r"Res3D has no first stage that keeps every frame.*\n  hint: take a 2-D"):
        small().backbone.forward_taps(random_clip())


def test_checkpoints_of_other_programs_are_named_as_ours() -> None:
    network = decoded(decoder=None)
    own = network.state_dict()
    theirs = {
        f"module.base_model.{name.removeprefix('backbone.')}": value
        for name, value in own.items()
        if name.startswith("backbone.")
    }
    theirs |= {f"module.new_fc.{kind}": own[f"head.dense.{kind}"] for kind in ("weight", "bias")}
    renamed = network.name_as_ours(theirs | {"epoch": torch.tensor(3)})
    assert renamed.keys() == own.keys() | {"epoch"}
    assert all(torch.equal(renamed[name], value) for name, value in own.items())
    assert network.name_as_ours(own | {"fc.weight": torch.zeros(1)}).keys() == own.keys() | {"fc.weight"}


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


def test_steps_with_batch_normalisation_are_not_recomputed() -> None:
    cells = (ConvLSTMConfig(), MultiKernelConvLSTMConfig(normalisation="batch"))
    small(cells=cells)
    with pytest.raises(ConfigError, match=r"recompute_steps .* cells\.1 has batch normalisation"):
        small(cells=cells, recompute_steps=True)
