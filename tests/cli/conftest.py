"""The command line as a user meets it: words in, exit code and text out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from mudra.cli import main
from tests.fixtures.run import tiny_config, write_run
from tests.fixtures.video import VideoMaker

CLASSES = ("push", "wave")


class Outcome(NamedTuple):
    """What a command left: its exit code, and what it printed."""

    code: int
    out: str
    err: str


Mudra = Callable[..., Outcome]


@pytest.fixture
def mudra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Mudra:
    """Run `mudra WORDS` in an empty folder and return its outcome."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MUDRA_CACHE", str(tmp_path / ".cache"))
    monkeypatch.setenv("COLUMNS", "120")

    def run(*words: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["mudra", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        code = stopped.value.code
        return Outcome(code if isinstance(code, int) else 0, *capsys.readouterr())

    return run


@pytest.fixture
def gestures(tmp_path: Path, video_maker: VideoMaker) -> Path:
    """A folder per class with a clip of each of six people."""
    for name in CLASSES:
        for subject in range(1, 7):
            video_maker(tmp_path / "gestures" / name / f"s{subject:02d}_take1.mp4", size=(32, 40))
    return tmp_path / "gestures"


@pytest.fixture
def tiny_yaml(tmp_path: Path) -> Path:
    """The tiny run as a file."""
    path = tmp_path / "tiny.yaml"
    path.write_text(tiny_config().to_yaml(), encoding="utf-8")
    return path


@pytest.fixture
def colour_run(tmp_path: Path) -> Path:
    """A run on colour whose classes are those of `gestures`."""
    config = tiny_config().with_overrides({"data": {"kind": "folder", "root": str(tmp_path / "gestures")}})
    return write_run(tmp_path / "run", config, classes=CLASSES)


def damage(path: Path) -> Path:
    """Cut a file off in the middle, as an interrupted copy does."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path
