"""Gestures: what each one does, and that single poses do not give it away."""

from __future__ import annotations

import numpy as np
import pytest

from mudra.datasets.synthetic import SYNTHETIC_CLASSES
from mudra.datasets.synthetic.gesture import Performance, Stage, perform, sample_rest, wander
from mudra.datasets.synthetic.pose import FLEXION, JOINTS, PITCH, POSITION, ROLL
from mudra.types import FloatArray

STAGE = Stage(visible_mm=500.0, speed=1.0, amplitude=1.0)
NUM_DRAWN = 200


def drawn(name: str, *, count: int = NUM_DRAWN, stage: Stage = STAGE) -> list[Performance]:
    label = SYNTHETIC_CLASSES.index(name)
    return [perform(label, rng=np.random.default_rng(seed), stage=stage) for seed in range(count)]


def change(performance: Performance) -> FloatArray:
    return performance.keys[-1].pose_A - performance.start_A


@pytest.mark.parametrize(
    ("name", "direction"),
    [("swipe_left", (-1, 0)), ("swipe_right", (1, 0)), ("swipe_up", (0, -1)), ("swipe_down", (0, 1))],
)
def test_swipes_go_where_their_names_say(name: str, direction: tuple[int, int]) -> None:
    moves = np.array([change(performance)[POSITION][:2] for performance in drawn(name)])
    lengths = np.linalg.norm(moves, axis=1)
    assert lengths.min() > 0.35 * STAGE.visible_mm
    assert lengths.max() < 0.6 * STAGE.visible_mm
    assert ((moves @ direction) / lengths > np.cos(np.radians(15))).all()


@pytest.mark.parametrize(("name", "sign"), [("rotate_cw", 1), ("rotate_ccw", -1)])
def test_rotations_turn_where_their_names_say_and_stay_in_place(name: str, sign: int) -> None:
    changes = np.array([change(performance) for performance in drawn(name)])
    assert (sign * changes[:, ROLL] > 75).all()
    assert not changes[:, POSITION].any()
    assert not changes[:, JOINTS].any()


@pytest.mark.parametrize(("name", "sign"), [("open", -1), ("close", 1)])
def test_open_and_close_change_the_flexion(name: str, sign: int) -> None:
    changes = np.array([change(performance)[FLEXION].mean() for performance in drawn(name)])
    assert (sign * changes > 50).all()


@pytest.mark.parametrize(("name", "times"), [("tap", 1), ("tap_twice", 2)])
def test_taps_press_as_often_as_their_names_say_and_come_back(name: str, times: int) -> None:
    for performance in drawn(name):
        pitch = np.array([performance.start_A[PITCH], *(key.pose_A[PITCH] for key in performance.keys)])
        pressed = pitch > pitch[0] + 25
        assert np.count_nonzero(np.diff(pressed.astype(int)) == 1) == times
        assert not change(performance).any()
        nearest = min(key.pose_A[POSITION][2] for key in performance.keys)
        assert nearest < performance.start_A[POSITION][2] - 15


def test_pressed_share_of_the_time_does_not_tell_one_tap_from_two() -> None:
    shares = {}
    for name in ("tap", "tap_twice"):
        times_s = np.linspace(0, 1.2, 400)
        shares[name] = []
        for performance in drawn(name):
            at_s = np.cumsum([0.0, *(key.duration_s for key in performance.keys)])
            pitch = [performance.start_A[PITCH], *(key.pose_A[PITCH] for key in performance.keys)]
            shares[name].append(np.mean(np.interp(times_s, at_s, pitch) > pitch[0] + 15))
    means = {name: np.mean(values) for name, values in shares.items()}
    spread = np.std(shares["tap"])
    assert abs(means["tap"] - means["tap_twice"]) < 1.5 * spread


def test_pinch_closes_and_parts_again() -> None:
    for performance in drawn("pinch"):
        assert not change(performance).any()
        assert not (performance.keys[0].pose_A - performance.start_A)[: JOINTS.start].any()
        assert np.abs(performance.keys[0].pose_A - performance.start_A)[JOINTS].max() > 10


def test_wave_swings_to_both_sides_and_passes_the_poses_of_a_rotation() -> None:
    starts = set()
    for performance in drawn("wave"):
        swings = [key.pose_A[ROLL] - performance.start_A[ROLL] for key in performance.keys[:-1]]
        assert len(swings) in (4, 6)
        assert (np.diff(np.sign(swings)) != 0).all()
        assert 20 < abs(swings[0]) < 55
        assert not change(performance).any()
        starts.add(np.sign(swings[0]))
    assert starts == {-1.0, 1.0}


@pytest.mark.parametrize(
    ("name", "opposite"),
    [("swipe_left", "swipe_right"), ("swipe_up", "swipe_down"), ("rotate_cw", "rotate_ccw"), ("open", "close")],
)
def test_opposite_gestures_pass_the_same_poses_in_opposite_order(name: str, opposite: str) -> None:
    """Start of the one and end of the other have the same spread of values, number by number."""
    one = np.array([performance.start_A for performance in drawn(name, count=400)])
    other = np.array([performance.keys[-1].pose_A for performance in drawn(opposite, count=400)])
    distance = np.abs(one.mean(axis=0) - other.mean(axis=0)) / np.maximum(one.std(axis=0), 1.0)
    assert distance.max() < 0.35
    durations = [[performance.duration_s for performance in drawn(which, count=400)] for which in (name, opposite)]
    assert np.mean(durations[0]) == pytest.approx(np.mean(durations[1]), rel=0.05)


@pytest.mark.parametrize("name", ["swipe_left", "swipe_up", "rotate_cw", "tap", "tap_twice", "wave"])
def test_gestures_that_leave_the_fingers_free_are_made_with_any_shape(name: str) -> None:
    flexion = np.array([performance.start_A[FLEXION] for performance in drawn(name)])
    index, ring = flexion[:, :3].mean(axis=1), flexion[:, 6:9].mean(axis=1)
    assert 0.25 < np.mean(ring > 60) < 0.55  # fist or pointing
    assert 0.1 < np.mean((ring > 60) & (index < 30)) < 0.3  # pointing
    assert 0.1 < np.mean((ring < 15) & (index < 15)) < 0.3  # open


@pytest.mark.parametrize("name", SYNTHETIC_CLASSES)
def test_speed_shortens_every_gesture(name: str) -> None:
    fast = drawn(name, count=20, stage=STAGE._replace(speed=2.0))
    for usual, quick in zip(drawn(name, count=20), fast, strict=True):
        assert quick.duration_s == pytest.approx(usual.duration_s / 2)
        assert 0.15 < usual.duration_s < 1.3


def test_rests_stay_near_the_middle() -> None:
    places = np.array([sample_rest(np.random.default_rng(seed), STAGE)[POSITION] for seed in range(NUM_DRAWN)])
    assert np.abs(places).max(axis=0) == pytest.approx([100, 60, 30], rel=0.05)
    assert np.abs(places.mean(axis=0)).max() < 12


def test_wanderings_are_of_several_kinds_and_take_time() -> None:
    performances = [wander(np.random.default_rng(seed), STAGE) for seed in range(60)]
    assert all(performance.duration_s > 0.3 for performance in performances)
    assert len({len(performance.keys) for performance in performances}) >= 4
