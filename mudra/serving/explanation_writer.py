"""Explain a recording and leave pictures behind: a sheet, an overlay video, the gates as a table.

Networks with temporal modules or a decoder get a sheet and a table of these too.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from torch import nn

from mudra.clips import FrameSource
from mudra.clips.maker import frames_in_span
from mudra.errors import VideoError
from mudra.serving.clip_picture import draw_original
from mudra.serving.excitation_trace import TemporalTrace
from mudra.serving.explanation import Explanation, examine, primary_stream, read_original
from mudra.serving.explanation_sheet import draw_explanation
from mudra.serving.explanation_video import OverlayPainter
from mudra.serving.figure import write_png
from mudra.serving.mask_sheet import draw_masks
from mudra.serving.predictor import Predictor, Video
from mudra.serving.trace import ChannelRule
from mudra.types import Stream, UInt8Array
from mudra.video import write_video

CHUNK = 32  # frames of the overlay that are held at a time

Progress = Callable[[int, int, str], None]


class Explained(NamedTuple):
    """An explanation and the files that tell it.

    Args:
        explanation: What was found.
        sheet: PNG: frames, maps, attention, Grad-CAM, gates.
        overlay: MP4: all frames of the span with the maps laid over.
        gates: CSV: one line for each step, layer and gate.
        numbers: JSON: `Explanation.to_json`.
        temporal: PNG: masks, excitations and kernels over time; None for a network without such parts.
        excitations: CSV: one line for each block or decoder, excitation or mask, and frame; None likewise.
    """

    explanation: Explanation
    sheet: Path
    overlay: Path
    gates: Path
    numbers: Path
    temporal: Path | None = None
    excitations: Path | None = None


def explain(
    predictor: Predictor,
    video: Video,
    *,
    out: Path | str,
    depth: Video | None = None,
    span_s: tuple[float | None, float | None] = (None, None),
    fps: float = 30.0,
    label: str | None = None,
    rule: ChannelRule = "sum",
    blocks: Sequence[str] | None = None,
    decoder: nn.Module | None = None,
    progress: Progress | None = None,
) -> Explained:
    """Explain the prediction for one recording, and write sheet.png, overlay.mp4, gates.csv and explanation.json.

    Of a network with temporal modules or a decoder, temporal.png and excitations.csv too.

    Args:
        predictor: The run.
        video: A file, a folder of frames, `Frames` or an array, as `Predictor.predict` takes them.
        out: The folder to write into; made if it is missing.
        depth: The depth that belongs to a colour video.
        span_s: Start and end of the gesture within the recording, in seconds.
        fps: Frame rate of an array or a folder of frames.
        label: The class to explain; None for the predicted one.
        rule: Which channel of a layer is the most active one: `sum` (Zhang et al. 2018) or `contrast`.
        blocks: Blocks whose temporal modules are drawn, such as `layer1.0`; None for four of them.
        decoder: A decoder of depth, for a run that was saved without its own (`read_decoder`).
        progress: Called with (done, all, what) while the overlay is drawn.

    Raises:
        VideoError: If a file cannot be read, or `out` cannot be written.
        ClipError: If a stream is missing or not wanted, or no frame lies in the span.
        ModelError: If the run does not know `label`, its network cannot be explained, or has no such blocks.
    """
    with ExitStack() as stack:
        sources = predictor.open_sources(video, depth, fps, stack)
        path = str(video) if isinstance(video, str | Path) else ""
        explanation = examine(
            predictor, sources, span_s=span_s, label=label, rule=rule, path=path, blocks=blocks, decoder=decoder
        )
        return _write(Path(out), explanation, sources, span_s=span_s, progress=progress)


def _write(
    out: Path,
    explanation: Explanation,
    sources: Mapping[Stream, FrameSource],
    *,
    span_s: tuple[float | None, float | None],
    progress: Progress | None,
) -> Explained:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise VideoError(out, f"cannot be made into a folder ({error.strerror})", hint="name another folder") from None
    names = ("sheet.png", "overlay.mp4", "gates.csv", "explanation.json")
    explained = Explained(explanation, *(out / name for name in names))
    write_png(explained.sheet, draw_explanation(explanation))
    source = sources[primary_stream(sources)]
    times_s = source.times_s[frames_in_span(source.times_s, span_s)]
    pictures = _draw_overlay(explanation, source, span_s, progress)
    write_video(explained.overlay, pictures, times_s=times_s - times_s[0])
    _write_gates(explained.gates, explanation)
    explained.numbers.write_text(json.dumps(explanation.to_json(), indent=2), encoding="utf-8")
    return explained if explanation.temporal is None else _write_temporal(out, explained, explanation.temporal)


def _write_temporal(out: Path, explained: Explained, trace: TemporalTrace) -> Explained:
    """Write what temporal modules and decoders did."""
    explained = explained._replace(temporal=out / "temporal.png", excitations=out / "excitations.csv")
    assert explained.temporal is not None
    assert explained.excitations is not None
    times_s = explained.explanation.original.times_s
    write_png(explained.temporal, draw_masks(trace, explained.explanation.below_THWC, times_s))
    with explained.excitations.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["block", "name", "frame", "time_s", "mean", "std", "min", "max"])
        for block, name, frame, values in trace.rows():
            told = (values.mean(), values.std(), values.min(), values.max())
            table.writerow([block, name, frame, f"{times_s[frame]:.6f}", *(f"{value:.6g}" for value in told)])
    return explained


def _draw_overlay(
    explanation: Explanation,
    source: FrameSource,
    span_s: tuple[float | None, float | None],
    progress: Progress | None,
) -> Iterator[UInt8Array]:
    painter = OverlayPainter(explanation)
    inside = frames_in_span(source.times_s, span_s)
    for start in range(0, len(inside), CHUNK):
        frames = read_original(source, inside[start : start + CHUNK])
        pictures_THWC = draw_original(frames.frames_THWC, scale_from=explanation.original.frames_THWC)
        for picture_HWC, time_s in zip(pictures_THWC, frames.times_s, strict=True):
            yield painter.draw(picture_HWC, float(time_s))
        if progress is not None:
            progress(start + len(frames), len(inside), "drawing the overlay")


def _write_gates(path: Path, explanation: Explanation) -> None:
    """Write one line for each step, layer and gate; the table is empty for a network without gates."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["step", "time_s", "layer", "gate", "mean", "std", "min", "max"])
        for step, time_s in enumerate(explanation.step_times_s):
            for layer in explanation.trace.layers:
                for name, gate in layer.gates.items():
                    values = (series[step] for series in (gate.mean_T, gate.spread_T, gate.low_T, gate.high_T))
                    table.writerow([step, f"{time_s:.6f}", layer.name, name, *(f"{value:.6g}" for value in values)])
