"""From video files to predictions through the command line alone, and a run that is stopped from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

import mudra
from mudra.clips import RunCard
from mudra.datasets import SyntheticConfig
from mudra.datasets.synthetic import MIRROR_PAIRS, SYNTHETIC_CLASSES, write_synthetic
from mudra.training import train
from mudra.training.callback import read_curves
from tests.fixtures.run import tiny_config

TIMEOUT_S = 120


def command(*words: object) -> list[str]:
    return [sys.executable, "-c", "from mudra.cli import main; main()", *map(str, words)]


@pytest.fixture
def on_one_thread(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("MUDRA_CACHE", str(tmp_path / ".cache"))


def test_drawn_videos_are_learnt_and_named(tmp_path: Path) -> None:
    """Twenty-one steps on files: the loss falls, and the run names the clips of those files as it says it does."""
    drawn = SyntheticConfig(
        clips_per_class_train=2,
        clips_per_class_validation=1,
        clips_per_class_test=1,
        size=(48, 48),
        num_frames=8,
        hardness="plain",
        long_streams=0,
    )
    table = write_synthetic(tmp_path / "data", drawn)
    data = {"kind": "table", "path": str(table), "classes": SYNTHETIC_CLASSES, "mirror": MIRROR_PAIRS}
    changes = {"model.head.dropout": 0.0, "clip.augmentation.mirror_probability": 0.0, "schedule": "constant"}
    config = tiny_config({"data": data, "fitting.epochs": 7, "clip.streams": ["rgb", "depth"], **changes})
    assert config.data is not None
    dataset = config.data.build()
    run = train(config, dataset, tmp_path / "run", tell=lambda line: None)
    rows = read_curves(run / "metrics.csv")
    assert rows[-1]["train_loss"] < 0.93 * rows[0]["train_loss"]
    predictor = mudra.load(run)
    right = 0
    validation = dataset.split("validation")
    for recording in validation:
        prediction = predictor.predict(recording.path, depth=recording.depth_path)
        right += prediction.label == dataset.card.classes[recording.label or 0]
    assert right / len(validation) == pytest.approx(rows[-1]["validation_top1"], abs=1e-4)


@pytest.mark.usefixtures("on_one_thread")
def test_ctrl_c_leaves_the_last_and_the_best_state_and_the_run_goes_on(tmp_path: Path) -> None:
    config = tmp_path / "tiny.yaml"
    config.write_text(tiny_config({"fitting.epochs": 100_000}).to_yaml(), encoding="utf-8")
    run = tmp_path / "run"
    words = command("train", config, "--out", run)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        deadline = time.monotonic() + TIMEOUT_S
        while not (run / "best.ckpt").exists() or not (run / "last.ckpt").exists():
            assert process.poll() is None, process.stdout and process.stdout.read()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        os.kill(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert output.endswith(f"  mudra train {run / 'run.yaml'} --out {run} --resume\nstopped\n")
    assert {"last.ckpt", "best.ckpt", "weights.safetensors", "card.json"} <= {path.name for path in run.iterdir()}
    card = RunCard.model_validate_json((run / "card.json").read_text(encoding="utf-8"))
    assert card.epochs >= 1
    assert card.made_with["finished"] is False
    assert mudra.load(run).classes == SYNTHETIC_CLASSES
    longer = command("train", config, f"fitting.epochs={card.epochs + 1}", "--out", run, "--resume")
    done = subprocess.run(longer, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    after = RunCard.model_validate_json((run / "card.json").read_text(encoding="utf-8"))
    assert after.epochs == card.epochs + 1
    assert [row["epoch"] for row in read_curves(run / "metrics.csv")] == list(range(1, after.epochs + 1))


@pytest.mark.real
@pytest.mark.usefixtures("on_one_thread")
def test_real_hands_in_depth_go_through_training_and_prediction(tmp_path: Path, shared_data: Path) -> None:
    root = shared_data / "shrec2017"
    if not root.is_dir():
        pytest.skip(f"no recordings at {root}")
    data = {"kind": "shrec2017", "root": str(root)}
    changes = {"data": data, "clip.streams": ["depth"], "clip.region": "motion", "fitting.epochs": 1}
    config = tiny_config({**changes, "loader.cache": "none"})
    assert config.data is not None
    dataset = config.data.build()
    few = {split: found[:: max(1, len(found) // 16)][:16] for split, found in dataset.recordings.items() if found}
    from dataclasses import replace

    run = train(config, replace(dataset, recordings=few), tmp_path / "run", tell=lambda line: None)
    assert all(value.isfinite().all() for value in load_file(run / "weights.safetensors").values())
    path = few["train"][0].path
    done = subprocess.run(command("predict", run, path, "--json"), capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["label"] in dataset.card.classes
    assert answer == {**answer, "path": str(path)}
