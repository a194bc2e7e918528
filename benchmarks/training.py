"""What the benchmarks that train share: one row is one training, judged on people it never saw, and resumable.

A row that its results file holds already is not run again; an interrupted one goes on after its last whole epoch.
"""

from __future__ import annotations

import gc
import shutil
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from benchmarks.common import append_rows, circumstances, read_rows
from mudra.cli.common import open_dataset, open_sources_of
from mudra.serving import evaluate, load
from mudra.training import RunConfig, train
from mudra.training.callback import read_curves


def train_row(
    name: str, config: RunConfig, folder: Path, *, split: str, command: str, anew: bool = False
) -> dict[str, Any]:
    """Train, judge on one split, and return the row.

    Args:
        name: The row's name.
        config: The run.
        folder: Its run folder; what an interrupted training left there is gone on with.
        split: The split to judge on.
        command: What the row says made it.
        anew: Begin again, whatever lies in the folder.
    """
    if folder.exists() and (anew or not (folder / "last.ckpt").exists()):
        shutil.rmtree(folder)
    resumed = folder.exists()
    dataset = open_dataset(config)
    started = time.perf_counter()
    train(config, dataset, folder, resume=resumed)
    seconds = time.perf_counter() - started
    predictor = load(folder)
    opener = open_sources_of(dataset, config.clip.streams)
    scores = evaluate(predictor, dataset.split(split), open_sources=opener).scores
    curves = read_curves(folder / "metrics.csv")
    gc.collect()  # the trainer and its windows, gigabytes of them, hold each other
    print(f"{name}: top-1 {scores.top1:.4f} in {seconds / 60:.1f} min", flush=True)
    return {
        "row": name,
        "top1": round(scores.top1, 4),
        "num_clips": scores.num_clips,
        "mean_class_accuracy": round(scores.mean_class_accuracy, 4),
        "per_class": {score.name: score.accuracy for score in scores.per_class},
        "minutes": None if resumed else round(seconds / 60, 2),
        "training_minutes": round(sum(row["seconds"] for row in curves) / 60, 2),
        "threads": torch.get_num_threads(),
        "waiting_fraction": round(statistics.median(row["waiting_fraction"] for row in curves), 4),
        "parameters": predictor.card.parameters,
        "macs_per_clip": predictor.card.macs_per_clip,
        "epochs": config.fitting.epochs,
        "curve": [round(row.get("validation_top1", float("nan")), 4) for row in curves],
        **circumstances(command, torch=torch.__version__),
    }


def train_grid(
    file: Path,
    runs: Path,
    variants: Mapping[str, RunConfig],
    *,
    seeds: range,
    split: str,
    command: str,
    share: str = "1/1",
    only: str = "",
) -> None:
    """Train every variant with every seed, a row each, seed by seed so that what is done so far can be compared.

    Args:
        file: Results file.
        runs: Where run folders go.
        variants: The config of each, before its seed.
        seeds: Seeds.
        split: The split to judge on.
        command: What rows say made them.
        share: `1/2` and `2/2` in two processes do half of the rows each.
        only: Variants whose name begins so.
    """
    part, parts = (int(word) for word in share.split("/"))
    todo = [(name, seed) for seed in seeds for name in variants if name.startswith(only)]
    for index, (name, seed) in enumerate(todo):
        row = f"{name}, seed {seed}"
        if index % parts != part - 1 or row in {known["row"] for known in read_rows(file)}:
            continue
        config = variants[name].with_overrides([f"seed={seed}"])
        found = train_row(row, config, runs / f"{name}_seed{seed}", split=split, command=command)
        append_rows(file, [{**found, "variant": name, "seed": seed}])


def summarise(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one line per variant: mean and standard deviation of top-1 over its seeds, and what it costs."""
    lines = []
    for name in dict.fromkeys(row["variant"] for row in rows):
        own = list({row["seed"]: row for row in rows if row["variant"] == name}.values())
        top1 = [row["top1"] for row in own]
        lines.append(
            {
                "variant": name,
                "seeds": len(own),
                "mean": statistics.mean(top1),
                "spread": statistics.stdev(top1) if len(own) > 1 else float("nan"),
                "lowest": min(top1),
                "highest": max(top1),
                "parameters": own[-1]["parameters"],
                "macs_per_clip": own[-1]["macs_per_clip"],
                "minutes": statistics.median(row["training_minutes"] for row in own),
            }
        )
    return lines
