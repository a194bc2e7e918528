"""Do the gates need convolutions, and does attention help? Zhang et al. 2018's question on SHREC'17, with depth.

Run: python -m benchmarks.cells_shrec                 (the recordings in ../shared/data or $MUDRA_SHARED)
     python -m benchmarks.cells_shrec --share 1/2     (half of the rows; 2/2 in a second process does the others)
     python -m benchmarks.cells_shrec --time          (times of all networks in turns, on a quiet machine)
     python -m benchmarks.cells_shrec --table         (the table of what is there)

One narrow network (ours/small at 3/4 of its width, on 64x64), one training budget, three seeds: only the recurrent
layers change. As in the paper, (b), (c) and (d) are the first layer and (a) is the second. Without recurrence stand
the same backbone and top averaged over time; the same with kernels of one frame (spatial only, mean over time); and
that on the middle frame alone. Judged on the official validation subjects with the last epoch's weights. Rows go to
benchmarks/results/cells_shrec.jsonl, times to cells_shrec_times.jsonl.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from typing import Any

import torch
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table
from torch import nn

from benchmarks.common import REPOSITORY, RESULTS, append_rows, circumstances, read_rows, shared_data
from benchmarks.training import summarise, train_grid
from mudra.cli.common import find_config
from mudra.training import RunConfig

FILE = RESULTS / "cells_shrec.jsonl"
TIMES = RESULTS / "cells_shrec_times.jsonl"
PICTURE = RESULTS / "cells_shrec.svg"
RUNS = REPOSITORY / "runs" / "cells_shrec"
SEEDS = range(3)
COMMAND = "python -m benchmarks.cells_shrec"
BUDGET = ["model.width=0.75", "clip.size=[64, 64]", "fitting.epochs=8", "fitting.num_threads=1"]
NUM_TIMED, TIMED_BATCH = 15, 16

_CELL = {"hidden_channels": 64, "initialisation": "pytorch", "forget_bias": 1.0}
_SPATIAL = [
    "model.cells=[]",
    "model.backbone.kernel_frames=1",
    "model.backbone.stem_kernel=[1, 5, 5]",
    "model.backbone.block_strides=[[1, 1, 1], [1, 2, 2], [1, 2, 2]]",
]


def _cells(*kinds: str) -> list[str]:
    return [f"model.cells={json.dumps([{'kind': kind, **_CELL} for kind in kinds])}"]


VARIANTS: dict[str, list[str]] = {
    "plain": _cells("conv_lstm", "conv_lstm"),
    "variant_a": _cells("gated_conv_lstm", "gated_conv_lstm"),
    "variant_b": _cells("input_attention_conv_lstm", "gated_conv_lstm"),
    "variant_c": _cells("input_gate_attention_conv_lstm", "gated_conv_lstm"),
    "variant_d": _cells("output_gate_attention_conv_lstm", "gated_conv_lstm"),
    "no_recurrence": ["model.cells=[]"],
    "spatial_only": _SPATIAL,
    "middle_frame": [*_SPATIAL, "clip.num_frames=1", 'clip.sampling={"kind": "segments"}'],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="variants whose name begins so")
    parser.add_argument("--share", default="1/1", help="which part of the rows, for example 1/2")
    parser.add_argument("--time", action="store_true", help="measure times instead of training")
    parser.add_argument("--table", action="store_true", help="show what is there, train nothing")
    options = parser.parse_args()
    if options.time:
        append_rows(TIMES, measure_times())
    elif not options.table:
        train_grid(
            FILE,
            RUNS,
            {name: config_of(name) for name in VARIANTS},
            seeds=SEEDS,
            split="validation",
            command=COMMAND,
            share=options.share,
            only=options.only,
        )
    show()


def config_of(name: str) -> RunConfig:
    """Return one variant's run, before its seed."""
    return find_config(str(shared_data() / "shrec2017"), [*BUDGET, *VARIANTS[name]], tell=lambda line: None)


def measure_times() -> list[dict[str, Any]]:
    """Return, for each network, medians of a training step of 16 clips and of one clip's prediction, taken in turns."""
    networks = {name: _build(config_of(name)) for name in VARIANTS}
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
            **circumstances(f"{COMMAND} --time", torch=torch.__version__),
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


def lines() -> list[dict[str, Any]]:
    """Return one line per variant, with its times where they were measured."""
    times = {row["variant"]: row for row in read_rows(TIMES)}
    found = {line["variant"]: line for line in summarise(read_rows(FILE))}
    kept = ("step_ms", "predict_ms")
    return [
        {**found[name], **{key: times[name][key] for key in kept if name in times}}
        for name in VARIANTS
        if name in found
    ]


def show() -> None:
    """Print the table and draw the picture."""
    table = Table(title="SHREC'17, 14 classes, validation subjects: top-1 over seeds")
    for head in ("variant", "seeds", "mean", "st. dev.", "range", "parameters", "MMAC", "step ms", "predict ms"):
        table.add_column(head, justify="left" if head == "variant" else "right")
    for line in lines():
        table.add_row(
            line["variant"],
            str(line["seeds"]),
            f"{line['mean']:.4f}",
            f"{line['spread']:.4f}",
            f"{line['lowest']:.4f}-{line['highest']:.4f}",
            f"{line['parameters']:,}",
            f"{line['macs_per_clip'] / 1e6:.0f}",
            f"{line.get('step_ms', math.nan):.0f}",
            f"{line.get('predict_ms', math.nan):.1f}",
        )
    Console(width=130).print(table)
    draw()


def draw() -> None:
    """Draw every seed's top-1 and each variant's mean."""
    found = lines()
    if not found:
        return
    rows = read_rows(FILE)
    figure = Figure(figsize=(7.5, 0.5 * len(found) + 1.2), layout="constrained")
    axes = figure.subplots()
    for height, line in enumerate(reversed(found)):
        top1 = [row["top1"] for row in rows if row["variant"] == line["variant"]]
        axes.plot(top1, [height] * len(top1), "o", color="#888888", markersize=5)
        axes.plot([line["mean"]], [height], "|", color="#c03030", markersize=22, markeredgewidth=3)
    names = [f"{line['variant']} ({line['parameters'] / 1e3:.0f} k)" for line in reversed(found)]
    axes.set_yticks(range(len(found)), names)
    axes.set(xlabel="validation top-1 (dots: seeds, bar: mean)", title="SHREC'17, depth, 14 classes: recurrent layers")
    axes.grid(axis="x", alpha=0.3)
    figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    main()
