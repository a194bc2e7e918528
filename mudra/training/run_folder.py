"""The run folder: whether a run may be written into it, and what a finished one leaves there.

run.yaml             the resolved config
card.json            what anyone needs to use the weights
weights.safetensors  the weights
metrics.csv          a row per epoch
first_weights.txt    of a run that started from other weights: every tensor that was not taken over
last.ckpt, best.ckpt the whole state after the last epoch, and after the one of the best validation score
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from mudra.clips import RunCard
from mudra.datasets import Dataset
from mudra.errors import RunError
from mudra.models import Complexity, FrameWiseNet, FutureNet, measure_complexity
from mudra.training.callback import read_curves
from mudra.training.config import RunConfig
from mudra.training.made_with import versions
from mudra.training.task import TrainingModule
from mudra.types import Stream


def check_folder(out: Path, config: RunConfig, *, resume: bool) -> RunConfig:
    """Refuse a folder that the run cannot be written into; return the config as that folder is to have it.

    Args:
        out: The run folder; it need not exist yet.
        config: The run, resolved.
        resume: Whether the run goes on from `out`'s last epoch.

    Raises:
        RunError: If `out` holds another run, or there is nothing to resume.
    """
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


def write_results(
    out: Path,
    config: RunConfig,
    dataset: Dataset,
    module: TrainingModule,
    *,
    left_out: tuple[str, ...],
    facts: dict[str, Any],
) -> None:
    """Write weights and card of a run that has ended, as its checkpoints and metrics.csv say.

    Args:
        out: The run folder.
        config: The run, resolved.
        dataset: What it was trained on.
        module: What trained it; its network is left with the weights that are kept.
        left_out: Damaged recordings that were left out.
        facts: What the card is to say of how the run went.
    """
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
    complexity = measure_run(network, config.model_copy(update={"clip": clip}))
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
        boxed=any(recording.box is not None for recording in dataset.recordings.get("train", ())),
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


def measure_run(network: nn.Module, config: RunConfig) -> Complexity:
    """Return what a run's network costs on the run's clips."""
    clip, channels = config.clip, config.clip.num_channels
    if isinstance(network, FutureNet):
        channels = network.in_channels + network.flow_channels
    return measure_complexity(network, num_frames=clip.num_frames, in_channels=channels, size=clip.size)
