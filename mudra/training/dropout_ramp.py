"""Dropout that rises with the steps: a network first learns something, and then not to lean on single features.

Source: the released code of Pigou et al. 2015 (from 0 to 0.5 over the first hundreds of updates of its networks with
temporal convolutions).
Differs: nothing; the rise is a straight line over steps of the optimiser.
"""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
from torch import nn


class DropoutRamp(pl.Callback):
    """Raises the probability of every dropout of the network from 0 to its own.

    Args:
        num_steps: Steps until it is reached.
    """

    def __init__(self, num_steps: int) -> None:
        self.num_steps = num_steps
        self._full: dict[nn.Dropout, float] = {}

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remember what the model says; a resumed run builds its network anew, and goes on from its step."""
        self._full = {module: module.p for module in pl_module.modules() if isinstance(module, nn.Dropout)}

    def on_train_batch_start(self, trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        share = min(trainer.global_step / self.num_steps, 1.0)
        for module, probability in self._full.items():
            module.p = probability * share

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave the network as its config says."""
        for module, probability in self._full.items():
            module.p = probability
