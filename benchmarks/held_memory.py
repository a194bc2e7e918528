"""What it is worth to hold memory between training steps (`fitting.hold_memory`): the same steps with and without it.

Run: python -m benchmarks.held_memory                 (about five minutes)
     python -m benchmarks.held_memory --no-keep       (writes no rows)

Each case is a network on drawn clips, forward and backward in bf16 as in training, without data and optimiser. Both
sides run in programs of their own, in turns, three times each; a side is the median of its programs, each of which
gives the median of its steps. Rows go to benchmarks/results/held_memory.jsonl.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from typing import Any, NamedTuple

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.common import REPOSITORY, RESULTS, append_rows, circumstances
from mudra.recipes import find_recipe
from mudra.training.memory import hold_memory

FILE = RESULTS / "held_memory.jsonl"
NUM_STEPS, WARM_STEPS, TURNS = 6, 2, 3


class Case(NamedTuple):
    """One network and what it is given."""

    recipe: str
    changes: tuple[str, ...]
    batch: int
    frames: int
    channels: int
    side_px: int


CASES = {
    "ours/small, 16 clips of 80x80": Case("ours/small", (), 16, 16, 1, 80),
    "ours/frame_wise, 8 fragments": Case("ours/frame_wise", (), 8, 64, 4, 64),
    "pigou2015 lstm, 8 fragments": Case("pigou2015/table1/lstm", (), 8, 64, 4, 64),
    "zhang2018 plain, 2 clips of 112x112": Case("zhang2018/table1/conv_lstm", (), 2, 16, 3, 112),
    "fan2021 tsm, 2 clips of 224x224": Case("fan2021/table1/tsm", (), 2, 8, 3, 224),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--keep", action=argparse.BooleanOptionalAction, default=True, help="write the rows")
    parser.add_argument("--child", choices=("held", "given_back"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(CASES[options.cases[0]], options.child == "held", options.threads)))
        return
    rows = [{"case": name, "threads": options.threads, **compare(name, options.threads)} for name in options.cases]
    if options.keep:
        said = circumstances("python -m benchmarks.held_memory", torch=torch.__version__)
        append_rows(FILE, [{**row, **said} for row in rows])
    show(rows)


def compare(name: str, threads: int) -> dict[str, Any]:
    """Return the medians of both sides and their ratio."""
    found: dict[str, list[dict[str, float]]] = {"given_back": [], "held": []}
    for _ in range(TURNS):
        for side, measured in found.items():
            words = ["--cases", name, "--threads", str(threads), "--child", side]
            command = [sys.executable, "-m", "benchmarks.held_memory", *words]
            told = subprocess.run(command, check=True, capture_output=True, text=True, cwd=REPOSITORY).stdout
            measured.append(json.loads(told.splitlines()[-1]))
    row = {
        f"{side}_{key}": round(statistics.median(one[key] for one in measured), 3)
        for side, measured in found.items()
        for key in ("step_s", "cpu_s", "peak_memory_mib")
    }
    row["times_faster"] = round(row["given_back_step_s"] / row["held_step_s"], 3)
    print(name, row, flush=True)
    return row


def measure(case: Case, is_held: bool, threads: int) -> dict[str, float]:
    """Return medians of this program's steps."""
    if is_held and not hold_memory():
        raise SystemExit("the C library is not glibc: nothing to compare")
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    sizes = {"num_classes": 15, "in_channels": case.channels}
    network = find_recipe(case.recipe).with_overrides(list(case.changes)).model.model_copy(update=sizes).build()
    clip_BTCHW = torch.rand(case.batch, case.frames, case.channels, case.side_px, case.side_px)
    spent, cpu = [], []
    for _ in range(WARM_STEPS + NUM_STEPS):
        started, started_cpu = time.perf_counter(), time.process_time()
        with torch.autocast("cpu", torch.bfloat16):
            logits = network.train()(clip_BTCHW)
        logits.float().logsumexp(dim=-1).mean().backward()
        spent.append(time.perf_counter() - started)
        cpu.append(time.process_time() - started_cpu)
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    medians = (statistics.median(values[WARM_STEPS:]) for values in (spent, cpu))
    return dict(zip(("step_s", "cpu_s", "peak_memory_mib"), (*medians, peak_kib / 1024), strict=True))


def show(rows: list[dict[str, Any]]) -> None:
    """Print the table."""
    table = Table(*(rows[0] if rows else []), title="training steps, memory given back or held")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console(width=180).print(table)


if __name__ == "__main__":
    main()
