"""`mudra predict`: files, folders and patterns; one bad file stops nothing and is not kept quiet."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from mudra.types import Frames
from mudra.video import write_depth
from tests.cli.conftest import CLASSES, Mudra, damage
from tests.fixtures.run import tiny_config, write_run


def test_each_file_has_a_line(mudra: Mudra, colour_run: Path, gestures: Path) -> None:
    outcome = mudra("predict", colour_run, gestures / "push" / "s01_take1.mp4", gestures / "wave" / "s02_take1.mp4")
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert [line.split("\t")[0] for line in lines] == [
        str(gestures / "push" / "s01_take1.mp4"),
        str(gestures / "wave" / "s02_take1.mp4"),
    ]
    assert all(line.split("\t")[1].split()[0] in CLASSES for line in lines)
    assert outcome.err == ""


def test_folders_and_patterns_mean_the_files_in_them(mudra: Mudra, colour_run: Path, gestures: Path) -> None:
    assert len(mudra("predict", colour_run, gestures).out.splitlines()) == 12
    assert (
        len(mudra("predict", colour_run, gestures / "push", gestures / "wave" / "s0[12]_*.mp4").out.splitlines()) == 8
    )


def test_pictures_beside_videos_are_no_recording_and_no_file_comes_twice(
    mudra: Mudra, colour_run: Path, gestures: Path
) -> None:
    (gestures / "push" / "cover.png").write_bytes(b"a thumbnail")
    outcome = mudra("predict", colour_run, gestures / "push", gestures / "push" / "s01_take1.mp4")
    assert outcome.code == 0, outcome.err
    assert len(outcome.out.splitlines()) == 6


def test_json_is_one_object_per_file(mudra: Mudra, colour_run: Path, gestures: Path) -> None:
    outcome = mudra("predict", colour_run, gestures / "push", "--json", "--start", "0.2", "--end", "0.55")
    assert outcome.code == 0
    found = [json.loads(line) for line in outcome.out.splitlines()]
    assert len(found) == 6
    for one in found:
        assert set(one) == {"path", "label", "probability", "top", "span_s", "latency_ms"}
        assert one["top"][0] == {"label": one["label"], "probability": one["probability"]}
        assert sum(ranked["probability"] for ranked in one["top"]) > 0.999
        assert one["span_s"] == [0.2, 0.5]


def test_one_bad_file_does_not_stop_the_others(mudra: Mudra, colour_run: Path, gestures: Path, tmp_path: Path) -> None:
    bad = damage(gestures / "push" / "s02_take1.mp4")
    outcome = mudra("predict", colour_run, gestures / "push", tmp_path / "gone.mp4")
    assert outcome.code == 1
    assert len(outcome.out.splitlines()) == 5
    assert f"error: {bad}" in outcome.err
    assert "gone.mp4" in outcome.err
    assert outcome.err.splitlines()[-1] == "2 of 7 could not be read"
    as_json = mudra("predict", colour_run, gestures / "push", "--json")
    assert as_json.code == 1
    errors = [one for one in map(json.loads, as_json.out.splitlines()) if "error" in one]
    assert [one["path"] for one in errors] == [str(bad)]
    assert as_json.err.splitlines()[-1] == "1 of 6 could not be read"


def test_an_empty_folder_counts_as_failed(mudra: Mudra, colour_run: Path, gestures: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    outcome = mudra("predict", colour_run, tmp_path / "empty", gestures / "push" / "s01_take1.mp4")
    assert outcome.code == 1
    assert "empty: a folder without videos or frames" in outcome.err
    assert outcome.err.splitlines()[-1] == "1 of 2 could not be read"


def test_an_empty_word_is_not_the_current_folder(mudra: Mudra, colour_run: Path, gestures: Path) -> None:
    outcome = mudra("predict", colour_run, "", gestures / "push" / "s01_take1.mp4")
    assert outcome.code == 1
    assert "error: a path is empty" in outcome.err
    assert outcome.err.splitlines()[-1] == "1 of 2 could not be read"


def test_a_folder_that_is_no_run_is_refused(mudra: Mudra, gestures: Path) -> None:
    outcome = mudra("predict", gestures, gestures / "push")
    assert outcome.code == 2
    assert outcome.err.startswith(f"error[run]: {gestures}: not a finished run")


def test_a_run_on_both_takes_the_depth_beside_the_colour(mudra: Mudra, gestures: Path, tmp_path: Path) -> None:
    run = write_run(tmp_path / "both", tiny_config({"clip.streams": ["rgb", "depth"]}), classes=CLASSES)
    write_depth(tmp_path / "d.mkv", Frames(np.full((8, 32, 40, 1), 900, np.uint16), np.arange(8) / 10))
    colour = gestures / "push" / "s01_take1.mp4"
    assert mudra("predict", run, colour, "--depth", tmp_path / "d.mkv").code == 0
    without = mudra("predict", run, colour)
    assert without.code == 1
    assert "the run looks at colour and depth" in without.err
