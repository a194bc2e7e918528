from __future__ import annotations

from pathlib import Path

import pytest

from mudra.datasets.montalbano_labels import (
    LabelRow,
    SampleFacts,
    pair_samples,
    read_label_rows,
    read_largest_depth_mm,
    read_sample_facts,
)
from mudra.errors import DataError


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    for name in ("Sample0001", "Sample0002"):
        write(tmp_path / "truth" / f"{name}_labels.csv", "3,5,9\n")
        write(tmp_path / "truth" / f"{name}_data.csv", "100,20,4095\n")
    return tmp_path / "truth"


def test_frames_count_from_0_and_the_end_is_excluded(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "18,4,45\n\n 1 , 65 ,101\r\n")
    assert read_label_rows(path) == [LabelRow(17, 3, 44), LabelRow(0, 64, 100)]
    assert read_label_rows(path, end="inclusive") == [LabelRow(17, 3, 45), LabelRow(0, 64, 101)]


def test_a_row_that_spans_no_frame_and_an_empty_file_have_no_gesture(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "2,7,7\n")
    assert read_label_rows(path) == []
    assert read_label_rows(path, end="inclusive") == [LabelRow(1, 6, 7)]
    assert read_label_rows(write(tmp_path / "b.csv", "\n")) == []


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("class,begin,end", "holds 'class,begin,end', wanted class,begin,end in whole numbers"),
        ("1,2", "holds '1,2', wanted"),
        ("1,2,3,4", "holds '1,2,3,4', wanted"),
        ("1,2.5,4", "holds '1,2.5,4', wanted"),
        ("0,1,9", "class 0 is none of 1 to 20"),
        ("21,1,9", "class 21 is none of 1 to 20"),
        ("1,0,9", "frames 0 to 9"),
        ("1,9,8", "frames 9 to 8"),
    ],
)
def test_a_row_that_is_none_is_refused_with_its_line(tmp_path: Path, row: str, message: str) -> None:
    path = write(tmp_path / "a.csv", f"1,1,5\n\n{row}\n")
    with pytest.raises(DataError, match=message) as refused:
        read_label_rows(path)
    assert str(refused.value).startswith(f"{path}, line 3: ")


def test_other_numbers_of_classes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "21,1,9\n")
    assert read_label_rows(path, num_classes=21) == [LabelRow(20, 0, 8)]


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: cannot be read"):
        read_label_rows(tmp_path / "none.csv")
    (tmp_path / "picture.csv").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(DataError, match=r"picture\.csv: cannot be read"):
        read_sample_facts(tmp_path / "picture.csv")


def test_facts_are_length_and_rate(tmp_path: Path) -> None:
    assert read_sample_facts(write(tmp_path / "a_data.csv", "1120,20,2881\n")) == SampleFacts(1120, 20.0)


@pytest.mark.parametrize("text", ["", "1120", "frames,fps", "0,20,1", "10,0,1", "10,nan,1", "10,inf,1"])
def test_facts_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "a_data.csv", text)
    with pytest.raises(DataError, match="wanted frames,frames per second,largest depth") as refused:
        read_sample_facts(path)
    assert (f"holds {text!r}" if text else "holds nothing") in str(refused.value)


def test_the_largest_depth_is_the_third_number(tmp_path: Path) -> None:
    assert read_largest_depth_mm(write(tmp_path / "a_data.csv", "1120,20,2881\n")) == 2881.0
    for text in ("", "1120,20", "1120,20,far", "1120,20,0", "1120,20,nan"):
        path = write(tmp_path / "a_data.csv", text)
        with pytest.raises(DataError, match=r"a_data\.csv: holds .*, wanted frames,frames per second,largest depth"):
            read_largest_depth_mm(path)


def test_samples_are_paired_by_name_and_the_rest_is_told(tmp_path: Path, truth: Path) -> None:
    write(tmp_path / "found" / "Sample0002_prediction.csv", "")
    extra = write(tmp_path / "found" / "Sample0009_prediction.csv", "")
    pairs = pair_samples(truth, tmp_path / "found")
    assert [one.name for one in pairs.samples] == ["Sample0001", "Sample0002"]
    assert pairs.samples[1].labels == truth / "Sample0002_labels.csv"
    assert pairs.samples[1].facts == truth / "Sample0002_data.csv"
    assert pairs.samples[1].predictions == tmp_path / "found" / "Sample0002_prediction.csv"
    assert pairs.missing == ("Sample0001",)
    assert pairs.extra == (extra,)


def test_ground_truth_can_stand_for_predictions(truth: Path) -> None:
    pairs = pair_samples(truth, truth)
    assert [one.predictions for one in pairs.samples] == [one.labels for one in pairs.samples]
    write(truth / "Sample0001_prediction.csv", "")
    assert pair_samples(truth, truth).missing == ("Sample0002",), "predictions come first"


def test_folders_without_files_are_refused_with_what_was_looked_for(tmp_path: Path, truth: Path) -> None:
    with pytest.raises(DataError, match=r"no such folder; looked for .*_labels\.csv"):
        pair_samples(tmp_path / "nowhere", truth)
    with pytest.raises(DataError, match="is a file"):
        pair_samples(truth / "Sample0001_labels.csv", truth)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"holds no such file; looked for .*_prediction\.csv or .*_labels\.csv"):
        pair_samples(truth, tmp_path / "empty")


def test_predictions_under_other_names_are_refused(tmp_path: Path, truth: Path) -> None:
    write(tmp_path / "found" / "seq1_prediction.csv", "")
    with pytest.raises(DataError, match=r"none of 2 samples .*which holds seq1_prediction\.csv") as refused:
        pair_samples(truth, tmp_path / "found")
    assert refused.value.hint == "name them as the ground truth: Sample0001_prediction.csv"


@pytest.mark.real
def test_the_real_files(shared_data: Path) -> None:
    folder = shared_data / "montalbano"
    pairs = pair_samples(folder / "ground_truth", folder / "predictions" / "step1all")
    assert (len(pairs.samples), pairs.missing, pairs.extra) == (230, (), ())
    rows = [read_label_rows(one.labels) for one in pairs.samples]
    assert sum(map(len, rows)) == 3454
    assert {row.label for found in rows for row in found} == set(range(20))
    facts = [read_sample_facts(one.facts) for one in pairs.samples]
    assert {one.fps for one in facts} == {20.0}
    assert all(500 < read_largest_depth_mm(one.facts) < 10_000 for one in pairs.samples)
    assert all(row.end_frame <= one.num_frames for found, one in zip(rows, facts, strict=True) for row in found)
