"""Depth from colour on real pairs: how far off are the decoders' maps on recordings that no training saw?

Run: python -m benchmarks.msd_isogd                  (the recordings in ../shared/data or $MUDRA_SHARED)
     python -m benchmarks.msd_isogd --only unet      (methods whose name begins so)
     python -m benchmarks.msd_isogd --dry-run        (reads the data, builds every network, one step, writes nothing)
     python -m benchmarks.msd_isogd --table          (the table of what is there)
     python -m benchmarks.msd_isogd --draw           (figure 5 of Fan et al. 2021 for held recordings, into runs/)

The 60 recordings of IsoGD whose depth is registered to the colour pixels, split twice: by the distance of file numbers,
where the same rooms and people stand on both sides, and by scenes, where rooms and nearly always people are kept apart
(`data.split_by`). Depth is its grey level over 255; errors are mean squares over measured pixels of sixteen frames of
each held recording, at the clip's size (128x160) for the local decoder and at a quarter of it for the global one. Grey
levels of different recordings mean different distances, which colour cannot tell: so the same errors stand beside them
after each recording's mean difference is taken away (`shape`).

    mean_map   the training recordings' mean depth of every pixel, whatever the colour
    unet       a plain U-Net with as many parameters, on every frame, trained on the error at the clip's size; at a
               quarter of it, its map is scaled down
    msd        ResNet-18 at half its width with TSM and the multi-scale decoder, losses 1 : 1 : 0.01 as in the paper
    masks      the same network with losses 0 : 1 : 1: no classes, of which 60 recordings of 249 teach little

All start from chance and see the same clips in the same order, as many times; the U-Net, several times as slow, with
one seed. Size and changes of colour are those of a second try: in the first, on 64x96 with little change of hue, `msd`
was 12 % below the mean map at a quarter of the size where rooms were known, and above it where not, for walls were
known by their paint. It was judged on the same held recordings, which are too few to keep some for choosing; its rows
are kept. Rows go to benchmarks/results/msd_isogd.jsonl. Pictures show real recordings and stay out of the repository.
"""

from __future__ import annotations

import argparse
import math
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from benchmarks.common import REPOSITORY, RESULTS, append_rows, circumstances, read_rows, shared_data
from benchmarks.unet import UNet
from mudra.backbones import ResNetConfig, TemporalShiftConfig
from mudra.clips import Augmentation, ClipMaker, ClipSpec, DepthTarget, RgbChannels, SegmentSampling, View
from mudra.datasets import Dataset, IsogdConfig, isogd
from mudra.datasets.isogd import IsogdSplit
from mudra.heads import ConsensusConfig, MultiScaleDecoderConfig
from mudra.models import GestureNet, GestureNetConfig, count_parameters
from mudra.recipes.fan2021.protocol import IMAGENET_DEVIATION, IMAGENET_MEAN
from mudra.scoring import MaskLoss, MaskLossConfig
from mudra.scoring.mask_loss import scale_depth
from mudra.serving import load
from mudra.training import AdamWConfig, FittingConfig, LoaderConfig, OneCycleConfig, RunConfig, dry_run, train
from mudra.training.clip_dataset import derive_seed, open_sources
from mudra.training.loaders import GestureData
from mudra.training.optimisation import build_optimiser, learning_rate_factor
from mudra.training.resolve import resolve
from mudra.types import Recording, Stream

FILE = RESULTS / "msd_isogd.jsonl"
RUNS = REPOSITORY / "runs" / "msd_isogd"
COMMAND = "python -m benchmarks.msd_isogd"
SPLITS: tuple[IsogdSplit, ...] = ("distance", "scene")
SEEDS = range(3)
SEEDS_OTHERS = range(1)
EPOCHS = 120
NUM_VIEWS = 4
# So that the U-Net has as many parameters as the network with its decoders, 2.9 million.
UNET_WIDTH = 20
NUM_DRAWN = 5

LOSSES = {
    "msd": MaskLossConfig(),
    "masks": MaskLossConfig(class_weight=0.0, local_weight=1.0, global_weight=1.0),
}
ERRORS = {
    "local_mse": "local",
    "local_shape_mse": "local shape",
    "global_mse": "global",
    "global_shape_mse": "global shape",
}
METHODS = ("mean_map", *LOSSES, "unet")
# A mirrored gesture keeps its class here: depth is what is learned, and mirrored rooms are new ones.
MIRROR = {name: name for name in isogd.CLASSES}

CLIP = ClipSpec(
    num_frames=4,
    size=(128, 160),
    sampling=SegmentSampling(),
    crop="stretched_corners",
    crop_scales=(1.0, 0.875, 0.75),
    rgb=RgbChannels(mean=IMAGENET_MEAN, divisor=IMAGENET_DEVIATION),
    mirror="labels",
    augmentation=Augmentation(brightness=0.5, contrast=0.5, saturation=0.8, hue=0.5, colour_probability=0.9),
    target=DepthTarget(),
)
SIZE = "x".join(map(str, CLIP.size))

Masks = Callable[[Tensor], tuple[Tensor, Tensor]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="methods whose name begins so")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="passes over the training recordings")
    parser.add_argument("--dry-run", action="store_true", help="build everything, take one step, write nothing")
    parser.add_argument("--table", action="store_true", help="show what is there, train nothing")
    parser.add_argument("--draw", action="store_true", help="draw held recordings with the maps of trained networks")
    options = parser.parse_args()
    if options.dry_run:
        return try_out(options.only)
    if options.draw:
        return draw_all()
    if not options.table:
        measure_all(only=options.only, epochs=options.epochs)
    show()


def config_of(method: str, split: IsogdSplit, *, seed: int, epochs: int) -> RunConfig:
    """Return one run; the U-Net's is that of the network beside it, for its clips and its steps."""
    model = GestureNetConfig(
        width=0.5,
        backbone=ResNetConfig(depth=18, temporal_module=TemporalShiftConfig()),
        cells=(),
        top=None,
        head=ConsensusConfig(),
        decoder=MultiScaleDecoderConfig(),
    )
    root = shared_data() / "isogd"
    return RunConfig(
        model=model,
        data=IsogdConfig(root=root, depth="aligned", split_by=split, on_missing="skip", mirror=MIRROR),
        clip=CLIP,
        loader=LoaderConfig(batch_size=8, cache="memory"),
        optimiser=AdamWConfig(lr=2e-3, weight_decay=0.05),
        schedule=OneCycleConfig(),
        fitting=FittingConfig(
            epochs=epochs, keep_decoder=True, num_threads=1, accelerator="cpu", gradient_clip_norm=20.0
        ),
        mask_loss=LOSSES.get(method, MaskLossConfig()),
        seed=seed,
    )


def build_data(config: RunConfig) -> Dataset:
    """Return the run's recordings; they are read from files that the benchmark must find."""
    assert config.data is not None
    return config.data.build()


def try_out(only: str) -> None:
    """Read the data, build every network, take one step and say what it took."""
    for split in SPLITS:
        config = config_of("msd", split, seed=0, epochs=1)
        data = build_data(config)
        sizes = {name: len(found) for name, found in data.recordings.items() if found}
        print(f"split by {split}: {sizes}")
        if "msd".startswith(only) or "masks".startswith(only):
            found = dry_run(config, data, tell=lambda line: None)
            learned = found.complexity.parameters + sum(found.complexity.training_parameters_by_part.values())
            print(f"  network with decoders: {learned:,} parameters; first step {found.step_s:.2f} s")
        if "unet".startswith(only):
            network = UNet(in_channels=3, width=UNET_WIDTH)
            started = time.perf_counter()
            network(torch.zeros(config.loader.batch_size, CLIP.num_frames, 3, *CLIP.size)).mean().backward()
            print(
                f"  U-Net: {count_parameters(network):,} parameters; first step {time.perf_counter() - started:.2f} s"
            )


def measure_all(*, only: str, epochs: int) -> None:
    """Measure what is missing: all methods on one split and seed before the next."""
    for seed in SEEDS:
        for split in SPLITS:
            for method in METHODS:
                row = f"{method}, split by {split}, seed {seed}, {SIZE}, {epochs} epochs"
                known = {found["row"] for found in read_rows(FILE)}
                if not method.startswith(only) or row in known or seed not in seeds_of(method):
                    continue
                found = measure(method, split, seed=seed, epochs=epochs)
                append_rows(FILE, [{"row": row, "method": method, "split": split, "seed": seed, **found}])


def seeds_of(method: str) -> range:
    """Return the seeds that a method is measured with; the mean map has nothing to do with chance."""
    return SEEDS if method in LOSSES else SEEDS_OTHERS


class Errors(NamedTuple):
    """Mean squared errors of maps over measured pixels.

    Args:
        local, global_: At the clip's size and at a quarter of it, over all pixels of all recordings.
        local_shape, global_shape: The same after each recording's mean difference is taken away.
        local_by_recording, global_by_recording: Of each recording by itself.
    """

    local: float
    global_: float
    local_shape: float
    global_shape: float
    local_by_recording: list[float]
    global_by_recording: list[float]


def measure(method: str, split: IsogdSplit, *, seed: int, epochs: int) -> dict[str, Any]:
    """Train one method on one split, and return its errors on the held recordings."""
    config = config_of(method, split, seed=seed, epochs=epochs)
    data = build_data(config)
    folder = RUNS / f"{method}_{split}_seed{seed}_{epochs}"
    resumed, started = folder.exists(), time.perf_counter()
    masks, parameters = fit(method, config, data, folder)
    minutes = (time.perf_counter() - started) / 60
    held = data.split("validation")
    errors = judge(masks, data, held)
    print(
        f"{method} {split} {seed}: local {errors.local:.5f}, global {errors.global_:.5f} in {minutes:.1f} min",
        flush=True,
    )
    return {
        "local_mse": round(errors.local, 6),
        "global_mse": round(errors.global_, 6),
        "local_shape_mse": round(errors.local_shape, 6),
        "global_shape_mse": round(errors.global_shape, 6),
        "local_by_recording": [round(value, 6) for value in errors.local_by_recording],
        "global_by_recording": [round(value, 6) for value in errors.global_by_recording],
        "num_train": len(data.split("train")),
        "num_held": len(held),
        "held": [recording.path.stem for recording in held],
        "parameters": parameters,
        "size": SIZE,
        "epochs": epochs if method != "mean_map" else 0,
        "minutes": None if resumed else round(minutes, 2),
        **circumstances(COMMAND, torch=torch.__version__),
    }


def fit(method: str, config: RunConfig, data: Dataset, folder: Path) -> tuple[Masks, int]:
    """Return what makes a method's maps from clips, and how many parameters it has."""
    if method == "mean_map":
        depth_HW, known_HW = average_depth(data, data.split("train"))
        small_HW = scale_depth(depth_HW[None, None], known_HW[None, None], size=quarter(CLIP.size))[0][0, 0]
        return lambda clip_BTCHW: (depth_HW.expand(*clip_BTCHW.shape[:2], -1, -1), small_HW), 0
    if method == "unet":
        return fit_unet(config, data, folder)
    if folder.exists() and not (folder / "last.ckpt").exists():
        shutil.rmtree(folder)
    train(config, data, folder, resume=folder.exists())
    network = load(folder).network
    assert isinstance(network, GestureNet)

    def decode(clip_BTCHW: Tensor) -> tuple[Tensor, Tensor]:
        local_BTHW, global_BTHW = network.forward_training(clip_BTCHW).masks
        assert local_BTHW is not None
        assert global_BTHW is not None
        return local_BTHW, global_BTHW

    return decode, count_parameters(network)


def fit_unet(config: RunConfig, data: Dataset, folder: Path) -> tuple[Masks, int]:
    """Train a U-Net on the clips, in the order and with the steps of the other networks, or load it."""
    torch.manual_seed(derive_seed(config.seed, 0, -3))
    network, file = UNet(in_channels=3, width=UNET_WIDTH), folder / "unet.safetensors"
    if file.exists():
        network.load_state_dict(load_file(file))
    else:
        _train_unet(network, resolve(config, data, tell=lambda line: None), data)
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: value.contiguous() for name, value in network.state_dict().items()}, file)
    network.eval()

    def decode(clip_BTCHW: Tensor) -> tuple[Tensor, Tensor]:
        mask_BTHW = network(clip_BTCHW)
        return mask_BTHW, scale_depth(mask_BTHW, None, size=quarter(CLIP.size))[0]

    return decode, count_parameters(network)


def _train_unet(network: nn.Module, config: RunConfig, data: Dataset) -> None:
    torch.set_num_threads(config.fitting.num_threads)
    batches = GestureData(data, config)
    batches.prepare()
    loader, loss = batches.train_dataloader(), MaskLoss()
    optimiser = build_optimiser(network, config.optimiser)
    factor = learning_rate_factor(
        config.schedule, lr=config.optimiser.lr, num_steps=config.fitting.epochs * len(loader)
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
    network.train()
    for epoch in range(config.fitting.epochs):
        batches.sampler.set_epoch(epoch)
        for batch in loader:
            with torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu._is_avx512_bf16_supported()):
                mask_BTHW = network(batch.clip_BTCHW)
            error = loss.compare(mask_BTHW, batch.depth_BTHW, batch.measured_BTHW)
            optimiser.zero_grad()
            error.backward()
            nn.utils.clip_grad_norm_(network.parameters(), config.fitting.gradient_clip_norm)
            optimiser.step()
            schedule.step()
        print(f"U-Net, epoch {epoch + 1}/{config.fitting.epochs}: last batch {float(error.detach()):.4f}", flush=True)


def judge(masks: Masks, data: Dataset, recordings: Sequence[Recording]) -> Errors:
    """Return the errors of a method's maps on recordings."""
    found: dict[str, list[_Sums]] = {"local": [], "global": []}
    for recording in recordings:
        clip_BTCHW, depth_BTHW, measured_BTHW = read_views(data, recording)
        with torch.inference_mode():
            maps = dict(zip(found, masks(clip_BTCHW), strict=True))
        for name, mask_BTHW in maps.items():
            size = (int(mask_BTHW.shape[-2]), int(mask_BTHW.shape[-1]))
            target, weight = scale_depth(depth_BTHW, measured_BTHW, size=size)
            error = mask_BTHW.float() - target
            sums = (weight * error.square(), weight * error, weight)
            found[name].append(_Sums(*(float(part.double().sum()) for part in sums)))
    whole, shape = (
        {name: sum(map(kind, each)) / sum(one.weight for one in each) for name, each in found.items()}
        for kind in (_Sums.get_squares, _Sums.get_squares_of_shape)
    )
    each = {name: [one.squares / one.weight for one in each] for name, each in found.items()}
    return Errors(whole["local"], whole["global"], shape["local"], shape["global"], each["local"], each["global"])


class _Sums(NamedTuple):
    """Of one recording's pixels: squared differences, differences, and how much was measured."""

    squares: float
    differences: float
    weight: float

    def get_squares(self) -> float:
        return self.squares

    def get_squares_of_shape(self) -> float:
        return self.squares - self.differences**2 / self.weight


def read_views(data: Dataset, recording: Recording) -> tuple[Tensor, Tensor, Tensor]:
    """Return the test views of a recording: clip_BTCHW, and depth_BTHW and measured_BTHW to compare with."""
    spec = CLIP.for_tests().model_copy(update={"target": CLIP.target, "num_test_clips": NUM_VIEWS})
    maker = ClipMaker(spec)
    with ExitStack() as stack:
        window = maker.window(open_sources(data, recording, spec.streams, stack, if_there=(Stream.DEPTH,)))
    clips = [maker.clip(window, view=View(view)) for view in range(NUM_VIEWS)]
    targets = [clip.target for clip in clips if clip.target is not None]
    return (
        torch.stack([clip.clip_TCHW for clip in clips]),
        torch.stack([target.depth_THW for target in targets]),
        torch.stack([target.measured_THW for target in targets]),
    )


def average_depth(data: Dataset, recordings: Sequence[Recording]) -> tuple[Tensor, Tensor]:
    """Return the mean measured depth of every pixel, and whether it was measured at all."""
    total_HW, count_HW = torch.zeros(CLIP.size, dtype=torch.float64), torch.zeros(CLIP.size, dtype=torch.float64)
    for recording in recordings:
        _, depth_BTHW, measured_BTHW = read_views(data, recording)
        total_HW += (depth_BTHW * measured_BTHW).double().sum(dim=(0, 1))
        count_HW += measured_BTHW.double().sum(dim=(0, 1))
    everywhere = total_HW.sum() / count_HW.sum()
    mean_HW = torch.where(count_HW > 0, total_HW / count_HW.clamp_min(1e-9), everywhere)
    return mean_HW.float(), torch.ones(CLIP.size)


def quarter(size: tuple[int, int]) -> tuple[int, int]:
    """Return the size of the global decoder's maps."""
    return size[0] // 4, size[1] // 4


def known_rows() -> list[dict[str, Any]]:
    """Return the rows that were made with frames of today's size."""
    return [row for row in read_rows(FILE) if row["size"] == SIZE]


def show() -> None:
    """Print the table: errors, and by how much of the mean map's they are below it."""
    rows = known_rows()
    table = Table(title="IsoGD, aligned pairs: mean squared error of depth in [0, 1] on held recordings")
    for head in ("split", "method", "seeds", *ERRORS.values(), "parameters", "minutes"):
        table.add_column(head, justify="left" if head in ("split", "method") else "right")
    for split in SPLITS:
        own = [row for row in rows if row["split"] == split]
        base = next((row for row in own if row["method"] == "mean_map"), None)
        for method in METHODS:
            found = [row for row in own if row["method"] == method]
            if not found or base is None:
                continue
            errors = {name: float(np.mean([row[name] for row in found])) for name in ERRORS}
            table.add_row(
                split,
                method,
                str(len(found)),
                *(f"{error:.5f} ({1 - error / base[name]:+.0%})" for name, error in errors.items()),
                f"{found[-1]['parameters']:,}",
                f"{np.median([row['minutes'] or math.nan for row in found]):.1f}",
            )
    Console(width=150).print(table)


def draw_all() -> None:
    """Draw figure 5 for every split whose networks are trained, into the folder of runs."""
    for split in SPLITS:
        rows = [row for row in known_rows() if row["split"] == split and row["seed"] == 0]
        methods = [row["method"] for row in rows if row["method"] in LOSSES or row["method"] == "unet"]
        if methods:
            epochs = max(row["epochs"] for row in rows)
            print(draw(split, methods, epochs=epochs))


def draw(split: IsogdSplit, methods: Sequence[str], *, epochs: int) -> Path:
    """Draw colour, measured depth and every method's maps of a few held recordings."""
    config = config_of("msd", split, seed=0, epochs=epochs)
    data = build_data(config)
    held = data.split("validation")[:: max(1, len(data.split("validation")) // NUM_DRAWN)][:NUM_DRAWN]
    made = {
        method: fit(
            method,
            config_of(method, split, seed=0, epochs=epochs),
            data,
            RUNS / f"{method}_{split}_seed0_{epochs}",
        )[0]
        for method in methods
    }
    rows = [_pictures(data, recording, made) for recording in held]
    figure = Figure(figsize=(2.0 * len(rows[0]), 1.6 * len(rows) + 0.3), layout="constrained")
    grid = figure.subplots(len(rows), len(rows[0]), squeeze=False)
    for index, pictures in enumerate(rows):
        for axes, (title, picture) in zip(grid[index], pictures.items(), strict=True):
            axes.imshow(picture, cmap="gray", vmin=0.0, vmax=1.0)
            axes.set_axis_off()
            axes.set_title(title if index == 0 else "", fontsize=8)
    path = RUNS / f"figure5_{split}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return path


def _pictures(data: Dataset, recording: Recording, made: dict[str, Masks]) -> dict[str, Any]:
    clip_BTCHW, depth_BTHW, _ = read_views(data, recording)
    middle = CLIP.num_frames // 2
    mean, deviation = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_DEVIATION))
    colour_CHW = (clip_BTCHW[0, middle] * deviation + mean) / 255.0
    pictures: dict[str, Any] = {
        "colour": colour_CHW.permute(1, 2, 0).clamp(0, 1).numpy(),
        "measured": depth_BTHW[0, middle].numpy(),
    }
    for method, masks in made.items():
        with torch.inference_mode():
            local_BTHW, global_BTHW = masks(clip_BTCHW[:1])
        names = {"": local_BTHW} if method == "unet" else {" local": local_BTHW, " global": global_BTHW}
        pictures |= {f"{method}{name}": mask[0, middle].float().numpy() for name, mask in names.items()}
    return pictures


if __name__ == "__main__":
    main()
