"""DenseClassifier: the published layers, the flattening against the formula, and other sizes of maps."""

from __future__ import annotations

import inspect
import math

import pytest
import torch
from torch import Tensor, nn

from mudra.errors import ConfigError
from mudra.heads import DenseClassifier, DenseClassifierConfig


def random_maps(num_steps: int = 1, size: tuple[int, int] = (4, 4)) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, num_steps, 3, *size, generator=generator, dtype=torch.float64)


def small(**values: object) -> DenseClassifier:
    torch.manual_seed(1)
    arguments = {"in_channels": 3, "num_classes": 5, "hidden_features": (7, 6)} | values
    head = DenseClassifier(**arguments).double().eval()  # type: ignore[arg-type]
    for layer in head.layers:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.bias)
    return head


def test_parameters_are_those_of_c3d_to_the_digit() -> None:
    head = DenseClassifier(in_channels=512, num_classes=487)
    counts = [sum(p.numel() for p in layer.parameters()) for layer in head.layers if isinstance(layer, nn.Linear)]
    assert counts == [33_558_528, 16_781_312, 1_995_239]
    # Zhang et al. 2017: 4x4 cells of 256 channels, one dense layer.
    head = DenseClassifier(in_channels=256, num_classes=249, hidden_features=())
    assert sum(p.numel() for p in head.parameters()) == 4096 * 249 + 249


def test_logits_are_their_formula() -> None:
    head, maps_BTCHW = small(), random_maps()
    first, second, last = (layer for layer in head.layers if isinstance(layer, nn.Linear))
    flat = torch.stack(  # channels first, then rows, then columns
        [maps_BTCHW[:, 0, c, h, w] for c in range(3) for h in range(4) for w in range(4)], dim=1
    )
    hidden = (flat @ first.weight.T + first.bias).clamp(min=0)
    hidden = (hidden @ second.weight.T + second.bias).clamp(min=0)
    torch.testing.assert_close(head(maps_BTCHW), hidden @ last.weight.T + last.bias)


def test_longer_and_larger_maps_are_averaged_to_the_grid() -> None:
    head, maps_BTCHW = small(), random_maps(num_steps=3, size=(8, 12))
    cells = maps_BTCHW.mean(dim=1).unflatten(2, (4, 2)).unflatten(4, (4, 3)).mean(dim=(3, 5))
    torch.testing.assert_close(head(maps_BTCHW), head(cells.unsqueeze(1)))
    assert small(grid=(2, 1, 1)).layers[0].in_features == 6


@pytest.mark.parametrize(("num_steps", "size"), [(1, (1, 1)), (5, (3, 7))])
def test_maps_of_any_size_become_logits(num_steps: int, size: tuple[int, int]) -> None:
    assert small()(random_maps(num_steps, size)).shape == (2, 5)


@pytest.mark.parametrize(("hidden_features", "places"), [((7, 6), [2, 5]), ((), [0])])
def test_dropout_stands_behind_hidden_layers_or_else_before_the_only_one(
    hidden_features: tuple[int, ...], places: list[int]
) -> None:
    head, maps_BTCHW = small(hidden_features=hidden_features, dropout=0.25), random_maps()
    drops = {index: layer.p for index, layer in enumerate(head.layers) if isinstance(layer, nn.Dropout)}
    assert drops == dict.fromkeys(places, 0.25)
    assert torch.equal(head(maps_BTCHW), head(maps_BTCHW))
    head.train()
    assert not torch.equal(head(maps_BTCHW), head(maps_BTCHW))


def test_weights_start_as_the_released_codes_or_he_normal() -> None:
    torch.manual_seed(0)
    published, he_normal = (
        [layer for layer in head.layers if isinstance(layer, nn.Linear)]
        for head in (
            DenseClassifier(in_channels=8, num_classes=5),
            DenseClassifier(in_channels=8, num_classes=5, initialisation="he_normal"),
        )
    )
    assert [layer.weight.std().item() for layer in published] == pytest.approx([0.005, 0.005, 0.01], rel=0.02)
    assert [set(layer.bias.tolist()) for layer in published] == [{1.0}, {1.0}, {0.0}]
    stds = [math.sqrt(2 / 128), math.sqrt(2 / 4096), math.sqrt(2 / (4096 + 5))]
    assert [layer.weight.std().item() for layer in he_normal] == pytest.approx(stds, rel=0.02)
    assert [set(layer.bias.tolist()) for layer in he_normal] == [{0.0}, {0.0}, {0.0}]


def test_an_unknown_initialisation_is_refused() -> None:
    with pytest.raises(ConfigError, match="initialisation is 'he'\n  hint: "):
        small(initialisation="he")


def test_width_scales_the_hidden_features_and_never_to_none() -> None:
    def features(width: float) -> list[int]:
        return [layer.out_features for layer in small(width=width).layers if isinstance(layer, nn.Linear)]

    assert features(2.0) == [14, 12, 5]
    assert features(0.01) == [1, 1, 5]


def test_constructor_and_config_agree() -> None:
    fields = {name: f.get_default() for name, f in DenseClassifierConfig.model_fields.items() if name != "kind"}
    parameters = inspect.signature(DenseClassifier).parameters.values()
    told = {"in_channels", "num_classes"}
    assert {p.name: p.default for p in parameters if p.name not in told} == fields


def test_build_hands_on_every_value(monkeypatch: pytest.MonkeyPatch) -> None:
    config = DenseClassifierConfig(
        width=0.5, grid=(2, 3, 4), hidden_features=(9,), dropout=0.1, initialisation="he_normal"
    )
    module = inspect.getmodule(DenseClassifierConfig)
    monkeypatch.setattr(module, "DenseClassifier", lambda **arguments: arguments)
    values = {name: getattr(config, name) for name in DenseClassifierConfig.model_fields if name != "kind"}
    assert config.build(3, 5) == values | {"in_channels": 3, "num_classes": 5}


@pytest.mark.parametrize("dropout", [-0.1, 1.0])
def test_dropout_out_of_range_is_refused(dropout: float) -> None:
    with pytest.raises(ConfigError, match="key 'dropout' got"):
        DenseClassifierConfig.from_mapping({"dropout": dropout})
