"""`mudra segment`: one row per event, a folder per file; one bad file stops nothing and is not kept quiet."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from mudra.cli.segment import read_truth
from mudra.video import open_video, write_video
from tests.cli.conftest import CLASSES, Mudra, damage
from tests.fixtures.stream_run import draw_stream, write_frame_run

EASY = ("--decoder", "on_threshold=0.05", "--decoder", "off_threshold=0.04", "--decoder", "late_threshold=0.05")
FILES = {"timeline.png", "timeline.svg", "events.csv", "events.srt"}


@pytest.fixture
def films(tmp_path: Path) -> Path:
    (tmp_path / "films").mkdir()
    for name in ("one", "two"):
        write_video(tmp_path / "films" / f"{name}.mp4", draw_stream([0, 1, 2] * 12, size=(32, 40)))
    return tmp_path / "films"


@pytest.fixture
def frame_run(tmp_path: Path) -> Path:
    return write_frame_run(tmp_path / "frames")


def test_every_event_has_a_row(mudra: Mudra, frame_run: Path, films: Path) -> None:
    outcome = mudra("segment", frame_run, films, *EASY, "--csv", "all.csv")
    assert outcome.code == 0, outcome.err
    lines = [line.split("\t") for line in outcome.out.splitlines()]
    assert {line[0] for line in lines} == {str(films / "one.mp4"), str(films / "two.mp4")}
    assert all(line[1] in ("still", "wave", "push") and float(line[2]) < float(line[3]) for line in lines)
    assert f"{films / 'one.mp4'}: " in outcome.err
    assert "36 frames judged" in outcome.err
    with Path("all.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == [line[1] for line in lines]


def test_each_file_has_a_folder(mudra: Mudra, frame_run: Path, films: Path, tmp_path: Path) -> None:
    outcome = mudra("segment", frame_run, films, *EASY, "--out", "out", "--overlay", "--json")
    assert outcome.code == 0, outcome.err
    found = [json.loads(line) for line in outcome.out.splitlines()]
    assert [one["num_frames"] for one in found] == [36, 36]
    for one in found:
        assert set(one["files"]) == FILES | {"overlay.mp4"}
        assert one["end_s"] == pytest.approx(3.6)
        for event in one["events"]:
            assert set(event) == {"label", "start_s", "end_s", "probability", "decided_at_s"}
    with open_video(tmp_path / "out" / "one" / "overlay.mp4") as reader:
        assert len(reader.times_s) == 36


def test_a_run_that_names_clips_can_be_asked_too(mudra: Mudra, colour_run: Path, films: Path) -> None:
    words = ("segment", colour_run, films / "one.mp4", *EASY, "--window", "0.8", "--stride", "0.4", "--srt", "one.srt")
    outcome = mudra(*words)
    assert outcome.code == 0, outcome.err
    assert {line.split("\t")[1] for line in outcome.out.splitlines()} <= set(CLASSES)
    assert Path("one.srt").read_text(encoding="utf-8").startswith("1\n00:00:0")


def test_the_truth_is_compared(mudra: Mudra, frame_run: Path, films: Path) -> None:
    Path("truth.csv").write_text(
        "path,start_s,end_s,label\nfilms/one.mp4,0.5,1.0,wave\nfilms/one.mp4,1.5,2.0,push\n", encoding="utf-8"
    )
    outcome = mudra("segment", frame_run, films, *EASY, "--truth", "truth.csv", "--out", "out")
    assert outcome.code == 0, outcome.err
    assert "--truth says nothing of 1 of 2 files" in outcome.err
    assert "2 true events" in outcome.err
    told = mudra("segment", frame_run, films / "one.mp4", *EASY, "--truth", "truth.csv", "--json").out.splitlines()
    assert json.loads(told[-1])["scores"]["num_true"] == 2
    known = read_truth(Path("truth.csv"))
    events = known[(films / "one.mp4").resolve()]
    assert [(event.label, event.start_s) for event in events] == [("wave", 0.5), ("push", 1.5)]


def test_truth_that_cannot_be_right_is_told(mudra: Mudra, frame_run: Path, films: Path) -> None:
    Path("truth.csv").write_text(
        "path,start_s,end_s,label\nfilms/one.mp4,0.5,1.0,wave\nfilms/one.mp4,15,20,dance\n", encoding="utf-8"
    )
    outcome = mudra("segment", frame_run, films / "one.mp4", *EASY, "--truth", "truth.csv")
    assert outcome.code == 0, outcome.err
    assert "--truth names what the run does not know, and can only miss: dance" in outcome.err
    assert "lasts 3.60 s, and --truth has 1 events that begin later, the first at 15.00 s" in outcome.err


def test_what_is_written_compares_as_truth(mudra: Mudra, frame_run: Path, films: Path) -> None:
    assert mudra("segment", frame_run, films, *EASY, "--csv", "lists/all.csv").code == 2
    Path("lists").mkdir()
    assert mudra("segment", frame_run, films, *EASY, "--csv", "lists/all.csv").code == 0
    outcome = mudra("segment", frame_run, films, *EASY, "--truth", "lists/all.csv")
    assert outcome.code == 0, outcome.err
    assert "F1 1.0000" in outcome.err


def test_a_part_of_every_frame_is_seen(mudra: Mudra, films: Path, tmp_path: Path) -> None:
    run = write_frame_run(tmp_path / "boxed", boxed=True)
    whole = mudra("segment", run, films / "one.mp4", *EASY, "--json")
    assert "the run was trained on boxes around the person" in whole.err
    part = mudra("segment", run, films / "one.mp4", *EASY, "--json", "--box", "0,0,8,8")
    assert part.code == 0, part.err
    assert "trained on boxes" not in part.err
    assert json.loads(part.out.splitlines()[0])["num_frames"] == 36
    outside = mudra("segment", run, films / "one.mp4", *EASY, "--box", "30,0,8,8")
    assert outside.code == 1
    assert "a box of 8x8 pixels at row 30, column 0 of frames of 32x40" in outside.err


def test_one_bad_file_does_not_stop_the_others(mudra: Mudra, frame_run: Path, films: Path) -> None:
    bad = damage(films / "one.mp4")
    outcome = mudra("segment", frame_run, films, films / "gone.mp4", *EASY)
    assert outcome.code == 1
    assert {line.split("\t")[0] for line in outcome.out.splitlines()} == {str(films / "two.mp4")}
    assert f"error: {bad}" in outcome.err
    assert outcome.err.splitlines()[-1] == "2 of 3 could not be read"
    as_json = mudra("segment", frame_run, films, "--json")
    assert [json.loads(line)["path"] for line in as_json.out.splitlines() if "error" in json.loads(line)] == [str(bad)]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("--srt", "x.srt"), "--srt belongs to one file, 2 came"),
        (("--depth", "d.mkv"), "--depth belongs to one file, 2 came"),
        (("--overlay",), "--overlay writes a video, and it is not said where"),
        (("--decoder", "on_threshold=2"), "key 'on_threshold' got 2"),
        (("--truth", "gone.csv"), "gone.csv: no such file or folder"),
        (("--fps", "0"), "--fps is 0"),
        (("--csv", "gone/e.csv"), "gone/e.csv: there is no folder gone"),
        (("--window", "2"), "windows came for a network that labels every frame"),
        (("--box", "1,2,3"), "--box is '1,2,3'; wanted TOP,LEFT,HEIGHT,WIDTH"),
        (("--box", "0,0,0,5"), "--box is '0,0,0,5'"),
    ],
)
def test_words_that_cannot_be_used(
    mudra: Mudra, frame_run: Path, films: Path, words: tuple[str, ...], wanted: str
) -> None:
    outcome = mudra("segment", frame_run, films, *words)
    assert outcome.code == 2
    assert wanted in outcome.err
