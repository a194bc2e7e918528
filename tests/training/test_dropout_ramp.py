"""Dropout that rises with the steps, from none to what the model says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import lightning.pytorch as pl
import pytest
from torch import nn

from mudra.training.dropout_ramp import DropoutRamp


class Holding(pl.LightningModule):
    """A module with two dropouts."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5), nn.ModuleList([nn.Dropout(0.2)]))


def probabilities(module: nn.Module) -> list[float]:
    return [part.p for part in module.modules() if isinstance(part, nn.Dropout)]


def test_dropout_rises_in_a_straight_line_and_stays() -> None:
    ramp, module = DropoutRamp(4), Holding()
    trainer: Any = SimpleNamespace(global_step=0)
    ramp.on_fit_start(trainer, module)
    seen = []
    for step in range(7):
        trainer.global_step = step
        ramp.on_train_batch_start(trainer, module)
        seen.append(probabilities(module))
    shares = [0.0, 0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert [first for first, _ in seen] == pytest.approx([0.5 * share for share in shares])
    assert [second for _, second in seen] == pytest.approx([0.2 * share for share in shares])


def test_a_network_is_left_as_its_config_says() -> None:
    ramp, module = DropoutRamp(10), Holding()
    trainer: Any = SimpleNamespace(global_step=3)
    ramp.on_fit_start(trainer, module)
    ramp.on_train_batch_start(trainer, module)
    assert probabilities(module) == pytest.approx([0.15, 0.06])
    ramp.on_fit_end(trainer, module)
    assert probabilities(module) == [0.5, 0.2]
