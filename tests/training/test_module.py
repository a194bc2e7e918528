"""Training of networks that label clips: losses and top-1."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mudra.models import GestureNet
from mudra.scoring import MaskLoss
from mudra.training.feature_data import FeatureBatch
from mudra.training.module import GestureModule
from mudra.types import Batch
from tests.fixtures.run import depth_config, tiny_config

LOGITS_BK = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


class Fixed(nn.Module):
    """Answers with the same logits, in half precision as a GPU may."""

    def forward(self, clip_BTCHW: Tensor) -> Tensor:
        return LOGITS_BK.half()


def module(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> tuple[GestureModule, dict[str, Any]]:
    made = GestureModule(Fixed(), tiny_config(changes), num_classes=3)
    logged: dict[str, Any] = {}
    monkeypatch.setattr(made, "log", lambda name, value, **how: logged.update({name: (value, how)}))
    return made, logged


BATCH = Batch(torch.zeros(2, 1, 3, 4, 4), torch.tensor([0, 2]), torch.tensor([0, 1]))


def test_the_training_loss_is_smoothed_and_the_validation_loss_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    made, logged = module(monkeypatch, **{"fitting.label_smoothing": 0.3})
    log_p = LOGITS_BK.log_softmax(dim=1)
    truth = -(log_p[0, 0] + log_p[1, 2]) / 2
    loss = made.training_step(BATCH, 0)
    assert loss.dtype == torch.float32
    assert loss == pytest.approx(float(0.7 * truth - 0.3 * log_p.mean()), abs=1e-3)
    made.validation_step(BATCH, 0)
    assert float(logged["validation_loss"][0]) == pytest.approx(float(truth), abs=1e-3)


class OnMaps(GestureNet):
    """Answers to maps alone."""

    def __init__(self) -> None:
        super().__init__(num_classes=3, in_channels=3, width=0.05, cells=(), top=None)

    def forward(self, clip_BTCHW: Tensor) -> Tensor:
        raise AssertionError("the backbone is not wanted")

    def classify_maps(self, maps_BTCHW: Tensor) -> Tensor:
        return LOGITS_BK.half()


def test_maps_come_in_behind_the_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    made, logged = GestureModule(OnMaps(), tiny_config(), num_classes=3), {}
    monkeypatch.setattr(made, "log", lambda name, value, **how: logged.update({name: value}))
    batch = FeatureBatch(torch.zeros(2, 1, 8, 1, 1), BATCH.label_B, BATCH.index_B)
    log_p = LOGITS_BK.log_softmax(dim=1)
    truth = float(-(log_p[0, 0] + log_p[1, 2]) / 2)
    assert float(made.training_step(batch, 0)) == pytest.approx(truth, abs=1e-3)
    made.validation_step(batch, 0)
    assert float(logged["validation_loss"]) == pytest.approx(truth, abs=1e-3)
    assert logged.keys() == {"train_loss", "train_top1", "validation_loss", "validation_top1"}


def test_accuracy_counts_every_clip_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made, logged = module(monkeypatch)
    made.training_step(BATCH, 0)
    made.validation_step(BATCH, 0)
    made.validation_step(Batch(BATCH.clip_BTCHW, torch.tensor([0, 1]), BATCH.index_B), 1)
    assert float(made.train_top1.compute()) == 0.5
    assert float(made.validation_top1.compute()) == 0.75
    assert all(how["batch_size"] == 2 and how["on_epoch"] for _, how in logged.values())


def test_the_loss_of_a_batch_alone_is_that_of_a_training_step(monkeypatch: pytest.MonkeyPatch) -> None:
    made, logged = module(monkeypatch, **{"fitting.label_smoothing": 0.3})
    loss = made.compute_loss(BATCH)
    assert not logged
    assert loss == made.training_step(BATCH, 0)


# With a decoder


def with_decoder(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> tuple[GestureModule, GestureNet, dict[str, Any]]:
    config = depth_config(changes)
    model = config.model.model_copy(update={"num_classes": 3, "in_channels": 3})
    torch.manual_seed(1)
    network = model.build()
    assert isinstance(network, GestureNet)
    made = GestureModule(network, config, num_classes=3)
    logged: dict[str, Any] = {}
    monkeypatch.setattr(made, "log", lambda name, value, **how: logged.update({name: (value, how)}))
    return made, network, logged


def depth_batch(*, with_depth: tuple[bool, ...] = (True, True)) -> Batch:
    generator = torch.Generator().manual_seed(5)
    num = len(with_depth)
    clip_BTCHW = torch.randn(num, 4, 3, 32, 32, generator=generator)
    depth_BTHW = torch.rand(num, 4, 32, 32, generator=generator)
    measured_BTHW = torch.tensor(with_depth).float().view(-1, 1, 1, 1).expand_as(depth_BTHW)
    label_B = torch.arange(num) % 3
    return Batch(clip_BTCHW, label_B, label_B, depth_BTHW, measured_BTHW)


def test_depth_is_learned_with_the_classes_and_all_losses_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    made, network, logged = with_decoder(
        monkeypatch,
        **{"fitting.label_smoothing": 0.2, "mask_loss.local_weight": 0.7, "mask_loss.global_weight": 0.3},
    )
    batch = depth_batch()
    loss = made.training_step(batch, 0)
    assert loss == made.compute_loss(batch)
    with torch.no_grad():
        logits_BK, masks = network.forward_training(batch.clip_BTCHW)
    smooth = nn.functional.cross_entropy(logits_BK, batch.label_B, label_smoothing=0.2)
    assert batch.depth_BTHW is not None
    parts = MaskLoss()(logits_BK, batch.label_B, masks, batch.depth_BTHW, batch.measured_BTHW)
    assert loss.item() == pytest.approx(float(smooth + 0.7 * parts.local + 0.3 * parts.global_), rel=1e-5)
    told = {name: float(value) for name, (value, _) in logged.items() if name != "train_top1"}
    assert told == {
        "train_loss": pytest.approx(loss.item()),
        "train_local_loss": pytest.approx(float(parts.local), rel=1e-4),
        "train_global_loss": pytest.approx(float(parts.global_), rel=1e-4),
    }
    loss.backward()
    assert network.decoder is not None
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.decoder.parameters())


def test_validation_tells_the_classes_loss_and_the_masks_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    made, network, logged = with_decoder(monkeypatch, **{"fitting.label_smoothing": 0.2})
    made.eval()
    batch = depth_batch()
    with torch.no_grad():
        made.validation_step(batch, 0)
        truth = nn.functional.cross_entropy(network(batch.clip_BTCHW), batch.label_B)
    assert float(logged["validation_loss"][0]) == pytest.approx(float(truth), rel=1e-5)
    assert set(logged) == {
        "validation_loss",
        "validation_top1",
        "validation_local_loss",
        "validation_global_loss",
    }


@pytest.mark.parametrize("split", ["train", "validation"])
def test_clips_without_depth_have_no_part_in_the_masks_losses(monkeypatch: pytest.MonkeyPatch, split: str) -> None:
    made, network, logged = with_decoder(monkeypatch)
    made.train(split == "train")
    step = made.training_step if split == "train" else made.validation_step
    step(depth_batch(with_depth=(True, False, True)), 0)
    assert logged[f"{split}_local_loss"][1]["batch_size"] == 2
    assert logged[f"{split}_loss"][1]["batch_size"] == 3
    logged.clear()
    step(depth_batch(with_depth=(False, False)), 1)
    assert f"{split}_local_loss" not in logged
    made.train()
    loss = made.compute_loss(depth_batch(with_depth=(False, False)))
    loss.backward()
    assert network.decoder is not None
    assert all(p.grad is None or not p.grad.any() for p in network.decoder.parameters())
    assert loss.isfinite()


def test_a_decoder_that_is_not_there_is_not_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _, logged = with_decoder(monkeypatch, **{"model.decoder.local_scale": "none"})
    made.training_step(depth_batch(), 0)
    assert "train_local_loss" not in logged
    assert "train_global_loss" in logged


def test_logits_in_validation_are_those_without_the_decoder_bit_for_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    made, network, _ = with_decoder(monkeypatch)
    made.training_step(depth_batch(), 0)  # running means are no longer fresh
    made.eval()
    seen: list[Tensor] = []
    made.validation_top1.register_forward_pre_hook(lambda module, arguments: seen.append(arguments[0]))
    batch = depth_batch()
    made.validation_step(batch, 0)
    network.drop_decoder()
    assert torch.equal(seen[0], network(batch.clip_BTCHW))
