"""Train a network as a RunConfig says, and leave a run folder behind.

run.yaml             the resolved config
card.json            what anyone needs to use the weights
weights.safetensors  the weights
metrics.csv          a row per epoch
last.ckpt, best.ckpt the whole state after the last epoch, and after the one of the best validation score
"""

from __future__ import annotations

import datetime
import importlib.metadata
import logging
import math
import platform
import signal
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import ModelCheckpoint, WeightAveraging
from safetensors.torch import save_file
from torch import nn

from mudra.clips import RunCard
from mudra.datasets import Dataset
from mudra.errors import ConfigError, RunError
from mudra.models import (
    Complexity,
    FrameWiseNet,
    FrameWiseNetConfig,
    FutureNet,
    FutureNetConfig,
    GestureNetConfig,
    RecurrentFrameNet,
    measure_complexity,
)
from mudra.training.callback import CurveWriter, TrainingProgress, read_curves
from mudra.training.clip_dataset import derive_seed
from mudra.training.config import RunConfig
from mudra.training.dropout_ramp import DropoutRamp
from mudra.training.frame_data import FrameData, refuse_unfit_clips
from mudra.training.frame_module import FrameModule
from mudra.training.frame_vote_module import FrameVoteModule
from mudra.training.future_data import FutureData, find_drawer, resolve_future
from mudra.training.future_module import FutureModule
from mudra.training.init_from import read_origin, start_from
from mudra.training.loaders import GestureData
from mudra.training.module import GestureModule
from mudra.training.optimisation import moving_average
from mudra.training.task import Progress, TrainingData, TrainingModule
from mudra.types import Stream


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


def resolve(config: RunConfig, dataset: Dataset, *, tell: Callable[[str], None]) -> RunConfig:
    """Fill in what the data set decides: classes, channels, mirroring, and whether there is depth to learn.

    Raises:
        ConfigError: If the network was told another number of channels than the clip's streams have, or has a decoder
            and nothing to learn with it, or labels frames and the clips are of no use for that.
    """
    if isinstance(config.model, FutureNetConfig):
        return resolve_future(config)
    if isinstance(config.model, FrameWiseNetConfig):
        refuse_unfit_clips(config.clip, config.model)
    num_classes, channels = len(dataset.card.classes), config.clip.num_channels
    if config.model.num_classes not in (None, num_classes):
        tell(f"the head is built for the {num_classes} classes of {dataset.card.name}, not {config.model.num_classes}")
    if config.model.in_channels not in (None, channels):
        streams = ", ".join(stream.value for stream in config.clip.streams)
        raise ConfigError(
            f"model.in_channels is {config.model.in_channels}, the clip's streams ({streams}) have {channels}",
            hint=f"leave model.in_channels out, or set it to {channels}",
        )
    if config.clip.mirror == "labels" and config.clip.augmentation.mirror_probability > 0:
        tell(dataset.card.explain_mirror())
    model = config.model.model_copy(update={"num_classes": num_classes, "in_channels": channels})
    return _resolve_target(config.model_copy(update={"model": model}), dataset)


def _resolve_target(config: RunConfig, dataset: Dataset) -> RunConfig:
    """Refuse a decoder without depth; without a decoder, no depth is read."""
    if not isinstance(config.model, GestureNetConfig) or config.model.decoder is None:
        return config.model_copy(update={"clip": config.clip.model_copy(update={"target": None})})
    if config.clip.target is None:
        raise ConfigError(
            "the network has a decoder, which learns depth, and clip.target does not say which depth is 0 and which 1",
            hint="for example clip.target={far_mm: 2000, reversed: true}; or leave the decoder out: model.decoder=null",
        )
    train = dataset.recordings.get("train", ())
    if train and not any(recording.path_of(Stream.DEPTH) for recording in train):
        raise ConfigError(
            f"the network has a decoder, which learns depth, and no training recording of {dataset.card.name} has any",
            hint="give the recordings' depth files, or leave the decoder out: model.decoder=null",
        )
    return config


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
    return Task(GestureData(clips, config, progress=progress), module)


def _label_frames(
    network: FrameWiseNet, config: RunConfig, dataset: Dataset, *, progress: Progress | None = None
) -> Task:
    classes, idle = dataset.card.classes, dataset.card.idle_class
    data = FrameData(dataset, config, judged=network.judged_frames(config.clip.num_frames), progress=progress)
    module = FrameModule(network, config, num_classes=len(classes), idle=None if idle is None else classes.index(idle))
    return Task(data, module)


def dry_run(config: RunConfig, dataset: Dataset, *, tell: Callable[[str], None]) -> DryRun:
    """Build everything, take one training step on the first batch, and throw it away."""
    dataset = dataset.labelled()
    config = resolve(config, dataset, tell=tell)
    _seed_and_threads(config)
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
        complexity=_complexity(network, config),
        batch_shape=tuple(batch.clip_BTCHW.shape),
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
        RunError: If `out` holds another run, there is nothing to resume, `config.init_from` is no run, or the loss is
            no number any more.
        ModelError: If no weight of `config.init_from` fits.
        KeyboardInterrupt: After Ctrl-C, once everything is written.
    """
    dataset = dataset.labelled()
    config = _check_folder(out, resolve(config, dataset, tell=tell), resume=resume)
    _seed_and_threads(config)
    network = config.model.build()
    origin = read_origin(out) if resume else start_from(config.init_from, network, tell=tell)
    out.mkdir(parents=True, exist_ok=True)
    (out / "run.yaml").write_text(config.to_yaml(), encoding="utf-8")
    data, module = choose_task(network, config, dataset, progress=progress)
    data.prepare()
    curves = CurveWriter(out / "metrics.csv")
    with _quiet_lightning():
        watched = (module.monitor, module.monitor_mode) if data.num_validation else None
        trainer = _trainer(config, out, curves, tell, watched=watched)
    started = time.perf_counter()
    interrupted = False
    try:
        with _quiet_lightning():
            # The checkpoint is this program's own; it is read without running code from it.
            trainer.fit(module, data, ckpt_path=str(out / "last.ckpt") if resume else None, weights_only=True)
    except (KeyboardInterrupt, SystemExit):
        interrupted = True
    if not (out / "last.ckpt").exists():
        raise KeyboardInterrupt
    facts: dict[str, Any] = {"seconds": round(time.perf_counter() - started, 1), "finished": not interrupted}
    facts |= {"resumed": resume} | ({"init_from": origin} if origin else {})
    _write_results(out, config, dataset, module, left_out=(*dataset.left_out, *left_out), facts=facts)
    if interrupted:
        raise KeyboardInterrupt
    return out


def _check_folder(out: Path, config: RunConfig, *, resume: bool) -> RunConfig:
    """Refuse a folder that the run cannot be written into; return the config as that folder is to have it."""
    saved = out / "run.yaml"
    if resume:
        if not (out / "last.ckpt").exists():
            raise RunError(f"{out}: nothing to resume, last.ckpt is not there", hint="train without --resume")
        before = RunConfig.from_yaml(saved)
        # A longer or differently fed run goes on with the same network and data; what it once started from is past.
        same = {"fitting", "loader", "init_from"}
        if before.model_dump(exclude=same) != config.model_dump(exclude=same):
            raise RunError(
                f"{out}: made with another config than the one given now",
                hint=f"resume with the saved one: mudra train {saved} --out {out} --resume",
            )
        return config.model_copy(update={"init_from": before.init_from})
    if any((out / name).exists() for name in ("last.ckpt", "card.json")):
        # A run.yaml alone was left by a run that stopped before its first epoch ended: nothing is lost with it.
        raise RunError(f"{out}: holds a run already", hint="give another --out, or go on with it: --resume")
    return config


def _seed_and_threads(config: RunConfig) -> None:
    if config.fitting.num_threads:
        torch.set_num_threads(config.fitting.num_threads)
    torch.manual_seed(derive_seed(config.seed, 0, -3))


def _trainer(
    config: RunConfig,
    out: Path,
    curves: CurveWriter,
    tell: Callable[[str], None],
    *,
    watched: tuple[str, Literal["max", "min"]] | None,
) -> pl.Trainer:
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
def _quiet_lightning() -> Iterator[None]:
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


def _write_results(
    out: Path,
    config: RunConfig,
    dataset: Dataset,
    module: TrainingModule,
    *,
    left_out: tuple[str, ...],
    facts: dict[str, Any],
) -> None:
    keep = "best" if config.fitting.keep == "best" and (out / "best.ckpt").exists() else "last"
    checkpoint = torch.load(out / f"{keep}.ckpt", map_location="cpu", weights_only=True)
    weights = {
        name.removeprefix("network."): value.contiguous()
        for name, value in checkpoint["state_dict"].items()
        if name.startswith("network.")
    }
    network = module.network
    network.load_state_dict(weights)
    dropped = () if config.fitting.keep_decoder else tuple(_parts_of_training(network))
    weights = {name: value for name, value in weights.items() if name.partition(".")[0] not in dropped}
    save_file(weights, out / "weights.safetensors")
    clip = config.clip.for_tests()
    complexity = _complexity(network, config.model_copy(update={"clip": clip}))
    rows = read_curves(out / "metrics.csv")
    row = rows[-1] if keep == "last" else _best_row(rows, module)
    card = RunCard(
        classes=dataset.card.classes,
        idle_class=dataset.card.idle_class if isinstance(network, FrameWiseNet) else None,
        clip=clip,
        dropped_parts=dropped,
        depth=dataset.card.depth or RunCard.model_fields["depth"].default,
        flow_from=Stream.RGB if Stream.RGB in dataset.card.streams else Stream.DEPTH,
        fps=dataset.card.fps,
        causal=isinstance(network, FrameWiseNet) and network.is_causal,
        dataset=dataset.card.name,
        recipe=config.recipe,
        parameters=complexity.parameters,
        macs_per_clip=complexity.macs_per_clip,
        epochs=int(rows[-1]["epoch"]),
        seed=config.seed,
        metrics={name: value for name, value in row.items() if name.startswith("validation")},
        left_out=left_out,
        made_with={**versions(), **facts, "weights": keep},
    )
    (out / "card.json").write_text(card.model_dump_json(indent=2), encoding="utf-8")


def _parts_of_training(network: nn.Module) -> list[str]:
    """Return the names of the parts that a network has for training alone."""
    return [name for name in getattr(network, "training_parts", ()) if getattr(network, name, None) is not None]


def _best_row(rows: list[dict[str, float]], module: TrainingModule) -> dict[str, float]:
    sign = 1.0 if module.monitor_mode == "max" else -1.0
    return max(rows, key=lambda row: sign * row.get(module.monitor, -sign * math.inf))


def _complexity(network: nn.Module, config: RunConfig) -> Complexity:
    clip, channels = config.clip, config.clip.num_channels
    if isinstance(network, FutureNet):
        channels = network.in_channels + network.flow_channels
    return measure_complexity(network, num_frames=clip.num_frames, in_channels=channels, size=clip.size)


def versions() -> dict[str, Any]:
    """Return what a run was made with: versions, machine, date and, in a checkout, the commit."""
    return {
        "mudra": importlib.metadata.version("mudra"),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
        "device": torch.cuda.get_device_name(0) if torch.cuda.is_available() else "cpu",
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
    }


def _commit() -> str:
    """Return the checkout's commit, marked when files differ from it; nothing for an installed package."""
    package = Path(__file__).resolve().parents[1]
    try:
        if Path(_git(package, "rev-parse", "--show-toplevel")) != package.parent:
            return ""  # installed inside another project's checkout, whose commit says nothing of this one
        return _git(package, "rev-parse", "--short", "HEAD") + ("-dirty" if _git(package, "status", "--short") else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
