"""The part of a sample's frames that holds the person, from the skeleton that the depth sensor's software saw.

    SampleNNNN_skeleton.csv     a row per frame: 20 joints, each of 9 numbers

A joint is its place in the room (x, y, z in millimetres), its turn (4 numbers of a quaternion) and its place in the
picture (x, y in pixels). The first joint is the middle of the hips, the fourth the head; a row of zeros is a frame in
which no person was seen.

Source: the description of the data set, and Pigou et al. 2015, section 4.1, with the code published with it.
Differs: the code limits rows by the frame's width and columns by its height; here each is limited by its own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mudra.errors import DataError
from mudra.types import PixelBox

NUMBERS_PER_JOINT = 9
NUM_JOINTS = 20
HIPS, HEAD = 0, 3
X, Y = 7, 8  # of a joint's numbers, its column and row in the picture
BELOW_HEAD = 0.7  # the middle of the box lies this many body heights below the head


def read_skeleton_box(path: Path, *, frame_size: tuple[int, int]) -> PixelBox | None:
    """Return the box around the person, one for all frames, or None where no frame shows a person upright.

    With h, the mean distance in rows from head to hips, the box reaches h to each side of the point 0.7 h below the
    mean head, as far as the frame goes; at its edge it is no square.

    Args:
        path: The skeleton file.
        frame_size: Height and width of the frames that it belongs to, in pixels.

    Raises:
        DataError: If the file cannot be read, or a row is not 180 numbers.
    """
    pixels_SJ2 = _read_pixels(path)
    hips_S2, head_S2 = pixels_SJ2[:, HIPS], pixels_SJ2[:, HEAD]
    seen_S = hips_S2.any(axis=1) & head_S2.any(axis=1)
    if not seen_S.any():
        return None
    head_x, head_y = head_S2[seen_S].mean(axis=0)
    reach = hips_S2[seen_S, 1].mean() - head_y
    if not reach > 0:
        return None
    rows = _limit(head_y + BELOW_HEAD * reach, reach, frame_size[0])
    columns = _limit(head_x, reach, frame_size[1])
    if rows[0] >= rows[1] or columns[0] >= columns[1]:
        return None
    return PixelBox(rows[0], columns[0], rows[1] - rows[0], columns[1] - columns[0])


def _limit(middle: float, reach: float, size: int) -> tuple[int, int]:
    return max(0, round(middle - reach)), min(size, round(middle + reach))


def _read_pixels(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return where each joint is seen, x before y, shape (S, joints, 2)."""
    try:
        lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
        rows = [[float(cell) for cell in line.split(",")] for line in lines]
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as a skeleton file ({error})") from None
    wanted = NUM_JOINTS * NUMBERS_PER_JOINT
    wrong = next((number for number, row in enumerate(rows, start=1) if len(row) != wanted), None)
    if wrong is not None:
        raise DataError(f"{path}, line {wrong}: holds {len(rows[wrong - 1])} numbers, wanted {wanted}: 20 joints of 9")
    return np.array(rows).reshape(-1, NUM_JOINTS, NUMBERS_PER_JOINT)[..., [X, Y]]
