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
from mudra.models import RecurrentFrameNet
from mudra.serving import Predictor, evaluate, write_evaluation
from mudra.serving.evaluation import find_worst
from mudra.serving.predictor import CLIPS_AT_ONCE
from mudra.types import Frames, Recording, Stream

CLASSES = ("dark", "middle", "light")
LEVELS = (20, 120, 220)


class Brightness(nn.Module):
    """Knows a clip's class by its mean level."""

    def forward(self, clip_BTCHW: Tensor) -> Tensor:
        level_B1 = clip_BTCHW[:, :, :1].mean(dim=(1, 2, 3, 4))[:, None]
        return -((level_B1 - torch.tensor(LEVELS)).abs() / 20)


class FrameBrightness(RecurrentFrameNet):
    """Knows the class of every frame by its mean level; the frames vote."""

    def __init__(self) -> None:
        super().__init__(num_classes=3, in_channels=3, width=0.0625, cells=(), frame_cells=())
        self.backbone = FrameMeans()  # type: ignore[assignment]
        self.head = ByLevel()


class FrameMeans(nn.Module):
    """One number per frame as its map."""

    def forward(self, clip_BTCHW: Tensor) -> Tensor:
        return clip_BTCHW[:, :, :1].mean(dim=(3, 4), keepdim=True)


class ByLevel(nn.Module):
    """Levels into logits of every frame."""

    def forward(self, level_BTC: Tensor) -> Tensor:
        return -((level_BTC - torch.tensor(LEVELS)).abs() / 20)


def draw_frames(recording: Recording, stack: ExitStack) -> Mapping[Stream, FrameSource]:
    """A frame of each brightness that the file's name tells."""
    if "bad" in recording.path.name:
        raise VideoError(recording.path, "truncated")
    levels = np.array([LEVELS[int(word)] for word in recording.path.stem], np.uint8)
    frames = Frames(np.broadcast_to(levels[:, None, None, None], (len(levels), 16, 16, 3)).copy(), np.arange(3) / 10)
    return {Stream.RGB: ArraySource(frames)}


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
    asked = recordings(2 * CLIPS_AT_ONCE + 3)
    told: list[tuple[int, int, str]] = []
    result = evaluate(predictor(), asked, open_sources=draw, progress=lambda *what: told.append(what))
    assert result.recordings == asked
    assert result.scores.num_clips == len(asked)
    assert result.scores.top1 == 1.0
    assert result.probability_NK.shape == (len(asked), 3)
    assert result.probability_NK.argmax(dim=1).tolist() == [recording.label for recording in asked]
    assert [done for done, _, _ in told] == [CLIPS_AT_ONCE, 2 * CLIPS_AT_ONCE, len(asked)]


def test_one_bad_file_does_not_stop_the_others() -> None:
    bad = Recording(path=Path("bad.mp4"), label=0)
    result = evaluate(predictor(), [bad, *recordings(3)], open_sources=draw)
    assert result.scores.num_clips == 3
    assert result.scores.top1 == 1.0
    assert result.unread == [("bad.mp4", "bad.mp4: truncated")]


def test_a_whole_batch_of_bad_files_is_survived() -> None:
    bad = [Recording(path=Path(f"bad{index}.mp4"), label=0) for index in range(CLIPS_AT_ONCE)]
    result = evaluate(predictor(), [*bad, *recordings(3)], open_sources=draw)
    assert (len(result.unread), result.scores.num_clips) == (CLIPS_AT_ONCE, 3)


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


@pytest.mark.parametrize("num_test_clips", [1, 2])
def test_frames_that_vote_are_judged_by_themselves_too(num_test_clips: int, tmp_path: Path) -> None:
    clip = predictor().card.clip.model_copy(update={"num_test_clips": num_test_clips})
    judge = Predictor(FrameBrightness(), RunCard(classes=CLASSES, clip=clip), device="cpu")
    shown = {"000": 0, "011": 1, "110": 0, "bad": 1, "212": 2, "222": 2}
    asked = [Recording(path=Path(f"{name}.mp4"), label=label, split="test") for name, label in shown.items()]
    asked += [Recording(path=Path("000.mp4"), label=2)] * CLIPS_AT_ONCE  # more than one batch
    result = evaluate(judge, asked, open_sources=draw_frames)
    num_clips = 5 + CLIPS_AT_ONCE
    assert result.scores.num_clips == num_clips
    assert result.scores.top1 == pytest.approx(4 / num_clips)
    # Of several test clips, which show the same three frames here, all frames count.
    assert result.scores.frame_top1 == pytest.approx((3 + 2 + 1 + 2 + 3) / (3 * num_clips))
    assert not judge.network.head._forward_hooks
    path = write_evaluation(tmp_path, result, judge, title="Mine", facts={}, open_sources=draw_frames)
    assert json.loads((tmp_path / "scores.json").read_text())["frame_top1"] == result.scores.frame_top1
    assert "top-1 of single frames" in path.read_text(encoding="utf-8")


def test_other_networks_say_nothing_of_single_frames(tmp_path: Path) -> None:
    judge = predictor()
    result = evaluate(judge, recordings(3), open_sources=draw)
    assert result.scores.frame_top1 is None
    path = write_evaluation(tmp_path, result, judge, title="Mine", facts={}, open_sources=draw)
    assert "single frames" not in path.read_text(encoding="utf-8")
