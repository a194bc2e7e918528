"""Does depth supervision help recognition from colour? Fan et al. 2021's question on the drawn set, made hard.

Run: python -m benchmarks.msd_synthetic                 (every row that is not there yet; an interrupted one goes on)
     python -m benchmarks.msd_synthetic --only tsm      (variants whose name begins so; `action` in a second process,
                                                         once `tsm_base_moving` is there)
     python -m benchmarks.msd_synthetic --dry-run       (builds every network, takes one step, writes nothing)
     python -m benchmarks.msd_synthetic --table         (the table and the picture of what is there)

Networks see colour alone, in training and in tests: ResNet-18 at half its width on 8 frames of 64x64, with TSM's shift
and with ACTION. The paper's start from ImageNet; here each module's `base` stands in for that: trained without depth on
24 other people before a still wall, and then before a moving one. With nothing to start from the network spends the
whole first lesson at chance, and learns in the second; so ACTION does not repeat it but takes over TSM's weights before
the last lesson. From its base each arm is trained on the set made hard: the wall moves fast, objects cross, and four
people alone perform for training, each before many walls, so that walls do not tell the gesture. The arms: no decoder;
`msd`, the multi-scale decoder with the paper's losses (1 : 1 : 0.01); with TSM also `masks`, the same with losses of
ours (1 : 3 : 3), for in a mean over pixels the paper's third weight leaves the global decoder next to nothing. Decoders
are gone in tests.

A seed draws everything anew, people, clips and the order of training, and is the same for the arms that are compared:
the paired difference is over data sets, not over trainings on one. Judged on twelve people whom no training saw, with
the last epoch's weights. Rows go to benchmarks/results/msd_synthetic.jsonl; an arm is trained where its base names at
least GATE of the clips of unseen people before a moving wall, and refused otherwise: nothing could be told apart.
"""

from __future__ import annotations

import argparse
import math
import statistics
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from benchmarks.common import REPOSITORY, RESULTS, append_rows, read_rows
from benchmarks.training import summarise, train_row
from mudra.backbones import ActionConfig, ResNetConfig, TemporalShiftConfig
from mudra.clips import Augmentation, ClipSpec, DepthTarget, SegmentSampling
from mudra.datasets import SyntheticConfig
from mudra.datasets.synthetic.config import Hardness
from mudra.heads import ConsensusConfig, MultiScaleDecoderConfig
from mudra.models import GestureNetConfig
from mudra.recipes.fan2021.protocol import IMAGENET_DEVIATION, IMAGENET_MEAN, RgbChannels
from mudra.scoring import MaskLossConfig
from mudra.training import AdamWConfig, FittingConfig, LoaderConfig, RunConfig, dry_run
from mudra.training.callback import read_curves
from mudra.types import Stream

FILE = RESULTS / "msd_synthetic.jsonl"
PICTURE = RESULTS / "msd_synthetic.svg"
RUNS = REPOSITORY / "runs" / "msd_synthetic"
COMMAND = "python -m benchmarks.msd_synthetic"
SEEDS = range(5)
EPOCHS = 12
GATE = 0.6
BASE_SEED = 1000  # of people and clips that no arm sees

DATA = SyntheticConfig(
    clips_per_class_train=60,
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
LOSSES = {"": None, "_msd": MaskLossConfig(), "_masks": MaskLossConfig(local_weight=3.0, global_weight=3.0)}
# Losses of ours are tried with one module.
VARIANTS = tuple(f"{module}{arm}" for module in MODULES for arm in LOSSES if (module, arm) != ("action", "_masks"))


class Lesson(NamedTuple):
    """One training of a base.

    Args:
        hardness: The surroundings.
        epochs: How long.
        lr: Highest learning rate.
        start: The run whose weights it starts from; None for none.
    """

    hardness: Hardness
    epochs: int
    lr: float
    start: str | None


LESSONS = {
    "tsm_base_still": Lesson("plain", 10, 2e-3, None),
    "tsm_base_moving": Lesson("moving", 5, 1e-3, "tsm_base_still"),
    "tsm_base": Lesson("moving", 5, 1e-3, "tsm_base_moving"),
    "action_base": Lesson("moving", 5, 1e-3, "tsm_base_moving"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="variants whose name begins so")
    parser.add_argument("--dry-run", action="store_true", help="build everything, take one step, write nothing")
    parser.add_argument("--table", action="store_true", help="show what is there, train nothing")
    options = parser.parse_args()
    if options.dry_run:
        return try_out(options.only)
    if not options.table:
        for module in MODULES:
            train_module(module, only=options.only)
    show()


def build_model(module: str, loss: MaskLossConfig | None) -> GestureNetConfig:
    """Return one network, with decoders if it has masks to learn."""
    return GestureNetConfig(
        width=0.5,
        backbone=ResNetConfig(depth=18, temporal_module=MODULES[module]),
        cells=(),
        top=None,
        head=ConsensusConfig(),
        decoder=None if loss is None else MultiScaleDecoderConfig(),
    )


def config_of(variant: str, *, seed: int) -> RunConfig:
    """Return one arm's run, without what it starts from."""
    module, _, arm = variant.partition("_")
    loss = LOSSES[f"_{arm}" if arm else ""]
    return RunConfig(
        model=build_model(module, loss),
        data=DATA.model_copy(update={"seed": seed}),
        clip=CLIP,
        loader=LoaderConfig(batch_size=16, cache="memory"),
        optimiser=AdamWConfig(lr=1e-3, weight_decay=0.02),
        fitting=FittingConfig(epochs=EPOCHS, gradient_clip_norm=20.0, num_threads=1, accelerator="cpu"),
        mask_loss=loss or MaskLossConfig(),
        seed=seed,
    )


def lesson_of(name: str) -> RunConfig:
    """Return one training of a base."""
    lesson = LESSONS[name]
    data = DATA.model_copy(
        update={"seed": BASE_SEED, "hardness": lesson.hardness, "subjects_train": 24, "clips_per_class_train": 300}
    )
    return RunConfig(
        model=build_model(name.partition("_")[0], None),
        data=data,
        clip=CLIP,
        loader=LoaderConfig(batch_size=16, cache="memory"),
        optimiser=AdamWConfig(lr=lesson.lr, weight_decay=0.02),
        fitting=FittingConfig(epochs=lesson.epochs, gradient_clip_norm=20.0, num_threads=1, accelerator="cpu"),
        init_from=None if lesson.start is None else RUNS / lesson.start,
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


def train_module(module: str, *, only: str) -> None:
    """Train what is missing of one module, seed by seed, so that what is done so far can be compared."""
    todo = [
        (variant, seed)
        for seed in SEEDS
        for variant in VARIANTS
        if variant.startswith(only) and variant.partition("_")[0] == module and not has(f"{variant}, seed {seed}")
    ]
    if not todo:
        return
    base = train_base(module)
    for variant, seed in todo:
        config = config_of(variant, seed=seed).model_copy(update={"init_from": base})
        train_variant(f"{variant}, seed {seed}", variant, config, RUNS / f"{variant}_seed{seed}", seed)


def train_base(module: str) -> Path:
    """Train what all arms of a module start from, or find it.

    Raises:
        SystemExit: If it has not learned the gestures.
    """
    name = f"{module}_base"
    train_lesson(name)
    base = next(row for row in reversed(read_rows(FILE)) if row["row"] == name)
    if base["top1"] < GATE:
        raise SystemExit(
            f"{module}: before a moving wall the base names {base['top1']:.2f} of the clips, wanted {GATE}"
        )
    return RUNS / name


def train_lesson(name: str) -> None:
    """Train one lesson of a base and those that it needs, unless they are there."""
    folder, start = RUNS / name, LESSONS[name].start
    if has(name) and (folder / "weights.safetensors").exists():
        return
    if start is not None:
        train_lesson(start)
    train_variant(name, name, lesson_of(name), folder, BASE_SEED)


def has(row: str) -> bool:
    return row in {known["row"] for known in read_rows(FILE)}


def train_variant(row: str, variant: str, config: RunConfig, folder: Path, seed: int) -> None:
    """Train one run and append its row."""
    found = train_row(row, config, folder, split="test", command=COMMAND)
    last = read_curves(folder / "metrics.csv")[-1]
    depth = {name: round(last[name], 5) for name in last if name.endswith(("local_loss", "global_loss"))}
    append_rows(FILE, [{**found, "variant": variant, "seed": seed, "train_top1": last["train_top1"], **depth}])


class Difference(NamedTuple):
    """What the decoder changes, over seeds.

    Args:
        variant: The module and its arm.
        by_seed: Top-1 with the decoder less that without, one for each seed that has both.
    """

    variant: str
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
            f"{self.variant}: {100 * self.mean:+.2f} points with the decoder; standard deviation "
            f"{100 * self.spread:.2f}, standard error {100 * error:.2f}, t = {t:.2f} on {num - 1} degrees of freedom; "
            f"better for {better} of {num} seeds"
        )


def differences(rows: list[dict[str, Any]]) -> list[Difference]:
    """Return the paired differences, one for each arm with a decoder that has a pair."""
    top1 = {(row["variant"], row["seed"]): row["top1"] for row in rows}
    found = []
    for variant in VARIANTS:
        module, _, arm = variant.partition("_")
        pairs = {
            seed: top1[variant, seed] - top1[module, seed]
            for seed in SEEDS
            if arm and {(module, seed), (variant, seed)} <= top1.keys()
        }
        if pairs:
            found.append(Difference(variant, pairs))
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
    """Draw every seed as a line over the arms, and the means."""
    figure = Figure(figsize=(7.5, 3.6), layout="constrained")
    axes = figure.subplots()
    top1 = {(row["variant"], row["seed"]): row["top1"] for row in rows}
    ticks: dict[int, str] = {}
    for place, module in enumerate(MODULES):
        arms = [arm for arm in LOSSES if f"{module}{arm}" in VARIANTS]
        places = {f"{module}{arm}": (len(LOSSES) + 1) * place + index for index, arm in enumerate(arms)}
        ticks |= {x: variant.replace("_", "\n") for variant, x in places.items()}
        for seed in SEEDS:
            known = [(x, top1[variant, seed]) for variant, x in places.items() if (variant, seed) in top1]
            if known:
                axes.plot(*zip(*known, strict=True), "o-", color="#888888", markersize=5, linewidth=1)
        for variant, x in places.items():
            values = [top1[variant, seed] for seed in SEEDS if (variant, seed) in top1]
            if values:
                axes.plot([x], [statistics.mean(values)], "_", color="#c03030", markersize=34, markeredgewidth=3)
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.set(ylabel="top-1 on people of the test", title="Depth supervision, colour alone in tests (lines: seeds)")
    axes.grid(axis="y", alpha=0.3)
    figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    main()
