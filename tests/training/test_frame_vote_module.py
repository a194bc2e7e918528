"""Training by the frames' vote: every frame has its share of the loss, and the vote and the frames are both scored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from mudra.backbones import VGG16Config
from mudra.cells import MultiKernelConvLSTMConfig, PeepholeLSTMConfig
from mudra.datasets import Dataset
from mudra.models import RecurrentFrameNet, RecurrentFrameNetConfig
from mudra.serving.predictor import load
from mudra.training.callback import read_curves
from mudra.training.feature_data import FeatureBatch
from mudra.training.frame_vote_module import FrameVoteModule
from mudra.training.train import train
from mudra.types import Batch
from tests.fixtures.run import tiny_config

# Two clips of three frames; one frame of the first says another class so loudly that it outvotes no other.
LOGITS_BTK = torch.tensor([[[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [3.0, 0.5, 0.0]], [[0.0, 1.0, 0.0]] * 3])
BATCH = Batch(torch.zeros(2, 3, 3, 4, 4), torch.tensor([0, 2]), torch.tensor([0, 1]))


class Fixed(RecurrentFrameNet):
    """Answers with the same logits, in half precision as a GPU may."""

    def __init__(self) -> None:
        super().__init__(num_classes=3, in_channels=3, width=0.0625, cells=(), frame_cells=())

    def classify_frames(self, clip_BTCHW: Tensor) -> Tensor:
        return LOGITS_BTK.half()

    def classify_maps(self, maps_BTCHW: Tensor) -> Tensor:
        return -LOGITS_BTK.half()


def module(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> tuple[FrameVoteModule, dict[str, Any]]:
    made = FrameVoteModule(Fixed(), tiny_config(changes), num_classes=3)
    logged: dict[str, Any] = {}
    monkeypatch.setattr(made, "log", lambda name, value, **how: logged.update({name: (value, how)}))
    return made, logged


def test_every_frame_has_its_share_of_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    made, logged = module(monkeypatch, **{"fitting.label_smoothing": 0.3})
    log_p = LOGITS_BTK.log_softmax(dim=2)
    truth = -(log_p[0, :, 0].sum() + log_p[1, :, 2].sum()) / 6
    loss = made.training_step(BATCH, 0)
    assert loss.dtype == torch.float32
    assert loss == made.compute_loss(BATCH)
    assert loss == pytest.approx(float(0.7 * truth - 0.3 * log_p.mean()), abs=1e-3)
    made.validation_step(BATCH, 0)
    assert float(logged["validation_loss"][0]) == pytest.approx(float(truth), abs=1e-3)


def test_the_vote_and_the_frames_are_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    made, logged = module(monkeypatch)
    made.training_step(BATCH, 0)
    made.validation_step(BATCH, 0)
    made.validation_step(Batch(BATCH.clip_BTCHW, torch.tensor([0, 1]), BATCH.index_B), 1)
    assert float(made.train_top1.compute()) == 0.5
    assert float(made.validation_top1.compute()) == 0.75
    assert float(made.validation_frame_top1.compute()) == pytest.approx((2 + 0 + 2 + 3) / 12)
    assert logged.keys() == {
        "train_loss",
        "train_top1",
        "validation_loss",
        "validation_top1",
        "validation_frame_top1",
    }
    assert all(how["batch_size"] == 2 and how["on_epoch"] for _, how in logged.values())


def test_maps_come_in_behind_the_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    made, logged = module(monkeypatch)
    batch = FeatureBatch(torch.zeros(2, 3, 8, 1, 1), BATCH.label_B, BATCH.index_B)
    log_p = (-LOGITS_BTK).log_softmax(dim=2)
    truth = -(log_p[0, :, 0].sum() + log_p[1, :, 2].sum()) / 6
    assert made.training_step(batch, 0) == pytest.approx(float(truth), abs=1e-3)
    assert made.compute_loss(batch) == made.training_step(batch, 0)
    made.validation_step(batch, 0)
    assert float(logged["validation_loss"][0]) == pytest.approx(float(truth), abs=1e-3)


def test_losses_alone_log_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made, logged = module(monkeypatch)
    made.compute_loss(BATCH)
    assert not logged


def test_a_frozen_backbone_is_trained_upon_and_the_run_is_used(tmp_path: Path, drawn: Dataset) -> None:
    torch.manual_seed(4)
    backbone = VGG16Config(width=0.0625)
    first = backbone.build(3).state_dict()
    torch.save(first, tmp_path / "vgg.pth")
    model = RecurrentFrameNetConfig(
        backbone=backbone.model_copy(update={"pretrained": str(tmp_path / "vgg.pth"), "frozen": True}),
        cells=(MultiKernelConvLSTMConfig(hidden_channels=16, normalisation="batch"),),
        frame_cells=(PeepholeLSTMConfig(hidden_features=8, initialisation="pytorch"),),
    )
    config = tiny_config().model_copy(update={"model": model})
    run = train(config, drawn, tmp_path / "run", tell=lambda line: None)
    weights = load_file(run / "weights.safetensors")
    assert all(torch.equal(weights[f"backbone.{name}"], value) for name, value in first.items())
    curves = read_curves(run / "metrics.csv")
    assert curves[1]["train_loss"] < curves[0]["train_loss"]
    assert 0.0 <= curves[1]["validation_frame_top1"] <= 1.0
    (tmp_path / "vgg.pth").unlink()  # a finished run needs no published weights
    predictor = load(run)
    assert predictor.card.parameters == sum(p.numel() for p in predictor.network.parameters())
    prediction = predictor.predict(np.zeros((9, 48, 48, 3), dtype=np.uint8))
    assert sum(ranked.probability for ranked in prediction.top) <= 1.0 + 1e-6
