"""Frames per second that the synthetic data set is drawn at, on one core, per set of streams and surroundings.

Run: python -m benchmarks.synthetic_speed

The process pins itself to one core. Every case draws the same clips (all classes, several subjects) in turn with the
others; the median over the passes is given, by the clock and by the processor's time (the same on an idle machine).
Depth and hand mask come with every case. One line of JSON per case goes to benchmarks/results/synthetic_speed.jsonl.
"""

from __future__ import annotations

import os
import statistics
import time
from typing import Literal, NamedTuple

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.common import RESULTS, append_rows, circumstances
from mudra.datasets.synthetic import SyntheticConfig, draw_clip, iter_items
from mudra.types import Stream

NUM_PASSES = 7
NUM_CLIPS = 24
TARGET_FRAMES_PER_S = 300


class Case(NamedTuple):
    """What is drawn."""

    streams: tuple[Stream, ...]
    hardness: Literal["plain", "moving", "hard"] = "moving"
    depth_sensor: Literal["ideal", "noisy"] = "ideal"
    size: tuple[int, int] = (112, 112)


class Speed(NamedTuple):
    """Frames per second of one pass, by the clock and by the processor's time."""

    clock: float
    processor: float


CASES = (
    Case((Stream.DEPTH,)),
    Case((Stream.RGB, Stream.DEPTH)),
    Case((Stream.RGB, Stream.DEPTH, Stream.FLOW)),
    Case((Stream.RGB, Stream.DEPTH, Stream.FLOW), hardness="hard", depth_sensor="noisy"),
    Case((Stream.RGB, Stream.DEPTH, Stream.FLOW), size=(240, 320)),
)


def main() -> None:
    cv2.setNumThreads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    speeds: dict[Case, list[Speed]] = {case: [] for case in CASES}
    for case in CASES:
        draw(case)
    for _ in range(NUM_PASSES):
        for case in CASES:
            speeds[case].append(draw(case))
    rows = [describe(case, speeds[case]) for case in CASES]
    append_rows(RESULTS / "synthetic_speed.jsonl", rows)
    show(rows)


def draw(case: Case) -> Speed:
    """Draw the clips once."""
    config = SyntheticConfig(
        clips_per_class_train=NUM_CLIPS // 12,
        size=case.size,
        streams=case.streams,
        hardness=case.hardness,
        depth_sensor=case.depth_sensor,
    )
    items = iter_items(config, "train")
    clock_s, processor_s = time.perf_counter(), time.process_time()
    for item in items:
        draw_clip(label=item.label, subject=item.subject, seed=item.seed, config=config)
    num_frames = len(items) * config.num_frames
    return Speed(num_frames / (time.perf_counter() - clock_s), num_frames / (time.process_time() - processor_s))


def describe(case: Case, speeds: list[Speed]) -> dict[str, object]:
    return {
        "streams": [*case.streams, "mask"] if Stream.DEPTH in case.streams else [*case.streams],
        "size": case.size,
        "hardness": case.hardness,
        "depth_sensor": case.depth_sensor,
        "frames_per_s": round(statistics.median(speed.clock for speed in speeds)),
        "frames_per_processor_s": round(statistics.median(speed.processor for speed in speeds)),
        "median_of": NUM_PASSES,
        "frames_per_pass": NUM_CLIPS * SyntheticConfig().num_frames,
        **circumstances("python -m benchmarks.synthetic_speed", numpy=np.__version__, opencv=cv2.__version__),
    }


def show(rows: list[dict[str, object]]) -> None:
    table = Table("streams", "size", "surroundings", "depth", "frames/s", "per processor s", title="one core")
    for row in rows:
        streams, size = row["streams"], row["size"]
        assert isinstance(streams, list)
        assert isinstance(size, tuple)
        table.add_row(
            ", ".join(streams),
            f"{size[0]}x{size[1]}",
            str(row["hardness"]),
            str(row["depth_sensor"]),
            str(row["frames_per_s"]),
            str(row["frames_per_processor_s"]),
        )
    Console().print(table)
    print(f"wanted at 112x112: at least {TARGET_FRAMES_PER_S}")


if __name__ == "__main__":
    main()
