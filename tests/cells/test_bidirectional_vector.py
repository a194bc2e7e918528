"""Bidirectional layer over vectors: two cells, one of them against time, added or side by side."""

from __future__ import annotations

import pytest
import torch

from mudra.cells import (
    BidirectionalVector,
    BidirectionalVectorConfig,
    PeepholeLSTMConfig,
    RNNCell,
    RNNConfig,
    unroll_vectors,
)
from mudra.cells.bidirectional_vector import Merge
from mudra.errors import ConfigError


def random_vectors() -> torch.Tensor:
    return torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("merge", ["sum", "concat"])
def test_each_direction_is_its_cell_and_both_are_joined(merge: Merge) -> None:
    layer = BidirectionalVectorConfig(in_features=3, hidden_features=4, cell=RNNConfig(), merge=merge).build()
    x_BTC = random_vectors()
    along, against = unroll_vectors(layer.along, x_BTC), unroll_vectors(layer.against, x_BTC.flip(1))
    parts = along.hidden_BTD, against.hidden_BTD.flip(1)
    hidden_BTD, state = unroll_vectors(layer, x_BTC)
    assert torch.equal(hidden_BTD, parts[0] + parts[1] if merge == "sum" else torch.cat(parts, dim=2))
    last = along.state.hidden_BD, against.state.hidden_BD
    assert torch.equal(state.hidden_BD, last[0] + last[1] if merge == "sum" else torch.cat(last, dim=1))
    assert layer.hidden_features == hidden_BTD.shape[2]


def test_directions_have_weights_of_their_own() -> None:
    layer = BidirectionalVectorConfig(in_features=3).build()
    assert not torch.equal(layer.along.input_to_gates.weight, layer.against.input_to_gates.weight)
    unroll_vectors(layer, random_vectors()).hidden_BTD.square().sum().backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())


def test_the_first_frame_knows_the_last() -> None:
    layer, x_BTC = BidirectionalVectorConfig(in_features=3, cell=RNNConfig()).build(), random_vectors()
    changed = x_BTC.clone()
    changed[:, -1] += 1.0
    before, after = (unroll_vectors(layer, vectors).hidden_BTD for vectors in (x_BTC, changed))
    assert not torch.allclose(before[:, 0], after[:, 0])


def test_features_of_the_cell_are_said_beside_it() -> None:
    with pytest.raises(ConfigError, match="give them beside `cell`"):
        BidirectionalVectorConfig.from_mapping({"in_features": 3, "cell": {"kind": "rnn", "hidden_features": 4}})
    layer = BidirectionalVectorConfig(
        in_features=3, hidden_features=4, cell=PeepholeLSTMConfig(peepholes=False)
    ).build()
    assert (layer.along.in_features, layer.against.hidden_features) == (3, 4)


def test_it_must_be_told_its_features() -> None:
    with pytest.raises(ConfigError, match="cell 'bidirectional_vector': in_features is missing"):
        BidirectionalVectorConfig().build()


def test_unlike_cells_and_unknown_merges_are_refused() -> None:
    cells = RNNCell(in_features=3, hidden_features=4), RNNCell(in_features=3, hidden_features=5)
    with pytest.raises(ConfigError, match=r"features \(3, 4\) and \(3, 5\), wanted the same"):
        BidirectionalVector(along=cells[0], against=cells[1])
    with pytest.raises(ConfigError, match=r"merge is 'summ'\n  hint: did you mean 'sum'\?"):
        BidirectionalVector(along=cells[0], against=cells[0], merge="summ")  # type: ignore[arg-type]
