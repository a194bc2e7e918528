"""What training does with a network of one kind: which batches it gets, what is learned of them, what is watched.

To add a kind: write its `TrainingData` and its `TrainingModule`, and name both in `choose_task` (train.py).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from mudra.training.clip_dataset import derive_seed
from mudra.training.config import RunConfig
from mudra.training.optimisation import build_optimiser, learning_rate_factor

Progress = Callable[[int, int, str], None]


class TrainingData(pl.LightningDataModule):
    """Batches of a data set's splits. Every batch is a NamedTuple whose first field is clip_BTCHW, or
    maps_BTCHW where a frozen backbone's maps were computed beforehand."""

    @property
    @abstractmethod
    def num_train(self) -> int:
        """Items of a training epoch, before a last partial batch is left out."""

    @property
    @abstractmethod
    def num_validation(self) -> int:
        """Items of the validation split; 0 where there is none."""

    @abstractmethod
    def prepare(self) -> None:
        """Read beforehand what is kept in memory."""


class TrainingModule(pl.LightningModule):
    """A network with its loss and its numbers of every epoch.

    Names that it logs begin with `train_` or `validation_`; they are the columns of metrics.csv.

    Args:
        network: The network.
        config: The run.
    """

    monitor: ClassVar[str]
    """The number of validation by which the best epoch is chosen."""
    monitor_mode: ClassVar[Literal["max", "min"]] = "max"
    """Whether more of it is better, or less."""

    def __init__(self, network: nn.Module, config: RunConfig) -> None:
        super().__init__()
        self.network = network
        self.config = config

    def on_train_epoch_start(self) -> None:
        """Start every epoch's chance (dropout) from its own seed, so that a resumed epoch repeats itself."""
        torch.manual_seed(derive_seed(self.config.seed, self.current_epoch, -2))

    @abstractmethod
    def compute_loss(self, batch: Any) -> Tensor:
        """Return the loss of one training batch, and log nothing."""

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimiser, and the schedule that moves it batch by batch."""
        optimiser = build_optimiser(self.network, self.config.optimiser)
        num_steps = int(self.trainer.estimated_stepping_batches)
        factor = learning_rate_factor(self.config.schedule, lr=self.config.optimiser.lr, num_steps=num_steps)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Bound the norm of all gradients together.

        Lightning's own way refuses fused optimisers because they would undo the scaling of a float16 loss themselves;
        neither of our precisions scales.
        """
        if gradient_clip_val:
            nn.utils.clip_grad_norm_(self.network.parameters(), gradient_clip_val)
