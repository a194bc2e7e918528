from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mudra.clips import ClipMaker, ClipSpec, LevelDepthChannels
from mudra.datasets import Dataset, IsogdConfig, read_isogd
from mudra.datasets.isogd import ALIGNED_DEPTH, ALIGNED_FOLDER, CARD, DEPTH, LISTS, is_isogd
from mudra.errors import ConfigError, DataError
from mudra.types import Stream
from mudra.video import open_recording
from mudra.video.pixel import build_depth_table
from tests.fixtures.trees import build_isogd, isogd_line, touch_all, write_lines
from tests.fixtures.video import VideoMaker


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


def test_depth_can_be_reversed_so_that_near_is_bright() -> None:
    depth_mm = torch.from_numpy(build_depth_table(DEPTH, bits=8, is_limited=False).astype(np.float32))
    depth_TCHW = torch.stack([depth_mm, (depth_mm > 0).float()]).reshape(1, 2, 16, 16)
    channels = LevelDepthChannels(near_mm=4000, far_mm=0.001, mean=0, num_channels=1)
    levels = channels.apply(depth_TCHW).flatten()
    assert levels[0] == 0, "not measured"
    assert levels[1:].numpy() == pytest.approx(254 - np.arange(255), abs=0.05)


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


def test_aligned_depth_is_taken_where_it_is(root: Path) -> None:
    touch_all(root / ALIGNED_FOLDER, ["train/001/K_00003.avi", "train/002/K_00204.avi"])
    (root / "train/001/K_00003.avi").unlink()  # nobody asks for it
    dataset = IsogdConfig(root=root, depth="aligned").build()
    assert sizes(dataset) == {"train": 2, "validation": 0, "test": 0}
    assert [r.depth_path for r in dataset.split("train")] == [
        root / ALIGNED_FOLDER / "train/001/K_00003.avi",
        root / ALIGNED_FOLDER / "train/002/K_00204.avi",
    ]
    assert [r.path.name for r in dataset.split("train")] == ["M_00003.avi", "M_00204.avi"]
    assert {r.depth for r in dataset.split("train")} == {ALIGNED_DEPTH}
    assert dataset.card.depth == ALIGNED_DEPTH
    assert dataset.left_out == tuple(
        f"{root / ALIGNED_FOLDER}: {counts} recordings have no aligned depth"
        for counts in ("258 of 260 train", "2 of 2 validation", "2 of 2 test")
    )
    assert dataset.notes == dataset.left_out


def test_white_and_black_of_aligned_depth_were_not_measured() -> None:
    table_mm = build_depth_table(ALIGNED_DEPTH, bits=8, is_limited=False)
    assert (table_mm[0], table_mm[255]) == (0, 0)
    assert (table_mm[1:255] == build_depth_table(DEPTH, bits=8, is_limited=False)[1:255]).all()


def test_without_any_aligned_depth_it_is_refused(root: Path) -> None:
    message = rf"{ALIGNED_FOLDER}: no aligned depth of any recording; looked for {root}/aligned_depth/train/001/K_00001"
    with pytest.raises(DataError, match=message):
        read_isogd(root, depth="aligned")
    (root / "train/001/M_00001.avi").unlink()
    with pytest.raises(DataError, match="1 of 260 train recordings are not there"):
        read_isogd(root, depth="aligned")


def test_the_split_by_distance_is_made_of_the_training_list(root: Path) -> None:
    dataset = IsogdConfig(root=root, split_by="distance", fraction=0.1, gap=14).build()
    assert sizes(dataset) == {"train": 220, "validation": 26, "test": 2}
    assert [r.path.name for r in dataset.split("validation")][::25] == ["M_00235.avi", "M_00260.avi"]
    assert dataset.split("train")[-1].path.name == "M_00220.avi"
    assert not dataset.card.subjects_disjoint
    assert dataset.notes[-1].startswith(
        "split by distance: 220 recordings of the training list train, 26 validate, 14 do neither; "
    )
    assert not any("valid_list" in note for note in dataset.notes[-1:])


def test_the_split_by_scene_looks_at_the_recordings(root: Path, video_maker: VideoMaker) -> None:
    for number in range(1, 6):
        video_maker(root / f"train/001/M_{number:05d}.avi", num_frames=2)
    write_lines(root / LISTS["train"], [isogd_line("train", number, number) for number in range(1, 6)])
    with pytest.raises(DataError, match=r"split_by=scene with fraction=0\.5 leaves 5 of 5 recordings"):
        read_isogd(root, split_by="scene", fraction=0.5)  # all of them begin with the same grey


@pytest.mark.real
def test_the_real_aligned_pairs_are_read(shared_data: Path) -> None:
    root = shared_data / "isogd"
    dataset = read_isogd(root, on_missing="skip", depth="aligned")
    assert sizes(dataset) == {"train": 60, "validation": 0, "test": 0}
    assert "40 of 100 train recordings have no aligned depth" in dataset.left_out[-1]
    for recording in dataset.split("train"):
        with open_recording(recording, Stream.RGB) as colour, open_recording(recording, Stream.DEPTH) as depth:
            assert colour.frame_size == depth.frame_size == CARD.frame_size
            assert len(colour.times_s) == len(depth.times_s), "one for one"
    outside = []
    for recording in dataset.split("train")[::10]:
        with open_recording(recording, Stream.DEPTH) as depth:
            depth_mm = depth.read([0]).frames_THWC[0, ..., 0]
        outside.append(float((depth_mm[:12] == 0).mean()))
        assert 0.6 < (depth_mm > 0).mean() < 0.95, "the view of the depth camera does not cover that of colour"
    assert min(outside) > 0.9, "its upper edge lies below that of colour"


@pytest.mark.real
def test_the_real_pairs_are_split(shared_data: Path) -> None:
    root = shared_data / "isogd"
    dataset = read_isogd(root, on_missing="skip", depth="aligned", split_by="distance", gap=4)
    assert sizes(dataset) == {"train": 44, "validation": 12, "test": 0}
    scenes = read_isogd(root, on_missing="skip", depth="aligned", split_by="scene", fraction=0.3)
    assert scenes == read_isogd(root, on_missing="skip", depth="aligned", split_by="scene", fraction=0.3)
    assert sizes(scenes)["train"] > 2 * sizes(scenes)["validation"] > 20
    numbers = {split: {int(r.path.stem[2:]) for r in found} for split, found in scenes.recordings.items()}
    # Seen to be the same person in the same place.
    for same in ({4, 26, 33, 38, 41, 48, 60}, {5, 22, 24, 56}, {10, 30, 45}, {9, 19, 46}, {23, 36}, {25, 57}):
        assert same <= numbers["train"] or same <= numbers["validation"]
    alone = {1, 20, 43, 58}  # 1 is 53 and 58 is 7 in another light
    assert alone.isdisjoint(numbers["train"] | numbers["validation"])


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
