"""Temporal modules: TSM, ACTION and TEA against the plain backbone, single modules against their convolutions, and MSD.

Run: python -m benchmarks.temporal_modules     (`--help` chooses parts; about ten minutes on two cores that nobody else
     uses; `--size 112 --rounds 3` for a quick look)

One clip of eight frames, 83 classes. All programs of a part take turns in one process; of each the median counts.

networks  ResNet-50 plain, with TSM and with ACTION, Res2Net-50 plain and as TEA: the forward pass in evaluation, and
          a training step: forward, cross-entropy, backward, gradient clipping, SGD with momentum. `over_plain` is the
          ratio to the same backbone without the module.
modules   TSM and ACTION alone on maps of every width that ResNet-50's blocks take in, against the 1x1 convolution that
          stands behind them: forward, and forward and backward. Maps stand channels last, as in the network.
decoder   ACTION with and without the multi-scale decoder: a training step with its two losses against one without, and
          the forward pass in evaluation, in which a decoder has no part.

With bf16 the network runs under autocast, its weights in float32; single modules are bf16 throughout.

The program keeps the memory that it lets go of, as training does (`fitting.hold_memory`); with `--memory system` the C
library gives it back, and steps wait for new pages.

Seconds are of the wall clock. `--clock cpu` counts the processor's time instead, of one thread, which other programs on
the machine disturb less. `--device cuda` has never run: no GPU was at hand.

Rows go to benchmarks/results/temporal_modules.jsonl.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from benchmarks.common import RESULTS, append_rows, circumstances
from mudra.backbones import Action, AnyBackboneConfig, Res2NetConfig, ResNetConfig, TemporalModule, TemporalShift
from mudra.models import GestureNet
from mudra.recipes.fan2021.protocol import ACTION, EGOGESTURE_CLASSES, MSD, NUM_FRAMES, TEA, TSM, make_network
from mudra.training.memory import hold_memory

Row = dict[str, Any]
Program = Callable[[], object]
CLOCKS = {"wall": time.perf_counter, "cpu": time.thread_time}
# Each network with the one that it is measured against: the same backbone without temporal modules.
NETWORKS: dict[str, tuple[AnyBackboneConfig, str]] = {
    "plain": (ResNetConfig(), "plain"),
    "tsm": (TSM, "plain"),
    "action": (ACTION, "plain"),
    "res2net": (Res2NetConfig(), "res2net"),
    "tea": (TEA, "res2net"),
}
# Channels in, share of the frame's height and width, channels of the convolution behind: the blocks of ResNet-50.
PLACES = ((64, 4, 64), (256, 4, 64), (512, 8, 128), (1024, 16, 256), (2048, 32, 512))
LARGEST_NORM = 20.0  # Fan et al. 2021 after the released code of Wang et al. 2021
WARM_ROUNDS = 4  # until a program that holds its memory needs no more of it
GLOBAL_WEIGHT = 0.01  # Fan et al. 2021, section III-C


def main() -> None:
    options = parse()
    if options.memory == "held" and not hold_memory():
        raise SystemExit("the C library is not glibc and holds no memory: add --memory system")
    rows: list[Row] = []
    for part in options.parts:
        found: list[Row] = []
        for threads in options.threads if options.device == "cpu" else [1]:
            torch.set_num_threads(threads)
            for dtype in options.dtypes:
                torch.manual_seed(0)
                found += [{"part": part, **row, "threads": threads} for row in PARTS[part](options, dtype)]
        show(part, found)
        rows += found
    said = {
        "clock": options.clock,
        "memory": options.memory,
        "size_px": options.size,
        "median_of": options.rounds,
        "device": torch.cuda.get_device_name() if options.device == "cuda" else "cpu",
    }
    said |= circumstances("python -m benchmarks.temporal_modules", torch=torch.__version__)
    if not options.dry:
        append_rows(RESULTS / "temporal_modules.jsonl", [{**row, **said} for row in rows])


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--dtypes", nargs="+", choices=("float32", "bfloat16"), default=["float32", "bfloat16"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--size", type=int, default=224, help="Height and width of the frames.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="`cpu` takes one thread alone.")
    parser.add_argument("--memory", choices=("held", "system"), default="held", help="what becomes of freed memory")
    parser.add_argument("--dry", action="store_true", help="print the tables, append no rows")
    options = parser.parse_args()
    if options.size < 32:
        parser.error(f"--size {options.size} leaves nothing of the last maps: take 32 or more")
    if options.clock == "cpu" and (options.device != "cpu" or options.threads != [1]):
        parser.error("--clock cpu counts one thread: add --threads 1")
    return options


def networks(options: argparse.Namespace, dtype: str) -> list[Row]:
    """Time whole networks, and say how they compare with their plain backbones."""
    wanted = dict.fromkeys(name for one in options.networks for name in (NETWORKS[one][1], one))
    built = {name: build(NETWORKS[name][0], options) for name in wanted}
    spent = take_turns({name: network_programs(network, options, dtype) for name, network in built.items()}, options)
    rows = []
    for name in built:
        plain = NETWORKS[name][1]
        row: Row = {"case": f"{name}, {dtype}", "network": name, "dtype": dtype}
        for mode, seconds in spent[name].items():
            row |= {f"{mode}_ms": to_ms(seconds), f"{mode}_over_plain": round(seconds / spent[plain][mode], 3)}
        rows.append(row)
    return rows


def modules(options: argparse.Namespace, dtype: str) -> list[Row]:
    """Time single modules on every width of maps, against the convolution behind them."""
    rows = []
    for channels, share, out_channels in PLACES:
        place = {"device": options.device, "dtype": getattr(torch, dtype)}
        side = math.ceil(options.size / share)
        shape = (NUM_FRAMES, channels, side, side)
        x_BCHW = torch.randn(shape, **place).contiguous(memory_format=torch.channels_last).requires_grad_()
        conv = nn.Conv2d(channels, out_channels, 1, bias=False).to(**place)
        found: dict[str, TemporalModule] = {
            "tsm": TemporalShift(in_channels=channels),
            "action": Action(in_channels=channels),
        }
        programs = {"conv": module_programs(conv, conv, x_BCHW)}
        for name, module in found.items():
            module.to(**place)
            programs[name] = module_programs(module, lambda x, module=module: module(x, NUM_FRAMES), x_BCHW)
        spent = take_turns(programs, options)
        for name in found:
            row: Row = {"case": f"{name}, {channels} channels, {dtype}", "module": name, "channels": channels}
            row |= {"side": side, "dtype": dtype}
            for mode, seconds in spent[name].items():
                behind = spent["conv"][mode]
                row |= {f"{mode}_ms": to_ms(seconds), f"conv_{mode}_ms": to_ms(behind)}
                row[f"{mode}_over_conv"] = round(seconds / behind, 3)
            rows.append(row)
    return rows


def decoder(options: argparse.Namespace, dtype: str) -> list[Row]:
    """Time a network with and without the multi-scale decoder."""
    with_decoder = make_network(ACTION, MSD)
    built = {"action": build(ACTION, options), "action with decoder": finish(with_decoder, options)}
    spent = take_turns({name: network_programs(network, options, dtype) for name, network in built.items()}, options)
    row: Row = {"case": f"decoder, {dtype}", "dtype": dtype}
    for mode, without in spent["action"].items():
        seconds = spent["action with decoder"][mode]
        row |= {f"{mode}_ms": to_ms(seconds), f"{mode}_without_ms": to_ms(without)}
        row[f"{mode}_added_fraction"] = round(seconds / without - 1.0, 3)
    return [row]


PARTS = {"networks": networks, "modules": modules, "decoder": decoder}


def build(backbone: AnyBackboneConfig, options: argparse.Namespace) -> GestureNet:
    """Return the network of a backbone, as the paper's recipes have it."""
    return finish(make_network(backbone), options)


def finish(config: Any, options: argparse.Namespace) -> GestureNet:
    config = config.model_copy(update={"num_classes": EGOGESTURE_CLASSES, "in_channels": 3})
    network: GestureNet = config.build().to(options.device)
    return network


def network_programs(network: GestureNet, options: argparse.Namespace, dtype: str) -> dict[str, Program]:
    """Return a forward pass in evaluation and a training step, the decoder's losses included where there is one."""
    clip_BTCHW = torch.randn(1, NUM_FRAMES, 3, options.size, options.size, device=options.device)
    depth_BTHW = torch.rand(1, NUM_FRAMES, options.size, options.size, device=options.device)
    label_B = torch.zeros(1, dtype=torch.long, device=options.device)
    # A rate of zero: the step costs the same, and the numbers stay as the papers start them.
    optimiser = torch.optim.SGD(network.parameters(), lr=0.0, momentum=0.9, weight_decay=1e-5)
    autocast = torch.autocast(options.device, getattr(torch, dtype), enabled=dtype != "float32")

    def forward() -> None:
        network.eval()
        with torch.inference_mode(), autocast:
            network(clip_BTCHW)

    def step() -> None:
        network.train()
        optimiser.zero_grad()
        with autocast:
            logits_BK, masks = network.forward_training(clip_BTCHW)
            loss = nn.functional.cross_entropy(logits_BK, label_B)
            for mask_BTHW, weight in ((masks.local_BTHW, 1.0), (masks.global_BTHW, GLOBAL_WEIGHT)):
                if mask_BTHW is not None:
                    wanted_BTHW = nn.functional.interpolate(depth_BTHW, mask_BTHW.shape[-2:], mode="bilinear")
                    loss = loss + weight * nn.functional.mse_loss(mask_BTHW.float(), wanted_BTHW)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), LARGEST_NORM)
        optimiser.step()

    return {"forward": forward, "step": step}


def module_programs(module: nn.Module, run: Callable[[Tensor], Tensor], x_BCHW: Tensor) -> dict[str, Program]:
    """Return a forward pass, and one with its backward pass, whose gradients are thrown away."""
    with torch.no_grad():
        grad = torch.randn_like(run(x_BCHW))

    def forward() -> None:
        with torch.inference_mode():
            run(x_BCHW)

    return {
        "forward": forward,
        "forward_backward": lambda: torch.autograd.grad(run(x_BCHW), [x_BCHW, *module.parameters()], grad),
    }


def take_turns(programs: dict[str, dict[str, Program]], options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Return median seconds of each, every round running each of them once, after some that are not counted."""
    clock = CLOCKS[options.clock]
    spent: dict[str, dict[str, list[float]]] = {name: {mode: [] for mode in modes} for name, modes in programs.items()}
    for _ in range(WARM_ROUNDS + options.rounds):
        for name, modes in programs.items():
            for mode, program in modes.items():
                started = clock()
                program()
                if options.device == "cuda":
                    torch.cuda.synchronize()
                spent[name][mode].append(clock() - started)
    return {
        name: {mode: statistics.median(times[WARM_ROUNDS:]) for mode, times in modes.items()}
        for name, modes in spent.items()
    }


def to_ms(seconds: float) -> float:
    return round(seconds * 1e3, 3)


def show(part: str, rows: list[Row]) -> None:
    """Print a table of one part."""
    said = {"part", "network", "module", "dtype", "channels", "side"}
    heads = list(dict.fromkeys(key for row in rows for key in row if key not in said))
    table = Table(*heads, title=part)
    for row in rows:
        table.add_row(*(str(row.get(head, "")) for head in heads))
    Console(width=220).print(table)


if __name__ == "__main__":
    main()
