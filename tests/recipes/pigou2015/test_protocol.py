"""Pigou et al. 2015, sections 4.1 and 4.2: frames, levels and learning, as numbers that come out of a clip."""

from __future__ import annotations

import pytest
import torch

from mudra.models import FrameWiseNetConfig
from mudra.recipes.pigou2015.protocol import train_on_montalbano
from mudra.training import AdamWConfig
from mudra.types import Stream

MODEL = FrameWiseNetConfig(width=0.25)


def test_fragments_are_64_pixels_wide_and_have_four_channels_or_three() -> None:
    config = train_on_montalbano(MODEL, num_frames=64)
    assert (config.clip.num_frames, config.clip.size, config.clip.num_channels) == (64, (64, 64), 4)
    assert config.clip.streams == (Stream.RGB, Stream.DEPTH)
    assert train_on_montalbano(MODEL, num_frames=32, with_depth=False).clip.num_channels == 3
    assert (config.clip.sampling.kind, config.clip.sampling.fps) == ("dense", 20.0)
    assert config.model == MODEL.model_copy(update={"num_classes": 21})
    assert config.data is None


def test_levels_are_divided_by_255_and_nothing_is_taken_away() -> None:
    clip = train_on_montalbano(MODEL, num_frames=64).clip
    assert clip.rgb.apply(torch.tensor([255.0, 51.0, 0.0]).view(1, 3, 1, 1)).flatten().tolist() == pytest.approx(
        [1, 0.2, 0]
    )
    depth_TCHW = torch.tensor([clip.depth.far_mm * 0.2, 1.0]).view(1, 2, 1, 1)
    assert clip.depth.apply(depth_TCHW).flatten().tolist() == pytest.approx([0.2])


def test_chance_and_learning_are_the_papers() -> None:
    config = train_on_montalbano(MODEL, num_frames=64, lr=3e-4)
    drawn = config.clip.augmentation
    assert (drawn.rotation_deg, drawn.scale, drawn.mirror_probability) == (2.0, (1 / 1.1, 1.1), 0.5)
    assert drawn.shift_fraction * 64 == 5
    assert config.optimiser == AdamWConfig(lr=3e-4, weight_decay=0.0)
    assert (config.loader.batch_size, config.fitting.keep) == (32, "best")
    assert train_on_montalbano(MODEL, num_frames=64).optimiser.lr == 1e-3
