"""Learning from labels of frames: unknown ones count nowhere, and whole streams are judged as the paper judges them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mudra.clips import RunCard
from mudra.models import FrameWiseNet, judge_stream
from mudra.training import RunConfig, dry_run, train
from mudra.training.callback import read_curves
from mudra.training.frame_data import FrameBatch
from mudra.training.frame_module import FrameModule
from tests.fixtures.frame_streams import CLASSES, tiny_frame_config, tiny_streams


class Telling(FrameWiseNet):
    """Answers with what stands in the first pixel of each frame: one channel for each class."""

    def __init__(self) -> None:
        from mudra.backbones import FrameTrunkConfig

        super().__init__(num_classes=3, in_channels=3, backbone=FrameTrunkConfig(channels=(8,)), cells=(), width=0.1)

    def forward(self, clip_BTCHW: Tensor, *, mask_BT: Tensor | None = None) -> Tensor:
        return clip_BTCHW[..., 0, 0]

    def forward_stream(self, clip_BTCHW: Tensor, state: Any = None) -> Any:
        return self(clip_BTCHW), None


def silent(line: str) -> None:
    pass


def module_of(changes: dict[str, Any] | None = None, *, idle: int | None = 0) -> FrameModule:
    return FrameModule(Telling(), tiny_frame_config(changes), num_classes=3, idle=idle)


def batch_of(said: list[list[int]], labels: list[list[int]]) -> FrameBatch:
    """Frames whose logits are 2 for what is said and 0 for the others."""
    logits_BTK = 2.0 * nn.functional.one_hot(torch.tensor(said), 3).float()
    return FrameBatch(logits_BTK[..., None, None], torch.tensor(labels), torch.arange(len(said)))


def capture(module: FrameModule, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[tuple[float, int | None]]]:
    logged: dict[str, list[tuple[float, int | None]]] = {}

    def log(name: str, value: Any, **more: Any) -> None:
        number = float(value.compute() if hasattr(value, "compute") else value)
        logged.setdefault(name, []).append((number, more.get("batch_size")))

    monkeypatch.setattr(module, "log", log)
    return logged


def cross_entropy(is_right: bool) -> float:
    total = torch.tensor([2.0, 0.0, 0.0], dtype=torch.float64).exp().sum().log()
    return float(total - (2.0 if is_right else 0.0))


def test_the_loss_is_the_mean_over_frames_of_which_something_is_known() -> None:
    module = module_of()
    batch = batch_of([[0, 1, 2], [1, 1, 0]], [[0, 2, -1], [1, -1, -1]])
    expected = (2 * cross_entropy(True) + cross_entropy(False)) / 3
    assert float(module.compute_loss(batch)) == pytest.approx(expected, rel=1e-6)


def test_labels_can_be_smoothed() -> None:
    batch = batch_of([[0, 1]], [[0, 1]])
    smooth = float(module_of({"fitting.label_smoothing": 0.3}).compute_loss(batch))
    assert smooth == pytest.approx(0.8 * cross_entropy(True) + 0.2 * cross_entropy(False), rel=1e-6)


def test_a_batch_of_which_nothing_is_known_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    module = module_of()
    logged = capture(module, monkeypatch)
    batch = batch_of([[0, 1]], [[-1, -1]])
    clip_BTCHW = batch.clip_BTCHW.requires_grad_()
    loss = module.training_step(batch._replace(clip_BTCHW=clip_BTCHW), 0)
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == 0.0
    assert clip_BTCHW.grad is not None
    assert clip_BTCHW.grad.count_nonzero() == 0
    assert logged == {"train_loss": [(0.0, 1)]}


def test_training_tells_its_loss_and_its_accuracy(monkeypatch: pytest.MonkeyPatch) -> None:
    module = module_of()
    logged = capture(module, monkeypatch)
    module.training_step(batch_of([[0, 1, 2, 2]], [[0, 2, -1, 2]]), 0)
    assert logged["train_accuracy"] == [(pytest.approx(2 / 3), 3)]
    assert logged["train_loss"][0][1] == 3


def validate(module: FrameModule, streams: list[FrameBatch]) -> None:
    module.eval()
    module.on_validation_epoch_start()
    for index, stream in enumerate(streams):
        module.validation_step(stream, index)
    module.on_validation_epoch_end()


def test_streams_are_scored_by_the_classes_that_they_truly_have(monkeypatch: pytest.MonkeyPatch) -> None:
    module = module_of()
    logged = capture(module, monkeypatch)
    first = batch_of([[0, 1, 1, 0, 2, 0]], [[0, 1, 1, 1, 0, 0]])  # class 1: 2 of 3; class 2 is not there
    second = batch_of([[1, 1, 2, 0, 2]], [[1, 2, 2, -1, -1]])  # 1 of 2, and 1 of 2
    for _ in range(2):  # an epoch begins anew
        validate(module, [first, second])
    assert [number for number, _ in logged["validation_jaccard"]] == pytest.approx([(2 / 3 + 0.5) / 2] * 2)
    assert logged["validation_accuracy"][:2] == [(pytest.approx(4 / 6), 6), (pytest.approx(2 / 3), 3)]
    expected = (4 * cross_entropy(True) + 2 * cross_entropy(False)) / 6
    assert logged["validation_loss"][0] == (pytest.approx(expected, rel=1e-5), 6)


def test_without_an_idle_class_every_class_is_a_gesture(monkeypatch: pytest.MonkeyPatch) -> None:
    module = module_of(idle=None)
    logged = capture(module, monkeypatch)
    validate(module, [batch_of([[0, 0, 1, 1]], [[0, 1, 1, 1]])])
    assert logged["validation_jaccard"][0][0] == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_streams_without_gestures_score_nothing_and_break_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    module = module_of()
    logged = capture(module, monkeypatch)
    validate(module, [batch_of([[0, 1]], [[0, 0]]), batch_of([[0]], [[-1]])])
    assert logged["validation_jaccard"] == [(0.0, None)]
    assert len(logged["validation_loss"]) == 1


# Whole runs

LEARNING = {"fitting.epochs": 8, "optimiser.lr": 0.02}
WINDOWED: dict[str, Any] = {
    "model.cells": [],
    "model.window": {"num_frames": 8, "pooling": "mean"},
    "loader.fragments_per_epoch": 80,
}
CAUSAL: dict[str, Any] = {
    "model.cells": [{"kind": "peephole_lstm", "hidden_features": 8, "initialisation": "pytorch"}],
    "model.backbone.temporal_conv": "causal",
}
SINGLE: dict[str, Any] = {"model.cells": [], "clip.num_frames": 1, "loader.fragments_per_epoch": 120}


@pytest.mark.parametrize("changes", [{}, WINDOWED, CAUSAL, SINGLE], ids=["both ways", "window", "causal", "single"])
def test_a_run_learns_to_label_frames(tmp_path: Path, changes: dict[str, Any]) -> None:
    config = tiny_frame_config({**LEARNING, **changes})
    out = train(config, tiny_streams(), tmp_path / "run", tell=silent)
    rows = read_curves(out / "metrics.csv")
    assert rows[-1]["train_loss"] < 0.7 * rows[0]["train_loss"]
    assert rows[-1]["validation_jaccard"] > 0.6
    card = RunCard.model_validate_json((out / "card.json").read_text(encoding="utf-8"))
    assert (card.classes, card.idle_class, card.epochs) == (CLASSES, "no gesture", 8)
    assert card.causal is (changes in (CAUSAL, SINGLE))
    assert card.metrics == {name: rows[-1][name] for name in rows[-1] if name.startswith("validation")}
    assert card.metrics.keys() == {"validation_jaccard", "validation_accuracy", "validation_loss"}


def test_validation_judges_windows_as_long_as_the_fragments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def judge(network: FrameWiseNet, pieces: Tensor, *, window: int, stride: int) -> Any:
        asked.append((window, stride))
        return judge_stream(network, pieces, window=window, stride=stride)

    monkeypatch.setattr("mudra.training.frame_module.judge_stream", judge)
    train(tiny_frame_config({"fitting.epochs": 1}), tiny_streams(), tmp_path / "run", tell=silent)
    assert asked == [(8, 4)] * 2


def test_shares_of_a_step_dropout_ramps_and_decay_belong_to_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {
        "fitting.accumulate": 3,
        "fitting.dropout_ramp_steps": 4,
        "schedule": "decay",
        "schedule.decay": 0.1,
        "schedule.warmup_steps": 2,
        "schedule.start_lr": 0.001,
    }
    seen: list[tuple[int, float, float]] = []
    step = FrameModule.training_step

    def watch(module: FrameModule, batch: FrameBatch, batch_idx: int) -> Tensor:
        rate = module.trainer.optimizers[0].param_groups[0]["lr"]
        network = module.network
        assert isinstance(network, FrameWiseNet)
        seen.append((module.trainer.global_step, rate, network.dropout.p))
        return step(module, batch, batch_idx)

    monkeypatch.setattr(FrameModule, "training_step", watch)
    train(tiny_frame_config(changes), tiny_streams(), tmp_path / "run", tell=silent)
    steps, rates, dropouts = zip(*seen, strict=True)
    assert steps == (0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3)  # two epochs of six batches
    assert rates[::3] == pytest.approx((0.001, 0.0055, 0.01, 0.009))
    assert dropouts[::3] == pytest.approx((0.0, 0.025, 0.05, 0.075))


def test_a_dry_run_takes_one_step_on_fragments() -> None:
    result = dry_run(tiny_frame_config(), tiny_streams(), tell=silent)
    assert result.batch_shape == (4, 8, 3, 16, 24)
    assert (result.train_clips, result.validation_clips) == (24, 2)
    assert 0.5 < result.loss < 3.0


def test_a_stopped_run_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    changes = {"fitting.epochs": 4, "fitting.dropout_ramp_steps": 15, "fitting.ema_decay": 0.9}
    whole = train(tiny_frame_config(changes), tiny_streams(), tmp_path / "whole", tell=silent)
    parts = train(tiny_frame_config({**changes, "fitting.epochs": 2}), tiny_streams(), tmp_path / "parts", tell=silent)
    train(tiny_frame_config(changes), tiny_streams(), parts, resume=True, tell=silent)
    assert (whole / "weights.safetensors").read_bytes() == (parts / "weights.safetensors").read_bytes()


def test_the_saved_network_loads(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    out = train(tiny_frame_config({"fitting.epochs": 1}), tiny_streams(), tmp_path / "run", tell=silent)
    config = RunConfig.from_yaml(out / "run.yaml")
    assert (config.model.num_classes, config.model.in_channels) == (3, 3)
    config.model.build().load_state_dict(load_file(out / "weights.safetensors"))
