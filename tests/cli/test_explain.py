"""`mudra explain`: a folder per file; one bad file stops nothing and is not kept quiet."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from tests.cli.conftest import CLASSES, Mudra, damage
from tests.fixtures.run import tiny_config, write_run

FILES = {"sheet.png", "overlay.mp4", "gates.csv", "explanation.json"}


def test_each_file_has_a_line_and_a_folder(mudra: Mudra, colour_run: Path, gestures: Path, tmp_path: Path) -> None:
    files = [gestures / "push" / "s01_take1.mp4", gestures / "wave" / "s02_take1.mp4"]
    outcome = mudra("explain", colour_run, *files, "--out", "out")
    assert outcome.code == 0, outcome.err
    lines = [line.split("\t") for line in outcome.out.splitlines()]
    assert [line[0] for line in lines] == [str(path) for path in files]
    assert all(line[1].split()[0] in CLASSES for line in lines)
    assert [line[2] for line in lines] == ["out/s01_take1/sheet.png", "out/s02_take1/sheet.png"]
    assert {path.name for path in (tmp_path / "out" / "s01_take1").iterdir()} == FILES


def test_files_of_one_name_have_folders_of_their_own(
    mudra: Mudra, colour_run: Path, gestures: Path, tmp_path: Path
) -> None:
    (tmp_path / "more" / "push").mkdir(parents=True)
    names = ["push/s01_take1.mp4", "wave/s01_take1.mp4"]
    files = [gestures / name for name in names]
    copied = tmp_path / "more" / "push" / "s01_take1.mp4"
    copied.write_bytes(files[0].read_bytes())
    outcome = mudra("explain", colour_run, *files, copied)
    assert outcome.code == 0, outcome.err
    folders = {path.name for path in (tmp_path / "explained").iterdir()}
    assert folders == {"push-s01_take1-1", "wave-s01_take1", "push-s01_take1-2"}


def test_another_class_and_rule_can_be_asked_for(mudra: Mudra, colour_run: Path, gestures: Path) -> None:
    path = gestures / "push" / "s01_take1.mp4"
    told = {}
    for label in CLASSES:
        outcome = mudra("explain", colour_run, path, "--label", label, "--rule", "contrast", "--json", "--start", "0.2")
        assert outcome.code == 0, outcome.err
        told[label] = json.loads(outcome.out)
        assert (told[label]["explained"], told[label]["channel_rule"]) == (label, "contrast")
        assert told[label]["span_s"][0] == 0.2
        assert all(Path(file).is_file() for file in told[label]["files"].values())
    assert set(told["push"]["files"]) == {"sheet", "overlay", "gates", "numbers"}
    other = next(label for label in CLASSES if label != told["push"]["label"])
    line = mudra("explain", colour_run, path, "--label", other).out
    assert f", explained: {other} 0." in line


def test_an_unknown_class_stops_before_any_file(mudra: Mudra, colour_run: Path, gestures: Path, tmp_path: Path) -> None:
    outcome = mudra("explain", colour_run, gestures, "--label", "waves")
    assert outcome.code == 2
    assert f"error[model]: {colour_run} knows no class 'waves'" in outcome.err
    assert "did you mean 'wave'?" in outcome.err
    assert not (tmp_path / "explained").exists()


def test_one_bad_file_does_not_stop_the_others(mudra: Mudra, colour_run: Path, gestures: Path, tmp_path: Path) -> None:
    bad = damage(gestures / "push" / "s02_take1.mp4")
    good = gestures / "push" / "s01_take1.mp4"
    outcome = mudra("explain", colour_run, bad, good, tmp_path / "gone.mp4")
    assert outcome.code == 1
    assert len(outcome.out.splitlines()) == 1
    assert f"error: {bad}" in outcome.err
    assert outcome.err.splitlines()[-1] == "2 of 3 could not be explained"
    as_json = mudra("explain", colour_run, bad, good, "--json")
    assert as_json.code == 1
    assert [("error" in json.loads(line)) for line in as_json.out.splitlines()] == [True, False]


def test_depth_belongs_to_one_file(mudra: Mudra, colour_run: Path, gestures: Path) -> None:
    outcome = mudra("explain", colour_run, gestures / "push", "--depth", "d.mkv")
    assert outcome.code == 2
    assert "--depth belongs to one colour file, 6 came" in outcome.err


def test_temporal_modules_and_a_decoder_from_elsewhere_are_drawn(mudra: Mudra, gestures: Path, tmp_path: Path) -> None:
    changes: dict[str, Any] = {
        "model.backbone": {"kind": "resnet", "depth": 18, "width": 0.125, "temporal_module": {"kind": "tsm"}},
        "model.cells": [],
        "model.top": None,
        "model.head": {"kind": "consensus"},
        "model.decoder": {},
        "data": {"kind": "folder", "root": str(gestures)},
    }
    whole = write_run(tmp_path / "whole", tiny_config(changes), classes=CLASSES)
    without = tmp_path / "without"
    shutil.copytree(whole, without)
    weights = load_file(whole / "weights.safetensors")
    kept = {name: x for name, x in weights.items() if not name.startswith("decoder.")}
    save_file(kept, without / "weights.safetensors")
    card = json.loads((without / "card.json").read_text(encoding="utf-8"))
    (without / "card.json").write_text(json.dumps({**card, "dropped_parts": ["decoder"]}), encoding="utf-8")
    path, words = gestures / "push" / "s01_take1.mp4", ("--blocks", "layer1.0", "--json")
    masks = []
    for number, more in enumerate(((whole,), (without, "--decoder", whole / "weights.safetensors"), (without,))):
        run, *rest = more
        outcome = mudra("explain", run, path, *words, *rest, "--out", f"out{number}")
        assert outcome.code == 0, outcome.err
        told = json.loads(outcome.out)
        assert Path(told["files"]["temporal"]).is_file()
        assert [block["name"] for block in told["temporal"]["blocks"]] == ["layer1.0"]
        masks.append(told["temporal"]["mean_masks"])
        assert ("saved without its decoder" in outcome.err) == (number == 2)
    assert masks[0] == masks[1]
    assert set(masks[0]) == {"local", "global"}
    assert masks[2] == {}
    assert "its checkpoint is not there: no masks are drawn\n  hint: name a checkpoint that has it" in outcome.err
    checkpoint = {"state_dict": {f"network.{name}": x for name, x in weights.items()}}
    torch.save(checkpoint, without / "last.ckpt")
    outcome = mudra("explain", without, path, *words)
    assert json.loads(outcome.out)["temporal"]["mean_masks"] == masks[0]
    assert "decoder" not in outcome.err
    (without / "last.ckpt").write_bytes(b"half of it")
    outcome = mudra("explain", without, path, *words)
    assert outcome.code == 0
    assert json.loads(outcome.out)["temporal"]["mean_masks"] == {}
    assert "last.ckpt: cannot be read as weights" in outcome.err
    outcome = mudra("explain", without, path, "--blocks", "layer9.0")
    assert outcome.code == 1
    assert "no temporal module stands in block 'layer9.0'" in outcome.err
