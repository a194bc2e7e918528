"""`mudra tune`: choose when probabilities are an event, for a wanted rate of false alarms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from mudra.serving import Tuned


def tune(
    run: Path = typer.Argument(..., metavar="RUN", help="The run folder."),
    target: float = typer.Option(
        ..., "--false-alarms-per-hour", min=0.0, help="At most so many events per hour in which nothing is performed."
    ),
    data: str | None = typer.Option(None, "--data", help="Streams: a folder or CSV; default the run's own data."),
    split: str = typer.Option("validation", "--split", help="train, validation or test."),
    decoder: list[str] = typer.Option([], "--decoder", metavar="KEY=VALUE", help="Where the search begins."),
    window_s: float | None = typer.Option(
        None, "--window", help="For runs that name clips: seconds that one answer looks at."
    ),
    stride_s: float | None = typer.Option(None, "--stride", help="For runs that name clips: seconds between answers."),
    as_json: bool = typer.Option(False, "--json", help="Print settings and scores as JSON."),
) -> None:
    """Choose the event decoder's settings on validation streams, and leave them in the run folder: decoder.yaml.

    They are used from then on, in segmenting and in evaluation. Give it hours of idle video: one false alarm per hour
    cannot be told from five minutes. The exit code is 1 if no setting keeps the target.

    \b
    Example: mudra tune runs/mine --false-alarms-per-hour 2
             mudra tune runs/mine --false-alarms-per-hour 2 --data my_streams.csv
    """
    from mudra.cli.common import find_dataset, open_sources_of, show_progress
    from mudra.serving import judge_streams, load_segmenter
    from mudra.serving import tune as search
    from mudra.serving.segmenter import DECODER_FILE
    from mudra.serving.stream_evaluation import as_tuning_stream
    from mudra.training import RunConfig

    segmenter = load_segmenter(run, decoder=decoder, window_s=window_s, stride_s=stride_s)
    dataset = find_dataset(data, RunConfig.from_yaml(run / "run.yaml"), segmenter.classes)
    opener = open_sources_of(dataset, segmenter.predictor.card.clip.streams)
    with show_progress() as progress:
        judged = judge_streams(segmenter, dataset.split(split), open_sources=opener, progress=progress)
        found = search(
            segmenter.build_decoder(),
            [as_tuning_stream(segmenter, stream) for stream in judged.streams],
            target_false_alarms_per_hour=target,
            progress=lambda done, total: progress(done, total, "trying settings"),
        )
    for one in judged.unread:
        typer.echo(f"not read: {one.path}: {one.reason}", err=True)
    if dataset.card.idle_class is None:
        typer.echo(f"{dataset.card.name}: frames in no segment were taken to show no gesture", err=True)
    path = run / DECODER_FILE
    path.write_text(_as_yaml(found, f"{dataset.card.name}, {split}", len(judged.streams), target), encoding="utf-8")
    if as_json:
        settings = found.config.model_dump(mode="json")
        told = {"decoder": settings, "is_target_met": found.is_target_met, "scores": found.scores.to_json()}
        typer.echo(json.dumps(told, indent=2))
    else:
        for name, value in found.config.model_dump(mode="json").items():
            typer.echo(f"{name:<24}{value}")
        typer.echo(f"{_describe(found)}\nwritten: {path}")
    if not found.is_target_met or judged.unread:
        if not found.is_target_met:
            typer.echo(f"no setting keeps {target:g} false alarms per hour; these give the fewest", err=True)
        raise typer.Exit(1)


def _as_yaml(found: Tuned, where: str, num_streams: int, target: float) -> str:
    return (
        f"# Chosen by mudra tune on {num_streams} streams ({where}) for at most {target:g} false alarms per hour.\n"
        f"# There: {_describe(found)}\n{found.config.to_yaml()}"
    )


def _describe(found: Tuned) -> str:
    scores = found.scores
    f1, alarms = scores.f1 or 0.0, scores.false_alarms_per_hour or 0.0
    return (
        f"F1 {f1:.4f} of {scores.num_true} events, {alarms:.2f} false alarms per hour in {scores.idle_hours:.2f} idle "
        "hours; a little too good, as the settings were chosen there"
    )
