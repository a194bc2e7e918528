"""Runs: they learn, repeat themselves, stop and go on exactly, and refuse what would spoil them."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch
from torch import Tensor

from mudra.clips import RunCard
from mudra.datasets import Dataset
from mudra.errors import ConfigError, DataError, RunError
from mudra.models import FrameWiseNetConfig
from mudra.training import RunConfig, dry_run, train
from mudra.training.callback import read_curves
from mudra.training.module import GestureModule
from mudra.types import Batch
from tests.fixtures.run import tiny_config
from tests.fixtures.trained import run, run_with_depth, same, silent

# Everything that has a state of its own: dropout, augmentation, an average of the weights, momentum, a schedule.
STATEFUL = {
    "fitting.epochs": 4,
    "fitting.ema_decay": 0.9,
    "clip.augmentation.rotation_deg": 10,
    "clip.augmentation.brightness": 0.3,
    "model.head.dropout": 0.4,
}


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Make Ctrl-C happen in the given training step, counted from 1."""
    step = GestureModule.training_step

    def at(number: int) -> None:
        seen = [0]

        def counted(module: GestureModule, batch: Batch, batch_idx: int) -> Tensor:
            seen[0] += 1
            if seen[0] == number:
                raise KeyboardInterrupt
            return step(module, batch, batch_idx)

        monkeypatch.setattr(GestureModule, "training_step", counted)

    return at


# What a run learns


def test_a_run_learns(tmp_path: Path, drawn: Dataset) -> None:
    changes = {"fitting.epochs": 7, "model.head.dropout": 0.0, "clip.augmentation.mirror_probability": 0.0}
    rows = read_curves(run(tmp_path / "run", drawn, {**changes, "schedule": "constant"}) / "metrics.csv")
    assert rows[-1]["train_loss"] < 0.93 * rows[0]["train_loss"]


# Seeds


def test_a_seed_gives_the_same_weights_bit_for_bit_and_another_one_others(tmp_path: Path, drawn: Dataset) -> None:
    first = run(tmp_path / "first", drawn, STATEFUL)
    again = run(tmp_path / "again", drawn, STATEFUL)
    other = run(tmp_path / "other", drawn, {**STATEFUL, "seed": 1})
    assert same(first, again)
    assert not same(first, other)


@pytest.mark.parametrize(
    "loader",
    [{"loader.cache": "none"}, {"loader.cache": "disk"}, {"loader.cache": "none", "loader.num_workers": 1}],
    ids=["no cache", "disk cache", "one worker"],
)
def test_how_clips_are_fed_does_not_change_the_weights(tmp_path: Path, drawn: Dataset, loader: dict[str, Any]) -> None:
    changes = {**STATEFUL, "fitting.epochs": 2, "clip.streams": ["rgb", "flow"], "clip.region": "motion"}
    in_memory = run(tmp_path / "memory", drawn, changes)
    otherwise = run(tmp_path / "other", drawn, {**changes, **loader, "loader.cache_dir": str(tmp_path / "cache")})
    assert same(in_memory, otherwise)
    assert any((tmp_path / "cache").glob("*")) is (loader["loader.cache"] == "disk")


# Stop and go on


@pytest.mark.parametrize("step", [4, 8, 12], ids=["epoch 2 begins", "inside epoch 3", "last step"])
def test_a_stopped_run_goes_on_as_if_nothing_had_happened(
    tmp_path: Path, drawn: Dataset, interrupt: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    whole = run(tmp_path / "whole", drawn, STATEFUL)
    interrupt(step)  # three steps make an epoch
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", drawn, STATEFUL)
    monkeypatch.undo()
    out = tmp_path / "parts"
    finished = (step - 1) // 3
    card = RunCard.model_validate_json((out / "card.json").read_text(encoding="utf-8"))
    assert (card.epochs, card.made_with["finished"]) == (finished, False)
    assert (out / "best.ckpt").exists()
    run(out, drawn, STATEFUL, resume=True)
    assert same(whole, out)
    rows, expected = read_curves(out / "metrics.csv"), read_curves(whole / "metrics.csv")
    timeless = ("epoch", "train_loss", "train_top1", "validation_loss", "validation_top1", "learning_rate")
    assert [[row[name] for name in timeless] for row in rows] == [[row[name] for name in timeless] for row in expected]
    card = RunCard.model_validate_json((out / "card.json").read_text(encoding="utf-8"))
    assert (card.epochs, card.made_with["finished"], card.made_with["resumed"]) == (4, True, True)


def test_a_finished_run_can_be_made_longer(tmp_path: Path, drawn: Dataset) -> None:
    changes = {**STATEFUL, "schedule": "constant"}
    whole = run(tmp_path / "whole", drawn, changes)
    parts = run(tmp_path / "parts", drawn, {**changes, "fitting.epochs": 2})
    assert not same(whole, parts)
    assert same(whole, run(parts, drawn, changes, resume=True))
    assert RunConfig.from_yaml(parts / "run.yaml").fitting.epochs == 4


def test_a_run_stopped_in_its_first_epoch_leaves_the_folder_free(
    tmp_path: Path, drawn: Dataset, interrupt: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(2)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", drawn)
    monkeypatch.undo()
    assert not (tmp_path / "run" / "card.json").exists()
    with pytest.raises(RunError, match=r"nothing to resume, last.ckpt is not there\n  hint: train without --resume"):
        run(tmp_path / "run", drawn, resume=True)
    assert (run(tmp_path / "run", drawn) / "card.json").exists()


@pytest.mark.parametrize("moment", ["setup", "training_step"])
def test_the_callers_answer_to_ctrl_c_outlives_a_stopped_run(
    tmp_path: Path, drawn: Dataset, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def answer(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    def stop(*words: object, **more: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(GestureModule, moment, stop)
    before = signal.signal(signal.SIGINT, answer)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "run", drawn)
        assert signal.getsignal(signal.SIGINT) is answer
    finally:
        signal.signal(signal.SIGINT, before)


# Refusals


def test_clips_of_no_use_to_a_network_that_labels_frames_are_refused_before_anything_is_written(
    drawn: Dataset, tmp_path: Path
) -> None:
    config = tiny_config().model_copy(update={"model": FrameWiseNetConfig(width=0.25)})
    with pytest.raises(ConfigError, match="spreads frames over a whole stream"):
        train(config, drawn, tmp_path / "run", tell=silent)
    assert not (tmp_path / "run").exists()
    with pytest.raises(ConfigError, match="spreads frames over a whole stream"):
        dry_run(config, drawn, tell=silent)


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_epoch_before(
    tmp_path: Path, drawn: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = GestureModule.training_step

    def astray(module: GestureModule, batch: Batch, batch_idx: int) -> Tensor:
        return step(module, batch, batch_idx) * (float("nan") if module.current_epoch == 1 else 1.0)

    monkeypatch.setattr(GestureModule, "training_step", astray)
    with pytest.raises(RunError, match=r"epoch 2: \w+_loss is nan.*\n  hint: lower optimiser\.lr"):
        run(tmp_path / "run", drawn)
    monkeypatch.undo()
    last = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    assert last["global_step"] == 3
    assert all(value.isfinite().all() for value in last["state_dict"].values())
    run(tmp_path / "run", drawn, {"fitting.gradient_clip_norm": 1.0}, resume=True)


# Depth that is learned and not seen


def test_a_run_with_a_decoder_goes_on_as_if_nothing_had_happened(tmp_path: Path, drawn: Dataset) -> None:
    changes = {"schedule": "constant", "fitting.ema_decay": 0.9, "fitting.keep_decoder": True}
    whole = run_with_depth(tmp_path / "whole", drawn, {**changes, "fitting.epochs": 2})
    parts = run_with_depth(tmp_path / "parts", drawn, {**changes, "fitting.epochs": 1})
    assert same(whole, run_with_depth(parts, drawn, {**changes, "fitting.epochs": 2}, resume=True))


def test_fine_tuning_starts_the_decoder_afresh_unless_it_was_kept(tmp_path: Path, drawn: Dataset) -> None:
    for keep, expected in ((False, True), (True, False)):
        out = run_with_depth(tmp_path / f"first {keep}", drawn, {"fitting.epochs": 1, "fitting.keep_decoder": keep})
        changes = {"fitting.epochs": 1, "init_from": str(out), "seed": 4}
        again = run_with_depth(tmp_path / f"second {keep}", drawn, changes)
        card = RunCard.model_validate_json((again / "card.json").read_text(encoding="utf-8"))
        assert any("new: decoder" in line for line in card.made_with["init_from"]) is expected


def test_how_windows_are_kept_does_not_change_what_is_learned_of_depth(tmp_path: Path, drawn: Dataset) -> None:
    changes = {"fitting.epochs": 1, "clip.augmentation.rotation_deg": 10, "loader.cache_dir": str(tmp_path / "cache")}
    runs = [
        run_with_depth(tmp_path / cache, drawn, {**changes, "loader.cache": cache})
        for cache in ("memory", "none", "disk")
    ]
    assert same(runs[0], runs[1])
    assert same(runs[0], runs[2])


# The rest


def test_people_in_two_splits_are_refused_before_anything_is_written(tmp_path: Path, drawn: Dataset) -> None:
    assert drawn.card.subjects_disjoint
    drawn.refuse_leaking_subjects()
    known = drawn.split("train")[0].subject
    moved = tuple(dataclasses.replace(r, subject=known) for r in drawn.split("validation"))
    leaking = dataclasses.replace(drawn, recordings={**drawn.recordings, "validation": moved})
    said = rf"1 are: {known} \(train and validation\)\n  hint: keep all recordings of a person in one split"
    with pytest.raises(DataError, match=said):
        run(tmp_path / "run", leaking)
    with pytest.raises(DataError, match=said):
        dry_run(tiny_config(), leaking, tell=silent)
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_takes_one_step_and_writes_nothing(
    tmp_path: Path, drawn: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = dry_run(tiny_config(), drawn, tell=silent)
    assert result.batch_shape == (8, 6, 3, 32, 32)
    assert (result.train_clips, result.validation_clips) == (24, 12)
    assert 1.5 < result.loss < 4.0
    assert result.step_s > 0
    assert result.complexity.parameters > 0
    assert list(tmp_path.iterdir()) == []
