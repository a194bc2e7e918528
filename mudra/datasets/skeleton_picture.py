"""Pictures of people as lines between their joints, seen from a middle joint, so that the person stays in place.

Source: Agethen and Hsu 2019, section IV-B2: 15 joints of J-HMDB, the belly's place subtracted, centred and scaled,
lines on black.
Differs: how it is scaled and how thick lines are is not in the text. One scale for a whole clip lets the joint that
ever comes farthest from the belly just touch the margin; lines are one pixel wide and smoothed.
"""

from __future__ import annotations

import cv2
import numpy as np

from mudra.errors import DataError
from mudra.types import FloatArray, UInt8Array

# Of J-HMDB's joints, as `jhmdb.JOINTS` orders them.
BELLY = 1
BONES = (
    (1, 0),  # belly, neck
    (0, 2),  # face
    (0, 3),  # right shoulder, elbow, wrist
    (3, 7),
    (7, 11),
    (0, 4),  # left shoulder, elbow, wrist
    (4, 8),
    (8, 12),
    (1, 5),  # right hip, knee, ankle
    (5, 9),
    (9, 13),
    (1, 6),  # left hip, knee, ankle
    (6, 10),
    (10, 14),
)
MARGIN_FRACTION = 0.05  # of the shorter side, at each edge
SHIFT_BITS = 4  # lines begin and end at sixteenths of a pixel


def centre_joints(joints_TJC: FloatArray, *, size: tuple[int, int]) -> FloatArray:
    """Return joints in pixels of a picture in whose middle the belly stands, scaled to fit over all frames.

    Args:
        joints_TJC: x and y of the 15 joints.
        size: Height and width of the picture in pixels.

    Raises:
        DataError: If they are refused by `refuse_undrawable`.

    Example:
        >>> joints = np.zeros((1, 15, 2))
        >>> joints[0, 2] = (0.0, -30.0)
        >>> centre_joints(joints, size=(41, 61))[0, [1, 2]].round(3).tolist()
        [[30.0, 20.0], [30.0, 2.05]]
    """
    refuse_undrawable(joints_TJC)
    from_belly_TJC = joints_TJC - joints_TJC[:, BELLY : BELLY + 1]
    middle_C = (np.array(size[::-1]) - 1) / 2
    room_C = middle_C - MARGIN_FRACTION * min(size)
    reach_C = np.abs(from_belly_TJC).max(axis=(0, 1))
    scale = min(room / reach for room, reach in zip(room_C, reach_C, strict=True) if reach)
    centred_TJC: FloatArray = from_belly_TJC * scale + middle_C
    return centred_TJC


def refuse_undrawable(joints_TJC: FloatArray, *, where: str = "") -> None:
    """Refuse joints of which no picture can be made. What is accepted as a whole is accepted in each of its frames.

    Args:
        joints_TJC: x and y of the 15 joints in pixels.
        where: The file that they come from, for messages.

    Raises:
        DataError: If the joints have another shape, are not finite, or all lie on the belly in some frame.
    """
    where = where and f"{where}: "
    if joints_TJC.ndim != 3 or joints_TJC.shape[1:] != (max(map(max, BONES)) + 1, 2) or not len(joints_TJC):
        raise DataError(f"{where}joints of shape {joints_TJC.shape} came; wanted (T, 15, 2), x before y")
    bad_T = ~np.isfinite(joints_TJC).all(axis=(1, 2))
    if bad_T.any():
        raise DataError(f"{where}joints hold nan or infinity, which is no place, first in frame {bad_T.argmax()}")
    flat_T = (joints_TJC == joints_TJC[:, BELLY : BELLY + 1]).all(axis=(1, 2))
    if flat_T.any():
        raise DataError(f"{where}all joints lie on the belly in frame {flat_T.argmax()}: there is no person to draw")


def draw_skeletons(joints_TJC: FloatArray, *, size: tuple[int, int]) -> UInt8Array:
    """Return pictures of skeletons, white lines on black, shape (T, H, W).

    Args:
        joints_TJC: x and y of the 15 joints in pixels of the picture, as `centre_joints` gives them.
        size: Height and width of the pictures in pixels.
    """
    frames_THW = np.zeros((len(joints_TJC), *size), np.uint8)
    points_TJC = np.round(joints_TJC * (1 << SHIFT_BITS)).astype(int)
    for frame_HW, points_JC in zip(frames_THW, points_TJC.tolist(), strict=True):
        for start, end in BONES:
            cv2.line(frame_HW, points_JC[start], points_JC[end], 255, 1, cv2.LINE_AA, SHIFT_BITS)
    return frames_THW
