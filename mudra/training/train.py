"""Train a network as a RunConfig says, and leave a run folder behind (run_folder.py)."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from mudra.datasets import Dataset
from mudra.models import Complexity, FrameWiseNet, FutureNet, GestureNet, RecurrentFrameNet
from mudra.training.callback import CurveWriter
from mudra.training.clip_dataset import derive_seed
from mudra.training.config import RunConfig
from mudra.training.feature_data import FeatureData
from mudra.training.frame_data import FrameData
from mudra.training.frame_module import FrameModule
from mudra.training.frame_vote_module import FrameVoteModule
from mudra.training.future_data import FutureData, find_drawer
from mudra.training.future_module import FutureModule
from mudra.training.init_from import Origin, read_origin, start_from
from mudra.training.loaders import GestureData
from mudra.training.memory import hold_memory
from mudra.training.module import GestureModule
from mudra.training.resolve import resolve
from mudra.training.run_folder import check_folder, measure_run, write_results
from mudra.training.task import Progress, TrainingData, TrainingModule
from mudra.training.trainer import build_trainer, quiet_lightning


class Task(NamedTuple):
    """What is trained on, and what trains."""

    data: TrainingData
    module: TrainingModule


class DryRun(NamedTuple):
    """What a dry run found out.

    Args:
        complexity: What the network costs.
        batch_shape: Shape of the first training batch.
        loss: Its loss.
        step_s: Seconds that a training step took.
        train_clips, validation_clips: Clips per epoch.
    """

    complexity: Complexity
    batch_shape: tuple[int, ...]
    loss: float
    step_s: float
    train_clips: int
    validation_clips: int


def choose_task(network: nn.Module, config: RunConfig, dataset: Dataset, *, progress: Progress | None = None) -> Task:
    """Return the batches and the loss that a network of this kind is trained with."""
    if isinstance(network, FutureNet):
        return Task(FutureData(find_drawer(config), config), FutureModule(network, config))
    if isinstance(network, FrameWiseNet):
        return _label_frames(network, config, dataset, progress=progress)
    # A stream is no clip: a network that labels clips gets a clip for each of its segments.
    clips, num_classes = dataset.cut_segments(), len(dataset.card.classes)
    module: TrainingModule
    if isinstance(network, RecurrentFrameNet):
        module = FrameVoteModule(network, config, num_classes=num_classes)
    else:
        module = GestureModule(network, config, num_classes=num_classes)
    if config.loader.features is not None:
        assert isinstance(network, GestureNet | RecurrentFrameNet)  # the config refuses others
        return Task(FeatureData(clips, config, network.backbone, progress=progress), module)
    return Task(GestureData(clips, config, progress=progress), module)


def _label_frames(
    network: FrameWiseNet, config: RunConfig, dataset: Dataset, *, progress: Progress | None = None
) -> Task:
    classes, idle = dataset.card.classes, dataset.card.idle_class
    data = FrameData(dataset, config, judged=network.judged_frames(config.clip.num_frames), progress=progress)
    module = FrameModule(network, config, num_classes=len(classes), idle=None if idle is None else classes.index(idle))
    return Task(data, module)


def dry_run(config: RunConfig, dataset: Dataset, *, tell: Callable[[str], None]) -> DryRun:
    """Build everything, take one training step on the first batch, and throw it away; refuses what `train` does."""
    dataset.refuse_leaking_subjects()
    dataset = dataset.labelled()
    config = resolve(config, dataset, tell=tell)
    _prepare_process(config)
    network = config.model.build()
    start_from(config.init_from, network, tell=tell)
    loader = config.loader.model_copy(update={"cache": "none", "num_workers": 0})
    data, module = choose_task(network, config.model_copy(update={"loader": loader}), dataset)
    batch = next(iter(data.train_dataloader()))
    started = time.perf_counter()
    loss = module.compute_loss(batch)
    loss.backward()  # type: ignore[no-untyped-call]
    step_s = time.perf_counter() - started
    return DryRun(
        complexity=measure_run(network, config),
        batch_shape=tuple(batch[0].shape),
        loss=float(loss.detach()),
        step_s=step_s,
        train_clips=data.num_train,
        validation_clips=data.num_validation,
    )


@contextmanager
def _keeping_sigint() -> Iterator[None]:
    """Leave the caller's answer to Ctrl-C as it was: one during Lightning's set-up would make it ignored for good."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if before is not None and signal.getsignal(signal.SIGINT) is not before:
            signal.signal(signal.SIGINT, before)


@_keeping_sigint()
def train(
    config: RunConfig,
    dataset: Dataset,
    out: Path,
    *,
    resume: bool = False,
    tell: Callable[[str], None] = print,
    progress: Progress | None = None,
    left_out: tuple[str, ...] = (),
) -> Path:
    """Train, and write the run folder.

    Args:
        config: The run; its data set is `dataset`.
        dataset: What to train on; the validation split may be empty. Recordings without a label are passed over.
        out: The run folder.
        resume: Go on from `out`'s last epoch.
        tell: Prints a line.
        progress: Called with (done, all, what) while clips are read.
        left_out: Damaged recordings that were left out, for the card.

    Returns:
        The run folder. After Ctrl-C it holds the state after the last whole epoch.

    Raises:
        ConfigError: As `resolve`.
        DataError: If people are in more than one split, against the word of the data set's card.
        RunError: If `out` holds another run, there is nothing to resume, `config.init_from` is no run, or the loss is
            no number any more.
        ModelError: If no weight of `config.init_from` fits.
        KeyboardInterrupt: After Ctrl-C, once everything is written.
    """
    dataset.refuse_leaking_subjects()
    dataset = dataset.labelled()
    config = check_folder(out, resolve(config, dataset, tell=tell), resume=resume)
    _prepare_process(config)
    network = config.model.build()
    origin = Origin(read_origin(out), []) if resume else start_from(config.init_from, network, tell=tell, out=out)
    data, module = choose_task(network, config, dataset, progress=progress)
    out.mkdir(parents=True, exist_ok=True)
    (out / "run.yaml").write_text(config.to_yaml(), encoding="utf-8")
    origin.write(out)
    data.prepare()
    curves = CurveWriter(out / "metrics.csv")
    with quiet_lightning():
        watched = (module.monitor, module.monitor_mode) if data.num_validation else None
        trainer = build_trainer(config, out, curves, tell, watched=watched)
    started = time.perf_counter()
    interrupted = False
    try:
        with quiet_lightning():
            # The checkpoint is this program's own; it is read without running code from it.
            trainer.fit(module, data, ckpt_path=str(out / "last.ckpt") if resume else None, weights_only=True)
    except (KeyboardInterrupt, SystemExit):
        interrupted = True
    if not (out / "last.ckpt").exists():
        raise KeyboardInterrupt
    facts: dict[str, Any] = {"seconds": round(time.perf_counter() - started, 1), "finished": not interrupted}
    facts |= {"resumed": resume} | ({"init_from": origin.told} if origin.told else {})
    write_results(out, config, dataset, module, left_out=(*dataset.left_out, *left_out), facts=facts)
    if interrupted:
        raise KeyboardInterrupt
    return out


def _prepare_process(config: RunConfig) -> None:
    if config.fitting.num_threads:
        torch.set_num_threads(config.fitting.num_threads)
    torch.manual_seed(derive_seed(config.seed, 0, -3))
    if config.fitting.hold_memory:
        hold_memory()
