"""Agethen and Hsu 2019: what the networks of all tables have in common, and which frames they see."""

from __future__ import annotations

from typing import Any

import pytest

from mudra.backbones import I3DConfig, PointwiseTopConfig, VGG16Config
from mudra.cells import ConvLSTMConfig, PeepholeLSTMConfig
from mudra.recipes.agethen2019.protocol import (
    convolve,
    on_i3d,
    on_vgg,
    train_i3d,
    train_on_sports1m,
    train_on_ucf101,
)
from mudra.training import RunConfig
from mudra.types import Stream

CELL = ConvLSTMConfig()
RUNS: list[tuple[RunConfig, int, int, float, int | None]] = [
    (train_on_ucf101(on_vgg(CELL)), 101, 50, 15.0, 25),
    (train_on_sports1m(on_vgg(CELL)), 20, 30, 1.0, 70),
    (train_i3d(on_i3d(CELL), num_classes=17), 17, 64, 24.0, None),
]


@pytest.mark.parametrize(("config", "num_classes", "num_frames", "fps", "first_frame"), RUNS)
def test_clips_are_the_papers(
    config: RunConfig, num_classes: int, num_frames: int, fps: float, first_frame: int | None
) -> None:
    clip: Any = config.clip
    assert config.model.num_classes == num_classes
    assert (clip.num_frames, clip.sampling.kind, clip.sampling.fps) == (num_frames, "dense", fps)
    assert clip.sampling.first_frame == first_frame
    assert (clip.size, clip.mirror, clip.streams) == ((224, 224), "never", (Stream.RGB,))
    assert config.loader.batch_size == 10


def test_levels_are_those_that_the_published_weights_saw() -> None:
    vgg, i3d = RUNS[0][0].clip.rgb, RUNS[2][0].clip.rgb
    assert [round(mean / 255, 3) for mean in vgg.mean] == [0.485, 0.456, 0.406]
    assert [round(divisor / 255, 3) for divisor in vgg.divisor] == [0.229, 0.224, 0.225]
    assert {(0.0 - mean) / divisor for mean, divisor in zip(i3d.mean, i3d.divisor, strict=True)} == {-1.0}
    assert {(255.0 - mean) / divisor for mean, divisor in zip(i3d.mean, i3d.divisor, strict=True)} == {1.0}


def test_a_network_on_vgg_ends_in_an_lstm_and_one_on_i3d_in_a_normalised_convolution() -> None:
    vgg, i3d = on_vgg(CELL), on_i3d(CELL)
    assert vgg.backbone == VGG16Config(pretrained="imagenet", frozen=True)
    (lstm,) = vgg.frame_cells
    assert isinstance(lstm, PeepholeLSTMConfig)
    assert (lstm.hidden_features, lstm.output_peephole, vgg.mixing) == (512, "before", None)
    assert i3d.backbone == I3DConfig(frozen=True)
    assert (i3d.frame_cells, i3d.mixing) == ((), PointwiseTopConfig())
    assert vgg.cells == i3d.cells == (CELL,)
    assert on_i3d(CELL, frozen=False).backbone == I3DConfig()


def test_flow_stands_behind_the_colours() -> None:
    assert train_i3d(on_i3d(CELL), num_classes=17, with_flow=True).clip.streams == (Stream.RGB, Stream.FLOW)


def test_cells_differ_in_their_kernels() -> None:
    plain = convolve(5, channels=512)
    assert (plain.kernel_sizes, plain.hidden_channels, plain.mix, plain.normalisation) == ((5,), 512, "none", "none")
    other = convolve(3, 5, channels=(256, 128), mixed=True, normalised=True)
    assert (other.kernel_sizes, other.hidden_channels) == ((3, 5), (256, 128))
    assert (other.mix, other.normalisation) == ("per_gate", "batch")
