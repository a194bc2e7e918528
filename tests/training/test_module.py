"""Training of networks that label clips: losses and top-1."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mudra.training.module import GestureModule
from mudra.types import Batch
from tests.fixtures.run import tiny_config

LOGITS_BK = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


class Fixed(nn.Module):
    """Answers with the same logits, in half precision as a GPU may."""

    def forward(self, clip_BTCHW: Tensor) -> Tensor:
        return LOGITS_BK.half()


def module(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> tuple[GestureModule, dict[str, Any]]:
    made = GestureModule(Fixed(), tiny_config(changes), num_classes=3)
    logged: dict[str, Any] = {}
    monkeypatch.setattr(made, "log", lambda name, value, **how: logged.update({name: (value, how)}))
    return made, logged


BATCH = Batch(torch.zeros(2, 1, 3, 4, 4), torch.tensor([0, 2]), torch.tensor([0, 1]))


def test_the_training_loss_is_smoothed_and_the_validation_loss_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    made, logged = module(monkeypatch, **{"fitting.label_smoothing": 0.3})
    log_p = LOGITS_BK.log_softmax(dim=1)
    truth = -(log_p[0, 0] + log_p[1, 2]) / 2
    loss = made.training_step(BATCH, 0)
    assert loss.dtype == torch.float32
    assert loss == pytest.approx(float(0.7 * truth - 0.3 * log_p.mean()), abs=1e-3)
    made.validation_step(BATCH, 0)
    assert float(logged["validation_loss"][0]) == pytest.approx(float(truth), abs=1e-3)


def test_accuracy_counts_every_clip_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made, logged = module(monkeypatch)
    made.training_step(BATCH, 0)
    made.validation_step(BATCH, 0)
    made.validation_step(Batch(BATCH.clip_BTCHW, torch.tensor([0, 1]), BATCH.index_B), 1)
    assert float(made.train_top1.compute()) == 0.5
    assert float(made.validation_top1.compute()) == 0.75
    assert all(how["batch_size"] == 2 and how["on_epoch"] for _, how in logged.values())


def test_the_loss_of_a_batch_alone_is_that_of_a_training_step(monkeypatch: pytest.MonkeyPatch) -> None:
    made, logged = module(monkeypatch, **{"fitting.label_smoothing": 0.3})
    loss = made.compute_loss(BATCH)
    assert not logged
    assert loss == made.training_step(BATCH, 0)
