"""Pose vectors: the named shapes and how poses are moved."""

from __future__ import annotations

import numpy as np
import pytest

from mudra.datasets.synthetic.pose import (
    JOINTS,
    NUM_POSE,
    PITCH,
    POSITION,
    ROLL,
    SHAPE_NAMES,
    YAW,
    ShapeName,
    moved,
    pose_of,
    shape_angles,
    with_shape,
)


@pytest.mark.parametrize("name", SHAPE_NAMES)
def test_every_shape_is_a_whole_pose_at_rest(name: ShapeName) -> None:
    pose_A = pose_of(name)
    assert pose_A.shape == (NUM_POSE,)
    assert not pose_A[: JOINTS.start].any()
    np.testing.assert_array_equal(pose_A[JOINTS], shape_angles(name))


def test_shapes_differ() -> None:
    assert len({tuple(shape_angles(name)) for name in SHAPE_NAMES}) == len(SHAPE_NAMES)


def test_moved_adds_and_leaves_the_original_alone() -> None:
    pose_A = pose_of("open")
    twice_A = moved(moved(pose_A, by_mm=(1, 2, 3), yaw_deg=4, pitch_deg=5, roll_deg=6), by_mm=(1, 0, 0), roll_deg=1)
    np.testing.assert_array_equal(twice_A[POSITION], [2, 2, 3])
    assert (twice_A[YAW], twice_A[PITCH], twice_A[ROLL]) == (4, 5, 7)
    np.testing.assert_array_equal(twice_A[JOINTS], pose_A[JOINTS])
    assert not pose_A[: JOINTS.start].any()


def test_with_shape_changes_the_joints_alone() -> None:
    start_A = moved(pose_of("open"), by_mm=(9, 8, 7), roll_deg=3)
    fist_A = with_shape(start_A, "fist")
    np.testing.assert_array_equal(fist_A[: JOINTS.start], start_A[: JOINTS.start])
    np.testing.assert_array_equal(fist_A[JOINTS], shape_angles("fist"))
    np.testing.assert_array_equal(start_A[JOINTS], shape_angles("open"))
