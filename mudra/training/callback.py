"""What a run tells while it goes on: a bar with the time left, and a row of numbers per epoch."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mudra.errors import RunError

METRICS = ("train_", "validation_")
LAST_COLUMNS = ("learning_rate", "seconds", "waiting_fraction")


class CurveWriter(pl.Callback):
    """Appends one row per epoch to metrics.csv, and measures how much of the time went into waiting for data.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, float]] = []
        self._epoch_started = self._last_end = time.perf_counter()
        self._waited_s = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the rows of the epochs that a resumed run has behind it, and drop later ones."""
        if self.path.exists():
            self.rows = [row for row in read_curves(self.path) if row["epoch"] <= trainer.current_epoch]

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._epoch_started = self._last_end = time.perf_counter()
        self._waited_s = 0.0

    def on_train_batch_start(self, *args: Any, **kwargs: Any) -> None:
        self._waited_s += time.perf_counter() - self._last_end

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        self._last_end = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the epoch's row; validation has run by now.

        Raises:
            RunError: If the loss is no number any more; the state after the epoch before is kept.
        """
        seconds = time.perf_counter() - self._epoch_started
        row: dict[str, float] = {"epoch": trainer.current_epoch + 1}
        numbers = {name: float(value) for name, value in trainer.callback_metrics.items()}
        row |= {name: numbers[name] for prefix in METRICS for name in numbers if name.startswith(prefix)}
        row["learning_rate"] = trainer.optimizers[0].param_groups[0]["lr"]
        row["seconds"] = seconds
        row["waiting_fraction"] = self._waited_s / max(seconds, 1e-9)
        _require_finite(row)
        self.rows.append(row)
        with self.path.open("w", newline="", encoding="utf-8") as file:
            # A number may come with a later epoch only: the columns are those of all rows together.
            columns = dict.fromkeys(name for known in self.rows for name in known if name not in LAST_COLUMNS)
            writer = csv.DictWriter(file, [*columns, *LAST_COLUMNS], restval="")
            writer.writeheader()
            writer.writerows({name: f"{value:.6g}" for name, value in row.items()} for row in self.rows)


class TrainingProgress(pl.Callback):
    """A bar over the whole training with the time left; without a terminal, a line per epoch.

    Args:
        curves: Writes the rows that are shown; it must come before in the trainer's list.
        tell: Prints a line.
    """

    def __init__(self, curves: CurveWriter, *, tell: Callable[[str], None]) -> None:
        self.curves = curves
        self.tell = tell
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._started = 0.0
        self._first_epoch = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._started = time.perf_counter()
        self._first_epoch = trainer.current_epoch
        console = Console(stderr=True)
        if not console.is_terminal:
            return
        columns = ("{task.description}", BarColumn(), "{task.percentage:>3.0f}%", TimeElapsedColumn(), "left")
        self._bar = Progress(
            *(TextColumn(c) if isinstance(c, str) else c for c in columns), TimeRemainingColumn(), console=console
        )
        done = trainer.current_epoch * int(trainer.num_training_batches)
        total = (trainer.max_epochs or 1) * int(trainer.num_training_batches)
        self._task = self._bar.add_task("training", total=total, completed=done)
        self._bar.start()

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        if self._bar is not None:
            self._bar.update(
                self._task, advance=1, description=f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
            )

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        row = self.curves.rows[-1]
        done = trainer.current_epoch + 1 - self._first_epoch
        left_s = (time.perf_counter() - self._started) / done * ((trainer.max_epochs or 1) - trainer.current_epoch - 1)
        words = [f"epoch {int(row['epoch'])}/{trainer.max_epochs}"]
        words += [f"{name.replace('_', ' ')} {row[name]:.4g}" for name in row if name.startswith(METRICS)]
        words += [f"{row['seconds']:.0f} s", f"left {left_s / 60:.1f} min"]
        line = "  ".join(words)
        if self._bar is not None:
            self._bar.console.print(line)
        else:
            self.tell(line)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._stop()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _require_finite(row: dict[str, float]) -> None:
    for name, value in row.items():
        if not math.isfinite(value):
            raise RunError(
                f"epoch {int(row['epoch'])}: {name} is {value}, the training went astray",
                hint="lower optimiser.lr, set fitting.gradient_clip_norm=1, or compute with fitting.precision=float32",
            )


def read_curves(path: Path) -> list[dict[str, float]]:
    """Return the rows of a metrics.csv; numbers that an epoch does not have are left out."""
    with path.open(newline="", encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]
