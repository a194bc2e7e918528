"""Scores of streams: frames by their truth, events by their decoder, and what is not known counts nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from mudra.clips import ArraySource, FrameSource
from mudra.datasets import UNLABELLED, label_frames
from mudra.errors import DataError, VideoError
from mudra.serving import Segmenter, StreamEvaluation, evaluate_streams, judge_streams
from mudra.serving.stream_evaluation import as_tuning_stream
from mudra.types import Recording, Segment, Stream
from tests.fixtures.stream_run import brightness_segmenter, draw_stream

# What the run sees, frame by frame: the second wave is called push in 15 of 40 frames.
SHOWN = {"a": [0] * 20 + [1] * 30 + [0] * 20 + [1] * 25 + [2] * 15 + [0] * 10, "b": [0] * 50 + [2] * 50}
TRUTH = {
    "a": (Segment(1, 2.0, 5.0), Segment(1, 7.0, 11.0)),
    "b": (Segment(2, 6.0, 10.0),),
}
LABEL = partial(label_frames, idle=UNLABELLED)


def recordings(*names: str) -> list[Recording]:
    return [Recording(path=Path(f"{name}.mp4"), segments=TRUTH.get(name, ())) for name in names]


def draw(recording: Recording, stack: ExitStack) -> Mapping[Stream, FrameSource]:
    if recording.path.stem not in SHOWN:
        raise VideoError(recording.path, "truncated")
    return {Stream.RGB: ArraySource(draw_stream(SHOWN[recording.path.stem]))}


def judge(segmenter: Segmenter, *names: str, has_idle: bool = True) -> StreamEvaluation:
    return evaluate_streams(segmenter, recordings(*names), open_sources=draw, label_frames=LABEL, has_idle=has_idle)


def test_frames_and_events_are_scored() -> None:
    found = judge(brightness_segmenter(), "a", "b")
    assert (found.accuracy.num_right, found.accuracy.num_known) == (120 - 15 + 90, 220)
    assert (found.accuracy.largest_class, found.accuracy.num_largest) == ("still", 110)
    wave_a, push_b = 55 / 70, 40 / 50
    assert found.frames.mean_jaccard.gt_classes == pytest.approx((wave_a + push_b) / 2)
    assert found.frames.mean_jaccard.union == pytest.approx((wave_a / 2 + push_b) / 2)
    assert [one.name for one in found.frames.per_class] == ["wave", "push"]
    assert found.frames.error_rate == 0.0
    assert (found.events.num_true, found.events.num_predicted, found.events.num_matched) == (3, 4, 3)
    assert found.events.num_false_alarms == 0
    assert found.events.idle_hours == pytest.approx((12 - 7 + 10 - 4) / 3600)
    assert found.waits_ms == 0.0
    told = found.to_json()
    assert told["frame_accuracy"] == pytest.approx(195 / 220)
    assert told["largest_class_accuracy"] == 0.5
    assert told["events"]["f1"] == pytest.approx(6 / 7)
    assert {"mean_jaccard", "precision", "recall", "error_rate", "network_waits_ms"} <= set(told)


def test_the_vote_is_over_each_segment_also_where_two_of_a_class_touch() -> None:
    segments = (Segment(1, 2.0, 3.5), Segment(1, 3.5, 5.0), Segment(1, 9.0, 11.0))
    touching = Recording(path=Path("a.mp4"), segments=segments)
    found = evaluate_streams(brightness_segmenter(), [touching], open_sources=draw, label_frames=LABEL, has_idle=True)
    # The last one shows wave in 5 frames of 20.
    assert (found.frames.per_sequence[0].num_segments, found.frames.per_sequence[0].num_wrong) == (3, 1)


def test_frames_of_which_nothing_is_known_count_nowhere() -> None:
    found = judge(brightness_segmenter(idle=False), "a", "b", has_idle=False)
    assert (found.accuracy.num_right, found.accuracy.num_known) == (30 + 25 + 40, 110)
    assert found.accuracy.largest_class == "wave"
    assert found.frames.mean_jaccard.gt_classes == pytest.approx((55 / 70 + 1.0) / 2)
    # The class of dark frames is an event here; those in the middle of nothing are left out.
    assert {event.label for one in found.recordings for event in one.predicted} == {"wave", "push"}
    assert found.events.false_alarms_per_hour is None
    assert found.events.num_false_alarms == 0


def test_one_bad_stream_does_not_stop_the_others() -> None:
    told: list[tuple[int, int, str]] = []
    found = judge_streams(
        brightness_segmenter(), recordings("gone", "a"), open_sources=draw, progress=lambda *what: told.append(what)
    )
    assert [stream.recording.path.stem for stream in found.streams] == ["a"]
    assert found.unread == [("gone.mp4", "gone.mp4: truncated")]
    assert told == [(1, 2, "judging streams"), (2, 2, "judging streams")]


def test_recordings_that_are_no_streams_are_refused() -> None:
    clip = Recording(path=Path("a.mp4"), label=1)
    with pytest.raises(DataError, match="none of 1 recordings is a stream with segments that can be read"):
        judge_streams(brightness_segmenter(), [clip], open_sources=draw)
    with pytest.raises(DataError, match=r"the first cannot be read: gone\.mp4: truncated"):
        judge_streams(brightness_segmenter(), recordings("gone"), open_sources=draw)
    SHOWN["short"] = [1]
    with pytest.raises(DataError, match="has fewer than two frames"):
        judge_streams(brightness_segmenter(), recordings("short"), open_sources=draw)
    del SHOWN["short"]


def test_segments_outside_of_a_stream_give_no_label() -> None:
    outside = Recording(path=Path("a.mp4"), segments=(Segment(1, 50.0, 60.0),))
    with pytest.raises(DataError, match="no frame of the streams has a label"):
        evaluate_streams(
            brightness_segmenter(idle=False), [outside], open_sources=draw, label_frames=LABEL, has_idle=False
        )


def test_tuning_gets_the_true_events() -> None:
    segmenter = brightness_segmenter()
    (stream,) = judge_streams(segmenter, recordings("a"), open_sources=draw).streams
    tuning = as_tuning_stream(segmenter, stream)
    told = [(event.label, event.start_s, event.end_s) for event in tuning.truth]
    assert told == [("wave", 2.0, 5.0), ("wave", 7.0, 11.0)]
    assert tuning.probability_SK.dtype == np.float64
