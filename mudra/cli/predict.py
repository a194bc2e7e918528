"""`mudra predict`: files become named gestures."""

from __future__ import annotations

import glob
import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from mudra.types import Prediction


def predict(
    run: Path = typer.Argument(..., metavar="RUN", help="The run folder."),
    paths: list[str] = typer.Argument(..., metavar="PATH", help="Files, folders or patterns."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object per file."),
    depth: Path = typer.Option(None, "--depth", help="The depth of a single colour file, for runs on both."),
    start_s: float = typer.Option(None, "--start", help="Look only at what comes after this many seconds."),
    end_s: float = typer.Option(None, "--end", help="Look only at what comes before this many seconds."),
    box: str = typer.Option(
        None,
        "--box",
        metavar="TOP,LEFT,HEIGHT,WIDTH",
        help="The part of each frame that the run is to see, in pixels.",
    ),
) -> None:
    """Name the gesture that each file shows.

    One bad file does not stop the others; the exit code is then 1.

    Example: mudra predict runs/mine hand.mp4 clips/*.avi --json
    """
    from mudra.cli.common import parse_box
    from mudra.errors import ConfigError, MudraError
    from mudra.serving import load

    files, num_empty = expand_paths(paths)
    if depth is not None and len(files) + num_empty != 1:
        raise ConfigError(f"--depth belongs to one colour file, {len(files)} came", hint="predict one file at a time")
    seen = None if box is None else parse_box(box)
    predictor = load(run)
    failed = num_empty
    for path in files:
        try:
            result = predictor.predict(path, depth=depth, span_s=(start_s, end_s), box=seen)
        except MudraError as error:
            failed += 1
            typer.echo(
                json.dumps({"path": str(path), "error": str(error)}) if as_json else f"error: {error}", err=not as_json
            )
            continue
        typer.echo(_as_json(result) if as_json else _as_line(result))
    if failed:
        typer.echo(f"{failed} of {len(files) + num_empty} could not be read", err=True)
        raise typer.Exit(1)


def expand_paths(paths: list[str]) -> tuple[list[Path], int]:
    """Return the videos that files, folders and patterns mean, and how many words meant nothing."""
    from mudra.errors import MudraError
    from mudra.video import list_recordings

    files: list[Path] = []
    failed = 0
    for word in paths:
        if not word:
            # The current folder would be meant, and all that is in it.
            failed += 1
            typer.echo("error: a path is empty; is a variable of the shell not set?", err=True)
            continue
        matches = [word] if Path(word).exists() else sorted(glob.glob(word, recursive=True)) or [word]
        for match in matches:
            path = Path(match)
            try:
                found = [path] if not path.is_dir() else list_recordings(path)
            except MudraError:
                found = []
            if path.is_dir() and not found:
                failed += 1
                typer.echo(f"error: {path}: a folder without videos or frames", err=True)
            files += found
    return list(dict.fromkeys(files)), failed  # a pattern may match a folder and what is in it


def _as_line(result: Prediction) -> str:
    others = ", ".join(f"{name} {probability:.2f}" for name, probability in result.top[1:3])
    spent = sum(result.latency_ms.values())
    span = f"{result.span_s[0]:.2f}-{result.span_s[1]:.2f} s"
    return f"{result.path}\t{result.label} {result.probability:.3f}\t({others})\t{span}\t{spent:.0f} ms"


def _as_json(result: Prediction) -> str:
    return json.dumps(
        {
            "path": result.path,
            "label": result.label,
            "probability": result.probability,
            "top": [{"label": name, "probability": probability} for name, probability in result.top],
            "span_s": result.span_s,
            "latency_ms": result.latency_ms,
        }
    )
