from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mudra.datasets.folder import (
    SUBJECT_PATTERN,
    FolderConfig,
    compile_subject_pattern,
    find_subject,
    holds_classes,
    read_folder,
)
from mudra.errors import ConfigError, DataError
from mudra.types import DepthFormat, Stream
from tests.fixtures.trees import build_folder, touch_all


def test_a_folder_per_class_is_split_by_subject(tmp_path: Path) -> None:
    build_folder(tmp_path, classes=["wave", "push"], subjects=range(1, 11))
    dataset = read_folder(tmp_path)
    assert dataset.card.classes == ("push", "wave")
    assert {split: len(found) for split, found in dataset.recordings.items()} == {
        "train": 28,
        "validation": 8,
        "test": 4,
    }
    assert dataset.card.subjects_disjoint
    assert dataset.leaking_subjects() == {}
    for recording in dataset.all_recordings():
        assert recording.path.parent.name == dataset.card.classes[recording.label or 0]
        assert recording.subject == recording.path.name[1:3]


def test_split_folders_are_kept_in_any_spelling(tmp_path: Path) -> None:
    touch_all(tmp_path, ["Train/a/1.mp4", "Train/b/2.avi", "val/a/3.mkv", "testing/b/4.MOV"])
    dataset = read_folder(tmp_path)
    names = {split: [r.path.name for r in found] for split, found in dataset.recordings.items()}
    assert names == {"train": ["1.mp4", "2.avi"], "validation": ["3.mkv"], "test": ["4.MOV"]}
    assert {recording.split for recording in dataset.recordings["test"]} == {"test"}
    assert dataset.class_counts("test") == {"a": 0, "b": 1}


def test_a_class_may_be_called_test(tmp_path: Path) -> None:
    touch_all(tmp_path, ["test/1.mp4", "rest/1.mp4"])
    assert read_folder(tmp_path).card.classes == ("rest", "test")


def test_a_class_called_test_may_hold_folders_of_pictures(tmp_path: Path) -> None:
    touch_all(tmp_path, ["test/clip1/1.png", "rest/1.mp4"])
    assert read_folder(tmp_path).card.classes == ("rest", "test")


def test_a_folder_of_pictures_is_one_recording_with_the_given_rate(tmp_path: Path) -> None:
    touch_all(tmp_path, ["a/s01_x/00001.jpg", "a/s01_x/00002.jpg", "a/s02_x.mp4"])
    pictures, video = sorted(read_folder(tmp_path, fps=12.5).all_recordings(), key=lambda r: r.path)
    assert (pictures.path, pictures.fps, pictures.subject) == (tmp_path / "a/s01_x", 12.5, "01")
    assert (video.path, video.fps) == (tmp_path / "a/s02_x.mp4", None)


def test_other_files_and_hidden_ones_are_passed_over(tmp_path: Path) -> None:
    touch_all(tmp_path, ["a/1.mp4", "a/notes.txt", "a/.2.mp4", ".cache/1.mp4", "README.md", "a/thumbs/x.txt"])
    assert [recording.path.name for recording in read_folder(tmp_path).all_recordings()] == ["1.mp4"]


def test_recordings_stand_in_natural_order(tmp_path: Path) -> None:
    touch_all(tmp_path, [f"train/a/{name}.mp4" for name in (10, 9, 1)])
    dataset = read_folder(tmp_path, fractions=(1.0, 0.0, 0.0))
    assert [recording.path.stem for recording in dataset.recordings["train"]] == ["1", "9", "10"]


def test_names_that_differ_in_case_alone_have_a_fixed_order(tmp_path: Path) -> None:
    touch_all(tmp_path, ["b/1.mp4", "B/1.mp4", "a/1.mp4", "A/1.mp4"])
    assert read_folder(tmp_path).card.classes == ("A", "a", "B", "b")


def test_given_classes_decide_the_labels(tmp_path: Path) -> None:
    touch_all(tmp_path, ["test/b/1.mp4", "test/a/1.mp4"])
    dataset = read_folder(tmp_path, classes=["c", "b", "a"])
    assert [recording.label for recording in dataset.split("test")] == [2, 1]


def test_depth_recordings_carry_their_units(tmp_path: Path) -> None:
    touch_all(tmp_path, ["a/1.mkv"])
    config = FolderConfig(root=tmp_path, stream=Stream.DEPTH, mm_per_level=5.0, missing_level=255)
    dataset = config.build()
    (recording,) = dataset.all_recordings()
    assert recording.depth == dataset.card.depth == DepthFormat(mm_per_level=5.0, missing_level=255)
    assert recording.stream is Stream.DEPTH
    assert dataset.card.streams == (Stream.DEPTH,)


def test_mirror_partners_are_guessed_and_completed(tmp_path: Path) -> None:
    touch_all(tmp_path, ["go_left/1.mp4", "go_right/1.mp4", "hello/1.mp4"])
    assert read_folder(tmp_path).card.mirror_index() is None
    assert read_folder(tmp_path, mirror={"hello": "hello"}).card.mirror_index() == [1, 0, 2]


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("s02_f1_e1.mkv", "02"),
        ("S3_x.mp4", "3"),
        ("a01_s05_e02.avi", "05"),
        ("subject-7.mp4", "7"),
        ("person12_walk.avi", "12"),
        ("user_4", "4"),
        ("swipe_1.mp4", ""),
        ("s02.mp4", ""),
        ("clips2_x.mp4", ""),
        ("1.mp4", ""),
    ],
)
def test_the_subject_is_read_from_the_name(name: str, subject: str) -> None:
    assert find_subject(compile_subject_pattern(SUBJECT_PATTERN), Path(name)) == subject


@pytest.mark.parametrize(
    ("pattern", "message"), [("(", "is no regular expression"), (r"^s\d+", "has no group(.|\n)*in brackets")]
)
def test_a_pattern_that_finds_no_subject_is_refused(tmp_path: Path, pattern: str, message: str) -> None:
    touch_all(tmp_path, ["a/1.mp4"])
    with pytest.raises(ConfigError, match=message):
        read_folder(tmp_path, subject_pattern=pattern)


def make_file(root: Path) -> Path:
    root.write_text("")
    return root


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: root, "no such folder; wanted a folder with one folder per class"),
        (make_file, "a file; wanted a folder"),
        (lambda root: touch_all(root, ["1.mp4"]), r"holds no recordings; looked for .*/<class>/\* and .*test>/<class>"),
        (lambda root: touch_all(root, ["a/1.txt"]), r"a folder of pictures or a file ending in .*\.mp4"),
        (lambda root: touch_all(root, ["a/1.mp4", "b/1.txt"]), r"class folders without a recording: .*/b\n"),
        (lambda root: touch_all(root, ["train/a/1.mp4", "b/1.mp4"]), r"splits \(train\) beside classes \(b\)"),
    ],
)
def test_a_folder_of_another_form_is_refused(tmp_path: Path, make: Callable[[Path], Path], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_folder(make(tmp_path / "root"))


def test_a_class_outside_the_given_ones_is_refused(tmp_path: Path) -> None:
    touch_all(tmp_path, ["wavee/1.mp4"])
    with pytest.raises(DataError, match="did you mean 'wave'"):
        read_folder(tmp_path, classes=["wave"])


@pytest.mark.parametrize("settings", [{"fractions": (0.5, 0.1, 0.1)}, {"mirror": {"nobody": "a"}}])
def test_settings_that_cannot_be_used_are_refused(tmp_path: Path, settings: dict[str, object]) -> None:
    touch_all(tmp_path, ["a/1.mp4"])
    with pytest.raises(ConfigError):
        read_folder(tmp_path, **settings)  # type: ignore[arg-type]


def test_an_empty_split_names_the_folders_looked_for(tmp_path: Path) -> None:
    touch_all(tmp_path, ["train/a/1.mp4"])
    with pytest.raises(DataError) as caught:
        read_folder(tmp_path).split("test")
    assert f"{tmp_path}/test/<class>/*" in caught.value.message


def test_a_folder_per_class_is_told_from_others(tmp_path: Path) -> None:
    assert not holds_classes(touch_all(tmp_path / "x", ["1.mp4", "a/1.txt"]))
    assert holds_classes(touch_all(tmp_path / "y", ["a/1.mp4"]))
    assert holds_classes(touch_all(tmp_path / "z", ["train/a/1/1.png"]))
