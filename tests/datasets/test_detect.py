from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mudra.datasets import detect
from mudra.datasets.folder import FolderConfig
from mudra.datasets.isogd import IsogdConfig
from mudra.datasets.jester import FRAMES_FOLDER, JesterConfig
from mudra.datasets.shrec2017 import Shrec2017Config
from mudra.datasets.table import TableConfig
from mudra.errors import DataError
from tests.fixtures.trees import build_folder, build_isogd, build_jester, build_shrec2017, touch_all, write_csv


def test_shrec2017_is_told_by_its_columns(tmp_path: Path) -> None:
    build_shrec2017(tmp_path, subjects={"test": [1]})
    assert detect(tmp_path) == detect(tmp_path / "clips.csv") == Shrec2017Config(root=tmp_path)


def test_shrec2017_with_its_list_inside_a_split(tmp_path: Path) -> None:
    build_shrec2017(tmp_path, subjects={"test": [1]})
    (tmp_path / "clips.csv").rename(tmp_path / "test" / "clips.csv")
    assert detect(str(tmp_path)) == Shrec2017Config(root=tmp_path)


def test_jester_is_told_by_the_names_of_its_lists(tmp_path: Path) -> None:
    build_jester(tmp_path)
    assert detect(tmp_path) == detect(tmp_path / "jester-v1-validation.csv") == JesterConfig(root=tmp_path)
    frames = tmp_path / FRAMES_FOLDER
    assert detect(frames) == JesterConfig(root=frames)


def test_isogd_is_told_by_what_its_lists_hold(tmp_path: Path) -> None:
    build_isogd(tmp_path)
    assert detect(tmp_path) == detect(tmp_path / "train_list.txt") == IsogdConfig(root=tmp_path)
    (tmp_path / "train_list.txt").write_text("train/1.mp4 3\n")
    (tmp_path / "valid_list.txt").unlink()
    (tmp_path / "test_list.txt").unlink()
    with pytest.raises(DataError, match="a file that is no CSV"):
        detect(tmp_path / "train_list.txt")


def test_a_table_beside_other_lists(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "clips.csv", [{"path": "a.mp4", "label": "a"}])
    write_csv(tmp_path / "scores.csv", [{"name": "a", "score": 1}])
    touch_all(tmp_path, ["a/1.mp4"])
    assert detect(tmp_path) == detect(path) == TableConfig(path=path)


def test_a_table_with_a_wrong_column_is_still_a_table(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", [{"path": "a.mp4", "lable": "a"}])
    assert detect(path) == TableConfig(path=path)


def test_a_folder_per_class(tmp_path: Path) -> None:
    build_folder(tmp_path, classes=["a"], subjects=[1])
    (tmp_path / "odd.csv").write_bytes(b"\xff\xfe\x80")
    assert detect(tmp_path) == FolderConfig(root=tmp_path)


def test_a_folder_per_split(tmp_path: Path) -> None:
    build_folder(tmp_path / "train", classes=["a"], subjects=[1])
    assert detect(tmp_path) == FolderConfig(root=tmp_path)


def two_tables(root: Path) -> Path:
    for name in ("a.csv", "b.csv"):
        write_csv(root / name, [{"path": "a.mp4", "label": "a"}])
    return root


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: touch_all(root, ["near"]) / "gone", r"no such file or folder(.|\n)*holds near"),
        (lambda root: touch_all(root, ["near"]) / "near" / "gone", r"no such file or folder(.|\n)*near is a file"),
        (lambda root: touch_all(root, ["1.mp4"]) / "1.mp4", r"a file that is no CSV(.|\n)*into a folder"),
        (two_tables, r"2 lists of recordings: a\.csv, b\.csv(.|\n)*name one: .*a\.csv"),
        (
            lambda root: touch_all(root, ["1.mp4"]),
            r"no data set; looked for clips\.csv of SHREC'17, jester-v1-train\.csv of Jester, "
            r"train_list\.txt of IsoGD, a \*\.csv with",
        ),
    ],
)
def test_a_path_without_a_data_set_names_what_was_looked_for(
    tmp_path: Path, make: Callable[[Path], Path], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        detect(make(tmp_path / "root"))


@pytest.mark.real
def test_the_real_recordings_are_detected(shared_data: Path) -> None:
    assert isinstance(detect(shared_data / "shrec2017"), Shrec2017Config)
    assert isinstance(detect(shared_data / "isogd"), IsogdConfig)
    assert isinstance(detect(shared_data / "lists" / "jester"), JesterConfig)
    with pytest.raises(DataError, match="no data set"):
        detect(shared_data / "fir")
