from __future__ import annotations

from pathlib import Path

import pytest

from mudra.datasets import Dataset, Sports1mConfig, read_sports1m
from mudra.datasets.sports1m import AGETHEN2019, LABELS, LISTS, VIDEOS_FOLDER, is_sports1m
from mudra.errors import DataError
from mudra.types import Stream
from tests.fixtures.trees import build_sports1m, sports1m_line, touch_all, write_lines


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return build_sports1m(tmp_path / "sports")


def sizes(dataset: Dataset) -> dict[str, int]:
    return {split: len(found) for split, found in dataset.recordings.items()}


def test_videos_are_found_by_their_id(root: Path) -> None:
    dataset = read_sports1m(root)
    assert sizes(dataset) == {"train": 69, "validation": 0, "test": 23}
    assert dataset.card.classes[:4] == ("boomerang", "boxing", "bowling", "rafting")
    for recording in dataset.all_recordings():
        assert recording.label == int(recording.path.stem[-2:])
        assert recording.path.parent == root / VIDEOS_FOLDER / recording.split
        assert recording.stream is Stream.RGB


def test_a_video_may_have_any_ending_and_lie_anywhere_below(root: Path) -> None:
    path = root / VIDEOS_FOLDER / "train" / "a-video_05.mp4"
    moved = root / VIDEOS_FOLDER / "by_class" / "x" / "a-video_05.webm"
    touch_all(moved.parent, ["a-video_06.part", "a-video_05.txt"])
    path.rename(moved)
    assert moved in {recording.path for recording in read_sports1m(root).split("train")}


def test_videos_may_lie_outside_of_the_root(root: Path, tmp_path: Path) -> None:
    (root / VIDEOS_FOLDER).rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"none of 92 recordings is there; looked for .*/videos/a-video_00\.mp4"):
        read_sports1m(root)
    dataset = Sports1mConfig(root=root, videos=tmp_path / "elsewhere").build()
    assert sizes(dataset)["train"] == 69
    assert dataset.root == tmp_path / "elsewhere"


def test_missing_videos_are_refused_or_counted(root: Path) -> None:
    for number in (3, 4, 5):
        (root / VIDEOS_FOLDER / "train" / f"b-video_{number:02d}.mp4").unlink()
    message = r"train_partition\.txt: 3 of 69 train recordings are not there; looked for .*/videos/b-video_03\.mp4"
    with pytest.raises(DataError, match=message):
        read_sports1m(root)
    dataset = read_sports1m(root, on_missing="skip")
    assert sizes(dataset) == {"train": 66, "validation": 0, "test": 23}
    assert dataset.notes == dataset.left_out
    assert "3 of 69 train recordings are not there" in dataset.left_out[0]


def test_a_part_of_the_classes(root: Path) -> None:
    dataset = Sports1mConfig(root=root, classes="agethen2019").build()
    assert dataset.card.classes == AGETHEN2019
    assert len(AGETHEN2019) == 20
    assert sizes(dataset) == {"train": 60, "validation": 0, "test": 20}
    assert [r.label for r in dataset.split("test")] == list(range(20))
    assert dataset.split("test")[0].path.stem == "d-video_03"
    assert dataset.card.mirror_index() == list(range(20))
    own = read_sports1m(root, classes=("boxing", "boomerang"))
    assert [r.label for r in own.split("test")] == [1, 0]
    with pytest.raises(DataError, match=r"data\.classes and .*labels\.txt: 1 classes are not among the 23"):
        read_sports1m(root, classes=("chess",))


def test_of_several_labels_the_first_of_the_chosen_counts(root: Path) -> None:
    lines = [sports1m_line("a-video_01", 1, 4), sports1m_line("a-video_02", 4, 1), sports1m_line("a-video_03", 3)]
    write_lines(root / LISTS["train"], lines)
    dataset = read_sports1m(root)
    assert [recording.label for recording in dataset.split("train")] == [1, 4, 3]
    assert dataset.notes == ("2 listed videos have several labels among the 23 classes and count as the first of them",)
    alone = read_sports1m(root, several_labels="leave_out")
    assert [recording.label for recording in alone.split("train")] == [3]
    assert alone.notes == ("2 listed videos have several labels among the 23 classes and are left out",)
    chosen = read_sports1m(root, classes=("boxing", "rafting"), several_labels="leave_out")
    assert [recording.label for recording in chosen.split("train")] == [0, 0, 1]
    assert chosen.notes == ()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("https://www.youtube.com/watch?v=abc 23", "line 1: labels are '23'; wanted numbers from 0 to 22"),
        ("https://www.youtube.com/watch?v=abc 1,x", "labels are '1,x'"),
        ("https://example.org/abc 1", r"address is 'https://example\.org/abc'; wanted https://www\.youtube"),
        ("https://www.youtube.com/watch?v=abc", "line 1: holds"),
    ],
)
def test_a_list_of_another_form_is_refused(root: Path, line: str, message: str) -> None:
    write_lines(root / LISTS["train"], [line])
    with pytest.raises(DataError, match=message):
        read_sports1m(root)


def test_labels_and_lists_are_looked_for(root: Path) -> None:
    for name in LISTS.values():
        (root / name).unlink()
    with pytest.raises(DataError, match=rf"no list of Sports-1M; looked for {root}/original/train_partition\.txt, "):
        read_sports1m(root)
    write_lines(root / LABELS, ["boxing", "bowling", "boxing"])
    with pytest.raises(DataError, match=r"labels\.txt: wanted a class per line, none of them empty or named twice"):
        read_sports1m(root)
    (root / LABELS).unlink()
    with pytest.raises(DataError, match=r"labels\.txt: cannot be read as a list of classes"):
        read_sports1m(root)


def test_a_split_without_a_video_names_the_place(root: Path) -> None:
    write_lines(root / LISTS["train"], [sports1m_line("gone", 1)])
    message = r"0 recordings in split 'train' of sports1m; looked for .*/videos/\*\*/<id>\.\* of .*train_part"
    with pytest.raises(DataError, match=message):
        read_sports1m(root).split("train")


def test_it_is_told_by_lists_beside_labels(root: Path, tmp_path: Path) -> None:
    assert is_sports1m(root)
    (root / LABELS).unlink()
    assert not is_sports1m(root)
    assert not is_sports1m(tmp_path)


def test_videos_of_both_lists_are_refused_or_left_out_of_training(root: Path) -> None:
    lines = [sports1m_line("a-video_01", 1), sports1m_line("d-video_02", 2), sports1m_line("d-video_03", 3)]
    write_lines(root / LISTS["train"], lines)
    message = (
        r"train_partition\.txt and .*test_partition\.txt both name 2 videos, .*: d-video_02, d-video_03"
        r"\n  hint: leave them out of training: data\.on_leak=skip"
    )
    with pytest.raises(DataError, match=message):
        read_sports1m(root)
    dataset = Sports1mConfig(root=root, on_leak="skip").build()
    assert [recording.path.stem for recording in dataset.split("train")] == ["a-video_01"]
    assert sizes(dataset)["test"] == 23
    told = "2 videos to train on are to be tested on too and are left out: d-video_02, d-video_03"
    assert dataset.notes == dataset.left_out == (told,)
    # What is not there, or of another class, is neither trained on nor tested on.
    (root / VIDEOS_FOLDER / "test" / "d-video_02.mp4").unlink()
    with pytest.raises(DataError, match="both name 1 videos, to train on and to test on: d-video_03"):
        read_sports1m(root, on_missing="skip")
    assert sizes(read_sports1m(root, classes=("boxing", "boomerang"))) == {"train": 1, "validation": 0, "test": 2}


def test_a_list_alone_leaks_nothing(root: Path) -> None:
    (root / LISTS["train"]).unlink()
    assert sizes(read_sports1m(root)) == {"train": 0, "validation": 0, "test": 23}
