"""Time of reading a clip's frames, against decoding the same frames with PyAV and looking at none of them.

Run: python -m benchmarks.decoding            (the real recordings in ../shared/data or $MUDRA_SHARED, where present)

Both sides open the file, decode with one thread and close it; ours also finds the times, converts and scales the 16
frames that a clip takes. They take turns in one process, and the median of each is given. One line of JSON per row is
added to benchmarks/results/decoding.jsonl.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.common import RESULTS, append_rows, circumstances, find_shared_data
from mudra.types import DepthFormat, Stream
from mudra.video import list_videos, open_video, write_video

NUM_FRAMES = 16
NUM_RUNS = 51
TARGET_RATIO = 1.3


class Case(NamedTuple):
    """One file, and the frames that are wanted of it: `NUM_FRAMES` spread over `span_s`."""

    name: str
    path: Path
    stream: Stream
    size: tuple[int, int]
    span_s: tuple[float, float] | None = None


def main() -> None:
    cv2.setNumThreads(1)
    table = Table(
        "case",
        "frames",
        "bare ms",
        "ours ms",
        "ratio",
        "CPU ratio",
        title=f"{NUM_FRAMES} frames, medians of {NUM_RUNS}",
    )
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(case) for case in [*real_cases(), synthetic_case(Path(folder))]]
    for row in rows:
        ratio = f"[{'green' if row['ratio'] <= TARGET_RATIO else 'red'}]{row['ratio']:.2f}[/]"
        table.add_row(
            row["case"],
            str(row["frames_decoded"]),
            f"{row['bare_ms']:.2f}",
            f"{row['ours_ms']:.2f}",
            ratio,
            f"{row['cpu_ratio']:.2f}",
        )
    append_rows(RESULTS / "decoding.jsonl", rows)
    Console().print(table)


def real_cases() -> list[Case]:
    root = find_shared_data()
    if root is None:
        return []
    shrec, fir = list_videos(root / "shrec2017" / "validation")[0], list_videos(root / "fir")[0]
    isogd = sorted((root / "isogd" / "train" / "001").glob("M_*.avi"))[0]
    return [
        Case("shrec2017 mkv, depth", shrec, Stream.DEPTH, (112, 112)),
        Case("isogd avi, colour", isogd, Stream.RGB, (112, 112)),
        Case("isogd avi, depth", isogd.with_name(isogd.name.replace("M_", "K_")), Stream.DEPTH, (112, 112)),
        Case("fir mp4, colour, 4 s of it", fir, Stream.RGB, (112, 112), (60.0, 64.0)),
    ]


def synthetic_case(folder: Path) -> Case:
    """A 640x480 file of 4 s in which a noisy square moves: still noise would make decoding look dear."""
    generator = np.random.default_rng(0)
    noise = generator.integers(0, 255, (120, 120, 3), dtype=np.uint8)
    frames = np.full((120, 480, 640, 3), 90, dtype=np.uint8)
    frames += np.linspace(0, 100, 640, dtype=np.uint8)[None, None, :, None]
    for index, frame in enumerate(frames):
        frame[200:320, 4 * index : 4 * index + 120] = noise
    path = folder / "square.mp4"
    write_video(path, frames, fps=30)
    return Case("synthetic mp4 640x480, colour", path, Stream.RGB, (112, 112))


def measure(case: Case) -> dict[str, Any]:
    wanted = wanted_frames(case)
    start_pts, num_decoded = decoded_range(case.path, wanted)

    def bare() -> None:
        with av.open(str(case.path)) as container:
            video = container.streams.video[0]
            video.codec_context.thread_count = 1
            if start_pts is not None:
                container.seek(start_pts, stream=video)
            for count, _ in enumerate(container.decode(video), start=1):
                if count == num_decoded:
                    break

    def ours() -> None:
        with open_video(case.path, stream=case.stream, depth=DepthFormat(mm_per_level=5)) as reader:
            reader.read(wanted, size=case.size)

    (bare_ms, bare_cpu_ms), (ours_ms, ours_cpu_ms) = interleaved_medians_ms(bare, ours)
    return {
        "case": case.name,
        "ratio": round(ours_ms / bare_ms, 3),
        "bare_ms": round(bare_ms, 3),
        "ours_ms": round(ours_ms, 3),
        "cpu_ratio": round(ours_cpu_ms / bare_cpu_ms, 3),
        "bare_cpu_ms": round(bare_cpu_ms, 3),
        "ours_cpu_ms": round(ours_cpu_ms, 3),
        "load_average": round(os.getloadavg()[0], 2),
        "frames_decoded": num_decoded,
        "frames_read": len(wanted),
        "size": case.size,
        "median_of": NUM_RUNS,
        **circumstances("python -m benchmarks.decoding", av=av.__version__, numpy=np.__version__),
    }


def wanted_frames(case: Case) -> list[int]:
    with open_video(case.path) as reader:
        times_s = reader.times_s
    start_s, end_s = case.span_s or (times_s[0], times_s[-1])
    places = np.searchsorted(times_s, np.linspace(start_s, end_s, NUM_FRAMES)).clip(0, len(times_s) - 1)
    return [int(place) for place in places]


def decoded_range(path: Path, wanted: list[int]) -> tuple[int | None, int]:
    """Return where a reader has to start (None: at the beginning) and how many frames it decodes from there."""
    with av.open(str(path)) as container:
        frames = [(frame.pts, frame.key_frame) for frame in container.decode(video=0)]
    key = max(place for place, (_, is_key) in enumerate(frames[: wanted[0] + 1]) if is_key)
    return (frames[key][0] if key else None), wanted[-1] - key + 1


def interleaved_medians_ms(*actions: Callable[[], None]) -> list[tuple[float, float]]:
    """Return each action's median time, and that of the processor's part in it.

    They take turns, so that a busy machine slows all of them alike.
    """
    times_ms: list[list[tuple[float, float]]] = [[] for _ in actions]
    for _ in range(NUM_RUNS + 1):  # the first round warms the caches and is left out
        for action, spent_ms in zip(actions, times_ms, strict=True):
            start_s, start_cpu_s = time.perf_counter(), time.thread_time()
            action()
            cpu_s = time.thread_time() - start_cpu_s
            spent_ms.append(((time.perf_counter() - start_s) * 1e3, cpu_s * 1e3))
    return [tuple(map(statistics.median, zip(*spent_ms[1:], strict=True))) for spent_ms in times_ms]


if __name__ == "__main__":
    main()
