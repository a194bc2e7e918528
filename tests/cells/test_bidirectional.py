"""Bidirectional: both directions against two runs by hand, and its refusals."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mudra.cells import (
    AnyCellConfig,
    Bidirectional,
    BidirectionalConfig,
    Cell,
    ConvLSTMCell,
    GatedConvLSTMCell,
    Unrolled,
    unroll,
)
from mudra.config import configs_in
from mudra.errors import ConfigError, ModelError

KINDS = [config.model_fields["kind"].default for config in configs_in(AnyCellConfig)]
X_BTCHW = torch.randn(2, 4, 3, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(8))


def build(**values: Any) -> Bidirectional:
    torch.manual_seed(0)
    layer = BidirectionalConfig.from_mapping({"in_channels": 3, "hidden_channels": 2, **values}).build().double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return layer


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("merge", ["concat", "sum"])
def test_every_frame_is_seen_from_both_sides(kind: str, merge: str) -> None:
    layer = build(cell={"kind": kind}, merge=merge, hidden_channels=4)  # enough for three kernels side by side
    hidden_BTDHW, state = unroll(layer, X_BTCHW)
    along, against = unroll(layer.along, X_BTCHW), unroll(layer.against, X_BTCHW.flip(1))
    for t in range(4):
        parts = [along.hidden_BTDHW[:, t], against.hidden_BTDHW[:, 3 - t]]
        expected = torch.cat(parts, dim=1) if merge == "concat" else parts[0] + parts[1]
        torch.testing.assert_close(hidden_BTDHW[:, t], expected)
    memories = [along.state.memory_BDHW, against.state.memory_BDHW]
    expected = torch.cat(memories, dim=1) if merge == "concat" else memories[0] + memories[1]
    torch.testing.assert_close(state.memory_BDHW, expected)


@pytest.mark.parametrize(("merge", "channels"), [("concat", 4), ("sum", 2)])
def test_it_says_how_many_channels_come_out(merge: str, channels: int) -> None:
    layer = build(merge=merge)
    assert (layer.in_channels, layer.hidden_channels) == (3, channels)
    assert unroll(layer, X_BTCHW).hidden_BTDHW.shape == (2, 4, channels, 5, 6)


def test_the_directions_share_no_weights() -> None:
    layer = build()
    assert isinstance(layer.along, ConvLSTMCell)
    assert isinstance(layer.against, ConvLSTMCell)
    assert not torch.equal(layer.along.hidden_to_gates.weight, layer.against.hidden_to_gates.weight)
    unroll(layer, X_BTCHW).hidden_BTDHW.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in layer.parameters())


def test_the_first_frame_knows_of_the_last() -> None:
    layer = build(merge="sum")
    changed = X_BTCHW.clone()
    changed[:, -1] += 1.0
    assert not torch.allclose(unroll(layer, changed).hidden_BTDHW[:, 0], unroll(layer, X_BTCHW).hidden_BTDHW[:, 0])


def test_what_training_keeps_reaches_both_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []

    def spy(cell: Cell, x_BTCHW: torch.Tensor, *, memory: str) -> Unrolled:
        told.append(memory)
        return unroll(cell, x_BTCHW)

    monkeypatch.setattr("mudra.cells.bidirectional.unroll", spy)
    unroll(build(), X_BTCHW, memory="recompute")
    assert told == ["recompute", "recompute"]


def test_the_cells_settings_reach_both_directions() -> None:
    layer = build(cell={"kind": "gated_conv_lstm", "kernel_size": 5, "gate_activation": "hard_sigmoid_keras"})
    for cell in (layer.along, layer.against):
        assert isinstance(cell, GatedConvLSTMCell)
        assert cell.gate_activation == "hard_sigmoid_keras"
        assert cell.hidden_to_candidate[0].kernel_size == (5, 5)


def test_it_survives_yaml_and_overrides(tmp_path: Any) -> None:
    config = BidirectionalConfig().with_overrides(["cell=gated_conv_lstm", "cell.kernel_size=5", "merge=sum"])
    (tmp_path / "layer.yaml").write_text(config.to_yaml())
    assert BidirectionalConfig.from_yaml(tmp_path / "layer.yaml") == config
    assert (config.cell.kind, config.cell.kernel_size, config.merge) == ("gated_conv_lstm", 5, "sum")


def test_a_stream_is_refused() -> None:
    layer = build()
    state = unroll(layer, X_BTCHW).state
    with pytest.raises(ModelError, match="Bidirectional got a state, but it sees every clip whole"):
        unroll(layer, X_BTCHW, state)
    with pytest.raises(ModelError, match=r"Bidirectional got maps of shape .* wanted \(B, T, 3, H, W\)"):
        unroll(layer, X_BTCHW.transpose(1, 2))


def test_channels_are_said_once() -> None:
    for name in ("in_channels", "hidden_channels"):
        with pytest.raises(ConfigError, match=r"cell\.in_channels and cell\.hidden_channels are not its own"):
            BidirectionalConfig.from_mapping({"cell": {"kind": "conv_lstm", name: 8}})
    with pytest.raises(ConfigError, match="cell 'bidirectional': in_channels is missing"):
        BidirectionalConfig().build()


def test_cells_that_do_not_fit_each_other_are_refused() -> None:
    along, against = (ConvLSTMCell(in_channels=3, hidden_channels=hidden) for hidden in (2, 4))
    with pytest.raises(ConfigError, match=r"channels \(3, 2\) and \(3, 4\), wanted the same"):
        Bidirectional(along=along, against=against)
    with pytest.raises(ConfigError, match=r"merge is 'add'\n  hint: known: concat, sum"):
        Bidirectional(along=along, against=along, merge="add")  # type: ignore[arg-type]


def test_a_bidirectional_layer_holds_none() -> None:
    with pytest.raises(ConfigError, match="kind"):
        BidirectionalConfig.from_mapping({"cell": {"kind": "bidirectional"}})
