"""Do masks of flow send slow things to small kernels and fast ones to large kernels? Agethen and Hsu 2019's figure 14.

Run: python -m benchmarks.flow_masks               (scikit-learn's digits, MNIST's from ../shared/data or MUDRA_SHARED)
     python -m benchmarks.flow_masks --share 1/2   (half of the networks; 2/2 in a second process trains the others)
     python -m benchmarks.flow_masks --table       (the table of what is there)

Two digits, one of 0.5 to 1.5 and one of 7 to 9 pixels per frame; the encoder's 5x5 and 7x7 kernels each see their input
through masks of flow, one for each of the 16 pixels of a patch. The paper counts in one sequence, by eye, in how many
masks a digit is a white blob. Here, in the last seen frame of each of 200 test clips, a mask prefers the digit on whose
places it is wider open on average; places that show both digits count for neither, and clips in which one digit is
hidden are left out. Half of the masks would prefer the slow digit by chance. Beside it stands the share of clips in
which the kernel's masks together prefer it, and how far the masks are open on each digit.

As in moving_digits.py networks are smaller than the paper's (16 hidden channels, 1,600 steps of 8 clips). The picture
is drawn from a network that was trained on scikit-learn's digits and has seen no others. Rows go to
benchmarks/results/flow_masks.jsonl.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional

from benchmarks.common import REPOSITORY, RESULTS, append_rows, circumstances, find_shared_data, read_rows
from benchmarks.moving_digits import SMALL, goes_on
from mudra.cells import MultiKernelConvLSTMCell
from mudra.datasets.moving_digits_config import MovingDigitClips, MovingDigitsConfig
from mudra.models import FutureNet
from mudra.recipes import find_recipe
from mudra.serving import load_future
from mudra.training import RunConfig, train
from mudra.training.future_data import cut_future

FILE = RESULTS / "flow_masks.jsonl"
PICTURE = RESULTS / "flow_masks.png"
RUNS = REPOSITORY / "runs" / "flow_masks"
RECIPE = "agethen2019/figure14/masks"
KERNELS = (5, 7)
SLOW, FAST = 1, 2  # as `DigitClips.shown_BTHW` numbers them
NUM_CLIPS, SHOWN_CLIP = 200, 3
SEEDS = range(3)
SOURCES = ("mnist", "sklearn")


class Seen(NamedTuple):
    """What the encoder's kernels see of the last frame of some clips.

    Args:
        masks: The masks (B, C, H, W) of each kernel size.
        slow_BHW, fast_BHW: Which places of the map show one digit alone.
        frames_BTHW: The frames, grey levels in [0, 1].
    """

    masks: dict[int, Tensor]
    slow_BHW: Tensor
    fast_BHW: Tensor
    frames_BTHW: Tensor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", default="1/1", help="which part of the networks, for example 1/2")
    parser.add_argument("--table", action="store_true", help="show what is there, train nothing")
    options = parser.parse_args()
    part, parts = (int(word) for word in options.share.split("/"))
    todo = [(source, seed) for seed in SEEDS for source in SOURCES if source != "mnist" or find_shared_data()]
    for index, (source, seed) in enumerate(todo):
        known = {(row["source"], row["seed"]) for row in known_rows()}
        if not options.table and index % parts == part - 1 and (source, seed) not in known:
            append_rows(FILE, [run_network(source, seed)])
    show()


def known_rows() -> list[dict[str, Any]]:
    """Return the rows that were made with the settings of today."""
    return [row for row in read_rows(FILE) if row.get("settings") == SMALL]


def config_of(source: str, seed: int) -> RunConfig:
    """Return the run of one network."""
    root = [f"data.root={(find_shared_data() or Path()) / 'mnist'}"] if source == "mnist" else []
    words = [f"data.source={source}", *root, f"seed={seed}", "data.clips_validation=0", *SMALL]
    return find_recipe(RECIPE).with_overrides(words)


def folder_of(source: str, seed: int) -> Path:
    return RUNS / f"{source}_seed{seed}"


def run_network(source: str, seed: int) -> dict[str, Any]:
    """Train one network, and return what its masks prefer."""
    config, folder = config_of(source, seed), folder_of(source, seed)
    if folder.exists() and not goes_on(folder, config):
        shutil.rmtree(folder)
    assert config.data is not None
    started = time.perf_counter()
    train(config, config.data.build(), folder, resume=folder.exists(), tell=lambda line: None)
    seconds = time.perf_counter() - started
    return {
        "source": source,
        "seed": seed,
        **prefer(look(config, folder, range(NUM_CLIPS))),
        "minutes": round(seconds / 60, 2),
        "settings": SMALL,
        **circumstances("python -m benchmarks.flow_masks", torch=torch.__version__),
    }


@torch.inference_mode()
def look(config: RunConfig, folder: Path, numbers: range) -> Seen:
    """Return the masks for the last seen frame of test clips."""
    network = load_future(folder, device="cpu").network
    encoder = network.encoder
    assert isinstance(config.data, MovingDigitsConfig)
    assert isinstance(encoder, MultiKernelConvLSTMCell)
    clips = MovingDigitClips(config.data).generators["test"].draw(numbers)
    seen_BTCHW = cut_future(clips.to_tensor(with_flow=True), config.clip).seen_BTCHW
    patches_BTCHW = functional.pixel_unshuffle(seen_BTCHW[:, -1:], network.patch_size)
    masks = encoder.flow_attention.masks(patches_BTCHW)
    shown_BHW = torch.from_numpy(clips.shown_BTHW[:, config.clip.num_frames - 1])
    slow_BHW, fast_BHW = (_places(shown_BHW == digit, network) for digit in (SLOW, FAST))
    return Seen(
        {size: masks[place][:, 0] for place, size in enumerate(KERNELS)},
        slow_BHW & ~fast_BHW,
        fast_BHW & ~slow_BHW,
        seen_BTCHW[:, :, 0],
    )


def _places(is_shown_BHW: Tensor, network: FutureNet) -> Tensor:
    """Return which places of the map have a pixel that is shown."""
    return functional.max_pool2d(is_shown_BHW.float().unsqueeze(1), network.patch_size).squeeze(1) > 0


def prefer(seen: Seen) -> dict[str, Any]:
    """Return, for each kernel, how often its masks are wider open on the slow digit than on the fast one."""
    both_B = seen.slow_BHW.any(dim=2).any(dim=1) & seen.fast_BHW.any(dim=2).any(dim=1)
    numbers: dict[str, Any] = {"num_clips": int(both_B.sum())}
    for size, masks_BCHW in seen.masks.items():
        slow_BC, fast_BC = (
            (masks_BCHW * places_BHW.unsqueeze(1)).sum(dim=(2, 3)) / places_BHW.sum(dim=(1, 2)).unsqueeze(1)
            for places_BHW in (seen.slow_BHW, seen.fast_BHW)
        )
        slow_BC, fast_BC = slow_BC[both_B], fast_BC[both_B]
        numbers[f"slow_masks_{size}x{size}"] = round(float((slow_BC > fast_BC).float().mean()), 4)
        numbers[f"slow_clips_{size}x{size}"] = round(float((slow_BC.mean(1) > fast_BC.mean(1)).float().mean()), 4)
        numbers[f"open_on_slow_{size}x{size}"] = round(float(slow_BC.mean()), 4)
        numbers[f"open_on_fast_{size}x{size}"] = round(float(fast_BC.mean()), 4)
    return numbers


def show() -> None:
    """Print the table, and draw the picture where its network is there."""
    table = Table(title="masks of flow: shares that prefer the slow digit (paper: 5x5 10/16 slow, 7x7 11/16 fast)")
    for head in ("digits", "seeds", *(f"{size}x{size} {what}" for size in KERNELS for what in ("masks", "clips"))):
        table.add_column(head, justify="left" if head == "digits" else "right")
    rows = {(row["source"], row["seed"]): row for row in known_rows()}
    for source in SOURCES:
        own = [row for (of, _), row in rows.items() if of == source]
        if not own:
            continue
        cells = []
        for size in KERNELS:
            for what in ("masks", "clips"):
                shares = [row[f"slow_{what}_{size}x{size}"] for row in own]
                cells.append(f"{statistics.mean(shares):.2f} ({min(shares):.2f}-{max(shares):.2f})")
        table.add_row(source, str(len(own)), *cells)
    Console(width=130).print(table)
    folder = folder_of("sklearn", SEEDS[0])
    if (folder / "weights.safetensors").exists():
        draw(look(config_of("sklearn", SEEDS[0]), folder, range(SHOWN_CLIP, SHOWN_CLIP + 1)))


def draw(seen: Seen) -> None:
    """Draw some frames of one clip, and all masks of both kernels for the last of them."""
    figure = Figure(figsize=(9.0, 6.0), layout="constrained")
    top, *below = figure.subfigures(1 + len(KERNELS), 1, height_ratios=(1.0, 1.6, 1.6))
    frames_THW = seen.frames_BTHW[0].numpy()
    top.suptitle("one digit of about 1 pixel per frame, one of about 8: every third frame, and the last one", size=9)
    chosen = [*range(0, len(frames_THW) - 1, 3), len(frames_THW) - 1]
    for axes, frame in zip(top.subplots(1, len(chosen)), chosen, strict=True):
        axes.imshow(frames_THW[frame], cmap="gray", vmin=0, vmax=1)
        axes.set_axis_off()
    for part, (size, masks_BCHW) in zip(below, seen.masks.items(), strict=True):
        part.suptitle(f"masks of the {size}x{size} kernel for the last frame, black 0, white 1", size=9)
        for axes, mask_HW in zip(np.ravel(part.subplots(2, masks_BCHW.shape[1] // 2)), masks_BCHW[0], strict=True):
            axes.imshow(mask_HW.numpy(), cmap="gray", vmin=0, vmax=1)
            axes.set_axis_off()
    figure.savefig(PICTURE, dpi=100)


if __name__ == "__main__":
    main()
