"""The unions of configs: every kind once, and the smaller one within the larger one."""

from __future__ import annotations

from mudra.cells import AnyCellConfig, AnyRecurrentLayerConfig, BidirectionalConfig
from mudra.config import configs_in


def test_every_kind_stands_there_once() -> None:
    kinds = [config.model_fields["kind"].default for config in configs_in(AnyRecurrentLayerConfig)]
    assert len(kinds) == len(set(kinds))
    assert {"conv_lstm", "gated_conv_lstm", "input_attention_conv_lstm", "bidirectional"} <= set(kinds)


def test_a_recurrent_layer_is_any_cell_or_one_of_whole_clips() -> None:
    assert set(configs_in(AnyRecurrentLayerConfig)) - set(configs_in(AnyCellConfig)) == {BidirectionalConfig}
