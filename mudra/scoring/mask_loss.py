"""Losses of a network that learns classes and depth together.

Source: Fan et al. 2021, section III-E, equations 4 to 7; the ratio 1 : 1 : 0.01 is that of its table VI.
Differs: classes are judged by softmax cross-entropy (equation 6 is printed as a binary one). Read literally, equations
4 and 5 add up all pixels of a clip, 401,408 at T = 8 and 224x224, which at a weight of one would leave nothing of the
class; `reduction="mean"` takes the mean over pixels, `sum_per_clip` the letter. With means, which lie below one, a
weight of 0.01 leaves the global decoder next to no say in what the network learns. What counts as not measured
(`DepthTarget`) is left out, which the paper does not mention.

    loss = w_class CE + w_local MSE(local, depth) + w_global MSE(global, depth, scaled down)

Shape letters: B clips, T frames, H W pixels, K classes.
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple, get_args

import torch
from pydantic import Field, NonNegativeFloat
from torch import Tensor, nn

from mudra.config import Config
from mudra.errors import ConfigError, nearest_name

MaskReduction = Literal["mean", "sum_per_clip"]
LARGEST_LEVEL = 255.0


class MaskLossConfig(Config):
    """Weights of the losses of classes and of depth, where a model has decoders."""

    class_weight: NonNegativeFloat = 1.0
    """Weight of the cross-entropy of the classes."""
    local_weight: NonNegativeFloat = 1.0
    """Weight of the local decoder's squared error."""
    global_weight: NonNegativeFloat = 0.01
    """Weight of the global decoder's squared error. The paper's 0.01 of a mean adds less than 0.01 to the loss, and
    the network hardly notices; of a `sum_per_clip` over eight masks of 56x56 it is 251 means."""
    reduction: MaskReduction = "mean"
    """`mean`: over all measured pixels; `sum_per_clip`: sum over them, mean over clips (equations 4 and 5 read
    literally)."""
    threshold_level: Annotated[float, Field(ge=0.0, lt=LARGEST_LEVEL)] | None = None
    """Depth above this level, of 0 to 255, counts as 255, the rest as 0; None takes depth as it is."""

    def build(self) -> MaskLoss:
        """Return the loss."""
        return MaskLoss(
            class_weight=self.class_weight,
            local_weight=self.local_weight,
            global_weight=self.global_weight,
            reduction=self.reduction,
            threshold_level=self.threshold_level,
        )


class MaskLosses(NamedTuple):
    """What `MaskLoss` returns; the parts are before their weights, zero where there is no such decoder.

    Args:
        total: What is trained on.
        classes: Cross-entropy.
        local: Error of the local decoder.
        global_: Error of the global decoder.
    """

    total: Tensor
    classes: Tensor
    local: Tensor
    global_: Tensor


class MaskLoss(nn.Module):
    """Weighted sum of the losses of classes and of depth.

    Args:
        class_weight: Weight of the cross-entropy of the classes.
        local_weight: Weight of the local decoder's squared error.
        global_weight: Weight of the global decoder's squared error.
        reduction: `mean` or `sum_per_clip`.
        threshold_level: Depth above this level, of 0 to 255, counts as 255, the rest as 0; None takes it as it is.

    Raises:
        ConfigError: If there is no such reduction.

    Example:
        >>> loss = MaskLoss(local_weight=0.5)
        >>> masks = (torch.full((1, 1, 4, 4), 0.5), None)
        >>> losses = loss(torch.zeros(1, 2), torch.tensor([0]), masks, torch.zeros(1, 1, 4, 4))
        >>> round(losses.local.item(), 4), round((losses.total - losses.classes).item(), 4)
        (0.25, 0.125)
    """

    def __init__(
        self,
        *,
        class_weight: float = 1.0,
        local_weight: float = 1.0,
        global_weight: float = 0.01,
        reduction: MaskReduction = "mean",
        threshold_level: float | None = None,
    ) -> None:
        if reduction not in get_args(MaskReduction):
            raise ConfigError(f"reduction is {reduction!r}", hint=nearest_name(reduction, get_args(MaskReduction)))
        super().__init__()
        self.class_weight, self.local_weight, self.global_weight = class_weight, local_weight, global_weight
        self.reduction: MaskReduction = reduction
        self.threshold_level = threshold_level

    def forward(
        self,
        logits_BK: Tensor,
        label_B: Tensor,
        masks: tuple[Tensor | None, Tensor | None],
        depth_BTHW: Tensor,
        measured_BTHW: Tensor | None = None,
        *,
        label_smoothing: float = 0.0,
    ) -> MaskLosses:
        """Return the losses.

        Args:
            logits_BK: Of the classes.
            label_B: The true classes.
            masks: Local and global mask_BTHW of any size, each in [0, 1], or None.
            depth_BTHW: True depth in [0, 1], at the clip's size.
            measured_BTHW: Share of every pixel that was measured, in [0, 1]; None where all of it was.
            label_smoothing: Share of every true class that is spread over all classes.
        """
        classes = nn.functional.cross_entropy(logits_BK.float(), label_B, label_smoothing=label_smoothing)
        if self.threshold_level is not None:
            depth_BTHW = (depth_BTHW > self.threshold_level / LARGEST_LEVEL).to(depth_BTHW.dtype)
        local, global_ = (
            classes.new_zeros(()) if mask is None else self.compare(mask, depth_BTHW, measured_BTHW) for mask in masks
        )
        total = self.class_weight * classes + self.local_weight * local + self.global_weight * global_
        return MaskLosses(total, classes, local, global_)

    def compare(self, mask_BTHW: Tensor, depth_BTHW: Tensor, measured_BTHW: Tensor | None) -> Tensor:
        """Return the squared error of masks against depth, which is scaled to their size."""
        target, weight = scale_depth(depth_BTHW, measured_BTHW, size=(mask_BTHW.shape[-2], mask_BTHW.shape[-1]))
        error = (mask_BTHW.float() - target).square() * weight
        if self.reduction == "sum_per_clip":
            return error.sum() / len(mask_BTHW)
        # Clips without any measurement count nothing, and divide by nothing.
        return error.sum() / weight.expand_as(error).sum().clamp_min(1.0)


def scale_depth(depth_BTHW: Tensor, measured_BTHW: Tensor | None, *, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return depth and its measured share at another size, bilinearly.

    A pixel's depth is that of the measured part of the pixels that it is made of: what was not measured does not bend
    it.

    Args:
        depth_BTHW: Depth in [0, 1].
        measured_BTHW: Share of every pixel that was measured; None where all of it was.
        size: Height and width that are wanted.

    Example:
        >>> depth = torch.tensor([0.8, 0.0]).view(1, 1, 1, 2)
        >>> target, share = scale_depth(depth, torch.tensor([1.0, 0.0]).view(1, 1, 1, 2), size=(1, 1))
        >>> round(target.item(), 3), round(share.item(), 3)
        (0.8, 0.5)
    """
    if measured_BTHW is None:
        return _scale(depth_BTHW.float(), size), depth_BTHW.new_ones((), dtype=torch.float32)
    weight = measured_BTHW.float()
    share = _scale(weight, size)
    known = _scale(depth_BTHW.float() * weight, size)
    return torch.where(share > 0, known / share.clamp_min(torch.finfo(share.dtype).eps), 0.0), share


def _scale(maps_BTHW: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(maps_BTHW.shape[-2:]) == size:
        return maps_BTHW
    return nn.functional.interpolate(maps_BTHW, size=size, mode="bilinear", align_corners=False)
