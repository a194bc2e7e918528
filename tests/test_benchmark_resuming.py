"""Benchmarks go on with a training that was cut off, and never with one of other settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.moving_digits import goes_on
from mudra.recipes import find_recipe
from mudra.training import RunConfig
from mudra.training.future_data import resolve_future


def config_of(*words: str) -> RunConfig:
    return find_recipe("agethen2019/figure3/multi_3_5").with_overrides(["data.source=sklearn", *words])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a training leaves after its first epoch."""
    (tmp_path / "run.yaml").write_text(resolve_future(config_of()).to_yaml(), encoding="utf-8")
    (tmp_path / "last.ckpt").touch()
    return tmp_path


def test_the_same_training_goes_on(folder: Path) -> None:
    assert goes_on(folder, config_of())


@pytest.mark.parametrize(
    "word",
    [
        "model.encoder.hidden_channels=16",
        "model.encoder.forget_bias=1",
        "schedule=polynomial",
        "schedule.power=0.5",
        "seed=1",
        "loader.batch_size=8",
        "optimiser.lr=3e-3",
        "fitting.epochs=4",
        "data.clips_train=3200",
        "clip.flow.clip_px=5",
    ],
)
def test_a_training_of_other_settings_does_not(folder: Path, word: str) -> None:
    assert not goes_on(folder, config_of(word))


def test_a_training_without_a_whole_epoch_does_not(folder: Path) -> None:
    (folder / "last.ckpt").unlink()
    assert not goes_on(folder, config_of())
