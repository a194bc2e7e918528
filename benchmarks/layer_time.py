"""Time of one recurrent layer at the size of Agethen and Hsu 2019's table II, by its kernels.

Run: python -m benchmarks.layer_time                       (on a machine that nobody else uses; --device cuda for a GPU)
     python -m benchmarks.layer_time --rounds 1 --batch 1 --frames 2 --channels 16    (whether it runs)

512 channels in, 256 hidden ones, batches of 10 clips of 20 frames, maps of 14x14. Training is a forward and a backward
pass that gives gradients to weights and input, testing a forward pass without gradients. Layers take turns, each once
in a round; the median over rounds counts, after one round that does not. Beside each ratio to the 3x3 layer stands the
paper's.

For the multi-kernel layers, the same convolutions run alone, as often and with inputs of the same shape and order in
memory, their outputs thrown away (`floor`); wanted: at most 1.15 times that. Rows go to
benchmarks/results/layer_time.jsonl.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks.common import RESULTS, append_rows, circumstances, cpu_name
from benchmarks.recurrent import Layer, no_grad, once, take_turns
from benchmarks.recurrent_parts import Floor
from mudra.cells import Cell, MultiKernelConvLSTMConfig, PeepholeConvLSTMConfig
from mudra.cells.cell import arrange

SIDE = 14
TARGET_OVER_FLOOR = 1.15
# Seconds of the paper's table II.
PAPER_S: dict[str, dict[str, float]] = {
    "3x3": {"training": 3.424, "testing": 2.821},
    "5x5": {"training": 4.430, "testing": 3.290},
    "multi_3_5": {"training": 4.007, "testing": 3.008},
    "multi_3_5_mixed": {"training": 4.176, "testing": 3.072},
}
MODES = {"training": "forward+backward", "testing": "forward"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--channels", type=int, default=512, help="channels in; half as many are hidden")
    parser.add_argument("--mode", choices=tuple(MODES), help="one of the two alone")
    parser.add_argument("--dry", action="store_true", help="print the table, append no rows")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = [row for mode in ([options.mode] if options.mode else MODES) for row in measure(options, mode)]
    show(rows)
    if not options.dry:
        append_rows(RESULTS / "layer_time.jsonl", rows)


def build(options: argparse.Namespace) -> dict[str, Cell]:
    """Return the layers of the table."""
    channels = {"in_channels": options.channels, "hidden_channels": options.channels // 2}
    configs = {
        "3x3": PeepholeConvLSTMConfig(**channels, kernel_size=3, peephole="none"),
        "5x5": PeepholeConvLSTMConfig(**channels, kernel_size=5, peephole="none"),
        "multi_3_5": MultiKernelConvLSTMConfig(**channels, kernel_sizes=(3, 5)),
        "multi_3_5_mixed": MultiKernelConvLSTMConfig(**channels, kernel_sizes=(3, 5), mix="per_gate"),
    }
    torch.manual_seed(0)
    dtype = getattr(torch, options.dtype)
    return {name: config.build().to(options.device, dtype) for name, config in configs.items()}


def measure(options: argparse.Namespace, mode: str) -> list[dict[str, Any]]:
    """Time all layers, and the multi-kernel ones' convolutions alone, in turns."""
    programs: dict[tuple[str, str], Callable[[], object]] = {}
    for name, cell in build(options).items():
        x_BTCHW = random_clip(cell, options, mode)
        programs[name, "ours"] = run_layer(cell, x_BTCHW, mode)
        if name.startswith("multi"):
            with torch.set_grad_enabled(mode == "training"):
                floor = Floor(cell, x_BTCHW)
            programs[name, "floor"] = floor.backward if mode == "training" else no_grad(floor.forward)
    spent = take_turns(programs, options.rounds, options.device)
    first, paper_first = spent["3x3", "ours"], PAPER_S["3x3"][mode]
    return [
        {
            "layer": name,
            "mode": mode,
            "seconds": round(spent[name, "ours"], 4),
            "ratio": round(spent[name, "ours"] / first, 3),
            "paper_s": paper[mode],
            "paper_ratio": round(paper[mode] / paper_first, 2),
            "over_floor": round(spent[name, "ours"] / spent[name, "floor"], 3) if (name, "floor") in spent else None,
            "channels": [options.channels, options.channels // 2],
            "batch": options.batch,
            "num_frames": options.frames,
            "map": [SIDE, SIDE],
            "dtype": options.dtype,
            "threads": torch.get_num_threads(),
            "device": torch.cuda.get_device_name() if options.device == "cuda" else cpu_name(),
            "median_of": options.rounds,
            **circumstances("python -m benchmarks.layer_time", torch=torch.__version__),
        }
        for name, paper in PAPER_S.items()
    ]


def random_clip(cell: Cell, options: argparse.Namespace, mode: str) -> Tensor:
    """Return maps whose axes stand in memory as the cell wants them."""
    weight = next(cell.parameters())
    shape = (options.batch, options.frames, options.channels, SIDE, SIDE)
    x_BTCHW = torch.randn(shape, device=weight.device, dtype=weight.dtype)
    with torch.set_grad_enabled(mode == "training"):
        channels_last = cell.wants_channels_last(weight.device)
    return arrange(x_BTCHW, channels_last=channels_last).requires_grad_(mode == "training")


def run_layer(cell: Cell, x_BTCHW: Tensor, mode: str) -> Callable[[], object]:
    """Return the program of one iteration."""
    layer = Layer(cell)
    if mode == "testing":
        return once(layer, x_BTCHW, MODES[mode])
    grad = torch.randn_like(x_BTCHW[:, :, : cell.hidden_channels])
    return lambda: torch.autograd.grad(layer(x_BTCHW), [x_BTCHW, *layer.parameters()], grad)


def show(rows: list[dict[str, Any]]) -> None:
    """Print the table."""
    table = Table(title=f"one layer, {rows[0]['dtype']}, {rows[0]['threads']} threads, {rows[0]['device']}")
    for head in ("layer", "", "seconds", "to 3x3", "paper", f"over its convolutions (<= {TARGET_OVER_FLOOR})"):
        table.add_column(head, justify="left" if head in ("layer", "") else "right")
    for row in rows:
        over = "-" if row["over_floor"] is None else f"{row['over_floor']:.2f}"
        times = (f"{row['seconds']:.3f}", f"{row['ratio']:.2f}", f"{row['paper_ratio']:.2f}")
        table.add_row(row["layer"], row["mode"], *times, over)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
