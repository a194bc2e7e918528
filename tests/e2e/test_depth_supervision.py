"""Trained on colour and depth, used on a plain colour file: the paper's recipe through the command line alone."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from safetensors.torch import load_file

from mudra.datasets.synthetic import SYNTHETIC_CLASSES
from mudra.training.callback import read_curves
from tests.e2e.test_video_to_prediction import TIMEOUT_S, command
from tests.fixtures.video import VideoMaker

SMALL = (
    "data=synthetic",
    "data.clips_per_class_train=1",
    "data.clips_per_class_validation=1",
    "data.clips_per_class_test=1",
    "data.subjects_train=2",
    "data.size=[40, 48]",
    "data.num_frames=10",
    "data.hardness=plain",
    "model.width=0.0625",
    "model.backbone.pretrained=null",
    "clip.num_frames=4",
    "clip.size=[32, 32]",
    "clip.test_size=[40, 40]",
    "clip.num_test_clips=2",
    "clip.target={far_mm: 2000, reversed: true}",
    "loader.batch_size=4",
    "loader.num_workers=0",
    "fitting.epochs=1",
    "fitting.accelerator=cpu",
)


def test_a_run_that_learned_depth_names_a_colour_file(
    tmp_path: Path, video_maker: VideoMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("MUDRA_CACHE", str(tmp_path / ".cache"))
    run = tmp_path / "run"
    done = subprocess.run(
        command("train", "fan2021/table1/msd", *SMALL, "--out", run), capture_output=True, text=True, timeout=TIMEOUT_S
    )
    assert done.returncode == 0, done.stderr
    (row,) = read_curves(run / "metrics.csv")
    assert {"train_local_loss", "train_global_loss", "validation_local_loss", "validation_global_loss"} <= row.keys()
    assert not any(name.startswith("decoder") for name in load_file(run / "weights.safetensors"))
    colour = video_maker(tmp_path / "colour.mp4", num_frames=12, size=(48, 64))
    done = subprocess.run(command("predict", run, colour, "--json"), capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["label"] in SYNTHETIC_CLASSES
    done = subprocess.run(
        command("evaluate", run, "--split", "validation"), capture_output=True, text=True, timeout=TIMEOUT_S
    )
    assert done.returncode == 0, done.stderr
