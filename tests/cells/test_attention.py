"""Scores become attention: sums, maxima, extreme scores, other memory orders."""

from __future__ import annotations

import pytest
import torch

from mudra.cells.attention import relate_to_maximum, share_over_map


def random_scores(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(4))


def test_a_shared_map_is_exponentials_over_their_sum_in_every_clip() -> None:
    scores_B1HW = random_scores(3, 1, 4, 5)
    exponentials = scores_B1HW.exp()
    torch.testing.assert_close(
        share_over_map(scores_B1HW), exponentials / exponentials.sum(dim=(1, 2, 3), keepdim=True)
    )


def test_attention_of_channels_is_exponentials_over_their_greatest() -> None:
    scores_BDHW = random_scores(3, 2, 4, 5)
    exponentials = scores_BDHW.exp()
    greatest = exponentials.flatten(2).max(dim=2).values[..., None, None]
    torch.testing.assert_close(relate_to_maximum(scores_BDHW), exponentials / greatest)


@pytest.mark.parametrize("function", [share_over_map, relate_to_maximum])
def test_ten_thousand_either_way_stays_finite_with_its_gradient(function: object) -> None:
    assert callable(function)
    scores = torch.tensor([[[[1e4, -1e4, 0.0], [1e4, 3.0, -1e4]]]], requires_grad=True)
    attention = function(scores)
    (attention * torch.arange(6.0).view(1, 1, 2, 3)).sum().backward()
    assert attention.isfinite().all()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


@pytest.mark.parametrize("function", [share_over_map, relate_to_maximum])
def test_the_order_in_memory_does_not_matter(function: object) -> None:
    assert callable(function)
    scores = random_scores(2, 1, 4, 5)
    torch.testing.assert_close(function(scores.to(memory_format=torch.channels_last)), function(scores))


def test_gradients_are_exact() -> None:
    assert torch.autograd.gradcheck(share_over_map, random_scores(2, 1, 3, 2).requires_grad_())
    assert torch.autograd.gradcheck(relate_to_maximum, random_scores(2, 2, 3, 2).requires_grad_())
