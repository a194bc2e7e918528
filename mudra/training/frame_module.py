"""Training of networks that label frames: the loss of fragments, and whole streams judged as the paper judges them.

Source: Pigou et al. 2015, sections 4.2 and 4.3: cross-entropy over the frames; epochs are compared by the mean Jaccard
index on validation streams, over the classes that each stream truly has.
Differs: probabilities are not clipped before the logarithm. Frames of which nothing is known count nowhere.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy

from mudra.datasets import UNLABELLED
from mudra.models import FrameWiseNet, judge_stream
from mudra.scoring import SequenceJaccard, average_jaccard, measure_jaccard
from mudra.training.config import RunConfig
from mudra.training.frame_data import FrameBatch
from mudra.training.task import TrainingModule


class FrameModule(TrainingModule):
    """Trains a network that takes clip_BTCHW and returns logits_BTK.

    Args:
        network: The network.
        config: The run.
        num_classes: Classes (K), that of idle frames among them.
        idle: Index of the class of idle frames, which is no gesture; None where there is none.
    """

    monitor: ClassVar[str] = "validation_jaccard"

    def __init__(self, network: FrameWiseNet, config: RunConfig, *, num_classes: int, idle: int | None) -> None:
        super().__init__(network, config)
        self.gestures = [label for label in range(num_classes) if label != idle]
        self.train_accuracy = MulticlassAccuracy(num_classes, average="micro", ignore_index=UNLABELLED)
        self.sequences: list[SequenceJaccard] = []

    def compute_loss(self, batch: FrameBatch) -> Tensor:
        """Return the mean loss of a batch's frames."""
        return self._measure_loss(self.network(batch.clip_BTCHW), batch.label_BT)

    def training_step(self, batch: FrameBatch, batch_idx: int) -> Tensor:
        """Return the loss of one batch."""
        logits_BTK = self.network(batch.clip_BTCHW)
        loss, size = self._measure_loss(logits_BTK, batch.label_BT), _count_known(batch.label_BT)
        self.log("train_loss", loss.detach(), on_step=False, on_epoch=True, batch_size=max(size, 1))
        if size:
            self.train_accuracy(logits_BTK.detach().float().flatten(0, 1), batch.label_BT.flatten())
            self.log("train_accuracy", self.train_accuracy, on_step=False, on_epoch=True, batch_size=size)
        return loss

    def on_validation_epoch_start(self) -> None:
        """Begin a new list of streams."""
        self.sequences = []

    def validation_step(self, batch: FrameBatch, batch_idx: int) -> None:
        """Judge one whole stream; that it comes alone is what `FrameData` sees to."""
        window = self.config.clip.num_frames
        assert isinstance(self.network, FrameWiseNet)
        rows = judge_stream(self.network, batch.clip_BTCHW, window=window, stride=max(window // 2, 1))
        logits_SK, label_S = torch.cat(list(rows)).float(), batch.label_BT[0]
        is_known_S = label_S != UNLABELLED
        logits_SK, label_S = logits_SK[is_known_S], label_S[is_known_S]
        if not len(label_S):
            return
        predicted_S = logits_SK.argmax(dim=1)
        self.sequences.append(measure_jaccard(self._mark(label_S), self._mark(predicted_S)))
        loss, accuracy = nn.functional.cross_entropy(logits_SK, label_S), (predicted_S == label_S).float().mean()
        self.log("validation_loss", loss, on_epoch=True, batch_size=len(label_S))
        self.log("validation_accuracy", accuracy, on_epoch=True, batch_size=len(label_S))

    def on_validation_epoch_end(self) -> None:
        """Log the mean over streams; 0 where none shows a gesture, so that epochs can be compared all the same."""
        mean = average_jaccard(self.sequences).gt_classes if self.sequences else None
        self.log("validation_jaccard", mean or 0.0)

    def _measure_loss(self, logits_BTK: Tensor, label_BT: Tensor) -> Tensor:
        if not _count_known(label_BT):
            return logits_BTK.float().sum() * 0.0  # a mean over nothing would be no number
        return nn.functional.cross_entropy(
            logits_BTK.float().flatten(0, 1),
            label_BT.flatten(),
            ignore_index=UNLABELLED,
            label_smoothing=self.config.fitting.label_smoothing,
        )

    def _mark(self, label_S: Tensor) -> Tensor:
        """Return which gestures each frame shows, bool of shape (S, gestures)."""
        return label_S[:, None].cpu() == torch.tensor(self.gestures)


def _count_known(label_BT: Tensor) -> int:
    return int((label_BT != UNLABELLED).sum())
