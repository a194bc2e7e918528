"""MeanClassifier: mean over time and space, then a dense layer; and what every head of the room keeps."""

from __future__ import annotations

import inspect
import math
from pathlib import Path

import pytest
import torch

from mudra import heads
from mudra.config import configs_in
from mudra.errors import ConfigError
from mudra.heads import AnyHeadConfig, FrameClassifierConfig, MeanClassifier, MeanClassifierConfig


def random_maps() -> torch.Tensor:
    return torch.randn(2, 3, 4, 5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_logits_are_the_dense_layer_of_the_mean() -> None:
    head, maps_BTCHW = MeanClassifier(in_channels=4, num_classes=7).double(), random_maps()
    torch.nn.init.normal_(head.dense.bias)
    logits_BK = head(maps_BTCHW)
    for b in range(2):
        mean_C = [maps_BTCHW[b, :, c].sum().item() / (3 * 5 * 6) for c in range(4)]
        for k in range(7):
            products = sum(head.dense.weight[k, c].item() * mean_C[c] for c in range(4))
            assert logits_BK[b, k].item() == pytest.approx(products + head.dense.bias[k].item())


def test_mean_of_features_is_mean_of_logits_but_not_of_probabilities() -> None:
    head, maps_BTCHW = MeanClassifier(in_channels=4, num_classes=7).double(), random_maps() * 5
    per_step_BTK = torch.stack([head(maps_BTCHW[:, t : t + 1]) for t in range(3)], dim=1)
    torch.testing.assert_close(head(maps_BTCHW), per_step_BTK.mean(dim=1))
    assert not torch.allclose(head(maps_BTCHW).softmax(dim=1), per_step_BTK.softmax(dim=2).mean(dim=1), atol=1e-3)


def test_weights_start_glorot_uniform_with_zero_bias() -> None:
    head = MeanClassifier(in_channels=1024, num_classes=249)
    assert sum(parameter.numel() for parameter in head.parameters()) == 255_225
    assert head.dense.weight.abs().max().item() == pytest.approx(math.sqrt(6 / (1024 + 249)), rel=0.01)
    assert head.dense.bias.count_nonzero() == 0


def test_dropout_acts_in_training_alone() -> None:
    torch.manual_seed(0)
    head, maps_BTCHW = MeanClassifier(in_channels=4, num_classes=7, dropout=0.5).double(), random_maps()
    assert not torch.equal(head(maps_BTCHW), head(maps_BTCHW))
    assert torch.equal(head.eval()(maps_BTCHW), head(maps_BTCHW))


@pytest.mark.parametrize("dropout", [-0.1, 1.0])
def test_dropout_out_of_range_is_refused(dropout: float) -> None:
    with pytest.raises(ConfigError, match="key 'dropout' got"):
        MeanClassifierConfig.from_mapping({"dropout": dropout})


def test_constructor_and_config_agree() -> None:
    fields = {name: f.get_default() for name, f in MeanClassifierConfig.model_fields.items() if name != "kind"}
    parameters = inspect.signature(MeanClassifier).parameters.values()
    told = {"in_channels", "num_classes"}
    assert {p.name: p.default for p in parameters if p.name not in told} == fields
    built = MeanClassifierConfig(dropout=0.25).build(4, 7)
    assert (built.dropout.p, built.dense.in_features, built.dense.out_features) == (0.25, 4, 7)


def test_every_file_of_the_room_is_registered() -> None:
    files = {path.stem for path in Path(heads.__file__).parent.glob("*.py")} - {"__init__", "multi_scale_decoder"}
    # The head of frame-wise networks takes vectors: it is no choice for networks that hand on maps.
    kinds = {config.model_fields["kind"].default for config in configs_in(AnyHeadConfig)}
    assert files == {*kinds, FrameClassifierConfig.model_fields["kind"].default}
