"""I3D: its counts and sizes, an Inception module against the formula, and checkpoints of its public PyTorch form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mudra.backbones import I3D, I3DConfig
from mudra.backbones.i3d import LAYERS, InceptionModule, Mixed
from mudra.errors import ConfigError, ModelError
from mudra.heads import MeanClassifierConfig
from mudra.models import GestureNet, count_parameters


def random_maps(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def classifier(num_classes: int, **values: Any) -> GestureNet:
    head = MeanClassifierConfig()
    backbone = I3DConfig(**values)
    return GestureNet(num_classes=num_classes, in_channels=3, backbone=backbone, cells=(), top=None, head=head)


def official(network: I3D, num_classes: int) -> dict[str, Tensor]:
    """The weights as the public form saves them, its last layer a 1x1x1 convolution."""
    weights = dict(network.state_dict())
    weights["logits.conv3d.weight"] = torch.randn(num_classes, network.out_channels, 1, 1, 1)
    return weights | {"logits.conv3d.bias": torch.arange(float(num_classes))}


def test_parameters_to_the_digit() -> None:
    with torch.device("meta"):
        assert count_parameters(classifier(400)) == 12_697_264
        # 12,272,704 weights of convolutions, a scale and a shift for each of their 7,280 channels.
        assert count_parameters(I3D()) == 12_272_704 + 2 * 7_280 == 12_697_264 - 400 * 1025


@pytest.mark.parametrize(
    ("endpoint", "shape"),
    [
        ("mixed_3c", (32, 480, 28, 28)),
        ("mixed_4f", (16, 832, 14, 14)),
        ("mixed_5b", (8, 832, 7, 7)),
        ("mixed_5c", (8, 1024, 7, 7)),
    ],
)
def test_sizes_of_the_papers_clip_at_every_endpoint(endpoint: Any, shape: tuple[int, ...]) -> None:
    with torch.device("meta"):
        network = I3D(endpoint=endpoint).eval()
        assert network(torch.zeros(1, 64, 3, 224, 224)).shape == (1, *shape)
    assert (network.time_stride, network.out_channels) == (64 // shape[0], shape[1])


def test_names_are_those_of_the_public_form() -> None:
    with torch.device("meta"):
        names = I3D().state_dict()
    assert names["Conv3d_1a_7x7.conv3d.weight"].shape == (64, 3, 7, 7, 7)
    assert names["Mixed_5c.b3b.conv3d.weight"].shape == (128, 832, 1, 1, 1)
    assert names["Mixed_4f.b2b.conv3d.weight"].shape == (128, 32, 3, 3, 3)
    units = {"Mixed_3b.b0", "Mixed_3b.b1a", "Mixed_3b.b1b", "Mixed_3b.b2a", "Mixed_3b.b2b", "Mixed_3b.b3b"}
    kinds = {"conv3d.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var", "bn.num_batches_tracked"}
    assert {name for name in names if name.startswith("Mixed_3b.")} == {f"{u}.{kind}" for u in units for kind in kinds}
    assert {name.partition(".")[0] for name in names} == {name for name in LAYERS if "Pool" not in name}


def test_a_module_is_its_formula() -> None:
    module = InceptionModule(3, Mixed(2, 4, 5, 3, 6, 7), norm_momentum=0.01).double().eval()
    generator = torch.Generator().manual_seed(3)
    for parameter in module.parameters():
        nn.init.uniform_(parameter, -0.5, 0.5, generator=generator)
    x_BCTHW = random_maps(2, 3, 4, 5, 6).abs()

    def unit(name: str, maps: Tensor) -> Tensor:
        conv, norm = module.get_submodule(f"{name}.conv3d"), module.get_submodule(f"{name}.bn")
        assert isinstance(conv, nn.Conv3d)
        assert isinstance(norm, nn.BatchNorm3d)
        summed = functional.conv3d(maps, conv.weight, padding=conv.weight.shape[-1] // 2)
        weight, bias = (p.view(1, -1, 1, 1, 1) for p in (norm.weight, norm.bias))
        return (summed / (1.0 + 1e-3) ** 0.5 * weight + bias).clamp(min=0)

    padded = functional.pad(x_BCTHW, (1,) * 6)
    pooled = torch.stack(
        [padded[:, :, t : t + 4, h : h + 5, w : w + 6] for t in range(3) for h in range(3) for w in range(3)]
    ).amax(dim=0)
    second, third = unit("b1b", unit("b1a", x_BCTHW)), unit("b2b", unit("b2a", x_BCTHW))
    expected = torch.cat([unit("b0", x_BCTHW), second, third, unit("b3b", pooled)], dim=1)
    torch.testing.assert_close(module(x_BCTHW), expected)


def test_padding_is_tensorflows() -> None:
    network = I3D(width=0.125).double().eval()
    first, clip_BTCHW = network.get_submodule("Conv3d_1a_7x7"), random_maps(1, 4, 3, 6, 8)
    assert isinstance(first.conv3d, nn.Conv3d)
    # At stride 2 a 7x7x7 kernel gets two zeros before and three behind.
    padded = functional.pad(clip_BTCHW.transpose(1, 2), (2, 3, 2, 3, 2, 3))
    convolved = functional.conv3d(padded, first.conv3d.weight, stride=2)
    torch.testing.assert_close(first(clip_BTCHW.transpose(1, 2)), (convolved / (1.0 + 1e-3) ** 0.5).clamp(min=0))
    maps = random_maps(1, 8, 2, 6, 6).abs()
    # A window of three at stride 2 gets one zero behind: the last window sees two cells.
    expected = torch.stack(
        [maps[..., r : r + 3, c : c + 3].amax(dim=(-2, -1)) for r in (0, 2, 4) for c in (0, 2, 4)], dim=-1
    ).view(1, 8, 2, 3, 3)
    torch.testing.assert_close(network.get_submodule("MaxPool3d_2a_3x3")(maps), expected)


def test_a_file_of_the_public_form_is_loaded(tmp_path: Path) -> None:
    torch.manual_seed(1)
    source = I3D(width=0.125)
    weights = {f"module.{name}": value for name, value in official(source, 7).items()}
    torch.save(weights, tmp_path / "i3d.pt")
    network = I3D(width=0.125, pretrained=str(tmp_path / "i3d.pt"), frozen=True)
    network.load_pretrained()
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in source.state_dict().items())
    earlier = I3D(width=0.125, endpoint="mixed_4f", pretrained=str(tmp_path / "i3d.pt"))
    earlier.load_pretrained()
    assert torch.equal(earlier.get_parameter("Mixed_4f.b0.bn.bias"), source.get_parameter("Mixed_4f.b0.bn.bias"))
    torch.save({n: v for n, v in weights.items() if "Mixed_4c" not in n}, tmp_path / "gap.pt")
    with pytest.raises(ModelError, match=r"not the weights of I3D of this width: \d+ missing, .*Mixed_4c\.b0\.conv3d"):
        I3D(width=0.125, pretrained=str(tmp_path / "gap.pt")).load_pretrained()


def test_the_published_last_layer_becomes_the_heads() -> None:
    torch.manual_seed(2)
    network = classifier(7, width=0.125)
    source = I3D(width=0.125)
    theirs = official(source, 7)
    named = network.name_as_ours(theirs)
    assert named.keys() == network.state_dict().keys()
    network.load_state_dict(named)
    assert network.head.get_parameter("dense.bias").tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert torch.equal(network.head.get_parameter("dense.weight"), theirs["logits.conv3d.weight"][:, :, 0, 0, 0])


def test_normalisation_has_the_published_constants() -> None:
    norms = [module for module in I3D(width=0.125, norm_momentum=0.3).modules() if isinstance(module, nn.BatchNorm3d)]
    assert len(norms) == 3 + 9 * 6
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.3)}
    assert I3D(width=0.125).get_submodule("Conv3d_2b_1x1.bn").momentum == 0.01


def test_an_unknown_endpoint_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"endpoint is 'mixed_5d'\n  hint: did you mean 'mixed_5"):
        I3D(width=0.125, endpoint="mixed_5d")  # type: ignore[arg-type]


def test_build_takes_the_clips_channels_and_else_its_own() -> None:
    config = I3DConfig(width=0.125, in_channels=4)
    assert config.build(2).in_channels == 2
    assert config.build().in_channels == 4
    assert I3DConfig(width=0.125).build().in_channels == 3
