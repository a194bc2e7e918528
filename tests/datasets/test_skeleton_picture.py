"""Skeletons: the belly in the middle, one scale for all frames, a line for every bone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from mudra.datasets.jhmdb import JOINTS
from mudra.datasets.skeleton_picture import BELLY, BONES, centre_joints, draw_skeletons, refuse_undrawable
from mudra.errors import DataError
from mudra.types import FloatArray

SIZE = (40, 60)


def random_joints(num_frames: int = 4) -> FloatArray:
    return np.random.default_rng(0).uniform(0, 300, (num_frames, len(JOINTS), 2))


def test_bones_make_one_person_of_all_joints() -> None:
    assert JOINTS[BELLY] == "belly"
    reached = {BELLY}
    for start, end in BONES:
        assert start in reached
        assert end not in reached, "no way in a circle"
        reached.add(end)
    assert reached == set(range(len(JOINTS)))
    named = {frozenset((JOINTS[start], JOINTS[end])) for start, end in BONES}
    for side in ("right", "left"):
        for chain in (("neck", "shoulder", "elbow", "wrist"), ("belly", "hip", "knee", "ankle")):
            parts = [chain[0], *(f"{side} {part}" for part in chain[1:])]
            assert all(frozenset(pair) in named for pair in pairwise(parts))


def test_the_belly_stands_in_the_middle_and_nobody_leaves_the_picture() -> None:
    joints = random_joints()
    centred = centre_joints(joints, size=SIZE)
    np.testing.assert_allclose(centred[:, BELLY], [[29.5, 19.5]] * 4)
    assert (centred.min(axis=(0, 1)) >= 2.0 - 1e-9).all()
    assert (centred.max(axis=(0, 1)) <= np.array([57.0, 37.0]) + 1e-9).all()
    touches = [abs(centred - edge).min() < 1e-9 for edge in (2.0, 37.0, 57.0)]
    assert any(touches)


def test_where_somebody_walks_and_how_large_he_is_seen_changes_nothing() -> None:
    joints = random_joints()
    walk = np.arange(4.0)[:, None, None] * [7.0, -3.0]
    np.testing.assert_allclose(centre_joints(2.5 * joints + walk, size=SIZE), centre_joints(joints, size=SIZE))


def test_all_frames_have_one_scale() -> None:
    joints = random_joints(2)
    joints[1] = joints[1, BELLY] + 0.5 * (joints[0] - joints[0, BELLY])
    first, second = centre_joints(joints, size=SIZE) - np.array([29.5, 19.5])
    np.testing.assert_allclose(second, 0.5 * first)


def test_a_bone_is_a_line_and_a_frame_is_drawn_alone() -> None:
    joints = np.full((2, len(JOINTS), 2), 30.0)
    joints[0, 2] = (30.0, 10.0)  # the face, above neck and belly
    joints[1, 12] = (50.0, 30.0)  # the left wrist
    frames = draw_skeletons(joints, size=SIZE)
    assert frames.shape == (2, *SIZE)
    assert frames.dtype == np.uint8
    # Their ends are smoothed.
    assert (frames[0, 11:30, 30] > 200).all()
    assert (frames[1, 30, 31:50] > 200).all()
    rows, columns = np.nonzero(frames[0])
    assert (rows.min(), rows.max()) == pytest.approx((10, 30), abs=1)
    assert (columns.min(), columns.max()) == pytest.approx((30, 30), abs=1)


@pytest.mark.parametrize(
    ("joints", "message"),
    [
        (np.zeros((3, 14, 2)), r"joints of shape \(3, 14, 2\) came; wanted \(T, 15, 2\)"),
        (np.zeros((0, 15, 2)), r"joints of shape \(0, 15, 2\)"),
        (np.full((1, 15, 2), np.nan), "joints hold nan or infinity"),
        (np.ones((2, 15, 2)), "all joints lie on the belly in frame 0"),
        (np.concatenate([random_joints(2), np.ones((1, 15, 2))]), "all joints lie on the belly in frame 2"),
        (np.concatenate([random_joints(1), np.full((1, 15, 2), np.inf)]), "nan or infinity, .* first in frame 1"),
    ],
)
def test_joints_that_make_no_person_are_refused(joints: FloatArray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        centre_joints(joints, size=SIZE)
    with pytest.raises(DataError, match=rf"^a\.mat: .*{message}"):
        refuse_undrawable(joints, where="a.mat")


def test_joints_that_are_accepted_can_be_drawn_from_any_frame_on() -> None:
    joints = random_joints(3)
    refuse_undrawable(joints)
    for frame in range(3):
        assert draw_skeletons(centre_joints(joints[frame : frame + 1], size=SIZE), size=SIZE).any()
