"""`mudra demo`: the whole job at a tiny size, and folders that it must not replace."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Mudra


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """One clip per class and split, of a few small frames."""
    splits = ("train", "validation", "test")
    monkeypatch.setattr("mudra.cli.demo.CLIPS_PER_CLASS", dict.fromkeys(splits, 1))
    monkeypatch.setattr("mudra.cli.demo.SUBJECTS", dict.fromkeys(splits, 2))
    drawn = {"size": [40, 40], "num_frames": 8, "fps": 15.0, "hardness": "plain", "streams": ["rgb"], "long_streams": 0}
    monkeypatch.setattr("mudra.cli.demo.DRAWN", drawn)


def test_it_goes_from_drawing_to_prediction_and_can_be_repeated(mudra: Mudra) -> None:
    for _ in range(2):
        outcome = mudra("demo", "--out", "shown", "--epochs", "1")
        assert outcome.code == 0, outcome.err
        assert "done in " in outcome.out
        assert outcome.out.count(", drawn as ") == 6
    for name in ("data/clips.csv", "examples.png", "gestures.png", "run/weights.safetensors", "run/report.html"):
        assert (Path("shown") / name).is_file()


def test_a_folder_of_somebody_elses_is_left_alone(mudra: Mudra) -> None:
    mine = Path("project/data/mine.mp4")
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"precious")
    outcome = mudra("demo", "--out", "project", "--epochs", "1")
    assert outcome.code == 2
    assert outcome.err == "error[run]: project: holds data, not an earlier demo\n  hint: name another --out\n"
    assert mine.read_bytes() == b"precious"
    Path("file").touch()
    assert mudra("demo", "--out", "file").code == 2
