"""Clips per second of the loader, and the share of a training step spent waiting for data, with the preset ours/small.

Run: python -m benchmarks.loader                  (SHREC'17 and IsoGD in ../shared/data or $MUDRA_SHARED where present,
                                                   and drawn colour clips)
     python -m benchmarks.loader --only isogd     (cases whose name begins so)
     python -m benchmarks.loader --clips 32 --dry (whether it runs: few clips, no rows)

The loader alone is measured first, with and without cached windows; then a real epoch of training, whose steps are
timed from the end of one to the beginning of the next.

Pairs of colour and depth, IsoGD's with depth in place, are read as fan2021/table1/msd reads them, eight frames of
224x224 of each stream: clips per second of the loader alone, with the processes that it starts by itself and with one
for every core. Beside it the same processes decode the same frames with PyAV, from the key frame before the first to
the last, and look at none of them. Both take turns, each once before it counts, and the median counts.

Rows are added to benchmarks/results/loader.jsonl.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

import av
import torch
from rich.console import Console
from rich.table import Table
from torch.utils.data import Dataset as TorchDataset

from benchmarks.common import RESULTS, append_rows, circumstances, find_shared_data
from benchmarks.decoding import decoded_range
from mudra.cli.common import find_config, open_dataset
from mudra.clips.source import nearest_frames, pair_frames
from mudra.datasets import Dataset
from mudra.training import RunConfig, train
from mudra.training.callback import read_curves
from mudra.training.clip_dataset import ClipDataset, open_sources
from mudra.training.loaders import GestureData, build_loader, count_workers
from mudra.types import Stream

Row = dict[str, Any]
NUM_CLIPS = 320
EPOCHS = 2
CACHES = ("none", "memory")
PAIRS = "isogd, colour and depth, 224x224"
NUM_PASSES = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="cases whose name begins so")
    parser.add_argument("--clips", type=int, default=NUM_CLIPS, help="clips of an epoch")
    parser.add_argument("--dry", action="store_true", help="print the table, append no rows")
    options = parser.parse_args()
    rows: list[Row] = []
    for name, build in cases().items():
        if name.startswith(options.only):
            config = build()
            measure = measure_pairs if name == PAIRS else measure_case
            rows += [{"case": name, **row} for row in measure(config, open_dataset(config), options.clips)]
    rows = [{**row, **circumstances("python -m benchmarks.loader", torch=torch.__version__)} for row in rows]
    if not options.dry:
        append_rows(RESULTS / "loader.jsonl", rows)
    show(rows)


def cases() -> dict[str, Callable[[], RunConfig]]:
    """Return what makes the run of each case; of real recordings, where they are there."""
    drawn = ["data=synthetic", "data.clips_per_class_train=27", "data.clips_per_class_validation=1"]
    found = {"synthetic, colour": lambda: find_config("ours/small", drawn, tell=str)}
    if shared := find_shared_data():
        found["shrec2017, depth"] = lambda: find_config(str(shared / "shrec2017"), [], tell=str)
        pairs = ["data=isogd", f"data.root={shared / 'isogd'}", "data.depth=aligned", "data.on_missing=skip"]
        found[PAIRS] = lambda: find_config("fan2021/table1/msd", pairs, tell=str)
    return found


def measure_case(config: RunConfig, dataset: Dataset, num_clips: int) -> list[Row]:
    """Measure the loader alone for each cache, and training, on the first clips and a few for validation."""
    kept = {"train": dataset.split("train")[:num_clips], "validation": dataset.split("validation")[:16], "test": ()}
    dataset = replace(dataset, recordings=kept)
    alone = [{"cache": cache, **measure_loader(config, dataset, cache)} for cache in CACHES]
    return [*alone, {"cache": "auto", **measure_training(config, dataset)}]


def measure_loader(config: RunConfig, dataset: Dataset, cache: str) -> Row:
    """Return clips per second over one epoch; with a cache, its windows are read before."""
    loader = config.loader.model_copy(update={"cache": cache})
    data = GestureData(dataset, config.model_copy(update={"loader": loader}))
    data.prepare()
    batches = data.train_dataloader()
    started, count = time.perf_counter(), 0
    for batch in batches:
        count += len(batch.label_B)
    return {"clips_per_s": round(count / (time.perf_counter() - started), 1), "workers": batches.num_workers}


def measure_training(config: RunConfig, dataset: Dataset) -> Row:
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


def measure_pairs(config: RunConfig, dataset: Dataset, num_clips: int) -> list[Row]:
    """Measure the loader alone against decoding, for each number of processes."""
    # The recordings over and over: so many batches that no process waits long for another's last one.
    dataset = replace(dataset, recordings={"train": tuple(islice(cycle(dataset.split("train")), num_clips))})
    workers = dict.fromkeys([count_workers(config.loader, cache="none"), os.cpu_count() or 1])
    found = []
    for num_workers in workers:
        loader = config.loader.model_copy(update={"cache": "none", "num_workers": num_workers})
        found.append({"cache": "none", **compare_with_decoding(config.model_copy(update={"loader": loader}), dataset)})
    return found


def compare_with_decoding(config: RunConfig, dataset: Dataset) -> Row:
    """Return clips per second of both, and how many times as long as decoding the loader takes."""
    data = GestureData(dataset, config)
    # Nobody says that another epoch begins, so that every pass draws the same clips.
    clips = data.train_dataloader()
    bare = build_loader(
        Decoding(find_parts(data.splits.train)),
        config.loader,
        cache="none",
        collate=len,
        sampler=data.sampler,
        drop_last=clips.drop_last,
    )
    spent: dict[str, list[float]] = {"ours": [], "bare": []}
    for _ in range(NUM_PASSES + 1):  # the first starts the processes and fills the system's cache of files
        spent["ours"].append(_time(clips))
        spent["bare"].append(_time(bare))
    ours_s, bare_s = (statistics.median(seconds[1:]) for seconds in spent.values())
    count = len(clips) * config.loader.batch_size if clips.drop_last else len(dataset.split("train"))
    return {
        "clips_per_s": round(count / ours_s, 1),
        "decoding_clips_per_s": round(count / bare_s, 1),
        "over_decoding": round(ours_s / bare_s, 3),
        "workers": clips.num_workers,
        "num_clips": count,
        "num_frames": config.clip.num_frames,
        "median_of": NUM_PASSES,
    }


def _time(batches: Iterable[Any]) -> float:
    started = time.perf_counter()
    for _ in batches:
        pass
    return time.perf_counter() - started


class Part(NamedTuple):
    """What is decoded of one file: so many frames from a time stamp on, None for the beginning."""

    path: Path
    start_pts: int | None
    num_frames: int

    def decode(self) -> None:
        """Decode, and look at nothing."""
        with av.open(str(self.path)) as container:
            video = container.streams.video[0]
            video.codec_context.thread_count = 1
            if self.start_pts is not None:
                container.seek(self.start_pts, stream=video)
            for _ in islice(container.decode(video), self.num_frames):
                pass


class Decoding(TorchDataset[int]):
    """For each clip, the decoding of the files' parts that it takes."""

    def __init__(self, parts: list[list[Part]]) -> None:
        self.parts = parts

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, index: int) -> int:
        for part in self.parts[index]:
            part.decode()
        return index


def find_parts(clips: ClipDataset) -> list[list[Part]]:
    """Return what has to be decoded of colour and depth for each clip."""
    streams = (Stream.RGB, Stream.DEPTH)
    found = []
    for index, recording in enumerate(clips.recordings):
        times_s = clips.make_clip(recording, clips.build_generator(index)).times_s
        with ExitStack() as stack:
            sources = open_sources(clips.dataset, recording, streams, stack)
            colour = nearest_frames(sources[Stream.RGB].times_s, times_s)
            wanted = (colour, pair_frames(sources[Stream.RGB], sources[Stream.DEPTH], colour))
        paths = [path for stream in streams if (path := recording.path_of(stream)) is not None]
        ranges = [decoded_range(path, frames.tolist()) for path, frames in zip(paths, wanted, strict=True)]
        found.append([Part(path, *span) for path, span in zip(paths, ranges, strict=True)])
    return found


def show(rows: list[Row]) -> None:
    """Print the table."""
    columns = {
        "case": ("case", ""),
        "cache": ("cache", ""),
        "workers": ("workers", ""),
        "clips_per_s": ("clips per s", ".1f"),
        "decoding_clips_per_s": ("decoding alone", ".1f"),
        "over_decoding": ("times as long", ".2f"),
        "waiting_fraction": ("waiting for data", ".1%"),
        "step_ms": ("step ms", ".0f"),
    }
    table = Table(*(head for head, _ in columns.values()))
    for row in rows:
        table.add_row(*(format(row[key], form) if key in row else "" for key, (_, form) in columns.items()))
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
