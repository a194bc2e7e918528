"""A label for every frame: the networks of Pigou et al. 2015 and ours on streams of real gestures.

Run: python -m benchmarks.frame_wise                    (the recordings in ../shared/data or $MUDRA_SHARED)
     python -m benchmarks.frame_wise --data fir         (uncut overhead streams: frame accuracy on 3 unseen ones)
     python -m benchmarks.frame_wise --share 1/2        (half of the rows; 2/2 in a second process does the others)
     python -m benchmarks.frame_wise --table            (the table of what is there)

`shrec`: streams spliced of SHREC'17's clips (`benchmarks.shrec_streams`), depth, 14 gestures and "no gesture"; official
training subjects to train on, validation subjects to test on. `fir`: FIR's uncut streams, colour, 11 to train on and 3
to test on. All networks see the same streams at ten frames per second (half of the paper's: a fragment of 64 frames is
then twice as long, and a network sees twice as much in a minute; the windows of 32 frames of mean pooling and temporal
convolutions last longer than most of the gestures), in the same window, scaled to 64x64, and have their
channels and features times WIDTH (ours its own); weights of the last epoch. Rates of learning were chosen by the loss
in training, in trials of a few epochs; half of the paper's dropout, for the few epochs that there are. Weaker networks
cost less and see more fragments, so that trainings last alike, ours longest. Rows go to
benchmarks/results/frame_wise.jsonl.

`largest_class` is no network: the scores of always answering with the class of most frames.
`ours` is the recipe ours/frame_wise with its cell in both directions, for whole streams as all of the paper's;
`ours_forwards` is the recipe, which sees no later frame, and `ours_forwards_later` answers half a second later.
"""

from __future__ import annotations

import argparse
import gc
import json
import shutil
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from benchmarks.common import REPOSITORY, RESULTS, append_rows, circumstances, read_rows, shared_data
from benchmarks.shrec_streams import build_streams
from mudra.cli.common import open_sources_of
from mudra.clips import FrameSource
from mudra.datasets import UNLABELLED, Dataset, FirConfig, label_frames
from mudra.recipes import find_recipe
from mudra.serving import Judged, Segmenter, StreamEvaluation, evaluate_streams, load_segmenter
from mudra.serving.stream_clips import resample_times
from mudra.training import RunConfig, train
from mudra.training.callback import read_curves
from mudra.types import Stream

FILE = RESULTS / "frame_wise.jsonl"
PICTURE = RESULTS / "frame_wise.svg"
RUNS = REPOSITORY / "runs" / "frame_wise"
COMMAND = "python -m benchmarks.frame_wise"
WIDTH = 0.35
SEEDS = 3  # of the best two; the others have one
LARGEST = "largest_class"


class Network(NamedTuple):
    """One row of the table.

    Args:
        recipe: Where its network comes from.
        fragments: Fragments of an epoch, so that all networks take about as long.
        changes: Overrides of its own.
        paper: Mean Jaccard in the paper's Table 1; None where it has no such row.
    """

    recipe: str
    fragments: int
    changes: tuple[str, ...] = ()
    paper: float | None = None


OURS = ("optimiser.lr=6e-3", "model.width=0.7", "fitting.epochs=20")
PAPERS = ("optimiser.lr=2e-3", "model.dropout=0.25", "model.head.dropout=0.25")
# At three times this rate temporal convolutions forgot again what they had learned.
SLOWLY = (*PAPERS, "optimiser.lr=7e-4")
# For whole streams, as the paper's own: the recipe's cell in both directions.
CELL = {"kind": "peephole_lstm", "peepholes": False, "initialisation": "pytorch", "forget_bias": 1.0}
BOTH_WAYS = {"kind": "bidirectional_vector", "cell": CELL, "hidden_features": 256}
NETWORKS: dict[str, Network] = {
    "single_frame": Network("pigou2015/table1/single_frame", 4000, ("clip.num_frames=16", *PAPERS), 0.465),
    "max_pooling": Network("pigou2015/table1/max_pooling", 4000, PAPERS, 0.748),
    "mean_pooling": Network("pigou2015/table1/mean_pooling", 2400, PAPERS, 0.775),
    "temporal_conv": Network("pigou2015/table1/temporal_conv", 2400, SLOWLY, 0.842),
    "rnn": Network("pigou2015/table1/rnn", 1100, SLOWLY, 0.885),
    "lstm": Network("pigou2015/table1/lstm", 1100, PAPERS, 0.888),
    "temporal_conv_lstm": Network("pigou2015/table1/temporal_conv_lstm", 1100, SLOWLY, 0.906),
    "ours": Network("ours/frame_wise", 900, (*OURS, f"model.cells={json.dumps([BOTH_WAYS])}")),
    "ours_forwards": Network("ours/frame_wise", 900, OURS),
    "ours_forwards_later": Network("ours/frame_wise", 900, (*OURS, "model.delay_frames=5")),
}
# The same for all: what they see, and how they are fitted.
BUDGET = [
    "clip.size=[64, 64]",
    "clip.region=motion",
    "clip.region_margin_fraction=0.03",
    "clip.mirror=never",
    "clip.augmentation={rotation_deg: 10, scale: [0.9, 1.1], shift_fraction: 0.06}",
    f"model.width={WIDTH}",
    "model.num_classes=null",
    "loader.batch_size=8",
    "schedule=one_cycle",
    "schedule.warmup_fraction=0.15",
    "fitting.epochs=16",
    "fitting.accumulate=1",
    "fitting.dropout_ramp_steps=0",
    "fitting.gradient_clip_norm=5",
    "fitting.precision=auto",
    "fitting.keep=last",
    "fitting.num_threads=1",
    "loader.cache=memory",
]
DATA: dict[str, list[str]] = {
    "shrec": [
        "clip.streams=[depth]",
        "clip.depth={kind: relative, clip_mm: 200}",
        "clip.sampling={kind: dense, fps: 10, time_scale: [0.8333, 1.2]}",
    ],
    "fir": [
        "clip.streams=[rgb]",
        "clip.region=frame",
        "clip.crop=stretch",
        "clip.sampling={kind: dense, fps: 10, time_scale: [0.8333, 1.2]}",
    ],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=DATA, default="shrec")
    parser.add_argument("--only", nargs="*", default=list(NETWORKS), choices=NETWORKS, help="networks")
    parser.add_argument("--share", default="1/1", help="which part of the rows, for example 1/2")
    parser.add_argument("--seeds", type=int, default=1, help="seeds of each network")
    parser.add_argument("--table", action="store_true", help="show what is there, train nothing")
    options = parser.parse_args()
    part, parts = (int(word) for word in options.share.split("/"))
    todo = [] if options.table else [(name, seed) for seed in range(options.seeds) for name in options.only]
    dataset = open_data(options.data) if todo else None
    for index, (name, seed) in enumerate(todo):
        row = f"{options.data}, {name}, seed {seed}"
        if index % parts != part - 1 or row in {known["row"] for known in read_rows(FILE)}:
            continue
        assert dataset is not None
        config = config_of(options.data, name).with_overrides([f"seed={seed}"])
        found = train_row(config, dataset, RUNS / f"{options.data}_{name}_seed{seed}")
        append_rows(FILE, [{"row": row, "data": options.data, "network": name, "seed": seed, **found}])
        print(f"{row}: mean Jaccard {found['jaccard']:.4f} in {found['minutes']} min", flush=True)
    if todo and f"{options.data}, {LARGEST}" not in {known["row"] for known in read_rows(FILE)}:
        assert dataset is not None
        append_rows(FILE, [judge_largest_class(options.data, dataset)])
    show(options.data)


def open_data(data: str) -> Dataset:
    """Return a data set with streams to train on and streams to test on."""
    if data == "shrec":
        return build_streams(shared_data() / "shrec2017")
    return FirConfig(root=shared_data() / "fir").build()


def config_of(data: str, name: str) -> RunConfig:
    """Return one network's run, before its seed."""
    network = NETWORKS[name]
    fragments = network.fragments // (4 if data == "fir" else 1)  # it has a sixth of the frames
    words = [*BUDGET, *DATA[data], f"loader.fragments_per_epoch={fragments}", *network.changes]
    return find_recipe(network.recipe).with_overrides(words)


def train_row(config: RunConfig, dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Train, judge on the unseen streams, and return the row."""
    if folder.exists() and not (folder / "last.ckpt").exists():
        shutil.rmtree(folder)
    resumed = folder.exists()
    started = time.perf_counter()
    # Nothing is chosen by the streams to test on: training does not see them.
    train(config, replace(dataset, recordings={"train": dataset.split("train")}), folder, resume=resumed)
    minutes = (time.perf_counter() - started) / 60
    segmenter = load_segmenter(folder)
    scores = judge(segmenter, dataset).to_json()
    curves = read_curves(folder / "metrics.csv")
    gc.collect()  # the trainer and its windows hold each other
    return {
        "jaccard": scores["mean_jaccard"]["gt_classes"],
        "scores": scores,
        "minutes": None if resumed else round(minutes, 2),
        "training_minutes": round(sum(row["seconds"] for row in curves) / 60, 2),
        "threads": torch.get_num_threads(),
        "parameters": segmenter.predictor.card.parameters,
        "epochs": config.fitting.epochs,
        "fragments_per_epoch": config.loader.fragments_per_epoch,
        "train_loss": [round(row["train_loss"], 4) for row in curves],
        **circumstances(COMMAND, torch=torch.__version__),
    }


def judge(segmenter: Segmenter, dataset: Dataset) -> StreamEvaluation:
    """Score the unseen streams."""
    return evaluate_streams(
        segmenter,
        dataset.split("test" if dataset.recordings.get("test") else "validation"),
        open_sources=open_sources_of(dataset, segmenter.predictor.card.clip.streams),
        label_frames=partial(label_frames, idle=UNLABELLED),
        has_idle=dataset.card.idle_class is not None,
    )


class SameAnswer(Segmenter):
    """Answers every frame with one class, at the rate of a run that is there.

    Args:
        like: The run.
        answer: The class.
    """

    def __init__(self, like: Segmenter, answer: str) -> None:
        super().__init__(like.predictor, decoder=like.decoder)
        self.answer = answer

    def judge(self, sources: Mapping[Stream, FrameSource], *, progress: object = None) -> Iterator[Judged]:
        (source,) = sources.values()
        times_s = resample_times(source.times_s, self.fps)
        yield Judged(np.tile(np.array(self.classes) == self.answer, (len(times_s), 1)).astype(float), times_s)


def judge_largest_class(data: str, dataset: Dataset) -> dict[str, Any]:
    """Return the row of no network at all."""
    like = load_segmenter(next(RUNS.glob(f"{data}_*/card.json")).parent)
    largest = judge(SameAnswer(like, like.classes[0]), dataset).accuracy.largest_class
    scores = judge(SameAnswer(like, largest), dataset).to_json()
    return {
        "row": f"{data}, {LARGEST}",
        "data": data,
        "network": LARGEST,
        "seed": 0,
        "jaccard": scores["mean_jaccard"]["gt_classes"],
        "scores": scores,
        "training_minutes": 0.0,
        "parameters": 0,
        **circumstances(COMMAND),
    }


def summarise(data: str) -> list[dict[str, Any]]:
    """Return one line per network: means over its seeds."""
    lines = []
    rows = [row for row in read_rows(FILE) if row["data"] == data]
    for name in (LARGEST, *NETWORKS):
        own = list({row["seed"]: row for row in rows if row["network"] == name}.values())
        if not own:
            continue
        jaccards = [row["jaccard"] for row in own]
        lines.append(
            {
                "network": name,
                "seeds": len(own),
                "jaccard": statistics.mean(jaccards),
                "spread": statistics.stdev(jaccards) if len(own) > 1 else None,
                "union": statistics.mean(row["scores"]["mean_jaccard"]["union"] for row in own),
                "frame_accuracy": statistics.mean(row["scores"]["frame_accuracy"] for row in own),
                "error_rate": statistics.mean(row["scores"]["error_rate"] for row in own),
                "largest_class": own[-1]["scores"]["largest_class_accuracy"],
                "parameters": own[-1]["parameters"],
                "minutes": statistics.mean(row["training_minutes"] for row in own),
                "paper": NETWORKS[name].paper if name in NETWORKS else None,
            }
        )
    return lines


def show(data: str) -> None:
    """Print the table and draw the picture."""
    table = Table(title=f"{data}: a label for every frame, unseen streams")
    heads = ("network", "seeds", "mean Jaccard", "st. dev.", "union", "frames right", "error rate", "minutes", "paper")
    for head in heads:
        table.add_column(head, justify="left" if head == "network" else "right")
    for line in summarise(data):
        spread, paper = line["spread"], line["paper"]
        table.add_row(
            line["network"],
            str(line["seeds"]),
            f"{line['jaccard']:.4f}",
            "" if spread is None else f"{spread:.4f}",
            f"{line['union']:.4f}",
            f"{line['frame_accuracy']:.4f}",
            f"{line['error_rate']:.4f}",
            f"{line['minutes']:.1f}",
            "" if paper is None else f"{paper:.3f}",
        )
    Console(width=130).print(table)
    if data == "shrec":
        draw(summarise(data))


def draw(lines: list[dict[str, Any]]) -> None:
    """Draw each network's mean Jaccard beside that of the paper's own data."""
    if not lines:
        return
    figure = Figure(figsize=(7.5, 0.5 * len(lines) + 1.2), layout="constrained")
    axes = figure.subplots()
    heights = range(len(lines), 0, -1)
    axes.barh(heights, [line["jaccard"] for line in lines], height=0.5, color="#4070b0", label="here: SHREC'17 streams")
    known = [(line["paper"], height) for line, height in zip(lines, heights, strict=True) if line["paper"]]
    axes.plot(*zip(*known, strict=True), "d", color="#c03030", label="paper: Montalbano")
    axes.set_yticks(heights, [line["network"] for line in lines])
    axes.set(xlabel="mean Jaccard index", xlim=(0, 1), title="A label for every frame")
    axes.legend(loc="lower left")
    axes.grid(axis="x", alpha=0.3)
    figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    main()
