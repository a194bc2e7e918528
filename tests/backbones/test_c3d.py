"""C3D: the published layers and sizes, its stages against the formula, and its forms of normalisation."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mudra.backbones import C3D, ZHANG2017_STAGES, C3DConfig, Stage
from mudra.backbones.c3d import ConvStage, StageNorm
from mudra.errors import ConfigError

# Weights and biases of the eight convolutions, from Tran et al. 2015, figure 3.
COUNTS = (5_248, 221_312, 884_992, 1_769_728, 3_539_456, 7_078_400, 7_078_400, 7_078_400)


def random_maps(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def shapes_of_stages(network: C3D, clip_BTCHW: Tensor) -> list[tuple[int, ...]]:
    shapes = []
    maps_BCTHW = clip_BTCHW.transpose(1, 2)
    for stage in network.stages:
        maps_BCTHW = stage(maps_BCTHW)
        shapes.append(tuple(maps_BCTHW.shape[1:]))
    return shapes


def test_layers_are_those_of_the_published_network() -> None:
    network = C3D()
    convs = [module for module in network.modules() if isinstance(module, nn.Conv3d)]
    assert tuple(sum(p.numel() for p in conv.parameters()) for conv in convs) == COUNTS
    assert sum(COUNTS) == sum(p.numel() for p in network.parameters()) == 27_655_936
    assert (network.out_channels, network.time_stride) == (512, 16)


def test_a_clip_of_16_frames_of_112_pixels_becomes_one_step_of_4_by_4() -> None:
    network = C3D(width=0.125).eval()
    with torch.no_grad():
        shapes = shapes_of_stages(network, torch.zeros(1, 16, 3, 112, 112))
    assert shapes == [(8, 16, 56, 56), (16, 8, 28, 28), (32, 4, 14, 14), (64, 2, 7, 7), (64, 1, 4, 4)]


def test_the_stages_of_2017_halve_time_once_and_space_by_four() -> None:
    network = C3D(stages=ZHANG2017_STAGES, norm="stage")
    assert (network.out_channels, network.time_stride) == (256, 2)
    assert sum(isinstance(module, nn.BatchNorm3d) for module in network.modules()) == 3
    # The convolutions of the first three stages of C3D, and a scale and a shift for each stage's channels.
    assert sum(p.numel() for p in network.parameters()) == sum(COUNTS[:4]) + 2 * (64 + 128 + 256)
    with torch.no_grad():
        assert network(torch.zeros(1, 4, 3, 112, 112)).shape == (1, 2, 256, 28, 28)


@pytest.mark.parametrize("norm", ["none", "conv", "stage"])
def test_a_stage_is_its_formula(norm: StageNorm) -> None:
    stage = ConvStage(3, 5, num_convs=2, pool=(2, 2, 2), norm=norm, momentum=0.1).double().eval()
    generator = torch.Generator().manual_seed(3)
    for parameter in stage.parameters():
        nn.init.uniform_(parameter, -0.5, 0.5, generator=generator)
    x_BCTHW = random_maps(2, 3, 3, 5, 6)

    def normalise(maps: Tensor, index: int) -> Tensor:
        module = stage.norms[index]
        if isinstance(module, nn.Identity):
            return maps
        weight, bias = (p.view(1, -1, 1, 1, 1) for p in (module.weight, module.bias))
        return maps / math.sqrt(1 + module.eps) * weight + bias

    convs = [module for module in stage.convs if isinstance(module, nn.Conv3d)]
    first = functional.conv3d(x_BCTHW, convs[0].weight, convs[0].bias, padding=1)
    if norm != "stage":
        first = normalise(first, 0).clamp(min=0)
    second = normalise(functional.conv3d(first, convs[1].weight, convs[1].bias, padding=1), 1).clamp(min=0)
    # Zeros behind the ends cannot win against what a ReLU lets through.
    padded = functional.pad(second, (0, 0, 0, 1, 0, 1))
    expected = torch.stack(
        [
            padded[:, :, 2 * t : 2 * t + 2, 2 * h : 2 * h + 2, 2 * w : 2 * w + 2].amax(dim=(2, 3, 4))
            for t in range(2)
            for h in range(3)
            for w in range(3)
        ],
        dim=-1,
    ).view(2, 5, 2, 3, 3)
    torch.testing.assert_close(stage(x_BCTHW), expected)
    assert [isinstance(module, nn.BatchNorm3d) for module in stage.norms] == [norm == "conv", norm != "none"]


def test_weights_start_as_the_released_codes_or_he_normal() -> None:
    def start(**values: Any) -> list[tuple[float, set[float]]]:
        torch.manual_seed(0)
        convs = [module for module in C3D(**values).modules() if isinstance(module, nn.Conv3d)]
        return [(conv.weight.std().item(), set(conv.bias.tolist())) for conv in convs if conv.bias is not None]

    published = start()
    assert [std for std, _ in published] == pytest.approx([0.01] * 8, rel=0.03)
    assert [biases for _, biases in published] == [{0.0}] + [{1.0}] * 7
    he_normal = start(initialisation="he_normal")
    fans = [27 * count for count in (3, 64, 128, 256, 256, 512, 512, 512)]
    assert [std for std, _ in he_normal] == pytest.approx([math.sqrt(2 / fan) for fan in fans], rel=0.03)
    assert [biases for _, biases in he_normal] == [{0.0}] * 8


def test_the_published_start_is_made_for_levels_less_their_mean() -> None:
    levels_BTCHW = 60.0 * random_maps(1, 16, 3, 32, 32).float()
    spread = {}
    for initialisation in ("tran2015", "he_normal"):
        torch.manual_seed(0)
        with torch.no_grad():
            spread[initialisation] = C3D(initialisation=initialisation)(levels_BTCHW).std().item()
    assert 0.1 < spread["tran2015"] < 10.0 < spread["he_normal"]


def test_normalisation_momentum_is_as_asked() -> None:
    network = C3D(width=0.125, norm="conv", norm_momentum=0.3)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm3d)]
    assert len(norms) == 8
    assert {norm.momentum for norm in norms} == {0.3}


def test_build_takes_the_clips_channels_and_else_its_own() -> None:
    config = C3DConfig(width=0.125, in_channels=4)
    assert config.build(2).in_channels == 2
    assert config.build().in_channels == 4
    assert C3DConfig(width=0.125).build().in_channels == 3


def test_stages_are_read_from_lists() -> None:
    config = C3DConfig.from_mapping({"stages": [[8, 1, [1, 2, 2]], [16, 3, [1, 1, 1]]]})
    assert config.stages == (Stage(8, 1, (1, 2, 2)), Stage(16, 3, (1, 1, 1)))
    with pytest.raises(ConfigError, match="key 'stages' got"):
        C3DConfig.from_mapping({"stages": []})


def test_an_unknown_norm_is_refused() -> None:
    with pytest.raises(ConfigError, match="norm is 'stages'\n  hint: did you mean 'stage'"):
        C3D(width=0.125, norm="stages")  # type: ignore[arg-type]


def test_an_unknown_initialisation_is_refused() -> None:
    with pytest.raises(ConfigError, match="initialisation is 'he'\n  hint: "):
        C3D(width=0.125, initialisation="he")  # type: ignore[arg-type]


def test_bf16_gradients_are_finite_and_repeat_on_maps_of_two_frames() -> None:
    torch.manual_seed(0)
    network = C3D(in_channels=2, width=0.25, stages=(Stage(64, 2, (2, 2, 2)), Stage(64, 2, (1, 1, 1)))).train()
    clip = torch.randn(4, 4, 2, 16, 16)
    gradients = []
    for _ in range(6):
        network.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            network(clip).float().square().mean().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None]))
    assert all(torch.isfinite(one).all() for one in gradients)
    assert all(torch.equal(one, gradients[0]) for one in gradients)
