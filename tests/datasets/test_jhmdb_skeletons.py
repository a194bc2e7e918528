"""Skeletons of J-HMDB: windows of long enough recordings, at two speeds, never out of another split."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mudra.datasets import JhmdbSkeletonsConfig
from mudra.datasets.jhmdb import CLASSES, FPS, FRAMES_FOLDER, JOINTS_FILE, JOINTS_FOLDER, find_joints, read_jhmdb
from mudra.datasets.skeleton_picture import centre_joints, draw_skeletons
from mudra.errors import DataError
from mudra.types import FloatArray, Stream
from tests.fixtures.trees import build_jhmdb

savemat = pytest.importorskip("scipy.io").savemat


def build_skeletons(root: Path, *, num_frames: int = 9) -> Path:
    """J-HMDB's tree with joints, every recording another walk; those of the first class are short."""
    build_jhmdb(root)
    for number, recording in enumerate(read_jhmdb(root).all_recordings()):
        path = find_joints(recording.path)
        path.parent.mkdir(parents=True)
        count = 3 if recording.label == 0 else num_frames
        walk = np.random.default_rng(number).uniform(0, 6, (count, 15, 2)).cumsum(axis=0)
        walk += np.random.default_rng(99).uniform(0, 200, (15, 2))
        savemat(path, {"pos_img": walk.transpose(2, 1, 0)})
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_skeletons(tmp_path_factory.mktemp("jhmdb"))


@pytest.fixture
def own_root(tmp_path: Path) -> Path:
    """A tree that a test may harm: lists and joints, and no pictures."""
    root = build_skeletons(tmp_path / "jhmdb")
    shutil.rmtree(root / FRAMES_FOLDER)
    return root


def joints_of(root: Path, name: str, number: int) -> Path:
    """The joints of a clip: number 0 is for the test."""
    return next((root / JOINTS_FOLDER / name).glob(f"*_{number}")) / JOINTS_FILE


def small(root: Path | None, **values: Any) -> JhmdbSkeletonsConfig:
    counts = {"num_frames": 4, "clips_train": 30, "clips_validation": 8, "clips_test": 20, "size": (24, 32)}
    return JhmdbSkeletonsConfig(root=root, **{**counts, **values})


def windows_of(joints: FloatArray, *, step: int) -> list[bytes]:
    """Every clip of 4 frames that can be drawn of a recording."""
    starts = range(len(joints) - 3 * step)
    cut = [centre_joints(joints[start : start + 3 * step + 1 : step], size=(24, 32)) for start in starts]
    return [draw_skeletons(joints, size=(24, 32)).tobytes() for joints in cut]


@pytest.mark.parametrize("step", [1, 2])
def test_clips_are_windows_of_their_splits_recordings(root: Path, step: int) -> None:
    drawer = small(root, frame_step=step).build_drawer()
    known = {
        split: {window for r in drawer.recordings[split] for window in windows_of(drawer.joints[r.path], step=step)}
        for split in drawer.recordings
    }
    assert not known["train"] & known["test"]
    for split in drawer.recordings:
        clip_BTCHW = drawer.draw(split, range(drawer.count(split))).clip_BTCHW
        assert clip_BTCHW.shape == (drawer.count(split), 4, 1, 24, 32)
        drawn = [(clip * 255).round().to(torch.uint8).numpy().tobytes() for clip in clip_BTCHW]
        assert set(drawn) <= known[split]
        assert len(set(drawn)) > 5


def test_a_number_is_a_clip_and_tests_take_recordings_in_turns(root: Path) -> None:
    drawer = small(root).build_drawer()
    for split in ("train", "test"):
        together = drawer.draw(split, [5, 10**12]).clip_BTCHW
        assert torch.equal(drawer.draw(split, [10**12]).clip_BTCHW[0], together[1])
    assert not torch.equal(
        drawer.draw("train", [0]).clip_BTCHW, small(root, seed=1).build_drawer().draw("train", [0])[0]
    )
    count = len(drawer.recordings["test"])
    assert count == len(CLASSES) - 1
    for number in range(count):
        joints = drawer.joints[drawer.recordings["test"][number].path]
        clip = (drawer.draw("test", [number]).clip_BTCHW[0] * 255).round().to(torch.uint8).numpy().tobytes()
        assert clip in windows_of(joints, step=1)


def test_speed_is_that_of_the_fastest_joint(root: Path) -> None:
    drawer = small(root, num_frames=9).build_drawer()
    joints = centre_joints(drawer.joints[drawer.recordings["test"][2].path], size=(24, 32))
    steps = np.sqrt(((joints[1:] - joints[:-1]) ** 2).sum(axis=2))
    assert float(drawer.draw("test", [2]).speed_B[0]) == pytest.approx(steps.mean(axis=0).max(), rel=1e-5)


def test_recordings_are_drawn_whole_and_short_ones_are_told_of(root: Path) -> None:
    dataset = small(root, frame_step=2).build()
    assert dataset.notes == ("3 recordings have fewer than 7 frames and are left out",)
    assert dataset.left_out == dataset.notes
    assert {split: len(found) for split, found in dataset.recordings.items()} == {
        "train": 36,
        "validation": 4,
        "test": 20,
    }
    assert {r.split for r in dataset.split("validation")} == {"validation"}
    assert dataset.source is not None
    frames = dataset.source(dataset.split("test")[0], Stream.RGB)
    assert frames.frames_THWC.shape == (5, 24, 32, 3)
    assert frames.times_s[1] == pytest.approx(2 / FPS)
    assert (dataset.card.name, dataset.card.frame_size, dataset.card.fps) == ("jhmdb_skeletons", (24, 32), FPS / 2)
    with pytest.raises(DataError, match="skeletons have no depth stream"):
        dataset.source(dataset.split("test")[0], Stream.DEPTH)


def test_what_cannot_be_drawn_is_refused(root: Path) -> None:
    with pytest.raises(DataError, match=r"skeletons have no flow\n  hint: clip\.streams="):
        small(root).build_drawer().draw("test", [0], with_flow=True)
    with pytest.raises(DataError, match=r"no recording of split 'train' has the 10 frames .*\n  hint: set a smaller"):
        small(root, frame_step=3).build_drawer()
    with pytest.raises(DataError, match=r"data\.root is missing: the folder that J-HMDB"):
        small(None).build()


def test_the_pictures_need_not_be_there(own_root: Path, root: Path) -> None:
    drawer, whole = small(own_root).build_drawer(), small(root).build_drawer()
    for split in drawer.recordings:
        assert torch.equal(drawer.draw(split, range(4)).clip_BTCHW, whole.draw(split, range(4)).clip_BTCHW)
    dataset = drawer.build_dataset()
    assert all(recording.path.is_file() for recording in dataset.all_recordings())
    assert dataset.source is not None
    assert dataset.source(dataset.split("test")[0], Stream.RGB).frames_THWC.shape == (9, 24, 32, 3)


def test_missing_joints_are_refused_or_left_out(own_root: Path) -> None:
    joints_of(own_root, "catch", 0).unlink()
    with pytest.raises(DataError, match=r"1 of 21 test recordings are not there; .*catch/.*_0/joint_positions\.mat"):
        small(own_root).build()
    dataset = small(own_root, on_missing="skip").build()
    assert len(dataset.split("test")) == len(CLASSES) - 2  # without the short ones of the first class too
    assert "1 of 21 test recordings are not there" in dataset.left_out[0]
    shutil.rmtree(own_root / JOINTS_FOLDER)
    with pytest.raises(DataError, match=r"none of 63 recordings is there; looked for .*joint_positions\.mat"):
        small(own_root, on_missing="skip").build()


def test_damaged_joints_are_found_when_the_set_is_opened(own_root: Path) -> None:
    gone = np.random.default_rng(0).uniform(0, 99, (2, 15, 9))
    gone[:, :, 8] = 7.0
    savemat(joints_of(own_root, "catch", 0), {"pos_img": np.full((2, 15, 9), np.nan)})
    savemat(joints_of(own_root, "clap", 1), {"pos_img": gone})
    joints_of(own_root, "jump", 2).write_bytes(b"torn")
    reasons = (
        r"catch/.*_0/joint_positions\.mat: joints hold nan",
        r"clap/.*_1/joint_positions\.mat: all joints lie on the belly in frame 8",
        r"jump/.*_2/joint_positions\.mat: cannot be read as joints",
    )
    for reason in reasons:
        with pytest.raises(
            DataError, match=rf"(?s)3 of 63 files of joints are damaged:.*{reason}.*hint: .*on_damaged=skip"
        ):
            small(own_root).build()
    drawer = small(own_root, on_damaged="skip").build_drawer()
    left_out = drawer.build_dataset().left_out
    assert left_out[-1] == "3 recordings have fewer than 4 frames and are left out"
    for reason in reasons:
        assert sum(re.search(reason, line) is not None for line in left_out) == 1
    assert sum(map(len, drawer.recordings.values())) == 63 - 3 - 3
    for split in drawer.recordings:
        drawer.draw(split, range(drawer.count(split)))


def test_nothing_but_damaged_joints_is_refused_in_any_case(own_root: Path) -> None:
    for path in own_root.glob(f"{JOINTS_FOLDER}/*/*/*.mat"):
        path.write_bytes(b"torn")
    with pytest.raises(DataError, match=r"(?s)63 of 63 .*\.\.\. \(63 in all\)\n  hint: unpack them again$"):
        small(own_root, on_damaged="skip").build()


def test_a_lack_of_scipy_is_not_taken_for_damage(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(DataError, match=r"^SciPy, .* is not installed"):
        small(root, on_damaged="skip").build()
