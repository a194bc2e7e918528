"""Learned shift: at its first values the fixed one, with any others the equation, whatever the memory's layout."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mudra.backbones.learned_shift import LearnedShift
from mudra.backbones.temporal_shift import plan_shift, shift_frames
from tests.backbones.by_hand import array, randomise, shift_learned

LAYOUTS = [torch.contiguous_format, torch.channels_last]


def random_maps(num_frames: int = 4, channels: int = 20) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2 * num_frames, channels, 3, 5, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("fold_div", [2, 8])
def test_it_starts_as_the_fixed_shift(fold_div: int) -> None:
    maps, plan = random_maps(), plan_shift(20, fold_div=fold_div)
    assert torch.equal(LearnedShift(plan, channels=20).double()(maps, 4), shift_frames(maps, 4, plan))
    assert torch.equal(LearnedShift((), channels=20).double()(maps, 4), maps)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("num_frames", [1, 2, 5])
def test_it_is_the_equation(num_frames: int, layout: torch.memory_format) -> None:
    module = randomise(LearnedShift((), channels=6))
    maps = random_maps(num_frames, channels=6).contiguous(memory_format=layout)
    mixed = array(module(maps, num_frames))
    weight_C3 = array(module.get_parameter("weight"))[:, 0]
    for clip in range(2):
        frames = slice(clip * num_frames, (clip + 1) * num_frames)
        np.testing.assert_allclose(mixed[frames], shift_learned(array(maps[frames]), weight_C3), atol=1e-12)


def test_maps_that_stand_channels_last_stay_so() -> None:
    maps = random_maps().contiguous(memory_format=torch.channels_last)
    mixed = LearnedShift(plan_shift(20), channels=20).double()(maps, 4)
    assert mixed.is_contiguous(memory_format=torch.channels_last)


def test_it_learns() -> None:
    module = LearnedShift(plan_shift(8), channels=8, is_movement=True)
    module(random_maps(channels=8).float(), 4).square().sum().backward()
    assert module.weight.shape == (8, 1, 3)  # a Conv1d's, as the released programs save it
    assert module.weight.grad is not None
    assert module.weight.grad.count_nonzero() == 24
