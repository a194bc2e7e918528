"""Parts of networks: widths are multiplied, channels filled in, and other channels than come in refused."""

from __future__ import annotations

import pytest

from mudra.backbones import Res3DConfig
from mudra.cells import BidirectionalVectorConfig, PeepholeLSTMConfig
from mudra.errors import ModelError
from mudra.heads import MeanClassifierConfig
from mudra.models.assembly import build_vector_layers, check_channels, scale_hidden, widen


def test_widths_are_multiplied_where_there_is_one() -> None:
    assert widen(Res3DConfig(width=0.5), 0.5) == Res3DConfig(width=0.25)
    assert widen(MeanClassifierConfig(dropout=0.1), 0.5) == MeanClassifierConfig(dropout=0.1)


def test_hidden_channels_are_scaled_together_or_one_by_one() -> None:
    assert scale_hidden(100, 7, 1.0) == 100
    assert scale_hidden(100, 7, 0.5) == 48
    assert scale_hidden((256, 64), 7, 0.25) == (64, 16)
    assert scale_hidden(None, 7, 0.25) == 7


def test_other_channels_than_come_in_are_refused() -> None:
    check_channels("cells.0", None, 7)
    check_channels("cells.0", 7, 7)
    with pytest.raises(
        ModelError, match=r"cells\.0\.in_channels is 8, but 7 channels come in\n  hint: leave cells\.0\."
    ):
        check_channels("cells.0", 8, 7)


def test_layers_over_vectors_follow_one_another() -> None:
    configs = (PeepholeLSTMConfig(hidden_features=64), BidirectionalVectorConfig(), PeepholeLSTMConfig())
    layers = build_vector_layers("cells", configs, 24, width=0.25)
    assert [(layer.in_features, layer.hidden_features) for layer in layers] == [(24, 16), (16, 16), (16, 16)]
    assert build_vector_layers("cells", (), 24, width=0.25) == []
    with pytest.raises(ModelError, match=r"cells\.1\.in_features is 24, but 16 come in\n  hint: leave cells\.1\."):
        build_vector_layers("cells", (configs[0], PeepholeLSTMConfig(in_features=24)), 24, width=0.25)
