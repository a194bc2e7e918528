"""What `mudra evaluate` does with a run that labels frames: it is judged on whole streams."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from mudra.serving import StreamEvaluation


def labels_frames(run: Path) -> bool:
    """Whether a run folder's network labels frames; a folder that is no run says no, and is refused elsewhere."""
    try:
        model = yaml.safe_load((run / "run.yaml").read_text(encoding="utf-8"))["model"]
        return bool(model["kind"] == "frame_wise_net")
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
        return False


def evaluate_run_on_streams(
    run: Path, *, data: str | None, split: str, out: Path | None, as_json: bool, facts_of: Callable[..., dict[str, Any]]
) -> None:
    """Judge a run on labelled streams: report.html with timelines, events.csv and scores.json.

    Args:
        run: The run folder.
        data: Folder or CSV; None for the run's own data.
        split: train, validation or test.
        out: Where the report goes; None for the run folder.
        as_json: Print all scores as JSON.
        facts_of: Says of card, config, data set, data and split what the report tells.

    Raises:
        DataError: If the split is unknown or empty, or no recording of it is a stream that can be read.
        Exit: With code 1, if a recording cannot be read.
    """
    from mudra.cli.common import find_dataset, open_sources_of, show_progress
    from mudra.datasets import UNLABELLED, label_frames
    from mudra.serving import evaluate_streams, load_segmenter, write_stream_evaluation
    from mudra.training import RunConfig
    from mudra.training.callback import read_curves

    segmenter = load_segmenter(run)
    config, card = RunConfig.from_yaml(run / "run.yaml"), segmenter.predictor.card
    dataset = find_dataset(data, config, segmenter.classes)
    with show_progress() as progress:
        found = evaluate_streams(
            segmenter,
            dataset.split(split),
            open_sources=open_sources_of(dataset, card.clip.streams),
            label_frames=partial(label_frames, idle=UNLABELLED),
            has_idle=dataset.card.idle_class is not None,
            progress=progress,
        )
    curves_path = run / "metrics.csv"
    report = write_stream_evaluation(
        out or run,
        found,
        segmenter,
        title=f"{run.name}: {dataset.card.name}, {split}",
        facts=facts_of(card, config, dataset.card.name, data, split),
        curves=read_curves(curves_path) if curves_path.exists() else None,
    )
    for one in found.unread:
        typer.echo(f"not read: {one.path}: {one.reason}", err=True)
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2))
    else:
        _tell(found)
        typer.echo(f"report: {report}")
    if found.unread:
        raise typer.Exit(1)


def _tell(found: StreamEvaluation) -> None:
    mean, accuracy, events = found.frames.mean_jaccard, found.accuracy, found.events
    alarms = events.false_alarms_per_hour
    typer.echo(
        f"{len(found.streams)} streams: mean Jaccard {_show(mean.gt_classes)} (union {_show(mean.union)}), "
        f"frame accuracy {accuracy.num_right / accuracy.num_known:.4f}, "
        f"error rate of segments {_show(found.frames.error_rate)}"
    )
    typer.echo(
        f"{events.num_matched} of {events.num_true} events found, {events.num_predicted} reported: "
        f"F1 {_show(events.f1)}" + ("" if alarms is None else f", {alarms:.1f} false alarms per hour")
    )


def _show(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"
