"""What the comparisons of networks on SHREC'17 share: one budget, times taken in turns, a table and a picture.

Every row is one training (`benchmarks.training`); a line is one variant over its seeds.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table
from torch import nn

from benchmarks.common import REPOSITORY, RESULTS, append_rows, circumstances, read_rows, shared_data
from benchmarks.training import summarise, train_grid
from mudra.cli.common import find_config
from mudra.training import RunConfig

BUDGET = ["model.width=0.75", "clip.size=[64, 64]", "fitting.epochs=8", "fitting.num_threads=1"]
SEEDS = range(3)
NUM_TIMED, TIMED_BATCH = 15, 16


class Grid(NamedTuple):
    """A comparison.

    Args:
        name: The benchmark's; its files are called so.
        title: Of the picture.
        variants: The overrides of each network on the budget.
    """

    name: str
    title: str
    variants: Mapping[str, list[str]]

    @property
    def file(self) -> Path:
        """Where rows of trainings are."""
        return RESULTS / f"{self.name}.jsonl"

    @property
    def times(self) -> Path:
        """Where rows of times are."""
        return RESULTS / f"{self.name}_times.jsonl"

    @property
    def command(self) -> str:
        """What makes the rows."""
        return f"python -m benchmarks.{self.name}"

    def config(self, variant: str) -> RunConfig:
        """Return one variant's run, before its seed."""
        words = [*BUDGET, *self.variants[variant]]
        return find_config(str(shared_data() / "shrec2017"), words, tell=lambda line: None)


def run_grid(grid: Grid, description: str) -> None:
    """Train what is missing, or measure times, as the command line says; show what is there."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--only", default="", help="variants whose name begins so")
    parser.add_argument("--share", default="1/1", help="which part of the rows, for example 1/2")
    parser.add_argument("--time", action="store_true", help="measure times instead of training")
    parser.add_argument("--table", action="store_true", help="show what is there, train nothing")
    options = parser.parse_args()
    if options.time:
        append_rows(grid.times, measure_times(grid))
    elif not options.table:
        train_grid(
            grid.file,
            REPOSITORY / "runs" / grid.name,
            {variant: grid.config(variant) for variant in grid.variants},
            seeds=SEEDS,
            split="validation",
            command=grid.command,
            share=options.share,
            only=options.only,
        )
    show(grid)


def measure_times(grid: Grid) -> list[dict[str, Any]]:
    """Return, for each network, medians of a training step of 16 clips and of one clip's prediction, taken in turns."""
    networks = {name: _build(grid.config(name)) for name in grid.variants}
    spent: dict[str, dict[str, list[float]]] = {name: {"step_ms": [], "predict_ms": []} for name in networks}
    for turn in range(NUM_TIMED + 2):
        for name, (network, shape) in networks.items():
            taken = {"step_ms": _time_step(network, shape), "predict_ms": _time_prediction(network, shape)}
            if turn >= 2:  # the first turns choose kernels and fill caches
                for key, value in taken.items():
                    spent[name][key].append(value)
    return [
        {
            "variant": name,
            **{key: round(statistics.median(values), 2) for key, values in found.items()},
            "batch": TIMED_BATCH,
            "median_of": NUM_TIMED,
            "threads": torch.get_num_threads(),
            **circumstances(f"{grid.command} --time", torch=torch.__version__),
        }
        for name, found in spent.items()
    ]


def _build(config: RunConfig) -> tuple[nn.Module, tuple[int, ...]]:
    channels = config.clip.num_channels
    model = config.model.model_copy(update={"num_classes": 14, "in_channels": channels})
    return model.build(), (config.clip.num_frames, channels, *config.clip.size)


def _time_step(network: nn.Module, shape: tuple[int, ...]) -> float:
    clip_BTCHW, label_B = torch.randn(TIMED_BATCH, *shape), torch.zeros(TIMED_BATCH, dtype=torch.int64)
    network.train()
    started = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(clip_BTCHW)
    nn.functional.cross_entropy(logits.float(), label_B).backward()
    return (time.perf_counter() - started) * 1e3


def _time_prediction(network: nn.Module, shape: tuple[int, ...]) -> float:
    clip_BTCHW = torch.randn(1, *shape)
    network.eval()
    started = time.perf_counter()
    with torch.no_grad():
        network(clip_BTCHW)
    return (time.perf_counter() - started) * 1e3


def summarise_grid(grid: Grid) -> list[dict[str, Any]]:
    """Return one line per variant: its seeds, its difference to the first variant seed by seed, its times if known."""
    rows = read_rows(grid.file)
    times = {row["variant"]: row for row in read_rows(grid.times)}
    found = {line["variant"]: line for line in summarise(rows)}
    top1 = {(row["variant"], row["seed"]): row["top1"] for row in rows}
    first = next(iter(grid.variants))
    lines = []
    for name in (name for name in grid.variants if name in found):
        pairs = [top1[name, seed] - top1[first, seed] for seed in SEEDS if {(name, seed), (first, seed)} <= top1.keys()]
        line = {**found[name], **{key: times[name][key] for key in ("step_ms", "predict_ms") if name in times}}
        line["difference"] = statistics.mean(pairs) if pairs else math.nan
        line["difference_spread"] = statistics.stdev(pairs) if len(pairs) > 1 else math.nan
        lines.append(line)
    return lines


def show(grid: Grid) -> None:
    """Print the table and draw the picture."""
    table = Table(title="SHREC'17, 14 classes, validation subjects: top-1 over seeds")
    for head in (
        "variant",
        "seeds",
        "mean",
        "st. dev.",
        "range",
        "to the first",
        "parameters",
        "MMAC",
        "step ms",
        "predict ms",
    ):
        table.add_column(head, justify="left" if head == "variant" else "right")
    for line in summarise_grid(grid):
        table.add_row(
            line["variant"],
            str(line["seeds"]),
            f"{line['mean']:.4f}",
            f"{line['spread']:.4f}",
            f"{line['lowest']:.4f}-{line['highest']:.4f}",
            f"{line['difference']:+.4f}",
            f"{line['parameters']:,}",
            f"{line['macs_per_clip'] / 1e6:.0f}",
            f"{line.get('step_ms', math.nan):.0f}",
            f"{line.get('predict_ms', math.nan):.1f}",
        )
    Console(width=130).print(table)
    draw(grid)


def draw(grid: Grid) -> None:
    """Draw every seed's top-1 and each variant's mean."""
    found = summarise_grid(grid)
    if not found:
        return
    rows = read_rows(grid.file)
    figure = Figure(figsize=(7.5, 0.5 * len(found) + 1.2), layout="constrained")
    axes = figure.subplots()
    for height, line in enumerate(reversed(found)):
        top1 = [row["top1"] for row in rows if row["variant"] == line["variant"]]
        axes.plot(top1, [height] * len(top1), "o", color="#888888", markersize=5)
        axes.plot([line["mean"]], [height], "|", color="#c03030", markersize=22, markeredgewidth=3)
    names = [f"{line['variant']} ({line['parameters'] / 1e3:.0f} k)" for line in reversed(found)]
    axes.set_yticks(range(len(found)), names)
    axes.set(xlabel="validation top-1 (dots: seeds, bar: mean)", title=grid.title)
    axes.grid(axis="x", alpha=0.3)
    figure.savefig(RESULTS / f"{grid.name}.svg", metadata={"Date": None})
