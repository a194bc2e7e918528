"""Res3D: the published layer table, and its parts against explicit padding, convolution and normalisation."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional

from mudra.backbones import TRAN2017_CHANNELS, TRAN2017_STRIDES, Res3D, Res3DConfig
from mudra.backbones.padding import PaddingMode
from mudra.backbones.res3d import ConvNorm3d, ResidualUnit3d
from mudra.errors import ConfigError

MODES: tuple[PaddingMode, ...] = ("tf_same", "symmetric")

# Name of the module, then its output (C, T, H, W) and its weights, at 32 frames of 112x112.
TABLE: dict[str, tuple[tuple[int, int, int, int], int]] = {
    "stem": ((64, 32, 56, 56), 28_224),
    "units.0.shortcut": ((64, 32, 56, 56), 4_096),
    "units.0.first": ((64, 32, 56, 56), 110_592),
    "units.0.second": ((64, 32, 56, 56), 110_592),
    "units.1.first": ((64, 32, 56, 56), 110_592),
    "units.1.second": ((64, 32, 56, 56), 110_592),
    "units.2.shortcut": ((128, 16, 28, 28), 8_192),
    "units.2.first": ((128, 16, 28, 28), 221_184),
    "units.2.second": ((128, 16, 28, 28), 442_368),
    "units.3.first": ((128, 16, 28, 28), 442_368),
    "units.3.second": ((128, 16, 28, 28), 442_368),
    "units.4.shortcut": ((256, 16, 28, 28), 32_768),
    "units.4.first": ((256, 16, 28, 28), 884_736),
    "units.4.second": ((256, 16, 28, 28), 1_769_472),
    "units.5.first": ((256, 16, 28, 28), 1_769_472),
    "units.5.second": ((256, 16, 28, 28), 1_769_472),
}


def randomise(module: nn.Module) -> nn.Module:
    """Another random number in every weight and running statistic; batch normalisation then uses those."""
    generator = torch.Generator().manual_seed(4)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.4, generator=generator)
    for name, buffer in module.named_buffers():
        if name.endswith("running_mean"):
            nn.init.normal_(buffer, generator=generator)
        if name.endswith("running_var"):
            nn.init.uniform_(buffer, 0.3, 2.0, generator=generator)
    return module.double().eval()


def random_maps(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def normalise(x_BCTHW: Tensor, norm: nn.BatchNorm3d) -> Tensor:
    """Batch normalisation as Keras does it, written out."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    mean, variance, scale, shift = (
        part.view(1, -1, 1, 1, 1) for part in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    return (x_BCTHW - mean) / torch.sqrt(variance + 1e-3) * scale + shift


def test_layers_are_those_of_the_published_table() -> None:
    with torch.device("meta"):
        network = Res3D()
        clip_BTCHW = torch.empty(1, 32, 3, 112, 112)
    shapes: dict[str, tuple[int, ...]] = {}
    for name, module in network.named_modules():
        if isinstance(module, ConvNorm3d):
            module.register_forward_hook(lambda _m, _i, out, name=name: shapes.update({name: tuple(out.shape[1:])}))
    assert network(clip_BTCHW).shape == (1, 16, 256, 28, 28)
    weights = {name: network.get_parameter(f"{name}.conv.weight").numel() for name in shapes}
    assert {name: (shapes[name], weights[name]) for name in shapes} == TABLE


def test_parameters_to_the_digit() -> None:
    with torch.device("meta"):
        network = Res3D()
    assert sum(parameter.numel() for parameter in network.parameters()) == 8_261_696
    assert sum(parameter.numel() for parameter in network.parameters() if parameter.ndim > 1) == 8_257_088


def test_normalisation_has_the_constants_of_keras() -> None:
    norms = [module for module in Res3D(width=0.125).modules() if isinstance(module, nn.BatchNorm3d)]
    assert len(norms) == len(TABLE)
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.01)}


def test_normalisation_momentum_is_as_asked() -> None:
    norms = [m for m in Res3D(width=0.125, norm_momentum=0.2).modules() if isinstance(m, nn.BatchNorm3d)]
    assert {norm.momentum for norm in norms} == {0.2}


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "zeros"),
    [
        # Zeros as torch.nn.functional.pad takes them: columns, rows, frames, each before and behind.
        ((4, 8, 10), (3, 7, 7), (1, 2, 2), (2, 3, 2, 3, 1, 1)),
        ((4, 8, 10), (3, 3, 3), (2, 2, 2), (0, 1, 0, 1, 0, 1)),
        ((5, 7, 9), (3, 3, 3), (2, 2, 2), (1, 1, 1, 1, 1, 1)),
        ((4, 8, 10), (3, 3, 3), (1, 1, 1), (1, 1, 1, 1, 1, 1)),
        ((4, 8, 10), (1, 1, 1), (2, 2, 2), (0, 0, 0, 0, 0, 0)),
        ((4, 8, 10), (2, 4, 4), (1, 1, 1), (1, 2, 1, 2, 0, 1)),
    ],
)
def test_a_convolution_pads_as_tensorflow_does(
    size: tuple[int, int, int], kernel: tuple[int, int, int], stride: tuple[int, int, int], zeros: tuple[int, ...]
) -> None:
    module = ConvNorm3d(3, 4, kernel_size=kernel, stride=stride, padding="tf_same")
    randomise(module)
    x_BCTHW = random_maps(2, 3, *size)
    expected = normalise(
        functional.conv3d(functional.pad(x_BCTHW, zeros), module.conv.weight, stride=stride), module.norm
    )
    torch.testing.assert_close(module(x_BCTHW), expected)


@pytest.mark.parametrize("kernel", [(3, 7, 7), (2, 4, 4)], ids=["odd", "even"])
def test_symmetric_padding_gives_other_numbers_but_the_same_shapes(kernel: tuple[int, int, int]) -> None:
    outputs = []
    for padding in MODES:
        module = ConvNorm3d(3, 4, kernel_size=kernel, stride=(1, 2, 2), padding=padding)
        randomise(module)
        outputs.append(module(random_maps(2, 3, 5, 8, 10)))
    assert outputs[0].shape == outputs[1].shape == (2, 4, 5, 4, 5)
    # TensorFlow puts the odd zero behind, and so does `symmetric` with even kernels.
    assert torch.allclose(*outputs) is (kernel == (2, 4, 4))


def test_the_whole_network_feels_the_padding() -> None:
    outputs = []
    for padding in MODES:
        network = Res3D(width=0.125, padding=padding)
        randomise(network)
        outputs.append(network(random_maps(1, 4, 3, 16, 24)))
    assert outputs[0].shape == outputs[1].shape
    assert not torch.allclose(outputs[0], outputs[1], rtol=0.01)


@pytest.mark.parametrize(("stride", "project", "channels"), [((2, 2, 2), True, 6), ((1, 1, 1), False, 4)])
def test_a_residual_unit_is_its_formula(stride: Any, project: bool, channels: int) -> None:
    unit = ResidualUnit3d(4, channels, kernel_frames=3, stride=stride, project=project, padding="tf_same")
    randomise(unit)
    x_BCTHW = random_maps(2, 4, 4, 6, 8)
    zeros = (0, 1, 0, 1, 0, 1) if project else (1, 1, 1, 1, 1, 1)
    inner = functional.conv3d(functional.pad(x_BCTHW, zeros), unit.first.conv.weight, stride=stride)
    inner = normalise(inner, unit.first.norm).clamp(min=0)
    inner = normalise(functional.conv3d(inner, unit.second.conv.weight, padding=1), unit.second.norm)
    shortcut = x_BCTHW
    if isinstance(unit.shortcut, ConvNorm3d):
        weight_DC = unit.shortcut.conv.weight[..., 0, 0, 0]
        projected = torch.einsum("bcthw,dc->bdthw", x_BCTHW[..., ::2, ::2, ::2], weight_DC)
        shortcut = normalise(projected, unit.shortcut.norm)
    torch.testing.assert_close(unit(x_BCTHW.clone()), (inner + shortcut).clamp(min=0))


def test_the_network_is_stem_and_units_one_after_the_other() -> None:
    network = Res3D(width=0.125)
    randomise(network)
    clip_BTCHW = random_maps(1, 4, 3, 16, 16)
    maps_BCTHW = network.stem(clip_BTCHW.transpose(1, 2)).clamp(min=0)
    for unit in network.units:
        maps_BCTHW = unit(maps_BCTHW)
    torch.testing.assert_close(network(clip_BTCHW), maps_BCTHW.transpose(1, 2))


def test_the_clip_is_left_as_it_came() -> None:
    # Activations work in place; the caller's tensor must not be theirs.
    clip_BTCHW = random_maps(1, 4, 3, 16, 16).float()
    copy = clip_BTCHW.clone()
    Res3D(width=0.125)(clip_BTCHW)
    assert torch.equal(clip_BTCHW, copy)


def test_kernels_of_one_frame_keep_frames_apart() -> None:
    network = Res3D(
        width=0.125, stem_kernel=(1, 7, 7), kernel_frames=1, block_strides=((1, 1, 1), (1, 2, 2), (1, 1, 1))
    )
    randomise(network)
    clip_BTCHW = random_maps(1, 4, 3, 16, 16)
    alone = torch.cat([network(clip_BTCHW[:, t : t + 1]) for t in range(4)], dim=1)
    torch.testing.assert_close(network(clip_BTCHW), alone)


def test_time_stride_counts_every_stride_in_time() -> None:
    network = Res3D(width=0.125, stem_stride=(2, 2, 2), block_strides=((1, 1, 1), (2, 2, 2), (2, 1, 1)))
    assert network.time_stride == 8
    assert network(torch.zeros(1, 16, 3, 16, 16)).shape == (1, 2, 32, 4, 4)


def test_weights_start_he_normal() -> None:
    weight = Res3D().get_parameter("units.2.second.conv.weight")
    assert weight.std().item() == pytest.approx(math.sqrt(2 / (27 * 128)), rel=0.01)


def test_zero_init_makes_every_unit_its_shortcut() -> None:
    network = Res3D(width=0.125, zero_init_residual=True)
    unit = network.units[1].eval()
    x_BCTHW = random_maps(1, 8, 2, 4, 4).float()
    assert torch.equal(unit(x_BCTHW), x_BCTHW.clamp(min=0))
    assert Res3D(width=0.125).get_parameter("units.1.second.norm.weight").eq(1.0).all()


def test_build_takes_the_clips_channels_and_else_its_own() -> None:
    config = Res3DConfig(width=0.125, in_channels=4)
    assert config.build(2).in_channels == 2
    assert config.build().in_channels == 4
    assert Res3DConfig(width=0.125).build().in_channels == 3


def test_an_unknown_padding_is_refused() -> None:
    with pytest.raises(ConfigError, match="padding is 'same'"):
        Res3D(width=0.125, padding="same")  # type: ignore[arg-type]


def test_the_whole_res3d_has_the_size_of_torchvisions_but_for_one_shortcut() -> None:
    network = Res3D(channels=TRAN2017_CHANNELS, block_strides=TRAN2017_STRIDES)
    theirs = torchvision.models.video.r3d_18(weights=None)
    theirs.fc = nn.Identity()
    shortcut = sum(p.numel() for p in network.units[0].shortcut.parameters())
    assert sum(p.numel() for p in network.parameters()) - shortcut == sum(p.numel() for p in theirs.parameters())
    assert (network.out_channels, network.time_stride) == (512, 8)
    with torch.no_grad():
        narrow = Res3D(channels=TRAN2017_CHANNELS, block_strides=TRAN2017_STRIDES, width=0.125)
        assert narrow(torch.zeros(1, 8, 3, 112, 112)).shape == (1, 1, 64, 7, 7)


@pytest.mark.parametrize(
    "values", [{"channels": (8, 8, 8)}, {"block_strides": ((1, 1, 1),)}, {"channels": (8,), "block_strides": ()}]
)
def test_another_number_of_strides_than_of_blocks_is_refused(values: dict[str, Any]) -> None:
    wanted = r"channels names a stem and \d blocks, block_strides \d; wanted the stem and at least one block"
    with pytest.raises(ConfigError, match=wanted):
        Res3D(**values)
    with pytest.raises(ConfigError, match=wanted):
        Res3DConfig.from_mapping(values)


def test_bf16_gradients_are_finite_and_repeat_on_maps_of_two_frames() -> None:
    torch.manual_seed(0)
    net = Res3D(in_channels=2, width=0.25, num_units=1).train()
    clip = torch.randn(4, 4, 2, 16, 16)
    gradients = []
    for _ in range(6):
        net.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            net(clip).float().square().mean().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None]))
    assert all(torch.isfinite(one).all() for one in gradients)
    assert all(torch.equal(one, gradients[0]) for one in gradients)
