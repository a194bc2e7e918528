from __future__ import annotations

from pathlib import Path

import pytest

from mudra.datasets import Dataset, Ucf101Config, read_ucf101
from mudra.datasets.ucf101 import (
    AGETHEN2019,
    CARD,
    CLASSES,
    COUNTS,
    LISTS_FOLDER,
    VIDEOS_FOLDER,
    choose_classes,
    is_ucf101,
)
from mudra.errors import ConfigError, DataError
from mudra.types import Stream
from tests.fixtures.trees import build_ucf101, touch_all, write_lines

TRAIN = f"{LISTS_FOLDER}/trainlist01.txt"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return build_ucf101(tmp_path / "ucf")


def sizes(dataset: Dataset) -> dict[str, int]:
    return {split: len(found) for split, found in dataset.recordings.items()}


def test_a_clip_has_the_class_of_its_folder_and_its_group_as_subject(root: Path) -> None:
    dataset = read_ucf101(root)
    assert sizes(dataset) == {"train": 303, "validation": 0, "test": 202}
    first = dataset.split("train")[0]
    assert first.path == root / VIDEOS_FOLDER / "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi"
    assert (first.label, first.subject, first.stream) == (0, "g08", Stream.RGB)
    for recording in dataset.all_recordings():
        assert recording.label is not None
        assert CLASSES[recording.label] == recording.path.parent.name
    assert dataset.leaking_subjects() == {}


def test_a_fold_is_a_pair_of_lists(root: Path) -> None:
    second = Ucf101Config(root=root, fold=2).build()
    assert sizes(second) == {"train": 101, "validation": 0, "test": 202}
    assert second.card.counts == COUNTS[2] == {"train": 9586, "test": 3734}
    with pytest.raises(ConfigError, match="fold"):
        Ucf101Config.from_mapping({"root": root, "fold": 4})


def test_folder_and_file_may_differ_in_case(root: Path) -> None:
    clip = "HandstandPushups/v_HandStandPushups_g08_c01.avi"
    touch_all(root / VIDEOS_FOLDER, [clip])
    write_lines(root / TRAIN, [f"{clip} 37"])
    (recording,) = read_ucf101(root).split("train")
    assert recording.label == CLASSES.index("HandstandPushups") == 36


def test_a_part_of_the_classes(root: Path) -> None:
    dataset = read_ucf101(root, classes="agethen2019")
    assert dataset.card.classes == AGETHEN2019
    assert sizes(dataset) == {"train": 51, "validation": 0, "test": 34}
    assert set(dataset.class_counts("train").values()) == {3}
    assert dataset.card.counts == {}
    assert dataset.card.mirror_index() == list(range(17))
    assert set(AGETHEN2019) < set(CLASSES)
    two = Ucf101Config(root=root, classes=("Typing", "Archery")).build()
    assert [(r.label, r.path.parent.name) for r in two.split("test")[:2]] == [(1, "Archery"), (0, "Typing")]
    with pytest.raises(DataError, match=r"data\.classes: 1 classes are not among the 101(.|\n)*did you mean 'Archery'"):
        read_ucf101(root, classes=("Archry",))


def test_the_choice_of_classes_survives_the_command_line(root: Path) -> None:
    config = Ucf101Config(root=root)
    assert config.with_overrides(["classes=agethen2019"]).classes == "agethen2019"
    assert config.with_overrides(["classes=[Archery, Typing]"]).classes == ("Archery", "Typing")


def test_groups_can_be_held_out(root: Path) -> None:
    dataset = Ucf101Config(root=root, held_out_groups=(9,)).build()
    assert sizes(dataset) == {"train": 202, "validation": 101, "test": 202}
    assert {recording.subject for recording in dataset.split("validation")} == {"g09"}
    with pytest.raises(DataError, match="no training clip of subject 'g01'"):
        read_ucf101(root, held_out_groups=(1,))


def test_lists_and_clips_may_lie_elsewhere(root: Path, tmp_path: Path) -> None:
    expected = sizes(read_ucf101(root))
    assert sizes(read_ucf101(root / VIDEOS_FOLDER)) == expected, "lists beside the folder of clips"
    (root / LISTS_FOLDER).rename(tmp_path / "lists")
    with pytest.raises(DataError, match=rf"no list of UCF-101; looked for {root}/trainlist01\.txt, .*{TRAIN}"):
        read_ucf101(root)
    assert sizes(Ucf101Config(root=root, lists=tmp_path / "lists").build()) == expected


def test_clips_that_are_not_there_are_refused_or_left_out(root: Path) -> None:
    gone = root / VIDEOS_FOLDER / "Archery/v_Archery_g08_c01.avi"
    gone.unlink()
    with pytest.raises(DataError, match=rf"1 of 303 train recordings are not there; looked for {gone}\n"):
        read_ucf101(root)
    dataset = read_ucf101(root, on_missing="skip")
    assert sizes(dataset)["train"] == 302
    assert dataset.notes == dataset.left_out
    assert sizes(read_ucf101(root, classes=("Typing",)))["train"] == 3, "nobody asked for archery"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Archery/v_Archery_g08_c01.avi 4", r"trainlist01\.txt, line 1: label is '4'; Archery is number 3"),
        ("Archery/v_Archery_g08_c01.avi", r"holds 'Archery/v_Archery_g08_c01\.avi'; wanted Archery/.* 3"),
        ("Archry/v_Archery_g08_c01.avi 3", r"names 'Archry/v_Archery_g08_c01\.avi'; wanted a clip of a known class"),
        ("Archery/archery.avi 3", r"names 'Archery/archery\.avi'"),
    ],
)
def test_a_list_of_another_form_is_refused(root: Path, line: str, message: str) -> None:
    write_lines(root / TRAIN, [line])
    with pytest.raises(DataError, match=message):
        read_ucf101(root)


def test_it_is_told_by_what_its_lists_hold(root: Path, tmp_path: Path) -> None:
    assert is_ucf101(root)
    assert is_ucf101(root / VIDEOS_FOLDER)
    assert not is_ucf101(tmp_path)
    for content in (b"", b"clips/a.mp4 12\n", b"\xff\xfe"):
        (tmp_path / "trainlist01.txt").write_bytes(content)
        assert not is_ucf101(tmp_path)


def test_mirroring_keeps_every_class() -> None:
    assert CARD.mirror_index() == list(range(101))


@pytest.mark.real
@pytest.mark.parametrize("fold", COUNTS)
def test_the_real_lists_agree_with_the_card(shared_data: Path, tmp_path: Path, fold: int) -> None:
    lists = shared_data / "lists" / "ucf101"
    assert [line.split() for line in (lists / "classInd.txt").read_text().splitlines()] == [
        [str(number), name] for number, name in enumerate(CLASSES, start=1)
    ]
    names = {split: (lists / f"{split}list{fold:02d}.txt").read_text().split("\n") for split in ("train", "test")}
    touch_all(tmp_path, [line.split()[0] for lines in names.values() for line in (lines[0], lines[-2])])
    with pytest.raises(DataError, match=rf"{COUNTS[fold]['train'] - 2} of {COUNTS[fold]['train']} train recordings"):
        Ucf101Config.from_mapping({"root": tmp_path, "lists": lists, "fold": fold}).build()
    overrides = {"root": tmp_path, "lists": lists, "fold": fold, "on_missing": "skip"}
    dataset = Ucf101Config.from_mapping(overrides).build()
    assert sizes(dataset) == {"train": 2, "validation": 0, "test": 2}
    assert f"{COUNTS[fold]['test'] - 2} of {COUNTS[fold]['test']} test recordings" in dataset.left_out[1]
    assert [r.label for r in dataset.split("train")] == [0, 100]


@pytest.mark.parametrize(("classes", "what"), [(("Rafting", "Skiing", "Rafting"), "Rafting twice"), ((), "no class")])
def test_a_choice_names_every_class_once(classes: tuple[str, ...], what: str) -> None:
    with pytest.raises(DataError, match=f"data.classes names {what}"):
        choose_classes(classes)
