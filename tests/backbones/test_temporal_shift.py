"""Temporal shift: every number where the equation says, back again in the gradient, and exact over streams."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mudra.backbones import TemporalShift, TemporalShiftConfig
from mudra.backbones.temporal_shift import Fold, plan_shift, shift_frames
from mudra.errors import ConfigError, ModelError
from tests.backbones.by_hand import array, shift_fixed


def random_maps(num_clips: int = 2, num_frames: int = 4, channels: int = 20) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    maps = torch.randn(num_clips * num_frames, channels, 3, 5, generator=generator, dtype=torch.float64)
    return maps.contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("num_frames", [1, 2, 4])
def test_it_is_the_papers_shift(num_frames: int) -> None:
    maps = random_maps(num_frames=num_frames)
    shifted = array(TemporalShift(in_channels=20)(maps, num_frames))
    # 20 // 8 channels each way; clips do not see one another.
    for clip in range(2):
        frames = slice(clip * num_frames, (clip + 1) * num_frames)
        np.testing.assert_array_equal(shifted[frames], shift_fixed(array(maps[frames]), 2))


def test_one_way_shows_the_past_alone() -> None:
    maps = random_maps()
    shifted = TemporalShift(in_channels=20, fold_div=4, direction="past")(maps, 4).view(2, 4, 20, 3, 5)
    before = maps.view(2, 4, 20, 3, 5)
    assert torch.equal(shifted[:, 1:, :5], before[:, :-1, :5])
    assert shifted[:, 0, :5].count_nonzero() == 0
    assert torch.equal(shifted[:, :, 5:], before[:, :, 5:])


@pytest.mark.parametrize("direction", ["both", "past"])
def test_the_gradient_is_the_shift_back(direction: Any) -> None:
    maps = random_maps(num_frames=3, channels=9).requires_grad_()
    plan = plan_shift(9, fold_div=3, direction=direction)
    assert torch.autograd.gradcheck(lambda x: shift_frames(x, 3, plan), maps)
    assert torch.autograd.gradgradcheck(lambda x: shift_frames(x, 3, plan), maps)


def test_nothing_is_kept_for_the_backward_pass_and_the_layout_stays() -> None:
    maps, saved = random_maps().requires_grad_(), []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: saved.append(x), lambda x: x):
        shifted = TemporalShift(in_channels=20)(maps, 4)
    assert saved == []
    assert shifted.is_contiguous(memory_format=torch.channels_last)


def test_too_few_channels_are_left_where_they_are() -> None:
    maps = random_maps(channels=7)
    assert torch.equal(TemporalShift(in_channels=7)(maps, 4), maps)


@pytest.mark.parametrize("cuts", [(1, 1, 1, 1), (3, 1), (1, 2, 1)])
def test_pieces_give_the_numbers_of_the_whole(cuts: tuple[int, ...]) -> None:
    module, maps = TemporalShift(in_channels=20, direction="past"), random_maps()
    assert module.is_causal
    whole, before, pieces = module(maps, 4), None, []
    for piece in maps.view(2, 4, 20, 3, 5).split(cuts, dim=1):
        num_frames = piece.shape[1]
        pieces.append(module(piece.flatten(0, 1), num_frames, before).view_as(piece))
        before = module.remember(piece.flatten(0, 1), num_frames)
        assert before.untyped_storage().nbytes() == before.numel() * 8, "the piece itself is let go"
        assert before.shape == (2, 2, 3, 5)
    assert torch.equal(torch.cat(pieces, dim=1).flatten(0, 1), whole)


@pytest.mark.parametrize("shape", [(1, 2, 3, 5), (2, 3, 3, 5), (2, 2, 4, 5)])  # of other clips, channels and maps
def test_a_state_of_something_else_is_refused(shape: tuple[int, ...]) -> None:
    module, maps = TemporalShift(in_channels=20, direction="past"), random_maps()
    with pytest.raises(ModelError, match=r"has shape \(.*wanted \(2, 2, 3, 5\)\n  hint: give the state that the piece"):
        module(maps, 4, maps.new_zeros(shape))


def test_what_moves_is_planned_from_the_paper() -> None:
    assert plan_shift(64) == (Fold(0, 8, 1), Fold(8, 16, -1), Fold(16, 64, 0))
    assert plan_shift(64, direction="past") == (Fold(0, 8, -1), Fold(8, 64, 0))


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"direction is 'bot'\n  hint: did you mean 'both'\?"):
        TemporalShift(in_channels=8, direction="bot")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"fold_div is 1: .*\n  hint: take 2 or more"):
        TemporalShiftConfig(fold_div=1).build(8)
    TemporalShift(in_channels=8, fold_div=1, direction="past")
