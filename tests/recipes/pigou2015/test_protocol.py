"""Pigou et al. 2015, sections 4.1 and 4.2: frames, levels and learning, as numbers that come out of a clip."""

from __future__ import annotations

import pytest
import torch

from mudra.models import FrameWiseNetConfig
from mudra.recipes.pigou2015.protocol import Fitting, train_on_montalbano
from mudra.training import AdamWConfig, DecayConfig
from mudra.types import Stream

MODEL = FrameWiseNetConfig(width=0.25)


def test_fragments_are_64_pixels_wide_and_have_four_channels_or_three() -> None:
    config = train_on_montalbano(MODEL, num_frames=64)
    assert (config.clip.num_frames, config.clip.size, config.clip.num_channels) == (64, (64, 64), 4)
    assert config.clip.streams == (Stream.RGB, Stream.DEPTH)
    assert train_on_montalbano(MODEL, num_frames=32, with_depth=False).clip.num_channels == 3
    sampling = config.clip.sampling
    assert sampling.kind == "dense"
    assert (sampling.fps, sampling.time_scale) == (20.0, pytest.approx((1 / 1.2, 1.2)))
    assert config.model == MODEL.model_copy(update={"num_classes": 21})
    assert config.data is None


def test_levels_are_divided_by_255_and_nothing_is_taken_away() -> None:
    clip = train_on_montalbano(MODEL, num_frames=64).clip
    assert clip.rgb.apply(torch.tensor([255.0, 51.0, 0.0]).view(1, 3, 1, 1)).flatten().tolist() == pytest.approx(
        [1, 0.2, 0]
    )
    depth_TCHW = torch.tensor([clip.depth.far_mm * 0.2, 1.0]).view(1, 2, 1, 1)
    assert clip.depth.apply(depth_TCHW).flatten().tolist() == pytest.approx([0.2])


def test_chance_is_the_papers_with_the_codes_mirror() -> None:
    drawn = train_on_montalbano(MODEL, num_frames=64).clip.augmentation
    assert (drawn.rotation_deg, drawn.shear_deg, drawn.mirror_probability) == (2.0, 2.0, 0.5)
    assert (drawn.scale, drawn.scale_axes) == ((1 / 1.1, 1.1), "apart")
    assert (drawn.shift_fraction * 64, (drawn.shift_y_fraction or 0) * 64) == (10, 5)
    assert (drawn.interpolation, drawn.beyond) == ("nearest", "edge")
    assert drawn.brightness == drawn.contrast == drawn.saturation == drawn.hue == 0


def test_learning_is_the_released_codes() -> None:
    fitting = Fitting(lr=3e-4, warmup_steps=7, start_lr=2e-5, ramp_steps=11, batch_size=4)
    config = train_on_montalbano(MODEL, num_frames=64, fitting=fitting)
    assert config.optimiser == AdamWConfig(lr=3e-4, weight_decay=0.0)
    assert config.schedule == DecayConfig(decay=1e-4, warmup_steps=7, start_lr=2e-5)
    assert (config.fitting.dropout_ramp_steps, config.fitting.keep) == (11, "best")
    for batch_size in (4, 8):
        config = train_on_montalbano(MODEL, num_frames=64, fitting=fitting._replace(batch_size=batch_size))
        assert config.loader.batch_size * config.fitting.accumulate == 32
        assert config.loader.batch_size == batch_size
    assert train_on_montalbano(MODEL, num_frames=64).optimiser.lr == 1e-3
