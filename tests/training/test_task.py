"""What every kind of training has in common: chance that starts anew with every epoch, and steps by a schedule."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from mudra.training.task import TrainingModule
from tests.fixtures.run import tiny_config


class Summing(TrainingModule):
    """The least that a kind of training must say."""

    monitor: ClassVar[str] = "validation_loss"

    def compute_loss(self, batch: Any) -> Tensor:
        total: Tensor = self.network(batch).sum()
        return total


def test_every_epochs_chance_has_its_own_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Summing(nn.Identity(), tiny_config())
    draws = []
    for epoch in (0, 1, 0):
        monkeypatch.setattr(Summing, "current_epoch", epoch)
        torch.rand(7)
        made.on_train_epoch_start()
        draws.append(torch.rand(3).tolist())
    assert draws[0] == draws[2] != draws[1]


def test_the_rate_follows_the_schedule_batch_by_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_config({"optimiser": "sgd", "optimiser.lr": 0.5, "schedule": "steps", "schedule.drops": [0.5]})
    made = Summing(nn.Linear(2, 1), config)
    monkeypatch.setattr(Summing, "trainer", SimpleNamespace(estimated_stepping_batches=4))
    chosen: Any = made.configure_optimizers()
    rates = []
    for _ in range(4):
        rates.append(chosen["optimizer"].param_groups[0]["lr"])
        chosen["optimizer"].step()
        chosen["lr_scheduler"]["scheduler"].step()
    assert rates == pytest.approx([0.5, 0.5, 0.05, 0.05])
    assert chosen["lr_scheduler"]["interval"] == "step"


def test_gradients_are_bounded_together_and_left_alone_without_a_bound() -> None:
    made = Summing(nn.Linear(2, 1, bias=False), tiny_config())
    weight = next(made.network.parameters())
    optimiser = torch.optim.AdamW(made.network.parameters(), fused=True)
    weight.grad = torch.tensor([[3.0, 4.0]])
    made.configure_gradient_clipping(optimiser)
    assert weight.grad.tolist() == [[3.0, 4.0]]
    made.configure_gradient_clipping(optimiser, 0.5)
    assert weight.grad.flatten().tolist() == pytest.approx([0.3, 0.4], abs=1e-5)
