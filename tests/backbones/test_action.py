"""ACTION: each branch against its equations with different numbers everywhere, and the shift that it starts with."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mudra.backbones import Action, TemporalShift
from mudra.backbones.action import motion_means
from mudra.errors import ConfigError
from tests.backbones.by_hand import (
    Array,
    array,
    excite_channels,
    excite_spatio_temporal,
    motion,
    randomise,
    shift_learned,
    sigmoid,
)

CHANNELS = 32  # two are left in the squeezed branches


def random_maps(num_frames: int, channels: int = CHANNELS) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2 * num_frames, channels, 3, 4, generator=generator, dtype=torch.float64)


def build() -> Action:
    module = randomise(Action(in_channels=CHANNELS))
    assert isinstance(module, Action)
    return module.eval()


def by_hand(module: Action, x_TCHW: Array) -> Array:
    weights = {name: array(value) for name, value in module.named_parameters()}
    shifted = shift_learned(x_TCHW, weights["shift.weight"][:, 0])
    places = excite_spatio_temporal(shifted, weights["spatio_temporal.conv.weight"][0, 0])
    squeeze, expand = weights["channel.squeeze.weight"][..., 0, 0], weights["channel.expand.weight"][..., 0, 0]
    channels = excite_channels(shifted, squeeze, weights["channel.conv.weight"], expand)
    moved = motion(
        shifted, weights["motion.squeeze.weight"][..., 0, 0], module.motion.norm, weights["motion.conv.weight"][:, 0]
    )
    motions = sigmoid(moved @ weights["motion.expand.weight"][..., 0, 0].T)
    excited = [
        shifted * (1.0 + mask) for mask in (places[:, None], channels[..., None, None], motions[..., None, None])
    ]
    return excited[0] + excited[1] + excited[2]


@pytest.mark.parametrize("num_frames", [1, 2, 4])
@pytest.mark.parametrize("learns", [True, False])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_it_is_the_equations(layout: torch.memory_format, learns: bool, num_frames: int) -> None:
    module, maps = build(), random_maps(num_frames).contiguous(memory_format=layout)
    with torch.set_grad_enabled(learns):
        excited = array(module(maps, num_frames))
    for clip in range(2):
        frames = slice(clip * num_frames, (clip + 1) * num_frames)
        np.testing.assert_allclose(excited[frames], by_hand(module, array(maps[frames])), rtol=1e-10, atol=1e-10)


def test_the_last_frame_moves_nowhere() -> None:
    masks = build().measure(random_maps(4), 4)
    assert masks.motion_BC11.view(2, 4, CHANNELS)[:, -1].eq(0.5).all()
    assert masks.motion_BC11.view(2, 4, CHANNELS)[:, :-1].ne(0.5).all()
    assert masks.spatio_temporal_B1HW.shape == (8, 1, 3, 4)
    assert all(((mask > 0) & (mask < 1)).all() for mask in masks)


def test_its_shift_starts_as_tsms() -> None:
    module, maps = Action(in_channels=CHANNELS).double(), random_maps(4)
    assert torch.equal(module.shift(maps, 4), TemporalShift(in_channels=CHANNELS)(maps, 4))


@pytest.mark.parametrize(
    ("channels", "count"), [(64, 1_335), (256, 18_123), (512, 70_523), (1024, 278_235), (2048, 1_105_307)]
)
def test_parameters_to_the_digit(channels: int, count: int) -> None:
    with torch.device("meta"):
        module = Action(in_channels=channels)
    assert sum(parameter.numel() for parameter in module.parameters()) == count


def test_gradients_are_those_of_the_equations() -> None:
    torch.manual_seed(0)
    module = Action(in_channels=16).double().eval()
    assert torch.autograd.gradcheck(lambda x: module(x, 2), random_maps(2, channels=16)[:, :, :2, :2].requires_grad_())


def test_motion_is_a_difference_of_neighbours() -> None:
    frames, convolved = torch.rand(3, 2, 2, 2), torch.rand(3, 2, 2, 2)
    moved = motion_means(frames, convolved, 3)
    torch.testing.assert_close(moved[1], (convolved[2] - frames[1]).mean((1, 2))[:, None, None])
    assert moved[2].count_nonzero() == 0


@pytest.mark.parametrize("is_training", [True, False])
def test_a_single_clip_of_single_places_is_what_it_is_among_others(is_training: bool) -> None:
    module = Action(in_channels=16).double().eval()
    clips = torch.randn(10, 16, 1, 1, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    with torch.set_grad_enabled(is_training):
        torch.testing.assert_close(module(clips[:5], 5), module(clips, 5)[:5], rtol=0, atol=1e-12)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"fold_div is 1: .*\n  hint: take 2 or more"):
        Action(in_channels=8, fold_div=1)
