"""ResNet: torchvision's weights fit and give its numbers, frames stay apart, and what cannot be loaded is refused."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

from mudra.backbones import ResNet, ResNetConfig
from mudra.errors import ConfigError, ModelError


def torchvisions(depth: int) -> nn.Module:
    """Torchvision's network with statistics that normalise, in evaluation mode."""
    torch.manual_seed(depth)
    network: nn.Module = getattr(torchvision.models, f"resnet{depth}")(weights=None)
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for value in (module.weight.data, module.running_var):
                assert value is not None
                value.uniform_(0.5, 1.5, generator=generator)
    return network.eval()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "resnet18.pth"
    torch.save(torchvisions(18).state_dict(), path)
    return path


def random_clip(num_frames: int = 2, channels: int = 3) -> Tensor:
    return torch.randn(1, num_frames, channels, 64, 48, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("depth", [18, 34, 50])
def test_names_shapes_and_numbers_are_torchvisions(depth: Any) -> None:
    theirs, ours = torchvisions(depth), ResNet(depth=depth).eval()
    weights = {name: value for name, value in theirs.state_dict().items() if not name.startswith("fc.")}
    assert {name: value.shape for name, value in ours.state_dict().items()} == {
        name: value.shape for name, value in weights.items()
    }
    ours.load_state_dict(weights)
    theirs.fc = nn.Identity()
    clip_BTCHW = random_clip()
    with torch.no_grad():
        torch.testing.assert_close(ours(clip_BTCHW).mean(dim=(-2, -1))[0], theirs(clip_BTCHW[0]), rtol=1e-3, atol=1e-4)


def test_parameters_to_the_digit() -> None:
    # With 83 classes' dense layer of 170,067: 23,678,099, the 23.7 M of Fan et al. 2021, Table III.
    assert sum(p.numel() for p in ResNet(depth=50).parameters()) == 23_508_032


def test_weights_start_as_torchvisions_do() -> None:
    theirs, ours = torchvisions(18).get_parameter("layer4.1.conv2.weight"), ResNet(depth=18)
    assert ours.get_parameter("layer4.1.conv2.weight").std().item() == pytest.approx(theirs.std().item(), rel=0.02)
    assert ours.get_parameter("bn1.weight").eq(1.0).all()


def test_frames_stay_apart() -> None:
    network, clip_BTCHW = ResNet(depth=18, width=0.125).double().eval(), random_clip(num_frames=3).double()
    maps_BTCHW = network(clip_BTCHW)
    for t in range(3):
        torch.testing.assert_close(maps_BTCHW[:, t : t + 1], network(clip_BTCHW[:, t : t + 1]))


def test_width_scales_every_stage() -> None:
    network = ResNet(depth=50, width=0.25)
    assert (network.get_parameter("conv1.weight").shape[0], network.out_channels) == (16, 512)
    assert ResNet(depth=18, width=0.25).out_channels == 128


def test_normalisation_momentum_is_as_asked() -> None:
    network = ResNet(depth=18, width=0.125, norm_momentum=0.3)
    assert {module.momentum for module in network.modules() if isinstance(module, nn.BatchNorm2d)} == {0.3}


def test_a_file_of_torchvisions_weights_is_loaded(file: Path, tmp_path: Path) -> None:
    state = torch.load(file, weights_only=True)
    save_file(state, tmp_path / "resnet18.safetensors")
    for path in (file, tmp_path / "resnet18.safetensors"):
        network = ResNet(depth=18, pretrained=str(path))
        assert not torch.equal(network.get_parameter("conv1.weight"), state["conv1.weight"])  # building reads nothing
        network.load_pretrained()
        assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_other_channels_get_the_mean_of_the_first_kernels(file: Path, channels: int) -> None:
    network = ResNet(in_channels=channels, depth=18, pretrained=str(file))
    network.load_pretrained()
    mean = torch.load(file, weights_only=True)["conv1.weight"].mean(dim=1)
    for channel in range(channels):
        torch.testing.assert_close(network.get_parameter("conv1.weight")[:, channel], mean)


def test_published_weights_are_the_papers_version(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    class Published:
        def get_state_dict(self, **arguments: Any) -> dict[str, Tensor]:
            asked.append(arguments)
            return torchvisions(18).state_dict()

    def find(name: str) -> Published:
        asked.append(name)
        return Published()

    monkeypatch.setattr(torchvision.models, "get_weight", find)
    ResNet(depth=18, pretrained="imagenet").load_pretrained()
    assert asked == ["ResNet18_Weights.IMAGENET1K_V1", {"progress": False, "check_hash": True}]


def test_torchvision_has_the_weights_that_are_asked_for() -> None:
    for depth in (18, 34, 50):
        assert torchvision.models.get_weight(f"ResNet{depth}_Weights.IMAGENET1K_V1").url.startswith("https://")


def test_what_cannot_be_loaded_is_refused(file: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"resnet\.pth: no such file of weights\n  hint: give a file"):
        ResNet(depth=18, width=0.125, pretrained=str(tmp_path / "resnet.pth")).load_pretrained()
    damaged = tmp_path / "damaged.pth"
    damaged.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"damaged\.pth: not a file of weights \("):
        ResNet(depth=18, width=0.125, pretrained=str(damaged)).load_pretrained()
    no_weights = tmp_path / "epoch.pth"
    torch.save({"epoch": 3}, no_weights)
    with pytest.raises(ModelError, match=r"epoch\.pth: holds no weights by name"):
        ResNet(depth=18, width=0.125, pretrained=str(no_weights)).load_pretrained()
    misfit = r"not the weights of ResNet-34 of this width: 80 .*\(80 missing: layer1\.2\.conv1\.weight, .*\n  h"
    with pytest.raises(ModelError, match=misfit):
        ResNet(depth=34, pretrained=str(file)).load_pretrained()
    with pytest.raises(ModelError, match=r"100 missing, .*\(100 of another shape: conv1\.weight, "):
        ResNet(depth=18, width=0.125, pretrained=str(file)).load_pretrained()


def test_nobody_trains_from_chance_without_knowing(file: Path) -> None:
    clip_BTCHW = random_clip()
    network = ResNet(depth=18, pretrained=str(file)).train()
    with pytest.raises(ModelError, match=r"pretrained='.*resnet18\.pth', which was not loaded\n  hint: call load_"):
        network(clip_BTCHW)
    network.eval()(clip_BTCHW)  # a finished run's weights come from elsewhere
    other = copy.deepcopy(network).train()
    network.train().load_pretrained()
    network(clip_BTCHW)
    nn.Sequential(other).load_state_dict(nn.Sequential(network).state_dict())  # as part of a resumed training
    other(clip_BTCHW)
    ResNet(depth=18).train()(clip_BTCHW)


def test_older_files_without_counts_of_batches_are_loaded(tmp_path: Path) -> None:
    state = {name: v for name, v in torchvisions(18).state_dict().items() if "num_batches" not in name}
    torch.save(state, tmp_path / "old.pt")
    network = ResNet(depth=18, pretrained=str(tmp_path / "old.pt"))
    network.load_pretrained()
    assert torch.equal(network.get_parameter("layer4.1.bn2.weight"), state["layer4.1.bn2.weight"])


def test_an_unknown_depth_is_refused() -> None:
    with pytest.raises(ConfigError, match="depth is 20\n  hint: known: 18, 34, 50"):
        ResNet(depth=20)  # type: ignore[arg-type]


def test_build_takes_the_clips_channels_and_else_its_own() -> None:
    config = ResNetConfig(depth=18, width=0.125, in_channels=4)
    assert config.build(2).in_channels == 2
    assert config.build().in_channels == 4
    assert ResNetConfig(depth=18, width=0.125).build().in_channels == 3
