"""Clips per second of the loader, and the share of a training step spent waiting for data, with the preset ours/small.

Run: python -m benchmarks.loader     (SHREC'17 in ../shared/data or $MUDRA_SHARED where present, and drawn colour clips)

The loader alone is measured first, with and without cached windows; then a real epoch of training, whose steps are
timed from the end of one to the beginning of the next. Rows are added to benchmarks/results/loader.jsonl.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.common import RESULTS, append_rows, circumstances, find_shared_data
from mudra.cli.common import find_config, open_dataset
from mudra.datasets import Dataset
from mudra.training import RunConfig, train
from mudra.training.callback import read_curves
from mudra.training.loaders import GestureData

NUM_CLIPS = 320
EPOCHS = 2
CACHES = ("none", "memory")


def main() -> None:
    rows = []
    for name, config in cases().items():
        dataset = limited(open_dataset(config))
        alone = [{"case": name, "cache": cache, **measure_loader(config, dataset, cache)} for cache in CACHES]
        rows += alone
        rows.append({"case": name, "cache": "auto", **measure_training(config, dataset)})
    rows = [{**row, **circumstances("python -m benchmarks.loader", torch=torch.__version__)} for row in rows]
    append_rows(RESULTS / "loader.jsonl", rows)
    table = Table("case", "cache", "clips per s", "waiting for data", "step ms")
    for row in rows:
        clips = f"{row['clips_per_s']:.0f}"
        waiting = f"{row['waiting_fraction']:.1%}" if "waiting_fraction" in row else ""
        table.add_row(row["case"], row["cache"], clips, waiting, f"{row['step_ms']:.0f}" if "step_ms" in row else "")
    Console().print(table)


def cases() -> dict[str, RunConfig]:
    drawn = ["data=synthetic", "data.clips_per_class_train=27", "data.clips_per_class_validation=1"]
    found = {"synthetic, colour": find_config("ours/small", drawn, tell=str)}
    if shared := find_shared_data():
        found["shrec2017, depth"] = find_config(str(shared / "shrec2017"), [], tell=str)
    return found


def limited(dataset: Dataset) -> Dataset:
    """Return the data set with its first training clips and a few for validation."""
    from dataclasses import replace

    kept = {"train": dataset.split("train")[:NUM_CLIPS], "validation": dataset.split("validation")[:16], "test": ()}
    return replace(dataset, recordings=kept)


def measure_loader(config: RunConfig, dataset: Dataset, cache: str) -> dict[str, Any]:
    """Return clips per second over one epoch; with a cache, its windows are read before."""
    loader = config.loader.model_copy(update={"cache": cache})
    data = GestureData(dataset, config.model_copy(update={"loader": loader}))
    data.prepare()
    batches = data.train_dataloader()
    started, count = time.perf_counter(), 0
    for batch in batches:
        count += len(batch.label_B)
    return {"clips_per_s": round(count / (time.perf_counter() - started), 1), "workers": batches.num_workers}


def measure_training(config: RunConfig, dataset: Dataset) -> dict[str, Any]:
    """Return what two real epochs of training give."""
    config = config.with_overrides({"fitting.epochs": EPOCHS})
    with tempfile.TemporaryDirectory() as folder:
        train(config, dataset, Path(folder) / "run", tell=lambda line: None)
        rows = read_curves(Path(folder) / "run" / "metrics.csv")
    last = rows[-1]
    steps = len(dataset.split("train")) // config.loader.batch_size
    return {
        "clips_per_s": round(steps * config.loader.batch_size / last["seconds"], 1),
        "waiting_fraction": round(statistics.median(row["waiting_fraction"] for row in rows), 4),
        "step_ms": round(last["seconds"] / steps * 1e3, 1),
        "threads": torch.get_num_threads(),
    }


if __name__ == "__main__":
    main()
