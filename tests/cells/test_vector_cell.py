"""The unrolling over vectors: shapes it refuses, masks, and the choices that cells share."""

from __future__ import annotations

import pytest
import torch

from mudra.cells import (
    BidirectionalVector,
    BidirectionalVectorConfig,
    PeepholeLSTMCell,
    RNNCell,
    VectorState,
    unroll_vectors,
)
from mudra.cells.vector_cell import check_choice, resolve_features, unroll_steps
from mudra.errors import ConfigError, ModelError


def random_vectors(num_clips: int = 2, num_frames: int = 5) -> torch.Tensor:
    return torch.randn(num_clips, num_frames, 3, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def cell() -> PeepholeLSTMCell:
    return PeepholeLSTMCell(in_features=3, hidden_features=4, initialisation="pytorch")


@pytest.mark.parametrize("shape", [(2, 5, 4), (2, 3), (2, 0, 3), (2, 5, 3, 1)])
def test_vectors_of_another_shape_are_refused(cell: PeepholeLSTMCell, shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match=r"wanted \(B, T, 3\) with T >= 1: time stands before features"):
        unroll_vectors(cell, torch.zeros(shape))


@pytest.mark.parametrize("shapes", [((1, 4), (2, 4)), ((2, 4), (1, 4)), ((2, 4), (2, 0)), ((2, 3), (2, 3))])
def test_a_state_of_another_shape_is_refused(
    cell: PeepholeLSTMCell, shapes: tuple[tuple[int, int], tuple[int, int]]
) -> None:
    with pytest.raises(ModelError, match=r"got a state of shapes .*; wanted \[\(2, 4\), \(2, 4\)\]"):
        unroll_vectors(cell, random_vectors(), VectorState(*map(torch.zeros, shapes)))


def test_a_mask_of_another_shape_is_refused(cell: PeepholeLSTMCell) -> None:
    with pytest.raises(ModelError, match=r"the mask has shape \(2, 4\); wanted \(2, 5\)"):
        unroll_vectors(cell, random_vectors(), mask_BT=torch.ones(2, 4, dtype=torch.bool))


def test_a_layer_of_whole_clips_goes_on_from_no_state() -> None:
    layer = BidirectionalVectorConfig(in_features=3).build()
    with pytest.raises(ModelError, match="BidirectionalVector got a state, but it sees every clip whole"):
        unroll_vectors(layer, random_vectors(), VectorState(torch.zeros(2, 3), torch.zeros(2, 3)))


def test_masked_frames_leave_the_state_as_it_was(cell: PeepholeLSTMCell) -> None:
    x_BTC, mask_BT = (
        random_vectors(),
        torch.tensor([[True, False, True, True, False], [False, True, True, False, True]]),
    )
    hidden_BTD, state = unroll_vectors(cell, x_BTC, mask_BT=mask_BT)
    for clip in range(2):
        counted = unroll_vectors(cell, x_BTC[clip : clip + 1, mask_BT[clip]])
        torch.testing.assert_close(hidden_BTD[clip, mask_BT[clip]], counted.hidden_BTD[0])
        torch.testing.assert_close(state.memory_BD[clip], counted.state.memory_BD[0])
    assert torch.equal(hidden_BTD[0, 1], hidden_BTD[0, 0])
    assert hidden_BTD[1, 0].count_nonzero() == 0


def test_a_mask_of_ones_changes_nothing() -> None:
    cell = RNNCell(in_features=3, hidden_features=4, activation="tanh")
    with_mask = unroll_vectors(cell, random_vectors(), mask_BT=torch.ones(2, 5, dtype=torch.bool))
    torch.testing.assert_close(with_mask, unroll_vectors(cell, random_vectors()))


def test_against_time_a_clip_begins_where_its_padding_ends() -> None:
    layer, x_BTC = BidirectionalVectorConfig(in_features=3, hidden_features=4).build(), random_vectors()
    assert isinstance(layer, BidirectionalVector)
    mask_BT = torch.tensor([[True] * 3 + [False] * 2] * 2)
    padded, short = unroll_vectors(layer, x_BTC, mask_BT=mask_BT), unroll_vectors(layer, x_BTC[:, :3])
    torch.testing.assert_close(padded.hidden_BTD[:, :3], short.hidden_BTD)
    assert not torch.allclose(unroll_vectors(layer, x_BTC).hidden_BTD[:, :3], short.hidden_BTD, atol=1e-7, rtol=1e-4)


def test_features_default_to_the_inputs_and_must_be_told() -> None:
    assert resolve_features(7, None, kind="rnn") == (7, 7)
    assert resolve_features(7, 3, kind="rnn") == (7, 3)
    with pytest.raises(ConfigError, match="cell 'rnn': in_features is missing"):
        resolve_features(None, 3, kind="rnn")


def test_an_unknown_choice_is_refused_with_the_nearest() -> None:
    check_choice("merge", "sum", ("sum", "concat"))
    with pytest.raises(ConfigError, match=r"merge is 'concatt'\n  hint: did you mean 'concat'\?"):
        check_choice("merge", "concatt", ("sum", "concat"))


@pytest.mark.parametrize("kind", ["lstm", "rnn"])
def test_under_autocast_the_kernel_runs_in_the_precision_of_the_weights(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = (
        PeepholeLSTMCell(in_features=3, hidden_features=4, peepholes=False, initialisation="pytorch")
        if kind == "lstm"
        else RNNCell(in_features=3, hidden_features=4, activation="tanh", initialisation="pytorch")
    )
    x_BTC = random_vectors().bfloat16()
    before = cell.step(torch.full((2, 3), 0.3))
    expected_BTD = unroll_steps(cell, x_BTC.float(), VectorState(*(part.bfloat16().float() for part in before)), None)
    monkeypatch.setattr(type(cell), "forward", None)  # step by step would fail
    with torch.autocast("cpu", torch.bfloat16):
        found = unroll_vectors(cell, x_BTC, VectorState(*(part.bfloat16() for part in before)))
    assert found.hidden_BTD.dtype == torch.float32
    torch.testing.assert_close(found.hidden_BTD, expected_BTD.hidden_BTD)
    torch.testing.assert_close(found.state.hidden_BD, expected_BTD.state.hidden_BD)
