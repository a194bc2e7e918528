"""Speed on one core of what feeds flow and moving digits: the digits' generator, and flow against decoding.

Run: python -m benchmarks.flow_speed

The process pins itself to one core; everything takes turns, and the median counts. Digits: frames per second of batches
of 16 clips of 20 frames of 64x64, ready for the network, with one digit and with two, without flow and with the true
one; wanted: at least 3,000. Flow: that of a clip of 64 frames of 112x112 of a drawn set, computed as clips compute it,
against reading the same 64 frames from a file of 320x240 with one thread; wanted: no longer. Rows go to
benchmarks/results/flow_speed.jsonl.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.common import RESULTS, append_rows, circumstances
from mudra.clips.flow import compute_flow
from mudra.datasets import MovingDigits, read_bundled_digits
from mudra.datasets.synthetic import SyntheticConfig, draw_clip, iter_items
from mudra.types import Stream, UInt8Array
from mudra.video import open_video, write_video

NUM_PASSES = 15
NUM_CLIPS, NUM_FRAMES = 16, 20
FLOW_FRAMES, FLOW_SIZE, FILE_SIZE = 64, (112, 112), (240, 320)
LEAST_FRAMES_PER_S = 3_000
DIGIT_CASES = {"one digit": (1, False), "two digits": (2, False), "two digits with flow": (2, True)}


def main() -> None:
    cv2.setNumThreads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rows = digit_rows()
    with tempfile.TemporaryDirectory() as folder:
        rows += flow_rows(Path(folder))
    append_rows(RESULTS / "flow_speed.jsonl", rows)
    show(rows)


def median_s(programs: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return median seconds of each, every pass running each of them once, after one that is not counted."""
    spent: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(NUM_PASSES + 1):
        for name, program in programs.items():
            started = time.perf_counter()
            program()
            spent[name].append(time.perf_counter() - started)
    return {name: statistics.median(seconds[1:]) for name, seconds in spent.items()}


def digit_rows() -> list[dict[str, Any]]:
    """Return frames per second of the generator."""
    digits = read_bundled_digits()
    programs: dict[str, Callable[[], object]] = {}
    for name, (count, with_flow) in DIGIT_CASES.items():
        source = MovingDigits(digits, speeds_px=((1.0, 8.0),) * count, num_frames=NUM_FRAMES)
        programs[name] = lambda source=source, with_flow=with_flow: source.draw(range(NUM_CLIPS)).to_tensor(
            with_flow=with_flow
        )
    return [
        {"case": name, "frames_per_s": round(NUM_CLIPS * NUM_FRAMES / seconds), **_said()}
        for name, seconds in median_s(programs).items()
    ]


def flow_rows(folder: Path) -> list[dict[str, Any]]:
    """Return the time of a clip's flow, and that of reading its frames."""
    frames_THWC = draw_frames()
    path = folder / "clip.mp4"
    write_video(path, frames_THWC, fps=25)

    def read() -> UInt8Array:
        with open_video(path) as reader:
            return reader.read(size=FLOW_SIZE).frames_THWC.astype(np.uint8, copy=False)

    grey_THW = np.stack([cv2.cvtColor(frame_HWC, cv2.COLOR_RGB2GRAY) for frame_HWC in read()])
    # Every frame has a next one in a recording; here the first follows the last.
    spent = median_s({"decode": read, "flow": lambda: compute_flow(grey_THW, np.roll(grey_THW, -1, axis=0))})
    told = {"flow_ms": round(spent["flow"] * 1e3, 2), "decode_ms": round(spent["decode"] * 1e3, 2)}
    return [{"case": "flow", **told, "ratio": round(spent["flow"] / spent["decode"], 3), **_said()}]


def draw_frames() -> UInt8Array:
    """Return 64 frames of drawn gestures in which the surroundings move, one clip behind the other."""
    config = SyntheticConfig(
        size=FILE_SIZE, num_frames=FLOW_FRAMES // 2, streams=(Stream.RGB,), clips_per_class_train=1
    )
    clips = [
        draw_clip(label=item.label, subject=item.subject, seed=item.seed, config=config).rgb_THWC
        for item in iter_items(config, "train")[:2]
    ]
    return np.concatenate([clip for clip in clips if clip is not None])


def _said() -> dict[str, Any]:
    command = "python -m benchmarks.flow_speed"
    return {"median_of": NUM_PASSES, **circumstances(command, numpy=np.__version__, opencv=cv2.__version__)}


def show(rows: list[dict[str, Any]]) -> None:
    """Print the table."""
    table = Table("case", "measured", "wanted", title="one core")
    for row in rows:
        if "ratio" in row:
            told = f"{row['flow_ms']:.1f} ms, decoding {row['decode_ms']:.1f} ms: {row['ratio']:.2f}"
            table.add_row(f"flow of {FLOW_FRAMES} frames of 112x112", told, "at most 1")
        else:
            table.add_row(row["case"], f"{row['frames_per_s']:,} frames per s", f"at least {LEAST_FRAMES_PER_S:,}")
    Console().print(table)


if __name__ == "__main__":
    main()
