"""What `mudra explain` does with a run that labels frames: the maps of its first layers, where something moves."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

if TYPE_CHECKING:
    from mudra.serving.motion_features import WrittenMotion


def explain_motion(
    run: Path,
    paths: list[str],
    *,
    beside: Path | None,
    out: Path,
    rule: Literal["sum", "contrast"],
    depth: Path | None,
    span_s: tuple[float | None, float | None],
    as_json: bool,
) -> None:
    """Draw motion features: a folder for each file with motion.png, motion.mp4 and motion.json.

    Args:
        run: The run folder.
        paths: Files, folders or patterns.
        beside: Another run that labels frames, to be drawn on the same frames.
        out: Where a folder for each file is made.
        rule: The most active channel.
        depth: The depth of a single colour file.
        span_s: Start and end in seconds.
        as_json: Print one JSON object per file.

    Raises:
        ConfigError: If a depth comes with several files.
        Exit: With code 1, if a file cannot be explained.
    """
    from mudra.cli.common import show_progress
    from mudra.cli.explain import name_folders
    from mudra.cli.predict import expand_paths
    from mudra.errors import ConfigError, MudraError
    from mudra.serving import load_segmenter
    from mudra.serving.motion_features import examine_motion, write_motion

    files, num_empty = expand_paths(paths)
    if depth is not None and len(files) + num_empty != 1:
        raise ConfigError(f"--depth belongs to one colour file, {len(files)} came", hint="explain one file at a time")
    runs = [run] if beside is None else [run, beside]
    are_alike = len({one.name for one in runs}) < len(runs)
    segmenters = {str(one) if are_alike else one.name: load_segmenter(one) for one in runs}
    failed = num_empty
    with show_progress() as progress:
        for number, (path, folder) in enumerate(zip(files, name_folders(files, out), strict=True), start=1):
            try:
                with ExitStack() as stack:
                    first = next(iter(segmenters.values()))
                    sources = first.predictor.open_sources(path, depth, 30.0, stack)
                    found = write_motion(folder, examine_motion(segmenters, sources, span_s=span_s, rule=rule))
                typer.echo(_as_json(path, found) if as_json else f"{path}\t{found.sheet}\t{found.video}")
            except MudraError as error:
                failed += 1
                told = json.dumps({"path": str(path), "error": str(error)}) if as_json else f"error: {error}"
                typer.echo(told, err=not as_json)
            progress(number, len(files), "explaining files")
    if failed:
        typer.echo(f"{failed} of {len(files) + num_empty} could not be explained", err=True)
        raise typer.Exit(1)


def _as_json(path: Path, found: WrittenMotion) -> str:
    files = {name: str(getattr(found, name)) for name in ("sheet", "video", "numbers")}
    return json.dumps({"path": str(path), **found.features.to_json(), "files": files})
