"""Does one frame tell the gesture? A network like ours/small against itself on single frames, drawn.

Run: python -m benchmarks.order_in_time

Both networks see the same clips, for as many epochs, and are judged on the same people whom neither saw. The
single-frame network is the same backbone and top without recurrent layers, with kernels of one frame in time; its
answer for a clip is the mean of its answers for the 16 frames: it sees all of them, but not their order. Rows go to
benchmarks/results/order_in_time.jsonl; one that is there already is not run again.
"""

from __future__ import annotations

import argparse
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.common import REPOSITORY, RESULTS, append_rows, read_rows
from benchmarks.training import train_row
from mudra.cli.common import find_config

FILE = RESULTS / "order_in_time.jsonl"
RUNS = REPOSITORY / "runs" / "order_in_time"
SETTINGS = [
    "data=synthetic",
    "data.hardness=plain",
    "data.size=[96, 96]",
    "data.num_frames=20",
    "data.fps=15",
    "data.clips_per_class_train=80",
    "data.clips_per_class_validation=5",
    "data.clips_per_class_test=25",
    "clip.streams=[depth]",
    "clip.size=[64, 64]",
    "model.top.between=nothing",
    "clip.augmentation.depth_offset_mm=0",
    "schedule.warmup_fraction=0.2",
    "clip.depth.clip_mm=2000",
    "clip.depth.scale_mm=500",
    "clip.mirror=labels",
    "clip.augmentation.rotation_deg=10",
    "clip.augmentation.scale=[0.9, 1.1]",
    "clip.sampling.min_span_fraction=0.9",
    "fitting.epochs=20",
]
SINGLE_FRAME = [
    "model.cells=[]",
    "model.backbone.kernel_frames=1",
    "model.backbone.stem_kernel=[1, 5, 5]",
    "model.backbone.block_strides=[[1, 1, 1], [1, 2, 2], [1, 2, 2]]",
]
ROWS = {"full": [], "single_frame": SINGLE_FRAME}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--again", action="store_true", help="run rows that are there already anew")
    options = parser.parse_args()
    known = {} if options.again else {row["row"]: row for row in read_rows(FILE)}
    for name, overrides in ROWS.items():
        if name not in known:
            append_rows(FILE, [run_row(name, [*SETTINGS, *overrides], anew=options.again)])
    table = Table("network", "test top-1", "clips", "minutes", "wanted")
    for row in {row["row"]: row for row in read_rows(FILE)}.values():
        wanted = "> 0.95" if row["row"] == "full" else "< 0.60"
        table.add_row(row["row"], f"{row['top1']:.4f}", str(row["num_clips"]), f"{row['training_minutes']:.1f}", wanted)
    Console().print(table)


def run_row(name: str, overrides: list[str], *, anew: bool) -> dict[str, Any]:
    """Train one network and judge it on the test people."""
    config = find_config("ours/small", overrides, tell=print)
    command = "python -m benchmarks.order_in_time"
    row = train_row(name, config, RUNS / name, split="test", command=command, anew=anew)
    return {**row, "settings": overrides}


if __name__ == "__main__":
    main()
