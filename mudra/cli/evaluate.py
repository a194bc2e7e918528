"""`mudra evaluate`: a run is judged on labelled recordings; a report is left behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from mudra.clips import RunCard
    from mudra.training import RunConfig


def evaluate(
    run: Path = typer.Argument(..., metavar="RUN", help="The run folder."),
    data: str | None = typer.Option(None, "--data", help="Folder, CSV or `synthetic`; default the run's own data."),
    split: str = typer.Option("test", "--split", help="train, validation or test."),
    out: Path | None = typer.Option(None, "--out", help="Where the report goes; default the run folder."),
    as_json: bool = typer.Option(False, "--json", help="Print all scores as JSON."),
) -> None:
    """Judge a run on labelled recordings: report.html, predictions.csv and scores.json.

    Where every frame votes (recurrent_frame_net), the accuracy of single frames is told too: frame_top1.
    A run that labels frames is judged on streams: report.html with timelines, events.csv and scores.json.
    A run that predicts frames is judged on clips drawn from its own data: scores.json by speed, future.png.

    \b
    Example: mudra evaluate runs/mine --split validation
             mudra evaluate runs/mine --data other_people --split test --out results
    """
    from mudra.cli.common import find_dataset, open_sources_of, show_progress
    from mudra.cli.future import evaluate_future, predicts_frames
    from mudra.cli.stream import evaluate_run_on_streams, labels_frames

    if predicts_frames(run):
        evaluate_future(run, data=data, split=split, out=out, as_json=as_json)
        return
    if labels_frames(run):
        evaluate_run_on_streams(run, data=data, split=split, out=out, as_json=as_json, facts_of=_facts)
        return
    from mudra.serving import evaluate as judge
    from mudra.serving import load, write_evaluation
    from mudra.training import RunConfig
    from mudra.training.callback import read_curves

    predictor = load(run)
    config = RunConfig.from_yaml(run / "run.yaml")
    # Of an uncut stream, each segment is a clip, as in training.
    dataset = find_dataset(data, config, predictor.classes).cut_segments()
    recordings = dataset.split(split)
    opener = open_sources_of(dataset, predictor.card.clip.streams)
    curves_path = run / "metrics.csv"
    with show_progress() as progress:
        result = judge(predictor, recordings, open_sources=opener, progress=progress)
        report = write_evaluation(
            out or run,
            result,
            predictor,
            title=f"{run.name}: {dataset.card.name}, {split}",
            facts=_facts(predictor.card, config, dataset.card.name, data, split),
            open_sources=opener,
            curves=read_curves(curves_path) if curves_path.exists() else None,
        )
    for clip in result.unread:
        typer.echo(f"not read: {clip.path}: {clip.reason}", err=True)
    if as_json:
        typer.echo(json.dumps(result.scores.to_json(), indent=2))
    else:
        scores = result.scores
        frames = "" if scores.frame_top1 is None else f", top-1 of single frames {scores.frame_top1:.4f}"
        typer.echo(
            f"{scores.num_clips} clips: top-1 {scores.top1:.4f}, mean class accuracy {scores.mean_class_accuracy:.4f}"
            f"{frames}"
        )
        typer.echo(f"report: {report}")
    if result.unread:
        raise typer.Exit(1)


def _facts(card: RunCard, config: RunConfig, dataset_name: str, data: str | None, split: str) -> dict[str, object]:
    from mudra.training import versions

    now = versions()
    return {
        "data": f"{dataset_name} ({data})" if data else dataset_name,
        "split": split,
        "recipe": card.recipe or None,
        "parameters": f"{card.parameters:,}",
        "multiply-accumulates per clip": f"{card.macs_per_clip / 1e9:.3f} G",
        "streams": ", ".join(stream.value for stream in card.clip.streams),
        "clip": f"{card.clip.num_frames} frames of {card.clip.size[1]}x{card.clip.size[0]}, region {card.clip.region}",
        "epochs": card.epochs,
        "seed": config.seed,
        "trained": {name: str(value) for name, value in card.made_with.items() if value != ""},
        "evaluated": now["date"],
        "machine": f"{now['machine']}, {now['device']}",
        "left out of training": list(card.left_out) or None,
    }
