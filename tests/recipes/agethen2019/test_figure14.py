"""Agethen and Hsu 2019, Figure 14: masks of flow for both kernels."""

from __future__ import annotations

import torch

from mudra.cells import MultiKernelConvLSTMCell
from mudra.datasets import MovingDigitsConfig
from mudra.recipes import find_recipe, list_recipes
from mudra.training.future_data import fill_future


def test_the_row_carries_the_papers_counts() -> None:
    (found,) = [row for row in list_recipes() if row.name.startswith("agethen2019/figure14/")]
    assert {(e.metric, e.value) for e in found.paper} == {("slow_in_5x5", 0.625), ("fast_in_7x7", 0.6875)}


def test_a_slow_and_a_fast_digit_are_seen_through_16_masks_for_each_kernel() -> None:
    config = find_recipe("agethen2019/figure14/masks")
    assert isinstance(config.data, MovingDigitsConfig)
    assert [sum(speeds) / 2 for speeds in config.data.speeds_px] == [1, 8]
    with torch.device("meta"):
        encoder = fill_future(config).build().encoder
    assert isinstance(encoder, MultiKernelConvLSTMCell)
    masks = {place: tuple(mask[0].weight.shape) for place, mask in encoder.flow_attention.to_mask.items()}  # type: ignore[index]
    assert masks == {"0": (16, 32, 5, 5), "1": (16, 32, 7, 7)}
