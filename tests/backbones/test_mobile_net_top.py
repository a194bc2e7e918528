"""The top of MobileNet: the published layer table, and its unit against its formula."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mudra.backbones import MobileNetTop, MobileNetTopConfig, SeparableUnit
from mudra.backbones.mobile_net_top import SeparableConv
from mudra.errors import ConfigError

# Output (C, H, W) and convolution weights of each unit, for hidden maps of 256x28x28.
TABLE = [
    ((256, 28, 28), 68_096 - 256),
    ((256, 14, 14), 68_096 - 256),
    ((512, 14, 14), 133_888 - 512),
    *[((512, 14, 14), 267_264 - 512)] * 4,
    ((1024, 7, 7), 529_920 - 1024),
    ((1024, 4, 4), 1_058_816 - 1024),
]


def random_unit(stride: int) -> SeparableConv:
    unit = SeparableConv(3, 5, stride=stride, padding="tf_same").double().eval()
    generator = torch.Generator().manual_seed(4)
    for tensor in [*unit.parameters(), unit.norm.running_mean]:
        assert tensor is not None
        nn.init.normal_(tensor, std=2.0, generator=generator)
    assert unit.norm.running_var is not None
    nn.init.uniform_(unit.norm.running_var, 0.3, 2.0, generator=generator)
    return unit


def random_maps(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def test_layers_are_those_of_the_published_table() -> None:
    with torch.device("meta"):
        network = MobileNetTop(in_channels=256)
        maps_BTCHW = torch.empty(2, 16, 256, 28, 28)
    found: list[tuple[tuple[int, ...], int]] = []

    def note(unit: nn.Module, _: object, out_BCHW: Tensor) -> None:
        weights = sum(parameter.numel() for parameter in unit.parameters() if parameter.ndim > 1)
        found.append((tuple(out_BCHW.shape[1:]), weights))

    for unit in network.units:
        unit.register_forward_hook(note)
    assert network(maps_BTCHW).shape == (2, 16, 1024, 4, 4)
    assert found == TABLE


def test_parameters_to_the_digit() -> None:
    with torch.device("meta"):
        network = MobileNetTop(in_channels=256)
    assert sum(parameter.numel() for parameter in network.parameters()) == 2_938_112


@pytest.mark.parametrize(("stride", "size", "zeros"), [(1, (5, 6), (1, 1, 1, 1)), (2, (5, 6), (0, 1, 1, 1))])
def test_a_unit_is_depthwise_pointwise_norm_relu6(
    stride: int, size: tuple[int, int], zeros: tuple[int, int, int, int]
) -> None:
    unit, x_BCHW = random_unit(stride), random_maps(2, 3, *size)
    own = functional.conv2d(functional.pad(x_BCHW, zeros), unit.depthwise.weight, stride=stride, groups=3)
    assert unit.pointwise.bias is not None
    mixed = torch.einsum("bchw,dc->bdhw", own, unit.pointwise.weight[..., 0, 0]) + unit.pointwise.bias.view(1, -1, 1, 1)
    norm = unit.norm
    assert norm.running_mean is not None
    assert norm.running_var is not None
    mean, variance, scale, shift = (
        part.view(1, -1, 1, 1) for part in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    expected = ((mixed - mean) / torch.sqrt(variance + 1e-3) * scale + shift).clamp(0.0, 6.0)
    assert (expected == 6.0).any(), "the cap must be seen"
    torch.testing.assert_close(unit(x_BCHW), expected)


def test_normalisation_has_the_constants_of_keras_unless_asked_otherwise() -> None:
    as_published = MobileNetTop(in_channels=8, width=0.125)
    quick = MobileNetTop(in_channels=8, width=0.125, norm_momentum=0.2)
    for network, momentum in ((as_published, 0.01), (quick, 0.2)):
        norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
        assert len(norms) == len(TABLE)
        assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, momentum)}


def test_every_step_is_seen_by_itself() -> None:
    network = MobileNetTop(in_channels=4, width=0.125).double().eval()
    x_BTCHW = random_maps(2, 3, 4, 9, 8)
    alone = torch.stack([network(x_BTCHW[:, t : t + 1])[:, 0] for t in range(3)], dim=1)
    torch.testing.assert_close(network(x_BTCHW), alone)


def test_units_and_width_scale_it_down() -> None:
    units = (SeparableUnit(32, 2), SeparableUnit(64, 1))
    network = MobileNetTop(in_channels=4, width=0.5, units=units)
    assert network(torch.zeros(1, 2, 4, 9, 8)).shape == (1, 2, 32, 5, 4)
    assert network.out_channels == 32


def test_weights_start_glorot_uniform_with_zero_bias() -> None:
    network = MobileNetTop(in_channels=256)
    unit = network.units[3]
    assert isinstance(unit, SeparableConv)
    limit = math.sqrt(6 / (512 + 512))
    assert unit.pointwise.weight.abs().max().item() == pytest.approx(limit, rel=0.01)
    assert unit.pointwise.weight.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.01)
    assert unit.pointwise.bias is not None
    assert unit.pointwise.bias.count_nonzero() == 0


def test_symmetric_padding_gives_other_numbers_but_the_same_shapes() -> None:
    unit, x_BCHW = random_unit(2), random_maps(2, 3, 8, 6)
    as_published = unit(x_BCHW)
    unit.padding = "symmetric"
    assert unit(x_BCHW).shape == as_published.shape
    assert not torch.allclose(unit(x_BCHW), as_published, rtol=0.1)


def test_stock_mobilenet_normalises_between_the_convolutions() -> None:
    unit = SeparableConv(3, 5, stride=1, padding="symmetric", between="norm_relu6").double().eval()
    x_BCHW = random_maps(2, 3, 6, 7)
    norm = unit.get_submodule("between.0")
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.eps == 1e-3
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([4.0, -3.0, 9.0]))
        norm.bias.copy_(torch.tensor([0.5, 1.0, 2.0]))
    scale = norm.weight.view(1, -1, 1, 1) / math.sqrt(1 + 1e-3)
    between = (unit.depthwise(functional.pad(x_BCHW, (1, 1, 1, 1))) * scale + norm.bias.view(1, -1, 1, 1)).clamp(0, 6)
    assert (between == 6.0).any(), "the cap must be seen"
    expected = functional.relu6(unit.norm(unit.pointwise(between)))
    torch.testing.assert_close(unit(x_BCHW), expected)
    top = MobileNetTopConfig(units=(SeparableUnit(8, 1),), between="norm_relu6", norm_momentum=0.3).build(3)
    norms = [module for module in top.modules() if isinstance(module, nn.BatchNorm2d)]
    assert [found.momentum for found in norms] == [0.3, 0.3]


def test_what_cannot_stand_between_is_refused() -> None:
    with pytest.raises(ConfigError, match="between is 'norm'"):
        MobileNetTop(in_channels=4, between="norm")  # type: ignore[arg-type]


def test_config_keeps_units_over_yaml() -> None:
    config = MobileNetTopConfig().with_overrides(["units=[[32, 2], [64, 1]]"])
    assert config.units == (SeparableUnit(32, 2), SeparableUnit(64, 1))
    assert config.build(4).out_channels == 64


def test_an_unknown_padding_is_refused() -> None:
    with pytest.raises(ConfigError, match="padding is 'same'"):
        MobileNetTop(in_channels=4, padding="same")  # type: ignore[arg-type]
