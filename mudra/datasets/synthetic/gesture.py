"""The gestures, and motions that are none of them, as poses to be reached one after the other.

No single frame may tell the class. Pairs of gestures pass the same poses in opposite order (swipes, rotations, open and
close), one tap and two pass the same poses a different number of times, and a wave passes those of a rotation. Place,
tilt and, wherever the gesture leaves the fingers free, the shape of the hand are drawn anew each time, and stillness
before a gesture is as likely and as long as stillness after it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mudra.datasets.synthetic.config import SYNTHETIC_CLASSES
from mudra.datasets.synthetic.motion import Key
from mudra.datasets.synthetic.pose import JOINTS, SHAPE_NAMES, ShapeName, moved, pose_of, with_shape
from mudra.types import FloatArray

JOINT_JITTER_DEG = 5.0


class Stage(NamedTuple):
    """Room and manner of a performance.

    Args:
        visible_mm: Width or height, whichever is shorter, that the camera sees at the hand's distance.
        speed: How fast the person moves against the usual.
        amplitude: How wide the person moves against the usual.
    """

    visible_mm: float
    speed: float
    amplitude: float


class Performance(NamedTuple):
    """A motion ready to be put on a timeline.

    Args:
        start_A: The pose before it.
        keys: The poses that it reaches.
    """

    start_A: FloatArray
    keys: list[Key]

    @property
    def duration_s(self) -> float:
        """Time from the start to the last key."""
        return sum(key.duration_s for key in self.keys)


def perform(label: int, *, rng: np.random.Generator, stage: Stage) -> Performance:
    """Draw a performance of class `label` (an index into `SYNTHETIC_CLASSES`)."""
    name = SYNTHETIC_CLASSES[label]
    if name.startswith("swipe"):
        return _swipe(name, rng, stage)
    if name.startswith("rotate"):
        return _rotate(1.0 if name == "rotate_cw" else -1.0, rng, stage)
    if name in ("open", "close"):
        return _open_or_close(name, rng, stage)
    if name == "pinch":
        return _pinch(rng, stage)
    if name == "wave":
        return _wave(rng, stage)
    return _tap(2 if name == "tap_twice" else 1, rng, stage)


def sample_rest(rng: np.random.Generator, stage: Stage, *, shapes: tuple[ShapeName, ...] = SHAPE_NAMES) -> FloatArray:
    """Draw a pose to rest in: one of `shapes`, somewhere near the middle of the picture, tilted a little."""
    pose_A = pose_of(shapes[rng.integers(len(shapes))])
    pose_A[JOINTS] += rng.normal(0.0, JOINT_JITTER_DEG, 20)
    right, down, away = rng.uniform((-0.2, -0.12, -0.06), (0.2, 0.12, 0.06)) * stage.visible_mm
    yaw, pitch, roll = rng.uniform((-12.0, -10.0, -20.0), (12.0, 22.0, 20.0))
    return moved(pose_A, by_mm=(right, down, away), yaw_deg=yaw, pitch_deg=pitch, roll_deg=roll)


def wander(rng: np.random.Generator, stage: Stage) -> Performance:
    """Draw a motion that is none of the classes: a diagonal, a circle, a push, waggling fingers or a slow shift."""
    kinds = (_diagonal, _circle, _push, _waggle, _shift)
    return kinds[rng.integers(len(kinds))](rng, stage)


def _swipe(name: str, rng: np.random.Generator, stage: Stage) -> Performance:
    direction_deg = {"swipe_right": 0.0, "swipe_down": 90.0, "swipe_left": 180.0, "swipe_up": 270.0}[name]
    angle = np.radians(direction_deg + rng.uniform(-14.0, 14.0))
    length = stage.visible_mm * stage.amplitude * rng.uniform(0.38, 0.54)
    half_x, half_y = 0.5 * length * np.cos(angle), 0.5 * length * np.sin(angle)
    middle_A = sample_rest(rng, stage)
    away = rng.uniform(-30.0, 30.0)
    start_A = moved(middle_A, by_mm=(-half_x, -half_y, -away))
    end_A = moved(middle_A, by_mm=(half_x, half_y, away))
    return Performance(start_A, [Key(rng.uniform(0.3, 0.45) / stage.speed, end_A)])


def _rotate(sign: float, rng: np.random.Generator, stage: Stage) -> Performance:
    half_deg = sign * 0.5 * rng.uniform(80.0, 125.0) * stage.amplitude**0.5
    middle_A = sample_rest(rng, stage)
    start_A, end_A = moved(middle_A, roll_deg=-half_deg), moved(middle_A, roll_deg=half_deg)
    return Performance(start_A, [Key(rng.uniform(0.38, 0.55) / stage.speed, end_A)])


def _open_or_close(name: str, rng: np.random.Generator, stage: Stage) -> Performance:
    start_A = sample_rest(rng, stage, shapes=("fist",) if name == "open" else ("open",))
    end_A = with_shape(start_A, "open" if name == "open" else "fist")
    end_A[JOINTS] += rng.normal(0.0, JOINT_JITTER_DEG, 20)
    return Performance(start_A, [Key(rng.uniform(0.28, 0.45) / stage.speed, end_A)])


def _pinch(rng: np.random.Generator, stage: Stage) -> Performance:
    start_A = sample_rest(rng, stage, shapes=("open", "relaxed"))
    pinched_A = with_shape(start_A, "pinched")
    shut_s, held_s, parted_s = rng.uniform((0.16, 0.04, 0.16), (0.25, 0.22, 0.25)) / stage.speed
    return Performance(start_A, [Key(shut_s, pinched_A), Key(held_s, pinched_A), Key(parted_s, start_A)])


def _tap(count: int, rng: np.random.Generator, stage: Stage) -> Performance:
    start_A = sample_rest(rng, stage)
    pressed_A = moved(
        start_A,
        by_mm=(0.0, rng.uniform(5.0, 20.0), -rng.uniform(20.0, 45.0)),
        pitch_deg=rng.uniform(32.0, 48.0) * stage.amplitude**0.5,
    )
    # One tap rests longer on its target than each of two, so that the share of pressed frames does not tell them apart.
    longest_held_s = 0.3 if count == 1 else 0.06
    keys: list[Key] = []
    for _ in range(count):
        down_s, held_s, up_s = rng.uniform((0.12, 0.0, 0.12), (0.17, longest_held_s, 0.17)) / stage.speed
        keys += [Key(down_s, pressed_A), Key(held_s, pressed_A), Key(up_s, start_A)]
    return Performance(start_A, keys)


def _wave(rng: np.random.Generator, stage: Stage) -> Performance:
    middle_A = sample_rest(rng, stage)
    swing_deg = rng.choice((-1.0, 1.0)) * 0.5 * rng.uniform(55.0, 95.0) * stage.amplitude**0.5
    # The hand sways a little with each swing, as the elbow gives.
    sway_mm = 0.5 * swing_deg
    swing_s = rng.uniform(0.14, 0.18) / stage.speed
    keys = [
        Key(swing_s, moved(middle_A, by_mm=(side * sway_mm, 0.0, 0.0), roll_deg=side * swing_deg))
        for side in (1, -1) * int(rng.integers(2, 4))
    ]
    return Performance(middle_A, [*keys, Key(0.7 * swing_s, middle_A)])


def _diagonal(rng: np.random.Generator, stage: Stage) -> Performance:
    start_A = sample_rest(rng, stage)
    right, down = rng.choice((-1.0, 1.0), 2) * stage.visible_mm * rng.uniform(0.2, 0.32)
    there_A = moved(start_A, by_mm=(right, down, 0.0))
    there_s, back_s = rng.uniform(0.35, 0.6, 2) / stage.speed
    return Performance(start_A, [Key(there_s, there_A), Key(back_s, start_A)])


def _circle(rng: np.random.Generator, stage: Stage) -> Performance:
    center_A = sample_rest(rng, stage)
    radius_mm = stage.visible_mm * rng.uniform(0.12, 0.2)
    first, sign, corners = rng.uniform(0.0, 2 * np.pi), rng.choice((-1.0, 1.0)), 10
    angles = first + sign * np.linspace(0.0, 2 * np.pi, corners + 1)
    poses = [moved(center_A, by_mm=(radius_mm * np.cos(a), radius_mm * np.sin(a), 0.0)) for a in angles]
    step_s = rng.uniform(0.07, 0.11) / stage.speed
    return Performance(poses[0], [Key(step_s, pose_A) for pose_A in poses[1:]])


def _push(rng: np.random.Generator, stage: Stage) -> Performance:
    start_A = sample_rest(rng, stage)
    pushed_A = moved(start_A, by_mm=(0.0, 0.0, rng.choice((-60.0, 80.0))))
    there_s, back_s = rng.uniform(0.4, 0.6, 2) / stage.speed
    return Performance(start_A, [Key(there_s, pushed_A), Key(back_s, start_A)])


def _waggle(rng: np.random.Generator, stage: Stage) -> Performance:
    start_A = sample_rest(rng, stage, shapes=("open", "relaxed"))
    keys = []
    for _ in range(rng.integers(3, 7)):
        pose_A = start_A.copy()
        finger = int(rng.integers(4))
        pose_A[JOINTS.start + 3 * finger : JOINTS.start + 3 * finger + 3] += rng.uniform(20.0, 45.0)
        keys.append(Key(rng.uniform(0.1, 0.2) / stage.speed, pose_A))
    return Performance(start_A, [*keys, Key(0.15 / stage.speed, start_A)])


def _shift(rng: np.random.Generator, stage: Stage) -> Performance:
    start_A, end_A = sample_rest(rng, stage), sample_rest(rng, stage)
    return Performance(start_A, [Key(rng.uniform(0.8, 1.4) / stage.speed, end_A)])
