"""`mudra score`: predicted gestures of uncut recordings against the ground truth, both as label files."""

from __future__ import annotations

import csv
import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mudra.datasets.montalbano_labels import SamplePairs
    from mudra.scoring import Event, EventRecording, EventScores, FrameScores, FrameSequence, FrameSpan, TimeError


class EndRule(StrEnum):
    """What the third number of a row is."""

    EXCLUSIVE = "exclusive"
    INCLUSIVE = "inclusive"


def score(
    ground_truth: Path = typer.Argument(..., metavar="GROUND_TRUTH", help="Folder of *_labels.csv and *_data.csv."),
    predictions: Path = typer.Argument(..., metavar="PREDICTIONS", help="Folder of *_prediction.csv."),
    end: EndRule = typer.Option(
        EndRule.EXCLUSIVE, "--end", help="Whether a row ends before its third number, or with that frame."
    ),
    num_classes: int = typer.Option(20, "--classes", min=1, help="The largest class number."),
    min_iou: float = typer.Option(0.5, "--iou", help="The overlap from which an event counts as found."),
    per_class: Path | None = typer.Option(None, "--per-class", help="Write the scores of each class here (.csv)."),
    per_sample: Path | None = typer.Option(None, "--per-sample", help="Write the scores of each sample here (.csv)."),
    as_json: bool = typer.Option(False, "--json", help="Print all scores as JSON."),
) -> None:
    """Score gestures of uncut recordings: mean Jaccard, precision, recall, error rate and events.

    Rows are `class,begin,end`, counted from 1, as in ChaLearn 2014 (Montalbano). A sample without predictions counts
    as one in which nothing was recognised; it is told, and the exit code is 1.

    \b
    Example: mudra score ground_truth predictions --per-class classes.csv
             mudra score ground_truth predictions --json
    """
    from mudra.datasets.montalbano_labels import pair_samples
    from mudra.scoring import score_events, score_frames

    pairs = pair_samples(ground_truth, predictions)
    read = _read(pairs, end, num_classes)
    names = [str(number) for number in range(1, num_classes + 1)]
    frames = score_frames(read.sequences, class_names=names)
    events = score_events(read.recordings, min_iou=min_iou)
    for path, rows in ((per_class, frames.per_class), (per_sample, frames.per_sequence)):
        if path is not None:
            _write_csv(path, [one._asdict() for one in rows])
    if as_json:
        typer.echo(json.dumps(_as_json(frames, events, pairs, end), indent=2))
    else:
        _tell(frames, events, pairs, min_iou)
    _warn(pairs, read.past_end, ground_truth, predictions)
    if pairs.missing or pairs.extra:
        raise typer.Exit(1)


class _Read(NamedTuple):
    """All samples as the scores take them.

    Args:
        sequences: As runs of frames.
        recordings: As events.
        past_end: Rows that reach past the last frame of their sample, by sample; they are cut there.
    """

    sequences: list[FrameSequence]
    recordings: list[EventRecording]
    past_end: dict[str, int]


def _read(pairs: SamplePairs, end: EndRule, num_classes: int) -> _Read:
    from mudra.datasets.montalbano_labels import read_label_rows, read_sample_facts
    from mudra.scoring import EventRecording, FrameSequence, FrameSpan

    read = _Read([], [], {})
    for sample in pairs.samples:
        num_frames, fps = read_sample_facts(sample.facts)
        columns = []
        for path in (sample.labels, sample.predictions):
            rows = [] if path is None else read_label_rows(path, end=end.value, num_classes=num_classes)
            num_past_end = sum(row.end_frame > num_frames for row in rows)
            if num_past_end:
                read.past_end[sample.name] = read.past_end.get(sample.name, 0) + num_past_end
            inside = [row for row in rows if row.start_frame < num_frames]
            columns.append([FrameSpan(label, start, min(stop, num_frames)) for label, start, stop in inside])
        truth, predicted = columns
        read.sequences.append(FrameSequence(sample.name, num_frames, truth, predicted))
        events = [[_as_event(span, fps) for span in spans] for spans in columns]
        read.recordings.append(EventRecording(events[0], events[1], duration_s=num_frames / fps))
    return read


def _as_event(span: FrameSpan, fps: float) -> Event:
    from mudra.scoring import Event

    return Event(label=str(span.label + 1), start_s=span.start_frame / fps, end_s=span.end_frame / fps)


def _as_json(frames: FrameScores, events: EventScores, pairs: SamplePairs, end: EndRule) -> dict[str, Any]:
    return {
        "num_samples": len(pairs.samples),
        "end": end.value,
        "missing": list(pairs.missing),
        "extra": [path.name for path in pairs.extra],
        **frames.to_json(),
        "events": events.to_json(),
    }


def _tell(frames: FrameScores, events: EventScores, pairs: SamplePairs, min_iou: float) -> None:
    found = frames.mean_jaccard
    start, stop = events.start_error, events.end_error
    num_frames = sum(one.num_frames for one in frames.per_sequence)
    lines = [
        ("samples", f"{len(pairs.samples)} with {num_frames:,} frames and {events.num_true:,} gestures"),
        ("mean Jaccard", f"{_show(found.gt_classes)}  classes in the ground truth, as published numbers"),
        ("", f"{_show(found.union)}  classes in the ground truth or the predictions"),
        ("", f"{_show(found.all_classes)}  all {len(frames.per_class)} classes, absent ones scoring 0"),
        ("precision, recall", f"{_show(frames.precision)}  {_show(frames.recall)}  over frames, mean of the classes"),
        ("error rate", f"{_show(frames.error_rate)}  of isolated gestures, by majority of frames"),
        (
            f"events, IoU {min_iou:g}",
            f"F1 {_show(events.f1)}  precision {_show(events.precision)}  recall {_show(events.recall)}",
        ),
        ("start, end error", f"{_show_ms(start)}; {_show_ms(stop)}"),
        ("order of labels", f"{_show(events.levenshtein_accuracy)}  Levenshtein accuracy"),
        (
            "false alarms",
            f"{_show(events.false_alarms_per_hour, 1)} per hour: {events.num_false_alarms} in "
            f"{events.idle_hours:.2f} h without a gesture",
        ),
    ]
    for name, text in lines:
        typer.echo(f"{name:<20}{text}")


def _show(value: float | None, digits: int = 4) -> str:
    return "none" if value is None else f"{value:.{digits}f}"


def _show_ms(error: TimeError | None) -> str:
    if error is None:
        return "none"
    return f"{error.mean_absolute_ms:.0f} ms (median {error.median_absolute_ms:.0f}, bias {error.mean_ms:+.0f})"


def _warn(pairs: SamplePairs, past_end: dict[str, int], ground_truth: Path, predictions: Path) -> None:
    from mudra.datasets.dataset import shorten

    if pairs.missing:
        looked_for = shorten(f"{name}_prediction.csv" for name in pairs.missing)
        typer.echo(
            f"missing: {len(pairs.missing)} of {len(pairs.samples)} samples have no predictions in {predictions}: "
            f"{looked_for}; they count as nothing recognised",
            err=True,
        )
    if pairs.extra:
        typer.echo(
            f"extra: {len(pairs.extra)} predictions have no ground truth in {ground_truth}: "
            f"{shorten(path.name for path in pairs.extra)}; they are not scored",
            err=True,
        )
    if past_end:
        typer.echo(
            f"cut: {sum(past_end.values())} rows of {shorten(past_end)} reach past the last frame of their sample; "
            "they count up to there",
            err=True,
        )


def _write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    from mudra.errors import DataError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        hint = "name a file in a folder of yours"
        raise DataError(f"{path}: cannot be written: {error.strerror}", hint=hint) from None
