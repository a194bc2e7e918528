"""MobileNetV2: torchvision's weights fit and give its numbers, and shifts stand where a shortcut is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.models import mobilenet_v2

from mudra.backbones import ActionConfig, MobileNetV2, MobileNetV2Config, TemporalShift, TemporalShiftConfig
from mudra.errors import ModelError


def random_clip(channels: int = 3) -> torch.Tensor:
    return torch.randn(1, 2, channels, 64, 48, generator=torch.Generator().manual_seed(2))


def test_a_file_of_torchvisions_weights_gives_its_numbers(tmp_path: Path) -> None:
    torch.manual_seed(1)
    theirs = mobilenet_v2(weights=None).eval()
    torch.save(theirs.state_dict(), tmp_path / "mobile.pth")
    ours = MobileNetV2(pretrained=str(tmp_path / "mobile.pth"))
    ours.load_pretrained()
    clip_BTCHW = random_clip()
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(clip_BTCHW)[0], theirs.features(clip_BTCHW[0]), rtol=1e-3, atol=1e-4)
    other = MobileNetV2(in_channels=2, pretrained=str(tmp_path / "mobile.pth"))
    other.load_pretrained()
    mean = theirs.features[0][0].weight.mean(dim=1)
    torch.testing.assert_close(other.get_parameter("features.0.0.weight")[:, 1], mean)


def test_shifts_stand_where_a_shortcut_is() -> None:
    network = MobileNetV2(width=0.25, temporal_module=TemporalShiftConfig())
    # Of the seventeen blocks ten have a shortcut, the stem's none.
    places = [index for index, layer in enumerate(network.features) if hasattr(layer, "temporal")]
    assert places == [3, 5, 6, 8, 9, 10, 12, 13, 15, 16]
    assert isinstance(network.features[5].temporal, TemporalShift)


def test_the_shortcut_does_not_pass_the_module() -> None:
    torch.manual_seed(1)
    network = MobileNetV2(width=0.25, temporal_module=TemporalShiftConfig()).double().eval()
    block = network.features[3]
    maps = torch.randn(4, block.out_channels, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    wanted = maps + block.conv(block.temporal(maps, 2))
    seen: list[torch.Tensor] = []
    network.features[4].register_forward_hook(lambda *_: None)
    network.features[4].conv.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network.run_blocks(maps, 2, None)
    torch.testing.assert_close(seen[0], wanted)


def test_its_stem_has_a_quarter_of_the_size() -> None:
    network = MobileNetV2(width=0.5).eval()
    taps = network.forward_taps(random_clip())
    assert taps.stem_BTCHW.shape == (1, 2, network.stem_channels, 16, 12)
    assert taps.maps_BTCHW.shape == (1, 2, 1280, 2, 2)


def test_action_starts_at_its_papers_values() -> None:
    network = MobileNetV2(width=0.5, temporal_module=ActionConfig(), norm_momentum=0.3)
    assert network.features[3].temporal.shift.weight[:, 0].sum(dim=1).eq(1.0).all()
    assert {module.momentum for module in network.modules() if isinstance(module, nn.BatchNorm2d)} == {0.3}
    assert not network.is_causal
    assert MobileNetV2Config(width=0.5, temporal_module=TemporalShiftConfig(direction="past")).build(4).is_causal


def test_nobody_trains_from_chance_without_knowing() -> None:
    with pytest.raises(ModelError, match="which was not loaded"):
        MobileNetV2(width=0.25, pretrained="imagenet").train()(random_clip())
