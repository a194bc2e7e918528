"""The Lightning module: one network, one loss, the numbers of every epoch."""

from __future__ import annotations

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy

from mudra.training.clip_dataset import derive_seed
from mudra.training.config import RunConfig
from mudra.training.optimisation import build_optimiser, learning_rate_factor
from mudra.types import Batch


class GestureModule(pl.LightningModule):
    """Trains a network that takes clip_BTCHW and returns logits_BK.

    Args:
        network: The network.
        config: The run.
        num_classes: Classes (K).
    """

    def __init__(self, network: nn.Module, config: RunConfig, *, num_classes: int) -> None:
        super().__init__()
        self.network = network
        self.config = config
        self.loss = nn.CrossEntropyLoss(label_smoothing=config.fitting.label_smoothing)
        self.validation_loss = nn.CrossEntropyLoss()
        self.train_top1 = MulticlassAccuracy(num_classes, average="micro")
        self.validation_top1 = MulticlassAccuracy(num_classes, average="micro")

    def on_train_epoch_start(self) -> None:
        """Start every epoch's chance (dropout) from its own seed, so that a resumed epoch repeats itself."""
        torch.manual_seed(derive_seed(self.config.seed, self.current_epoch, -2))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of one batch."""
        logits_BK = self.network(batch.clip_BTCHW).float()
        loss: Tensor = self.loss(logits_BK, batch.label_B)
        self.train_top1(logits_BK.detach(), batch.label_B)
        size = len(batch.label_B)
        self.log("train_loss", loss.detach(), on_step=False, on_epoch=True, batch_size=size)
        self.log("train_top1", self.train_top1, on_step=False, on_epoch=True, batch_size=size)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Score one batch."""
        logits_BK = self.network(batch.clip_BTCHW).float()
        self.validation_top1(logits_BK, batch.label_B)
        size = len(batch.label_B)
        self.log("validation_loss", self.validation_loss(logits_BK, batch.label_B), on_epoch=True, batch_size=size)
        self.log("validation_top1", self.validation_top1, on_epoch=True, batch_size=size)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimiser, and the schedule that moves it batch by batch."""
        optimiser = build_optimiser(self.network, self.config.optimiser)
        num_steps = int(self.trainer.estimated_stepping_batches)
        factor = learning_rate_factor(self.config.schedule, lr=self.config.optimiser.lr, num_steps=num_steps)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
