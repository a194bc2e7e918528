"""`mudra data`: facts, checks and the drawn set."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from tests.cli.conftest import CLASSES, Mudra, damage
from tests.fixtures.streams import build_montalbano_sample
from tests.fixtures.trees import build_isogd


def test_the_help_names_every_command_with_an_example(mudra: Mudra) -> None:
    outcome = mudra("data", "--help")
    assert outcome.code == 0
    assert "Example: mudra data info my_gestures\n" in outcome.out
    assert "mudra data features agethen2019/table1/conv_3 data=ucf101 data.root=ucf101 --out maps\n" in outcome.out
    commands = outcome.out.partition("Commands:")[2].splitlines()
    assert [line.split()[0] for line in commands if line.strip()] == ["info", "check", "synth", "features"]


def test_facts_of_a_folder(mudra: Mudra, gestures: Path) -> None:
    outcome = mudra("data", "info", gestures, "--grid", "grid.png")
    assert outcome.code == 0, outcome.err
    assert "gestures: 2 classes, 12 recordings measured" in outcome.out
    assert "sizes: 40x32 (12)" in outcome.out
    assert "subjects in more than one split: none" in outcome.out
    assert Path("grid.png").read_bytes().startswith(b"\x89PNG")


def test_facts_as_json(mudra: Mudra, gestures: Path) -> None:
    outcome = mudra("data", "info", gestures, "--json")
    facts = json.loads(outcome.out)
    assert facts["classes"] == list(CLASSES)
    assert facts["sizes"] == [{"height": 32, "width": 40, "recordings": 12}]
    assert sum(split["num_recordings"] for split in facts["splits"].values()) == 12
    assert facts["fps"]["median"] == 10


def test_settings_of_the_data_set_can_be_given(mudra: Mudra, gestures: Path) -> None:
    facts = json.loads(mudra("data", "info", gestures, "fractions=[1,0,0]", "--json").out)
    assert facts["splits"]["train"]["num_recordings"] == 12
    wrong = mudra("data", "info", gestures, "fraction=[1,0,0]")
    assert wrong.code == 2
    assert "did you mean 'fractions'?" in wrong.err


def test_a_part_of_a_published_set_is_shown_with_what_is_missing(mudra: Mudra, tmp_path: Path) -> None:
    root = build_isogd(tmp_path / "isogd", num_train=3)
    (root / "train/001/M_00002.avi").unlink()
    facts = json.loads(mudra("data", "info", root, "--json").out)
    assert facts["splits"]["train"]["num_recordings"] == 2
    assert "1 of 3 train recordings are not there" in facts["warnings"][0]
    assert "Millimetres are nominal" in " ".join(facts["remarks"])
    assert "Millimetres are nominal" in mudra("data", "info", root).out
    refused = mudra("data", "info", root, "on_missing=refuse")
    assert refused.code == 2
    assert "1 of 3 train recordings are not there; looked for" in refused.err


def test_what_is_in_streams_is_shown(mudra: Mudra, gestures: Path) -> None:
    rows = [("a.mp4", 0.0, 0.4, "wave"), ("a.mp4", 0.5, 0.7, "push"), ("b.mp4", "", "", "")]
    for name, path in zip(("a.mp4", "b.mp4"), sorted(gestures.rglob("*.mp4")), strict=False):
        (gestures.parent / name).write_bytes(path.read_bytes())
    table = gestures.parent / "mine.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "start_s", "end_s", "label"), *rows])
    outcome = mudra("data", "info", table)
    assert outcome.code == 0, outcome.err
    assert "2 uncut streams with 2 segments of 0.2 to 0.4 s, median 0.3" in outcome.out
    assert "in no segment, of the class 'no gesture': " in outcome.out
    assert "wave 0 s" in outcome.out
    facts = json.loads(mudra("data", "info", table, "idle_class=null", "--json").out)
    assert facts["streams"]["segment_s"]["maximum"] == 0.4
    assert facts["streams"]["idle_class"] is None
    assert facts["streams"]["class_s"].keys() == {"push", "wave"}
    assert mudra("data", "check", table, "--workers", "0").out == "2 files checked, 0 damaged\n"


def test_the_videos_in_archives_are_checked(mudra: Mudra, tmp_path: Path) -> None:
    build_montalbano_sample(tmp_path / "samples", 3)
    outcome = mudra("data", "check", tmp_path / "samples", "--workers", "0")
    assert (outcome.code, outcome.out) == (0, "2 files checked, 0 damaged\n")


def test_a_missing_folder_is_refused(mudra: Mudra, tmp_path: Path) -> None:
    for words in (("info",), ("check",)):
        outcome = mudra("data", *words, tmp_path / "gone")
        assert outcome.code == 2
        assert "no such file or folder" in outcome.err


def test_good_files_pass_the_check(mudra: Mudra, gestures: Path) -> None:
    outcome = mudra("data", "check", gestures, "--workers", "0")
    assert (outcome.code, outcome.out) == (0, "12 files checked, 0 damaged\n")


def test_a_check_of_nothing_does_not_pass(mudra: Mudra, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").touch()
    for word in (tmp_path / "notes", tmp_path / "*.mp4"):
        outcome = mudra("data", "check", word)
        assert outcome.code == 2
        assert f"error[video]: {word}: no videos and no folders of pictures\n  hint: known by" in outcome.err


def test_every_bad_file_is_listed_with_exit_code_3(mudra: Mudra, gestures: Path) -> None:
    bad = [damage(gestures / name / "s03_take1.mp4") for name in CLASSES]
    for words in ((), (), ("--fresh",)):  # at first, from the kept verdicts, and decoded again
        outcome = mudra("data", "check", gestures, "--workers", "0", *words)
        assert outcome.code == 3
        lines = outcome.out.splitlines()
        assert lines[-1] == "12 files checked, 2 damaged"
        assert [line.split(": ")[0] for line in lines[:-1]] == [str(path) for path in bad]


def test_the_files_of_a_table_are_checked(mudra: Mudra, gestures: Path) -> None:
    table = gestures.parent / "list.csv"
    rows = [[str(path), path.parent.name] for path in sorted(gestures.rglob("*.mp4"))]
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["path", "label"], *rows[:4]])
    damage(Path(rows[1][0]))
    outcome = mudra("data", "check", table, "--workers", "0")
    assert outcome.code == 3
    assert outcome.out.splitlines()[-1] == "4 files checked, 1 damaged"


def test_the_drawn_set_is_written_and_can_be_looked_at(mudra: Mudra, tmp_path: Path) -> None:
    counts = [f"clips_per_class_{split}=1" for split in ("train", "validation", "test")]
    words = ("size=[32,32]", "num_frames=8", "long_streams=0", "streams=[rgb]")
    outcome = mudra("data", "synth", "drawn", *counts, *words)
    assert outcome.code == 0, outcome.err
    assert "written: drawn/clips.csv" in outcome.out
    assert len(list(Path("drawn").rglob("*.mp4"))) == 36
    facts = json.loads(mudra("data", "info", "drawn", "--json").out)
    assert len(facts["classes"]) == 12
    again = mudra("data", "synth", "drawn")
    assert again.code == 2
    assert "holds something already" in again.err
    wrong = mudra("data", "synth", "other", "clip_per_class_train=1")
    assert "did you mean 'clips_per_class_train'?" in wrong.err
