"""ours/frame_wise: what its users were promised."""

from __future__ import annotations

import torch

from mudra.models import measure_complexity
from mudra.recipes import find_recipe


def test_it_is_live_small_and_leaves_the_data_open() -> None:
    config = find_recipe("ours/frame_wise")
    assert (config.data, config.model.num_classes, config.model.in_channels) == (None, None, None)
    network = config.model.model_copy(update={"num_classes": 15, "in_channels": 3}).build()
    assert network.is_causal
    assert network(torch.zeros(1, 2, 3, *config.clip.size)).shape == (1, 2, 15)
    counted = measure_complexity(network, num_frames=64, in_channels=3, size=config.clip.size)
    assert counted.parameters == 1_590_831
    # Less than half of what the best network of Pigou et al. 2015 costs, at 89.9 million.
    assert counted.macs_per_frame < 40e6
