"""`mudra` with networks that predict frames: trained, judged, counted, and refused where gestures are named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mudra.cli.future import predicts_frames
from tests.cli.conftest import Mudra

QUICK = (
    "agethen2019/figure3/multi_3_5",
    "data.source=sklearn",
    "data.clips_train=4",
    "data.clips_validation=2",
    "data.clips_test=5",
    "model.encoder.hidden_channels=4",
    "loader.batch_size=2",
    "loader.num_workers=0",
    "fitting.epochs=1",
    "fitting.precision=float32",
)


def test_moving_digits_are_predicted_from_end_to_end(mudra: Mudra) -> None:
    trained = mudra("train", *QUICK, "--out", "run")
    assert trained.code == 0, trained.err
    assert trained.out.endswith("next: mudra evaluate run --split validation\n")
    assert predicts_frames(Path("run"))

    judged = mudra("evaluate", "run", "--out", "results")
    assert judged.code == 0, judged.err
    assert judged.out.splitlines()[0].split() == [
        "speed,",
        "px",
        "per",
        "frame",
        "clips",
        "cross-entropy",
        "squared",
        "error",
    ]
    assert "pictures: results/future.png" in judged.out
    assert Path("results/future.png").read_bytes().startswith(b"\x89PNG")
    scores = json.loads(Path("results/scores.json").read_text(encoding="utf-8"))
    assert scores["num_clips"] == 5
    assert sum(speed["num_clips"] for speed in scores["per_speed"]) == 5
    assert json.loads(mudra("evaluate", "run", "--json", "--out", "results").out) == scores
    assert json.loads(mudra("evaluate", "run", "--json", "--split", "val").out)["num_clips"] == 2

    longer = mudra("train", "run/run.yaml", "fitting.epochs=2", "--out", "run", "--resume")
    assert longer.code == 0, longer.err
    assert "epoch 2/2" in longer.out

    for words in (("predict", "run", "a.mp4"), ("explain", "run", "a.mp4")):
        refused = mudra(*words)
        assert refused.code == 2
        assert "its network predicts frames, and names no clips\n  hint: mudra evaluate run" in refused.err
    for words, said in (
        (("--data", "synthetic"), "--data is for runs that name gestures"),
        (("--split", "tests"), "no split 'tests'\n  hint: did you mean 'test'?"),
    ):
        assert said in mudra("evaluate", "run", *words).err


def test_a_split_without_clips_is_refused(mudra: Mudra) -> None:
    assert mudra("train", *QUICK, "data.clips_validation=0", "--out", "run").code == 0
    assert (
        "0 clips in split 'validation'\n  hint: train with data.clips_validation above 0"
        in mudra("evaluate", "run", "--split", "validation").err
    )


def test_a_dry_run_and_the_cost_say_what_is_predicted(mudra: Mudra) -> None:
    dry = mudra("train", *QUICK, "--dry-run")
    assert dry.code == 0, dry.err
    assert "clips: 4 train, 2 validation" in dry.out
    assert "batch (B, T, C, H, W): (2, 10, 1, 64, 64)" in dry.out
    text = mudra("cost", *QUICK).out
    assert text.startswith("agethen2019/figure3/multi_3_5: 10 frames of 64x64, 10 frames predicted")
    assert {"encoder", "decoder", "to_pixels"} <= {line.split()[0] for line in text.splitlines()}
    masked = json.loads(mudra("cost", "agethen2019/figure14/masks", "model.encoder.hidden_channels=4", "--json").out)
    assert masked["num_frames_out"] == 10
    assert "num_classes" not in masked
    assert "other" not in masked["macs_by_part"]


def test_moving_digits_are_looked_at_like_any_data_set(mudra: Mudra) -> None:
    words = ("source=sklearn", "clips_train=30", "clips_validation=1", "clips_test=5")
    facts = json.loads(mudra("data", "info", "moving_digits", *words, "--json").out)
    assert facts["classes"] == list("0123456789")
    assert facts["splits"]["train"]["num_recordings"] == 30
    assert mudra("data", "info", "moving_digits").err.startswith("error[data]: data.root is missing")


@pytest.mark.parametrize("text", [None, "model: 3", "model: {kind: gesture_net}", "- 1", "a: [", "{}"])
def test_whatever_is_no_such_run_is_left_to_others(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "run.yaml").write_text(text, encoding="utf-8")
    assert not predicts_frames(tmp_path)
