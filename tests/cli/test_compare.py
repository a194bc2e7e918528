"""`mudra compare`: tables and pictures of two runs on the same clips; plain words where something is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import CLASSES, Mudra, damage
from tests.fixtures.run import tiny_config, write_run

FILES = {f"{name}.{suffix}" for name in ("classes", "speeds", "gates") for suffix in ("csv", "svg", "png")}


@pytest.fixture
def depthless(tmp_path: Path) -> Path:
    """A run without recurrence over the same folder as `colour_run`, its classes in another order."""
    changes = {"model.cells": [], "data": {"kind": "folder", "root": str(tmp_path / "gestures")}}
    return write_run(tmp_path / "plain", tiny_config(changes), classes=CLASSES[::-1])


def test_two_runs_are_compared(mudra: Mudra, colour_run: Path, depthless: Path, gestures: Path, tmp_path: Path) -> None:
    outcome = mudra("compare", depthless, colour_run, "--split", "train", "--out", "both")
    assert outcome.code == 0, outcome.err
    scores, counts, *_, written = outcome.out.splitlines()
    assert scores.startswith("8 clips: top-1 ")
    assert counts.startswith("right: both ")
    assert "only plain " in counts
    assert written.startswith("written: both/classes.csv, both/comparison.json, both/classes.png")
    assert {path.name for path in (tmp_path / "both").iterdir()} == FILES | {"comparison.json"}
    assert "plain has no recurrent cell over maps" in outcome.err
    gates = (tmp_path / "both" / "gates.csv").read_text(encoding="utf-8")
    assert "run,input_gate" in gates


def test_the_accuracies_are_those_of_evaluate(mudra: Mudra, colour_run: Path, depthless: Path, gestures: Path) -> None:
    words = ("--split", "train", "--flow-clips", "0", "--gate-clips", "0", "--json")
    outcome = mudra("compare", colour_run, depthless, *words)
    assert outcome.code == 0, outcome.err
    told = json.loads(outcome.out)
    assert [Path(path).name for path in told["files"]] == ["classes.csv", "comparison.json", "classes.png"]
    for run, top1 in zip((colour_run, depthless), told["top1"], strict=True):
        assert json.loads(mudra("evaluate", run, "--split", "train", "--json").out)["top1"] == top1


def test_what_cannot_be_compared_is_refused(mudra: Mudra, colour_run: Path, gestures: Path, tmp_path: Path) -> None:
    config = tiny_config({"data": {"kind": "folder", "root": str(gestures)}})
    other = write_run(tmp_path / "other", config, classes=("push", "circle"))
    outcome = mudra("compare", colour_run, other)
    assert outcome.code == 2
    assert "run and other know different classes: the second lacks wave and adds circle" in outcome.err
    outcome = mudra("compare", colour_run, colour_run)
    assert (outcome.code, "name two different runs" in outcome.err) == (2, True)
    outcome = mudra("compare", colour_run, tmp_path / "nothing")
    assert (outcome.code, "not a finished run" in outcome.err) == (2, True)


def test_a_damaged_file_is_told(mudra: Mudra, colour_run: Path, depthless: Path, gestures: Path) -> None:
    bad = damage(gestures / "push" / "s01_take1.mp4")
    words = ("--flow-clips", "0", "--gate-clips", "0")
    outcomes = [
        mudra("compare", colour_run, depthless, *words, "--split", name) for name in ("train", "validation", "test")
    ]
    told = [outcome for outcome in outcomes if outcome.code == 1]
    assert len(told) == 1
    assert f"not read: {bad}" in told[0].err
