from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mudra.datasets.isogd_split import describe_scene, file_number, group_scenes, split_by_distance, split_by_scene
from mudra.errors import DataError
from mudra.types import Recording, UInt8Array


def recordings_of(numbers: list[int], root: Path = Path("train")) -> tuple[Recording, ...]:
    return tuple(Recording(path=root / f"M_{number:05d}.avi", label=number) for number in numbers)


def numbers_of(recordings: tuple[Recording, ...]) -> list[int]:
    return [file_number(recording) for recording in recordings]


def test_the_last_numbers_validate_and_a_gap_before_them_does_neither() -> None:
    drawn = split_by_distance(recordings_of([*range(20, 0, -1)]), fraction=0.25, gap=3)
    assert numbers_of(drawn.validation) == [16, 17, 18, 19, 20]
    assert numbers_of(drawn.train) == list(range(1, 13))
    assert drawn.num_left_out == 3
    assert {r.split for r in drawn.validation} == {"validation"}
    assert {r.split for r in drawn.train} == {"train"}


def test_the_gap_counts_file_numbers_and_not_recordings() -> None:
    drawn = split_by_distance(recordings_of([1, 2, 9, 30, 31]), fraction=0.4, gap=21)
    assert (numbers_of(drawn.train), numbers_of(drawn.validation)) == ([1, 2], [30, 31])
    assert numbers_of(split_by_distance(recordings_of([1, 2, 9, 30, 31]), fraction=0.4, gap=20).train) == [1, 2, 9]
    assert split_by_distance(recordings_of([1, 2]), fraction=0.5, gap=0).num_left_out == 0


@pytest.mark.parametrize(
    ("fraction", "gap", "message"),
    [
        (0.01, 2, r"split_by=distance with fraction=0\.01 and gap=2 leaves 10 of 10 recordings to train on and 0 to"),
        (0.5, 9, r"leaves 0 of 10 recordings to train on and 5 to validate\n  hint: .* or a smaller gap"),
    ],
)
def test_an_empty_part_is_refused(fraction: float, gap: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        split_by_distance(recordings_of([*range(1, 11)]), fraction=fraction, gap=gap)


def test_a_name_without_a_number_is_refused() -> None:
    with pytest.raises(DataError, match=r"clip\.avi: no number in the name; wanted M_<number>\.avi"):
        file_number(Recording(path=Path("clip.avi")))


def draw_room(wall: tuple[int, int, int], shirt: tuple[int, int, int], *, left: int = 110) -> UInt8Array:
    picture = np.full((240, 320, 3), wall, np.uint8)
    picture[80:, left : left + 90] = shirt
    return picture


WHITE, RED, BLUE, GREEN = (230, 230, 220), (180, 30, 30), (20, 30, 160), (30, 150, 40)


def test_a_scene_is_told_by_what_surrounds_the_person() -> None:
    rooms = [draw_room(WHITE, RED), draw_room(BLUE, RED), draw_room(WHITE, GREEN, left=130), draw_room(RED, WHITE)]
    colours = np.stack([describe_scene(room) for room in rooms])
    assert np.linalg.norm(colours, axis=1) == pytest.approx(1.0)
    assert group_scenes(colours).tolist() == [0, 1, 0, 2]
    half = cv2.resize(rooms[0], (160, 120))
    assert describe_scene(half) @ colours[0] > 0.99, "whatever the size"


def test_scenes_that_are_like_a_third_one_are_the_same() -> None:
    angles = np.radians([0, 80, 20, 40, 60, 200])
    colours = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert group_scenes(colours, same_scene=np.cos(np.radians(21))).tolist() == [0, 0, 0, 0, 0, 1]
    assert group_scenes(colours, same_scene=np.cos(np.radians(19))).tolist() == [0, 1, 2, 3, 4, 5]


@pytest.fixture
def filmed(tmp_path: Path) -> tuple[Recording, ...]:
    """Ten folders of one picture: six before a white wall, three before a blue one, one before a red one."""
    recordings = []
    for number, wall in enumerate([WHITE, BLUE, WHITE, WHITE, RED, BLUE, WHITE, WHITE, BLUE, WHITE], start=1):
        folder = tmp_path / f"M_{number:05d}"
        folder.mkdir()
        cv2.imwrite(str(folder / "1.png"), draw_room(wall, GREEN, left=100 + number)[..., ::-1])
        recordings.append(Recording(path=folder, label=number))
    return tuple(recordings)


def test_whole_scenes_validate(filmed: tuple[Recording, ...]) -> None:
    drawn = split_by_scene(filmed, fraction=0.4)
    assert numbers_of(drawn.validation) == [2, 6, 9]
    assert numbers_of(drawn.train) == [1, 3, 4, 7, 8, 10]
    assert drawn.num_left_out == 1, "the red wall is seen once"
    assert {r.split for r in drawn.validation} == {"validation"}
    assert split_by_scene(filmed, fraction=0.3) == drawn, "the largest scene that fits"
    assert numbers_of(split_by_scene(filmed, fraction=0.6).validation) == [1, 3, 4, 7, 8, 10]


def test_a_share_that_no_scene_fits_is_refused(filmed: tuple[Recording, ...]) -> None:
    with pytest.raises(DataError, match=r"split_by=scene with fraction=0\.2 leaves 9 of 10 recordings to train on"):
        split_by_scene(filmed, fraction=0.2)
    with pytest.raises(DataError, match="leaves 0 of 0 recordings to train on and 0 to validate"):
        split_by_scene((), fraction=0.4)
