"""One recurrent layer: its speed against its own convolutions run alone, its memory in training and in a stream.

Run: python -m benchmarks.recurrent     (`--help` chooses parts; about five minutes on two cores that nobody else uses)

Eight frames of 256 channels, 28x28 cells, one clip. Three programs take turns in one process; of each the median
counts.

ours      `unroll` as it is.
floor     every convolution and matrix product that `unroll` calls, as often, with inputs of the same shape and the same
          order in memory, outputs thrown away; backwards, its gradients by its weights and, where ours needs them, by
          its inputs, added to nothing.
together  a ConvLSTM as it is commonly written: step by step, one convolution of input and hidden map side by side.

Training memory is the most that tensors hold at once in one forward and backward pass beyond what was there before,
gradients included, counted storage by storage, and what they hold between the two; beside it, how much the peak of a
process of its own grew as the system sees it (32 frames, so that it stands out).

On a GPU (`--device cuda`) launches are counted too, steps can be compiled or captured in CUDA graphs, and training of
a whole network is timed. That part has never run: no GPU was at hand.

Rows go to benchmarks/results/recurrent.jsonl.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from benchmarks.common import RESULTS, append_rows, circumstances
from benchmarks.recurrent_parts import Floor, LiveBytes, Together
from mudra.cells import AnyCellConfig, Cell, Unrolled, unroll
from mudra.cells.cell import arrange
from mudra.config import configs_in
from mudra.recipes import find_recipe

Row = dict[str, Any]
CHANNELS, SIDE, NUM_FRAMES, LONG_FRAMES = 256, 28, 8, 32
STREAM_FRAMES, STREAM_CHANNELS, STREAM_SIDE = 20_000, 16, 7
KINDS: dict[str, Any] = {config.model_fields["kind"].default: config for config in configs_in(AnyCellConfig)}
# How a step is run: as it is, compiled, or compiled and captured in CUDA graphs.
STEPS = {"eager": None, "compiled": "default", "graph": "reduce-overhead"}


def main() -> None:
    options = parse()
    if options.peak_of:
        print(json.dumps(peak_of(options.peak_of, options.memory)))
        return
    rows: list[Row] = []
    for part in options.parts:
        found = PARTS[part](options)
        show(part, found)
        rows += found
    said = circumstances("python -m benchmarks.recurrent", torch=torch.__version__)
    device = torch.cuda.get_device_name() if options.device == "cuda" else "cpu"
    if not options.dry:
        append_rows(RESULTS / "recurrent.jsonl", [{**row, "device": device, **said} for row in rows])


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=["speed", "memory", "stream"])
    parser.add_argument("--cells", nargs="+", choices=KINDS, default=["conv_lstm", "gated_conv_lstm"])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=["eager"])
    parser.add_argument("--dtypes", nargs="+", choices=("float32", "bfloat16"), default=["float32", "bfloat16"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--dry", action="store_true", help="print the tables, append no rows")
    parser.add_argument("--peak-of", help=argparse.SUPPRESS)
    parser.add_argument("--memory", default="keep", help=argparse.SUPPRESS)
    return parser.parse_args()


def build(kind: str, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Cell:
    torch.manual_seed(0)
    config = KINDS[kind].from_mapping({"in_channels": CHANNELS})
    cell: Cell = config.build().to(device, dtype)
    return cell


def random_clip(cell: Cell, num_frames: int, mode: str = "forward+backward") -> Tensor:
    """Return a clip of the cell's device and precision whose axes stand in memory as the cell wants them."""
    weight = next(cell.parameters())
    clip_BTCHW = torch.randn(1, num_frames, CHANNELS, SIDE, SIDE, device=weight.device, dtype=weight.dtype)
    with torch.set_grad_enabled(mode != "forward"):
        channels_last = cell.wants_channels_last(weight.device)
    return arrange(clip_BTCHW, channels_last=channels_last).requires_grad_()


def speed(options: argparse.Namespace) -> list[Row]:
    """Time forward alone, and forward and backward, of every cell, precision, way to step and number of threads."""
    rows = []
    for threads in options.threads if options.device == "cpu" else [1]:
        torch.set_num_threads(threads)
        for dtype in options.dtypes:
            for steps in options.steps:
                for mode in ("forward", "forward+backward"):
                    rows += speed_rows(options, mode, dtype, steps, threads)
    return rows


def speed_rows(options: argparse.Namespace, mode: str, dtype: str, steps: str, threads: int) -> list[Row]:
    """Return a row per cell, all of them having taken turns."""
    programs: dict[tuple[str, str], Callable[[], object]] = {}
    for kind in options.cells:
        cell = build(kind, options.device, getattr(torch, dtype))
        x_BTCHW = random_clip(cell, NUM_FRAMES, mode)
        with torch.set_grad_enabled(mode != "forward"):
            floor = Floor(cell, x_BTCHW)
        run = unroll if STEPS[steps] is None else torch.compile(unroll, mode=STEPS[steps])
        programs[kind, "ours"] = once(Layer(cell, run), x_BTCHW, mode)
        programs[kind, "floor"] = floor.backward if mode != "forward" else no_grad(floor.forward)
    together = Together(CHANNELS, CHANNELS).to(options.device, x_BTCHW.dtype)
    # Whoever writes it so has maps that are plain in memory.
    programs["conv_lstm", "together"] = once(together, x_BTCHW.detach().contiguous().requires_grad_(), mode)
    spent = take_turns(programs, options.rounds, options.device)
    launches = count_launches(programs) if options.device == "cuda" else {}
    plain = spent.get(("conv_lstm", "ours"))
    rows = []
    for kind in options.cells:
        own = {name: value for (of, name), value in spent.items() if of == kind}
        rows.append(
            {
                "part": "speed",
                "case": f"{kind}, {mode}, {dtype}, {steps}, {threads} thread{'s' * (threads > 1)}",
                "cell": kind,
                "mode": mode,
                "dtype": dtype,
                "steps": steps,
                "threads": threads,
                **{f"{name}_ms": round(value * 1e3, 3) for name, value in own.items()},
                "over_floor": round(own["ours"] / own["floor"], 3),
                **({"times_faster_than_conv_lstm": round(plain / own["ours"], 2)} if plain else {}),
                **{f"{name}_launches": count for (of, name), count in launches.items() if of == kind},
                "median_of": options.rounds,
            }
        )
    return rows


class Layer(nn.Module):
    """A cell with its unrolling, as a module."""

    def __init__(self, cell: Cell, run: Callable[..., Unrolled] = unroll, **options: str) -> None:
        super().__init__()
        self.cell = cell
        self.run = run
        self.options = options

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        """Return every hidden map."""
        hidden_BTDHW: Tensor = self.run(self.cell, x_BTCHW, **self.options).hidden_BTDHW
        return hidden_BTDHW


def once(layer: nn.Module, x: Tensor, mode: str) -> Callable[[], object]:
    """Return a program of one forward pass, or of one forward and backward pass, whose gradients are thrown away."""
    if mode == "forward":
        return no_grad(lambda: layer(x))
    # Here as many channels come out as go in.
    grad = torch.randn_like(x)
    return lambda: torch.autograd.grad(layer(x), [x, *layer.parameters()], grad)


def no_grad(program: Callable[[], object]) -> Callable[[], object]:
    """Return the program run without gradients."""

    def run() -> None:
        with torch.no_grad():
            program()

    return run


def take_turns(
    programs: dict[tuple[str, str], Callable[[], object]], rounds: int, device: str
) -> dict[tuple[str, str], float]:
    """Return median seconds of each, every round running each of them once, after one that is not counted."""
    spent: dict[tuple[str, str], list[float]] = {name: [] for name in programs}
    for _ in range(rounds + 1):
        for name, program in programs.items():
            started = time.perf_counter()
            program()
            if device == "cuda":
                torch.cuda.synchronize()
            spent[name].append(time.perf_counter() - started)
    return {name: statistics.median(times[1:]) for name, times in spent.items()}


def count_launches(programs: dict[tuple[str, str], Callable[[], object]]) -> dict[tuple[str, str], int]:
    """Return how many kernels each program puts on the GPU, as the profiler sees them."""
    counts = {}
    for name, program in programs.items():
        with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
            program()
            torch.cuda.synchronize()
        counts[name] = sum(event.count for event in profiler.key_averages() if "LaunchKernel" in event.key)
    return counts


def memory(options: argparse.Namespace) -> list[Row]:
    """Measure what training holds: together, `keep` and `recompute`."""
    torch.set_num_threads(max(options.threads))
    rows = []
    for kind in options.cells:
        for num_frames in (NUM_FRAMES, LONG_FRAMES):
            cell = build(kind)
            x_BTCHW = random_clip(cell, num_frames)
            layers: dict[str, nn.Module] = {name: Layer(cell, memory=name) for name in ("keep", "recompute")}
            if kind == "conv_lstm":
                layers["together"] = Together(CHANNELS, CHANNELS)
            held = {name: held_bytes(layer, x_BTCHW) for name, layer in layers.items()}
            row: Row = {
                "part": "memory",
                "case": f"{kind}, {num_frames} frames",
                "cell": kind,
                "num_frames": num_frames,
            }
            for moment in ("between", "peak"):
                row |= {f"{name}_{moment}_mib": to_mib(getattr(found, moment)) for name, found in held.items()}
                ratio = getattr(held["recompute"], moment) / getattr(held["keep"], moment)
                row[f"recompute_over_keep_{moment}"] = round(ratio, 3)
            if num_frames == LONG_FRAMES:
                row |= {f"{name}_process_mib": child_peak(kind, name) for name in ("keep", "recompute")}
            rows.append(row)
    return rows


class Held(NamedTuple):
    """Bytes that tensors hold beyond what there was before.

    Args:
        between: Between forward and backward pass, the output included.
        peak: The most at any moment of both.
    """

    between: int
    peak: int


def held_bytes(layer: nn.Module, x_BTCHW: Tensor) -> Held:
    """Count, storage by storage, what one forward and backward pass holds; gradients of weights and input count."""
    grad = torch.randn_like(x_BTCHW)
    with LiveBytes() as live:
        output = layer(x_BTCHW)
        between = live.now
        torch.autograd.grad(output, [x_BTCHW, *layer.parameters()], grad)
    return Held(between, live.peak)


def child_peak(kind: str, kept: str) -> float:
    """Return how much the peak of a fresh process grows in one forward and backward pass, in MiB."""
    command = [sys.executable, "-m", "benchmarks.recurrent", "--peak-of", kind, "--memory", kept]
    grown: float = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return grown


def peak_of(kind: str, kept: str) -> float:
    """Run in a fresh process: one pass, and how much the peak has grown by it, in MiB."""
    layer = Layer(build(kind), memory=kept)
    x_BTCHW = random_clip(layer.cell, LONG_FRAMES)
    grad = torch.randn_like(x_BTCHW)
    # What the libraries set up at their first call is no part of the pass.
    torch.autograd.grad(layer(x_BTCHW[:, :1]), list(layer.parameters()), grad[:, :1])
    before = process_peak_bytes()
    torch.autograd.grad(layer(x_BTCHW), [x_BTCHW, *layer.parameters()], grad)
    return to_mib(process_peak_bytes() - before)


def process_peak_bytes() -> int:
    """Return the most memory that this process ever had, in bytes, as Linux counts it."""
    # Not `getrusage`: there a process begins with the peak of the one that started it.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def to_mib(num_bytes: int) -> float:
    return round(num_bytes / 2**20, 1)


def stream(options: argparse.Namespace) -> list[Row]:
    """Feed a long stream in pieces of changing length, and see whether memory grows."""
    torch.set_num_threads(1)
    rows = []
    for kind in options.cells:
        config = KINDS[kind].from_mapping({"in_channels": STREAM_CHANNELS})
        cell, state, fed, lengths = config.build(), None, 0, random.Random(0)
        with torch.inference_mode(), LiveBytes() as live:
            early = None
            while fed < STREAM_FRAMES:
                num_frames = min(lengths.randint(1, 64), STREAM_FRAMES - fed)
                piece = torch.randn(1, num_frames, STREAM_CHANNELS, STREAM_SIDE, STREAM_SIDE)
                state = unroll(cell, piece, state).state
                fed += num_frames
                del piece
                if early is None and fed >= STREAM_FRAMES // 10:
                    early = live.now, process_peak_bytes()
        assert early is not None
        rows.append(
            {
                "part": "stream",
                "case": f"{kind}, stream",
                "cell": kind,
                "num_frames": fed,
                "early_bytes": early[0],
                "late_bytes": live.now,
                "process_growth_mib": to_mib(process_peak_bytes() - early[1]),
            }
        )
    return rows


def network(options: argparse.Namespace) -> list[Row]:
    """Time training steps of the paper's whole networks, sixteen frames of 112x112, in clips per second."""
    rows, num_clips = [], 8 if options.device == "cuda" else 1
    for name in ("zhang2018/table1/conv_lstm", "zhang2018/table1/variant_a"):
        for dtype in options.dtypes:
            model = find_recipe(name).model.model_copy(update={"in_channels": 3}).build().to(options.device)
            clip = torch.randn(num_clips, 16, 3, 112, 112, device=options.device)
            label = torch.zeros(num_clips, dtype=torch.long, device=options.device)

            def step(model: nn.Module = model, clip: Tensor = clip, label: Tensor = label, dtype: str = dtype) -> None:
                with torch.autocast(clip.device.type, getattr(torch, dtype), enabled=dtype != "float32"):
                    loss = nn.functional.cross_entropy(model(clip), label)
                torch.autograd.grad(loss, list(model.parameters()))

            seconds = take_turns({(name, "network"): step}, options.rounds, options.device)[name, "network"]
            rate = round(num_clips / seconds, 2)
            rows.append({"part": "network", "case": f"{name}, {dtype}", "clips_per_s": rate})
    return rows


PARTS = {"speed": speed, "memory": memory, "stream": stream, "network": network}


def show(part: str, rows: list[Row]) -> None:
    """Print a table of one part."""
    said = {"part", "cell", "mode", "dtype", "steps", "threads", "num_frames", "median_of"}
    heads = list(dict.fromkeys(key for row in rows for key in row if key not in said))
    table = Table(*heads, title=part)
    for row in rows:
        table.add_row(*(str(row.get(head, "")) for head in heads))
    Console(width=220).print(table)


if __name__ == "__main__":
    main()
