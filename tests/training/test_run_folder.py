"""Run folders: what a run leaves there, which epoch's weights, and which folders no run may be written into."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mudra.clips import RunCard
from mudra.datasets import Dataset
from mudra.errors import RunError
from mudra.models import GestureNet, GestureNetConfig
from mudra.serving import load
from mudra.training import RunConfig, train
from mudra.training.callback import read_curves
from mudra.training.module import GestureModule
from mudra.types import Batch
from tests.fixtures.run import tiny_config
from tests.fixtures.trained import run, run_with_depth, silent, weights

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


# Depth that is learned and not seen


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
