"""Training of networks whose frames vote on the clip: the loss of every frame, top-1 of the vote and of the frames.

Source: Agethen and Hsu 2019, section IV-A2, where accuracy is averaged over all frames.
Differs: the loss is not in the text; it is the cross-entropy of every frame against the clip's class, averaged. The
frames' own accuracy is `validation_frame_top1`; epochs are compared by that of their vote, which a run answers with.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy

from mudra.models import RecurrentFrameNet
from mudra.training.config import RunConfig
from mudra.training.feature_data import FeatureBatch
from mudra.training.task import TrainingModule
from mudra.types import Batch


class FrameVoteModule(TrainingModule):
    """Trains a network that classifies every frame of a clip of one class.

    Args:
        network: The network.
        config: The run.
        num_classes: Classes (K).
    """

    monitor: ClassVar[str] = "validation_top1"

    def __init__(self, network: RecurrentFrameNet, config: RunConfig, *, num_classes: int) -> None:
        super().__init__(network, config)
        self.loss = nn.CrossEntropyLoss(label_smoothing=config.fitting.label_smoothing)
        self.validation_loss = nn.CrossEntropyLoss()
        self.train_top1 = MulticlassAccuracy(num_classes, average="micro")
        self.validation_top1 = MulticlassAccuracy(num_classes, average="micro")
        self.validation_frame_top1 = MulticlassAccuracy(num_classes, average="micro")

    def compute_loss(self, batch: Batch | FeatureBatch) -> Tensor:
        """Return the loss of one batch."""
        return _average(self.loss, self._classify(batch), batch.label_B)

    def training_step(self, batch: Batch | FeatureBatch, batch_idx: int) -> Tensor:
        """Return the loss of one batch."""
        logits_BTK = self._classify(batch)
        loss = _average(self.loss, logits_BTK, batch.label_B)
        self.train_top1(RecurrentFrameNet.vote(logits_BTK.detach()), batch.label_B)
        size = len(batch.label_B)
        self.log("train_loss", loss.detach(), on_step=False, on_epoch=True, batch_size=size)
        self.log("train_top1", self.train_top1, on_step=False, on_epoch=True, batch_size=size)
        return loss

    def validation_step(self, batch: Batch | FeatureBatch, batch_idx: int) -> None:
        """Score one batch."""
        logits_BTK, size = self._classify(batch), len(batch.label_B)
        self.validation_top1(RecurrentFrameNet.vote(logits_BTK), batch.label_B)
        self.validation_frame_top1(logits_BTK.flatten(0, 1), _repeat(batch.label_B, logits_BTK))
        loss = _average(self.validation_loss, logits_BTK, batch.label_B)
        self.log("validation_loss", loss, on_epoch=True, batch_size=size)
        self.log("validation_top1", self.validation_top1, on_epoch=True, batch_size=size)
        self.log("validation_frame_top1", self.validation_frame_top1, on_epoch=True, batch_size=size)

    def _classify(self, batch: Batch | FeatureBatch) -> Tensor:
        assert isinstance(self.network, RecurrentFrameNet)
        if isinstance(batch, FeatureBatch):
            return self.network.classify_maps(batch.maps_BTCHW).float()
        return self.network.classify_frames(batch.clip_BTCHW).float()


def _repeat(label_B: Tensor, logits_BTK: Tensor) -> Tensor:
    """Return every clip's label once for each of its frames, shape (B * T,)."""
    return label_B.repeat_interleave(logits_BTK.shape[1])


def _average(loss: nn.Module, logits_BTK: Tensor, label_B: Tensor) -> Tensor:
    averaged: Tensor = loss(logits_BTK.flatten(0, 1), _repeat(label_B, logits_BTK))
    return averaged
