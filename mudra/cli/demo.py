"""`mudra demo`: the main job from beginning to end on the built-in data: draw, train, evaluate, predict."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from mudra.datasets import Dataset

# Small enough for a few minutes on two cores, large enough for people whom the network has never seen.
CLIPS_PER_CLASS = {"train": 75, "validation": 5, "test": 15}
SUBJECTS = {"train": 30, "validation": 5, "test": 15}
DRAWN = {"size": [96, 96], "num_frames": 20, "fps": 15.0, "hardness": "plain", "streams": ["rgb"], "long_streams": 0}
EPOCHS = 22
# The network sees optical flow, computed on the way from the colour files: drawn walls differ more than drawn hands do,
# and what moves tells them apart at once. Half of the drawn people are left-handed: a mirrored clip shows one more.
SETTINGS = {
    "clip.streams": ["flow"],
    "clip.size": [64, 64],
    "clip.mirror": "labels",
    "clip.augmentation.rotation_deg": 10.0,
    "clip.augmentation.scale": [0.9, 1.1],
    "clip.sampling.min_span_fraction": 0.9,
    "model.head.dropout": 0.2,
}
NUM_PREDICTED = 6
SHOWN = ("swipe_left", "open", "rotate_cw", "tap_twice", "wave")
NUM_SHOWN_FRAMES = 8
# Says that a folder is a demo's, which the next demo may replace.
MARK = ".mudra-demo"


def demo(
    out: Path = typer.Option(Path("demo"), "--out", help="Folder for everything that is made; an old one is replaced."),
    epochs: int = typer.Option(EPOCHS, "--epochs", min=1, help="Passes over the drawn clips."),
    seed: int = typer.Option(0, "--seed", help="Seed of the drawing and of the training."),
) -> None:
    """Draw gestures as video files, train on them, evaluate on unseen people, and name the gestures of MP4 files.

    Example: mudra demo --out /tmp/demo
    """
    from mudra.cli.common import show_progress
    from mudra.cli.evaluate import evaluate
    from mudra.datasets import TableConfig, draw_examples
    from mudra.datasets.synthetic import MIRROR_PAIRS, SYNTHETIC_CLASSES, SyntheticConfig, write_synthetic
    from mudra.recipes import find_recipe
    from mudra.serving import load
    from mudra.training import train

    started = time.perf_counter()
    _make_room(out)
    counts = {f"clips_per_class_{split}": count for split, count in CLIPS_PER_CLASS.items()}
    people = {f"subjects_{split}": count for split, count in SUBJECTS.items()}
    config = SyntheticConfig.from_mapping({**counts, **people, **DRAWN, "seed": seed})
    typer.echo(
        f"1. drawing {sum(CLIPS_PER_CLASS.values()) * len(SYNTHETIC_CLASSES)} clips of hands into {out / 'data'}"
    )
    with show_progress() as progress:
        table = write_synthetic(out / "data", config, progress=lambda done, total: progress(done, total, "drawing"))
    data = TableConfig(path=table, classes=SYNTHETIC_CLASSES, mirror=dict(MIRROR_PAIRS))
    dataset = data.build()
    draw_examples(dataset, out / "examples.png")
    _draw_gestures(dataset, out / "gestures.png")
    typer.echo(f"2. training ours/small ({_clock(started)} so far)")
    run = find_recipe("ours/small").model_copy(update={"data": data})
    run = run.with_overrides({**SETTINGS, "fitting.epochs": epochs, "seed": seed})
    with show_progress() as progress:
        train(run, dataset, out / "run", tell=typer.echo, progress=progress)
    typer.echo(f"3. evaluating on {SUBJECTS['test']} people that the network has never seen ({_clock(started)} so far)")
    evaluate(out / "run", data=None, split="test", out=None, as_json=False)
    typer.echo("4. naming the gestures of some of their video files")
    predictor = load(out / "run")
    for recording in dataset.split("test")[:NUM_PREDICTED]:
        result = predictor.predict(recording.path)
        truth = dataset.card.classes[recording.label or 0]
        typer.echo(f"   {recording.path}: {result.label} ({result.probability:.2f}), drawn as {truth}")
    typer.echo(f"report: {out / 'run' / 'report.html'}")
    typer.echo(f"done in {_clock(started)}; your own clips, a folder per class: mudra train FOLDER")


def _draw_gestures(dataset: Dataset, path: Path) -> None:
    """Write a picture of one clip of a few gestures, its frames side by side."""
    import numpy as np

    from mudra.serving import GridRow, image_grid, write_png
    from mudra.video import open_video

    rows = []
    for name in SHOWN:
        label = dataset.card.classes.index(name)
        recording = next(found for found in dataset.split("test") if found.label == label)
        with open_video(recording.path) as reader:
            places = np.linspace(0, len(reader.times_s) - 1, NUM_SHOWN_FRAMES).astype(np.int64)
            rows.append(GridRow(name, list(reader.read(places).frames_THWC)))
    write_png(path, image_grid(rows))


def _make_room(out: Path) -> None:
    """Remove what an earlier demo left; refuse a folder that holds anything else."""
    from mudra.errors import RunError

    if out.exists():
        # The names alone would not do: a folder of somebody's own may hold `data` and nothing else.
        found = sorted(path.name for path in out.iterdir()) if out.is_dir() else ["a file"]
        if found and MARK not in found:
            raise RunError(f"{out}: holds {', '.join(found[:3])}, not an earlier demo", hint="name another --out")
        shutil.rmtree(out)
    out.mkdir(parents=True)
    (out / MARK).touch()


def _clock(started: float) -> str:
    minutes, seconds = divmod(round(time.perf_counter() - started), 60)
    return f"{minutes}:{seconds:02d} min"
