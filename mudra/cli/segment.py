"""`mudra segment`: what happens in files of any length, and when."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mudra.scoring import Event
    from mudra.serving import Segmented, Segmenter
    from mudra.serving.stream_clips import Progress
    from mudra.types import PixelBox

PICTURE_SUFFIXES = (".png", ".svg")


def segment(
    run: Path = typer.Argument(..., metavar="RUN", help="The run folder."),
    paths: list[str] = typer.Argument(..., metavar="FILE", help="Files, folders or patterns."),
    csv_path: Path | None = typer.Option(None, "--csv", help="Write the events of all files here (.csv)."),
    srt: Path | None = typer.Option(None, "--srt", help="Write the events of the only file here, as subtitles (.srt)."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object per file."),
    out: Path | None = typer.Option(None, "--out", help="Make a folder for each file here, with pictures and lists."),
    overlay: bool = typer.Option(False, "--overlay", help="With --out: also a video with the events written into it."),
    truth: Path | None = typer.Option(
        None, "--truth", help="What truly happens, to be drawn and scored: a CSV of segments, or a data set's folder."
    ),
    decoder: list[str] = typer.Option([], "--decoder", metavar="KEY=VALUE", help="A setting of the event decoder."),
    depth: Path | None = typer.Option(None, "--depth", help="The depth of a single colour file, for runs on both."),
    fps: float = typer.Option(30.0, "--fps", help="Frames per second of folders of pictures."),
    box: str | None = typer.Option(
        None,
        "--box",
        metavar="TOP,LEFT,HEIGHT,WIDTH",
        help="The part of each frame that the run is to see, in pixels.",
    ),
    window_s: float | None = typer.Option(
        None, "--window", help="For runs that name clips: seconds that one answer looks at."
    ),
    stride_s: float | None = typer.Option(None, "--stride", help="For runs that name clips: seconds between answers."),
) -> None:
    """Find the events of files: which gesture happened, from when to when.

    Any run can be asked. One that labels frames is used as it was trained; one that names clips is slid over the file
    in windows. With --out each file gets a folder with timeline.png, timeline.svg, events.csv and events.srt. One bad
    file does not stop the others; the exit code is then 1.

    \b
    Example: mudra segment runs/mine evening.mp4
             mudra segment runs/mine films/*.mp4 --csv events.csv --out segmented
             mudra segment runs/mine evening.mp4 --decoder on_threshold=0.7 --decoder min_length_s=0.5
    """
    from mudra.cli.common import parse_box, show_progress
    from mudra.cli.explain import name_folders
    from mudra.cli.predict import expand_paths
    from mudra.errors import ConfigError, MudraError
    from mudra.serving import load_segmenter, refuse_unwritable, write_events_csv, write_srt

    files, num_empty = expand_paths(paths)
    if len(files) + num_empty != 1 and (depth is not None or srt is not None):
        option = "--depth" if depth is not None else "--srt"
        raise ConfigError(f"{option} belongs to one file, {len(files)} came", hint="segment one file at a time")
    if overlay and out is None:
        raise ConfigError("--overlay writes a video, and it is not said where", hint="add --out FOLDER")
    if not fps > 0:
        raise ConfigError(f"--fps is {fps:g}", hint="give the pictures' frame rate, for example --fps 30")
    for path in (csv_path, srt):
        if path is not None:
            refuse_unwritable(path)  # before hours of video are gone through
    seen = None if box is None else parse_box(box)
    segmenter = load_segmenter(run, decoder=decoder, window_s=window_s, stride_s=stride_s)
    if segmenter.predictor.card.boxed and seen is None:
        typer.echo(
            f"the run was trained on boxes around the person (data set {segmenter.predictor.card.dataset}), and whole "
            "frames are seen now: --box TOP,LEFT,HEIGHT,WIDTH says where",
            err=True,
        )
    known = read_truth(truth) if truth is not None else {}
    _tell_unknown_labels(known, segmenter.classes)
    folders = name_folders(files, out) if out is not None else [None] * len(files)
    found: list[tuple[str, Event]] = []
    scored: list[tuple[Segmented, Sequence[Event]]] = []
    failed = num_empty
    with show_progress() as progress:
        for path, folder in zip(files, folders, strict=True):
            try:
                one = _segment_file(
                    segmenter, path, depth=depth, fps=fps, box=seen, folder=folder, overlay=overlay,
                    truth=known.get(path.resolve()), progress=progress,
                )  # fmt: skip
            except MudraError as error:
                failed += 1
                told = json.dumps({"path": str(path), "error": str(error)}) if as_json else f"error: {error}"
                typer.echo(told, err=not as_json)
                continue
            found += [(str(path), event) for event in one.events]
            if path.resolve() in known:
                scored.append((one, known[path.resolve()]))
                _tell_late_truth(one, known[path.resolve()])
            if as_json:
                typer.echo(json.dumps(_as_json(one, folder)))
            else:
                _tell(one)
            if srt is not None:
                write_srt(srt, one.events)
    if csv_path is not None:
        write_events_csv(csv_path, found)
    if truth is not None:
        _tell_scores(scored, num_files=len(files), as_json=as_json)
    if failed:
        typer.echo(f"{failed} of {len(files) + num_empty} could not be read", err=True)
        raise typer.Exit(1)


def read_truth(path: Path) -> dict[Path, list[Event]]:
    """Return what truly happens in each file that a CSV of segments, or a data set, names.

    Raises:
        DataError: If nothing of that kind is there, or it cannot be read.
    """
    from mudra.datasets import detect
    from mudra.datasets.base import ReleaseConfig
    from mudra.scoring import Event

    config = detect(path, streams=True)
    if isinstance(config, ReleaseConfig):
        config = config.model_copy(update={"on_missing": "skip"})  # a list may name more than is on this disk
    dataset = config.build()
    known: dict[Path, list[Event]] = {}
    for recording in dataset.all_recordings():
        events = known.setdefault(recording.path.resolve(), [])
        for label, start_s, end_s in recording.segments or ():
            name = dataset.card.classes[label]
            if name != dataset.card.idle_class:
                events.append(Event(label=name, start_s=start_s, end_s=end_s))
        if recording.label is not None and recording.start_s is not None and recording.end_s is not None:
            # A list of clips that are spans of longer files.
            label_name = dataset.card.classes[recording.label]
            events.append(Event(label=label_name, start_s=recording.start_s, end_s=recording.end_s))
    return known


def _segment_file(
    segmenter: Segmenter,
    path: Path,
    *,
    depth: Path | None,
    fps: float,
    box: PixelBox | None,
    folder: Path | None,
    overlay: bool,
    truth: Sequence[Event] | None,
    progress: Progress,
) -> Segmented:
    from mudra.serving import write_event_video

    def report(done: int, total: int, what: str) -> None:
        progress(done, total, f"{path.name}: {what}")

    with ExitStack() as stack:
        sources = segmenter.predictor.open_sources(path, depth, fps, stack, box=box)
        one = segmenter.segment_sources(sources, path=str(path), progress=report)
        if folder is not None:
            _write_folder(folder, segmenter, one, truth)
            if overlay:
                write_event_video(
                    folder / "overlay.mp4", sources, events=one.events, trace=one.trace,
                    classes=segmenter.classes, progress=report,
                )  # fmt: skip
    return one


def _write_folder(folder: Path, segmenter: Segmenter, one: Segmented, truth: Sequence[Event] | None) -> None:
    from mudra.errors import DataError
    from mudra.serving import write_events_csv, write_srt, write_timeline

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be made ({error.strerror})", hint="name another --out") from None
    timeline = one.lay_out(classes=segmenter.classes, idle_class=segmenter.idle_class, truth=truth)
    for suffix in PICTURE_SUFFIXES:
        write_timeline(folder / f"timeline{suffix}", timeline)
    write_events_csv(folder / "events.csv", [(one.path, event) for event in one.events])
    write_srt(folder / "events.srt", one.events)


def _tell(one: Segmented) -> None:
    """Print a table on a terminal, and tab-separated lines elsewhere."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        for event in one.events:
            times = f"{event.start_s:.2f}\t{event.end_s:.2f}"
            typer.echo(f"{one.path}\t{event.label}\t{times}\t{event.probability:.3f}")
    else:
        table = Table("label", "start s", "end s", "probability", title=one.path, title_justify="left")
        for event in one.events:
            table.add_row(event.label, f"{event.start_s:.2f}", f"{event.end_s:.2f}", f"{event.probability:.3f}")
        console.print(table)
    rate = one.num_frames / one.seconds if one.seconds else 0.0
    typer.echo(
        f"{one.path}: {len(one.events)} events in {one.end_s - one.start_s:.1f} s; {one.num_frames} frames judged, "
        f"{rate:.0f} per second",
        err=True,
    )


def _as_json(one: Segmented, folder: Path | None) -> dict[str, Any]:
    from mudra.serving import event_to_json

    files = {} if folder is None else {"files": {path.name: str(path) for path in sorted(folder.iterdir())}}
    return {
        "path": one.path,
        "start_s": round(one.start_s, 3),
        "end_s": round(one.end_s, 3),
        "num_frames": one.num_frames,
        "frames_per_s": round(one.num_frames / one.seconds, 1) if one.seconds else None,
        "events": [event_to_json(event) for event in one.events],
        **files,
    }


def _tell_unknown_labels(known: dict[Path, list[Event]], classes: Sequence[str]) -> None:
    unknown = sorted({event.label for events in known.values() for event in events} - set(classes))
    if unknown:
        typer.echo(
            f"--truth names what the run does not know, and can only miss: {', '.join(unknown)}; it knows "
            f"{', '.join(classes)}",
            err=True,
        )


def _tell_late_truth(one: Segmented, truth: Sequence[Event]) -> None:
    late = [event for event in truth if event.start_s >= one.end_s]
    if late:
        typer.echo(
            f"{one.path}: lasts {one.end_s:.2f} s, and --truth has {len(late)} events that begin later, the first at "
            f"{late[0].start_s:.2f} s; are its times seconds, and of this file?",
            err=True,
        )


def _tell_scores(scored: Sequence[tuple[Segmented, Sequence[Event]]], *, num_files: int, as_json: bool) -> None:
    """Say how the events compare with the truth, on the error stream: the other one holds the events."""
    from mudra.scoring import EventRecording, score_events

    if len(scored) < num_files:
        typer.echo(f"--truth says nothing of {num_files - len(scored)} of {num_files} files", err=True)
    num_scored = len(scored)
    scored = [(one, truth) for one, truth in scored if one.end_s > one.start_s]
    if len(scored) < num_scored:
        typer.echo(f"{num_scored - len(scored)} files of a single frame are not scored: they last no time", err=True)
    if not scored:
        return
    scores = score_events(
        [EventRecording(truth, one.events, one.end_s - one.start_s, one.start_s) for one, truth in scored]
    )
    if as_json:
        typer.echo(json.dumps({"scores": scores.to_json()}))
        return
    f1 = "none" if scores.f1 is None else f"{scores.f1:.4f}"
    typer.echo(
        f"{scores.num_true} true events, {scores.num_predicted} found, {scores.num_matched} of them right: F1 {f1}",
        err=True,
    )
