"""Frames per second of networks that label frames: whole streams, frame by frame, and what windows need not repeat.

Run: python -m benchmarks.frame_speed     (`--help` chooses; about fifteen minutes on two cores that nobody else uses)

The networks of Pigou et al. 2015, Table 1, and ours/frame_wise, on frames of 4 channels and 64x64 pixels that are drawn
from chance: what is seen changes no time. Weights are those that training starts from.

offline   `judge_stream` over 1,000 frames in pieces of 64.
live      frame by frame, after 40 frames that are not counted: the causal twin, or a network's windows, each answered
          for its middle when its last frame has come; also the slowest of a hundred frames.
sliding   for networks with a window: `judge_frames` over a stream against the network on every window by itself, eight
          windows at a time; the ratio of their rates, and the largest difference of their logits.

Rows go to benchmarks/results/frame_speed.jsonl.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.common import RESULTS, append_rows, circumstances
from mudra.models import FrameWiseNet, FrameWiseNetConfig, judge_frames, judge_stream
from mudra.models.sliding_window import judge_windows
from mudra.recipes import find_recipe

Row = dict[str, Any]
CHANNELS, SIDE_PX, NUM_CLASSES = 4, 64, 21
PIECE_FRAMES, WARM_FRAMES, WINDOWS_AT_ONCE = 64, 40, 8
PAPER = "pigou2015/table1/"
NAMES = ("single_frame", "max_pooling", "mean_pooling", "temporal_conv", "rnn", "lstm", "temporal_conv_lstm")
CASES = (*(PAPER + name for name in NAMES), "ours/frame_wise")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--frames", type=int, default=1000, help="frames of the whole stream")
    parser.add_argument("--live-frames", type=int, default=200)
    parser.add_argument("--windows", type=int, default=128, help="windows that are judged one by one")
    parser.add_argument("--rounds", type=int, default=3, help="the median of so many counts")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--keep", action=argparse.BooleanOptionalAction, default=True, help="write the rows")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows: list[Row] = []
    for name in options.cases:
        for part in options.parts:
            found = PARTS[part](name, options)
            if found is not None:
                rows.append({"part": part, "case": name, **found, "threads": options.threads})
                print(rows[-1], flush=True)
    said = circumstances("python -m benchmarks.frame_speed", torch=torch.__version__)
    if options.keep:
        append_rows(RESULTS / "frame_speed.jsonl", [{**row, **said} for row in rows])
    show(rows)


def read_config(name: str) -> FrameWiseNetConfig:
    model = find_recipe(name).model
    assert isinstance(model, FrameWiseNetConfig)
    return model.model_copy(update={"in_channels": CHANNELS, "num_classes": NUM_CLASSES})


def build(config: FrameWiseNetConfig) -> FrameWiseNet:
    torch.manual_seed(0)
    return config.build().eval()


def draw(num_frames: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(num_frames, CHANNELS, SIDE_PX, SIDE_PX, generator=generator)


def median_s(program: Callable[[], object], rounds: int) -> float:
    """Return the median of so many runs."""
    spent = []
    for _ in range(rounds):
        started = time.perf_counter()
        program()
        spent.append(time.perf_counter() - started)
    return statistics.median(spent)


def offline(name: str, options: argparse.Namespace) -> Row:
    """Measure a whole stream."""
    network, stream_TCHW = build(read_config(name)), draw(options.frames)

    def judge() -> int:
        return sum(len(rows) for rows in judge_stream(network, stream_TCHW.split(PIECE_FRAMES)))

    list(judge_stream(network, stream_TCHW[:PIECE_FRAMES].split(PIECE_FRAMES)))
    seconds = median_s(judge, options.rounds)
    return {"num_frames": options.frames, "frames_per_s": round(options.frames / seconds, 1)}


def live(name: str, options: argparse.Namespace) -> Row:
    """Measure frame by frame: the causal twin, or the windows of a network that has one."""
    config = read_config(name)
    window = config.window
    network = build(config if window is not None else config.to_causal())
    spent = []
    state: Any = None
    with torch.inference_mode():
        for frame_BTCHW in draw(options.live_frames + WARM_FRAMES)[None].split(1, dim=1):
            started = time.perf_counter()
            if window is None:
                state = network.forward_stream(frame_BTCHW, state).state
            else:
                state = judge_windows(network, frame_BTCHW, state).state
            spent.append(time.perf_counter() - started)
    spent = spent[WARM_FRAMES:]
    slowest_ms = sorted(spent)[int(0.99 * (len(spent) - 1))] * 1e3
    return {
        "num_frames": len(spent),
        "waits_frames": 0 if window is None else window.num_frames // 2,
        "frames_per_s": round(len(spent) / sum(spent), 1),
        "median_ms": round(statistics.median(spent) * 1e3, 3),
        "slowest_of_100_ms": round(slowest_ms, 3),
    }


def sliding(name: str, options: argparse.Namespace) -> Row | None:
    """Compare windows that share what they can with windows judged one by one."""
    config = read_config(name)
    if config.window is None:
        return None
    network, num_frames = build(config), options.windows
    clip_BTCHW, length = draw(num_frames)[None], config.window.num_frames
    padded = nn.functional.pad(clip_BTCHW, (0, 0, 0, 0, 0, 0, (length - 1) // 2, length // 2))
    windows_NTCHW = padded[0].unfold(0, length, 1).permute(0, 4, 1, 2, 3)

    @torch.inference_mode()
    def judge_each() -> Tensor:
        return torch.cat([network(some.contiguous())[:, 0] for some in windows_NTCHW.split(WINDOWS_AT_ONCE)])

    @torch.inference_mode()
    def judge_shared() -> Tensor:
        return judge_frames(network, clip_BTCHW)[0]

    difference = float((judge_each() - judge_shared()).abs().max())
    with FlopCounterMode(display=False) as each:
        judge_each()
    with FlopCounterMode(display=False) as shared:
        judge_shared()
    each_s, shared_s = (median_s(program, options.rounds) for program in (judge_each, judge_shared))
    return {
        "num_frames": num_frames,
        "window_frames": length,
        "frames_per_s": round(num_frames / shared_s, 1),
        "one_by_one_frames_per_s": round(num_frames / each_s, 2),
        "times_faster": round(each_s / shared_s, 2),
        "fewer_macs": round(each.get_total_flops() / shared.get_total_flops(), 2),
        "largest_difference": float(f"{difference:.1e}"),
    }


PARTS: dict[str, Callable[[str, argparse.Namespace], Row | None]] = {
    "offline": offline,
    "live": live,
    "sliding": sliding,
}


def show(rows: list[Row]) -> None:
    """Print a table of all parts."""
    heads = list(dict.fromkeys(key for row in rows for key in row))
    table = Table(*heads)
    for row in rows:
        table.add_row(*(str(row.get(head, "")) for head in heads))
    Console(width=200).print(table)


if __name__ == "__main__":
    main()
