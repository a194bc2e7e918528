"""The pose of a hand as one vector, and the named shapes that gestures are made of.

A pose has 26 numbers: where the wrist is (3, mm, relative to the person's resting place), how the hand is turned
(3, degrees: yaw, pitch, roll) and 20 joint angles (degrees). Shape letters here: A the numbers of a pose.

Joint angles stand as flexion of index, middle, ring and little finger (knuckle, middle joint, end joint each), sideways
spread of the four (positive towards the thumb), then the thumb (abduction, opposition, knuckle, end joint).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from mudra.types import FloatArray

NUM_POSE = 26
POSITION = slice(0, 3)
YAW, PITCH, ROLL = 3, 4, 5
JOINTS = slice(6, 26)
FLEXION = slice(6, 18)
SPREAD = slice(18, 22)
THUMB = slice(22, 26)

ShapeName = Literal["open", "relaxed", "fist", "pointing", "pinched"]

_OPEN = (4.0, 6.0, 4.0)
_LOOSE = (26.0, 34.0, 18.0)
_CURLED = (82.0, 96.0, 58.0)
_FANNED = (8.0, 2.0, -5.0, -13.0)
_TOGETHER = (2.0, 0.0, -2.0, -5.0)

_SHAPES: dict[ShapeName, tuple[float, ...]] = {
    "open": (*_OPEN, *_OPEN, *_OPEN, *_OPEN, *_FANNED, 52.0, 12.0, 4.0, 0.0),
    "relaxed": (*_LOOSE, *_LOOSE, *_LOOSE, *_LOOSE, 4.0, 1.0, -3.0, -7.0, 38.0, 22.0, 16.0, 14.0),
    "fist": (*_CURLED, *_CURLED, *_CURLED, *_CURLED, *_TOGETHER, 19.0, 30.0, 25.0, 56.0),
    "pointing": (*_OPEN, *_CURLED, *_CURLED, *_CURLED, *_TOGETHER, 19.0, 30.0, 25.0, 56.0),
    "pinched": (52.0, 51.0, 28.0, *_LOOSE, *_LOOSE, *_LOOSE, 4.0, 1.0, -3.0, -7.0, 31.0, 40.0, 20.0, 25.0),
}

SHAPE_NAMES: tuple[ShapeName, ...] = tuple(_SHAPES)


def shape_angles(name: ShapeName) -> FloatArray:
    """Return the 20 joint angles of a named shape, in degrees.

    Example:
        >>> shape_angles("fist")[:3]
        array([82., 96., 58.])
    """
    return np.array(_SHAPES[name])


def pose_of(name: ShapeName) -> FloatArray:
    """Return the pose of the named shape at the resting place, upright, shape (A,)."""
    pose_A = np.zeros(NUM_POSE)
    pose_A[JOINTS] = _SHAPES[name]
    return pose_A


def with_shape(pose_A: FloatArray, name: ShapeName) -> FloatArray:
    """Return the pose with its joints in the named shape."""
    changed_A = pose_A.copy()
    changed_A[JOINTS] = _SHAPES[name]
    return changed_A


def moved(
    pose_A: FloatArray,
    *,
    by_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
    yaw_deg: float = 0.0,
    pitch_deg: float = 0.0,
    roll_deg: float = 0.0,
) -> FloatArray:
    """Return the pose moved and turned further; the joints stay.

    Args:
        pose_A: The pose to start from.
        by_mm: Right, down and away from the camera.
        yaw_deg: Turn about the hand's own length.
        pitch_deg: Turn of the fingertips towards the camera.
        roll_deg: Turn in the picture's plane, clockwise as seen.
    """
    changed_A = pose_A.copy()
    changed_A[POSITION] += by_mm
    changed_A[YAW] += yaw_deg
    changed_A[PITCH] += pitch_deg
    changed_A[ROLL] += roll_deg
    return changed_A
