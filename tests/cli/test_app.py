"""The command itself: help, version, exit codes and how errors are told."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer

import mudra as package
from mudra.cli.app import app
from mudra.errors import DataError
from tests.cli.conftest import Mudra

COMMANDS = [
    ("train",),
    ("evaluate",),
    ("predict",),
    ("segment",),
    ("tune",),
    ("explain",),
    ("compare",),
    ("fuse",),
    ("score",),
    ("cost",),
    ("demo",),
    ("list",),
    ("data", "info"),
    ("data", "check"),
    ("data", "features"),
    ("data", "synth"),
]


def test_every_command_is_known_here() -> None:
    """A command without its tests would be missing from the list above."""
    group = typer.main.get_command(app)
    found = set()
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found |= {(name, other) for other in inner} if inner else {(name,)}
    assert found == set(COMMANDS)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_shows_an_example_on_a_line_of_its_own(mudra: Mudra, words: tuple[str, ...]) -> None:
    for flag in ("--help", "-h"):
        outcome = mudra(*words, flag)
        assert outcome.code == 0
        examples = [line.strip() for line in outcome.out.splitlines() if "mudra" in line and "Usage" not in line]
        first = next(line for line in examples if line.startswith("Example: "))
        assert first.startswith(f"Example: mudra {' '.join(words)}")
        assert all(line.count("mudra ") == 1 for line in examples)


def test_help_lists_the_commands_and_so_do_no_words_at_all(mudra: Mudra) -> None:
    outcome = mudra("--help")
    assert outcome.code == 0
    assert all(words[0] in outcome.out for words in COMMANDS)
    silent = mudra()
    assert "train" in silent.out + silent.err


def test_the_version_is_the_packages(mudra: Mudra) -> None:
    assert mudra("--version") == (0, f"{package.__version__}\n", "")


def test_an_unknown_command_is_refused(mudra: Mudra) -> None:
    outcome = mudra("trian")
    assert outcome.code == 2
    assert "trian" in outcome.err


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["--version"]])
def test_help_does_not_wait_for_torch(words: list[str]) -> None:
    code = (
        "import sys\nfrom mudra.cli import main\n"
        "try:\n    main()\nexcept SystemExit as stopped:\n    assert not stopped.code\n"
        "heavy = {'torch', 'lightning', 'cv2', 'av', 'matplotlib', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_errors_are_told_in_two_lines_without_a_traceback(mudra: Mudra, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise DataError("0 recordings in x.csv", hint="look again")

    monkeypatch.setattr("mudra.cli.app.app", fail)
    assert mudra("train") == (2, "", "error[data]: 0 recordings in x.csv\n  hint: look again\n")


def test_ctrl_c_exits_with_130(mudra: Mudra, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mudra.recipes.list_recipes", stop)
    assert mudra("list") == (130, "", "stopped\n")  # within a command
    monkeypatch.setattr("mudra.cli.app.app", stop)
    assert mudra("train") == (130, "", "stopped\n")
