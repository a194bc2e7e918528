from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mudra.datasets import Dataset, FirConfig, label_frames, read_fir
from mudra.datasets.fir import CARD, CLASSES, LIST_NAME, TEST_STREAMS
from mudra.errors import DataError
from mudra.types import Segment, Stream
from mudra.video import open_recording
from tests.fixtures.streams import FIR_TRAIN_STREAMS as OTHERS
from tests.fixtures.streams import build_fir
from tests.fixtures.trees import write_csv


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return build_fir(tmp_path)


def names(dataset: Dataset, split: str) -> list[str]:
    return [recording.path.name for recording in dataset.recordings[split]]


def rewrite(root: Path, *rows: tuple[object, ...]) -> Path:
    columns = ("stream", "start_s", "end_s", "label")
    write_csv(root / LIST_NAME, [dict(zip(columns, row, strict=True)) for row in rows])
    return root


def test_streams_carry_their_segments_and_no_label(root: Path) -> None:
    rewrite(root, (OTHERS[0], 4.5, 7, "walk"), (OTHERS[1], 1, 2, "active"), (OTHERS[0], 0.5, 4.62, "sitdown"))
    first, second = read_fir(root).split("train")
    assert (first.path, first.label, first.stream, first.subject) == (root / OTHERS[0], None, Stream.RGB, "")
    assert first.segments == (Segment(5, 0.5, 4.62), Segment(9, 4.5, 7.0)), "in order of time, overlaps and all"
    assert second.segments == (Segment(0, 1.0, 2.0),)


def test_frames_in_no_segment_have_no_label(root: Path) -> None:
    dataset = read_fir(root)
    assert dataset.card.idle_class is None
    assert dataset.has_streams
    assert dataset.class_counts() == dict.fromkeys(CLASSES, 1)


def test_the_last_stream_of_each_day_is_for_testing(root: Path) -> None:
    dataset = read_fir(root)
    assert names(dataset, "train") == sorted(OTHERS)
    assert names(dataset, "test") == sorted(TEST_STREAMS)
    with pytest.raises(DataError, match=r"0 recordings in split 'validation' .*data\.validation_streams names"):
        dataset.split("validation")


def test_streams_are_named_by_patterns(root: Path) -> None:
    dataset = FirConfig(root=root, test_streams=("20200628_*",), validation_streams=("20200627_18*",)).build()
    assert names(dataset, "test") == [TEST_STREAMS[2]]
    assert names(dataset, "validation") == [OTHERS[1]]
    assert {recording.split for recording in dataset.split("validation")} == {"validation"}
    assert names(dataset, "train") == sorted([OTHERS[0], *TEST_STREAMS[:2]])
    everything = read_fir(root, test_streams=["*"])
    assert [len(found) for found in everything.recordings.values()] == [0, 0, 5]


def test_official_names_need_not_be_there_but_others_must(root: Path) -> None:
    rewrite(root, (OTHERS[0], 1, 2, "walk"))
    assert [len(found) for found in read_fir(root).recordings.values()] == [1, 0, 0]
    with pytest.raises(DataError, match=rf"no stream '20200626_154313' for validation\n  hint: .*{OTHERS[0]}"):
        read_fir(root, validation_streams=["20200626_154313"])


def test_a_stream_in_two_splits_is_refused(root: Path) -> None:
    with pytest.raises(DataError, match=rf"{TEST_STREAMS[2]} is in test and in validation\n  hint: name the test str"):
        read_fir(root, validation_streams=["20200628_*"])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((OTHERS[0], 1, 2, "jump"), r"line 3: label is 'jump'"),
        ((OTHERS[0], 1, 2, ""), r"line 3: label is empty"),
        ((OTHERS[0], "", 2, "walk"), r"line 3: start_s is empty"),
        ((OTHERS[0], 2, 2, "walk"), r"line 3: end_s is 2, which is not after start_s \(2\)"),
        (("", 1, 2, "walk"), r"line 3: stream is empty"),
    ],
)
def test_a_row_that_is_none_is_refused_with_its_line(root: Path, row: tuple[object, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_fir(rewrite(root, (OTHERS[0], 0, 1, "walk"), row))


def test_a_folder_without_the_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"segments\.csv: cannot be read as a CSV"):
        read_fir(tmp_path)


def test_missing_streams_are_refused_or_skipped(root: Path) -> None:
    (root / TEST_STREAMS[1]).unlink()
    with pytest.raises(DataError, match=rf"1 of 3 test recordings are not there; looked for {root}/{TEST_STREAMS[1]}"):
        read_fir(root)
    dataset = FirConfig(root=root, on_missing="skip").build()
    assert names(dataset, "test") == [TEST_STREAMS[0], TEST_STREAMS[2]]
    assert dataset.left_out == dataset.notes
    assert len(dataset.left_out) == 1


def test_a_mirror_keeps_every_label() -> None:
    assert CARD.mirror_index() == list(range(10))


@pytest.mark.real
def test_the_real_streams(shared_data: Path) -> None:
    dataset = read_fir(shared_data / "fir")
    assert [len(found) for found in dataset.recordings.values()] == [11, 0, 3]
    assert sum(dataset.class_counts().values()) == 194
    assert {name: dataset.class_counts()[name] for name in ("active", "stand", "standup")} == {
        "active": 8,
        "stand": 0,
        "standup": 47,
    }
    trained = {name for name, count in dataset.class_counts("train").items() if count}
    assert trained == set(CLASSES) - {"stand"}
    assert {name for name, count in dataset.class_counts("test").items() if count} <= trained
    days = [path.name[:8] for path in sorted((shared_data / "fir").glob("*.mp4"))]
    last = [sorted((shared_data / "fir").glob(f"{day}_*.mp4"))[-1].name for day in sorted(set(days))]
    assert last == sorted(TEST_STREAMS), "the rule that the names follow"
    for recording in dataset.all_recordings():
        with open_recording(recording, Stream.RGB) as reader:
            assert (reader.info.fps, reader.frame_size) == (CARD.fps, CARD.frame_size)
            assert recording.segments is not None
            assert recording.segments[-1].end_s <= reader.times_s[-1] + 0.08
            label_S = label_frames(recording.segments, reader.times_s, idle=-1)
        assert np.mean(label_S >= 0) > 0.6
