from __future__ import annotations

from pathlib import Path

import pytest

from mudra.datasets.skeleton import read_skeleton_box
from mudra.errors import DataError
from mudra.types import PixelBox
from tests.fixtures.streams import skeleton_row

ZEROS = ",".join(["0"] * 180)


def write(folder: Path, *rows: str) -> Path:
    path = folder / "Sample0001_skeleton.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_the_box_is_a_square_below_the_head(tmp_path: Path) -> None:
    """By hand: head (310, 120) and hips in row 220 on average, so that h is 100 and the middle (310, 190)."""
    path = write(tmp_path, skeleton_row((300, 110), (320, 200)), ZEROS, skeleton_row((320, 130), (350, 240)))
    assert read_skeleton_box(path, frame_size=(480, 640)) == PixelBox(top=90, left=210, height=200, width=200)


@pytest.mark.parametrize(
    ("head", "hips_y", "box"),
    [
        ((30, 120), 220, PixelBox(90, 0, 200, 130)),
        ((600, 120), 220, PixelBox(90, 500, 200, 140)),
        ((310, 10), 110, PixelBox(0, 210, 180, 200)),
        # Row 480 is the edge, not row 640.
        ((310, 350), 450, PixelBox(320, 210, 160, 200)),
        # And column 640, not column 480.
        ((500, 120), 220, PixelBox(90, 400, 200, 200)),
    ],
)
def test_it_ends_where_the_frame_ends(tmp_path: Path, head: tuple[float, float], hips_y: float, box: PixelBox) -> None:
    path = write(tmp_path, skeleton_row(head, (123, hips_y)))
    assert read_skeleton_box(path, frame_size=(480, 640)) == box


@pytest.mark.parametrize(
    "rows",
    [
        [ZEROS],
        [],
        [skeleton_row((0, 0), (300, 200))],
        [skeleton_row((300, 100), (0, 0))],
        [skeleton_row((300, 200), (300, 200))],  # no height
        [skeleton_row((300, 300), (300, 200))],  # upside down
        [skeleton_row((2000, 100), (2000, 200))],  # beside the frame
    ],
)
def test_without_a_person_there_is_no_box(tmp_path: Path, rows: list[str]) -> None:
    assert read_skeleton_box(write(tmp_path, *rows), frame_size=(480, 640)) is None


def test_a_file_of_another_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"skeleton\.csv, line 2: holds 3 numbers, wanted 180: 20 joints of 9"):
        read_skeleton_box(write(tmp_path, ZEROS, "1,2,3"), frame_size=(480, 640))
    with pytest.raises(DataError, match=r"cannot be read as a skeleton file \(could not convert"):
        read_skeleton_box(write(tmp_path, "a,b"), frame_size=(480, 640))
    with pytest.raises(DataError, match="cannot be read as a skeleton file"):
        read_skeleton_box(tmp_path / "none.csv", frame_size=(480, 640))
