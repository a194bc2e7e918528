from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from mudra.datasets import Dataset, JesterConfig, describe, read_jester
from mudra.datasets.jester import CARD, CLASSES, FRAMES_FOLDER, LISTS
from mudra.errors import DataError
from mudra.types import Stream
from mudra.video import open_recording
from tests.fixtures.trees import build_jester, touch_all, write_lines


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return build_jester(tmp_path / "jester", num_per_class=2)


def sizes(dataset: Dataset) -> dict[str, int]:
    return {split: len(found) for split, found in dataset.recordings.items()}


def test_every_recording_has_the_label_of_its_line(root: Path) -> None:
    dataset = read_jester(root)
    assert sizes(dataset) == {"train": 54, "validation": 54, "test": 2}
    lines = [
        line.split(";") for name in ("train", "validation") for line in (root / LISTS[name]).read_text().split("\n")
    ]
    label_of = {words[0]: words[1] for words in lines if len(words) == 2}
    for recording in (*dataset.split("train"), *dataset.split("validation")):
        assert recording.label is not None
        assert CLASSES[recording.label] == label_of[recording.path.name]
        assert recording.path == root / FRAMES_FOLDER / recording.path.name
    assert set(dataset.class_counts("train").values()) == {2}


def test_the_test_split_is_there_without_labels(root: Path) -> None:
    dataset = read_jester(root)
    assert [recording.label for recording in dataset.split("test")] == [None, None]
    assert sizes(dataset.labelled()) == {"train": 54, "validation": 54, "test": 0}


def test_labels_of_the_test_split_are_read_if_they_are_there(root: Path) -> None:
    write_lines(root / LISTS["test"], ["90000;Thumb Up", "90001"])
    assert [recording.label for recording in read_jester(root).split("test")] == [CLASSES.index("Thumb Up"), None]


def test_recordings_are_colour_at_12_frames_a_second(root: Path) -> None:
    folder = root / FRAMES_FOLDER / "100"
    for number in range(1, 13):
        cv2.imwrite(str(folder / f"{number:05d}.jpg"), np.full((100, 176, 3), 20 * number, np.uint8))
    recording = read_jester(root).split("train")[0]
    assert recording.path == folder
    with open_recording(recording, Stream.RGB) as reader:
        assert len(reader.times_s) == 12
        assert reader.times_s[1] == pytest.approx(1 / 12)
        levels = reader.read([0, 8, 11]).frames_THWC.mean(axis=(1, 2, 3))
    assert levels == pytest.approx([20, 180, 240], abs=3)


def test_the_folders_may_lie_in_the_root(root: Path) -> None:
    frames = root / FRAMES_FOLDER
    assert sizes(read_jester(frames)) == sizes(read_jester(root)), "lists beside the folder of recordings"
    for entry in list(frames.iterdir()):
        entry.rename(root / entry.name)
    frames.rmdir()
    dataset = read_jester(root)
    assert sizes(dataset)["train"] == 54
    assert all(recording.path.parent == root for recording in dataset.all_recordings())


def test_a_folder_named_by_a_number_beside_the_recordings_does_not_count(root: Path) -> None:
    (root / "2017").mkdir()
    assert sizes(read_jester(root))["train"] == 54


def test_the_lists_may_lie_anywhere(root: Path, tmp_path: Path) -> None:
    for name in LISTS.values():
        (root / name).rename(tmp_path / name)
    message = rf"no list of Jester; looked for {root}/jester-v1-train\.csv, .*\n  hint: name their folder, data\.lists="
    with pytest.raises(DataError, match=message):
        read_jester(root)
    dataset = JesterConfig(root=root, lists=tmp_path).build()
    assert sizes(dataset)["train"] == 54
    assert dataset.split("train")[0].path.is_dir()


def test_one_list_is_enough(root: Path) -> None:
    for name in ("train", "test"):
        (root / LISTS[name]).unlink()
    dataset = read_jester(root)
    assert sizes(dataset) == {"train": 0, "validation": 54, "test": 0}
    with pytest.raises(
        DataError, match=r"0 recordings in split 'train' of jester; looked for folders .*jester-v1-train"
    ):
        dataset.split("train")


def test_a_part_of_the_recordings_is_refused_or_skipped(root: Path) -> None:
    for name in ("100", "101", "200", "300"):
        (root / FRAMES_FOLDER / name).rename(root / f"away{name}")
    places = ", ".join(str(root / FRAMES_FOLDER / name) for name in ("100", "101", "200"))
    message = rf"4 of 54 train recordings are not there; looked for {places}, \.\.\. \(4 in all\)(.|\n)*the other 50"
    with pytest.raises(DataError, match=message):
        read_jester(root)
    dataset = JesterConfig(root=root, on_missing="skip").build()
    assert sizes(dataset) == {"train": 50, "validation": 54, "test": 2}
    assert dataset.notes == dataset.left_out
    assert "4 of 54 train recordings are not there" in dataset.left_out[0]


def test_lists_without_any_recording_name_the_places(tmp_path: Path) -> None:
    write_lines(tmp_path / LISTS["train"], ["1;Thumb Up", "2;Thumb Down"])
    with pytest.raises(DataError, match=rf"none of 2 recordings is there; looked for {tmp_path}/{FRAMES_FOLDER}/1, "):
        read_jester(tmp_path)


@pytest.mark.parametrize(
    ("split", "line", "message"),
    [
        ("train", "1;Thump Up", r"line 1: label is 'Thump Up'\n  hint: did you mean 'Thumb Up'\?"),
        ("train", "1", r"jester-v1-train\.csv, line 1: holds '1'; wanted id;label"),
        ("validation", "1,Thumb Up", "line 1: holds '1,Thumb Up'; wanted id;label"),
        ("test", "1;Thumb Up;2", r"line 1: holds '1;Thumb Up;2'; wanted id\[;label\]"),
    ],
)
def test_a_list_of_another_form_is_refused(root: Path, split: str, line: str, message: str) -> None:
    write_lines(root / LISTS[split], [line])
    with pytest.raises(DataError, match=message):
        read_jester(root)


def test_mirroring_swaps_left_and_right_and_the_way_a_hand_turns() -> None:
    swapped = {(name, other) for name, other in CARD.mirror.items() if name != other}
    assert swapped == {
        ("Swiping Left", "Swiping Right"),
        ("Swiping Right", "Swiping Left"),
        ("Sliding Two Fingers Left", "Sliding Two Fingers Right"),
        ("Sliding Two Fingers Right", "Sliding Two Fingers Left"),
        ("Turning Hand Clockwise", "Turning Hand Counterclockwise"),
        ("Turning Hand Counterclockwise", "Turning Hand Clockwise"),
    }
    assert CARD.mirror.keys() == set(CLASSES)
    assert CARD.mirror_index() is not None


def test_what_the_card_remarks_is_told(root: Path) -> None:
    frames = read_jester(root)
    facts = describe(frames)  # the pictures are empty files
    assert facts.num_measured == 0
    assert facts.remarks == CARD.remarks


@pytest.mark.real
def test_the_real_lists_agree_with_the_card(shared_data: Path, tmp_path: Path) -> None:
    lists = shared_data / "lists" / "jester"
    assert tuple((lists / "jester-v1-labels.csv").read_text().splitlines()) == CLASSES
    chance = random.Random(0)
    for name in LISTS.values():
        lines = (lists / name).read_text().splitlines()
        touch_all(tmp_path / FRAMES_FOLDER, [f"{line.split(';')[0]}/00001.jpg" for line in chance.sample(lines, 40)])
    with pytest.raises(DataError, match="118522 of 118562 train recordings are not there") as caught:
        read_jester(tmp_path, lists=lists)
    assert "the other 40" in str(caught.value)
    dataset = read_jester(tmp_path, lists=lists, on_missing="skip")
    assert sizes(dataset) == {"train": 40, "validation": 40, "test": 40}
    missing = [int(text.split(" of ")[1].split()[0]) for text in dataset.left_out]
    assert missing == [CARD.counts[split] for split in LISTS]
    counts = Counter(line.split(";")[1] for line in (lists / LISTS["train"]).read_text().splitlines())
    assert counts.keys() == set(CLASSES)
