"""Files of hours: what `mudra segment` takes of time and memory, as a whole program, for files of growing length.

Run: python -m benchmarks.long_files                      (10, 30 and 120 minutes of video; about fifteen minutes)
     python -m benchmarks.long_files --minutes 5 60       (others)

The videos are drawn, 160x120 at 25 frames per second: a bright square that wanders about in noise, so that decoding
costs what it costs. The run is ours/frame_wise at full width, trained for two steps: what it says is worth nothing,
what it costs is true. The rate counts the whole program, from its start to the last written file; memory is the
largest that was resident. Rows go to benchmarks/results/long_files.jsonl.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.common import RESULTS, append_rows, circumstances
from mudra.video import write_video

FILE = RESULTS / "long_files.jsonl"
FPS, HEIGHT, WIDTH, SIDE = 25.0, 120, 160, 24
NOISE_FRAMES = 50
MINUTES = (10, 30, 120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", nargs="+", type=float, default=list(MINUTES), help="lengths of the videos")
    parser.add_argument("--recipe", default="ours/frame_wise")
    parser.add_argument("--keep", action=argparse.BooleanOptionalAction, default=True, help="write the rows")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = train_for_a_moment(folder, options.recipe)
        for minutes in options.minutes:
            path = folder / f"{minutes:g}.mp4"
            write_video(path, draw(round(minutes * 60 * FPS)), fps=FPS)
            rows.append({"recipe": options.recipe, "video_minutes": minutes, **measure(run, path, folder)})
            print(rows[-1], flush=True)
            path.unlink()
            if options.keep:
                said = circumstances("python -m benchmarks.long_files", torch=torch.__version__)
                append_rows(FILE, [{**rows[-1], **said}])
    show(rows)


def draw(num_frames: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield pictures, a few pictures' noise over and over."""
    generator = np.random.default_rng(0)
    noise = generator.integers(0, 40, (NOISE_FRAMES, HEIGHT, WIDTH, 3), dtype=np.uint8)
    for index in range(num_frames):
        picture = noise[index % NOISE_FRAMES].copy()
        top = round((HEIGHT - SIDE) * (0.5 + 0.5 * np.sin(index / 17)))
        left = round((WIDTH - SIDE) * (0.5 + 0.5 * np.sin(index / 23)))
        picture[top : top + SIDE, left : left + SIDE] += 200
        yield picture


def train_for_a_moment(folder: Path, recipe: str) -> Path:
    """Return a run folder of full size."""
    write_video(folder / "train.mp4", draw(500), fps=FPS)
    (folder / "segments.csv").write_text(
        "path,start_s,end_s,label\ntrain.mp4,1,4,left\ntrain.mp4,6,9,right\n", encoding="utf-8"
    )
    settings = ["data.kind=segments", f"data.path={folder / 'segments.csv'}", "fitting.epochs=1"]
    settings += ["loader.fragments_per_epoch=16", "loader.num_workers=0", "loader.batch_size=8"]
    execute("train", recipe, *settings, "--out", str(folder / "run"))
    return folder / "run"


def execute(*words: str) -> os.struct_rusage | None:
    """Run `mudra` and return what it took; None where the system does not say.

    Raises:
        SystemExit: If it failed.
    """
    command = [str(Path(sys.executable).with_name("mudra")), *words]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as program:
        if not hasattr(os, "wait4"):
            program.wait()
            usage = None
        else:
            _, status, usage = os.wait4(program.pid, 0)
            program.returncode = os.waitstatus_to_exitcode(status)
    if program.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {program.returncode}")
    return usage


def measure(run: Path, path: Path, folder: Path) -> dict[str, Any]:
    """Return the row of one file."""
    started = time.perf_counter()
    usage = execute("segment", str(run), str(path), "--out", str(folder / "out"), "--csv", str(folder / "events.csv"))
    seconds = time.perf_counter() - started
    row = {"file_mib": round(path.stat().st_size / 2**20, 1), "seconds": round(seconds, 1)}
    row["times_real_time"] = round(float(path.stem) * 60 / seconds, 2)
    row["frames_per_s"] = round(float(path.stem) * 60 * FPS / seconds, 1)
    if usage is not None:
        unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kibibytes elsewhere
        row["peak_memory_mib"] = round(usage.ru_maxrss * unit / 2**20, 1)
        row["cpu_seconds"] = round(usage.ru_utime + usage.ru_stime, 1)
    return row


def show(rows: list[dict[str, Any]]) -> None:
    """Print the table."""
    table = Table(title="mudra segment on long files")
    heads = list(rows[0]) if rows else []
    for head in heads:
        table.add_column(head)
    for row in rows:
        table.add_row(*(str(row.get(head, "")) for head in heads))
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
