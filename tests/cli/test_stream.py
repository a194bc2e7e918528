"""`mudra evaluate` of a run that labels frames: scores, events and a report beside the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mudra.cli.stream import labels_frames
from mudra.video import write_video
from tests.cli.conftest import Mudra, damage
from tests.fixtures.run import tiny_config, write_run
from tests.fixtures.stream_run import draw_stream, write_frame_run


@pytest.fixture
def streams_run(tmp_path: Path) -> Path:
    """A frame-wise run on a CSV of two test streams and a validation stream."""
    rows = ["path,start_s,end_s,label,split"]
    for name, split in (("one", "test"), ("two", "test"), ("three", "validation"), ("four", "train")):
        write_video(tmp_path / f"{name}.mp4", draw_stream([0] * 10 + [1] * 15 + [2] * 15 + [0] * 10, size=(32, 40)))
        rows += [f"{name}.mp4,1.0,2.5,wave,{split}", f"{name}.mp4,2.5,4.0,push,{split}"]
    (tmp_path / "streams.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    data = {"kind": "segments", "path": str(tmp_path / "streams.csv"), "idle_class": "still"}
    return write_frame_run(tmp_path / "run", changes={"data": data}, idle_class="still")


def test_a_run_is_judged_on_streams(mudra: Mudra, streams_run: Path) -> None:
    outcome = mudra("evaluate", streams_run)
    assert outcome.code == 0, outcome.err
    scores = json.loads((streams_run / "scores.json").read_text(encoding="utf-8"))
    assert scores["num_sequences"] == 2
    assert scores["num_labelled_frames"] == 100
    assert scores["events"]["num_true"] == 4
    assert f"frame accuracy {scores['frame_accuracy']:.4f}" in outcome.out
    assert f"report: {streams_run / 'report.html'}" in outcome.out
    assert (streams_run / "events.csv").is_file()
    page = (streams_run / "report.html").read_text(encoding="utf-8")
    assert "streams.csv" in page


def test_the_report_can_go_elsewhere_and_a_bad_stream_is_told(mudra: Mudra, streams_run: Path, tmp_path: Path) -> None:
    bad = damage(tmp_path / "one.mp4")
    outcome = mudra("evaluate", streams_run, "--out", "results", "--json")
    assert outcome.code == 1
    assert json.loads(outcome.out)["num_sequences"] == 1
    assert f"not read: {bad}" in outcome.err
    assert (tmp_path / "results" / "report.html").is_file()
    assert not (streams_run / "report.html").exists()


def test_a_data_set_of_clips_has_no_streams(mudra: Mudra, tmp_path: Path, gestures: Path) -> None:
    data = {"kind": "folder", "root": str(gestures)}
    run = write_frame_run(tmp_path / "run", changes={"data": data}, classes=("push", "wave"))
    outcome = mudra("evaluate", run, "--split", "train")
    assert outcome.code == 2
    assert "is a stream with segments that can be read" in outcome.err


def test_kinds_of_runs(streams_run: Path, tmp_path: Path) -> None:
    assert labels_frames(streams_run)
    assert not labels_frames(write_run(tmp_path / "clips", tiny_config(), classes=("push", "wave")))
    assert not labels_frames(tmp_path / "nothing")
