"""The unions of vector cells' configs: every kind once, and the smaller one within the larger one."""

from __future__ import annotations

from mudra.cells import AnyRecurrentLayerConfig, AnyVectorCellConfig, AnyVectorLayerConfig, BidirectionalVectorConfig
from mudra.config import configs_in


def test_every_kind_stands_there_once_and_nowhere_else() -> None:
    configs = [*configs_in(AnyVectorLayerConfig), *configs_in(AnyRecurrentLayerConfig)]
    kinds = [config.model_fields["kind"].default for config in configs]
    assert len(kinds) == len(set(kinds))
    assert {"peephole_lstm", "rnn", "bidirectional_vector"} <= set(kinds)


def test_a_layer_is_any_cell_or_one_of_whole_clips() -> None:
    assert set(configs_in(AnyVectorLayerConfig)) - set(configs_in(AnyVectorCellConfig)) == {BidirectionalVectorConfig}
