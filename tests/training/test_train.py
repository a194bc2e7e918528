"""Runs: they learn, repeat themselves, stop and go on exactly, and refuse what would spoil them."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from mudra.clips import RunCard
from mudra.datasets import Dataset
from mudra.errors import ConfigError, RunError
from mudra.models import FrameWiseNetConfig, GestureNet, GestureNetConfig
from mudra.serving import load
from mudra.training import RunConfig, dry_run, train, versions
from mudra.training.callback import read_curves
from mudra.training.module import GestureModule
from mudra.training.train import choose_precision, resolve
from mudra.types import Batch
from tests.fixtures.run import depth_config, tiny_config

# Everything that has a state of its own: dropout, augmentation, an average of the weights, momentum, a schedule.
STATEFUL = {
    "fitting.epochs": 4,
    "fitting.ema_decay": 0.9,
    "clip.augmentation.rotation_deg": 10,
    "clip.augmentation.brightness": 0.3,
    "model.head.dropout": 0.4,
}


def silent(line: str) -> None:
    pass


def run(out: Path, dataset: Dataset, changes: Mapping[str, Any] | None = None, **arguments: Any) -> Path:
    return train(tiny_config(changes), dataset, out, tell=arguments.pop("tell", silent), **arguments)


def weights(out: Path) -> dict[str, Tensor]:
    return load_file(out / "weights.safetensors")


def same(first: Path, second: Path) -> bool:
    one, other = weights(first), weights(second)
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


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


# What a run leaves behind


def test_a_run_folder_holds_all_that_is_needed(tmp_path: Path, drawn: Dataset) -> None:
    lines: list[str] = []
    out = run(tmp_path / "run", drawn, {"seed": 3}, tell=lines.append, left_out=("bad.mp4: truncated",))
    names = {"run.yaml", "card.json", "weights.safetensors", "metrics.csv", "last.ckpt", "best.ckpt"}
    assert {path.name for path in out.iterdir()} == names
    config = RunConfig.from_yaml(out / "run.yaml")
    assert (config.model.num_classes, config.model.in_channels) == (12, 3)
    card = RunCard.model_validate_json((out / "card.json").read_text(encoding="utf-8"))
    assert card.classes == drawn.card.classes
    assert card.clip == config.clip
    assert (card.dataset, card.fps, card.epochs, card.seed) == ("synthetic", 25.0, 2, 3)
    assert card.left_out == ("bad.mp4: truncated",)
    rows = read_curves(out / "metrics.csv")
    assert [row["epoch"] for row in rows] == [1, 2]
    assert card.metrics["validation_top1"] == rows[-1]["validation_top1"]
    assert card.parameters == sum(p.numel() for p in config.model.build().parameters())
    assert card.macs_per_clip > 0
    assert card.made_with["finished"] is True
    assert {"mudra", "torch", "date", "seconds", "commit"} <= card.made_with.keys()
    config.model.build().load_state_dict(weights(out))
    assert any(line.startswith("mirroring swaps swipe_left/swipe_right") for line in lines)
    assert sum(line.startswith("epoch ") for line in lines) == 2


def test_a_run_learns(tmp_path: Path, drawn: Dataset) -> None:
    changes = {"fitting.epochs": 7, "model.head.dropout": 0.0, "clip.augmentation.mirror_probability": 0.0}
    rows = read_curves(run(tmp_path / "run", drawn, {**changes, "schedule": "constant"}) / "metrics.csv")
    assert rows[-1]["train_loss"] < 0.93 * rows[0]["train_loss"]


def test_a_data_set_without_validation_trains_all_the_same(tmp_path: Path, drawn: Dataset) -> None:
    alone = replace(drawn, recordings={"train": drawn.recordings["train"]})
    card = json.loads((run(tmp_path / "run", alone) / "card.json").read_text(encoding="utf-8"))
    assert card["metrics"] == {}
    assert card["epochs"] == 2


def test_the_best_epochs_weights_can_be_kept(tmp_path: Path, drawn: Dataset) -> None:
    out = run(tmp_path / "run", drawn, {"fitting.keep": "best", "fitting.epochs": 4})
    rows = read_curves(out / "metrics.csv")
    card = RunCard.model_validate_json((out / "card.json").read_text(encoding="utf-8"))
    assert card.metrics["validation_top1"] == max(row["validation_top1"] for row in rows)
    assert card.made_with["weights"] == "best"
    best = torch.load(out / "best.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(best[f"network.{name}"], value) for name, value in weights(out).items())


def test_the_last_epochs_weights_are_kept_though_an_earlier_one_was_better(
    tmp_path: Path, drawn: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def worse_and_worse(module: GestureModule, batch: Batch, batch_idx: int) -> None:
        module.log("validation_top1", 1.0 / (module.current_epoch + 1), on_epoch=True, batch_size=1)

    monkeypatch.setattr(GestureModule, "validation_step", worse_and_worse)
    out = run(tmp_path / "run", drawn, {"fitting.epochs": 3})
    states = {name: torch.load(out / f"{name}.ckpt", weights_only=True) for name in ("last", "best")}
    assert states["best"]["global_step"] == 3
    assert states["last"]["global_step"] == 9
    assert all(torch.equal(states["last"]["state_dict"][f"network.{k}"], v) for k, v in weights(out).items())
    card = RunCard.model_validate_json((out / "card.json").read_text(encoding="utf-8"))
    assert card.metrics["validation_top1"] == pytest.approx(1 / 3, abs=1e-5)


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


def test_an_occupied_folder_is_refused_and_left_alone(tmp_path: Path, drawn: Dataset) -> None:
    out = run(tmp_path / "run", drawn)
    before = (out / "weights.safetensors").read_bytes()
    with pytest.raises(RunError, match=r"holds a run already\n  hint: give another --out, or go on with it: --resume"):
        run(out, drawn, {"seed": 1})
    assert (out / "weights.safetensors").read_bytes() == before


@pytest.mark.parametrize("change", ["model.head.dropout=0.5", "optimiser.lr=0.1", "clip.num_frames=5", "seed=1"])
def test_going_on_with_another_config_is_refused(tmp_path: Path, drawn: Dataset, change: str) -> None:
    out = run(tmp_path / "run", drawn, {"fitting.epochs": 1})
    config = tiny_config().with_overrides([change])
    with pytest.raises(
        RunError, match=r"made with another config than the one given now\n  hint: .* mudra train .*run"
    ):
        train(config, drawn, out, resume=True, tell=silent)


def test_nothing_to_resume_is_said(tmp_path: Path, drawn: Dataset) -> None:
    with pytest.raises(RunError, match="nothing to resume"):
        run(tmp_path / "none", drawn, resume=True)
    assert not (tmp_path / "none").exists()


def test_other_channels_than_the_clips_are_refused(drawn: Dataset) -> None:
    config = tiny_config({"model.in_channels": 3, "clip.streams": ["rgb", "depth"]})
    with pytest.raises(
        ConfigError, match=r"in_channels is 3, the clip's streams \(rgb, depth\) have 5\n  hint: .* to 5"
    ):
        resolve(config, drawn, tell=silent)


def test_the_head_is_built_for_the_data_and_that_is_said(drawn: Dataset) -> None:
    lines: list[str] = []
    config = resolve(tiny_config({"model.num_classes": 27}), drawn, tell=lines.append)
    assert config.model.num_classes == 12
    assert lines[0] == "the head is built for the 12 classes of synthetic, not 27"


def test_labels_without_partners_forbid_mirroring_and_that_is_said(drawn: Dataset) -> None:
    strange = replace(drawn, card=drawn.card.model_copy(update={"mirror": {}}))
    lines: list[str] = []
    resolve(tiny_config(), strange, tell=lines.append)
    assert lines[0].startswith("clips are not mirrored: 'swipe_left', 'swipe_right', 'swipe_up' and 9 more")
    assert "data.mirror=" in lines[0]
    lines.clear()
    resolve(tiny_config({"clip.mirror": "never"}), strange, tell=lines.append)
    assert lines == []


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


def run_with_depth(out: Path, dataset: Dataset, changes: Mapping[str, Any] | None = None, **arguments: Any) -> Path:
    return train(depth_config(changes), dataset, out, tell=silent, **arguments)


def test_a_saved_run_is_without_its_decoder(tmp_path: Path, drawn: Dataset) -> None:
    out = run_with_depth(tmp_path / "run", drawn, {"clip.test_size": [40, 40]})
    assert not any(name.startswith("decoder") for name in weights(out))
    card = RunCard.model_validate_json((out / "card.json").read_text(encoding="utf-8"))
    assert card.dropped_parts == ("decoder",)
    assert (card.clip.target, card.clip.size, card.clip.crop) == (None, (40, 40), "square")
    rows = read_curves(out / "metrics.csv")
    names = {f"{split}_{part}_loss" for split in ("train", "validation") for part in ("local", "global")}
    assert names <= rows[-1].keys()
    assert rows[-1]["train_local_loss"] < rows[0]["train_local_loss"]
    predictor = load(out)
    assert isinstance(predictor.network, GestureNet)
    assert predictor.network.decoder is None
    assert card.parameters == sum(p.numel() for p in predictor.network.parameters())
    # The config is the run's own, with which it can be repeated; the checkpoint has what going on needs.
    config = RunConfig.from_yaml(out / "run.yaml").model
    assert isinstance(config, GestureNetConfig)
    assert config.decoder is not None
    state = torch.load(out / "last.ckpt", weights_only=True)["state_dict"]
    assert any(name.startswith("network.decoder") for name in state)


def test_the_decoder_is_kept_on_request(tmp_path: Path, drawn: Dataset) -> None:
    dropped = run_with_depth(tmp_path / "dropped", drawn)
    kept = run_with_depth(tmp_path / "kept", drawn, {"fitting.keep_decoder": True})
    predictor = load(kept)
    assert isinstance(predictor.network, GestureNet)
    assert predictor.network.decoder is not None
    clip_BTCHW = torch.randn(1, 4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(predictor.network(clip_BTCHW), load(dropped).network(clip_BTCHW))
    with torch.inference_mode():
        assert predictor.network.forward_training(clip_BTCHW).masks.local_BTHW is not None


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


def test_a_decoder_without_depth_to_learn_is_refused(drawn: Dataset) -> None:
    with pytest.raises(
        ConfigError, match=r"clip\.target does not say which depth is 0.*\n  hint: for example clip\.tar"
    ):
        resolve(depth_config({"clip.target": None}), drawn, tell=silent)
    colour = tuple(replace(recording, depth_path=None) for recording in drawn.split("train"))
    with pytest.raises(
        ConfigError, match=r"no training recording of synthetic has any\n  hint: .* model\.decoder=null"
    ):
        resolve(depth_config(), replace(drawn, recordings={"train": colour}), tell=silent)


def test_without_a_decoder_no_depth_is_read(drawn: Dataset) -> None:
    assert resolve(depth_config({"model.decoder": None}), drawn, tell=silent).clip.target is None
    assert resolve(depth_config(), drawn, tell=silent).clip.target is not None


# The rest


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


def test_precision_is_what_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_precision("float32") == "32-true"
    assert choose_precision("bf16") == "bf16-mixed"
    # The package's `train` is the function; its module is found under its full name.
    module = sys.modules["mudra.training.train"]
    for has, expected in ((True, "bf16-mixed"), (False, "32-true")):
        monkeypatch.setattr(module, "_has_fast_bf16", lambda accelerator, has=has: has)
        assert choose_precision("auto") == expected


def test_versions_say_what_made_it() -> None:
    found = versions()
    assert found["torch"] == torch.__version__
    assert {"mudra", "python", "machine", "device", "date", "commit"} <= found.keys()


def test_versions_do_without_a_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError

    monkeypatch.setattr("subprocess.run", fail)
    assert versions()["commit"] == ""


def test_clips_of_no_use_to_a_network_that_labels_frames_are_refused_before_anything_is_written(
    drawn: Dataset, tmp_path: Path
) -> None:
    config = tiny_config().model_copy(update={"model": FrameWiseNetConfig(width=0.25)})
    with pytest.raises(ConfigError, match="spreads frames over a whole stream"):
        train(config, drawn, tmp_path / "run", tell=silent)
    assert not (tmp_path / "run").exists()
    with pytest.raises(ConfigError, match="spreads frames over a whole stream"):
        dry_run(config, drawn, tell=silent)


@pytest.mark.parametrize("precision", ["bf16", "float32"])
def test_gradients_are_clipped_in_every_precision(tmp_path: Path, drawn: Dataset, precision: str) -> None:
    changes = {"fitting.precision": precision, "fitting.epochs": 1}
    plain = run(tmp_path / "plain", drawn, changes)
    assert not same(plain, run(tmp_path / "clipped", drawn, {**changes, "fitting.gradient_clip_norm": 1e-12}))
