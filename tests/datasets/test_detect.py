from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mudra.datasets import CongdConfig, FirConfig, MontalbanoConfig, SegmentsConfig, detect
from mudra.datasets.detect import FileConfig
from mudra.datasets.egogesture import EgogestureConfig
from mudra.datasets.folder import FolderConfig
from mudra.datasets.isogd import IsogdConfig
from mudra.datasets.jester import FRAMES_FOLDER, JesterConfig
from mudra.datasets.jhmdb import JhmdbConfig
from mudra.datasets.nvgesture import NvgestureConfig
from mudra.datasets.shrec2017 import Shrec2017Config
from mudra.datasets.sports1m import Sports1mConfig
from mudra.datasets.table import TableConfig
from mudra.datasets.ucf101 import VIDEOS_FOLDER, Ucf101Config
from mudra.errors import DataError
from tests.fixtures.streams import build_congd, build_fir, build_montalbano_sample
from tests.fixtures.trees import (
    build_egogesture,
    build_folder,
    build_isogd,
    build_jester,
    build_jhmdb,
    build_nvgesture,
    build_shrec2017,
    build_sports1m,
    build_ucf101,
    touch_all,
    write_csv,
)


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


@pytest.mark.parametrize(
    ("make", "config_type"),
    [
        (build_nvgesture, NvgestureConfig),
        (build_egogesture, EgogestureConfig),
        (build_ucf101, Ucf101Config),
        (build_sports1m, Sports1mConfig),
        (build_jhmdb, JhmdbConfig),
    ],
)
def test_sets_are_told_by_their_lists(
    tmp_path: Path, make: Callable[[Path], Path], config_type: type[FileConfig]
) -> None:
    root = make(tmp_path / "root")
    assert detect(root) == config_type.from_mapping({"root": root})
    if config_type is Ucf101Config:
        assert detect(root / VIDEOS_FOLDER) == Ucf101Config(root=root / VIDEOS_FOLDER)


def test_a_table_beside_other_lists(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "clips.csv", [{"path": "a.mp4", "label": "a"}])
    write_csv(tmp_path / "scores.csv", [{"name": "a", "score": 1}])
    touch_all(tmp_path, ["a/1.mp4"])
    assert detect(tmp_path) == detect(path) == TableConfig(path=path)


def test_a_table_with_a_wrong_column_is_still_a_table(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", [{"path": "a.mp4", "lable": "a"}])
    assert detect(path) == TableConfig(path=path)


def test_congd_is_told_by_what_its_lists_hold(tmp_path: Path) -> None:
    build_congd(tmp_path)
    assert detect(tmp_path) == detect(tmp_path / "valid.txt") == CongdConfig(root=tmp_path)


def test_fir_is_told_by_its_columns(tmp_path: Path) -> None:
    build_fir(tmp_path)
    assert detect(tmp_path) == detect(tmp_path / "segments.csv") == FirConfig(root=tmp_path)
    (tmp_path / "segments.csv").write_bytes(b"\xff\xfe\x80")
    assert detect(tmp_path / "segments.csv") == TableConfig(path=tmp_path / "segments.csv")


def test_montalbano_is_told_by_the_names_of_its_samples(tmp_path: Path) -> None:
    build_montalbano_sample(tmp_path / "training1", 12)
    assert detect(tmp_path) == MontalbanoConfig(root=tmp_path)


@pytest.mark.parametrize(
    ("rows", "is_streams"),
    [
        (["a.mp4,1,2,x", "a.mp4,3,4,y", "b.mp4,1,2,x"], True),
        (["a.mp4,1,2,x", "b.mp4,,,"], True),
        (["a.mp4,1,2,x", "a.mp4,3,4"], False),  # no table at all
        (["a.mp4,1,2,x", "b.mp4,1,2,x"], False),  # one clip out of each file
        (["a.mp4,1,2,x", "a.mp4,3,4,y", "b.mp4,,,x"], False),  # a whole file is a clip
        (["a.mp4,1,,x", "a.mp4,0,1,y"], False),
    ],
)
def test_several_spans_of_a_file_are_segments_of_a_stream(tmp_path: Path, rows: list[str], is_streams: bool) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["path,start_s,end_s,label", *rows]))
    config = SegmentsConfig(path=path) if is_streams else TableConfig(path=path)
    assert detect(path) == detect(tmp_path) == config


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
            r"train_list\.txt of IsoGD, .*_v2\.lst of NVGesture, .* of J-HMDB, a \*\.csv with",
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
    assert isinstance(detect(shared_data / "nvgesture"), NvgestureConfig)
    assert isinstance(detect(shared_data / "lists" / "ucf101"), Ucf101Config)
    assert isinstance(detect(shared_data / "lists" / "jester"), JesterConfig)
    assert isinstance(detect(shared_data / "congd"), CongdConfig)
    assert isinstance(detect(shared_data / "fir"), FirConfig)
    with pytest.raises(DataError, match="no data set"):
        detect(shared_data / "montalbano")


def test_one_span_of_each_file_may_be_clips_or_streams(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "list.csv", [{"path": f"{name}.mp4", "start_s": 1, "end_s": 2, "label": "x"} for name in "ab"]
    )
    assert detect(path) == detect(tmp_path) == TableConfig(path=path)
    assert detect(path, streams=True) == detect(tmp_path, streams=True) == SegmentsConfig(path=path)
    whole = write_csv(tmp_path / "clips" / "list.csv", [{"path": "a.mp4", "label": "x"}])
    assert detect(whole, streams=True) == TableConfig(path=whole)
