"""What a run tells: a row per epoch, a line per epoch or a bar."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from rich.console import Console

from mudra.training.callback import CurveWriter, TrainingProgress, read_curves


def trainer(epoch: int, **metrics: float) -> Any:
    optimiser = SimpleNamespace(param_groups=[{"lr": 0.25}])
    numbers = {name: torch.tensor(value) for name, value in metrics.items()}
    return SimpleNamespace(
        current_epoch=epoch, max_epochs=3, num_training_batches=4, callback_metrics=numbers, optimizers=[optimiser]
    )


def play(curves: CurveWriter, epochs: range) -> None:
    curves.on_train_start(trainer(epochs.start), None)  # type: ignore[arg-type]
    for epoch in epochs:
        now = trainer(epoch, train_loss=1 / (epoch + 1), validation_top1=0.5, unknown=9.0)
        curves.on_train_epoch_start(now, None)  # type: ignore[arg-type]
        curves.on_train_batch_start()
        curves.on_train_batch_end()
        curves.on_train_epoch_end(now, None)  # type: ignore[arg-type]


def test_every_epoch_has_a_row(tmp_path: Path) -> None:
    play(CurveWriter(tmp_path / "metrics.csv"), range(2))
    text = (tmp_path / "metrics.csv").read_text(encoding="utf-8").splitlines()
    wanted = ["epoch", "train_loss", "validation_top1", "learning_rate", "seconds", "waiting_fraction"]
    assert text[0].split(",") == wanted
    rows = read_curves(tmp_path / "metrics.csv")
    assert [row["epoch"] for row in rows] == [1, 2]
    assert rows[1]["train_loss"] == 0.5
    assert rows[0]["learning_rate"] == 0.25
    assert "train_top1" not in rows[0]  # it was not measured, which is not 0
    assert 0 <= rows[0]["waiting_fraction"] <= 1


def test_a_resumed_run_keeps_the_rows_behind_it_and_drops_later_ones(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    play(CurveWriter(path), range(3))
    again = CurveWriter(path)
    play(again, range(1, 2))  # goes on after the first epoch
    assert [row["epoch"] for row in read_curves(path)] == [1, 2]


def test_without_a_terminal_there_is_a_line_per_epoch(tmp_path: Path) -> None:
    lines: list[str] = []
    curves = CurveWriter(tmp_path / "metrics.csv")
    shown = TrainingProgress(curves, tell=lines.append)
    shown.on_train_start(trainer(0), None)  # type: ignore[arg-type]
    play(curves, range(1))
    shown.on_train_batch_end(trainer(0))
    shown.on_train_epoch_end(trainer(0), None)  # type: ignore[arg-type]
    shown.on_train_end(trainer(0), None)  # type: ignore[arg-type]
    (line,) = lines
    assert line.startswith("epoch 1/3  train loss 1  validation top1 0.5  ")
    assert "left " in line


def test_on_a_terminal_there_is_a_bar_that_ends_with_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(
        "mudra.training.callback.Console", lambda **kwargs: Console(file=screen, force_terminal=True, width=100)
    )
    lines: list[str] = []
    curves = CurveWriter(tmp_path / "metrics.csv")
    shown = TrainingProgress(curves, tell=lines.append)
    shown.on_train_start(trainer(0), None)  # type: ignore[arg-type]
    shown.on_train_batch_end(trainer(0))
    play(curves, range(1))
    shown.on_train_epoch_end(trainer(0), None)  # type: ignore[arg-type]
    shown.on_exception(trainer(0), None, KeyboardInterrupt())  # type: ignore[arg-type]
    assert lines == []
    assert "epoch 1/3" in screen.getvalue()
    assert "\x1b[?25h" in screen.getvalue()  # the cursor is shown again
