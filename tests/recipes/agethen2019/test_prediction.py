"""Agethen and Hsu 2019, future prediction: what all rows share."""

from __future__ import annotations

import pytest

from mudra.cells import MultiKernelConvLSTMConfig
from mudra.datasets import MovingDigitsConfig
from mudra.recipes.agethen2019.prediction import predict_with, train_on_digits
from mudra.training import InverseConfig, RmspropConfig
from mudra.training.optimisation import learning_rate_factor
from mudra.types import Stream


def test_ten_frames_are_seen_and_ten_predicted() -> None:
    config = train_on_digits(predict_with(3), (1.0, 2.0), (3.0, 4.0))
    assert isinstance(config.data, MovingDigitsConfig)
    assert config.data.speeds_px == ((1.0, 2.0), (3.0, 4.0))
    assert (config.data.num_frames, config.clip.num_frames, predict_with(3).num_frames_out) == (20, 10, 10)
    assert config.data.size == config.clip.size == (64, 64)
    assert config.clip.streams == (Stream.RGB,)
    assert train_on_digits(predict_with(3), (1.0, 2.0), with_flow=True).clip.streams == (Stream.RGB, Stream.FLOW)


def test_steps_and_rates_are_those_of_the_authors_example() -> None:
    config = train_on_digits(predict_with(5), (1.0, 2.0))
    assert isinstance(config.data, MovingDigitsConfig)
    assert config.fitting.epochs * config.data.clips_train == 20_000 * config.loader.batch_size
    assert config.loader.batch_size == 16
    assert config.optimiser == RmspropConfig(lr=1e-3, decay=0.9, weight_decay=5e-4)
    assert isinstance(config.schedule, InverseConfig)
    factor = learning_rate_factor(config.schedule, lr=1e-3, num_steps=20_000)
    assert factor(20_000) == pytest.approx(3**-0.75)


def test_kernels_share_256_channels() -> None:
    for sizes in ((3,), (5, 7)):
        encoder = predict_with(*sizes).encoder
        assert isinstance(encoder, MultiKernelConvLSTMConfig)
        assert (encoder.kernel_sizes, encoder.hidden_channels) == (sizes, 256)
