"""3-D ResNeXt: its counts, its sizes, a unit against the formula, and checkpoints of its public code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mudra.backbones import ResNeXt3D, ResNeXt3DConfig
from mudra.backbones.resnext3d import GroupedUnit
from mudra.errors import ConfigError
from mudra.models import GestureNet, count_parameters


def classifier(num_classes: int, **values: Any) -> GestureNet:
    backbone = ResNeXt3DConfig(**values)
    return GestureNet(num_classes=num_classes, in_channels=3, backbone=backbone, cells=(), top=None)


def random_maps(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_parameters_to_the_digit() -> None:
    with torch.device("meta"):
        # With EgoGesture's 83 classes it is the 47.7 M of Fan et al. 2021, Table I.
        assert count_parameters(classifier(83)) == 47_691_283
        assert count_parameters(ResNeXt3D()) == 47_521_216
        assert count_parameters(classifier(400, depth=50)) == 26_685_264


@pytest.mark.parametrize(("num_frames", "size", "shape"), [(16, 112, (1, 4, 4)), (32, 112, (2, 4, 4))])
def test_sizes_of_the_papers_clips(num_frames: int, size: int, shape: tuple[int, ...]) -> None:
    with torch.device("meta"):
        network = ResNeXt3D().eval()
        maps_BTCHW = network(torch.zeros(1, num_frames, 3, size, size))
    assert maps_BTCHW.shape == (1, shape[0], 2048, *shape[1:])
    assert (network.time_stride, network.out_channels) == (16, 2048)


@pytest.mark.parametrize(("stride", "project"), [(2, True), (1, False)])
def test_a_unit_is_its_formula(stride: int, project: bool) -> None:
    unit = GroupedUnit(8 if project else 128, 64, stride=stride, project=project).double().eval()
    generator = torch.Generator().manual_seed(3)
    for parameter in unit.parameters():
        nn.init.uniform_(parameter, -0.4, 0.6, generator=generator)
    x_BCTHW = random_maps(1, 8 if project else 128, 3, 4, 5)

    def normalise(norm: nn.Module, maps: Tensor) -> Tensor:
        assert isinstance(norm, nn.BatchNorm3d)
        weight, bias = (p.view(1, -1, 1, 1, 1) for p in (norm.weight, norm.bias))
        return maps / (1.0 + 1e-5) ** 0.5 * weight + bias

    inner = normalise(unit.bn1, functional.conv3d(x_BCTHW, unit.conv1.weight)).clamp(min=0)
    # 32 groups of two channels, one by one.
    grouped = [
        functional.conv3d(inner[:, 2 * g : 2 * g + 2], unit.conv2.weight[2 * g : 2 * g + 2], stride=stride, padding=1)
        for g in range(32)
    ]
    inner = normalise(unit.bn2, torch.cat(grouped, dim=1)).clamp(min=0)
    inner = normalise(unit.bn3, functional.conv3d(inner, unit.conv3.weight))
    shortcut = x_BCTHW
    if unit.downsample is not None:
        conv, norm = unit.downsample
        shortcut = normalise(norm, functional.conv3d(x_BCTHW, conv.weight, stride=stride))
    torch.testing.assert_close(unit(x_BCTHW), (inner + shortcut).clamp(min=0))


def test_stages_stride_but_for_the_first() -> None:
    network = ResNeXt3D(width=0.125, depth=50).eval()
    maps = {}
    for index in range(1, 5):
        name = f"layer{index}"
        network.get_submodule(name).register_forward_hook(
            lambda _, __, out, name=name: maps.__setitem__(name, tuple(out.shape[1:]))
        )
    network(torch.zeros(1, 16, 3, 64, 64))
    assert maps == {
        "layer1": (32, 8, 16, 16),
        "layer2": (64, 4, 8, 8),
        "layer3": (128, 2, 4, 4),
        "layer4": (256, 1, 2, 2),
    }


def test_a_file_of_the_public_code_is_loaded(tmp_path: Path) -> None:
    torch.manual_seed(1)
    source = classifier(7, width=0.125, depth=50)
    weights = {f"module.{name}": value for name, value in source.backbone.state_dict().items()}
    assert weights["module.layer2.0.downsample.0.weight"].shape == (64, 32, 1, 1, 1)
    weights |= {"module.fc.weight": torch.randn(7, 256), "module.fc.bias": torch.arange(7.0)}
    torch.save({"arch": "resnext-50", "state_dict": weights}, tmp_path / "resnext.pth")
    network = ResNeXt3D(width=0.125, depth=50, pretrained=str(tmp_path / "resnext.pth"))
    network.load_pretrained()
    state = source.backbone.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    named = classifier(7, width=0.125, depth=50).name_as_ours(weights)
    assert torch.equal(named["head.dense.bias"], torch.arange(7.0))
    assert torch.equal(named["backbone.layer3.5.conv2.weight"], state["layer3.5.conv2.weight"])


def test_groups_divide_what_there_is() -> None:
    def groups(width: float) -> set[int]:
        return {m.conv2.groups for m in ResNeXt3D(depth=50, width=width).modules() if isinstance(m, GroupedUnit)}

    assert groups(1.0) == groups(0.25) == {32}
    # 8, 16, 24 and 48 channels.
    assert groups(0.05) == {8, 16}


def test_normalisation_momentum_is_as_asked() -> None:
    network = ResNeXt3D(depth=50, width=0.125, norm_momentum=0.3)
    assert {module.momentum for module in network.modules() if isinstance(module, nn.BatchNorm3d)} == {0.3}


def test_an_unknown_depth_is_refused() -> None:
    with pytest.raises(ConfigError, match="depth is 18\n  hint: known: 50, 101"):
        ResNeXt3D(depth=18)  # type: ignore[arg-type]


def test_build_takes_the_clips_channels_and_else_its_own() -> None:
    config = ResNeXt3DConfig(depth=50, width=0.125, in_channels=4)
    assert config.build(2).in_channels == 2
    assert config.build().in_channels == 4
    assert ResNeXt3DConfig(depth=50, width=0.125).build().in_channels == 3
