from __future__ import annotations

from pathlib import Path

import pytest

from mudra.datasets.table import TableConfig, read_table
from mudra.errors import ConfigError, DataError
from mudra.types import DepthFormat, Stream
from tests.fixtures.trees import touch_all, write_csv


def write_text(folder: Path, text: str) -> Path:
    touch_all(folder, ["1.mp4", "2.mp4", "3.mp4"])
    path = folder / "clips.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_all_columns_arrive(tmp_path: Path) -> None:
    touch_all(tmp_path, ["c/1.mp4", "d/1.mkv", "long.mp4"])
    row = {"path": "c/1.mp4", "label": "b", "split": "val", "subject": "ann", "depth_path": "d/1.mkv"}
    cut = {"path": str(tmp_path / "long.mp4"), "label": "a", "split": "test", "start_s": 1.5, "end_s": 2}
    dataset = read_table(write_csv(tmp_path / "clips.csv", [row, cut]))
    (first,), (second,) = dataset.split("validation"), dataset.split("test")
    assert (first.path, first.label, first.split, first.subject) == (tmp_path / "c/1.mp4", 1, "validation", "ann")
    assert (first.start_s, first.end_s, first.depth_path) == (None, None, tmp_path / "d/1.mkv")
    assert (second.path, second.label, second.start_s, second.end_s) == (tmp_path / "long.mp4", 0, 1.5, 2.0)
    assert second.depth_path is None
    assert dataset.card.streams == (Stream.RGB,), "not every recording has depth"


def test_depth_beside_every_recording_is_a_second_stream(tmp_path: Path) -> None:
    path = write_text(tmp_path, "path,label,depth_path\n1.mp4,a,2.mp4\n")
    dataset = TableConfig(path=path, mm_per_level=2.0, missing_level=255).build()
    assert dataset.card.streams == (Stream.RGB, Stream.DEPTH)
    assert dataset.card.depth == DepthFormat(mm_per_level=2.0, missing_level=255)
    assert dataset.all_recordings()[0].depth == dataset.card.depth


def test_a_table_of_depth_alone(tmp_path: Path) -> None:
    text = "path,label,depth_path\n1.mp4,a,2.mp4\n"
    dataset = read_table(write_text(tmp_path, text), stream=Stream.DEPTH)
    assert dataset.card.streams == (Stream.DEPTH,)
    assert dataset.all_recordings()[0].stream is Stream.DEPTH


def test_blanks_empty_lines_a_byte_order_mark_and_quotes_are_understood(tmp_path: Path) -> None:
    text = '\ufeffpath, label ,subject\n 1.mp4 ,"a, b",\n\n,,\n2.mp4,c,x\n'
    dataset = read_table(write_text(tmp_path, text), split_by="chance")
    assert dataset.card.classes == ("a, b", "c")
    assert sorted(recording.path.name for recording in dataset.all_recordings()) == ["1.mp4", "2.mp4"]


def test_without_a_split_it_is_drawn(tmp_path: Path) -> None:
    names = [f"{i}.mp4" for i in range(40)]
    touch_all(tmp_path, names)
    rows = [{"path": name, "label": "a", "subject": f"p{i % 4}"} for i, name in enumerate(names)]
    dataset = read_table(write_csv(tmp_path / "x.csv", rows))
    assert [len(found) for found in dataset.recordings.values()] == [20, 10, 10]
    assert dataset.card.subjects_disjoint


def test_a_folder_of_pictures_gets_the_given_rate(tmp_path: Path) -> None:
    touch_all(tmp_path, ["clip/1.png", "1.mp4"])
    rows = [{"path": path, "label": "a", "split": "test"} for path in ("clip", "1.mp4")]
    dataset = read_table(write_csv(tmp_path / "x.csv", rows), fps=7.0)
    assert [recording.fps for recording in dataset.split("test")] == [7.0, None]


def test_labels_that_are_numbers_are_names_in_natural_order(tmp_path: Path) -> None:
    dataset = read_table(write_text(tmp_path, "path,label\n1.mp4,10\n2.mp4,9\n"))
    assert dataset.card.classes == ("9", "10")


def test_given_classes_decide_the_labels(tmp_path: Path) -> None:
    dataset = read_table(write_text(tmp_path, "path,label\n1.mp4,b\n"), classes=["b", "a"])
    assert dataset.all_recordings()[0].label == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the column 'path' is missing; found nothing"),
        ("path,label\n", "no rows below the names"),
        ("path,lable\n1.mp4,a\n", r"unknown column 'lable'\n  hint: did you mean 'label'\?"),
        ("path,split\n1.mp4,test\n", "the column 'label' is missing; found path, split"),
        ("path;label\n1.mp4;a\n", r"separated by ';'(.|\n)*by commas"),
        ("path,label,label\n1.mp4,a,a\n", "a column is named twice"),
        ("path,label\n1.mp4,a,b\n", "line 2: 3 values for 2 columns"),
        ("path,label\n1.mp4,\n", "line 2: label is empty"),
        ("path,label\n,a\n", "line 2: path is empty"),
        ("path,label,split\n1.mp4,a,tset\n", r"line 2: split is 'tset'\n  hint: did you mean 'test'\?"),
        ("path,label,split\n1.mp4,a,train\n2.mp4,a,\n", "1 of 2 recordings name no split"),
        ("path,label,start_s\n1.mp4,a,soon\n", "line 2: start_s is 'soon'; wanted seconds from 0 on"),
        ("path,label,start_s\n1.mp4,a,-1\n", "start_s is '-1'"),
        ("path,label,start_s\n1.mp4,a,nan\n", "start_s is 'nan'"),
        ("path,label,end_s\n1.mp4,a,inf\n", "end_s is 'inf'"),
        ("path,label,start_s,end_s\n1.mp4,a,2,2\n", r"line 2: end_s is 2, which is not after start_s \(2\)"),
        ("path,label,end_s\n1.mp4,a,0\n", r"end_s is 0, which is not after start_s \(0\)"),
        ("path,label\n1.mp4,a\n\n1.mp4,b\n", "line 4: path names the same clip as .*line 2"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_table(write_text(tmp_path, text))


def test_two_spans_of_one_file_are_two_clips(tmp_path: Path) -> None:
    text = "path,label,start_s,end_s\n1.mp4,a,0,1\n1.mp4,a,1,2\n"
    assert len(read_table(write_text(tmp_path, text)).all_recordings()) == 2


def test_missing_files_are_counted_and_three_are_shown(tmp_path: Path) -> None:
    rows = "".join(f"gone/{i}.mp4,a\n" for i in range(5))
    with pytest.raises(DataError) as caught:
        read_table(write_text(tmp_path, f"path,label\n1.mp4,a\n{rows}"))
    shown = ", ".join(str(tmp_path.resolve() / f"gone/{i}.mp4") for i in range(3))
    assert f"5 of 6 files do not exist; looked for {shown}, ... (5 in all)" in caught.value.message
    assert str(tmp_path.resolve()) in caught.value.hint


def test_a_missing_depth_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1 of 2 files do not exist"):
        read_table(write_text(tmp_path, "path,label,depth_path\n1.mp4,a,gone.mkv\n"))


def test_a_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read as a CSV"):
        read_table(tmp_path / "none.csv")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(DataError, match="cannot be read as a CSV"):
        read_table(path)


def test_a_class_outside_the_given_ones_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1 classes are not among the 1 that the config names: a"):
        read_table(write_text(tmp_path, "path,label\n1.mp4,a\n"), classes=["b"])


@pytest.mark.parametrize("settings", [{"fractions": (0.5, 0.1, 0.1)}, {"mirror": {"nobody": "a"}}])
def test_settings_that_cannot_be_used_are_refused(tmp_path: Path, settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        read_table(write_text(tmp_path, "path,label\n1.mp4,a\n"), **settings)  # type: ignore[arg-type]


def test_an_empty_split_names_the_table(tmp_path: Path) -> None:
    path = write_text(tmp_path, "path,label,split\n1.mp4,a,train\n2.mp4,a,val\n")
    with pytest.raises(DataError, match=r"looked for rows of .*clips\.csv with split=test"):
        read_table(path).split("test")
