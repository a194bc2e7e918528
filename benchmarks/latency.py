"""One prediction's latency, split into decoding, making the clip, and the network; and the command line's start.

Run: python -m benchmarks.latency     (SHREC'17 in ../shared/data or $MUDRA_SHARED where present)

The preset ours/small with the weights it starts from: latency does not depend on what was learned. Medians over
many predictions of different files, after some that are not counted. Rows go to benchmarks/results/latency.jsonl.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.common import RESULTS, append_rows, circumstances, find_shared_data
from mudra.clips import RunCard
from mudra.datasets.synthetic import SyntheticConfig, write_synthetic
from mudra.recipes import find_recipe
from mudra.serving import Predictor
from mudra.types import DepthFormat, Stream
from mudra.video import list_videos

NUM_RUNS, NUM_WARM = 40, 5
HELP_RUNS = 9


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        drawn = SyntheticConfig(
            clips_per_class_train=4,
            clips_per_class_validation=0,
            clips_per_class_test=0,
            long_streams=0,
            streams=(Stream.RGB,),
        )
        write_synthetic(Path(folder) / "data", drawn)
        rows = [measure("synthetic 112x112 mp4, colour", Stream.RGB, list_videos(Path(folder) / "data"))]
    if shared := find_shared_data():
        files = list_videos(shared / "shrec2017" / "validation")
        rows.append(measure("shrec2017 240x180 mkv, depth", Stream.DEPTH, files[:: max(1, len(files) // NUM_RUNS)]))
    rows.append(measure_help())
    rows = [{**row, **circumstances("python -m benchmarks.latency", torch=torch.__version__)} for row in rows]
    append_rows(RESULTS / "latency.jsonl", rows)
    table = Table("case", "decode ms", "clip ms", "network ms", "all ms")
    for row in rows:
        parts = [f"{row[part]:.1f}" if part in row else "" for part in ("decode", "clip", "network", "all")]
        table.add_row(row["case"], *parts)
    Console().print(table)


def measure(name: str, stream: Stream, files: list[Path]) -> dict[str, Any]:
    """Return median milliseconds of each part."""
    config = find_recipe("ours/small").with_overrides({"clip.streams": [stream.value]})
    model = config.model.model_copy(update={"num_classes": 14, "in_channels": config.clip.num_channels})
    card = RunCard(classes=tuple(map(str, range(14))), clip=config.clip, depth=DepthFormat(mm_per_level=5.0))
    predictor = Predictor(model.build(), card)
    chosen = [files[index % len(files)] for index in range(NUM_RUNS + NUM_WARM)]
    spent = [predictor.predict(file).latency_ms for file in chosen][NUM_WARM:]
    parts = {part: round(statistics.median(one[part] for one in spent), 2) for part in spent[0]}
    whole = round(statistics.median(sum(one.values()) for one in spent), 2)
    return {"case": name, **parts, "all": whole, "median_of": NUM_RUNS, "threads": torch.get_num_threads()}


def measure_help() -> dict[str, Any]:
    """Return median milliseconds of `mudra --help` as a whole process."""
    command = [str(Path(sys.executable).with_name("mudra")), "--help"]
    spent = []
    for _ in range(HELP_RUNS):
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        spent.append((time.perf_counter() - started) * 1e3)
    return {"case": "mudra --help, whole process", "all": round(statistics.median(spent), 1), "median_of": HELP_RUNS}


if __name__ == "__main__":
    main()
