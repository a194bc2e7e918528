"""The articulated hand: pose vectors into the round cones of fingers, palm, wrist and sleeve.

The hand's own axes, for a right hand that shows its palm to the camera with the fingers up: x towards the thumb (right
in the picture), y towards the wrist (down), z towards the back of the hand (away from the camera). The wrist is the
origin. A left hand is the mirror image in x. Lengths are those of a hand of about 190 mm.

Shape letters: T frames, P parts, X axes of space, A numbers of a pose, F the four fingers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mudra.datasets.synthetic.pose import FLEXION, POSITION, ROLL, SPREAD, THUMB, YAW
from mudra.datasets.synthetic.render import Material, Parts
from mudra.datasets.synthetic.subject import Subject
from mudra.types import FloatArray

# Index, middle, ring, little.
KNUCKLE_MM = np.array([(25.0, -88.0, 0.0), (7.0, -93.0, 3.0), (-11.0, -88.0, 2.0), (-28.0, -78.0, -2.0)])
PHALANX_MM = np.array([(43.0, 26.0, 19.0), (47.0, 30.0, 20.0), (43.0, 28.0, 20.0), (34.0, 20.0, 18.0)])
FINGER_RADIUS_MM = np.array([(10.8, 9.5, 8.5, 7.1), (11.0, 9.7, 8.6, 7.2), (10.4, 9.1, 8.2, 6.8), (9.3, 8.0, 7.1, 6.0)])
THUMB_ROOT_MM = np.array([20.0, -16.0, -8.0])
THUMB_MM = (44.0, 34.0, 26.0)
THUMB_RADIUS_MM = (17.0, 12.5, 10.6, 8.0)
THUMB_TWIST_DEG = 62.0  # turns the thumb's flexion across the palm
# The palm's flesh: start, end, radii.
PALM_MM: tuple[tuple[tuple[float, float, float], tuple[float, float, float], float, float], ...] = (
    ((9.0, -6.0, 1.0), (24.0, -84.0, 0.0), 14.0, 11.0),
    ((3.0, -6.0, 2.0), (7.0, -88.0, 2.0), 14.5, 11.2),
    ((-4.0, -6.0, 2.0), (-11.0, -84.0, 1.5), 14.5, 10.8),
    ((-10.0, -6.0, 1.0), (-27.0, -75.0, -1.5), 13.5, 10.0),
    ((-16.0, -18.0, -3.0), (-26.0, -62.0, -3.0), 14.5, 11.5),
    ((2.0, -24.0, -2.0), (0.0, -62.0, -1.0), 15.0, 13.0),
    ((17.0, -76.0, -1.0), (-23.0, -69.0, -1.5), 11.0, 10.2),
)
WRIST_RADIUS_MM = (19.5, 21.5)
ARM_RADIUS_MM = 34.0
SLEEVE_RADIUS_MM = (30.0, 54.0)
# Beyond the elbow, so that the sleeve's end stays out of the picture.
ARM_MM = 430.0
# Four fingers and the thumb, palm, wrist, bare arm, sleeve.
MATERIAL_P = np.array(
    [Material.SKIN, Material.SKIN, Material.FINGERTIP] * 5
    + [Material.PALM] * len(PALM_MM)
    + [Material.PALM, Material.SKIN, Material.SLEEVE],
    dtype=np.uint8,
)
# How far the elbow follows the wrist.
ELBOW_FOLLOWS_FRACTION = 0.55


class _Bones(NamedTuple):
    """Round cones in the hand's own axes, for all frames."""

    start_TPX: FloatArray
    end_TPX: FloatArray
    rotation_TPXX: FloatArray


def hand_parts(pose_TA: FloatArray, *, subject: Subject, wrist_mm: FloatArray) -> Parts:
    """Return the parts of hand and arm in every frame.

    Args:
        pose_TA: Poses, millimetres and degrees (see `pose.py`).
        subject: Whose hand it is.
        wrist_mm: Where the wrist rests, in the camera's axes, shape (3,).

    Returns:
        The hand, wrist, bare arm and sleeve.
    """
    fingers = _fingers(pose_TA, length=subject.hand.finger_length, fanned_deg=subject.style.spread_deg)
    thumb = _thumb(pose_TA, length=subject.hand.finger_length)
    palm = _palm(len(pose_TA))
    bones = _Bones(*(np.concatenate(group, axis=1) for group in zip(fingers, thumb, palm, strict=True)))
    placed = _place(bones, pose_TA, subject=subject, wrist_mm=wrist_mm)
    arm = _arm(pose_TA, subject=subject, wrist_mm=wrist_mm)
    start_TPX, end_TPX, rotation_TPXX = (
        np.concatenate(pair, axis=1).astype(np.float32) for pair in zip(placed, arm, strict=True)
    )
    start_radius_P, end_radius_P = _radii(subject).T
    return Parts(start_TPX, end_TPX, rotation_TPXX, start_radius_P, end_radius_P, MATERIAL_P)


def turn(angle_deg: npt.ArrayLike, axis: int) -> FloatArray:
    """Return rotation matrices about one axis, shape of `angle_deg` with (3, 3) behind.

    Example:
        >>> (turn(90.0, 2) @ [1.0, 0.0, 0.0]).round(6).tolist()
        [0.0, 1.0, 0.0]
    """
    angle = np.radians(np.asarray(angle_deg, dtype=np.float64))
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.zeros((*angle.shape, 3, 3))
    matrix[..., axis, axis] = 1.0
    matrix[..., first, first] = matrix[..., second, second] = np.cos(angle)
    matrix[..., second, first] = np.sin(angle)
    matrix[..., first, second] = -np.sin(angle)
    return matrix


def _chain(root_TFX: FloatArray, rotation_TFXX: FloatArray, flexion_TFJ: FloatArray, length_FJ: FloatArray) -> _Bones:
    """Bones one behind the other, each bent against the last; parts ordered finger by finger."""
    starts, ends, rotations = [], [], []
    for joint in range(length_FJ.shape[-1]):
        rotation_TFXX = rotation_TFXX @ turn(flexion_TFJ[..., joint], 0)
        tip_TFX = root_TFX - rotation_TFXX[..., 1] * length_FJ[:, joint, None]
        starts.append(root_TFX)
        ends.append(tip_TFX)
        rotations.append(rotation_TFXX)
        root_TFX = tip_TFX
    num_frames = len(root_TFX)
    return _Bones(
        np.stack(starts, axis=2).reshape(num_frames, -1, 3),
        np.stack(ends, axis=2).reshape(num_frames, -1, 3),
        np.stack(rotations, axis=2).reshape(num_frames, -1, 3, 3),
    )


def _fingers(pose_TA: FloatArray, *, length: float, fanned_deg: float) -> _Bones:
    flexion_TFJ = pose_TA[:, FLEXION].reshape(-1, 4, 3)
    # A bent finger cannot be spread: the spread goes with the cosine of the knuckle.
    spread_TF = pose_TA[:, SPREAD] + fanned_deg * np.array([1.0, 0.2, -0.6, -1.4])
    spread_TF = spread_TF * np.maximum(np.cos(np.radians(flexion_TFJ[..., 0])), 0.0)
    root_TFX = np.broadcast_to(KNUCKLE_MM, (len(pose_TA), 4, 3))
    return _chain(root_TFX, turn(spread_TF, 2), flexion_TFJ, PHALANX_MM * length)


def _thumb(pose_TA: FloatArray, *, length: float) -> _Bones:
    abduction, opposition, knuckle, end = pose_TA[:, THUMB].T
    rotation_TXX = turn(abduction, 2) @ turn(opposition, 0) @ turn(np.full(len(pose_TA), THUMB_TWIST_DEG), 1)
    flexion_TFJ = np.stack([np.zeros_like(knuckle), knuckle, end], axis=-1)[:, None, :]
    root_TFX = np.broadcast_to(THUMB_ROOT_MM, (len(pose_TA), 1, 3))
    return _chain(root_TFX, rotation_TXX[:, None], flexion_TFJ, np.array([THUMB_MM]) * length)


def _palm(num_frames: int) -> _Bones:
    start = np.array([bone[0] for bone in PALM_MM])
    end = np.array([bone[1] for bone in PALM_MM])
    shape = (num_frames, *start.shape)
    rotation = np.broadcast_to(np.eye(3), (*shape, 3))
    return _Bones(np.broadcast_to(start, shape), np.broadcast_to(end, shape), rotation)


def _place(bones: _Bones, pose_TA: FloatArray, *, subject: Subject, wrist_mm: FloatArray) -> _Bones:
    """From the hand's own axes into the camera's."""
    mirror_X = np.array([-1.0 if subject.hand.side == "left" else 1.0, 1.0, 1.0])
    size_X = mirror_X * subject.hand.scale
    lean_A = np.zeros(pose_TA.shape[1])
    lean_A[YAW : ROLL + 1] = subject.style.lean_deg
    yaw, pitch, roll = (pose_TA + lean_A)[:, YAW : ROLL + 1].T
    facing_deg = 180.0 if subject.style.facing == "back" else 0.0
    hand_TXX = turn(roll, 2) @ turn(pitch, 0) @ turn(yaw + facing_deg, 1)
    wrist_TX = wrist_mm + pose_TA[:, POSITION]
    to_camera_TXX = np.swapaxes(hand_TXX, 1, 2)
    return _Bones(
        (bones.start_TPX * size_X) @ to_camera_TXX + wrist_TX[:, None],
        (bones.end_TPX * size_X) @ to_camera_TXX + wrist_TX[:, None],
        hand_TXX[:, None] @ (bones.rotation_TPXX * np.outer(mirror_X, mirror_X)),
    )


def _arm(pose_TA: FloatArray, *, subject: Subject, wrist_mm: FloatArray) -> _Bones:
    """Wrist, bare arm and sleeve, from the wrist towards the elbow."""
    offset_TX = pose_TA[:, POSITION]
    wrist_TX = wrist_mm + offset_TX
    elbow_TX = wrist_mm + np.array(subject.style.elbow_mm) + ELBOW_FOLLOWS_FRACTION * offset_TX
    along_TX = elbow_TX - wrist_TX
    along_TX /= np.linalg.norm(along_TX, axis=-1, keepdims=True)
    side_TX = np.cross(along_TX, np.array([0.0, 0.0, 1.0]))
    side_TX /= np.linalg.norm(side_TX, axis=-1, keepdims=True)
    rotation_TXX = np.stack([side_TX, along_TX, np.cross(side_TX, along_TX)], axis=-1)
    cuff = subject.look.cuff_mm
    ends = np.array([(-4.0, 26.0), (26.0, cuff + 20.0), (cuff, ARM_MM)]) * subject.hand.scale
    along_TPX = along_TX[:, None]
    return _Bones(
        wrist_TX[:, None] + along_TPX * ends[:, :1],
        wrist_TX[:, None] + along_TPX * ends[:, 1:],
        np.repeat(rotation_TXX[:, None], 3, axis=1),
    )


def _radii(subject: Subject) -> npt.NDArray[np.float32]:
    """Radius of the first and last sphere of every part, in the order of `hand_parts`, shape (P, 2)."""
    fingers = [(finger[joint], finger[joint + 1]) for finger in FINGER_RADIUS_MM for joint in range(3)]
    thumb = [(THUMB_RADIUS_MM[joint], THUMB_RADIUS_MM[joint + 1]) for joint in range(3)]
    palm = [(start, end) for _, _, start, end in PALM_MM]
    bare = subject.look.cuff_mm / ARM_MM
    arm = [WRIST_RADIUS_MM, (WRIST_RADIUS_MM[1], WRIST_RADIUS_MM[1] + bare * (ARM_RADIUS_MM - WRIST_RADIUS_MM[1]))]
    arm.append((SLEEVE_RADIUS_MM[0] + bare * 8.0, SLEEVE_RADIUS_MM[1]))
    size = subject.hand.scale * subject.hand.thickness
    return np.array([*fingers, *thumb, *palm, *arm], dtype=np.float32) * np.float32(size)
