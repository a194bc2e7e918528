from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mudra.datasets import read_shrec2017
from mudra.datasets.card import DatasetCard
from mudra.datasets.dataset import Dataset
from mudra.datasets.folder import read_folder
from mudra.datasets.inspect import MAX_DRAWN, describe
from mudra.datasets.segments_table import read_segments
from mudra.datasets.table import read_table
from mudra.types import Frames, Recording, Stream
from tests.fixtures.trees import write_csv
from tests.fixtures.video import VideoMaker


@pytest.fixture
def root(tmp_path: Path, video_maker: VideoMaker) -> Path:
    for subject in range(1, 6):
        video_maker(tmp_path / "train" / "push" / f"s{subject}_a.avi", num_frames=8 + subject, fps=10)
    video_maker(tmp_path / "train" / "wave" / "s1_a.avi", num_frames=30, fps=20, size=(48, 64))
    video_maker(tmp_path / "test" / "wave" / "s1_b.avi", num_frames=20, fps=10)
    return tmp_path


def test_counts_lengths_rates_and_sizes(root: Path) -> None:
    facts = describe(read_folder(root, fractions=(0.8, 0.0, 0.2)))
    assert facts.classes == ("push", "wave")
    assert list(facts.splits) == ["train", "test"], "empty splits are left out"
    assert facts.splits["train"] == (6, 5, {"push": 5, "wave": 1})
    assert facts.splits["test"] == (1, 1, {"push": 0, "wave": 1})
    assert facts.length_frames == (9, 12, 30)
    assert facts.length_s == pytest.approx((0.9, 1.2, 2.0))
    assert facts.total_s == pytest.approx(0.9 + 1.0 + 1.1 + 1.2 + 1.3 + 1.5 + 2.0)
    assert facts.fps == pytest.approx((10, 10, 20))
    assert facts.sizes == {(24, 32): 6, (48, 64): 1}
    assert facts.num_measured == 7
    assert facts.imbalance == 5.0
    assert facts.leaking_subjects == {"1": ("test", "train")}
    assert facts.mirror == "mirroring keeps every label"


def test_what_should_be_looked_at_is_warned_of(root: Path) -> None:
    facts = describe(read_folder(root))
    assert facts.warnings[0] == "no validation split was found: it is drawn from train"
    text = "\n".join(facts.warnings)
    assert "classes have fewer than 5 clips" in text
    assert "subjects in more than one split, so that scores will flatter: 1 (test, " in text
    assert "frame rates differ: 10.0 to 20.0 per second" in text


def test_few_clips_are_named_with_their_number(root: Path) -> None:
    facts = describe(read_folder(root, fractions=(0.8, 0.0, 0.2)))
    assert "1 of 2 classes have fewer than 5 clips: wave (1)" in facts.warnings


def test_a_balanced_set_of_one_rate_has_no_warnings(tmp_path: Path, video_maker: VideoMaker) -> None:
    for name in ("push", "pull"):
        for subject in range(1, 6):
            video_maker(tmp_path / "train" / name / f"s{subject}_a.avi", num_frames=3)
    assert describe(read_folder(tmp_path, fractions=(1.0, 0.0, 0.0))).warnings == ()


def test_imbalance_and_a_single_class_are_warned_of(tmp_path: Path, video_maker: VideoMaker) -> None:
    path = video_maker(tmp_path / "1.avi")
    rows = [{"path": path.name, "label": "a", "split": "train", "end_s": 0.1 + i / 100} for i in range(22)]
    fractions = (0.8, 0.0, 0.2)
    one_class = describe(read_table(write_csv(tmp_path / "x.csv", rows), fractions=fractions))
    assert "only one class, 'a': there is nothing to tell apart" in one_class.warnings
    rows += [{"path": path.name, "label": "b", "split": "train", "end_s": 0.5 + i / 100} for i in range(2)]
    facts = describe(read_table(write_csv(tmp_path / "x.csv", rows), fractions=fractions))
    assert facts.imbalance == 11.0
    assert any("unbalanced: 'a' has 22 clips, 'b' has 2" in warning for warning in facts.warnings)


def test_a_class_without_clips_is_infinitely_unbalanced(root: Path) -> None:
    facts = describe(read_folder(root, classes=["push", "wave", "none"]))
    assert facts.imbalance == float("inf")


def test_a_span_is_measured_as_far_as_the_file_goes(tmp_path: Path, video_maker: VideoMaker) -> None:
    video_maker(tmp_path / "1.avi", num_frames=20, fps=10)
    rows = [
        {"path": "1.avi", "label": "a", "start_s": 0.5, "end_s": 1.5},
        {"path": "1.avi", "label": "a", "start_s": 1.7, "end_s": 9},
    ]
    facts = describe(read_table(write_csv(tmp_path / "x.csv", rows)))
    assert facts.length_frames == (3, 6.5, 10)
    assert facts.length_s == pytest.approx((0.3, 0.65, 1.0))


def test_a_file_that_cannot_be_opened_is_listed_and_does_not_stop_the_others(root: Path) -> None:
    bad = root / "train" / "push" / "bad.avi"
    bad.write_bytes(b"no video")
    seen: list[tuple[int, int]] = []
    facts = describe(read_folder(root), progress=lambda done, total: seen.append((done, total)))
    ((path, reason),) = facts.unreadable
    assert path == str(bad)
    assert reason
    assert facts.num_measured == 7
    assert any(f"1 recordings cannot be opened, the first {bad}: " in warning for warning in facts.warnings)
    assert seen == [(done, 8) for done in range(1, 9)]


def test_a_drawn_set_is_measured_on_a_few_clips() -> None:
    drawn: list[Recording] = []

    def draw(recording: Recording, stream: Stream) -> Frames:
        drawn.append(recording)
        assert stream is Stream.RGB
        return Frames(np.zeros((16, 24, 32, 3), dtype=np.uint8), np.arange(16) / 25.0)

    recordings = tuple(Recording(path=Path(f"drawn/{i}"), label=0) for i in range(20 * MAX_DRAWN))
    card = DatasetCard(name="drawn", classes=("push",))
    dataset = Dataset(card=card, recordings={"train": recordings}, source=draw)
    facts = describe(dataset)
    assert len(drawn) == MAX_DRAWN == facts.num_measured
    assert facts.splits["train"].num_recordings == 20 * MAX_DRAWN
    assert facts.fps == pytest.approx((25, 25, 25))
    assert facts.length_s == pytest.approx((0.64, 0.64, 0.64))
    assert facts.sizes == {(24, 32): MAX_DRAWN}


def test_a_set_without_readable_files_has_no_spreads(tmp_path: Path) -> None:
    card = DatasetCard(name="gone", classes=("push",))
    dataset = Dataset(card=card, recordings={"test": (Recording(path=tmp_path / "gone.mp4", label=0),)})
    facts = describe(dataset)
    assert (facts.length_s, facts.fps, facts.sizes, facts.total_s) == (None, None, {}, 0)


def test_streams_are_measured_by_frames_and_segments(tmp_path: Path, video_maker: VideoMaker) -> None:
    video_maker(tmp_path / "a.avi", num_frames=20, fps=10)
    video_maker(tmp_path / "b.avi", num_frames=30, fps=10)
    rows = [
        {"path": "a.avi", "start_s": 0.5, "end_s": 1.0, "label": "push", "split": "train"},
        {"path": "a.avi", "start_s": 1.5, "end_s": 3.5, "label": "grab", "split": "train"},
        {"path": "b.avi", "start_s": 0.0, "end_s": 1.5, "label": "grab", "split": "train"},
    ]
    table = write_csv(tmp_path / "x.csv", rows)
    facts = describe(read_segments(table, fractions=(0.8, 0.0, 0.2)))
    assert facts.streams is not None
    assert facts.streams[:2] == (2, 3)
    assert facts.streams.segment_s == pytest.approx((0.5, 1.5, 2.0))
    # Of a's 20 frames 5 show push and 5, up to the end of the file, grab; of b's 30 frames 15 show grab.
    assert facts.streams.class_s == pytest.approx({"no gesture": 2.5, "push": 0.5, "grab": 2.0})
    assert facts.streams.outside_share == pytest.approx(25 / 50)
    assert (facts.streams.idle_class, facts.streams.num_beyond) == ("no gesture", 1)
    assert facts.splits["train"] == (2, 0, {"no gesture": 0, "push": 1, "grab": 2})
    assert facts.imbalance == 2.0, "the class between the segments has none"
    assert "1 segments reach past the end of their file" in facts.warnings
    assert "2 of 2 classes have fewer than 5 segments: grab (2), push (1)" in facts.warnings
    unlabelled = describe(read_segments(table, idle_class=None, fractions=(0.8, 0.0, 0.2))).streams
    assert unlabelled is not None
    assert unlabelled.class_s == pytest.approx({"push": 0.5, "grab": 2.0})
    assert (unlabelled.idle_class, unlabelled.outside_share) == (None, pytest.approx(0.5))


def test_a_set_of_clips_has_no_streams(root: Path) -> None:
    assert describe(read_folder(root)).streams is None


def test_streams_without_a_segment_are_measured_too(tmp_path: Path, video_maker: VideoMaker) -> None:
    video_maker(tmp_path / "a.avi", num_frames=20, fps=10)
    table = tmp_path / "x.csv"
    table.write_text("path,start_s,end_s,label\na.avi,,,\n")
    facts = describe(read_segments(table)).streams
    assert facts is not None
    assert (facts.num_streams, facts.num_segments, facts.segment_s, facts.outside_share) == (1, 0, None, 1.0)


@pytest.mark.real
def test_real_recordings_of_shrec2017(shared_data: Path) -> None:
    dataset = read_shrec2017(shared_data / "shrec2017")
    validation = replace(dataset, recordings={"validation": dataset.split("validation")})
    facts = describe(validation)
    assert facts.length_frames == (32, 32, 32)
    assert facts.sizes == {(180, 240): 230}
    assert facts.unreadable == ()
    assert facts.fps is not None
    assert 5 < facts.fps.minimum < facts.fps.maximum < 90
