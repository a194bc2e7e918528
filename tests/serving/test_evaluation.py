"""Evaluation: right scores for right recordings, files that cannot be read, and the report that shows the worst."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mudra.clips import ArraySource, ClipSpec, FrameSource, RgbChannels, RunCard
from mudra.errors import DataError, VideoError
from mudra.serving import Predictor, evaluate, write_evaluation
from mudra.serving.evaluation import BATCH, find_worst
from mudra.types import Frames, Recording, Stream

CLASSES = ("dark", "middle", "light")
LEVELS = (20, 120, 220)


class Brightness(nn.Module):
    """Knows a clip's class by its mean level."""

    def forward(self, clip_BTCHW: Tensor) -> Tensor:
        level_B1 = clip_BTCHW[:, :, :1].mean(dim=(1, 2, 3, 4))[:, None]
        return -((level_B1 - torch.tensor(LEVELS)).abs() / 20)


def predictor(streams: tuple[Stream, ...] = (Stream.RGB,)) -> Predictor:
    raw = RgbChannels(mean=(0.0, 0.0, 0.0), divisor=(1.0, 1.0, 1.0))
    spec = ClipSpec(streams=streams, num_frames=3, size=(16, 16), rgb=raw)
    return Predictor(Brightness(), RunCard(classes=CLASSES, clip=spec), device="cpu")


def recordings(count: int) -> list[Recording]:
    return [Recording(path=Path(f"{index}-{index % 3}.mp4"), label=index % 3, split="test") for index in range(count)]


def draw(recording: Recording, stack: ExitStack) -> Mapping[Stream, FrameSource]:
    """Frames of the brightness that the file's name tells; `bad` cannot be read."""
    if "bad" in recording.path.name:
        raise VideoError(recording.path, "truncated")
    level = LEVELS[int(recording.path.stem.split("-")[1])]
    frames = Frames(np.full((5, 16, 16, 3), level, np.uint8), np.arange(5) / 10)
    depth = Frames(np.full((5, 16, 16, 1), level, np.uint16), np.arange(5) / 10)
    return {Stream.RGB: ArraySource(frames), Stream.DEPTH: ArraySource(depth)}


def test_every_recording_is_judged_in_its_order() -> None:
    asked = recordings(2 * BATCH + 3)
    told: list[tuple[int, int, str]] = []
    result = evaluate(predictor(), asked, open_sources=draw, progress=lambda *what: told.append(what))
    assert result.recordings == asked
    assert result.scores.num_clips == len(asked)
    assert result.scores.top1 == 1.0
    assert result.probability_NK.shape == (len(asked), 3)
    assert result.probability_NK.argmax(dim=1).tolist() == [recording.label for recording in asked]
    assert [done for done, _, _ in told] == [BATCH, 2 * BATCH, len(asked)]


def test_one_bad_file_does_not_stop_the_others() -> None:
    bad = Recording(path=Path("bad.mp4"), label=0)
    result = evaluate(predictor(), [bad, *recordings(3)], open_sources=draw)
    assert result.scores.num_clips == 3
    assert result.scores.top1 == 1.0
    assert result.unread == [("bad.mp4", "bad.mp4: truncated")]


def test_a_whole_batch_of_bad_files_is_survived() -> None:
    bad = [Recording(path=Path(f"bad{index}.mp4"), label=0) for index in range(BATCH)]
    result = evaluate(predictor(), [*bad, *recordings(3)], open_sources=draw)
    assert (len(result.unread), result.scores.num_clips) == (BATCH, 3)


def test_recordings_without_a_label_are_not_judged() -> None:
    result = evaluate(predictor(), [Recording(path=Path("0-1.mp4")), *recordings(2)], open_sources=draw)
    assert result.scores.num_clips == 2


def test_nothing_to_judge_is_refused() -> None:
    with pytest.raises(DataError, match=r"none of 1 recordings has a label and can be read$"):
        evaluate(predictor(), [Recording(path=Path("0-1.mp4"))], open_sources=draw)
    bad = [Recording(path=Path("bad.mp4"), label=0)]
    with pytest.raises(DataError, match=r"none of 1 .*; the first cannot be read: bad.mp4: truncated"):
        evaluate(predictor(), bad, open_sources=draw)


def wrong_ones() -> list[Recording]:
    """Nine right ones, and two of the lightest that are labelled as something darker."""
    return [
        *recordings(9),
        Recording(path=Path("x-2.mp4"), label=1, split="test"),
        Recording(path=Path("y-2.mp4"), label=0, split="test", start_s=0.0),
    ]


def test_the_worst_are_the_wrong_ones_with_the_smallest_probability_first() -> None:
    judge = predictor()
    result = evaluate(judge, wrong_ones(), open_sources=draw)
    worst = find_worst(result, judge, open_sources=draw)
    assert [(clip.path, clip.label, clip.predicted) for clip in worst] == [
        ("y-2.mp4@0.000-end", "dark", "light"),
        ("x-2.mp4", "middle", "light"),
    ]
    assert worst[0].probability < worst[1].probability < 0.5 < worst[0].predicted_probability
    assert worst[0].frames_THWC.dtype == np.uint8
    assert worst[0].frames_THWC.shape[1:] == (16, 16, 3)
    assert (worst[0].frames_THWC == 220).all()


@pytest.mark.parametrize(
    ("streams", "dtype", "channels"),
    [((Stream.DEPTH,), np.uint16, 1), ((Stream.FLOW,), np.float32, 2)],
    ids=["depth", "flow"],
)
def test_the_worst_show_what_the_network_saw(
    streams: tuple[Stream, ...], dtype: type[np.generic], channels: int
) -> None:
    judge = predictor(streams)
    result = evaluate(judge, wrong_ones(), open_sources=draw)
    frames = find_worst(result, judge, open_sources=draw)[0].frames_THWC
    assert (frames.dtype, frames.shape[-1]) == (dtype, channels)
    if Stream.DEPTH in streams:
        assert frames.max() in LEVELS


def test_report_predictions_and_scores_are_written(tmp_path: Path) -> None:
    judge = predictor()
    asked = [*wrong_ones(), Recording(path=Path("bad.mp4"), label=2)]
    result = evaluate(judge, asked, open_sources=draw)
    path = write_evaluation(
        tmp_path / "new" / "out", result, judge, title="Mine", facts={"split": "test"}, open_sources=draw
    )
    assert path == tmp_path / "new" / "out" / "report.html"
    page = path.read_text(encoding="utf-8")
    assert "Mine" in page
    assert "bad.mp4: truncated" in page
    assert "y-2.mp4" in page
    scores = json.loads((path.parent / "scores.json").read_text(encoding="utf-8"))
    assert scores["num_clips"] == 11
    assert scores["top1"] == pytest.approx(9 / 11)
    with (path.parent / "predictions.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 11
    assert "y-2.mp4@0.000-end" in rows[-1].values()
