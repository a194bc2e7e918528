"""The report of a run judged on streams: one HTML file that needs nothing else, with a timeline of each stream."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2

from mudra.scoring import EventRecording, EventScores, FrameScores, TimeError
from mudra.serving.chart import draw_curves
from mudra.serving.event_writer import write_events_csv
from mudra.serving.probability_trace import ProbabilityTrace
from mudra.serving.report import LONGEST_LIST, as_entries, percent, plural
from mudra.serving.segmenter import Segmenter
from mudra.serving.stream_evaluation import JudgedStream, StreamEvaluation
from mudra.serving.timeline import Timeline, draw_timeline

MOST_TIMELINES = 8
CLASSES_IN_WORDS = 3


class StreamRow(NamedTuple):
    """A stream in the report.

    Args:
        name: The recording.
        duration_s: How long it is.
        num_true, num_found: Its events.
        jaccard: Mean over the classes that it truly has; None without one.
        num_segments, num_wrong: Its segments, and those that the vote gets wrong.
        timeline: Picture as a data URI; empty for those beyond the first.
    """

    name: str
    duration_s: float
    num_true: int
    num_found: int
    jaccard: float | None
    num_segments: int
    num_wrong: int
    timeline: str


def write_stream_evaluation(
    out: Path,
    evaluation: StreamEvaluation,
    segmenter: Segmenter,
    *,
    title: str,
    facts: Mapping[str, Any],
    curves: Sequence[Mapping[str, Any]] | None = None,
) -> Path:
    """Write report.html, events.csv and scores.json into `out`, and return the report's path."""
    out.mkdir(parents=True, exist_ok=True)
    pairs = zip(evaluation.streams, evaluation.recordings, strict=True)
    write_events_csv(
        out / "events.csv", [(stream.recording.key, event) for stream, found in pairs for event in found.predicted]
    )
    (out / "scores.json").write_text(json.dumps(evaluation.to_json(), indent=2), encoding="utf-8")
    write_stream_report(
        out / "report.html", title=title, evaluation=evaluation, segmenter=segmenter, facts=facts, curves=curves
    )
    return out / "report.html"


def write_stream_report(
    path: Path | str,
    *,
    title: str,
    evaluation: StreamEvaluation,
    segmenter: Segmenter,
    facts: Mapping[str, Any],
    curves: Sequence[Mapping[str, Any]] | None = None,
) -> None:
    """Write the report as one HTML file.

    Args:
        path: The file to write.
        title: Heading of the page.
        evaluation: What came out.
        segmenter: The run.
        facts: For the table: recipe, data, split, machine and so on; None values are left out.
        curves: Rows of the run's `metrics.csv`; without them the section is left out.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "score": _score, "ms": _ms}
    unread = [f"{one.path}: {one.reason}" for one in evaluation.unread]
    told = {**facts, "event decoder": segmenter.decoder.model_dump(mode="json"), "could not be read": unread or None}
    page = environment.get_template("stream_report.html").render(
        title=title,
        sentences=describe_streams(evaluation, facts=facts),
        accuracy=evaluation.accuracy,
        frames=evaluation.frames,
        events=evaluation.events,
        facts=[(name, as_entries(value)) for name, value in told.items() if value is not None],
        longest_list=LONGEST_LIST,
        curves_svg=draw_curves(curves) if curves else None,
        streams=_as_rows(evaluation, segmenter),
    )
    Path(path).write_text(page, encoding="utf-8")


def describe_streams(evaluation: StreamEvaluation, *, facts: Mapping[str, Any]) -> list[str]:
    """Return sentences that say what was evaluated, what came out, and what went wrong."""
    accuracy, frames, events = evaluation.accuracy, evaluation.frames, evaluation.events
    hours = sum(one.duration_s for one in evaluation.recordings) / 3600
    parts = [f"{facts['split']} split"] if facts.get("split") else []
    what = " of ".join([*parts, *([str(facts["data"])] if facts.get("data") else [])])
    number, right = len(evaluation.streams), accuracy.num_right / accuracy.num_known
    largest = accuracy.num_largest / accuracy.num_known
    sentences = [
        f"{number} {plural('stream', number)}{f' ({what})' if what else ''} of {hours:.2f} hours in all; "
        f"{percent(right)} of {accuracy.num_known:,} labelled frames were named right. "
        f"Always answering “{accuracy.largest_class}” would reach {percent(largest)}.",
        _describe_jaccard(frames),
        _describe_events(events),
    ]
    if evaluation.waits_ms:
        sentences.append(
            f"The network looks at later frames, up to {evaluation.waits_ms:.0f} ms of them; delays do not hold that."
        )
    return sentences


def _describe_jaccard(frames: FrameScores) -> str:
    mean = frames.mean_jaccard
    known = [one for one in frames.per_class if one.jaccard is not None]
    worst = sorted(known, key=lambda one: one.jaccard or 0.0)[:CLASSES_IN_WORDS]
    named = ", ".join(f"“{one.name}” ({_score(one.jaccard)})" for one in worst)
    return (
        f"The mean Jaccard index is {_score(mean.gt_classes)} over the classes that each stream truly has, as "
        f"published numbers are; {_score(mean.union)} if classes predicted where they never occur score 0. "
        f"Lowest: {named or 'none'}."
    )


def _describe_events(events: EventScores) -> str:
    alarms = events.false_alarms_per_hour
    told = "" if alarms is None else (
        f" Where nothing is performed ({events.idle_hours * 60:.1f} minutes), {events.num_false_alarms} false alarms: "
        f"{alarms:.1f} per hour."
    )  # fmt: skip
    return (
        f"{events.num_matched} of {events.num_true} events were found once, under their name and with an overlap of at "
        f"least one half; {events.num_predicted} were reported.{told}"
    )


def _as_rows(evaluation: StreamEvaluation, segmenter: Segmenter) -> list[StreamRow]:
    scores = {one.name: one for one in evaluation.frames.per_sequence}
    rows = []
    for number, (stream, events) in enumerate(zip(evaluation.streams, evaluation.recordings, strict=True)):
        one = scores[stream.recording.key]
        picture = _draw(stream, events, segmenter) if number < MOST_TIMELINES else ""
        rows.append(
            StreamRow(
                name=stream.recording.key,
                duration_s=events.duration_s,
                num_true=len(events.truth),
                num_found=len(events.predicted),
                jaccard=one.gt_classes,
                num_segments=one.num_segments,
                num_wrong=one.num_wrong,
                timeline=picture,
            )
        )
    return rows


def _draw(stream: JudgedStream, events: EventRecording, segmenter: Segmenter) -> str:
    trace = ProbabilityTrace()
    trace.push(stream.probability_SK.astype(float), stream.times_s)
    timeline = Timeline(
        title=stream.recording.path.name,
        classes=segmenter.classes,
        idle_class=segmenter.idle_class,
        probability_TK=trace.probability_TK,
        times_s=trace.times_s,
        span_s=(events.start_s, events.start_s + events.duration_s),
        events=events.predicted,
        truth=events.truth,
    )
    file = io.BytesIO()
    draw_timeline(timeline, file, form="png")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _ms(error: TimeError | None) -> str:
    return "–" if error is None else f"{error.mean_absolute_ms:.0f} ms"
