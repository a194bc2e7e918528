"""`mudra fuse`: runs on different streams are judged together, their answers averaged with tuned weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mudra.errors import ConfigError

if TYPE_CHECKING:
    from mudra.serving import Fusion, Member

NO_TUNING = "none"


def fuse(
    runs: list[Path] = typer.Argument(..., metavar="RUN RUN [RUN ...]", help="The run folders."),
    data: str = typer.Option(None, "--data", help="Folder, CSV or `synthetic`; default the first run's own data."),
    split: str = typer.Option("test", "--split", help="What is judged: train, validation or test."),
    tune: str = typer.Option("validation", "--tune", help="The split that chooses the weights; `none` for equal ones."),
    weights: str = typer.Option(None, "--weights", help="Weights of your own, in place of --tune: 0.5,0.3,0.2"),
    out: Path = typer.Option(Path("fused"), "--out", help="Where report, predictions and weights go."),
    as_json: bool = typer.Option(False, "--json", help="Print weights and scores as JSON."),
) -> None:
    """Average the answers of runs on different streams, and judge them together.

    The weights are those that give the true classes of the tuning split the largest probabilities. Left behind:
    fusion.json, report.html, predictions.csv and scores.json.

    Example: mudra fuse runs/rgb runs/depth runs/flow --split test --out runs/fused
    """
    from mudra.cli.common import find_dataset, open_sources_of, show_progress
    from mudra.serving import Member, load, write_fusion
    from mudra.serving import fuse as judge
    from mudra.training import RunConfig

    given = None if weights is None else _numbers(weights)
    predictors = {run: load(run) for run in runs}
    first = predictors[runs[0]]
    # Of an uncut stream, each segment is a clip, as in training.
    dataset = find_dataset(data, RunConfig.from_yaml(runs[0] / "run.yaml"), first.classes).cut_segments()
    members = [
        Member(name, predictors[run], open_sources_of(dataset, predictors[run].card.clip.streams))
        for name, run in zip(_names(runs), runs, strict=True)
    ]
    is_tuned = given is None and tune != NO_TUNING
    with show_progress() as progress:
        fusion = judge(
            members,
            dataset.split(split),
            tune_on=dataset.split(tune) if is_tuned else None,
            weights=given,
            progress=progress,
        )
        chosen_by = f"tuned on {tune}" if is_tuned else ("equal" if given is None else "given")
        report = write_fusion(
            out,
            fusion,
            members,
            title=f"{', '.join(fusion.names)}: {dataset.card.name}, {split}",
            facts={"data": dataset.card.name, "split": split, "weights": chosen_by},
        )
    for clip in fusion.evaluation.unread:
        typer.echo(f"not read: {clip.path}: {clip.reason}", err=True)
    for warning in fusion.warnings:
        typer.echo(f"warning: {warning}", err=True)
    typer.echo(json.dumps(fusion.to_json(), indent=2) if as_json else _as_table(fusion, members))
    if not as_json:
        typer.echo(f"report: {report}")
    if fusion.evaluation.unread:
        raise typer.Exit(1)


def _names(runs: list[Path]) -> list[str]:
    """Return the folders' own names, or their whole paths where two are called alike."""
    names = [run.resolve().name for run in runs]
    return names if len(set(names)) == len(names) else [str(run) for run in runs]


def _numbers(words: str) -> list[float]:
    try:
        return [float(word) for word in words.split(",")]
    except ValueError:
        raise ConfigError(f"--weights {words!r} is no list of numbers", hint="for example --weights 0.5,0.5") from None


def _as_table(fusion: Fusion, members: list[Member]) -> str:
    width = max(len(name) for name in (*fusion.names, "fused")) + 2
    lines = [f"{'run':<{width}}{'streams':<12}{'weight':>8}{'top-1':>9}{'mean class':>12}{'log-loss':>10}"]
    rows = zip(fusion.names, members, fusion.weight_R, fusion.single_R, strict=True)
    told = [
        (name, "+".join(member.predictor.card.clip.streams), f"{weight:.3f}", scores)
        for name, member, weight, scores in rows
    ]
    for name, streams, weight, scores in (*told, ("fused", "", "", fusion.evaluation.scores)):
        lines.append(
            f"{name:<{width}}{streams:<12}{weight:>8}{scores.top1:>9.4f}{scores.mean_class_accuracy:>12.4f}"
            f"{scores.mean_nll:>10.4f}"
        )
    return "\n".join([*lines, f"{fusion.evaluation.scores.num_clips} clips"])
