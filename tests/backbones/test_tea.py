"""TEA: the motion gate against its equations, and the learned shifts' first values."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mudra.backbones.learned_shift import LearnedShift
from mudra.backbones.tea import TeaMotionExcitation, build_shifts
from tests.backbones.by_hand import array, motion, normalise, randomise, shift_fixed, sigmoid


@pytest.mark.parametrize("num_frames", [1, 3])
def test_the_gate_is_the_released_codes(num_frames: int) -> None:
    module = randomise(TeaMotionExcitation(32)).eval()
    assert isinstance(module, TeaMotionExcitation)
    generator = torch.Generator().manual_seed(1)
    maps = torch.randn(2 * num_frames, 32, 3, 4, generator=generator, dtype=torch.float64)
    excited, weights = array(module(maps, num_frames)), {n: array(p) for n, p in module.named_parameters()}
    for clip in range(2):
        frames = slice(clip * num_frames, (clip + 1) * num_frames)
        x_TCHW = array(maps[frames])
        moved = motion(x_TCHW, weights["conv1.weight"][..., 0, 0], module.bn1, weights["conv2.weight"][:, 0])
        expanded = moved @ weights["conv3.weight"][..., 0, 0].T
        for c in range(32):
            gate = sigmoid(normalise(expanded[:, c], module.bn3, c)) - 0.5
            wanted = x_TCHW[:, c] + x_TCHW[:, c] * gate[:, None, None]
            np.testing.assert_allclose(excited[frames, c], wanted, rtol=1e-10, atol=1e-12)
            mask = array(module.measure(maps, num_frames))[frames, c, 0, 0]
            np.testing.assert_allclose(mask, gate + 0.5, rtol=1e-10, atol=1e-12)


def test_shifts_start_as_nothing_but_the_last() -> None:
    shifts = build_shifts(6, num_convolved=3)
    maps = torch.randn(4, 6, 2, 2, generator=torch.Generator().manual_seed(1))
    assert len(shifts) == 4
    for index, shift in enumerate(shifts):
        assert isinstance(shift, LearnedShift)
        assert not shift.is_movement  # TEA's is a convolution in its paper and in its counts
        wanted = shift_fixed(array(maps), 3) if index == 3 else array(maps)
        np.testing.assert_array_equal(array(shift(maps, 4)), wanted)
