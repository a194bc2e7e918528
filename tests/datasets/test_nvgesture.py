from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mudra.clips import ClipMaker, ClipSpec, LevelDepthChannels
from mudra.clips.maker import frames_in_span
from mudra.datasets import Dataset, NvgestureConfig, read_nvgesture
from mudra.datasets.nvgesture import CARD, DEPTH, FPS, LISTS, NvgestureStream, find_lists
from mudra.errors import ConfigError, DataError
from mudra.types import Stream
from mudra.video import open_recording
from tests.fixtures.trees import build_nvgesture, nvgesture_line, write_lines
from tests.fixtures.video import VideoMaker

TRAIN, TEST = (LISTS[split][0] for split in ("train", "test"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return build_nvgesture(tmp_path)


def sizes(dataset: Dataset) -> dict[str, int]:
    return {split: len(found) for split, found in dataset.recordings.items()}


def test_a_line_is_a_span_of_the_depth_file(root: Path) -> None:
    line = nvgesture_line(7, subject=3, repetition=1, depth=(81, 161), color=(81, 161))
    write_lines(root / TRAIN, [line, nvgesture_line(8, subject=3, repetition=0, depth=(5, 9))])
    first, second = read_nvgesture(root).split("train")
    assert first.path == root / "Video_data/class_07/subject3_r1/sk_depth.avi"
    assert (first.label, first.subject, first.stream, first.depth_path) == (6, "3", Stream.DEPTH, None)
    assert (first.start_s, first.end_s) == (81 / 30, 161 / 30)
    assert (second.start_s, second.end_s) == (5 / 30, 9 / 30)
    assert read_nvgesture(root).card.classes[6] == "7"


def test_the_span_holds_begin_up_to_but_not_including_end(root: Path, video_maker: VideoMaker) -> None:
    write_lines(root / TRAIN, [nvgesture_line(1, subject=3, repetition=0, depth=(7, 11))])
    (recording,) = read_nvgesture(root).split("train")
    video_maker(recording.path, num_frames=20, fps=30, size=(24, 32))
    with open_recording(recording, Stream.DEPTH) as reader:
        window = ClipMaker(ClipSpec(streams=(Stream.DEPTH,), num_frames=4, size=(8, 8))).window(
            {Stream.DEPTH: reader}, span_s=(recording.start_s, recording.end_s)
        )
    assert window.times_s * FPS == pytest.approx([7, 8, 9, 10])


@pytest.mark.parametrize(("stream", "file"), [("rgb", "sk_color.avi"), ("wrapped", "sk_wrapped.avi")])
def test_colour_brings_depth_of_the_same_span(root: Path, stream: NvgestureStream, file: str) -> None:
    dataset = read_nvgesture(root, stream=stream)
    assert dataset.card.streams == (Stream.RGB, Stream.DEPTH)
    for recording in dataset.all_recordings():
        assert recording.path.name == file
        assert recording.path_of(Stream.DEPTH) == recording.path.with_name("sk_depth.avi")
        assert (recording.stream, recording.depth) == (Stream.RGB, DEPTH)
    assert dataset.notes == ()


def test_spans_that_differ_give_colour_alone_and_that_is_said(root: Path) -> None:
    other = nvgesture_line(1, subject=3, repetition=0, depth=(80, 160), color=(85, 165))
    same = nvgesture_line(2, subject=3, repetition=0, depth=(90, 170))
    write_lines(root / TRAIN, [other, same])
    dataset = read_nvgesture(root, stream="rgb")
    first, second = dataset.split("train")
    assert (first.start_s, first.end_s, first.depth_path) == (85 / 30, 165 / 30, None)
    assert second.depth_path is not None
    assert len(dataset.notes) == 1
    assert dataset.notes[0].startswith(f"1 of {2 + sizes(dataset)['test']} recordings come without depth")
    wrapped = read_nvgesture(root, stream="wrapped").split("train")[0]
    assert (wrapped.start_s, wrapped.depth_path is None) == (80 / 30, False), "it runs with the depth file"


def test_mini_lists_have_the_same_form_and_the_whole_list_is_preferred(root: Path) -> None:
    full = sizes(read_nvgesture(root))
    (root / LISTS["train"][1]).write_text((root / TRAIN).read_text().splitlines()[0])
    assert sizes(read_nvgesture(root)) == full
    (root / TRAIN).unlink()
    assert find_lists(root) == {"train": root / LISTS["train"][1], "test": root / TEST}
    assert sizes(read_nvgesture(root)) == full | {"train": 1}


def test_repetitions_halve_the_training_list_class_by_class(root: Path) -> None:
    takes = [
        (1, 3, 1),
        (1, 3, 0),
        (2, 4, 2),
        (2, 7, 0),
        (3, 5, 4),
        (3, 2, 3),
        (3, 2, 5),
        (4, 9, 6),
        (5, 6, 2),
        (5, 5, 2),
    ]
    write_lines(root / TRAIN, [nvgesture_line(c, subject=s, repetition=r) for c, s, r in takes])
    for label, subject, repetition in takes:
        folder = root / f"Video_data/class_{label:02d}/subject{subject}_r{repetition}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "sk_depth.avi").touch()
    dataset = read_nvgesture(root, split_by="repetition")
    names = {split: [r.path.parent.name for r in found] for split, found in dataset.recordings.items()}
    assert names["train"] == ["subject3_r0", "subject7_r0", "subject5_r4", "subject2_r3", "subject9_r6", "subject5_r2"]
    assert names["validation"] == ["subject3_r1", "subject4_r2", "subject2_r5", "subject6_r2"]
    assert {r.split for r in dataset.split("validation")} == {"validation"}
    assert names["test"] == [r.path.parent.name for r in read_nvgesture(root).split("test")], "stays the test split"
    assert not dataset.card.subjects_disjoint


def test_subjects_can_be_held_out(root: Path) -> None:
    dataset = NvgestureConfig(root=root, held_out_subjects=(3,)).build()
    assert {r.subject for r in dataset.split("validation")} == {"3"}
    assert {r.subject for r in dataset.split("train")} == {"11"}
    assert dataset.leaking_subjects() == {}
    with pytest.raises(DataError, match="nvgesture: no training clip of subject '13'"):
        read_nvgesture(root, held_out_subjects=(13,))
    with pytest.raises(ConfigError, match="both make a validation split"):
        read_nvgesture(root, held_out_subjects=(3,), split_by="repetition")


def test_a_part_of_the_recordings_is_refused_or_skipped(root: Path) -> None:
    gone = root / "Video_data/class_01/subject3_r0/sk_wrapped.avi"
    gone.unlink()
    assert sizes(read_nvgesture(root)) == {"train": 100, "validation": 0, "test": 25}, "nobody asked for it"
    with pytest.raises(DataError, match=rf"v2\.lst: 1 of 100 train recordings are not there; looked for {gone}\n"):
        read_nvgesture(root, stream="wrapped")
    dataset = NvgestureConfig(root=root, stream="wrapped", on_missing="skip").build()
    assert sizes(dataset)["train"] == 99
    assert dataset.left_out == dataset.notes
    assert "1 of 100 train recordings are not there" in dataset.left_out[0]


def test_a_root_without_a_list_names_the_places(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"no list of NVGesture; looked for {tmp_path}/{TRAIN}, .*_v2_mini\.lst"):
        read_nvgesture(tmp_path)


GOOD = nvgesture_line(1, subject=3, repetition=0)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (GOOD.replace("label:1", "label:26"), "line 1: label is '26'; wanted a number from 1 to 25"),
        (GOOD.replace("label:1", "label:0"), "label is '0'"),
        (GOOD.replace(" label:1", ""), r"line 1: has no label; wanted path:\./Video_data/"),
        (GOOD.replace("depth:", "dept:"), "line 1: has no depth"),
        (GOOD.replace("sk_depth:80:160", "sk_depth:160:80"), r"depth is 'sk_depth:160:80'; wanted file:begin:end"),
        (GOOD.replace("sk_depth:80:160", "sk_depth:80"), "depth is 'sk_depth:80'"),
        (GOOD.replace("sk_depth:80:160", "sk_depth:80:end"), "depth is 'sk_depth:80:end'"),
        (GOOD.replace("subject3_r0", "subject3"), r"path ends in 'subject3'; wanted subject<number>_r<number>"),
        ("path:./Video_data", r"line 1: holds 'path:\./Video_data'; wanted path:"),
    ],
)
def test_a_list_of_another_form_is_refused(root: Path, line: str, message: str) -> None:
    write_lines(root / TRAIN, [line])
    with pytest.raises(DataError, match=message):
        read_nvgesture(root)


def test_colour_wants_the_span_of_colour(root: Path) -> None:
    write_lines(root / TRAIN, [GOOD.replace("color:", "colour:")])
    assert read_nvgesture(root).split("train")
    with pytest.raises(DataError, match="line 1: has no color"):
        read_nvgesture(root, stream="rgb")


def test_mirroring_is_forbidden_until_every_partner_is_named(root: Path) -> None:
    assert read_nvgesture(root).card.mirror_index() is None
    assert read_nvgesture(root, mirror={name: name for name in CARD.classes}).card.mirror_index() == list(range(25))
    with pytest.raises(ConfigError, match="mirror names '26', which is no class"):
        NvgestureConfig(root=root, mirror={"26": "1"}).build()


@pytest.mark.real
def test_the_real_recordings_are_read(shared_data: Path) -> None:
    root = shared_data / "nvgesture"
    dataset = read_nvgesture(root)
    assert sizes(dataset) == {"train": 50, "validation": 0, "test": 0}
    assert "50 of 50 test recordings are not there" in dataset.left_out[0]
    assert set(dataset.class_counts("train").values()) == {2}
    maker = ClipMaker(ClipSpec(streams=(Stream.DEPTH,), num_frames=8, size=(56, 56), depth=LevelDepthChannels()))
    for recording in dataset.split("train")[::7]:
        with open_recording(recording, Stream.DEPTH) as reader:
            assert reader.frame_size == CARD.frame_size
            assert reader.info.fps == FPS
            span_s = (recording.start_s, recording.end_s)
            inside = frames_in_span(reader.times_s, span_s)
            assert len(inside) == 80
            assert reader.times_s[inside[0]] == pytest.approx(recording.start_s)
            levels = maker.read_clip({Stream.DEPTH: reader}, span_s=span_s).clip_TCHW + 127
        share = np.mean(levels.numpy() > 10)
        assert 0.005 < share < 0.6, "a hand, and nothing behind it"


@pytest.mark.real
def test_the_real_repetitions_are_one_of_each_class_on_either_side(shared_data: Path) -> None:
    dataset = read_nvgesture(shared_data / "nvgesture", split_by="repetition")
    assert sizes(dataset) == {"train": 25, "validation": 25, "test": 0}
    assert set(dataset.class_counts("train").values()) == set(dataset.class_counts("validation").values()) == {1}


@pytest.mark.real
def test_real_wrapped_colour_is_in_place_with_depth(shared_data: Path) -> None:
    root = shared_data / "nvgesture"
    with pytest.raises(DataError, match="44 of 50 train recordings are not there"):
        read_nvgesture(root, stream="wrapped")
    dataset = read_nvgesture(root, stream="wrapped", on_missing="skip")
    assert sizes(dataset)["train"] == 6
    for recording in dataset.split("train"):
        with open_recording(recording, Stream.RGB) as colour, open_recording(recording, Stream.DEPTH) as depth:
            frames = frames_in_span(depth.times_s, (recording.start_s, recording.end_s))[::16]
            hand = depth.read(frames).frames_THWC[..., 0] > 0
            lit = colour.read(frames).frames_THWC.max(axis=-1) > 16
        assert lit.mean() < 0.2
        assert (hand & lit).sum() > 0.6 * hand.sum(), "colour is where the hand is"
