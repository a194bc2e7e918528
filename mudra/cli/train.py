"""`mudra train`: a recipe, a YAML file or a folder of clips becomes a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from mudra.training import DryRun


def train(
    what: str = typer.Argument(..., metavar="RECIPE|FILE.yaml|FOLDER", help="What to train."),
    overrides: list[str] = typer.Argument(None, metavar="dotted.key=value", help="Settings to change."),
    out: Path = typer.Option(None, "--out", help="The run folder; default runs/<name>."),
    resume: bool = typer.Option(False, "--resume", help="Go on after the last whole epoch of --out."),
    is_dry: bool = typer.Option(
        False, "--dry-run", help="Check files, build everything, take one step; no run folder."
    ),
) -> None:
    """Train a network and leave a run folder behind.

    A folder of your own clips (a folder per class, or a CSV) trains the preset ours/small.

    \b
    Example: mudra train my_gestures --out runs/mine
             mudra train ours/small data=synthetic fitting.epochs=5 seed=1
    """
    from mudra.cli.common import find_config, open_dataset, show_progress, without_damaged
    from mudra.cli.future import predicts_frames
    from mudra.training import dry_run
    from mudra.training import train as fit

    config = find_config(what, overrides or [], tell=typer.echo)
    dataset = open_dataset(config)
    for note in dataset.notes:
        typer.echo(f"note: {note}")
    folder = out or Path("runs") / _name_of(what)
    with show_progress() as progress:
        dataset, left_out = without_damaged(dataset, config, progress)
        for line in left_out:
            typer.echo(f"left out: {line}")
        dataset.split("train")  # an empty split is refused before anything is written
        if is_dry:
            _tell_dry_run(dry_run(config, dataset, tell=typer.echo))
            return
        try:
            fit(config, dataset, folder, resume=resume, tell=typer.echo, progress=progress, left_out=left_out)
        except KeyboardInterrupt:
            typer.echo(_what_is_kept(folder), err=True)
            raise
    typer.echo(f"run folder: {folder}")
    judged = "validation" if dataset.recordings.get("validation") else "test"
    steps = [f"mudra evaluate {folder} --split {judged}"] if dataset.recordings.get(judged) else []
    if not predicts_frames(folder):
        steps.append(f"mudra {'segment' if config.model.kind == 'frame_wise_net' else 'predict'} {folder} FILE")
    if steps:
        typer.echo(f"next: {'; '.join(steps)}")


def _name_of(what: str) -> str:
    """Return what a run is called if nobody says: after its folder, file or recipe."""
    path = Path(what).resolve()
    if path.is_dir():
        return path.name
    return path.stem if path.is_file() else what.replace("/", "-")


def _what_is_kept(folder: Path) -> str:
    """Return what a stopped run leaves, and how it goes on."""
    if not (folder / "last.ckpt").exists():
        return f"{folder}: no epoch had ended, nothing was kept"
    return (
        f"{folder}: the state after the last whole epoch is kept; to go on:\n"
        f"  mudra train {folder / 'run.yaml'} --out {folder} --resume"
    )


def _tell_dry_run(result: DryRun) -> None:
    cost = result.complexity
    typer.echo(f"clips: {result.train_clips} train, {result.validation_clips} validation")
    typer.echo(f"batch (B, T, C, H, W): {result.batch_shape}")
    typer.echo(f"network: {cost.parameters:,} parameters, {cost.macs_per_clip / 1e9:.3f} GMAC per clip")
    typer.echo(f"first step: loss {result.loss:.4f}, {result.step_s:.2f} s")
    typer.echo("dry run: no run folder was written")
