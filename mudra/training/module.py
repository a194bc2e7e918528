"""Training of networks that label clips: the loss of one batch, and top-1."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy

from mudra.training.config import RunConfig
from mudra.training.task import TrainingModule
from mudra.types import Batch


class GestureModule(TrainingModule):
    """Trains a network that takes clip_BTCHW and returns logits_BK.

    Args:
        network: The network.
        config: The run.
        num_classes: Classes (K).
    """

    monitor: ClassVar[str] = "validation_top1"

    def __init__(self, network: nn.Module, config: RunConfig, *, num_classes: int) -> None:
        super().__init__(network, config)
        self.loss = nn.CrossEntropyLoss(label_smoothing=config.fitting.label_smoothing)
        self.validation_loss = nn.CrossEntropyLoss()
        self.train_top1 = MulticlassAccuracy(num_classes, average="micro")
        self.validation_top1 = MulticlassAccuracy(num_classes, average="micro")

    def compute_loss(self, batch: Batch) -> Tensor:
        """Return the loss of one batch."""
        loss: Tensor = self.loss(self.network(batch.clip_BTCHW).float(), batch.label_B)
        return loss

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
