"""Does depth supervision help recognition from colour? Fan et al. 2021's question on the drawn set, made hard.

Run: python -m benchmarks.msd_synthetic                 (every row that is not there yet; an interrupted one goes on)
     python -m benchmarks.msd_synthetic --share 1/2     (half of the rows; 2/2 in a second process does the others)
     python -m benchmarks.msd_synthetic --only tsm      (variants whose name begins so)
     python -m benchmarks.msd_synthetic --dry-run       (builds every network, takes one step, writes nothing)
     python -m benchmarks.msd_synthetic --table         (the table and the picture of what is there)

Networks see colour alone, in training and in tests: ResNet-18 at half its width on 8 frames of 64x64 from chance, with
TSM's shift and with ACTION. Each is trained with and without the multi-scale decoder, which learns depth beside the
classes (1 : 1 : 0.01) and is gone in tests. The drawn set is made hard: the wall moves fast, objects cross, and four
people alone perform for training, each before many walls, so that walls do not tell the gesture. A seed draws
everything anew, people, clips and first weights, and is the same for the two networks that are compared: the paired
difference is over data sets, not over trainings on one. Judged on twelve people whom no training saw, with the last
epoch's weights. Rows go to benchmarks/results/msd_synthetic.jsonl.
"""

from __future__ import annotations

import argparse
import math
import statistics
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from benchmarks.common import REPOSITORY, RESULTS, append_rows, read_rows
from benchmarks.training import summarise, train_row
from mudra.backbones import ActionConfig, ResNetConfig, TemporalShiftConfig
from mudra.clips import Augmentation, ClipSpec, DepthTarget, SegmentSampling
from mudra.datasets import SyntheticConfig
from mudra.heads import ConsensusConfig, MultiScaleDecoderConfig
from mudra.models import GestureNetConfig
from mudra.recipes.fan2021.protocol import IMAGENET_DEVIATION, IMAGENET_MEAN, RgbChannels
from mudra.training import AdamWConfig, FittingConfig, LoaderConfig, RunConfig, dry_run
from mudra.training.callback import read_curves
from mudra.types import Stream

FILE = RESULTS / "msd_synthetic.jsonl"
PICTURE = RESULTS / "msd_synthetic.svg"
RUNS = REPOSITORY / "runs" / "msd_synthetic"
COMMAND = "python -m benchmarks.msd_synthetic"
SEEDS = range(5)
EPOCHS = 9

DATA = SyntheticConfig(
    clips_per_class_train=200,
    clips_per_class_validation=1,
    clips_per_class_test=30,
    subjects_train=4,
    size=(64, 64),
    num_frames=24,
    hardness="hard",
    streams=(Stream.RGB, Stream.DEPTH),
    long_streams=0,
)
CLIP = ClipSpec(
    num_frames=8,
    size=(64, 64),
    sampling=SegmentSampling(),
    rgb=RgbChannels(mean=IMAGENET_MEAN, divisor=IMAGENET_DEVIATION),
    augmentation=Augmentation(
        rotation_deg=8.0,
        scale=(0.9, 1.15),
        shift_fraction=0.06,
        brightness=0.3,
        contrast=0.3,
        saturation=0.3,
        hue=0.05,
        colour_probability=0.4,
    ),
    # Hands of the drawn set are 0.4 to 0.7 m away, people's bodies 0.3 to 0.5 m behind them, walls beyond 1 m.
    target=DepthTarget(near_mm=400.0, far_mm=1600.0, reversed=True),
)
MODULES = {"tsm": TemporalShiftConfig(), "action": ActionConfig()}
VARIANTS = tuple(f"{module}{decoder}" for module in MODULES for decoder in ("", "_msd"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="variants whose name begins so")
    parser.add_argument("--share", default="1/1", help="which part of the rows, for example 1/2")
    parser.add_argument("--dry-run", action="store_true", help="build everything, take one step, write nothing")
    parser.add_argument("--table", action="store_true", help="show what is there, train nothing")
    options = parser.parse_args()
    if options.dry_run:
        return try_out(options.only)
    if not options.table:
        train_all(only=options.only, share=options.share)
    show()


def config_of(variant: str, *, seed: int) -> RunConfig:
    """Return one run."""
    module, _, decoder = variant.partition("_")
    model = GestureNetConfig(
        width=0.5,
        backbone=ResNetConfig(depth=18, temporal_module=MODULES[module]),
        cells=(),
        top=None,
        head=ConsensusConfig(),
        decoder=MultiScaleDecoderConfig() if decoder else None,
    )
    return RunConfig(
        model=model,
        data=DATA.model_copy(update={"seed": seed}),
        clip=CLIP,
        loader=LoaderConfig(batch_size=16, cache="memory"),
        optimiser=AdamWConfig(lr=5e-4, weight_decay=0.05),
        fitting=FittingConfig(epochs=EPOCHS, gradient_clip_norm=20.0, num_threads=1, accelerator="cpu"),
        seed=seed,
    )


def try_out(only: str) -> None:
    """Build every network, take one step and say what it took."""
    for variant in filter(lambda name: name.startswith(only), VARIANTS):
        config = config_of(variant, seed=0)
        assert config.data is not None
        result = dry_run(config, config.data.build(), tell=lambda line: None)
        cost = result.complexity
        print(
            f"{variant}: {cost.parameters:,} parameters, {cost.macs_per_clip / 1e6:.0f} MMAC per clip; in training "
            f"{cost.training_macs / 1e6:.0f} MMAC more; first step {result.step_s:.2f} s, loss {result.loss:.3f}; "
            f"{result.train_clips} clips per epoch, {EPOCHS} epochs"
        )


def train_all(*, only: str, share: str) -> None:
    """Train what is missing, seed by seed, so that what is done so far can be compared."""
    part, parts = (int(word) for word in share.split("/"))
    todo = [(variant, seed) for seed in SEEDS for variant in VARIANTS if variant.startswith(only)]
    for index, (variant, seed) in enumerate(todo):
        row = f"{variant}, seed {seed}"
        if index % parts != part - 1 or row in {known["row"] for known in read_rows(FILE)}:
            continue
        folder = RUNS / f"{variant}_seed{seed}"
        found = train_row(row, config_of(variant, seed=seed), folder, split="test", command=COMMAND)
        last = read_curves(folder / "metrics.csv")[-1]
        depth = {name: round(last[name], 5) for name in last if name.endswith(("local_loss", "global_loss"))}
        append_rows(FILE, [{**found, "variant": variant, "seed": seed, "train_top1": last["train_top1"], **depth}])


class Difference(NamedTuple):
    """What the decoder changes, over seeds.

    Args:
        module: The temporal module.
        by_seed: Top-1 with the decoder less that without, one for each seed that has both.
    """

    module: str
    by_seed: dict[int, float]

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return statistics.mean(self.by_seed.values())

    @property
    def spread(self) -> float:
        """Standard deviation over the seeds."""
        return statistics.stdev(self.by_seed.values()) if len(self.by_seed) > 1 else math.nan

    def explain(self) -> str:
        """Return a sentence: how much, how sure, and how often."""
        num, better = len(self.by_seed), sum(value > 0 for value in self.by_seed.values())
        error = self.spread / math.sqrt(num)
        t = self.mean / error if error else math.nan
        return (
            f"{self.module}: {100 * self.mean:+.2f} points with the decoder; standard deviation "
            f"{100 * self.spread:.2f}, standard error {100 * error:.2f}, t = {t:.2f} on {num - 1} degrees of freedom; "
            f"better for {better} of {num} seeds"
        )


def differences(rows: list[dict[str, Any]]) -> list[Difference]:
    """Return the paired differences, one for each module that has a pair."""
    top1 = {(row["variant"], row["seed"]): row["top1"] for row in rows}
    found = []
    for module in MODULES:
        pairs = {
            seed: top1[f"{module}_msd", seed] - top1[module, seed]
            for seed in SEEDS
            if (module, seed) in top1 and (f"{module}_msd", seed) in top1
        }
        if pairs:
            found.append(Difference(module, pairs))
    return found


def show() -> None:
    """Print the table and the differences, and draw the picture."""
    rows = read_rows(FILE)
    table = Table(title="Drawn set made hard, 12 classes, people of the test: top-1 from colour over seeds")
    for head in ("variant", "seeds", "mean", "st. dev.", "range", "parameters", "MMAC", "minutes"):
        table.add_column(head, justify="left" if head == "variant" else "right")
    for line in summarise(rows):
        table.add_row(
            line["variant"],
            str(line["seeds"]),
            f"{line['mean']:.4f}",
            f"{line['spread']:.4f}",
            f"{line['lowest']:.4f}-{line['highest']:.4f}",
            f"{line['parameters']:,}",
            f"{line['macs_per_clip'] / 1e6:.0f}",
            f"{line['minutes']:.1f}",
        )
    Console(width=130).print(table)
    for difference in differences(rows):
        print(difference.explain())
    if rows:
        draw(rows)


def draw(rows: list[dict[str, Any]]) -> None:
    """Draw every seed's pair as a line from without to with the decoder, and the means."""
    figure = Figure(figsize=(6.5, 3.6), layout="constrained")
    axes = figure.subplots()
    top1 = {(row["variant"], row["seed"]): row["top1"] for row in rows}
    for place, module in enumerate(MODULES):
        pairs = [
            (top1[module, seed], top1[f"{module}_msd", seed])
            for seed in SEEDS
            if (module, seed) in top1 and (f"{module}_msd", seed) in top1
        ]
        for pair in pairs:
            axes.plot([3 * place, 3 * place + 1], pair, "o-", color="#888888", markersize=5, linewidth=1)
        for side, values in enumerate(zip(*pairs, strict=True)):
            axes.plot(
                [3 * place + side], [statistics.mean(values)], "_", color="#c03030", markersize=34, markeredgewidth=3
            )
    names = [f"{module}\n{how}" for module in MODULES for how in ("alone", "with MSD")]
    axes.set_xticks([0, 1, 3, 4], names)
    axes.set(ylabel="top-1 on people of the test", title="Depth supervision, colour alone in tests (lines: seeds)")
    axes.grid(axis="y", alpha=0.3)
    figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    main()
