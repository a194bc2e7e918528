"""Lightning's trainer, set up as a run asks: precision, device, what is averaged, watched and saved; and kept quiet."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import ModelCheckpoint, WeightAveraging

from mudra.training.callback import CurveWriter, TrainingProgress
from mudra.training.config import RunConfig
from mudra.training.dropout_ramp import DropoutRamp
from mudra.training.optimisation import moving_average


def build_trainer(
    config: RunConfig,
    out: Path,
    curves: CurveWriter,
    tell: Callable[[str], None],
    *,
    watched: tuple[str, Literal["max", "min"]] | None,
) -> pl.Trainer:
    """Return the trainer of one run.

    Args:
        config: The run.
        out: The run folder; last.ckpt and best.ckpt are written into it.
        curves: Writes a row per epoch.
        tell: Prints a line.
        watched: The number by which the best epoch is chosen, and whether more or less of it is better; without one,
            no best epoch is kept.
    """
    fitting = config.fitting
    callbacks: list[pl.Callback] = []
    if fitting.dropout_ramp_steps:
        callbacks.append(DropoutRamp(fitting.dropout_ramp_steps))
    if fitting.ema_decay > 0:
        callbacks.append(WeightAveraging(use_buffers=True, avg_fn=moving_average(fitting.ema_decay)))
    callbacks += [curves, TrainingProgress(curves, tell=tell)]
    # Two of them: Lightning's own `save_last` writes only when the monitored number gets better.
    keep = partial(ModelCheckpoint, dirpath=out, save_top_k=1, enable_version_counter=False)
    callbacks.append(keep(filename="last", save_on_train_epoch_end=True))
    if watched is not None:
        callbacks.append(keep(filename="best", monitor=watched[0], mode=watched[1]))
    return pl.Trainer(
        accelerator=fitting.accelerator,
        # One device: on several, each would draw the same clips in the same order.
        devices=1,
        precision=choose_precision(fitting.precision, accelerator=fitting.accelerator),
        max_epochs=fitting.epochs,
        accumulate_grad_batches=fitting.accumulate,
        gradient_clip_val=fitting.gradient_clip_norm or None,
        callbacks=callbacks,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Silence what Lightning says about itself; the callbacks tell what the user needs."""
    logger = logging.getLogger("lightning.pytorch")
    before = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        for module in ("lightning", "torch.utils.data"):
            warnings.filterwarnings("ignore", module=module)
        warnings.filterwarnings("ignore", message=".*(LeafSpec|num_workers|Checkpoint directory).*")
        try:
            yield
        finally:
            logger.setLevel(before)


def choose_precision(precision: str, *, accelerator: str = "auto") -> str:
    """Return Lightning's name for a precision; `auto` takes bf16 where the accelerator multiplies it."""
    if precision == "auto":
        precision = "bf16" if _has_fast_bf16(accelerator) else "float32"
    return {"bf16": "bf16-mixed", "float32": "32-true"}[precision]


def _has_fast_bf16(accelerator: str) -> bool:
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported())
