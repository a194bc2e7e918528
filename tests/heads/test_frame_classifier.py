"""Frame classifier: dense layers rewritten by hand, dropout before every one of them, and how weights start."""

from __future__ import annotations

import inspect
import math

import pytest
import torch
from torch import nn

from mudra.errors import ConfigError
from mudra.heads import FrameClassifier, FrameClassifierConfig


def linears(head: FrameClassifier) -> list[nn.Linear]:
    return [layer for layer in head.layers if isinstance(layer, nn.Linear)]


def test_rows_are_dense_layers_with_leaky_relus_between() -> None:
    torch.manual_seed(0)
    head = FrameClassifier(in_features=4, num_classes=3, hidden_features=(6, 5)).double().eval()
    features_BTC = torch.randn(2, 3, 4, dtype=torch.float64)
    first, second, last = linears(head)
    for row_C, logits_K in zip(features_BTC.flatten(0, 1), head(features_BTC).flatten(0, 1), strict=True):
        x = first.weight @ row_C + first.bias
        x = torch.maximum(0.3 * x, x)
        x = second.weight @ x + second.bias
        x = torch.maximum(0.3 * x, x)
        torch.testing.assert_close(logits_K, last.weight @ x + last.bias)


@pytest.mark.parametrize(
    ("in_features", "hidden", "count"), [(2048, (2048, 2048), 8_435_733), (512, (), 10_773), (2048, (), 43_029)]
)
def test_it_has_the_papers_numbers_of_weights(in_features: int, hidden: tuple[int, ...], count: int) -> None:
    with torch.device("meta"):
        head = FrameClassifier(in_features=in_features, num_classes=21, hidden_features=hidden)
    assert sum(parameter.numel() for parameter in head.parameters()) == count


def test_dropout_stands_before_every_dense_layer_and_acts_in_training_alone() -> None:
    torch.manual_seed(0)
    head = FrameClassifier(in_features=4, num_classes=3, hidden_features=(6,), dropout=0.25)
    kinds = [type(layer) for layer in head.layers]
    assert kinds == [nn.Dropout, nn.Linear, nn.LeakyReLU, nn.Dropout, nn.Linear]
    assert {layer.p for layer in head.layers if isinstance(layer, nn.Dropout)} == {0.25}
    features_BTC = torch.ones(1, 1, 4)
    assert len({tuple(head(features_BTC).flatten().tolist()) for _ in range(9)}) > 1
    assert torch.equal(head.eval()(features_BTC), head(features_BTC))


def test_hidden_layers_start_as_asked_and_the_last_glorot_uniform() -> None:
    torch.manual_seed(0)
    expected = {"orthogonal": math.sqrt(2 / 200), "normal": 0.01, "he_normal": math.sqrt(2 / 1.09 / 200)}
    for initialisation, std in expected.items():
        config = FrameClassifierConfig.from_mapping({"hidden_features": [100], "initialisation": initialisation})
        hidden, last = linears(config.build(200, 21))
        assert hidden.weight.std().item() == pytest.approx(std, rel=0.05), initialisation
        bias = torch.full((100,), 0.0 if initialisation == "he_normal" else 0.1)
        assert torch.equal(hidden.bias.detach(), bias)
        assert last.weight.abs().max().item() == pytest.approx(math.sqrt(6 / 121), rel=0.02)
        assert last.bias.count_nonzero() == 0
    orthogonal = linears(FrameClassifier(in_features=20, num_classes=3, hidden_features=(10,)))[0].weight.detach()
    torch.testing.assert_close(orthogonal @ orthogonal.T, 2 * torch.eye(10), rtol=0, atol=1e-5)


def test_an_unknown_initialisation_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"initialisation is 'norma'\n  hint: did you mean 'normal'\?"):
        FrameClassifier(in_features=4, num_classes=3, initialisation="norma")  # type: ignore[arg-type]


def test_constructor_and_config_agree() -> None:
    fields = {name: f.get_default() for name, f in FrameClassifierConfig.model_fields.items() if name != "kind"}
    parameters = inspect.signature(FrameClassifier).parameters.values()
    told = {"in_features", "num_classes"}
    assert {p.name: p.default for p in parameters if p.name not in told} == fields
    config = FrameClassifierConfig(width=0.5, hidden_features=(6,), dropout=0.1, negative_slope=0.2)
    dropout, first, activation, *_ = config.build(4, 7).layers
    assert isinstance(dropout, nn.Dropout)
    assert isinstance(first, nn.Linear)
    assert isinstance(activation, nn.LeakyReLU)
    assert (dropout.p, first.out_features, activation.negative_slope) == (0.1, 3, 0.2)
