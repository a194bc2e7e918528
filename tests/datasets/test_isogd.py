from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mudra.clips import ClipMaker, ClipSpec, LevelDepthChannels
from mudra.datasets import Dataset, IsogdConfig, read_isogd
from mudra.datasets.isogd import CARD, DEPTH, LISTS, is_isogd
from mudra.errors import ConfigError, DataError
from mudra.types import Stream
from mudra.video import open_recording
from mudra.video.pixel import build_depth_table
from tests.fixtures.trees import build_isogd, isogd_line, touch_all, write_lines


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return build_isogd(tmp_path, num_train=260)


def sizes(dataset: Dataset) -> dict[str, int]:
    return {split: len(found) for split, found in dataset.recordings.items()}


def test_classes_are_the_numbers_of_the_release(root: Path) -> None:
    dataset = read_isogd(root)
    assert sizes(dataset) == {"train": 260, "validation": 2, "test": 2}
    for line, recording in zip((root / LISTS["train"]).read_text().splitlines(), dataset.split("train"), strict=True):
        colour, depth, label = line.split()
        assert recording.path == root / colour
        assert recording.depth_path == root / depth
        assert recording.label == int(label) - 1
        assert dataset.card.classes[recording.label] == label
    assert (dataset.card.classes[0], dataset.card.classes[-1], len(dataset.card.classes)) == ("1", "249", 249)


def test_lists_without_labels_are_read_and_that_is_said(root: Path) -> None:
    dataset = read_isogd(root)
    assert {recording.label for recording in dataset.split("validation")} == {None}
    assert dataset.notes == tuple(
        f"{root / LISTS[split]} gives no labels: its recordings can be predicted, not scored"
        for split in ("validation", "test")
    )
    assert dataset.left_out == ()
    write_lines(root / LISTS["validation"], [isogd_line("valid", 1, 249), isogd_line("valid", 2, 1)])
    dataset = read_isogd(root)
    assert [recording.label for recording in dataset.split("validation")] == [248, 0]
    assert len(dataset.notes) == 1


def test_a_recording_is_colour_and_depth(root: Path) -> None:
    recording = read_isogd(root).split("train")[0]
    assert recording.stream is Stream.RGB
    assert recording.path_of(Stream.RGB) == recording.path_of(Stream.FLOW) == root / "train/001/M_00001.avi"
    assert recording.path_of(Stream.DEPTH) == root / "train/001/K_00001.avi"
    assert recording.depth == DEPTH


def test_depth_as_levels_gives_back_the_levels() -> None:
    table_mm = build_depth_table(DEPTH, bits=8, is_limited=False)
    assert (table_mm[0], table_mm[255]) == (0, 4000)
    channels = LevelDepthChannels()
    levels = table_mm / (channels.far_mm - channels.near_mm) * 255
    assert np.abs(levels - np.arange(256)).max() < 0.04


def test_a_part_of_the_recordings_is_refused_or_skipped(root: Path) -> None:
    (root / "train/001/M_00001.avi").unlink()
    (root / "train/002/K_00260.avi").unlink()
    message = (
        rf"train_list\.txt: 2 of 260 train recordings are not there; looked for {root}/train/001/M_00001\.avi, "
        rf"{root}/train/002/K_00260\.avi\n  hint: get the rest from http://.*, or go on with the other 258: data\.on_"
    )
    with pytest.raises(DataError, match=message):
        read_isogd(root)
    dataset = IsogdConfig(root=root, on_missing="skip").build()
    assert sizes(dataset) == {"train": 258, "validation": 2, "test": 2}
    assert dataset.left_out == dataset.notes[:1]
    assert "2 of 260 train recordings are not there" in dataset.left_out[0]


def test_splits_that_were_not_copied_are_left_out(root: Path) -> None:
    for split in ("valid", "test"):
        for path in (root / split / "001").iterdir():
            path.unlink()
    dataset = read_isogd(root)
    assert sizes(dataset) == {"train": 260, "validation": 0, "test": 0}
    assert [text.split(": ")[1].split(";")[0] for text in dataset.notes] == [
        "2 of 2 validation recordings are not there",
        "2 of 2 test recordings are not there",
    ], "that they have no labels does not matter"
    with pytest.raises(
        DataError, match=r"0 recordings in split 'test' of isogd; looked for the recordings of .*test_list"
    ):
        dataset.split("test")


def test_a_root_without_a_list_names_the_places(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"no list of IsoGD; looked for {tmp_path}/train_list\.txt, .*test_list\.txt"):
        read_isogd(tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train/001/M_00001.avi train/001/K_00001.avi", r"line 1: holds '.*'; wanted train/001/M_00001\.avi .* 26"),
        (isogd_line("train", 1, 250), "line 1: label is '250'; wanted a number from 1 to 249"),
        (isogd_line("train", 1, 0), "label is '0'"),
        (isogd_line("train", 1, "wave"), "label is 'wave'"),
        (isogd_line("train", 1, 5) + " 6", "line 1: holds"),
    ],
)
def test_a_list_of_another_form_is_refused(root: Path, line: str, message: str) -> None:
    write_lines(root / LISTS["train"], [line])
    with pytest.raises(DataError, match=message):
        read_isogd(root)


def test_mirroring_is_forbidden_until_every_partner_is_named(root: Path) -> None:
    assert read_isogd(root).card.mirror_index() is None
    assert "data.mirror={'1': '1'}" in read_isogd(root).card.explain_mirror()
    some = IsogdConfig(root=root, mirror={"7": "9"}).build().card
    assert (some.mirror["7"], some.mirror["9"], some.mirror["8"]) == ("9", "7", None)
    assert some.mirror_index() is None
    every = read_isogd(root, mirror={name: name for name in CARD.classes}).card
    assert every.mirror_index() == list(range(249))
    with pytest.raises(ConfigError, match="mirror names '250', which is no class"):
        read_isogd(root, mirror={"250": "250"})


def test_other_lists_of_the_same_name_are_not_taken_for_it(tmp_path: Path) -> None:
    assert not is_isogd(tmp_path)
    path = tmp_path / "train_list.txt"
    for content in (b"", b"clips/a.mp4 12\n", b"\xff\xfe"):
        path.write_bytes(content)
        assert not is_isogd(tmp_path)
    write_lines(path, [isogd_line("train", 1, 2)])
    assert is_isogd(tmp_path)
    path.rename(tmp_path / "test_list.txt")
    assert is_isogd(tmp_path)


@pytest.mark.real
def test_the_real_lists_agree_with_the_card(shared_data: Path, tmp_path: Path) -> None:
    for split, name in LISTS.items():
        lines = (shared_data / "isogd" / name).read_text().splitlines()
        assert len(lines) == CARD.counts[split]
        touch_all(tmp_path, lines[-1].split()[:2])
        write_lines(tmp_path / name, lines)
    dataset = read_isogd(tmp_path, on_missing="skip")
    assert sizes(dataset) == {"train": 1, "validation": 1, "test": 1}
    assert [recording.label is None for recording in dataset.all_recordings()] == [False, True, True]


@pytest.mark.real
def test_the_real_pairs_are_read(shared_data: Path) -> None:
    root = shared_data / "isogd"
    with pytest.raises(DataError, match=r"35778 of 35878 train recordings are not there; looked for .*M_00101\.avi"):
        read_isogd(root)
    dataset = read_isogd(root, on_missing="skip")
    assert sizes(dataset) == {"train": 100, "validation": 0, "test": 0}
    streams = (Stream.RGB, Stream.DEPTH, Stream.FLOW)
    maker = ClipMaker(ClipSpec(streams=streams, num_frames=4, size=(56, 56), depth=LevelDepthChannels()))
    for recording in dataset.split("train")[::25]:
        with open_recording(recording, Stream.RGB) as colour, open_recording(recording, Stream.DEPTH) as depth:
            assert colour.frame_size == depth.frame_size == CARD.frame_size
            assert len(colour.times_s) == len(depth.times_s)
            clip_TCHW = maker.read_clip({Stream.RGB: colour, Stream.DEPTH: depth}).clip_TCHW
        assert clip_TCHW.shape == (4, 3 + 3 + 2, 56, 56)
        levels = clip_TCHW[:, 3:6] + 127
        assert levels.min() >= 0
        assert 90 < levels.mean() < 250, "most of a room is far"
