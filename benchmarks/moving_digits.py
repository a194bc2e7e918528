"""Does a fast digit need a large kernel? Agethen and Hsu 2019's figure 3, and kernels of two sizes beside those of one.

Run: python -m benchmarks.moving_digits                 (MNIST's digits in ../shared/data or $MUDRA_SHARED)
     python -m benchmarks.moving_digits --share 1/2     (half of the points; 2/2 in a second process does the others)
     python -m benchmarks.moving_digits --paper         (as large and as long as in the paper: for a GPU)
     python -m benchmarks.moving_digits --table         (the table and the picture of what is there)

As in the paper, a network is trained and tested for each kernel and each speed of a single digit, ten frames in and ten
out; here with three seeds. 8,000 pictures of digits are for training and 2,000 others for the test; the test clips of a
speed are the same for every network. All networks have the same number of hidden channels.

Smaller than in the paper, so that a point takes about 1.5 to 2 minutes of one core: 16 hidden channels and not 256,
1,600 steps of 8 clips and not 20,000 of 16, 400 test clips. The optimiser is the paper's, RMSprop, but at 3e-3, which
falls to nothing, and forget gates start open (bias 1): what little is learned in so few steps is otherwise not more
than the mean picture. Speeds are drawn from half a pixel per frame below the average to half a pixel above it. The
loss is the sigmoid cross-entropy summed over 64x64 pixels and ten frames. A point that
benchmarks/results/moving_digits.jsonl holds with the same settings is not trained again.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from benchmarks.common import REPOSITORY, RESULTS, append_rows, circumstances, read_rows, shared_data
from mudra.cli.future import draw_known
from mudra.recipes import find_recipe
from mudra.serving import judge_future, load_future
from mudra.training import RunConfig, train
from mudra.training.callback import read_curves
from mudra.training.future_data import find_drawer, resolve_future

NAME = "moving_digits"
KERNELS = {
    "single_3": "3x3",
    "single_5": "5x5",
    "single_7": "7x7",
    "multi_3_5": "3x3 and 5x5",
    "multi_3_7": "3x3 and 7x7",
}
COLOURS = dict(zip(KERNELS, ("#4477aa", "#228833", "#aa3377", "#ee6677", "#ccbb44"), strict=True))
SPEEDS_PX = (1, 2, 4, 6, 8)
SPREAD_PX = 0.5
SEEDS = range(3)
SMALL = [
    "model.encoder.hidden_channels=16",
    "model.encoder.forget_bias=1",
    "optimiser.lr=3e-3",
    "schedule=polynomial",
    "loader.batch_size=8",
    "data.clips_train=3200",
    "data.clips_test=400",
    "fitting.epochs=4",
    "fitting.num_threads=1",
    "loader.num_workers=0",
]


class Point(NamedTuple):
    """One training."""

    kernels: str
    speed_px: int
    seed: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", default="1/1", help="which part of the points, for example 1/2")
    parser.add_argument("--paper", action="store_true", help="the paper's size: 256 channels, 20,000 steps")
    parser.add_argument("--table", action="store_true", help="show what is there, train nothing")
    options = parser.parse_args()
    if not options.table:
        run_points(share=options.share, is_paper=options.paper)
    show(is_paper=options.paper)


def run_points(*, share: str, is_paper: bool) -> None:
    """Train what is missing, seed by seed, so that what is done so far can be compared."""
    part, parts = (int(word) for word in share.split("/"))
    points = [Point(kernels, speed, seed) for seed in SEEDS for speed in SPEEDS_PX for kernels in KERNELS]
    for index, point in enumerate(points):
        known = {Point(row["kernels"], row["speed_px"], row["seed"]) for row in known_rows(is_paper)}
        if index % parts == part - 1 and point not in known:
            append_rows(RESULTS / f"{name_of(is_paper)}.jsonl", [train_point(point, is_paper=is_paper)])


def name_of(is_paper: bool) -> str:
    return f"{NAME}_paper" if is_paper else NAME


def settings_of(is_paper: bool) -> list[str]:
    return [f"spread_px={SPREAD_PX}", *([] if is_paper else SMALL)]


def known_rows(is_paper: bool) -> list[dict[str, Any]]:
    """Return the rows that were made with the settings of today."""
    rows = read_rows(RESULTS / f"{name_of(is_paper)}.jsonl")
    return [row for row in rows if row.get("settings") == settings_of(is_paper)]


def config_of(point: Point, *, is_paper: bool) -> RunConfig:
    """Return the run of one point."""
    low, high = point.speed_px - SPREAD_PX, point.speed_px + SPREAD_PX
    words = [f"data.root={shared_data() / 'mnist'}", f"data.speeds_px=[[{low}, {high}]]", f"seed={point.seed}"]
    words += ["data.clips_validation=0", *([] if is_paper else SMALL)]
    return find_recipe(f"agethen2019/figure3/{point.kernels}").with_overrides(words)


def train_point(point: Point, *, is_paper: bool) -> dict[str, Any]:
    """Train and test one network, and return its row."""
    config = config_of(point, is_paper=is_paper)
    folder = REPOSITORY / "runs" / name_of(is_paper) / f"{point.kernels}_{point.speed_px}_seed{point.seed}"
    if folder.exists() and not goes_on(folder, config):
        shutil.rmtree(folder)
    resumed = folder.exists()
    started, started_cpu = time.perf_counter(), time.process_time()
    assert config.data is not None
    train(config, config.data.build(), folder, resume=resumed, tell=lambda line: None)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - started_cpu
    predictor = load_future(folder)
    scores = judge_future(predictor, draw_known(find_drawer(config), "test", config))
    rows = read_curves(folder / "metrics.csv")
    print(f"{point}: cross-entropy {scores.overall.cross_entropy:.1f} in {seconds:.0f} s", flush=True)
    return {
        **point._asdict(),
        "cross_entropy": round(scores.overall.cross_entropy, 2),
        "mse": round(scores.overall.mse, 3),
        "cross_entropy_per_frame": [round(value, 2) for value in scores.per_frame],
        "num_clips": scores.overall.num_clips,
        "train_loss": [round(row["train_loss"], 1) for row in rows],
        "minutes": None if resumed else round(seconds / 60, 2),
        "cpu_minutes": None if resumed else round(cpu_seconds / 60, 2),
        "parameters": predictor.card.parameters,
        "macs_per_clip": predictor.card.macs_per_clip,
        "settings": settings_of(is_paper),
        **circumstances(f"python -m benchmarks.{NAME}{' --paper' * is_paper}", torch=torch.__version__),
    }


def goes_on(folder: Path, config: RunConfig) -> bool:
    """Whether a folder holds the beginning of this very training, and not of one with other settings."""
    if not (folder / "last.ckpt").exists():
        return False
    # What is saved has been filled in; whatever differs, it is another training.
    return RunConfig.from_yaml(folder / "run.yaml") == resolve_future(config)


def summarise(rows: list[dict[str, Any]]) -> dict[tuple[str, int], list[float]]:
    """Return the test losses of every kernel and speed, a number per seed.

    Of a speed those seeds alone that all its kernels have, if there is one: clips differ with the seed, and means over
    other clips do not compare.
    """
    found: dict[tuple[str, int], dict[int, float]] = {}
    for row in rows:
        found.setdefault((row["kernels"], row["speed_px"]), {})[row["seed"]] = row["cross_entropy"]
    kept = {}
    for (kernels, speed), losses in found.items():
        shared = set.intersection(*(set(other) for (_, at), other in found.items() if at == speed)) or losses.keys()
        kept[kernels, speed] = [losses[seed] for seed in sorted(shared)]
    return kept


def tell(losses: list[float]) -> str:
    """Return the mean over seeds and half of their range; of one seed its number alone."""
    if not losses:
        return ""
    half_range = f" ({(max(losses) - min(losses)) / 2:.0f})" if len(losses) > 1 else ""
    return f"{statistics.mean(losses):.0f}{half_range}"


def show(*, is_paper: bool) -> None:
    """Print the table and draw the picture."""
    rows = known_rows(is_paper)
    losses = summarise(rows)
    if not losses:
        print("nothing measured yet")
        return
    macs = {row["kernels"]: row["macs_per_clip"] for row in rows}
    table = Table(title="moving digits: test cross-entropy, mean over seeds (half of their range)")
    for head in ("kernels", "MMAC", *(f"{speed} px per frame" for speed in SPEEDS_PX)):
        table.add_column(head, justify="left" if head == "kernels" else "right")
    for kernels, title in KERNELS.items():
        cells = [losses.get((kernels, speed), []) for speed in SPEEDS_PX]
        table.add_row(title, f"{macs[kernels] / 1e6:.0f}" if kernels in macs else "-", *map(tell, cells))
    Console(width=130).print(table)
    draw(losses, is_paper=is_paper)


def draw(losses: dict[tuple[str, int], list[float]], *, is_paper: bool) -> None:
    """Draw the test loss by speed: a line per kernel through the means, a dot per seed."""
    figure = Figure(figsize=(7.5, 5.0), layout="constrained")
    axes = figure.subplots()
    for kernels, title in KERNELS.items():
        own = {speed: losses[kernels, speed] for speed in SPEEDS_PX if (kernels, speed) in losses}
        style = "-" if kernels.startswith("single") else "--"
        means = [statistics.mean(values) for values in own.values()]
        axes.plot(list(own), means, style, color=COLOURS[kernels], label=title)
        for speed, values in own.items():
            axes.plot([speed] * len(values), values, "o", color=COLOURS[kernels], markersize=4, alpha=0.6)
    axes.set(xlabel="average speed of the digit in pixels per frame", ylabel="test cross-entropy per clip")
    axes.set_title("The future of one moving digit (line: mean, dots: seeds)")
    axes.legend(title="kernels")
    axes.grid(alpha=0.3)
    figure.savefig(RESULTS / f"{name_of(is_paper)}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
