"""Flow attention: the masks' formula, which kernels have one, and what flow reaches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mudra.cells.flow_attention import FlowAttention
from mudra.errors import ConfigError
from tests.cells.kernels_by_hand import masked
from tests.cells.reading import numbers, random_maps


def build(**values: Any) -> FlowAttention:
    attention = FlowAttention(**({"in_channels": 5, "flow_channels": 2, "kernel_sizes": (3, 5)} | values)).double()
    generator = torch.Generator().manual_seed(4)
    for parameter in attention.parameters():
        nn.init.normal_(parameter, std=0.5, generator=generator)
    return attention


def test_each_mask_is_a_sigmoid_of_its_own_convolution_over_the_flow() -> None:
    attention, x_TCHW = build(), random_maps(2, 5, 4, 6, seed=3)
    seen = attention(torch.from_numpy(x_TCHW)[None])
    assert len(seen) == 2
    for place, part in enumerate(seen):
        conv = attention.to_mask[str(place)].get_submodule("0")
        assert isinstance(conv, nn.Conv2d)
        assert conv.kernel_size == ((3, 3), (5, 5))[place]
        expected = [masked(x[:3], x[3:], numbers(conv.weight), numbers(conv.bias)) for x in x_TCHW]
        np.testing.assert_allclose(numbers(part[0]), expected, atol=1e-12)


def test_masks_have_the_channels_of_the_maps_without_flow() -> None:
    masks = build().masks(torch.randn(2, 3, 5, 4, 6, dtype=torch.float64))
    assert {place: tuple(mask.shape) for place, mask in masks.items()} == dict.fromkeys((0, 1), (2, 3, 3, 4, 6))
    assert all(0 < mask.min() < mask.max() < 1 for mask in masks.values())


def test_a_kernel_without_a_mask_sees_the_maps_as_they_are() -> None:
    attention, x_BTCHW = build(masked_kernels=(5,)), torch.randn(1, 2, 5, 4, 6, dtype=torch.float64)
    plain, through_mask = attention(x_BTCHW)
    assert torch.equal(plain, x_BTCHW[:, :, :3])
    assert not torch.allclose(through_mask, plain)
    assert list(attention.masks(x_BTCHW)) == [1]


def test_two_kernels_of_one_size_have_masks_of_their_own() -> None:
    first, second = build(kernel_sizes=(3, 3))(torch.randn(1, 2, 5, 4, 6, dtype=torch.float64))
    assert not torch.allclose(first, second)


def test_without_flow_every_kernel_sees_everything() -> None:
    attention, x_BTCHW = build(flow_channels=0), torch.randn(1, 2, 5, 4, 6, dtype=torch.float64)
    assert all(torch.equal(seen, x_BTCHW) for seen in attention(x_BTCHW))
    assert list(attention.parameters()) == []


def test_masks_start_half_open_or_as_pytorch_has_it() -> None:
    values = {"in_channels": 40, "flow_channels": 8, "kernel_sizes": (3,)}
    paper, pytorch = (FlowAttention(**values, initialisation=choice) for choice in ("paper", "pytorch"))  # type: ignore[arg-type]
    conv = paper.to_mask["0"].get_submodule("0")
    assert isinstance(conv, nn.Conv2d)
    assert conv.weight.abs().max().item() == pytest.approx((6 / (9 * 40)) ** 0.5, rel=0.01)
    assert next(iter(paper.masks(torch.zeros(1, 1, 40, 2, 2)).values())).eq(0.5).all()
    assert not next(iter(pytorch.masks(torch.zeros(1, 1, 40, 2, 2)).values())).eq(0.5).any()


def test_what_does_not_fit_is_refused() -> None:
    for flow_channels in (5, 7, -1):
        with pytest.raises(
            ConfigError, match=f"flow_channels is {flow_channels} of 5 channels .*\n  hint: in_channels"
        ):
            build(flow_channels=flow_channels)
    with pytest.raises(ConfigError, match=r"masked_kernels names 7; the kernels have the sizes \(3, 5\)"):
        build(masked_kernels=(3, 7))
    for flow_channels in (0, 2):
        with pytest.raises(ConfigError, match=r"masked_kernels is empty: .*\n  hint: .*flow_channels=0"):
            build(flow_channels=flow_channels, masked_kernels=())
    with pytest.raises(ConfigError, match="masked_kernels is given, but flow_channels is 0"):
        build(flow_channels=0, masked_kernels=(3,))
