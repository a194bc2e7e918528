"""What a word on the command line means."""

from __future__ import annotations

from pathlib import Path

import pytest

from mudra.cli.common import find_config, find_dataset, open_dataset, show_progress, without_damaged
from mudra.errors import ConfigError, DataError
from mudra.recipes import find_recipe
from mudra.types import Stream
from tests.cli.conftest import CLASSES, damage
from tests.fixtures.run import tiny_config
from tests.fixtures.trees import build_shrec2017


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MUDRA_CACHE", str(tmp_path / ".cache"))


def find(word: str | Path, *overrides: str) -> tuple[object, list[str]]:
    lines: list[str] = []
    return find_config(str(word), list(overrides), tell=lines.append), lines


def test_a_recipe_a_file_and_a_folder_are_told_apart(tiny_yaml: Path, gestures: Path) -> None:
    assert find("ours/small")[0] == find_recipe("ours/small")
    assert find(tiny_yaml, "seed=4")[0] == tiny_config({"seed": 4})
    config = find_config(str(gestures), [], tell=lambda line: None)
    assert config.recipe == "ours/small"
    assert config.data is not None
    assert config.data.kind == "folder"


def test_depth_data_chooses_the_depth_stream_unless_told_otherwise(tmp_path: Path) -> None:
    root = build_shrec2017(tmp_path / "shrec", subjects={"train": range(1, 4), "test": range(4, 6)})
    config, lines = find(root)
    assert config.clip.streams == (Stream.DEPTH,)  # type: ignore[attr-defined]
    assert "stream depth (others: clip.streams=[...])" in lines[0]
    config, lines = find(root, "clip.streams=[flow]")
    assert config.clip.streams == (Stream.FLOW,)  # type: ignore[attr-defined]
    assert lines == []


@pytest.mark.parametrize("word", ["./gone", "/gone", "~gone", "gone.yml"])
def test_a_word_that_looks_like_a_path_is_refused_as_one(word: str) -> None:
    with pytest.raises(ConfigError, match="no such file or folder\n  hint: give a recipe, a YAML file or a folder"):
        find(word)


def test_a_word_that_is_nothing_is_refused_with_the_nearest_recipe() -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'ours/small'\? Recipes: mudra list recipes. It is no file"):
        find("ours/smal")
    with pytest.raises(ConfigError, match="unknown key 'sede'"):
        find("ours/small", "sede=1")


def test_data_left_open_is_refused() -> None:
    with pytest.raises(ConfigError, match="does not say which data to train on\n  hint: add data=synthetic"):
        open_dataset(find_recipe("ours/small"))


def test_the_runs_settings_go_with_another_root(gestures: Path, tmp_path: Path) -> None:
    config = tiny_config().with_overrides(
        {"data": {"kind": "folder", "root": str(tmp_path / "old"), "fractions": [0.0, 0.0, 1.0]}}
    )
    dataset = find_dataset(str(gestures), config, CLASSES)
    assert {split: len(found) for split, found in dataset.recordings.items() if found} == {"test": 12}


def test_another_kind_of_data_has_its_own_settings(gestures: Path) -> None:
    assert find_dataset(str(gestures), tiny_config(), ("wave", "push", "other")).card.classes[0] == "wave"
    with pytest.raises(DataError, match="classes that the 1 wanted ones lack"):
        find_dataset(str(gestures), tiny_config(), ("wave",))


def test_damage_is_refused_or_left_out(gestures: Path) -> None:
    config = tiny_config().with_overrides({"data": {"kind": "folder", "root": str(gestures)}})
    dataset = open_dataset(config)
    told: list[str] = []

    def progress(done: int, total: int, what: str) -> None:
        told.append(what)

    assert without_damaged(dataset, config, progress) == (dataset, ())
    assert set(told) == {"checking files"}
    bad = damage(dataset.split("train")[0].path)
    with pytest.raises(DataError, match=r"1 of \d+ recordings are damaged"):
        without_damaged(dataset, config, progress)
    kept, left_out = without_damaged(dataset, config.with_overrides(["data.on_damaged=skip"]), progress)
    assert len(kept.split("train")) == len(dataset.split("train")) - 1
    assert bad not in {recording.path for recording in kept.all_recordings()}
    assert len(left_out) == 1
    assert left_out[0].startswith(f"{bad}: ")


def test_drawn_clips_need_no_check() -> None:
    config = tiny_config()
    dataset = open_dataset(config)
    assert without_damaged(dataset, config, lambda *what: pytest.fail("nothing to read")) == (dataset, ())


def test_progress_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress() as progress:
        progress(1, 3, "reading")
        progress(3, 3, "reading")
        progress(1, 1, "writing")
    assert capsys.readouterr() == ("", "")
