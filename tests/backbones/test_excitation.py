"""Excitation: the product with its gate, its gradients, and what is kept for them."""

from __future__ import annotations

import torch
from torch import Tensor

from mudra.backbones.excitation import excite, pool_both


def parts() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    shapes = ((2, 4, 3, 5), (2, 1, 3, 5), (2, 4, 1, 1))
    x, place, channel = (
        torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in shapes
    )
    return x, place, channel


def test_it_is_the_product_with_the_sum() -> None:
    x, place, channel = parts()
    torch.testing.assert_close(excite(x, place, channel), x * (place + channel))


def test_gradients_are_those_of_the_product() -> None:
    assert torch.autograd.gradcheck(excite, parts())
    assert torch.autograd.gradcheck(pool_both, parts()[:1])


def test_the_gate_itself_is_not_kept() -> None:
    x, place, channel = parts()
    saved: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda kept: (saved.append(kept), kept)[1], lambda kept: kept):
        excite(x, place, channel)
    assert sum(kept.numel() for kept in saved) == x.numel() + place.numel() + channel.numel()


def test_means_are_over_channels_and_over_places() -> None:
    x = parts()[0]
    over_channels, over_places = pool_both(x)
    torch.testing.assert_close(over_channels, x.mean(1, keepdim=True))
    torch.testing.assert_close(over_places, x.mean((2, 3), keepdim=True))
