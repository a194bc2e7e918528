"""Shifted convolution: numbers and gradients of a shift and a convolution, nothing written between, and for whom."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mudra.backbones import TemporalShift
from mudra.backbones.shifted_conv import convolve_shifted, is_foldable
from mudra.backbones.temporal_shift import plan_shift, shift_frames


def parts(num_frames: int, *, channels: int = 20, out_channels: int = 6) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2 * num_frames, channels, 3, 5, generator=generator, dtype=torch.float64)
    weight = torch.randn(out_channels, channels, 1, 1, generator=generator, dtype=torch.float64)
    return x.requires_grad_(), weight.requires_grad_()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("direction", ["both", "past"])
@pytest.mark.parametrize("num_frames", [1, 2, 4])
@pytest.mark.parametrize("out_channels", [6, 120])
def test_it_is_a_shift_and_a_convolution(
    out_channels: int, num_frames: int, direction: Any, layout: torch.memory_format
) -> None:
    x, weight = parts(num_frames, out_channels=out_channels)
    plan = plan_shift(20, fold_div=4, direction=direction)
    found = convolve_shifted(x.contiguous(memory_format=layout), weight, num_frames, plan)
    wanted = nn.functional.conv2d(shift_frames(x, num_frames, plan), weight)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
    assert found.is_contiguous(memory_format=torch.channels_last)
    grad = torch.randn(found.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    pairs = zip(*(torch.autograd.grad(out, [x, weight], grad) for out in (found, wanted)), strict=True)
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def test_a_shift_of_no_channels_is_a_convolution() -> None:
    x, weight = parts(3, channels=7)
    found = convolve_shifted(x, weight, 3, plan_shift(7))
    torch.testing.assert_close(found, nn.functional.conv2d(x, weight))


def test_a_shift_of_all_channels_leaves_none_in_place() -> None:
    x, weight = parts(3)
    plan = plan_shift(20, fold_div=2)
    torch.testing.assert_close(
        convolve_shifted(x, weight, 3, plan), nn.functional.conv2d(shift_frames(x, 3, plan), weight)
    )


def test_only_the_maps_themselves_are_kept() -> None:
    x, weight = parts(4)
    x = x.contiguous(memory_format=torch.channels_last)
    saved: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda kept: (saved.append(kept), kept)[1], lambda kept: kept):
        convolve_shifted(x, weight, 4, plan_shift(20))
    large = [kept for kept in saved if kept.numel() >= x.numel()]
    assert [kept.data_ptr() for kept in large] == [x.data_ptr()]


def test_autocast_gives_its_precision_and_close_gradients() -> None:
    leaves = [leaf.detach().float().requires_grad_() for leaf in parts(4)]
    exact = convolve_shifted(leaves[0], leaves[1], 4, plan_shift(20))
    with torch.autocast("cpu", torch.bfloat16):
        rough = convolve_shifted(leaves[0], leaves[1], 4, plan_shift(20))
    assert (exact.dtype, rough.dtype) == (torch.float32, torch.bfloat16)
    assert (rough.float() - exact).norm() < 0.02 * exact.norm()
    grads = [torch.autograd.grad(out.float().square().sum(), leaves) for out in (exact, rough)]
    for wanted, found in zip(*grads, strict=True):
        assert found.dtype == torch.float32
        assert (found - wanted).norm() < 0.05 * wanted.norm()


def test_it_stands_for_plain_pointwise_convolutions_alone() -> None:
    x = torch.zeros(2, 8, 3, 3)
    assert is_foldable(nn.Conv2d(8, 4, 1, bias=False), x)
    assert is_foldable(nn.Conv2d(8, 8, 1, bias=False), x)
    assert not is_foldable(nn.Conv2d(8, 9, 1, bias=False), x)  # it would be slower
    others: list[nn.Module] = [
        nn.Conv2d(8, 4, 1),
        nn.Conv2d(8, 4, 3, padding=1, bias=False),
        nn.Conv2d(8, 4, 1, stride=2, bias=False),
        nn.Conv2d(8, 4, 1, padding=1, bias=False),
        nn.Conv2d(8, 4, 1, groups=2, bias=False),
        nn.Linear(8, 4, bias=False),
    ]
    assert not any(is_foldable(other, x) for other in others)
    assert not is_foldable(nn.Conv2d(8, 4, 1, bias=False), x.to("meta"))
    watched = nn.Conv2d(8, 4, 1, bias=False)
    watched.register_forward_hook(lambda *_: None)
    listened = nn.Conv2d(8, 4, 1, bias=False)
    listened.register_full_backward_hook(lambda *_: None)
    computed = nn.utils.parametrizations.weight_norm(nn.Conv2d(8, 4, 1, bias=False))
    own_way = type("OwnWay", (nn.Conv2d,), {})(8, 4, 1, bias=False)
    assert not any(is_foldable(other, x) for other in (watched, listened, computed, own_way))


def test_gradients_of_many_clips_are_summed_without_rounding_each() -> None:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(64 * 4, 16, 2, 2, generator=generator).bfloat16().float()
    weight = torch.randn(6, 16, 1, 1, generator=generator).bfloat16().float().requires_grad_()
    plan = plan_shift(16, fold_div=4)
    (wanted,) = torch.autograd.grad(convolve_shifted(x, weight, 4, plan).sum(), weight)
    with torch.autocast("cpu", torch.bfloat16):
        (found,) = torch.autograd.grad(convolve_shifted(x, weight, 4, plan).float().sum(), weight)
    moved = slice(0, 8)
    assert (found - wanted)[:, moved].norm() < 4e-3 * wanted[:, moved].norm()


def test_the_module_takes_it_where_it_may() -> None:
    module, maps = TemporalShift(in_channels=16, direction="past").double(), parts(4, channels=16)[0]
    before = torch.ones(2, 2, 3, 5, dtype=torch.float64)
    for layer in (nn.Conv2d(16, 6, 1, bias=False).double(), nn.Conv2d(16, 6, 3).double()):
        for kept in (None, before):
            wanted = layer(module(maps, 4, kept))
            torch.testing.assert_close(module.lead_into(layer, maps, 4, kept), wanted, rtol=0, atol=1e-12)
