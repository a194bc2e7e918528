"""Timelines of clips and streams: whole gestures, alike forwards and backwards, with rests between."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from mudra.datasets.synthetic.choreography import clip_timeline, stream_timeline
from mudra.datasets.synthetic.config import NUM_CLASSES
from mudra.datasets.synthetic.gesture import Stage
from mudra.datasets.synthetic.motion import Timeline
from mudra.datasets.synthetic.pose import POSITION

STAGE = Stage(visible_mm=500.0, speed=1.0, amplitude=1.0)


def clip_of(label: int, seed: int, *, speed: float = 1.0, duration_s: float = 1.28) -> Timeline:
    stage = STAGE._replace(speed=speed)
    return clip_timeline(label, rng=np.random.default_rng(seed), stage=stage, duration_s=duration_s)


@pytest.mark.parametrize("label", range(NUM_CLASSES))
@pytest.mark.parametrize("speed", [0.7, 1.4])
@pytest.mark.parametrize("duration_s", [0.3, 1.28, 4.0])
def test_the_whole_gesture_lies_inside_the_clip(label: int, speed: float, duration_s: float) -> None:
    for seed in range(20):
        (span,) = clip_of(label, seed, speed=speed, duration_s=duration_s).spans
        assert span.label == label
        assert 0.04 * duration_s < span.start_s < span.end_s < 0.96 * duration_s


def test_gestures_are_hurried_only_when_the_clip_is_too_short() -> None:
    def length_s(duration_s: float) -> float:
        (span,) = clip_of(10, 0, duration_s=duration_s).spans
        return span.end_s - span.start_s

    assert length_s(3.0) == pytest.approx(length_s(6.0))
    assert length_s(0.4) == pytest.approx(0.86 * 0.4)


def test_gestures_begin_at_any_time() -> None:
    starts_s = [clip_of(0, seed).spans[0].start_s for seed in range(200)]
    assert min(starts_s) < 0.15
    assert max(starts_s) > 0.7


def test_a_motion_that_is_no_gesture_has_no_label() -> None:
    timeline = clip_of(-1, 0)
    assert timeline.spans == ()
    assert np.ptp(timeline.at(np.arange(32) / 25), axis=0).max() > 5


def test_the_pose_is_continuous_and_no_faster_than_a_hand() -> None:
    times_s = np.arange(0, 1.28, 0.001)
    for label in range(NUM_CLASSES):
        for seed in range(5):
            steps = np.diff(clip_of(label, seed, speed=1.4).at(times_s)[:, POSITION], axis=0)
            assert np.linalg.norm(steps, axis=1).max() < 4.0  # mm per ms


def test_stillness_before_is_as_long_as_stillness_after() -> None:
    """Run backwards, a clip of one gesture must look like one of its opposite."""
    times_s = (np.arange(32) + 0.5) / 25
    before, after = [], []
    for seed in range(400):
        timeline = clip_of(seed % 4, seed)
        speed = np.linalg.norm(np.diff(timeline.at(times_s)[:, POSITION], axis=0), axis=1)
        labelled = timeline.labels_at(times_s)[:-1] >= 0
        first, last = np.flatnonzero(labelled)[[0, -1]]
        before.append(np.sum(speed[: max(first - 1, 0)]))
        after.append(np.sum(speed[last + 1 :]))
    assert np.mean(before) == pytest.approx(np.mean(after), rel=0.2)
    assert np.mean(np.array(before) > 1) == pytest.approx(np.mean(np.array(after) > 1), abs=0.1)


def test_streams_hold_every_class_once_before_any_comes_again() -> None:
    timeline = stream_timeline(rng=np.random.default_rng(0), stage=STAGE, duration_s=120.0)
    labels = [span.label for span in timeline.spans]
    assert len(labels) >= 24
    for first in range(0, len(labels) - NUM_CLASSES + 1, NUM_CLASSES):
        assert sorted(labels[first : first + NUM_CLASSES]) == list(range(NUM_CLASSES))


def test_stream_gestures_do_not_touch_and_end_inside() -> None:
    for seed in range(5):
        spans = stream_timeline(rng=np.random.default_rng(seed), stage=STAGE, duration_s=30.0).spans
        assert len(spans) >= 4
        assert spans[-1].end_s < 30.0
        assert all(later.start_s - earlier.end_s > 0.5 for earlier, later in pairwise(spans))


def test_in_streams_hands_leave_the_picture_and_move_without_a_gesture() -> None:
    timeline = stream_timeline(rng=np.random.default_rng(1), stage=STAGE, duration_s=120.0)
    times_s = np.arange(0, 110, 0.04)
    poses_TA = timeline.at(times_s)
    assert poses_TA[:, POSITION][:, 1].max() > STAGE.visible_mm
    unlabelled = timeline.labels_at(times_s) < 0
    speed = np.linalg.norm(np.diff(poses_TA[:, POSITION], axis=0), axis=1)
    assert (speed[unlabelled[1:]] > 5).sum() > 100
    assert (speed[unlabelled[1:]] == 0).sum() > 100


def test_a_stream_too_short_for_any_gesture_is_idle() -> None:
    assert stream_timeline(rng=np.random.default_rng(0), stage=STAGE, duration_s=0.5).spans == ()
