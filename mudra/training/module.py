"""Training of networks that label clips: the loss of one batch, top-1, and depth where the network has a decoder."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy

from mudra.heads import Masks
from mudra.models import GestureNet
from mudra.scoring import MaskLosses
from mudra.training.config import RunConfig
from mudra.training.feature_data import FeatureBatch
from mudra.training.task import TrainingModule
from mudra.types import Batch


class Judged(NamedTuple):
    """What a network makes of a batch, and how far off it is.

    Args:
        logits_BK: Logits of the clips.
        losses: Of the classes and, where they are learned, of the masks.
        masks: What the decoders say; None where there is none, or no depth to compare with.
    """

    logits_BK: Tensor
    losses: MaskLosses
    masks: Masks


class GestureModule(TrainingModule):
    """Trains a network that takes clip_BTCHW and returns logits_BK.

    A network with a decoder also learns depth: `train_loss` is then the weighted sum of all, `validation_loss` that of
    the classes alone, and `train_local_loss`, `validation_global_loss` and their like are the decoders' own, before
    their weights, over the clips that have depth.

    Args:
        network: The network.
        config: The run.
        num_classes: Classes (K).
    """

    monitor: ClassVar[str] = "validation_top1"

    def __init__(self, network: nn.Module, config: RunConfig, *, num_classes: int) -> None:
        super().__init__(network, config)
        self.learns_depth = isinstance(network, GestureNet) and network.decoder is not None
        self.loss = config.mask_loss.build()
        self.train_top1 = MulticlassAccuracy(num_classes, average="micro")
        self.validation_top1 = MulticlassAccuracy(num_classes, average="micro")

    def compute_loss(self, batch: Batch | FeatureBatch) -> Tensor:
        """Return the loss of one batch."""
        return self._judge(batch, label_smoothing=self.config.fitting.label_smoothing).losses.total

    def training_step(self, batch: Batch | FeatureBatch, batch_idx: int) -> Tensor:
        """Return the loss of one batch."""
        judged = self._judge(batch, label_smoothing=self.config.fitting.label_smoothing)
        self.train_top1(judged.logits_BK.detach(), batch.label_B)
        size, loss = len(batch.label_B), judged.losses.total
        self.log("train_loss", loss.detach(), on_step=False, on_epoch=True, batch_size=size)
        self.log("train_top1", self.train_top1, on_step=False, on_epoch=True, batch_size=size)
        self._log_masks("train", judged, batch)
        return loss

    def validation_step(self, batch: Batch | FeatureBatch, batch_idx: int) -> None:
        """Score one batch."""
        judged = self._judge(batch)
        self.validation_top1(judged.logits_BK, batch.label_B)
        size = len(batch.label_B)
        self.log("validation_loss", judged.losses.classes, on_epoch=True, batch_size=size)
        self.log("validation_top1", self.validation_top1, on_epoch=True, batch_size=size)
        self._log_masks("validation", judged, batch)

    def _judge(self, batch: Batch | FeatureBatch, *, label_smoothing: float = 0.0) -> Judged:
        masks = Masks(None, None)
        if isinstance(batch, FeatureBatch) or not self.learns_depth:
            logits_BK = self._classify(batch).float()
            classes = nn.functional.cross_entropy(logits_BK, batch.label_B, label_smoothing=label_smoothing)
            nothing = classes.new_zeros(())
            return Judged(logits_BK, MaskLosses(classes, classes, nothing, nothing), masks)
        assert isinstance(self.network, GestureNet)
        assert batch.depth_BTHW is not None, "a run with a decoder is refused without clip.target"
        logits_BK, masks = self.network.forward_training(batch.clip_BTCHW)
        losses = self.loss(
            logits_BK.float(),
            batch.label_B,
            masks,
            batch.depth_BTHW,
            batch.measured_BTHW,
            label_smoothing=label_smoothing,
        )
        return Judged(logits_BK.float(), losses, masks)

    def _classify(self, batch: Batch | FeatureBatch) -> Tensor:
        """Return logits_BK."""
        if isinstance(batch, FeatureBatch):
            assert isinstance(self.network, GestureNet)
            return self.network.classify_maps(batch.maps_BTCHW)
        logits_BK: Tensor = self.network(batch.clip_BTCHW)
        return logits_BK

    def _log_masks(self, split: str, judged: Judged, batch: Batch | FeatureBatch) -> None:
        if not self.learns_depth or isinstance(batch, FeatureBatch) or batch.measured_BTHW is None:
            return
        num_with_depth = int(batch.measured_BTHW.flatten(1).any(dim=1).sum())
        found = {"local": (judged.masks.local_BTHW, judged.losses.local)}
        found["global"] = (judged.masks.global_BTHW, judged.losses.global_)
        for name, (mask, loss) in found.items():
            if mask is not None and num_with_depth:
                how = {"on_step": False, "on_epoch": True, "batch_size": num_with_depth}
                self.log(f"{split}_{name}_loss", loss.detach(), **how)
