from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mudra.clips.maker import frames_in_span
from mudra.datasets import Dataset, EgogestureConfig, describe, read_egogesture
from mudra.datasets.egogesture import CARD, CLASSES, DEPTH, IDLE_CLASS, LABELS_FOLDER, SUBJECTS, is_egogesture
from mudra.errors import ConfigError, DataError
from mudra.types import Segment, Stream
from mudra.video import open_recording
from tests.fixtures.trees import build_egogesture, touch_all, write_lines

FIRST = f"{LABELS_FOLDER}/subject03/Scene1/Group1.csv"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return build_egogesture(tmp_path / "egogesture")


def sizes(dataset: Dataset) -> dict[str, int]:
    return {split: len(found) for split, found in dataset.recordings.items()}


def test_a_clip_is_a_gesture_of_a_video(root: Path) -> None:
    dataset = read_egogesture(root)
    assert sizes(dataset) == {"train": 166, "validation": 166, "test": 166}
    first, second = dataset.split("train")[:2]
    assert first.path == root / "Subject03/Scene1/Color/rgb1"
    assert first.path_of(Stream.DEPTH) == root / "Subject03/Scene1/Depth/depth1"
    assert (first.label, second.label, first.subject, first.fps, first.depth) == (0, 1, "3", 30.0, DEPTH)
    assert second.start_s == (50 - 1) / 30
    assert second.end_s == (71 - 2) / 30
    assert first.segments is None
    assert not dataset.has_streams


def test_a_clip_holds_the_pictures_from_start_to_two_before_end(root: Path) -> None:
    write_lines(root / FIRST, ["5,3,9"])
    folder = root / "Subject03/Scene1/Color/rgb1"
    for number in range(1, 13):
        cv2.imwrite(str(folder / f"{number:06d}.jpg"), np.full((24, 32, 3), 15 * number, np.uint8))
    recording = read_egogesture(root).split("train")[0]
    with open_recording(recording, Stream.RGB) as reader:
        inside = frames_in_span(reader.times_s, (recording.start_s, recording.end_s))
        levels = reader.read(inside).frames_THWC.mean(axis=(1, 2, 3))
    assert levels == pytest.approx([45, 60, 75, 90, 105], abs=2), "000003.jpg to 000007.jpg"
    assert recording.label == 4


def test_a_stream_is_a_video_with_its_gestures(root: Path) -> None:
    write_lines(root / FIRST, ["7,100,131", "83,20,42", "1,60,90"])
    dataset = EgogestureConfig(root=root, form="streams").build()
    assert sizes(dataset) == {"train": 2, "validation": 2, "test": 2}
    stream = dataset.split("train")[0]
    assert stream.segments == (
        Segment(82, 19 / 30, 40 / 30),
        Segment(0, 59 / 30, 88 / 30),
        Segment(6, 99 / 30, 129 / 30),
    )
    assert (stream.label, stream.start_s, stream.end_s) == (None, None, None)
    assert dataset.card.idle_class == dataset.card.classes[83] == IDLE_CLASS
    assert dataset.card.classes[:83] == CLASSES, "labels are those of the clips"
    cut, clips = dataset.cut_segments(), read_egogesture(root)
    assert cut.recordings == clips.recordings
    assert clips.card.idle_class is None


def test_rows_without_a_start_or_a_frame_are_passed_over_and_that_is_said(root: Path) -> None:
    write_lines(root / FIRST, ["1,nan,50", "2,,60", "3,10,NaN", "4,10,11", "", "5,10,12.0", "6,20,30"])
    dataset = read_egogesture(root)
    clips = [clip for clip in dataset.split("train") if clip.path.name == "rgb1"]
    assert [clip.label for clip in clips] == [4, 5]
    assert clips[0].end_s - clips[0].start_s == pytest.approx(1 / 30), "one picture"
    (note,) = dataset.notes
    assert note.startswith(f"{root / LABELS_FOLDER}: 4 rows have no start, no end or no frame, and are passed over")


def test_no_subject_is_in_two_splits(root: Path) -> None:
    everyone = [subject for subjects in SUBJECTS.values() for subject in subjects]
    assert sorted(everyone) == list(range(1, 51))
    assert {split: len(subjects) for split, subjects in SUBJECTS.items()} == {"train": 30, "validation": 10, "test": 10}
    for form in ("clips", "streams"):
        dataset = EgogestureConfig.from_mapping({"root": root, "form": form}).build()
        assert dataset.leaking_subjects() == {}
        for split, recordings in dataset.recordings.items():
            assert {int(recording.subject) for recording in recordings} <= set(SUBJECTS[split])
    (root / LABELS_FOLDER / "subject03").rename(root / LABELS_FOLDER / "subject51")
    with pytest.raises(DataError, match=r"Group1\.csv: subject 51 is in no official split; wanted 1 to 50"):
        read_egogesture(root)


@pytest.mark.parametrize("form", ["clips", "streams"])
def test_validation_is_trained_on_if_asked_for(root: Path, form: str) -> None:
    apart, joined = (
        EgogestureConfig.from_mapping({"root": root, "form": form, "train_on_validation": both}).build()
        for both in (False, True)
    )
    train, moved = apart.split("train"), apart.split("validation")
    assert [clip.key for clip in joined.split("train")] == [clip.key for clip in (*train, *moved)]
    assert {clip.split for clip in joined.split("train")} == {"train"}
    assert joined.recordings["validation"] == ()
    assert joined.split("test") == apart.split("test")
    assert joined.card.counts == ({"train": 14416 + 4768, "test": 4977} if form == "clips" else {})
    joined.refuse_leaking_subjects()
    assert (joined.card.subjects_disjoint, joined.leaking_subjects()) == (True, {})
    assert any(f"the {len(moved)} recordings of validation are trained on" in note for note in joined.notes)
    with pytest.raises(DataError, match=r"'validation' of egogesture; looked for none, as data\.train_on_validation"):
        joined.split("validation")


def test_pictures_and_labels_may_lie_elsewhere(root: Path, tmp_path: Path) -> None:
    expected = sizes(read_egogesture(root))
    (root / "images_320-240_1").mkdir()
    (root / "Subject03").rename(root / "images_320-240_1" / "Subject03")
    (root / "images").mkdir()
    (root / "Subject01").rename(root / "images" / "Subject01")
    assert sizes(read_egogesture(root)) == expected
    (root / LABELS_FOLDER).rename(tmp_path / "labels")
    with pytest.raises(DataError, match=rf"no labels of EgoGesture; looked for {root / LABELS_FOLDER}/subject01/"):
        read_egogesture(root)
    dataset = EgogestureConfig(root=root, labels=tmp_path / "labels").build()
    assert sizes(dataset) == expected
    assert all(r.path.is_dir() and r.depth_path is not None and r.depth_path.is_dir() for r in dataset.all_recordings())


def test_label_files_are_found_whatever_their_case(root: Path) -> None:
    expected = read_egogesture(root)
    (root / FIRST).rename(root / FIRST.replace("Group1", "group1"))
    touch_all(root / LABELS_FOLDER, [".DS_Store", "subject03/Scene1/notes.txt"])
    assert read_egogesture(root) == expected


def test_videos_that_are_not_there_are_refused_or_left_out(root: Path) -> None:
    gone = root / "Subject03/Scene1/Depth/depth2"
    gone.rename(root / "away")
    with pytest.raises(DataError, match=rf"1 of 2 train recordings are not there; looked for {gone}\n"):
        read_egogesture(root)
    dataset = read_egogesture(root, on_missing="skip")
    assert sizes(dataset) == {"train": 83, "validation": 166, "test": 166}
    assert dataset.left_out == dataset.notes
    (root / "Subject01").rename(root / "nobody")
    dataset = read_egogesture(root, on_missing="skip")
    assert sizes(dataset) == {"train": 83, "validation": 0, "test": 166}
    with pytest.raises(DataError, match="0 recordings in split 'validation' of egogesture; looked for subjects 1, 7, "):
        dataset.split("validation")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("84,10,40", r"Group1\.csv, line 1: class is '84'; wanted a number from 1 to 83"),
        ("0,10,40", "class is '0'"),
        ("1.5,10,40", "class is '1.5'"),
        ("nan,10,40", "class is 'nan'"),
        ("1,0,40", "start is '0'; pictures count from 1"),
        ("1,10", "line 1: holds '1,10'; wanted class,start,end in numbers"),
        ("wave,10,40", "holds 'wave,10,40'"),
    ],
)
def test_a_row_of_another_form_is_refused(root: Path, row: str, message: str) -> None:
    write_lines(root / FIRST, [row])
    with pytest.raises(DataError, match=message):
        read_egogesture(root)


def test_a_file_that_is_no_text_is_refused(root: Path) -> None:
    (root / FIRST).write_bytes(b"\xff\xfe\x80")
    with pytest.raises(DataError, match=r"Group1\.csv: cannot be read as a CSV"):
        read_egogesture(root)


def test_names_that_tell_a_side_are_paired_and_others_forbid_mirroring(root: Path) -> None:
    mirror = read_egogesture(root).card.mirror
    assert mirror["Scroll_hand_towards_right"] == "Scroll_hand_towards_left"
    assert mirror["Rotate_fists_clockwise"] == "Rotate_fists_counterclockwise"
    assert mirror["Move_fingers_left"] == "Move_fingers_right"
    assert mirror["Thumb_upward"] == "Thumb_upward"
    assert mirror["Sweep_checkmark"] is None
    assert read_egogesture(root).card.mirror_index() is None
    known = {name: name for name, other in mirror.items() if other is None}
    assert EgogestureConfig(root=root, mirror=known).build().card.mirror_index() is not None
    streams = read_egogesture(root, form="streams", mirror=known).card
    assert (streams.mirror_index() or [])[83] == 83
    with pytest.raises(ConfigError, match="mirror names 'Knok', which is no class"):
        read_egogesture(root, mirror={"Knok": "Knock"})


def test_it_is_told_by_the_folder_of_its_labels(root: Path, tmp_path: Path) -> None:
    assert is_egogesture(root)
    assert not is_egogesture(tmp_path)


def test_what_the_card_remarks_is_told(root: Path) -> None:
    assert describe(read_egogesture(root, form="streams")).remarks == CARD.remarks


@pytest.mark.real
def test_the_real_names_are_those_of_the_card(shared_data: Path) -> None:
    lines = (shared_data / "lists" / "egogesture" / "classInd.txt").read_text().splitlines()
    assert [line.split(maxsplit=1) for line in lines] == [[str(i), name] for i, name in enumerate(CLASSES, start=1)]
