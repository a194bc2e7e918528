"""Losses of classes and depth: their weights, both reductions, binarised depth, and what was not measured."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mudra.errors import ConfigError
from mudra.scoring import MaskLoss, MaskLossConfig, mask_loss
from mudra.scoring.mask_loss import scale_depth

LABELS = torch.tensor([1, 0])


def parts() -> tuple[Tensor, tuple[Tensor, Tensor], Tensor]:
    """Logits, masks of the whole size and of a quarter, and depth, with no two numbers alike."""
    generator = torch.Generator().manual_seed(1)
    shapes = ((2, 3, 8, 8), (2, 3, 2, 2), (2, 3, 8, 8))
    local, global_, depth = (torch.rand(shape, generator=generator) for shape in shapes)
    return torch.randn(2, 4, generator=generator), (local, global_), depth


def test_it_is_the_weighted_sum() -> None:
    logits, (local, global_), depth = parts()
    small = nn.functional.interpolate(depth, size=(2, 2), mode="bilinear")
    wanted = (
        nn.functional.cross_entropy(logits, LABELS),
        nn.functional.mse_loss(local, depth),
        nn.functional.mse_loss(global_, small),
    )
    losses = MaskLoss()(logits, LABELS, (local, global_), depth)
    torch.testing.assert_close(losses[1:], wanted)
    torch.testing.assert_close(losses.total, wanted[0] + wanted[1] + 0.01 * wanted[2])
    weighted = MaskLoss(class_weight=2.0, local_weight=0.1, global_weight=3.0)(logits, LABELS, (local, global_), depth)
    torch.testing.assert_close(weighted.total, 2.0 * wanted[0] + 0.1 * wanted[1] + 3.0 * wanted[2])


def test_classes_may_be_smoothed() -> None:
    logits, masks, depth = parts()
    plain, smooth = (MaskLoss()(logits, LABELS, masks, depth, label_smoothing=share) for share in (0.0, 0.2))
    log_p = logits.log_softmax(dim=1)
    torch.testing.assert_close(smooth.classes, 0.8 * plain.classes - 0.2 * log_p.mean())
    torch.testing.assert_close(smooth.total - smooth.classes, plain.total - plain.classes)


def test_the_papers_letter_sums_over_pixels_and_divides_by_clips() -> None:
    logits, masks, depth = parts()
    losses = MaskLoss(reduction="sum_per_clip")(logits, LABELS, masks, depth)
    torch.testing.assert_close(losses.local, (masks[0] - depth).square().sum() / 2)


def test_a_decoder_that_is_not_there_costs_nothing() -> None:
    logits, (local, global_), depth = parts()
    assert MaskLoss()(logits, LABELS, (None, global_), depth).local == 0.0
    losses = MaskLoss()(logits, LABELS, (local, None), depth)
    torch.testing.assert_close(losses.total, losses.classes + losses.local)


def test_depth_is_binarised_above_the_level_and_before_it_is_scaled() -> None:
    depth = torch.tensor([9.0, 10.0, 11.0, 255.0]).view(1, 1, 1, 4) / 255.0
    loss = MaskLoss(threshold_level=10.0, reduction="sum_per_clip")
    whole = loss(torch.zeros(1, 2), LABELS[:1], (torch.zeros(1, 1, 1, 4), None), depth)
    assert whole.local.item() == 2.0
    halved = loss(torch.zeros(1, 2), LABELS[:1], (torch.zeros(1, 1, 1, 1), None), depth)
    assert halved.local.item() == 0.25  # the middle two pixels' mean, squared


@pytest.mark.parametrize("reduction", ["mean", "sum_per_clip"])
def test_what_was_not_measured_does_not_count(reduction: Any) -> None:
    logits, masks, depth = parts()
    measured = torch.ones_like(depth)
    measured[..., 4:] = 0.0
    losses, others = [], []
    for filler in (0.0, 0.7):
        filled = torch.where(measured > 0, depth, filler)
        found = MaskLoss(reduction=reduction)(logits, LABELS, masks, filled, measured)
        losses.append(found)
        others.append(found.global_)
    torch.testing.assert_close(losses[0], losses[1])
    errors = (masks[0] - depth).square()[..., :4]
    torch.testing.assert_close(losses[0].local, errors.mean() if reduction == "mean" else errors.sum() / 2)
    small = nn.functional.interpolate(depth, size=(2, 2), mode="bilinear")
    errors = (masks[1] - small).square()[..., :1]
    torch.testing.assert_close(others[0], errors.mean() if reduction == "mean" else errors.sum() / 2)


def test_clips_without_any_measurement_cost_nothing() -> None:
    logits, masks, depth = parts()
    losses = MaskLoss()(logits, LABELS, masks, depth, torch.zeros_like(depth))
    assert losses.local == losses.global_ == 0.0
    assert losses.total.isfinite()


def test_scaled_depth_is_that_of_the_measured_part() -> None:
    depth = torch.tensor([[0.5, 0.9], [0.1, 0.3]]).view(1, 1, 2, 2)
    target, share = scale_depth(depth, torch.tensor([[1.0, 1.0], [0.0, 1.0]]).view(1, 1, 2, 2), size=(1, 1))
    assert (target.item(), share.item()) == (pytest.approx((0.5 + 0.9 + 0.3) / 3), pytest.approx(0.75))


def test_the_config_spells_the_constructor_out(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = inspect.signature(MaskLoss).parameters
    assert {n: p.default for n, p in parameters.items()} == {
        n: f.get_default() for n, f in MaskLossConfig.model_fields.items()
    }
    config = MaskLossConfig(class_weight=2.0, local_weight=0.5, reduction="sum_per_clip", threshold_level=10.0)
    monkeypatch.setattr(mask_loss, "MaskLoss", lambda **arguments: arguments)
    assert config.build() == config.model_dump()


def test_an_unknown_reduction_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"reduction is 'sum'\n  hint: did you mean 'sum_per_clip'\?|known: "):
        MaskLoss(reduction="sum")  # type: ignore[arg-type]
