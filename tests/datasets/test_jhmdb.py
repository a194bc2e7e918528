from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from mudra.datasets import Dataset, JhmdbConfig, read_jhmdb, read_joints
from mudra.datasets.jhmdb import CLASSES, FRAMES_FOLDER, JOINTS, LISTS_FOLDER, find_joints, is_jhmdb
from mudra.errors import DataError
from tests.fixtures.trees import build_jhmdb, write_lines

CATCH = f"{LISTS_FOLDER}/catch_test_split1.txt"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return build_jhmdb(tmp_path / "jhmdb")


def sizes(dataset: Dataset) -> dict[str, int]:
    return {split: len(found) for split, found in dataset.recordings.items()}


def test_a_clip_is_a_folder_of_pictures(root: Path) -> None:
    dataset = read_jhmdb(root)
    assert sizes(dataset) == {"train": 42, "validation": 0, "test": 21}
    for recording in dataset.all_recordings():
        assert recording.label is not None
        assert recording.path.parent == root / FRAMES_FOLDER / CLASSES[recording.label]
        assert recording.path.is_dir()
        assert recording.fps == 30.0
    assert {r.path.name[-1] for r in dataset.split("test")} == {"0"}
    assert set(dataset.class_counts("train").values()) == {2}


@pytest.mark.parametrize(("fold", "last"), [(1, "0"), (2, "1"), (3, "2")])
def test_a_fold_has_its_own_lists(root: Path, fold: int, last: str) -> None:
    dataset = JhmdbConfig.from_mapping({"root": root, "fold": fold}).build()
    assert {r.path.name[-1] for r in dataset.split("test")} == {last}


def test_lists_that_are_not_there_are_counted(root: Path) -> None:
    (root / CATCH).unlink()
    with pytest.raises(DataError, match=rf"1 of 21 lists of split 1 are not there; looked for {root / CATCH}"):
        read_jhmdb(root)
    assert sizes(read_jhmdb(root, fold=2))["train"] == 42


def test_clips_that_are_not_there_are_refused_or_left_out(root: Path) -> None:
    (root / FRAMES_FOLDER / "catch").rename(root / "away")
    with pytest.raises(DataError, match=r"splits: 2 of 42 train recordings are not there; looked for .*/catch/Some_"):
        read_jhmdb(root)
    dataset = read_jhmdb(root, on_missing="skip")
    assert sizes(dataset) == {"train": 40, "validation": 0, "test": 20}
    assert dataset.notes == dataset.left_out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("clip.avi 3", r"catch_test_split1\.txt, line 1: split is '3'; wanted 1 \(train\) or 2 \(test\)"),
        ("clip.avi", r"line 1: holds 'clip\.avi'; wanted April_09"),
    ],
)
def test_a_list_of_another_form_is_refused(root: Path, line: str, message: str) -> None:
    write_lines(root / CATCH, [line])
    with pytest.raises(DataError, match=message):
        read_jhmdb(root)


@pytest.mark.parametrize("num_frames", [1, 7])
def test_joints_are_read_in_pixels_from_0(root: Path, num_frames: int) -> None:
    path = find_joints(read_jhmdb(root).split("test")[0].path)
    assert path.relative_to(root).parts[:2] == ("joint_positions", "brush_hair")
    stored = np.random.default_rng(0).uniform(-5, 320, (2, 15, num_frames))
    path.parent.mkdir(parents=True)
    savemat(path, {"pos_img": stored[..., 0] if num_frames == 1 else stored, "scale": np.ones((1, num_frames))})
    joints = read_joints(path)
    assert joints.shape == (num_frames, len(JOINTS), 2)
    assert joints.dtype == np.float64
    for frame in range(num_frames):
        for joint in range(15):
            x, y = stored[:, joint, frame]
            assert joints[frame, joint].tolist() == [x - 1, y - 1]


def test_a_file_without_joints_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "joint_positions.mat"
    savemat(path, {"pos_world": np.zeros((2, 15, 3))})
    with pytest.raises(DataError, match=r"joint_positions\.mat: holds no pos_img; wanted \(2, 15, T\)"):
        read_joints(path)
    savemat(path, {"pos_img": np.zeros((15, 2, 3))})
    with pytest.raises(DataError, match=r"holds pos_img of shape \(15, 2, 3\)"):
        read_joints(path)
    savemat(path, {"pos_img": np.ones((2, 15, 3)).astype(object)})
    with pytest.raises(DataError, match=r"holds pos_img of type object; wanted numbers"):
        read_joints(path)
    path.write_bytes(b"nothing of the kind" * 20)
    with pytest.raises(DataError, match="cannot be read as joints"):
        read_joints(path)
    with pytest.raises(DataError, match="cannot be read as joints"):
        read_joints(tmp_path / "gone.mat")


def test_without_scipy_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(DataError, match=r"SciPy, .* is not installed\n  hint: pip install 'mudra\[joints\]'"):
        read_joints(tmp_path / "joint_positions.mat")


def test_it_is_told_by_lists_beside_pictures(root: Path, tmp_path: Path) -> None:
    assert is_jhmdb(root)
    assert not is_jhmdb(tmp_path)
    (root / FRAMES_FOLDER).rename(root / "frames")
    assert not is_jhmdb(root)
