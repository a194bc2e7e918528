"""`mudra compare`: two runs class by class on the same clips, with pictures of where and why they differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from mudra.cli.common import Progress
    from mudra.serving import Comparison, Member

MOST_TOLD = 3  # classes on each side that are printed


def compare(
    first: Path = typer.Argument(..., metavar="RUN", help="The run folder to compare with."),
    second: Path = typer.Argument(..., metavar="RUN", help="The run folder whose gains and losses are told."),
    data: str = typer.Option(None, "--data", help="Folder, CSV or `synthetic`; default the first run's own data."),
    split: str = typer.Option("test", "--split", help="train, validation or test."),
    out: Path = typer.Option(Path("compared"), "--out", help="Where tables and pictures go."),
    flow_clips: int = typer.Option(5, "--flow-clips", min=0, help="Clips of each class whose flow is measured."),
    gate_clips: int = typer.Option(16, "--gate-clips", min=0, help="Clips over which gates are looked at."),
    cell: int = typer.Option(1, "--cell", min=1, help="Which recurrent cell's gates, from 1 on."),
    as_json: bool = typer.Option(False, "--json", help="Print the comparison as JSON."),
) -> None:
    """Compare two runs of the same classes: classes.csv, comparison.json, speeds.csv, gates.csv, and a picture of each.

    What is told: which classes gained and lost, how many clips each run alone named right and whether that can be
    chance, how fast things move in the classes that gained and lost, and whether the cells' gates are saturated.

    Example: mudra compare runs/conv_lstm runs/multi_kernel --split test --out compared
    """
    from mudra.cli.common import find_dataset, open_sources_of, show_progress
    from mudra.serving import Member, load, write_comparison
    from mudra.serving import compare as compare_runs
    from mudra.serving.comparison_figure import draw_classes
    from mudra.training import RunConfig

    predictors = load(first), load(second)
    config = RunConfig.from_yaml(first / "run.yaml")
    # Of an uncut stream, each segment is a clip, as in training.
    dataset = find_dataset(data, config, predictors[0].classes).cut_segments()
    names = (first.resolve().name, second.resolve().name)
    names = names if len(set(names)) == 2 else (str(first), str(second))
    members = [
        Member(name, predictor, open_sources_of(dataset, predictor.card.clip.streams))
        for name, predictor in zip(names, predictors, strict=True)
    ]
    with show_progress() as progress:
        found = compare_runs(members[0], members[1], dataset.split(split), progress=progress)
        files = [*write_comparison(out, found), draw_classes(out, found)]
        files += _measure_flow(out, found, members[0], flow_clips, progress) if flow_clips else []
        files += _look_at_gates(out, found, members, gate_clips, cell) if gate_clips else []
    for clip in found.unread:
        typer.echo(f"not read: {clip.path}: {clip.reason}", err=True)
    if as_json:
        typer.echo(json.dumps({**found.to_json(), "files": [str(path) for path in files]}, indent=2))
    else:
        typer.echo(_as_text(found))
        typer.echo(f"written: {', '.join(map(str, files))}")
    if found.unread:
        raise typer.Exit(1)


def _measure_flow(out: Path, found: Comparison, member: Member, flow_clips: int, progress: Progress) -> list[Path]:
    from mudra.serving.comparison_figure import draw_speeds
    from mudra.serving.flow_speed import measure_speeds, write_speeds

    shares = measure_speeds(
        found.recordings,
        member.predictor.classes,
        open_sources=member.open_sources,
        clips_per_class=flow_clips,
        progress=progress,
    )
    return [write_speeds(out / "speeds.csv", shares), draw_speeds(out, found, shares)]


def _look_at_gates(out: Path, found: Comparison, members: list[Member], gate_clips: int, cell: int) -> list[Path]:
    """Draw the gates of the runs that have cells; a run without any is told, and no error."""
    import numpy as np

    from mudra.serving.comparison_figure import draw_gates
    from mudra.serving.gate_saturation import find_cells, measure_gates, write_gates

    # Spread over all of them: recordings often stand class by class.
    places = np.linspace(0, len(found.recordings) - 1, min(len(found.recordings), gate_clips)).round().astype(int)
    chosen = [found.recordings[place] for place in places]
    uses = {}
    for member in members:
        if not find_cells(member.predictor.network):
            typer.echo(f"{member.name} has no recurrent cell over maps: no gates are drawn of it", err=True)
            continue
        uses[member.name] = measure_gates(member.predictor, chosen, open_sources=member.open_sources, layer=cell)
    return [write_gates(out / "gates.csv", uses), draw_gates(out, uses)] if uses else []


def _as_text(found: Comparison) -> str:
    first, second = found.names
    counts, told = found.counts, found.to_json()
    lines = [
        f"{told['num_clips']} clips: top-1 {told['top1'][0]:.4f} of {first}, {told['top1'][1]:.4f} of {second}",
        f"right: both {counts.both}, only {first} {counts.first_alone}, only {second} {counts.second_alone}, "
        f"neither {counts.neither}; by chance with p = {counts.p_value:.3g} (exact sign test)",
    ]
    best = [one for one in found.classes if one.difference > 0][:MOST_TOLD]
    worst = [one for one in reversed(found.classes) if one.difference < 0][:MOST_TOLD]
    for word, own in (("gained", best), ("lost", worst)):
        if own:
            lines.append(f"{word} most: " + ", ".join(f"{one.name} {one.difference:+.2f}" for one in own))
    return "\n".join(lines)
