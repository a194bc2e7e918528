"""Does one frame tell the gesture? The preset ours/small against itself on single frames of the synthetic set.

Run: python -m benchmarks.order_in_time

Both networks see the same clips, for as many epochs, and are judged on the same people whom neither saw. The
single-frame network is the same backbone and top without recurrent layers, with kernels of one frame in time; its
answer for a clip is the mean of its answers for the 16 frames: it sees all of them, but not their order. Rows go to
benchmarks/results/order_in_time.jsonl; one that is there already is not run again.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.common import RESULTS, append_rows, circumstances, read_rows
from mudra.cli.common import find_config, open_dataset, open_sources_of
from mudra.serving import evaluate, load
from mudra.training import train

FILE = RESULTS / "order_in_time.jsonl"
SETTINGS = [
    "data=synthetic",
    "data.hardness=plain",
    "data.size=[96, 96]",
    "data.num_frames=20",
    "data.fps=15",
    "data.clips_per_class_train=60",
    "data.clips_per_class_validation=5",
    "data.clips_per_class_test=15",
    "clip.streams=[depth]",
    "clip.depth.clip_mm=2000",
    "clip.depth.scale_mm=500",
    "clip.mirror=labels",
    "clip.augmentation.rotation_deg=10",
    "clip.augmentation.scale=[0.9, 1.1]",
    "clip.sampling.min_span_fraction=0.9",
    "fitting.epochs=16",
]
SINGLE_FRAME = [
    "model.cells=[]",
    "model.backbone.kernel_frames=1",
    "model.backbone.stem_kernel=[1, 5, 5]",
    "model.backbone.block_strides=[[1, 1, 1], [1, 2, 2], [1, 2, 2]]",
]
ROWS = {"full": [], "single_frame": SINGLE_FRAME}


def main() -> None:
    known = {row["row"] for row in read_rows(FILE)}
    for name, overrides in ROWS.items():
        if name not in known:
            append_rows(FILE, [run_row(name, [*SETTINGS, *overrides])])
    table = Table("network", "test top-1", "clips", "minutes", "wanted")
    for row in read_rows(FILE):
        wanted = "> 0.95" if row["row"] == "full" else "< 0.60"
        table.add_row(row["row"], f"{row['top1']:.4f}", str(row["num_clips"]), f"{row['minutes']:.1f}", wanted)
    Console().print(table)


def run_row(name: str, overrides: list[str]) -> dict[str, Any]:
    """Train one network and judge it on the test people."""
    config = find_config("ours/small", overrides, tell=print)
    dataset = open_dataset(config)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        train(config, dataset, Path(folder) / "run")
        minutes = (time.perf_counter() - started) / 60
        predictor = load(Path(folder) / "run")
        opener = open_sources_of(dataset, config.clip.streams)
        result = evaluate(predictor, dataset.split("test"), open_sources=opener)
    return {
        "row": name,
        "settings": overrides,
        "top1": round(result.scores.top1, 4),
        "num_clips": result.scores.num_clips,
        "minutes": round(minutes, 2),
        "parameters": predictor.card.parameters,
        "macs_per_clip": predictor.card.macs_per_clip,
        **circumstances("python -m benchmarks.order_in_time", torch=torch.__version__),
    }


if __name__ == "__main__":
    main()
