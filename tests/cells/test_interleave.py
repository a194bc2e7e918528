"""Convolutions side by side: their order, their biases, their shares, and how they start."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from mudra.cells import interleave as interleaving
from mudra.cells.cell import arrange
from mudra.cells.interleave import (
    Concatenation,
    Normalisation,
    ParallelConvs,
    build_conv,
    check_choice,
    init_uniform,
    interleave,
    share_channels,
)
from mudra.errors import ConfigError

# Kernel by kernel, and then gate by gate: tens are the kernel, ones the gate.
NAIVE = [10, 10, 11, 11, 12, 12, 13, 13, 20, 21, 22, 23]
INTERLEAVED = [10, 10, 20, 11, 11, 21, 12, 12, 22, 13, 13, 23]


def outputs() -> list[Tensor]:
    """Two kernels' outputs (2, E, 3, 5), each channel filled with the kernel and gate that it belongs to."""
    parts = torch.tensor(NAIVE, dtype=torch.float32).split((8, 4))
    return [part.view(1, -1, 1, 1).expand(2, -1, 3, 5).contiguous() for part in parts]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_every_gate_gets_its_channels_of_every_kernel(layout: torch.memory_format) -> None:
    joined = interleave([part.contiguous(memory_format=layout) for part in outputs()])
    assert joined.is_contiguous(memory_format=layout), "the order in memory stays"
    assert joined.shape == (2, 12, 3, 5)
    assert all(place.tolist() == INTERLEAVED for place in joined.movedim(1, -1).flatten(0, 2))


def test_clips_are_joined_like_single_maps() -> None:
    parts = [torch.randn(2, 3, channels, 4, 5) for channels in (8, 4)]
    single = torch.stack([interleave([part[:, t] for part in parts]) for t in range(3)], dim=1)
    assert torch.equal(interleave(parts), single)
    side_by_side = [part.movedim(2, -1).contiguous().movedim(-1, 2) for part in parts]
    assert torch.equal(interleave(side_by_side), single)


@pytest.mark.parametrize(("concatenation", "order"), [("naive", NAIVE), ("interleave", INTERLEAVED)])
def test_branches_are_joined_as_told(concatenation: Concatenation, order: list[int]) -> None:
    convs = ParallelConvs([nn.Conv2d(3, 8, 1), nn.Conv2d(3, 4, 1)], concatenation=concatenation)
    with torch.no_grad():
        for conv, part in zip(convs.branches, outputs(), strict=True):
            assert isinstance(conv, nn.Conv2d)
            assert conv.bias is not None
            conv.weight.zero_()
            conv.bias.copy_(part[0, :, 0, 0])
    assert convs(torch.ones(1, 3, 2, 2))[0, :, 0, 0].tolist() == order
    clip = convs.over_clip([torch.ones(1, 2, 3, 2, 2)] * 2)
    assert clip[0, 1, :, 1, 1].tolist() == order


def test_every_branch_of_a_clip_sees_its_own_maps() -> None:
    convs = ParallelConvs([nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(3, 4, 5, padding=2)]).double()
    first, second = (torch.randn(2, 3, 3, 4, 5, dtype=torch.float64) for _ in range(2))
    both = convs.over_clip([first, second])
    assert torch.equal(both[:, :, [0, 1, 3, 4]], convs.over_clip([first, first])[:, :, [0, 1, 3, 4]])
    assert torch.equal(both[:, :, 2::3], convs.over_clip([second, second])[:, :, 2::3])


def normalised_convs() -> ParallelConvs:
    mix = nn.Sequential(nn.Conv2d(12, 12, 1), nn.BatchNorm2d(12))
    return ParallelConvs([nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(3, 4, 5, padding=2)], mix=mix).double()


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("piece", [1, 2 * 3 * 4 * 5, 10**6])  # a map at a time, two, and all seven
def test_a_few_maps_at_a_time_give_the_same(piece: int, channels_last: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    convs = normalised_convs().eval()
    seen = [torch.randn(1, 7, 3, 4, 5, dtype=torch.float64) for _ in range(2)]
    seen = [arrange(x_BTCHW, channels_last=channels_last) for x_BTCHW in seen]
    whole = convs.over_clip(seen)
    monkeypatch.setattr(interleaving, "PIECE", piece)
    sizes: list[int] = []
    convs.mix.register_forward_hook(lambda _, inputs, __: sizes.append(len(inputs[0])))
    with torch.no_grad():
        cut = convs.over_clip(seen)
    assert sizes == {1: [1] * 7, 120: [2, 2, 2, 1], 10**6: [7]}[piece]
    assert torch.allclose(cut, whole.detach(), rtol=1e-12, atol=1e-12)
    assert cut.stride() == whole.stride(), "the order in memory stays"


def test_normalisation_that_learns_sees_all_maps_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interleaving, "PIECE", 1)
    convs = normalised_convs().train()
    seen = [torch.randn(2, 3, 3, 4, 5, dtype=torch.float64)] * 2
    with torch.no_grad():
        sums = convs.over_clip(seen)
    assert torch.allclose(sums.mean((0, 1, 3, 4)), torch.zeros(12, dtype=torch.float64), atol=1e-9)


def test_what_mixes_comes_last() -> None:
    mix = nn.Conv2d(12, 12, 1)
    convs = ParallelConvs([nn.Conv2d(3, 8, 1), nn.Conv2d(3, 4, 1)], mix=mix)
    x_BCHW = torch.randn(2, 3, 4, 5)
    joined = interleave([branch(x_BCHW) for branch in convs.branches])
    torch.testing.assert_close(convs(x_BCHW), mix(joined))
    torch.testing.assert_close(convs.over_clip([x_BCHW[None]] * 2)[0], mix(joined))


@pytest.mark.parametrize("concatenation", ["interleave", "naive"])
@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("normalisation", ["none", "batch"])
def test_the_forget_bias_reaches_the_forget_gate_alone(
    concatenation: Concatenation, mixed: bool, normalisation: Normalisation
) -> None:
    branches = [
        build_conv(3, 4 * count, 3, bias=not mixed, initialisation="paper", normalisation=normalisation)
        for count in (2, 1)
    ]
    mix = build_conv(12, 12, 1, bias=True, initialisation="paper", normalisation=normalisation) if mixed else None
    convs = ParallelConvs(branches, concatenation=concatenation, mix=mix).eval()
    convs.add_forget_bias(1.5)
    assert convs(torch.zeros(1, 3, 2, 2))[0, :, 0, 0].tolist() == [0.0] * 3 + [1.5] * 3 + [0.0] * 6


def test_normalisation_brings_the_bias() -> None:
    plain, normalised = (
        build_conv(3, 8, 5, bias=True, initialisation="paper", normalisation=choice) for choice in ("none", "batch")
    )
    assert [name for name, _ in plain.named_parameters()] == ["weight", "bias"]
    assert [name for name, _ in normalised.named_parameters()] == ["0.weight", "1.weight", "1.bias"]


@pytest.mark.parametrize(
    ("in_channels", "out_channels", "kernel_size", "groups", "num_gates", "fans"),
    [
        (16, 1024, 5, 1, 4, 25 * (16 + 256)),
        (256, 1024, 5, 1, 4, 25 * (256 + 256)),
        (512, 512, 1, 4, 4, 128 + 128),
        (256, 64, 1, 1, 1, 256 + 64),
    ],
)
def test_weights_start_uniform_with_one_gate_as_the_fan_out(
    in_channels: int, out_channels: int, kernel_size: int, groups: int, num_gates: int, fans: int
) -> None:
    conv = nn.Conv2d(in_channels, out_channels, kernel_size, groups=groups)
    init_uniform(conv, num_gates=num_gates)
    bound = math.sqrt(6 / fans)
    assert conv.weight.abs().max().item() == pytest.approx(bound, rel=2e-3)
    assert conv.weight.abs().max().item() <= bound
    assert conv.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.03)
    assert conv.bias is not None
    assert conv.bias.count_nonzero() == 0


def test_pytorch_initialisation_leaves_the_layers_alone() -> None:
    torch.manual_seed(3)
    conv = build_conv(3, 8, 5, bias=True, initialisation="pytorch")
    torch.manual_seed(3)
    assert torch.equal(next(conv.parameters()), nn.Conv2d(3, 8, 5).weight)


@pytest.mark.parametrize(
    ("hidden_channels", "shares", "expected"),
    [
        (256, (1, 1), (128, 128)),
        (256, (1, 2, 1), (64, 128, 64)),
        (5, (1, 1), (3, 2)),
        (5, (1, 2, 1), (1, 3, 1)),
        (7, (1, 1, 1), (2, 3, 2)),
        ((1, 9), (1, 1), (1, 9)),
    ],
)
def test_channels_are_shared_out(
    hidden_channels: int | tuple[int, ...], shares: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    assert share_channels(hidden_channels, shares=shares) == expected


def test_channels_that_do_not_fit_the_kernels_are_refused() -> None:
    with pytest.raises(ConfigError, match="hidden_channels has 3 numbers for 2 kernels\n  hint: give one for each"):
        share_channels((1, 2, 3), shares=(1, 1))
    for few in (1, (2, 0)):
        with pytest.raises(ConfigError, match="too few for 2 kernels side by side"):
            share_channels(few, shares=(1, 1))


def test_an_unknown_word_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"concatenation is 'naiv'\n  hint: did you mean 'naive'\?"):
        check_choice("concatenation", "naiv", Concatenation)
    check_choice("concatenation", "naive", Concatenation)
