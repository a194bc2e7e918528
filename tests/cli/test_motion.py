"""`mudra explain` of a run that labels frames: motion features of one run, or of two on the same frames."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mudra.video import write_video
from tests.cli.conftest import Mudra, damage
from tests.fixtures.stream_run import draw_stream, write_frame_run


@pytest.fixture
def film(tmp_path: Path) -> Path:
    write_video(tmp_path / "film.mp4", draw_stream([0, 1, 2] * 8, size=(32, 40)))
    return tmp_path / "film.mp4"


def test_a_file_gets_a_folder(mudra: Mudra, film: Path, tmp_path: Path) -> None:
    run = write_frame_run(tmp_path / "run")
    outcome = mudra("explain", run, film, "--out", "out", "--start", "0.5", "--end", "1.5")
    assert outcome.code == 0, outcome.err
    assert outcome.out.split("\t")[0] == str(film)
    assert {path.name for path in (tmp_path / "out" / "film").iterdir()} == {"motion.png", "motion.mp4", "motion.json"}
    told = json.loads((tmp_path / "out" / "film" / "motion.json").read_text(encoding="utf-8"))
    assert (len(told["times_s"]), list(told["runs"])) == (10, ["run"])


def test_two_runs_on_the_same_frames(mudra: Mudra, film: Path, tmp_path: Path) -> None:
    run = write_frame_run(tmp_path / "a" / "run")
    other = write_frame_run(tmp_path / "b" / "run", changes={"model.backbone.temporal_conv": "none"})
    outcome = mudra("explain", run, film, "--beside", other, "--rule", "contrast", "--json")
    assert outcome.code == 0, outcome.err
    told = json.loads(outcome.out)
    assert list(told["runs"]) == [str(run), str(other)]
    assert all(Path(path).is_file() for path in told["files"].values())


def test_one_bad_file_does_not_stop_the_others(mudra: Mudra, film: Path, tmp_path: Path) -> None:
    run, bad = write_frame_run(tmp_path / "run"), tmp_path / "bad.mp4"
    bad.write_bytes(film.read_bytes())
    damage(bad)
    outcome = mudra("explain", run, bad, film)
    assert outcome.code == 1
    assert f"error: {bad}" in outcome.err
    assert outcome.err.splitlines()[-1] == "1 of 2 could not be explained"
    assert outcome.out.startswith(str(film))


def test_words_that_cannot_be_used(mudra: Mudra, film: Path, colour_run: Path, tmp_path: Path) -> None:
    run = write_frame_run(tmp_path / "run2")
    assert "--label asks about one answer for a clip" in mudra("explain", run, film, "--label", "wave").err
    assert "--depth belongs to one colour file, 2 came" in mudra("explain", run, film, "x.mp4", "--depth", "d.mkv").err
    refused = mudra("explain", colour_run, film, "--beside", run)
    assert refused.code == 2
    assert "--beside is for runs that label frames" in refused.err
