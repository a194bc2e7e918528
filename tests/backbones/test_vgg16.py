"""VGG-16: torchvision's weights fit and give its numbers, frames stay apart, and sizes are the paper's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn

from mudra.backbones import VGG16, VGG16Config

CONV5_3 = 30  # torchvision's layers up to the ReLU behind conv5_3


def random_clip(num_frames: int = 2, size: tuple[int, int] = (48, 32)) -> Tensor:
    return torch.randn(1, num_frames, 3, *size, generator=torch.Generator().manual_seed(2))


def test_a_file_of_torchvisions_weights_gives_its_numbers(tmp_path: Path) -> None:
    torch.manual_seed(1)
    theirs = torchvision.models.vgg16(weights=None).eval()
    theirs.classifier = nn.Linear(2, 3)  # as large as is needed to be left out
    torch.save(theirs.state_dict(), tmp_path / "vgg16.pth")
    ours = VGG16(pretrained=str(tmp_path / "vgg16.pth"), frozen=True)
    ours.load_pretrained()
    clip_BTCHW = random_clip()
    with torch.no_grad():
        wanted = theirs.features[:CONV5_3](clip_BTCHW[0])
        torch.testing.assert_close(ours.train()(clip_BTCHW)[0], wanted, rtol=1e-3, atol=1e-4)
    assert wanted.shape == (2, 512, 3, 2)
    assert wanted.count_nonzero() > 0.1 * wanted.numel()


def test_published_weights_are_torchvisions_only_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    small = VGG16(width=0.125)

    class Published:
        def get_state_dict(self, **arguments: Any) -> dict[str, Tensor]:
            return dict(small.state_dict())

    monkeypatch.setattr(torchvision.models, "get_weight", lambda name: asked.append(name) or Published())
    network = VGG16(width=0.125, pretrained="imagenet")
    network.load_pretrained()
    assert asked == ["VGG16_Weights.IMAGENET1K_V1"]
    assert torch.equal(network.get_parameter("features.28.bias"), small.get_parameter("features.28.bias"))


def test_torchvision_has_the_weights_that_are_asked_for() -> None:
    assert torchvision.models.get_weight("VGG16_Weights.IMAGENET1K_V1").url.startswith("https://")


def test_sizes_are_the_papers() -> None:
    with torch.device("meta"):
        network = VGG16()
        taps = network.forward_taps(torch.zeros(1, 2, 3, 224, 224))
    assert taps.maps_BTCHW.shape == (1, 2, 512, 14, 14)
    assert taps.stem_BTCHW.shape == (1, 2, 128, 56, 56)
    assert network.stem_channels == 128
    # torchvision's 138,357,544 without the dense layers' 123,642,856.
    assert sum(p.numel() for p in network.parameters()) == 14_714_688


def test_frames_stay_apart_and_may_come_one_by_one() -> None:
    torch.manual_seed(1)
    network, clip_BTCHW = VGG16(width=0.125).double().eval(), random_clip(3).double()
    maps_BTCHW = network(clip_BTCHW)
    assert network.is_causal
    for t in range(3):
        piece, state = network.forward_stream(clip_BTCHW[:, t : t + 1])
        torch.testing.assert_close(maps_BTCHW[:, t : t + 1], piece)
        assert state == ()


def test_the_last_incomplete_window_is_pooled_too() -> None:
    assert VGG16(width=0.125)(random_clip(size=(34, 17))).shape == (1, 2, 64, 3, 2)


def test_weights_start_as_torchvisions_do() -> None:
    torch.manual_seed(0)
    theirs, ours = torchvision.models.vgg16(weights=None).features[12], VGG16().features[12]
    assert ours.weight.std().item() == pytest.approx(theirs.weight.std().item(), rel=0.02)
    assert ours.bias.count_nonzero() == 0


def test_build_takes_the_clips_channels_and_else_its_own() -> None:
    config = VGG16Config(width=0.125, in_channels=4)
    assert config.build(2).in_channels == 2
    assert config.build().in_channels == 4
    assert VGG16Config(width=0.125).build().in_channels == 3
