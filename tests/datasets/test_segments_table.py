from __future__ import annotations

from pathlib import Path

import pytest

from mudra.datasets import SegmentsConfig, read_segments
from mudra.datasets.segments_table import COLUMNS
from mudra.errors import ConfigError, DataError
from mudra.types import DepthFormat, Segment, Stream
from tests.fixtures.trees import touch_all, write_csv

HEADER = "path,start_s,end_s,label\n"


def write_text(folder: Path, text: str) -> Path:
    touch_all(folder, ["a.mp4", "b.mp4", "c.mp4"])
    path = folder / "mine.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_of_a_path_are_one_stream(tmp_path: Path) -> None:
    text = HEADER + "a.mp4,4.5,7.25,push\nb.mp4,0,1,grab\na.mp4,1.5,3,grab\n./a.mp4,3,4,push\n"
    dataset = read_segments(write_text(tmp_path, text), fractions=(1.0, 0.0, 0.0))
    assert dataset.card.classes == ("no gesture", "grab", "push")
    assert dataset.card.idle_class == "no gesture"
    assert dataset.card.metric == "mean_jaccard"
    first, second = dataset.split("train")
    assert (first.path, first.label, first.start_s, first.end_s) == (tmp_path / "a.mp4", None, None, None)
    assert first.segments == (Segment(1, 1.5, 3.0), Segment(2, 3.0, 4.0), Segment(2, 4.5, 7.25))
    assert (second.path, second.segments) == (tmp_path / "b.mp4", (Segment(1, 0.0, 1.0),))


def test_all_columns_arrive(tmp_path: Path) -> None:
    touch_all(tmp_path, ["v/a.mp4", "d/a.mkv", "v/b.mp4", "d/b.mkv"])
    rows = [
        ("v/a.mp4", 1, 2, "x", "val", "ann", "d/a.mkv"),
        ("v/a.mp4", 3, 4, "y", "val", "ann", "d/a.mkv"),
        (tmp_path / "v/b.mp4", 1, 2, "x", "test", "ben", "d/b.mkv"),
    ]
    path = write_csv(tmp_path / "mine.csv", [dict(zip(COLUMNS, row, strict=True)) for row in rows])
    dataset = SegmentsConfig(path=path, mm_per_level=2.0, missing_level=255).build()
    (first,), (second,) = dataset.split("validation"), dataset.split("test")
    assert (first.subject, first.split, first.depth_path) == ("ann", "validation", tmp_path / "d/a.mkv")
    assert (second.path, second.subject, second.split) == (tmp_path / "v/b.mp4", "ben", "test")
    assert dataset.card.streams == (Stream.RGB, Stream.DEPTH)
    assert dataset.card.depth == first.depth == DepthFormat(mm_per_level=2.0, missing_level=255)
    assert dataset.card.subjects_disjoint
    alone = read_segments(path, stream=Stream.DEPTH)
    assert (alone.card.streams, alone.all_recordings()[0].stream) == ((Stream.DEPTH,), Stream.DEPTH)


def test_a_path_alone_is_a_stream_without_segments(tmp_path: Path) -> None:
    dataset = read_segments(write_text(tmp_path, HEADER + "a.mp4,,,\nb.mp4,1,2,x\n"), fractions=(1.0, 0.0, 0.0))
    assert [recording.segments for recording in dataset.split("train")] == [(), (Segment(1, 1.0, 2.0),)]
    assert all(recording.is_labelled for recording in dataset.split("train"))


def test_frames_in_no_segment_may_have_another_class_or_none(tmp_path: Path) -> None:
    path = write_text(tmp_path, HEADER + "a.mp4,1,2,x\na.mp4,2,3,rest\n")
    assert read_segments(path, idle_class="rest").card.classes == ("rest", "x")
    card = read_segments(path, idle_class=None).card
    assert (card.classes, card.idle_class) == (("rest", "x"), None)


def test_given_classes_decide_the_labels(tmp_path: Path) -> None:
    path = write_text(tmp_path, HEADER + "a.mp4,1,2,x\n")
    assert read_segments(path, classes=["y", "x"]).card.classes == ("no gesture", "y", "x")
    placed = read_segments(path, classes=["y", "x", "no gesture"])
    assert placed.card.classes == ("y", "x", "no gesture")
    assert placed.all_recordings()[0].segments == (Segment(1, 1.0, 2.0),)
    with pytest.raises(DataError, match="1 classes are not among the 2 that the config names: x"):
        read_segments(path, classes=["y"])


def test_the_idle_class_is_its_own_mirror(tmp_path: Path) -> None:
    path = write_text(tmp_path, HEADER + "a.mp4,1,2,swipe_left\nb.mp4,1,2,swipe_right\n")
    assert read_segments(path, idle_class="hands at work").card.mirror_index() == [0, 2, 1]
    config = SegmentsConfig(path=path, idle_class="hands at work", mirror={"hands at work": None})
    assert config.build().card.mirror_index() is None


def test_without_a_split_whole_subjects_are_drawn(tmp_path: Path) -> None:
    names = [f"{i}.mp4" for i in range(12)]
    touch_all(tmp_path, names)
    rows = [
        {"path": name, "start_s": start, "end_s": start + 1, "label": "x", "subject": f"p{i % 4}"}
        for i, name in enumerate(names)
        for start in (1, 5)
    ]
    path = write_csv(tmp_path / "mine.csv", rows)
    dataset = read_segments(path)
    assert [len(found) for found in dataset.recordings.values()] == [6, 3, 3]
    assert dataset.card.subjects_disjoint
    assert dataset == read_segments(path)
    by_chance = read_segments(path, split_by="chance", seed=3, fractions=(0.5, 0.25, 0.25))
    assert sum(len(found) for found in by_chance.recordings.values()) == 12


def test_a_folder_of_pictures_gets_the_given_rate(tmp_path: Path) -> None:
    touch_all(tmp_path, ["clip/1.png"])
    path = write_text(tmp_path, HEADER + "clip,1,2,x\na.mp4,1,2,x\n")
    dataset = read_segments(path, fps=7.0, fractions=(1.0, 0.0, 0.0))
    assert [recording.fps for recording in dataset.split("train")] == [7.0, None]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the column 'path' is missing"),
        (HEADER, "no rows below the names"),
        ("path,label\na.mp4,x\n", "the column 'start_s' is missing"),
        ("path,start_s,end_s,lable\na.mp4,1,2,x\n", r"unknown column 'lable'\n  hint: did you mean 'label'\?"),
        (HEADER + "a.mp4,1,2,x\n,1,2,x\n", "line 3: path is empty"),
        (HEADER + "a.mp4,1,2,\n", "line 2: label is empty"),
        (HEADER + "a.mp4,,2,x\n", "line 2: start_s is empty"),
        (HEADER + "a.mp4,1,,x\n", "line 2: end_s is empty"),
        (HEADER + "a.mp4,soon,2,x\n", "line 2: start_s is 'soon'; wanted seconds from 0 on"),
        (HEADER + "a.mp4,-1,2,x\n", "line 2: start_s is '-1'"),
        (HEADER + "a.mp4,3,2.5,x\n", r"line 2: end_s is 2\.5, which is not after start_s \(3\)"),
        (
            HEADER + "a.mp4,4,6,x\nb.mp4,5,7,x\na.mp4,1,4.5,y\n",
            r"line 2: start_s is 4, before the end of the segment of .*line 4 \(1 to 4\.5 s\)\n  hint: a frame has one",
        ),
        (HEADER + "a.mp4,1,2,x\na.mp4,1,2,x\n", "line 3: start_s is 1, before the end of the segment of .*line 2"),
        ("path,start_s,end_s,label,split\na.mp4,1,2,x,exam\n", "line 2: split is 'exam'"),
        (
            "path,start_s,end_s,label,split\na.mp4,1,2,x,test\na.mp4,3,4,x,train\n",
            r"line 3: split is 'train', but .*line 2 says 'test' of the same stream\n  hint: write one split",
        ),
        ("path,start_s,end_s,label,subject\na.mp4,1,2,x,ann\na.mp4,3,4,x,\n", "line 3: subject is '', but .*'ann'"),
        ("path,start_s,end_s,label,split\na.mp4,1,2,x,test\nb.mp4,1,2,x,\n", "1 of 2 recordings name no split"),
        (HEADER + "gone.mp4,1,2,x\ngone.mp4,3,4,x\n", r"1 of 1 files do not exist; looked for .*gone\.mp4"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_segments(write_text(tmp_path, text))


def test_segments_that_touch_do_not_overlap(tmp_path: Path) -> None:
    path = write_text(tmp_path, HEADER + "a.mp4,1,2.0005,x\na.mp4,2,3,y\n")
    assert len(read_segments(path).all_recordings()[0].segments or ()) == 2


def test_a_table_without_any_class_is_refused(tmp_path: Path) -> None:
    path = write_text(tmp_path, HEADER + "a.mp4,,,\n")
    with pytest.raises(DataError, match="no row names a label, and there is no class of idle frames"):
        read_segments(path, idle_class=None)
    assert read_segments(path).card.classes == ("no gesture",)


@pytest.mark.parametrize("settings", [{"fractions": (0.5, 0.1, 0.1)}, {"mirror": {"nobody": "x"}}])
def test_settings_that_cannot_be_used_are_refused(tmp_path: Path, settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        read_segments(write_text(tmp_path, HEADER + "a.mp4,1,2,x\n"), **settings)  # type: ignore[arg-type]


def test_an_empty_split_names_the_table(tmp_path: Path) -> None:
    path = write_text(tmp_path, "path,start_s,end_s,label,split\na.mp4,1,2,x,train\nb.mp4,1,2,x,val\n")
    with pytest.raises(DataError, match=r"looked for rows of .*mine\.csv with split=test"):
        read_segments(path).split("test")
