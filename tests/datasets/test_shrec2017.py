from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from mudra.datasets.shrec2017 import CARD_14, CARD_28, GESTURES, Shrec2017Config, read_shrec2017
from mudra.errors import DataError
from mudra.types import Stream
from tests.fixtures.trees import build_shrec2017, shrec2017_row, touch_all, write_csv


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return build_shrec2017(tmp_path, subjects={"train": [2, 3], "validation": [19]})


def test_every_clip_has_the_label_of_its_gesture(root: Path) -> None:
    dataset = read_shrec2017(root)
    assert {split: len(found) for split, found in dataset.recordings.items()} == {
        "train": 56,
        "validation": 28,
        "test": 0,
    }
    for recording in dataset.all_recordings():
        assert dataset.card.classes[recording.label or 0] == recording.path.parent.name
        assert recording.path.is_file()
    assert set(dataset.class_counts("train").values()) == {4}


def test_28_classes_tell_finger_and_hand_apart(root: Path) -> None:
    dataset = Shrec2017Config(root=root, num_classes=28).build()
    finger = {"f1": "1 finger", "f2": "hand"}
    for recording in dataset.all_recordings():
        wanted = f"{recording.path.parent.name} ({finger[recording.path.name.split('_')[1]]})"
        assert dataset.card.classes[recording.label or 0] == wanted


def test_recordings_are_depth_at_5_mm_a_level(root: Path) -> None:
    recording = read_shrec2017(root).split("train")[0]
    assert recording.stream is Stream.DEPTH
    assert (recording.depth.mm_per_level, recording.depth.missing_level) == (5.0, 0)
    assert recording.subject == "2"


@pytest.mark.parametrize("card", [CARD_14, CARD_28])
def test_mirroring_swaps_swipes_and_rotations_only(card: object) -> None:
    assert isinstance(card, type(CARD_14))
    changed = {name for name in card.classes if card.mirror[name] != name}
    assert {name.split(" ")[0] for name in changed} == {"swipe_left", "swipe_right", "rotation_cw", "rotation_ccw"}
    for name in changed:
        assert str(card.mirror[name]).partition(" ")[2] == name.partition(" ")[2], "the finger count stays"


def test_a_root_with_a_test_folder_alone_works(tmp_path: Path) -> None:
    dataset = read_shrec2017(build_shrec2017(tmp_path, subjects={"test": [1, 5]}))
    assert len(dataset.split("test")) == 56


def test_a_listed_split_without_its_folder_is_left_out_with_a_note(root: Path) -> None:
    rows = [shrec2017_row("train", "grab", 1, 2), shrec2017_row("test", "tap", 2, 5)]
    write_csv(root / "clips.csv", rows)
    dataset = read_shrec2017(root)
    assert [len(found) for found in dataset.recordings.values()] == [1, 0, 0]
    missing = f"1 of 1 test recordings are not there; looked for {root}/test/tap/s05_f2_e1.mkv"
    assert dataset.notes == dataset.left_out == (f"{root}/clips.csv: {missing}",)
    with pytest.raises(DataError, match=r"0 recordings in split 'test' of shrec2017; looked for .*/test/<gesture>"):
        dataset.split("test")


@pytest.mark.parametrize("path", ["test/tap/s05_f2_e1.mkv", "tap/s05_f2_e1.mkv"])
def test_a_list_inside_a_split_is_read_too(root: Path, path: str) -> None:
    touch_all(root, ["test/tap/s05_f2_e1.mkv"])
    write_csv(root / "test" / "clips.csv", [{**shrec2017_row("test", "tap", 2, 5), "path": path}])
    dataset = read_shrec2017(root)
    assert [recording.path for recording in dataset.split("test")] == [root / "test/tap/s05_f2_e1.mkv"]
    assert len(dataset.split("train")) == 56


def test_a_clip_in_two_lists_counts_once(root: Path) -> None:
    write_csv(root / "train" / "clips.csv", [shrec2017_row("train", "grab", 1, 2)])
    assert len(read_shrec2017(root).split("train")) == 56


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gesture": "swipe_rigth"}, r"line 2: gesture is 'swipe_rigth'\n  hint: did you mean 'swipe_right'\?"),
        ({"split": "tests"}, r"line 2: split is 'tests'\n  hint: did you mean 'test'\?"),
        ({"finger": 3}, "line 2: finger is '3'; wanted 1"),
        ({"gesture28": 2}, r"line 2: gesture28 is '2'; 'grab \(1 finger\)' is number 1"),
        ({"subject": ""}, "line 2: subject is empty"),
        ({"colour": "red"}, "unknown column 'colour'"),
        ({"path": "train/grab/gone.mkv"}, r"none of 1 recordings is there; looked for .*train/grab/gone\.mkv"),
    ],
)
def test_a_list_of_another_form_is_refused(root: Path, change: dict[str, object], message: str) -> None:
    write_csv(root / "clips.csv", [{**shrec2017_row("train", "grab", 1, 2), **change}])
    with pytest.raises(DataError, match=message):
        read_shrec2017(root)


def test_a_clip_missing_beside_others_is_refused_or_skipped(root: Path) -> None:
    (root / "train/grab/s02_f1_e1.mkv").unlink()
    with pytest.raises(DataError, match=r"1 of 56 train recordings are not there; looked for .*grab/s02_f1_e1\.mkv"):
        read_shrec2017(root)
    dataset = Shrec2017Config(root=root, on_missing="skip").build()
    assert len(dataset.split("train")) == 55


def test_a_root_without_a_list_names_the_places(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"looked for {tmp_path}/clips\.csv, {tmp_path}/train/clips\.csv"):
        read_shrec2017(tmp_path)


@pytest.mark.real
def test_the_real_list_agrees_with_the_card(shared_data: Path) -> None:
    dataset = read_shrec2017(shared_data / "shrec2017")
    for split, found in dataset.recordings.items():
        assert len(found) in (0, dataset.card.counts[split])
    assert len(dataset.split("train")) == 1730
    assert dataset.leaking_subjects() == {}
    labels = Counter(recording.label for recording in dataset.all_recordings())
    assert sorted(label for label in labels if label is not None) == list(range(len(GESTURES)))
    for recording in dataset.all_recordings():
        assert dataset.card.classes[recording.label or 0] == recording.path.parent.name
