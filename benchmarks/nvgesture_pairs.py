"""NVGesture's real depth recordings, two of a class: does a network that saw the one name the other?

Run: python -m benchmarks.nvgesture_pairs              (the recordings in ../shared/data or $MUDRA_SHARED)
     python -m benchmarks.nvgesture_pairs --seeds 3    (three trainings from different chance)
     python -m benchmarks.nvgesture_pairs --table      (the table of what is there, and the picture)

Of each of 25 classes the recording of the lower repetition number trains (`r0`) and the other is judged (`r1`):
`data.split_by=repetition`. One clip per class: a check of the path, not a score. It says whether files, spans, depth,
clips, training and judging hang together. All judged people were seen in training, 19 of 25 in the very class, and a
person shows few of the classes: who it is tells much of the gesture. Chance is 0.04, wanted is three times that.

ours/small at 3/4 of its width, on 64x64, with strong augmentation and no choice of an epoch: the last one's weights are
judged. The settings are the first that were tried. Rows go to benchmarks/results/nvgesture_pairs.jsonl, the confusion
of the newest to nvgesture_pairs.svg. A row that is there is not measured again; an interrupted one goes on after its
last whole epoch.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.common import REPOSITORY, RESULTS, append_rows, read_rows, shared_data
from benchmarks.training import train_row
from mudra.cli.common import find_config, open_dataset, open_sources_of
from mudra.datasets.nvgesture import CLASSES
from mudra.scoring import Scores, score_clips
from mudra.serving import evaluate, load
from mudra.serving.chart import draw_confusion
from mudra.training import RunConfig
from mudra.training.callback import read_curves

FILE = RESULTS / "nvgesture_pairs.jsonl"
PICTURE = RESULTS / "nvgesture_pairs.svg"
RUNS = REPOSITORY / "runs" / "nvgesture_pairs"
COMMAND = "python -m benchmarks.nvgesture_pairs"
CHANCE, WANTED = 1 / len(CLASSES), 3 / len(CLASSES)
NOTE = "One clip per class: a check of the path, not a score."
SETTINGS = [
    'clip.streams=["depth"]',
    "model.width=0.75",
    "clip.size=[64, 64]",
    # An arm reaches over a metre of nominal depth; the preset looks at a hand.
    "clip.depth.scale_mm=300",
    "clip.depth.clip_mm=900",
    "clip.sampling.min_span_fraction=0.6",
    "clip.augmentation.rotation_deg=20",
    "clip.augmentation.scale=[0.75, 1.3]",
    "clip.augmentation.shift_fraction=0.1",
    "clip.augmentation.depth_stretch=[0.7, 1.4]",
    "clip.augmentation.depth_offset_mm=60",
    "loader.batch_size=8",
    "fitting.epochs=120",
    "fitting.num_threads=1",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1, help="trainings, each from its own chance")
    parser.add_argument("--table", action="store_true", help="show what is there, train nothing")
    parser.add_argument("--set", nargs="*", default=[], help="settings to change, for trials; they are recorded")
    options = parser.parse_args()
    known = {row["row"] for row in read_rows(FILE)}
    for seed in range(0 if options.table else options.seeds):
        name = f"seed {seed}" if not options.set else f"trial, seed {seed}: {' '.join(options.set)}"
        if name not in known:
            append_rows(FILE, [run_row(name, [*SETTINGS, *options.set, f"seed={seed}"])])
    show(read_rows(FILE))


def config_of(settings: list[str]) -> RunConfig:
    """Return a run on the recordings of lower repetition numbers."""
    root = shared_data() / "nvgesture"
    data = ["data=nvgesture", f"data.root={root}", "data.split_by=repetition"]
    return find_config("ours/small", [*data, "data.on_missing=skip", *settings], tell=lambda line: None)


def run_row(name: str, settings: list[str]) -> dict[str, Any]:
    """Train, judge the other recording of each class, and return the row."""
    config = config_of(settings)
    folder = RUNS / "".join(letter if letter.isalnum() else "_" for letter in name)
    started = time.process_time()
    row = train_row(name, config, folder, split="validation", command=COMMAND)
    spent_s = time.process_time() - started
    named = name_held(config, folder)
    losses = [line["train_loss"] for line in read_curves(folder / "metrics.csv")]
    return {
        **row,
        "chance": CHANCE,
        "times_chance": round(row["top1"] / CHANCE, 1),
        "note": NOTE,
        "named": named,
        # Of an interrupted training, what the first part took is not known.
        "cpu_minutes": None if row["minutes"] is None else round(spent_s / 60, 2),
        "train_loss": round(losses[-1], 4),
        "settings": settings,
    }


def name_held(config: RunConfig, folder: Path) -> list[tuple[str, str]]:
    """Return the true class of each judged recording, and what the run calls it."""
    dataset = open_dataset(config)
    found = evaluate(
        load(folder), dataset.split("validation"), open_sources=open_sources_of(dataset, config.clip.streams)
    )
    best_N = found.probability_NK.argmax(dim=1).tolist()
    return [
        (CLASSES[recording.label], CLASSES[best])
        for recording, best in zip(found.recordings, best_N, strict=True)
        if recording.label is not None
    ]


def show(rows: list[dict[str, Any]]) -> None:
    """Print the table, and draw the newest row's confusion."""
    table = Table(
        "row", "top-1", "times chance", "clips", "train loss", "minutes", "of a core", title=f"NVGesture, depth. {NOTE}"
    )
    for row in rows:
        counts = (f"{row['times_chance']:.1f}", str(row["num_clips"]), f"{row['train_loss']:.3f}")
        minutes = (f"{row['training_minutes']:.1f}", str(row["cpu_minutes"] or ""))
        table.add_row(row["row"], f"{row['top1']:.2f}", *counts, *minutes)
    console = Console(width=120)
    console.print(table)
    console.print(f"Chance is {CHANCE:.2f}; wanted is at least {WANTED:.2f}.")
    if rows:
        PICTURE.write_text(draw_confusion(scores_of(rows[-1])) + "\n", encoding="utf-8")


def scores_of(row: dict[str, Any]) -> Scores:
    """Return a row's scores again, of what each recording was called."""
    truth, called = zip(*row["named"], strict=True)
    certain_NK = torch.eye(len(CLASSES))[[CLASSES.index(name) for name in called]]
    return score_clips(certain_NK, torch.tensor([CLASSES.index(name) for name in truth]), class_names=CLASSES)


if __name__ == "__main__":
    main()
