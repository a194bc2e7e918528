"""Published backbones: files of 2-D and 3-D networks, what is frozen stays, and nobody trains on weights of chance."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mudra.backbones import I3D, VGG16, ActionConfig, PublishedBackbone, ResNet, ResNeXt3D
from mudra.errors import ModelError


def random_clip(channels: int = 3) -> Tensor:
    return torch.randn(2, 4, channels, 32, 32, generator=torch.Generator().manual_seed(1))


def frozen(kind: type[VGG16] | type[I3D]) -> VGG16 | I3D:
    torch.manual_seed(2)
    return kind(width=0.125, frozen=True)


FROZEN = pytest.mark.parametrize("kind", [VGG16, I3D])


@FROZEN
def test_frozen_weights_and_statistics_stay(kind: type[VGG16] | type[I3D]) -> None:
    network = frozen(kind)
    network.load_state_dict(network.state_dict())
    before = {name: value.clone() for name, value in network.state_dict().items()}
    whole = nn.Sequential(network, nn.Flatten(), nn.LazyLinear(3)).train()
    assert not any(module.training for module in network.modules())
    optimiser = torch.optim.SGD([p for p in whole.parameters() if p.requires_grad], lr=0.1)
    whole(random_clip()).square().sum().backward()
    optimiser.step()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(p.grad is None for p in network.parameters())
    assert whole[2].weight.grad is not None
    assert not network(random_clip()).requires_grad


@FROZEN
def test_frozen_weights_of_chance_are_refused_in_training_alone(kind: type[VGG16] | type[I3D]) -> None:
    network = frozen(kind)
    with pytest.raises(
        ModelError, match=rf"{kind.__name__} is frozen, and its weights are those of chance\n  hint: na"
    ):
        network(random_clip())
    network.eval()(random_clip())
    network.train()
    with pytest.raises(ModelError, match="weights are those of chance"):
        network(random_clip())
    nn.Sequential(network).load_state_dict(nn.Sequential(frozen(kind)).state_dict())
    network(random_clip())


def test_what_was_named_must_be_loaded(tmp_path: Path) -> None:
    for network in (VGG16(width=0.125, pretrained="imagenet", frozen=True), I3D(width=0.125, pretrained="i3d.pt")):
        with pytest.raises(ModelError, match=r"start from pretrained='\w+(\.pt)?', which was not loaded\n  hint: call"):
            network(random_clip())
    other = ResNeXt3D(width=0.125, depth=50, pretrained=str(tmp_path / "gone.pth"))
    with pytest.raises(ModelError, match=r"gone\.pth: no such file of weights"):
        other.load_pretrained()
    with pytest.raises(ModelError, match="torchvision has no weights of this network"):
        I3D(width=0.125, pretrained="imagenet").load_pretrained()


def test_what_learns_follows_the_mode() -> None:
    network: PublishedBackbone = I3D(width=0.125)
    assert network.training
    assert not network.eval().training
    assert all(module.training for module in network.train().modules())
    assert all(p.requires_grad for p in network.parameters())


@pytest.mark.parametrize("channels", [1, 5])
def test_other_channels_get_the_mean_of_the_first_kernels_of_a_3d_network(channels: int, tmp_path: Path) -> None:
    torch.manual_seed(3)
    source = ResNeXt3D(width=0.125, depth=50)
    torch.save({"state_dict": {f"module.{n}": v for n, v in source.state_dict().items()}}, tmp_path / "weights.pth")
    network = ResNeXt3D(in_channels=channels, width=0.125, depth=50, pretrained=str(tmp_path / "weights.pth"))
    network.load_pretrained()
    mean = source.conv1.weight.mean(dim=1)
    for channel in range(channels):
        torch.testing.assert_close(network.conv1.weight[:, channel], mean)
    assert torch.equal(network.get_parameter("layer4.2.bn3.bias"), source.get_parameter("layer4.2.bn3.bias"))


def test_the_refusal_names_the_form_that_is_wanted(tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(2)}, tmp_path / "other.pth")
    for kind, name in ((VGG16, "features.0.weight"), (I3D, "Conv3d_1a_7x7.conv3d.weight"), (ResNeXt3D, "conv1.weight")):
        network: PublishedBackbone = kind(width=0.125, pretrained=str(tmp_path / "other.pth"))
        with pytest.raises(ModelError, match=rf"not the weights of .*\n  hint: wanted: a state dict with .*{name}"):
            network.load_pretrained()


def test_what_a_file_lacked_and_had_besides_is_kept(tmp_path: Path) -> None:
    """Torchvision's weights for a network with ACTION: the modules are new, the dense layer is not used."""
    plain = ResNet(depth=18, width=0.125)
    file = {"fc.weight": torch.zeros(7, 64), "fc.bias": torch.zeros(7)} | plain.state_dict()
    torch.save(file, tmp_path / "weights.pth")
    network = ResNet(depth=18, width=0.125, temporal_module=ActionConfig(), pretrained=str(tmp_path / "weights.pth"))
    assert network.taken is None
    network.load_pretrained()
    assert network.taken is not None
    assert set(network.taken.taken) == set(plain.state_dict())
    assert [line.split()[0] for line in network.taken.fresh] == [n for n in network.state_dict() if ".temporal." in n]
    assert len(network.taken.fresh) > 50
    assert network.taken.unused == ("fc.weight 7x64", "fc.bias 7")
