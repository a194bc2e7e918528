"""Training of networks that predict frames: losses that are sums, and runs that learn, stop and go on."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from mudra.cells import ConvLSTMConfig
from mudra.clips import ClipSpec
from mudra.datasets import MovingDigitsConfig
from mudra.models import FutureNetConfig
from mudra.training import FittingConfig, InverseConfig, LoaderConfig, RmspropConfig, RunConfig, dry_run, train
from mudra.training.callback import read_curves
from mudra.training.future_data import FutureBatch
from mudra.training.future_module import FutureModule

LOGITS = torch.tensor([[0.5, -1.0], [0.0, 3.0]]).view(2, 2, 1, 1, 1).expand(2, 2, 1, 1, 3)
TARGET = torch.tensor([[1.0, 0.25], [0.5, 1.0]]).view(2, 2, 1, 1, 1).expand(2, 2, 1, 1, 3)


class Fixed(nn.Module):
    """Answers with the same logits, in half precision as a GPU may."""

    def forward(self, clip_BTCHW: Tensor) -> Tensor:
        return LOGITS.half()


def tiny(**changes: Any) -> RunConfig:
    """A run that trains in a second: digits of 22 pixels in 24, and a cell of 8 channels."""
    config = RunConfig(
        model=FutureNetConfig(num_frames_out=2, encoder=ConvLSTMConfig(hidden_channels=8)),
        data=MovingDigitsConfig(
            source="sklearn", num_frames=4, size=(24, 24), clips_train=48, clips_validation=8, clips_test=8
        ),
        clip=ClipSpec(num_frames=2, size=(24, 24)),
        loader=LoaderConfig(batch_size=8, num_workers=0),
        optimiser=RmspropConfig(lr=1e-2),
        schedule=InverseConfig(gamma=0.01),
        fitting=FittingConfig(epochs=3, precision="float32", accelerator="cpu"),
    )
    return config.with_overrides(changes)


def run(out: Path, *, resume: bool = False, **changes: Any) -> Path:
    config = tiny(**changes)
    assert config.data is not None
    return train(config, config.data.build(), out, resume=resume, tell=lambda line: None)


def test_losses_are_sums_over_pixels_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    made = FutureModule(Fixed(), tiny())
    logged: dict[str, Any] = {}
    monkeypatch.setattr(made, "log", lambda name, value, **how: logged.update({name: (float(value), how)}))
    batch = FutureBatch(torch.zeros(2, 2, 1, 1, 3), TARGET, torch.tensor([4, 5]))
    entropy, squared = 0.0, 0.0
    for logit, wanted in zip(LOGITS.flatten().tolist(), TARGET.flatten().tolist(), strict=True):
        p = 1 / (1 + math.exp(-logit))
        entropy -= wanted * math.log(p) + (1 - wanted) * math.log(1 - p)
        squared += (p - wanted) ** 2
    assert float(made.compute_loss(batch)) == pytest.approx(entropy / 2, rel=1e-4)
    assert not logged
    assert made.training_step(batch, 0) == made.compute_loss(batch)
    made.validation_step(batch, 0)
    assert logged["validation_loss"][0] == pytest.approx(entropy / 2, rel=1e-4)
    assert logged["validation_mse"][0] == pytest.approx(squared / 4, rel=1e-4)
    assert all(how["batch_size"] == 2 and how["on_epoch"] for _, how in logged.values())


def test_a_run_learns_and_leaves_a_folder(tmp_path: Path) -> None:
    out = run(tmp_path / "run", **{"fitting.keep": "best"})
    rows = read_curves(out / "metrics.csv")
    assert rows[-1]["train_loss"] < 0.8 * rows[0]["train_loss"]
    assert {"train_loss", "validation_loss", "validation_mse"} <= rows[0].keys()
    card = json.loads((out / "card.json").read_text(encoding="utf-8"))
    assert card["classes"] == list("0123456789")
    assert card["metrics"]["validation_loss"] == min(row["validation_loss"] for row in rows)
    assert card["dataset"] == "moving_digits"
    places = 6 * 6
    assert card["macs_per_clip"] == places * 32 * 9 * (2 * (16 + 8) + (1 + 8)) + places * 2 * 8 * 16
    assert card["parameters"] > 0


def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole")
    part = run(tmp_path / "part", **{"fitting.epochs": 1})
    run(part, resume=True)
    weights = [load_file(out / "weights.safetensors") for out in (whole, part)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    other = load_file(run(tmp_path / "other", seed=1) / "weights.safetensors")
    assert not all(torch.equal(weights[0][name], other[name]) for name in other)


def test_a_dry_run_tells_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = tiny()
    assert config.data is not None
    found = dry_run(config, config.data.build(), tell=lambda line: None)
    assert found.batch_shape == (8, 2, 1, 24, 24)
    assert (found.train_clips, found.validation_clips) == (48, 8)
    assert found.loss == pytest.approx(2 * 24 * 24 * math.log(2), rel=0.2)
    assert list(tmp_path.iterdir()) == []
