"""`mudra fuse`: weights from one split, scores of another, a table, a report; plain words where a score is too good."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import CLASSES, Mudra, damage
from tests.fixtures.run import tiny_config, write_run


@pytest.fixture
def flow_run(tmp_path: Path) -> Path:
    """A run on flow over the same folder as `colour_run`, its classes in another order."""
    changes = {"clip.streams": ["flow"], "data": {"kind": "folder", "root": str(tmp_path / "gestures")}}
    return write_run(tmp_path / "flow", tiny_config(changes), classes=CLASSES[::-1])


def test_runs_are_fused_and_told_beside_each(
    mudra: Mudra, colour_run: Path, flow_run: Path, gestures: Path, tmp_path: Path
) -> None:
    outcome = mudra("fuse", colour_run, flow_run, "--out", "both")
    assert outcome.code == 0, outcome.err
    head, first, second, fused, count, report = outcome.out.splitlines()
    assert head.split() == ["run", "streams", "weight", "top-1", "mean", "class", "log-loss"]
    assert (first.split()[:2], second.split()[:2], fused.split()[0]) == (["run", "rgb"], ["flow", "flow"], "fused")
    assert report == "report: both/report.html"
    told = json.loads((tmp_path / "both" / "fusion.json").read_text(encoding="utf-8"))
    assert count == f"{told['fused']['num_clips']} clips"
    assert float(first.split()[2]) == pytest.approx(told["runs"][0]["weight"], abs=1e-3)
    assert sum(run["weight"] for run in told["runs"]) == pytest.approx(1.0)
    assert told["tuned"]["num_clips"] == 2
    assert told["warnings"] == []
    names = {"fusion.json", "report.html", "predictions.csv", "scores.json"}
    assert {path.name for path in (tmp_path / "both").iterdir()} == names
    assert "tuned on validation" in (tmp_path / "both" / "report.html").read_text(encoding="utf-8")


def test_the_scores_alone_are_those_of_evaluate(mudra: Mudra, colour_run: Path, flow_run: Path, gestures: Path) -> None:
    outcome = mudra("fuse", colour_run, flow_run, "--split", "train", "--json")
    assert outcome.code == 0, outcome.err
    runs = json.loads(outcome.out)["runs"]
    for run, told in zip((colour_run, flow_run), runs, strict=True):
        alone = json.loads(mudra("evaluate", run, "--split", "train", "--json").out)
        assert told["top1"] == alone["top1"]
        assert told["mean_nll"] == pytest.approx(alone["mean_nll"], abs=1e-6)


def test_tuning_on_what_is_judged_is_warned_of(mudra: Mudra, colour_run: Path, flow_run: Path, gestures: Path) -> None:
    outcome = mudra("fuse", colour_run, flow_run, "--tune", "test")
    assert outcome.code == 0
    assert outcome.err.startswith("warning: the weights were tuned on 2 of the 2 clips that are judged")


def test_equal_and_given_weights_need_no_tuning(mudra: Mudra, colour_run: Path, flow_run: Path, gestures: Path) -> None:
    for words, weights in ((("--tune", "none"), [0.5, 0.5]), (("--weights", "3,1"), [0.75, 0.25])):
        outcome = mudra("fuse", colour_run, flow_run, "--json", *words)
        assert outcome.code == 0, outcome.err
        told = json.loads(outcome.out)
        assert [run["weight"] for run in told["runs"]] == weights
        assert told["tuned"] is None


def test_runs_of_one_name_are_told_by_their_paths(
    mudra: Mudra, colour_run: Path, gestures: Path, tmp_path: Path
) -> None:
    config = tiny_config({"data": {"kind": "folder", "root": str(gestures)}})
    twin = write_run(tmp_path / "other" / "run", config, classes=CLASSES)
    outcome = mudra("fuse", colour_run, twin, "--json")
    assert [run["name"] for run in json.loads(outcome.out)["runs"]] == [str(colour_run), str(twin)]


def test_wrong_words_are_refused(mudra: Mudra, colour_run: Path, flow_run: Path, gestures: Path) -> None:
    refused = {
        ("--weights", "half,half"): "--weights 'half,half' is no list of numbers",
        ("--weights", "1,2,3"): "weights 1, 2, 3 for 2 runs",
        ("--split", "tset"): "did you mean 'test'?",
        ("--tune", "validatoin"): "did you mean 'validation'?",
    }
    for words, message in refused.items():
        outcome = mudra("fuse", colour_run, flow_run, *words)
        assert (outcome.code, message in outcome.err) == (2, True), (words, outcome)
    alone = mudra("fuse", colour_run)
    assert alone.code == 2
    assert "1 different runs came" in alone.err


def test_runs_with_other_classes_are_refused(mudra: Mudra, colour_run: Path, gestures: Path, tmp_path: Path) -> None:
    config = tiny_config({"data": {"kind": "folder", "root": str(gestures)}})
    other = write_run(tmp_path / "other", config, classes=("push", "circle"))
    outcome = mudra("fuse", colour_run, other)
    assert outcome.code == 2
    assert "run and other know different classes: the second lacks wave and adds circle" in outcome.err


def test_a_damaged_file_is_told_and_the_others_are_judged(
    mudra: Mudra, colour_run: Path, flow_run: Path, gestures: Path
) -> None:
    whole = mudra("fuse", colour_run, flow_run, "--split", "train", "--json")
    train = (Path("fused") / "predictions.csv").read_text(encoding="utf-8").splitlines()[1].split(",")[0]
    bad = damage(Path(train))
    outcome = mudra("fuse", colour_run, flow_run, "--split", "train", "--json")
    assert outcome.code == 1
    assert f"not read: {bad}" in outcome.err
    counts = [json.loads(told.out)["fused"]["num_clips"] for told in (whole, outcome)]
    assert counts[1] == counts[0] - 1
