"""Scores become attention: over the whole map at once, or in every channel by itself.

Source: Zhang et al. 2018, equations 18 and 22.
Differs: equation 22 divides exp(Z) by its maximum; exp(Z - max Z) is the same number, and does not overflow.
"""

from __future__ import annotations

from torch import Tensor


def share_over_map(scores_B1HW: Tensor) -> Tensor:
    """Return one attention map per clip, softmax over all places at once: it sums to 1.

    Example:
        >>> import torch
        >>> share_over_map(torch.tensor([[[[0.0, 1e4], [-1e4, 1e4]]]])).flatten().tolist()
        [0.0, 0.5, 0.0, 0.5]
    """
    return scores_B1HW.flatten(1).softmax(dim=1).view_as(scores_B1HW)


def relate_to_maximum(scores_BDHW: Tensor) -> Tensor:
    """Return attention in (0, 1], in every channel by itself: 1 where the channel's score is greatest.

    Example:
        >>> import torch
        >>> relate_to_maximum(torch.tensor([[[[0.0, 1e4], [-1e4, 1e4]]]])).flatten().tolist()
        [0.0, 1.0, 0.0, 1.0]
    """
    return (scores_BDHW - scores_BDHW.amax(dim=(-2, -1), keepdim=True)).exp()
