"""`mudra explain`: what a run saw of a file, what stayed in its memory, and what its answer rests on."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from torch import nn

    from mudra.serving import Explained, Predictor


class Rule(StrEnum):
    """Which channel of a layer is the most active one."""

    SUM = "sum"
    CONTRAST = "contrast"


def explain(
    run: Path = typer.Argument(..., metavar="RUN", help="The run folder."),
    paths: list[str] = typer.Argument(..., metavar="PATH", help="Files, folders or patterns."),
    out: Path = typer.Option(Path("explained"), "--out", help="Where a folder for each file is made."),
    label: str = typer.Option(None, "--label", help="The class to explain; default the predicted one."),
    rule: Rule = typer.Option(
        Rule.SUM, "--rule", help="The most active channel: largest sum of activations, or largest contrast in space."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object per file."),
    depth: Path = typer.Option(None, "--depth", help="The depth of a single colour file, for runs on both."),
    start_s: float = typer.Option(None, "--start", help="Look only at what comes after this many seconds."),
    end_s: float = typer.Option(None, "--end", help="Look only at what comes before this many seconds."),
    beside: Path = typer.Option(
        None, "--beside", help="For runs that label frames: another such run, drawn on the same frames."
    ),
    blocks: str = typer.Option(
        None, "--blocks", help="For networks with temporal modules: blocks to draw: layer1.0,layer4.2"
    ),
    decoder: Path = typer.Option(
        None,
        "--decoder",
        help="For a run saved without its decoder: a file that has it; default its own checkpoint, if it is there.",
    ),
) -> None:
    """Show why a run names a gesture: most active maps, gates, attention and Grad-CAM over the frames.

    Each file gets a folder with sheet.png, overlay.mp4, gates.csv and explanation.json, and, of a network with temporal
    modules or a decoder, temporal.png and excitations.csv; from a run that labels frames,
    motion.png, motion.mp4 and motion.json: the most active maps of its first layers. One bad file does not stop the
    others; the exit code is then 1.

    Example: mudra explain runs/mine hand.mp4 --out explained
    """
    from mudra.cli.common import show_progress
    from mudra.cli.motion import explain_motion
    from mudra.cli.predict import expand_paths
    from mudra.cli.stream import labels_frames
    from mudra.errors import ConfigError, ModelError, MudraError, nearest_name
    from mudra.serving import explain as explain_file
    from mudra.serving import load

    if labels_frames(run):
        if label is not None:
            raise ConfigError("--label asks about one answer for a clip; the run labels frames", hint="leave it out")
        if blocks is not None or decoder is not None:
            raise ConfigError("--blocks and --decoder are for runs that name clips", hint="leave them out")
        explain_motion(
            run, paths, beside=beside, out=out, rule=rule.value, depth=depth, span_s=(start_s, end_s), as_json=as_json
        )
        return
    if beside is not None:
        raise ConfigError("--beside is for runs that label frames; this one names clips", hint="leave it out")
    files, num_empty = expand_paths(paths)
    if depth is not None and len(files) + num_empty != 1:
        raise ConfigError(f"--depth belongs to one colour file, {len(files)} came", hint="explain one file at a time")
    predictor = load(run)
    if label is not None and label not in predictor.classes:
        raise ModelError(f"{run} knows no class {label!r}", hint=nearest_name(label, predictor.classes))
    parts: dict[str, Any] = {
        "blocks": None if blocks is None else blocks.split(","),
        "decoder": _read_decoder(run, predictor, decoder),
    }
    failed = num_empty
    with show_progress() as progress:
        for number, (path, folder) in enumerate(zip(files, name_folders(files, out), strict=True), start=1):
            try:
                found = explain_file(
                    predictor,
                    path,
                    out=folder,
                    depth=depth,
                    span_s=(start_s, end_s),
                    label=label,
                    rule=rule.value,
                    **parts,
                )
                typer.echo(_as_json(found) if as_json else _as_line(found))
            except MudraError as error:
                failed += 1
                told = json.dumps({"path": str(path), "error": str(error)}) if as_json else f"error: {error}"
                typer.echo(told, err=not as_json)
            progress(number, len(files), "explaining files")
    if failed:
        typer.echo(f"{failed} of {len(files) + num_empty} could not be explained", err=True)
        raise typer.Exit(1)


def _read_decoder(run: Path, predictor: Predictor, named: Path | None) -> nn.Module | None:
    """Return the decoder of a run that was saved without it; None, with a word to the user, where there is none."""
    from mudra.errors import MudraError
    from mudra.serving import find_decoder, is_without_decoder, read_decoder

    if named is not None:
        return read_decoder(run, named)
    if not is_without_decoder(predictor.card):
        return None
    why = "its checkpoint is not there"
    checkpoint = find_decoder(run, predictor.card)
    if checkpoint is not None:
        try:
            return read_decoder(run, checkpoint)
        except MudraError as error:
            why = error.message
    typer.echo(
        f"note: {run} was saved without its decoder, and {why}: no masks are drawn\n"
        "  hint: name a checkpoint that has it (--decoder FILE), or train with fitting.keep_decoder=true",
        err=True,
    )
    return None


def name_folders(files: list[Path], out: Path) -> list[Path]:
    """Return a folder for each file, named after it, and after the folder it lies in where two are called alike."""
    stems = [path.stem for path in files]
    names = [path.stem if stems.count(path.stem) == 1 else f"{path.parent.name}-{path.stem}" for path in files]
    return [
        out / (name if names.count(name) == 1 else f"{name}-{names[:place].count(name) + 1}")
        for place, name in enumerate(names)
    ]


def _as_line(found: Explained) -> str:
    told = found.explanation
    asked = "" if told.label == told.prediction.label else f", explained: {told.label} {told.probability:.3f}"
    return f"{told.prediction.path}\t{told.prediction.label} {told.prediction.probability:.3f}{asked}\t{found.sheet}"


def _as_json(found: Explained) -> str:
    names = ("sheet", "overlay", "gates", "numbers", "temporal", "excitations")
    files = {name: str(path) for name in names if (path := getattr(found, name)) is not None}
    return json.dumps({**found.explanation.to_json(), "files": files})
