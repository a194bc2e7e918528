"""What all cells share: unrolling, its errors, gates, initialisation, channels."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from mudra.cells import ConvLSTMCell, MapState, Unrolled, hard_sigmoid_keras, unroll
from mudra.cells.cell import (
    TrainingMemory,
    WholeClipLayer,
    apply_gate,
    arrange,
    check_choices,
    frames_per_piece,
    init_he_normal,
    join,
    per_frame,
    resolve_channels,
    split_frames,
)
from mudra.errors import ConfigError, ModelError


@pytest.fixture
def cell() -> ConvLSTMCell:
    return ConvLSTMCell(in_channels=3, hidden_channels=5)


@pytest.mark.parametrize(
    "shape",
    [(2, 3, 8, 9), (2, 3, 4, 8, 9), (2, 0, 3, 8, 9)],
    ids=["axis missing", "channels before time", "no frame"],
)
def test_unroll_refuses_other_shapes_than_it_takes(cell: ConvLSTMCell, shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match=r"ConvLSTMCell got maps .* wanted \(B, T, 3, H, W\) with T >= 1") as caught:
        unroll(cell, torch.zeros(shape))
    assert str(shape) in str(caught.value)


@pytest.mark.parametrize("shape", [(1, 5, 8, 9), (2, 4, 8, 9), (2, 5, 9, 8)], ids=["batch", "channels", "size"])
@pytest.mark.parametrize("part", [0, 1], ids=["hidden", "memory"])
def test_unroll_refuses_a_state_of_other_maps(cell: ConvLSTMCell, shape: tuple[int, ...], part: int) -> None:
    parts = [torch.zeros(2, 5, 8, 9), torch.zeros(2, 5, 8, 9)]
    parts[part] = torch.zeros(shape)
    with pytest.raises(ModelError, match=r"got a state of shape .* wanted \(2, 5, 8, 9\)"):
        unroll(cell, torch.zeros(2, 1, 3, 8, 9), MapState(*parts))


def test_unroll_refuses_a_memory_that_it_does_not_know(cell: ConvLSTMCell) -> None:
    memory: Any = "recomputed"
    with pytest.raises(ModelError, match=r"memory is 'recomputed'\n  hint: did you mean 'recompute'\?"):
        unroll(cell, torch.zeros(2, 1, 3, 8, 9), memory=memory)


class Reversed(WholeClipLayer):
    """Notes how it was called."""

    memory = ""

    def unroll_clip(self, x_BTCHW: torch.Tensor, *, memory: TrainingMemory = "keep") -> Unrolled:
        self.memory = memory
        return Unrolled(x_BTCHW.flip(1), MapState(x_BTCHW[:, 0], x_BTCHW[:, 0]))


def test_a_layer_of_whole_clips_is_given_them_and_what_unroll_was_told() -> None:
    layer, x_BTCHW = Reversed(3, 3), torch.rand(2, 4, 3, 8, 9)
    assert torch.equal(unroll(layer, x_BTCHW, memory="recompute").hidden_BTDHW, x_BTCHW.flip(1))
    assert layer.memory == "recompute"


def test_a_layer_of_whole_clips_goes_on_from_no_state() -> None:
    x_BTCHW = torch.rand(2, 4, 3, 8, 9)
    with pytest.raises(ModelError, match=r"Reversed got a state, but it sees every clip whole"):
        unroll(Reversed(3, 3), x_BTCHW, MapState(x_BTCHW[:, 0], x_BTCHW[:, 0]))
    with pytest.raises(ModelError, match="Reversed got maps of shape"):
        unroll(Reversed(4, 4), x_BTCHW)


def test_unroll_without_a_state_begins_with_zeros(cell: ConvLSTMCell) -> None:
    x_BTCHW = torch.randn(2, 3, 3, 4, 6, generator=torch.Generator().manual_seed(0))
    zeros = MapState(torch.zeros(2, 5, 4, 6), torch.zeros(2, 5, 4, 6))
    assert torch.equal(unroll(cell, x_BTCHW).hidden_BTDHW, unroll(cell, x_BTCHW, zeros).hidden_BTDHW)


def test_step_is_a_clip_of_one_frame(cell: ConvLSTMCell) -> None:
    x_BTCHW = torch.randn(2, 2, 3, 4, 6, generator=torch.Generator().manual_seed(0))
    state = cell.step(x_BTCHW[:, 1], cell.step(x_BTCHW[:, 0]))
    expected = unroll(cell, x_BTCHW).state
    torch.testing.assert_close(state.hidden_BDHW, expected.hidden_BDHW)
    torch.testing.assert_close(state.memory_BDHW, expected.memory_BDHW)


def test_hard_sigmoid_is_that_of_keras_1_and_not_of_torch() -> None:
    x = torch.tensor([-2.6, -2.5, -1.0, 0.0, 1.0, 2.5, 2.6])
    torch.testing.assert_close(hard_sigmoid_keras(x), torch.tensor([0.0, 0.0, 0.3, 0.5, 0.7, 1.0, 1.0]))
    assert apply_gate(x, "hard_sigmoid_keras")[4].item() == pytest.approx(0.7)
    assert apply_gate(x, "sigmoid")[4].item() == pytest.approx(1 / (1 + math.exp(-1)))


def test_per_frame_keeps_clips_and_frames_apart() -> None:
    x_BTCHW = torch.arange(2 * 3 * 1 * 2 * 2, dtype=torch.float32).view(2, 3, 1, 2, 2)
    for channels_last in (False, True):
        pooled = per_frame(torch.nn.AvgPool2d(2), arrange(x_BTCHW, channels_last=channels_last))
        assert pooled.shape == (2, 3, 1, 1, 1)
        assert pooled.flatten().tolist() == [1.5, 5.5, 9.5, 13.5, 17.5, 21.5]


@pytest.mark.parametrize("channels_last", [False, True])
def test_arranged_maps_are_the_same_maps_and_copied_once_only(channels_last: bool) -> None:
    maps_BTCHW = torch.rand(2, 3, 4, 5, 6)
    arranged = arrange(maps_BTCHW, channels_last=channels_last)
    assert torch.equal(arranged, maps_BTCHW)
    assert arranged.stride() == ((360, 120, 1, 24, 4) if channels_last else (360, 120, 30, 6, 1))
    assert arrange(arranged, channels_last=channels_last).data_ptr() == arranged.data_ptr()


@pytest.mark.parametrize("channels_last", [False, True])
def test_frames_cut_and_joined_stand_as_before(channels_last: bool) -> None:
    maps_BTCHW = arrange(torch.rand(2, 3, 4, 5, 6), channels_last=channels_last)
    frames = split_frames(maps_BTCHW)
    assert [torch.equal(frame, maps_BTCHW[:, t]) for t, frame in enumerate(frames)] == [True] * 3
    joined = join([frame.unsqueeze(1) for frame in frames])
    assert torch.equal(joined, maps_BTCHW)
    assert joined.stride() == maps_BTCHW.stride()


@pytest.mark.parametrize("channels_last", [False, True])
def test_gradients_of_cut_frames_stand_as_the_frames_did(channels_last: bool) -> None:
    maps_BTCHW = arrange(torch.rand(2, 3, 4, 5, 6), channels_last=channels_last)
    strides = []
    leaf = maps_BTCHW.detach().requires_grad_()
    passed = leaf * 1.0
    passed.register_hook(lambda grad: strides.append(grad.stride()))
    sum(frame.square().sum() for frame in split_frames(passed)).backward()
    assert strides == [maps_BTCHW.stride()]


def test_what_is_no_map_is_cut_along_time_too() -> None:
    part_BTE = torch.rand(2, 3, 4)
    assert [torch.equal(frame, part_BTE[:, t]) for t, frame in enumerate(split_frames(part_BTE))] == [True] * 3


def test_pieces_to_run_again_grow_with_the_root_of_the_frames() -> None:
    assert [frames_per_piece(num_frames) for num_frames in (1, 2, 8, 16, 36, 100)] == [1, 1, 1, 2, 3, 5]


def test_he_normal_has_the_wanted_deviation_after_the_cut() -> None:
    weight = torch.empty(300, 300)
    init_he_normal(weight, fan_in=50)
    assert weight.std().item() == pytest.approx(math.sqrt(2 / 50), rel=0.01)
    assert weight.abs().max().item() < 2.3 * math.sqrt(2 / 50)


@pytest.mark.parametrize("kernel_size", [4, 0, -1])
def test_kernels_that_do_not_keep_the_maps_are_refused(kernel_size: int) -> None:
    with pytest.raises(ConfigError, match=f"kernel_size is {kernel_size}, wanted an odd number"):
        check_choices(kernel_size=kernel_size, gate_activation="sigmoid", initialisation="paper")


def test_unknown_choices_are_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"gate_activation is 'sigmod'\n  hint: did you mean 'sigmoid'\?"):
        check_choices(kernel_size=3, gate_activation="sigmod", initialisation="paper")
    with pytest.raises(ConfigError, match=r"initialisation is 'papers'\n  hint: did you mean 'paper'\?"):
        check_choices(kernel_size=3, gate_activation="sigmoid", initialisation="papers")


def test_hidden_channels_are_as_many_as_come_in_unless_given() -> None:
    assert resolve_channels(3, None, kind="x") == (3, 3)
    assert resolve_channels(3, 5, kind="x") == (3, 5)
    with pytest.raises(ConfigError, match=r"cell 'x': in_channels is missing\n  hint: give it"):
        resolve_channels(None, 5, kind="x")
