"""Timelines and drift: smooth, from rest to rest, labelled where a gesture is."""

from __future__ import annotations

import numpy as np

from mudra.datasets.synthetic.motion import Key, TimelineBuilder, ease, sample_drift


def test_ease_starts_and_ends_at_rest_and_never_turns_back() -> None:
    u = np.linspace(0.0, 1.0, 1001)
    course = ease(u)
    speed = np.diff(course) * 1000
    assert speed.min() >= 0
    assert speed[0] < 1e-3
    assert speed[-1] < 1e-3
    # Minimum jerk: the fastest moment is the middle, at 15/8 of the mean speed.
    np.testing.assert_allclose(speed.max(), 15 / 8, rtol=1e-3)
    # The course is the same backwards, as opposite gestures need it.
    np.testing.assert_allclose(course + course[::-1], 1.0)


def test_timeline_passes_its_keys_and_holds_outside() -> None:
    builder = TimelineBuilder(np.array([1.0]), start_s=2.0)
    builder.add([Key(1.0, np.array([3.0]))])
    builder.add([Key(0.5, np.array([7.0])), Key(0.5, np.array([5.0]))], label=4)
    timeline = builder.build()
    times_s = np.array([0.0, 2.0, 2.5, 3.0, 3.25, 3.5, 4.0, 9.0])
    np.testing.assert_allclose(timeline.at(times_s)[:, 0], [1, 1, 2, 3, 5, 7, 5, 5])
    assert timeline.labels_at(times_s).tolist() == [-1, -1, -1, 4, 4, 4, -1, -1]
    assert builder.end_s == 4.0
    assert builder.pose_A.tolist() == [5.0]


def test_timeline_of_one_pose_holds_it() -> None:
    timeline = TimelineBuilder(np.array([1.5, 2.5]), start_s=0.0).build()
    np.testing.assert_array_equal(timeline.at(np.array([-1.0, 0.0, 5.0])), [[1.5, 2.5]] * 3)


def test_key_without_duration_jumps() -> None:
    builder = TimelineBuilder(np.array([0.0]), start_s=0.0)
    builder.add([Key(1.0, np.array([1.0])), Key(0.0, np.array([1.0])), Key(1.0, np.array([0.0]))])
    np.testing.assert_allclose(builder.build().at(np.array([0.5, 1.0, 1.5]))[:, 0], [0.5, 1.0, 0.5])


def test_drift_stays_within_its_amplitudes_and_moves() -> None:
    amplitudes = np.array([0.0, 1.0, 5.0])
    drift = sample_drift(np.random.default_rng(0), amplitudes=amplitudes, period_s=(0.5, 2.0))
    displacement_TA = drift.at(np.arange(0.0, 60.0, 0.02))
    furthest = np.abs(displacement_TA).max(axis=0)
    assert (furthest <= amplitudes).all()
    assert (furthest >= 0.7 * amplitudes).all()


def test_drift_can_be_asked_for_any_moment_by_itself() -> None:
    drift = sample_drift(np.random.default_rng(1), amplitudes=np.ones(2), period_s=(0.5, 2.0))
    times_s = np.arange(10) / 25
    np.testing.assert_array_equal(drift.at(times_s)[7:], drift.at(times_s[7:]))
