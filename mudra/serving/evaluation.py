"""Judge a run on labelled recordings: scores, predictions, the worst clips, and the report of them all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mudra.clips import FrameSource
from mudra.errors import DataError, MudraError
from mudra.models import RecurrentFrameNet
from mudra.scoring import Scores, score_clips
from mudra.serving.predictor import Predictor, Views
from mudra.serving.report import PredictionRow, WorstClip, write_predictions, write_report
from mudra.types import Recording, Stream

NUM_WORST = 12
WORST_FRAMES = 8

OpenSources = Callable[[Recording, ExitStack], Mapping[Stream, FrameSource]]


class Unread(NamedTuple):
    """A recording that could not be judged, and why."""

    path: str
    reason: str


class Evaluation(NamedTuple):
    """What a run makes of labelled recordings.

    Args:
        scores: All scores.
        recordings: What was judged.
        probability_NK: Its probabilities.
        unread: What could not be read.
    """

    scores: Scores
    recordings: list[Recording]
    probability_NK: Tensor
    unread: list[Unread]


def evaluate(
    predictor: Predictor,
    recordings: Sequence[Recording],
    *,
    open_sources: OpenSources,
    progress: Callable[[int, int, str], None] | None = None,
) -> Evaluation:
    """Predict every recording and score the predictions; those of single frames too, where frames vote on a clip.

    Args:
        predictor: The run.
        recordings: Labelled by the run's classes.
        open_sources: Opens a recording's streams; the stack closes them.
        progress: Called with (done, all, what).

    Raises:
        DataError: If no recording has a label or can be read.
    """
    labelled = [recording for recording in recordings if recording.label is not None]
    probabilities: list[Tensor] = []
    predicted: list[Tensor] = []
    judged: list[Recording] = []
    unread: list[Unread] = []
    at_once = predictor.recordings_at_once
    for start in range(0, len(labelled), at_once):
        batch: list[Views] = []
        for recording in labelled[start : start + at_once]:
            try:
                with ExitStack() as stack:
                    span_s = (recording.start_s, recording.end_s)
                    batch.append(predictor.read_views(open_sources(recording, stack), span_s=span_s))
                judged.append(recording)
            except MudraError as error:
                unread.append(Unread(recording.key, error.message))
        if batch:
            with _watch_frames(predictor) as logits_BTK:
                probabilities.append(predictor.probabilities(batch))
            # A recording's views stand one after the other: their frames together are its frames.
            if logits_BTK:
                predicted.append(torch.cat(logits_BTK).argmax(dim=-1).reshape(len(batch), -1).cpu())
        if progress is not None:
            progress(min(start + at_once, len(labelled)), len(labelled), "predicting clips")
    if not judged:
        reason = f"; the first cannot be read: {unread[0].reason}" if unread else ""
        raise DataError(f"none of {len(recordings)} recordings has a label and can be read{reason}")
    probability_NK = torch.cat(probabilities)
    label_N = torch.tensor([recording.label for recording in judged])
    predicted_NT = torch.cat(predicted) if predicted else None
    scores = score_clips(probability_NK, label_N, class_names=predictor.classes, predicted_NT=predicted_NT)
    return Evaluation(scores, judged, probability_NK, unread)


@contextmanager
def _watch_frames(predictor: Predictor) -> Iterator[list[Tensor]]:
    """Collect logits_BTK of all frames while clips are predicted: nothing of a network whose frames do not vote."""
    logits_BTK: list[Tensor] = []
    if not isinstance(predictor.network, RecurrentFrameNet):
        yield logits_BTK
        return
    # The head's output is what the vote is made of; asking the network for it would compute everything twice.
    handle = predictor.network.head.register_forward_hook(lambda _, __, logits: logits_BTK.append(logits))
    try:
        yield logits_BTK
    finally:
        handle.remove()


def write_evaluation(
    out: Path,
    evaluation: Evaluation,
    predictor: Predictor,
    *,
    title: str,
    facts: Mapping[str, Any],
    open_sources: OpenSources,
    curves: Sequence[Mapping[str, Any]] | None = None,
) -> Path:
    """Write report.html, predictions.csv and scores.json into `out`, and return the report's path."""
    out.mkdir(parents=True, exist_ok=True)
    classes = predictor.classes
    write_predictions(
        out / "predictions.csv",
        [
            PredictionRow(recording.key, classes[recording.label or 0], classes[int(row.argmax())], row.tolist())
            for recording, row in zip(evaluation.recordings, evaluation.probability_NK, strict=True)
        ],
        class_names=classes,
    )
    (out / "scores.json").write_text(json.dumps(evaluation.scores.to_json(), indent=2), encoding="utf-8")
    unread = [f"{clip.path}: {clip.reason}" for clip in evaluation.unread]
    frame_top1 = evaluation.scores.frame_top1
    frames = None if frame_top1 is None else f"{frame_top1:.4f}"
    write_report(
        out / "report.html",
        title=title,
        scores=evaluation.scores,
        card={"top-1 of single frames": frames, **facts, "could not be read": unread or None},
        curves=curves,
        worst=find_worst(evaluation, predictor, open_sources=open_sources),
        predictions_csv="predictions.csv",
    )
    return out / "report.html"


def find_worst(evaluation: Evaluation, predictor: Predictor, *, open_sources: OpenSources) -> list[WorstClip]:
    """Return the clips whose true class got the smallest probability, with frames of what the network saw."""
    label_N = torch.tensor([recording.label for recording in evaluation.recordings])
    truth_N = evaluation.probability_NK.gather(1, label_N[:, None])[:, 0]
    wrong_N = evaluation.probability_NK.argmax(dim=1) != label_N
    order = [index for index in truth_N.argsort().tolist() if wrong_N[index]][:NUM_WORST]
    worst = []
    for index in order:
        recording, row = evaluation.recordings[index], evaluation.probability_NK[index]
        with ExitStack() as stack:
            span_s = (recording.start_s, recording.end_s)
            window = predictor.maker.window(open_sources(recording, stack), span_s=span_s)
        x_TCHW = next(iter(window.streams.values()))
        frames = x_TCHW[torch.linspace(0, len(x_TCHW) - 1, WORST_FRAMES).round().long()]
        stream = next(iter(window.streams))
        worst.append(
            WorstClip(
                path=recording.key,
                label=predictor.classes[recording.label or 0],
                predicted=predictor.classes[int(row.argmax())],
                probability=float(truth_N[index]),
                predicted_probability=float(row.max()),
                frames_THWC=_as_picture(frames, stream),
            )
        )
    return worst


def _as_picture(frames_TCHW: Tensor, stream: Stream) -> npt.NDArray[np.generic]:
    """Return a window's frames as `draw_frames` takes them: depth in millimetres, flow in pixels, colour as it is."""
    if stream is Stream.DEPTH:
        depth, measured = frames_TCHW[:, :1].float(), frames_TCHW[:, 1:].float()
        depth_mm = torch.where(measured > 0.5, depth / measured.clamp_min(0.5), 0.0)
        return np.asarray(depth_mm.permute(0, 2, 3, 1).numpy().astype(np.uint16))
    if stream is Stream.FLOW:
        frames_TCHW = frames_TCHW.float()
    return np.asarray(frames_TCHW.permute(0, 2, 3, 1).numpy())
