"""2-D networks over frames: temporal modules in their blocks, streams, and checkpoints of other programs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mudra.backbones import (
    ActionConfig,
    FrameBackbone,
    MobileNetV2Config,
    Res2NetConfig,
    ResNet,
    ResNetConfig,
    TemporalShiftConfig,
)
from mudra.backbones.action import OFFICIAL_NAMES
from mudra.backbones.resnet import _run_block
from mudra.errors import ModelError

PAST = TemporalShiftConfig(direction="past")
CAUSAL = [
    ResNetConfig(depth=18, width=0.125, temporal_module=PAST),
    ResNetConfig(depth=50, width=0.125, temporal_module=PAST),
    ResNetConfig(depth=18, width=0.125),
    MobileNetV2Config(width=0.25, temporal_module=PAST),
    Res2NetConfig(width=0.125),
]


def build(config: Any) -> FrameBackbone:
    torch.manual_seed(4)
    backbone = config.build(3).double().eval()
    assert isinstance(backbone, FrameBackbone)
    return backbone


def random_clip(num_frames: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(2, num_frames, 3, 32, 40, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("config", CAUSAL, ids=lambda config: config.kind)
@pytest.mark.parametrize("cuts", [(1, 1, 1, 1), (3, 1)])
def test_pieces_of_a_stream_give_the_maps_of_the_whole_clip(config: Any, cuts: tuple[int, ...]) -> None:
    backbone, clip_BTCHW, state, pieces = build(config), random_clip(), None, []
    assert backbone.is_causal
    for piece in clip_BTCHW.split(cuts, dim=1):
        maps_BTCHW, state = backbone.forward_stream(piece, state)
        pieces.append(maps_BTCHW)
    torch.testing.assert_close(torch.cat(pieces, dim=1), backbone(clip_BTCHW), rtol=0, atol=1e-12)
    assert state is not None
    assert len(state) == len(backbone.temporal_modules())


@pytest.mark.parametrize("config", [TemporalShiftConfig(), ActionConfig()], ids=lambda config: config.kind)
def test_what_looks_ahead_sees_every_piece_by_itself(config: Any) -> None:
    backbone, clip_BTCHW = build(ResNetConfig(depth=18, width=0.125, temporal_module=config)), random_clip()
    assert not backbone.is_causal
    maps_BTCHW, state = backbone.forward_stream(clip_BTCHW[:, 2:], None)
    assert state == ()
    torch.testing.assert_close(maps_BTCHW, backbone(clip_BTCHW[:, 2:]))


def test_another_backbones_state_is_refused() -> None:
    backbone = build(CAUSAL[0])
    with pytest.raises(ModelError, match="parts"):
        backbone.forward_stream(random_clip(1), (torch.zeros(1),))


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("temporal_module", [TemporalShiftConfig(), ActionConfig()], ids=lambda config: config.kind)
def test_blocks_are_torchvisions_with_the_module_before_the_branch(depth: Any, temporal_module: Any) -> None:
    backbone = build(ResNetConfig(depth=depth, width=0.125, temporal_module=temporal_module))
    assert isinstance(backbone, ResNet)
    assert len(backbone.temporal_modules()) == {18: 8, 50: 16}[depth]
    for block in (backbone.blocks()[0], backbone.blocks()[-1]):
        generator = torch.Generator().manual_seed(3)
        maps = torch.randn(4, block.conv1.in_channels, 5, 6, generator=generator, dtype=torch.float64)
        first, module = block.conv1, block.temporal

        class Wrapped(nn.Module):
            """The released programs' way: the first convolution sees other maps than the shortcut."""

            def forward(self, x: Tensor, first: Any = first, module: Any = module) -> Tensor:
                maps: Tensor = first(module(x, 2))
                return maps

        block.conv1 = Wrapped()
        wanted = block(maps)
        block.conv1 = first
        torch.testing.assert_close(
            _run_block(block, maps, partial(module.lead_into, x_BCHW=maps, num_frames=2)), wanted
        )


def official(backbone: FrameBackbone) -> dict[str, Tensor]:
    """The weights under the names that the released programs of TSM and ACTION give them."""
    named = {}
    for name, value in backbone.state_dict().items():
        for theirs, ours in OFFICIAL_NAMES.items():
            name = name.replace(f"temporal.{ours}.", f"conv1.{theirs}.")
        if name.startswith("layer") and name.endswith(".conv1.weight"):
            name = name.replace("conv1.weight", "conv1.net.weight")
        named[f"module.base_model.{name}"] = value
    return named | {"module.new_fc.weight": torch.zeros(5, 8), "module.new_fc.bias": torch.zeros(5)}


@pytest.mark.parametrize("temporal_module", [TemporalShiftConfig(), ActionConfig()], ids=lambda config: config.kind)
def test_official_checkpoints_are_loaded(temporal_module: Any, tmp_path: Path) -> None:
    config = ResNetConfig(depth=50, width=0.125, temporal_module=temporal_module)
    source = build(config)
    names = official(source)
    assert "module.base_model.layer2.1.conv1.net.weight" in names
    if temporal_module.kind == "action":
        assert "module.base_model.layer2.1.conv1.action_p3_bn1.running_var" in names
        assert names["module.base_model.layer1.0.conv1.action_shift.weight"].shape == (8, 1, 3)
    torch.save({"state_dict": names, "epoch": 3}, tmp_path / "official.pth.tar")
    backbone = config.model_copy(update={"pretrained": str(tmp_path / "official.pth.tar")}).build(3)
    backbone.load_pretrained()
    state = source.float().state_dict()
    assert all(torch.equal(value, state[name]) for name, value in backbone.state_dict().items())


def test_a_plain_networks_weights_leave_the_modules_their_first_values(tmp_path: Path) -> None:
    torch.save(build(ResNetConfig(depth=18, width=0.125)).state_dict(), tmp_path / "plain.pth")
    config = ResNetConfig(depth=18, width=0.125, temporal_module=ActionConfig(), pretrained=str(tmp_path / "plain.pth"))
    backbone = config.build(3)
    before = backbone.get_parameter("layer2.0.temporal.channel.squeeze.weight").clone()
    backbone.load_pretrained()
    assert torch.equal(backbone.get_parameter("layer2.0.temporal.channel.squeeze.weight"), before)
    assert backbone.train()(torch.zeros(1, 2, 3, 32, 32)).isfinite().all()


def test_half_of_the_modules_weights_are_refused_and_named(tmp_path: Path) -> None:
    config = ResNetConfig(depth=18, width=0.125, temporal_module=ActionConfig())
    weights = {name: v for name, v in build(config).state_dict().items() if ".motion." not in name}
    torch.save(weights | {"layer9.weight": torch.zeros(1)}, tmp_path / "half.pth")
    backbone = config.model_copy(update={"pretrained": str(tmp_path / "half.pth")}).build(3)
    wrong = r"missing: layer1\.0\.temporal\.motion\.squeeze\.weight, .*; 1 unknown: layer9\.weight\)"
    with pytest.raises(ModelError, match=wrong):
        backbone.load_pretrained()
