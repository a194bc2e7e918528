"""The skeleton: rigid, connected, bending the right way, mirrored for the other hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mudra.datasets.synthetic import Subject, subject_of
from mudra.datasets.synthetic.hand import hand_parts, turn
from mudra.datasets.synthetic.pose import SHAPE_NAMES, ShapeName, moved, pose_of
from mudra.datasets.synthetic.render import Material, Parts
from mudra.types import FloatArray

WRIST_MM = np.array([0.0, 60.0, 500.0])
INDEX_TIP, MIDDLE_TIP, THUMB_TIP, SLEEVE = 2, 5, 14, -1


@pytest.fixture
def plain() -> Subject:
    """A right hand of usual size, upright, palm to the camera."""
    subject = subject_of("train", 0, 0)
    return replace(
        subject,
        hand=replace(subject.hand, side="right", scale=1.0, thickness=1.0, finger_length=1.0),
        style=replace(subject.style, facing="palm", lean_deg=(0.0, 0.0, 0.0), spread_deg=0.0),
    )


def parts_of(subject: Subject, *poses: FloatArray) -> Parts:
    return hand_parts(np.stack(poses), subject=subject, wrist_mm=WRIST_MM)


def varied_poses() -> list[FloatArray]:
    rng = np.random.default_rng(0)
    return [
        moved(
            pose_of(name),
            by_mm=tuple(rng.normal(0, 50, 3)),
            yaw_deg=rng.normal(0, 30),
            pitch_deg=rng.normal(0, 30),
            roll_deg=rng.normal(0, 60),
        )
        for name in SHAPE_NAMES
    ]


def test_turns_are_rotations_in_the_usual_sense() -> None:
    for axis in range(3):
        matrix = turn(np.array([10.0, -130.0]), axis)
        np.testing.assert_allclose(matrix @ np.swapaxes(matrix, 1, 2), np.stack([np.eye(3)] * 2), atol=1e-12)
        np.testing.assert_allclose(np.linalg.det(matrix), 1.0)
    np.testing.assert_allclose(turn(90.0, 0) @ [0, 1, 0], [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(turn(90.0, 1) @ [0, 0, 1], [1, 0, 0], atol=1e-12)


def test_bones_keep_their_lengths_and_follow_their_own_axes(plain: Subject) -> None:
    parts = parts_of(plain, *varied_poses())
    axis_TPX = parts.end_TPX - parts.start_TPX
    length_TP = np.linalg.norm(axis_TPX, axis=-1)
    np.testing.assert_allclose(length_TP, np.broadcast_to(length_TP[:1], length_TP.shape), rtol=1e-4)
    local_TPX = np.einsum("tpyx,tpy->tpx", parts.rotation_TPXX, axis_TPX)
    np.testing.assert_allclose(local_TPX, np.broadcast_to(local_TPX[:1], local_TPX.shape), atol=0.02)


def test_rotations_are_proper(plain: Subject) -> None:
    for side in ("left", "right"):
        parts = parts_of(replace(plain, hand=replace(plain.hand, side=side)), *varied_poses())
        product = parts.rotation_TPXX @ np.swapaxes(parts.rotation_TPXX, 2, 3)
        np.testing.assert_allclose(product, np.broadcast_to(np.eye(3), product.shape), atol=1e-5)
        np.testing.assert_allclose(np.linalg.det(parts.rotation_TPXX), 1.0, atol=1e-5)


def test_finger_bones_hang_together(plain: Subject) -> None:
    parts = parts_of(plain, *varied_poses())
    for first in range(0, 15, 3):
        for bone in (first, first + 1):
            np.testing.assert_allclose(parts.end_TPX[:, bone], parts.start_TPX[:, bone + 1], atol=1e-3)
            assert parts.end_radius_P[bone] == parts.start_radius_P[bone + 1]


def test_open_hand_points_up_with_the_thumb_on_the_right(plain: Subject) -> None:
    parts = parts_of(plain, pose_of("open"))
    tip, thumb = parts.end_TPX[0, MIDDLE_TIP], parts.end_TPX[0, THUMB_TIP]
    assert 175 < WRIST_MM[1] - tip[1] < 200
    assert thumb[0] > WRIST_MM[0] + 70


def test_fingers_bend_towards_the_palm_and_the_camera(plain: Subject) -> None:
    open_, fist = parts_of(plain, pose_of("open"), pose_of("fist")).end_TPX[:, MIDDLE_TIP]
    assert fist[2] < open_[2]
    assert np.linalg.norm(fist - WRIST_MM) < 0.65 * np.linalg.norm(open_ - WRIST_MM)


def test_pinch_brings_thumb_and_index_together_and_no_other_shape_does(plain: Subject) -> None:
    gap_mm = {}
    for name in SHAPE_NAMES:
        tips = parts_of(plain, pose_of(name)).end_TPX[0]
        gap_mm[name] = float(np.linalg.norm(tips[INDEX_TIP] - tips[THUMB_TIP]))
    touching = float(parts_of(plain, pose_of("open")).end_radius_P[[INDEX_TIP, THUMB_TIP]].sum())
    assert gap_mm["pinched"] < 1.1 * touching
    assert min(gap_mm["open"], gap_mm["relaxed"]) > 2 * gap_mm["pinched"]


def test_roll_turns_clockwise_as_seen_and_pitch_brings_the_tips_nearer(plain: Subject) -> None:
    upright, rolled, pitched = parts_of(
        plain, pose_of("open"), moved(pose_of("open"), roll_deg=30), moved(pose_of("open"), pitch_deg=30)
    ).end_TPX[:, MIDDLE_TIP]
    assert rolled[0] > upright[0] + 50  # from twelve o'clock towards three
    assert pitched[2] < upright[2] - 50


def test_left_hand_is_the_mirror_image(plain: Subject) -> None:
    left = replace(
        plain,
        hand=replace(plain.hand, side="left"),
        style=replace(plain.style, elbow_mm=(-plain.style.elbow_mm[0], *plain.style.elbow_mm[1:])),
    )
    for name in SHAPE_NAMES:
        right_parts, left_parts = parts_of(plain, pose_of(name)), parts_of(left, pose_of(name))
        np.testing.assert_allclose(left_parts.end_TPX * [-1, 1, 1], right_parts.end_TPX, atol=1e-3)


def test_back_of_the_hand_swaps_the_thumbs_side(plain: Subject) -> None:
    back = replace(plain, style=replace(plain.style, facing="back"))
    assert parts_of(back, pose_of("open")).end_TPX[0, THUMB_TIP, 0] < WRIST_MM[0] - 70


def test_size_and_thickness_scale_the_hand(plain: Subject) -> None:
    big = replace(plain, hand=replace(plain.hand, scale=1.2, thickness=1.1))
    usual, scaled = parts_of(plain, pose_of("open")), parts_of(big, pose_of("open"))
    np.testing.assert_allclose(
        scaled.end_TPX[0, MIDDLE_TIP] - WRIST_MM, 1.2 * (usual.end_TPX[0, MIDDLE_TIP] - WRIST_MM), rtol=1e-4
    )
    np.testing.assert_allclose(scaled.end_radius_P, 1.32 * usual.end_radius_P, rtol=1e-5)


def test_arm_leads_from_the_wrist_to_the_elbow(plain: Subject) -> None:
    parts = parts_of(plain, moved(pose_of("open"), by_mm=(40.0, -30.0, 20.0)))
    direction = parts.end_TPX[0, SLEEVE] - parts.start_TPX[0, SLEEVE]
    moved_by = np.array([40.0, -30.0, 20.0])
    wrist = WRIST_MM + moved_by
    elbow = WRIST_MM + plain.style.elbow_mm + 0.55 * moved_by
    cosine = direction @ (elbow - wrist) / np.linalg.norm(direction) / np.linalg.norm(elbow - wrist)
    assert cosine == pytest.approx(1.0, abs=1e-5)
    assert parts.material_P[SLEEVE] == Material.SLEEVE
    assert (parts.material_P[:SLEEVE] != Material.SLEEVE).all()
    assert parts.start_TPX[..., 2].min() > 0


def test_straight_fingers_fan_out_with_the_style_and_bent_ones_do_not(plain: Subject) -> None:
    fanned = replace(plain, style=replace(plain.style, spread_deg=10.0))
    little, index = 11, INDEX_TIP

    def width_mm(subject: Subject, name: ShapeName) -> float:
        # Across the bones next to the knuckles, whose direction alone the spread decides.
        bones = parts_of(subject, pose_of(name))
        across = (bones.end_TPX - bones.start_TPX)[0, :, 0]
        return float(across[index - 2] - across[little - 2])

    assert width_mm(fanned, "open") > width_mm(plain, "open") + 10
    assert width_mm(fanned, "fist") == pytest.approx(width_mm(plain, "fist"), abs=0.5)
