"""Training of networks that predict frames: the cross-entropy of what comes, and the squared error."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor

from mudra.models import frame_errors, sum_cross_entropy
from mudra.training.future_data import FutureBatch
from mudra.training.task import TrainingModule


class FutureModule(TrainingModule):
    """Trains a network that takes clip_BTCHW and returns the logits of the frames that follow.

    The loss is the sigmoid cross-entropy, summed over pixels and time and averaged over clips; beside it stands the
    squared error, summed over the pixels of a frame and averaged over frames and clips.
    """

    monitor: ClassVar[str] = "validation_loss"
    monitor_mode: ClassVar[Literal["max", "min"]] = "min"

    def compute_loss(self, batch: FutureBatch) -> Tensor:
        """Return the loss of one batch."""
        return sum_cross_entropy(self.network(batch.clip_BTCHW).float(), batch.future_BTCHW)

    def training_step(self, batch: FutureBatch, batch_idx: int) -> Tensor:
        """Return the loss of one batch."""
        loss = self.compute_loss(batch)
        self.log("train_loss", loss.detach(), on_step=False, on_epoch=True, batch_size=len(batch.index_B))
        return loss

    def validation_step(self, batch: FutureBatch, batch_idx: int) -> None:
        """Score one batch."""
        errors = frame_errors(self.network(batch.clip_BTCHW).float(), batch.future_BTCHW)
        size = len(batch.index_B)
        loss_B, mse_B = errors.cross_entropy_BT.sum(dim=1), errors.squared_BT.mean(dim=1)
        self.log("validation_loss", loss_B.mean(), on_epoch=True, batch_size=size)
        self.log("validation_mse", mse_B.mean(), on_epoch=True, batch_size=size)
