from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mudra.datasets import CongdConfig, Dataset, label_frames, read_congd
from mudra.datasets.congd import CARD, CLASSES, LISTS, is_congd
from mudra.datasets.isogd import DEPTH
from mudra.errors import ConfigError, DataError
from mudra.types import Segment, Stream
from mudra.video import open_recording
from tests.fixtures.streams import build_congd
from tests.fixtures.trees import touch_all, write_lines
from tests.fixtures.video import VideoMaker


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUDRA_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return build_congd(tmp_path)


def sizes(dataset: Dataset) -> dict[str, int]:
    return {split: len(found) for split, found in dataset.recordings.items()}


def test_a_video_is_colour_and_depth_and_has_no_label(root: Path) -> None:
    dataset = read_congd(root)
    assert sizes(dataset) == {"train": 249, "validation": 2, "test": 1}
    recording = dataset.split("validation")[1]
    assert recording.path_of(Stream.RGB) == root / "valid/002/00300.M.avi"
    assert recording.path_of(Stream.DEPTH) == root / "valid/002/00300.K.avi"
    assert (recording.stream, recording.depth, recording.label) == (Stream.RGB, DEPTH, None)
    assert dataset.has_streams
    assert dataset.class_counts("validation")["249"] == 1
    assert dataset.card.idle_class is None


def test_frames_become_seconds_by_the_rate_of_each_file(root: Path, video_maker: VideoMaker) -> None:
    video_maker(root / "valid/001/00001.M.avi", num_frames=15, fps=5)
    first, second = read_congd(root).split("validation")
    assert first.segments is not None
    assert [segment.label for segment in first.segments] == [6, 248]
    assert [segment[1:] for segment in first.segments] == [pytest.approx((0, 1.8)), pytest.approx((1.8, 3.0))]
    assert second.segments == (Segment(7, 0.0, pytest.approx(0.9)),), "an unreadable file has the nominal 10 per second"


def test_every_frame_of_a_gesture_is_its_own(root: Path, video_maker: VideoMaker) -> None:
    path = video_maker(root / "valid/001/00001.M.avi", num_frames=18, fps=7)
    write_lines(root / LISTS["validation"], ["001/00001 9,15:7 1,9:3"])
    (recording,) = read_congd(root).split("validation")
    with open_recording(recording, Stream.RGB) as reader:
        label_S = label_frames(recording.segments or (), reader.times_s, idle=-1)
    assert path.exists()
    # Counted from 1 and with both ends; the ninth frame is in both, and the later gesture has it.
    assert label_S.tolist() == [2] * 8 + [6] * 7 + [-1] * 3


def test_lists_without_gestures_are_read_and_that_is_said(root: Path) -> None:
    dataset = read_congd(root)
    assert dataset.split("test")[0].segments is None
    assert not dataset.split("test")[0].is_labelled
    assert dataset.notes == (f"{root / LISTS['test']} gives no gestures: its videos can be predicted, not scored",)


def test_a_part_of_the_videos_is_refused_or_skipped(root: Path) -> None:
    (root / "train/001/00002.K.avi").unlink()
    with pytest.raises(DataError, match=r"train\.txt: 1 of 249 train recordings are not there; .*00002\.K\.avi"):
        read_congd(root)
    dataset = CongdConfig(root=root, on_missing="skip").build()
    assert sizes(dataset) == {"train": 248, "validation": 2, "test": 1}
    assert len(dataset.left_out) == 1


def test_a_root_without_a_list_names_the_places(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"no list of ConGD; looked for {tmp_path}/train\.txt, .*test\.txt"):
        read_congd(tmp_path)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("1,9", "line 1: holds '1,9'; wanted begin,end:label such as 39,73:95"),
        ("1-9:4", "holds '1-9:4'"),
        ("1,9:250", "label is 250; wanted a number from 1 to 249"),
        ("1,9:0", "label is 0"),
        ("0,9:4", "frames 0 to 9 are no span; frames count from 1"),
        ("9,8:4", "frames 9 to 8 are no span"),
    ],
)
def test_a_gesture_of_another_form_is_refused(root: Path, word: str, message: str) -> None:
    write_lines(root / LISTS["train"], [f"001/00001 {word}"])
    with pytest.raises(DataError, match=message):
        read_congd(root)


def test_mirroring_is_forbidden_until_every_partner_is_named(root: Path) -> None:
    assert read_congd(root).card.mirror_index() is None
    every = CongdConfig(root=root, mirror={name: name for name in CLASSES}).build().card
    assert every.mirror_index() == list(range(249))
    with pytest.raises(ConfigError, match="mirror names '250', which is no class"):
        read_congd(root, mirror={"250": "250"})


def test_other_lists_of_the_same_name_are_not_taken_for_it(tmp_path: Path) -> None:
    assert not is_congd(tmp_path)
    path = tmp_path / "train.txt"
    for content in (b"", b"clips/a.mp4 12\n", b"001/00001 12\n", b"\xff\xfe"):
        path.write_bytes(content)
        assert not is_congd(tmp_path)
    for line in ("001/00001 1,9:7 10,15:249", "001/00001"):
        write_lines(path, [line])
        assert is_congd(tmp_path)


@pytest.mark.real
def test_the_real_list_agrees_with_the_card_and_leaves_no_gap(shared_data: Path, tmp_path: Path) -> None:
    lines = (shared_data / "congd" / LISTS["validation"]).read_text().splitlines()
    assert len(lines) == CARD.counts["validation"]
    write_lines(tmp_path / LISTS["validation"], lines)
    touch_all(tmp_path / "valid", [f"{line.split()[0]}.{kind}.avi" for line in lines for kind in "MK"])
    dataset = read_congd(tmp_path)
    assert sum(dataset.class_counts().values()) == 8889
    assert min(dataset.class_counts().values()) > 0
    gaps = []
    for recording in dataset.split("validation"):
        assert recording.segments is not None
        assert recording.segments[0].start_s == 0
        gaps += [b.start_s - a.end_s for a, b in zip(recording.segments, recording.segments[1:], strict=False)]
    assert sum(abs(gap) > 1e-6 for gap in gaps) == 1, "one pair of gestures shares a frame"
    assert max(gaps) < 1e-6


@pytest.mark.real
def test_the_real_video(shared_data: Path) -> None:
    with pytest.raises(DataError, match="4178 of 4179 validation recordings are not there"):
        read_congd(shared_data / "congd")
    dataset = read_congd(shared_data / "congd", on_missing="skip")
    (recording,) = dataset.split("validation")
    assert [CLASSES[segment.label] for segment in recording.segments or ()] == ["93", "95", "93", "160", "173"]
    with open_recording(recording, Stream.RGB) as colour, open_recording(recording, Stream.DEPTH) as depth:
        assert colour.frame_size == depth.frame_size == CARD.frame_size
        assert len(colour.times_s) == len(depth.times_s) == 219
        label_S = label_frames(recording.segments or (), colour.times_s, idle=-1)
    assert np.unique(label_S).tolist() == [92, 94, 159, 172], "no frame is left over"
    assert (np.flatnonzero(np.diff(label_S)) + 1).tolist() == [38, 73, 104, 169]
