"""`mudra score`: label files in, scores out; what is missing is told."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Mudra


def write(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """Two samples of 100 frames, 20 per second."""
    write(tmp_path / "truth", "Sample0001_labels.csv", "1,1,21\n2,41,61\n")
    write(tmp_path / "truth", "Sample0002_labels.csv", "3,11,31\n")
    for name in ("Sample0001", "Sample0002"):
        write(tmp_path / "truth", f"{name}_data.csv", "100,20,4095\n")
    return tmp_path / "truth"


@pytest.fixture
def found(tmp_path: Path) -> Path:
    """The first gesture half a second late, the second right, and one of a class that the sample lacks."""
    write(tmp_path / "found", "Sample0001_prediction.csv", "1,11,21\n2,41,61\n4,71,81\n")
    write(tmp_path / "found", "Sample0002_prediction.csv", "3,11,31\n")
    return tmp_path / "found"


def test_all_scores_as_json(mudra: Mudra, truth: Path, found: Path) -> None:
    outcome = mudra("score", truth, found, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    scores = json.loads(outcome.out)
    assert scores["mean_jaccard"] == {
        "gt_classes": pytest.approx((0.75 + 1) / 2),
        "union": pytest.approx((0.5 + 1) / 2),
        "all_classes": pytest.approx((1.5 / 20 + 1 / 20) / 2),
    }
    assert (scores["num_samples"], scores["end"], scores["missing"], scores["extra"]) == (2, "exclusive", [], [])
    assert (scores["num_frames"], scores["num_segments"]) == (200, 3)
    assert scores["precision"] == pytest.approx(3 / 4)  # 1, 1, 1, and 0 for class 4
    assert scores["recall"] == pytest.approx((0.5 + 1 + 1) / 3)
    assert scores["error_rate"] == pytest.approx(1 / 3)
    events = scores["events"]
    assert (events["num_true"], events["num_predicted"], events["num_matched"]) == (3, 4, 3)
    assert events["start_error"]["mean_ms"] == pytest.approx(500 / 3)
    assert events["end_error"]["mean_absolute_ms"] == 0
    assert events["levenshtein_accuracy"] == pytest.approx(1 - 1 / 3)
    assert events["idle_hours"] == pytest.approx(7 / 3600)
    assert events["num_false_alarms"] == 1
    assert events["mean_delay_ms"] is None


def test_the_same_in_words(mudra: Mudra, truth: Path, found: Path) -> None:
    outcome = mudra("score", truth, found)
    assert outcome.code == 0
    assert "2 with 200 frames and 3 gestures" in outcome.out
    for value in ("0.8750", "0.7500", "0.0625", "F1 0.8571", "167 ms (median 0, bias +167)", "0.6667", "1 in 0.00 h"):
        assert value in outcome.out, value


def test_an_inclusive_end_is_one_frame_more(mudra: Mudra, truth: Path, found: Path) -> None:
    scores = json.loads(mudra("score", truth, found, "--end", "inclusive", "--json").out)
    assert scores["end"] == "inclusive"
    assert scores["mean_jaccard"]["gt_classes"] == pytest.approx(((11 / 21 + 1) / 2 + 1) / 2)


def test_the_wanted_overlap_decides_what_is_found(mudra: Mudra, truth: Path, found: Path) -> None:
    strict = json.loads(mudra("score", truth, found, "--iou", "0.6", "--json").out)
    assert strict["events"]["num_matched"] == 2
    assert "IoU 0.6" in mudra("score", truth, found, "--iou", "0.6").out


def test_tables_of_classes_and_samples(mudra: Mudra, tmp_path: Path, truth: Path, found: Path) -> None:
    words = ("--per-class", tmp_path / "out" / "classes.csv", "--per-sample", tmp_path / "out" / "samples.csv")
    assert mudra("score", truth, found, "--classes", "4", *words).code == 0
    with (tmp_path / "out" / "classes.csv").open(encoding="utf-8") as file:
        classes = list(csv.DictReader(file))
    assert [row["name"] for row in classes] == ["1", "2", "3", "4"]
    assert [row["jaccard"] for row in classes] == ["0.5", "1.0", "1.0", ""]
    with (tmp_path / "out" / "samples.csv").open(encoding="utf-8") as file:
        samples = list(csv.DictReader(file))
    assert [(row["name"], row["gt_classes"], row["num_wrong"]) for row in samples] == [
        ("Sample0001", "0.75", "1"),
        ("Sample0002", "1.0", "0"),
    ]


def test_a_missing_sample_counts_as_nothing_recognised(mudra: Mudra, truth: Path, found: Path) -> None:
    (found / "Sample0002_prediction.csv").rename(found / "Sample0003_prediction.csv")
    outcome = mudra("score", truth, found, "--json")
    assert outcome.code == 1
    scores = json.loads(outcome.out)
    assert scores["mean_jaccard"]["gt_classes"] == pytest.approx(0.75 / 2)
    assert scores["events"]["num_true"] == 3
    assert (scores["missing"], scores["extra"]) == (["Sample0002"], ["Sample0003_prediction.csv"])
    missing, extra = outcome.err.splitlines()
    assert missing.startswith(f"missing: 1 of 2 samples have no predictions in {found}: Sample0002_prediction.csv")
    assert extra.startswith(f"extra: 1 predictions have no ground truth in {truth}: Sample0003_prediction.csv")


def test_rows_past_the_last_frame_are_cut_and_told(mudra: Mudra, truth: Path, found: Path) -> None:
    write(found, "Sample0002_prediction.csv", "3,11,31\n5,91,120\n6,105,110\n")
    outcome = mudra("score", truth, found, "--json")
    assert outcome.code == 0
    assert "cut: 2 rows of Sample0002 reach past the last frame" in outcome.err
    classes = json.loads(outcome.out)["per_class"]
    assert (classes[4]["precision"], classes[5]["precision"]) == (0.0, None)
    assert json.loads(outcome.out)["events"]["num_predicted"] == 5
    write(truth, "Sample0002_labels.csv", "3,81,101\n")
    write(found, "Sample0002_prediction.csv", "3,81,141\n")
    assert json.loads(mudra("score", truth, found, "--json").out)["events"]["num_matched"] == 3, "as long as it can be"


def test_predictions_without_ground_truth_alone_are_told(mudra: Mudra, truth: Path, found: Path) -> None:
    write(found, "Sample0003_prediction.csv", "")
    outcome = mudra("score", truth, found)
    assert outcome.code == 1
    assert outcome.err.startswith("extra: 1 predictions")


def test_what_is_no_score_is_shown_as_none(mudra: Mudra, truth: Path, found: Path) -> None:
    for name in ("Sample0001", "Sample0002"):
        write(truth, f"{name}_labels.csv", "")
        write(found, f"{name}_prediction.csv", "")
    outcome = mudra("score", truth, found)
    assert outcome.code == 0
    assert "mean Jaccard        none" in outcome.out
    assert "start, end error    none; none" in outcome.out


def test_folders_and_rows_that_cannot_be_used_are_refused(mudra: Mudra, truth: Path, found: Path) -> None:
    outcome = mudra("score", truth, truth / "nowhere")
    assert outcome.code == 2
    assert "nowhere: no such folder; looked for" in outcome.err
    write(found, "Sample0001_prediction.csv", "21,1,5\n")
    outcome = mudra("score", truth, found)
    assert outcome.code == 2
    assert "Sample0001_prediction.csv, line 1: class 21 is none of 1 to 20" in outcome.err
    assert mudra("score", truth, found, "--classes", "21").code == 0
    (truth / "Sample0002_data.csv").unlink()
    assert "Sample0002_data.csv: cannot be read" in mudra("score", truth, found, "--classes", "21").err


@pytest.mark.real
def test_real_predictions_score_as_the_released_evaluator_says(mudra: Mudra, shared_data: Path) -> None:
    folder = shared_data / "montalbano"
    outcome = mudra("score", folder / "ground_truth", folder / "predictions" / "step1all", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    found = json.loads(outcome.out)["mean_jaccard"]
    assert found["gt_classes"] == pytest.approx(0.7897, abs=5e-5)
    assert found["union"] == pytest.approx(0.7454, abs=5e-5)
    assert found["all_classes"] == pytest.approx(0.5854, abs=5e-5)
