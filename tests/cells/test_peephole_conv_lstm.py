"""PeepholeConvLSTMCell against its equations written out in plain loops, for every shape of its peepholes."""

from __future__ import annotations

import itertools
import math
from typing import Any, get_args

import numpy as np
import pytest
import torch

from mudra.cells import ConvLSTMCell, PeepholeConvLSTMCell, PeepholeConvLSTMConfig, unroll
from mudra.cells.peephole_conv_lstm import OutputPeephole, Peephole
from mudra.errors import ConfigError, ModelError
from tests.cells.by_hand import Array, State, convolve
from tests.cells.kernels_by_hand import biased, step_from
from tests.cells.reading import as_batch, fill, numbers, random_maps

SIZE = (3, 4)
SHAPES = {"c": (2, 1, 1), "hw": (1, *SIZE), "chw": (2, *SIZE)}


def random_cell(**values: Any) -> PeepholeConvLSTMCell:
    """Three channels in, two hidden ones, another random number in every place."""
    cell = PeepholeConvLSTMCell(in_channels=3, hidden_channels=2, map_size=SIZE, **values).double()
    fill(cell, std=0.6, seed=21)
    return cell


def run_by_hand(cell: PeepholeConvLSTMCell, x_TCHW: Array, state: State, names: str = "ifo") -> list[State]:
    peepholes = None
    if cell.memory_to_gates is not None:
        peepholes = dict(zip(names, numbers(cell.memory_to_gates), strict=True))
    states = []
    for x_CHW in x_TCHW:
        sums = convolve(x_CHW, numbers(cell.input_to_gates.weight))
        sums += convolve(state.hidden_DHW, numbers(cell.hidden_to_gates.weight))
        sums = biased(sums, numbers(cell.input_to_gates.bias))
        state = step_from(sums, state, peepholes, output_sees=cell.output_peephole)
        states.append(state)
    return states


def maps_and_start() -> tuple[Array, State]:
    return random_maps(2, 3, *SIZE, seed=1), State(*random_maps(2, 2, *SIZE, seed=2))


@pytest.mark.parametrize("peephole", get_args(Peephole))
@pytest.mark.parametrize("output_peephole", get_args(OutputPeephole))
def test_equations_6_to_10(peephole: Peephole, output_peephole: OutputPeephole) -> None:
    cell = random_cell(peephole=peephole, output_peephole=output_peephole)
    x_TCHW, start = maps_and_start()
    hidden_BTDHW, state = unroll(cell, torch.from_numpy(x_TCHW)[None], as_batch(start))
    expected = run_by_hand(cell, x_TCHW, start)
    np.testing.assert_allclose(hidden_BTDHW[0].detach(), [step.hidden_DHW for step in expected], atol=1e-12)
    np.testing.assert_allclose(state.memory_BDHW[0].detach(), expected[-1].memory_DHW, atol=1e-12)


@pytest.mark.parametrize("pair", list(itertools.combinations("ifo", 2)), ids="".join)
def test_the_equations_see_two_peepholes_swapped(pair: tuple[str, str]) -> None:
    cell = random_cell(peephole="chw")
    x_TCHW, start = maps_and_start()
    hidden_BTDHW, _ = unroll(cell, torch.from_numpy(x_TCHW)[None], as_batch(start))
    names = "ifo".replace(pair[0], "_").replace(pair[1], pair[0]).replace("_", pair[1])
    swapped = run_by_hand(cell, x_TCHW, start, names)[-1].hidden_DHW
    assert np.abs(numbers(hidden_BTDHW[0, -1]) - swapped).max() > 1e-2


@pytest.mark.parametrize("peephole", SHAPES)
def test_there_is_a_weight_for_what_the_name_says(peephole: Peephole) -> None:
    weights = PeepholeConvLSTMCell(in_channels=3, hidden_channels=2, peephole=peephole, map_size=SIZE).memory_to_gates
    assert weights is not None
    assert weights.shape == (3, *SHAPES[peephole])
    assert weights.eq(1.0).all(), "the authors' layer starts so"


def test_peepholes_start_where_they_are_told_to() -> None:
    weights = PeepholeConvLSTMCell(in_channels=3, hidden_channels=2, peephole_start=0.25).memory_to_gates
    assert weights is not None
    assert weights.eq(0.25).all()


def test_without_peepholes_it_is_the_plain_cell() -> None:
    cell = random_cell(peephole="none")
    plain = ConvLSTMCell(in_channels=3, hidden_channels=2).double()
    plain.load_state_dict(cell.state_dict())
    x_BTCHW = torch.from_numpy(random_maps(2, 3, 3, *SIZE, seed=1))
    torch.testing.assert_close(unroll(cell, x_BTCHW), unroll(plain, x_BTCHW), rtol=0, atol=1e-14)


def test_weights_start_within_the_bounds_of_the_authors_settings() -> None:
    cell = PeepholeConvLSTMCell(in_channels=16, hidden_channels=256, kernel_size=5)
    for conv, bound in ((cell.input_to_gates, 0.0297), (cell.hidden_to_gates, 0.02165)):
        assert conv.weight.abs().max().item() == pytest.approx(bound, rel=2e-3)
        assert conv.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.01)
    assert cell.input_to_gates.bias is not None
    assert cell.input_to_gates.bias.count_nonzero() == 0


def test_pytorch_initialisation_leaves_the_layers_alone() -> None:
    torch.manual_seed(3)
    cell = PeepholeConvLSTMCell(in_channels=3, hidden_channels=4, initialisation="pytorch")
    torch.manual_seed(3)
    assert torch.equal(cell.input_to_gates.weight, torch.nn.Conv2d(3, 16, 3).weight)


def test_forget_bias_is_the_forget_gates_alone() -> None:
    bias = PeepholeConvLSTMCell(in_channels=3, hidden_channels=2, forget_bias=1.5).input_to_gates.bias
    assert bias is not None
    assert bias.tolist() == [0.0] * 2 + [1.5] * 2 + [0.0] * 4


def test_on_the_cpu_training_alone_keeps_maps_plain_in_memory() -> None:
    cell = PeepholeConvLSTMCell(in_channels=3, hidden_channels=4)
    assert not cell.wants_channels_last(torch.device("cpu"))
    assert cell.wants_channels_last(torch.device("cuda"))
    with torch.no_grad():
        assert cell.wants_channels_last(torch.device("cpu"))


@pytest.mark.parametrize("peephole", ["hw", "chw"])
def test_weights_for_every_place_need_the_size_of_the_map(peephole: Peephole) -> None:
    with pytest.raises(ConfigError, match=f"peephole is '{peephole}', .* map_size is missing\n  hint: give height"):
        PeepholeConvLSTMConfig(in_channels=3, peephole=peephole).build()


@pytest.mark.parametrize("map_size", [(1, 1), (4, 3)])
def test_maps_of_another_size_are_refused(map_size: tuple[int, int]) -> None:
    cell = PeepholeConvLSTMCell(in_channels=3, hidden_channels=2, peephole="hw", map_size=map_size)
    with pytest.raises(ModelError, match=r"for maps of \(\d, \d\), height and width, and \(3, 4\) came"):
        unroll(cell, torch.zeros(1, 1, 3, 3, 4))
    unroll(PeepholeConvLSTMCell(in_channels=3, hidden_channels=2, map_size=map_size), torch.zeros(1, 1, 3, 3, 4))


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ConfigError, match="kernel_size is 4, wanted an odd number"):
        PeepholeConvLSTMCell(in_channels=3, hidden_channels=4, kernel_size=4)
    for name, value in (("peephole", "hwc"), ("output_peephole", "befor"), ("initialisation", "papr")):
        with pytest.raises(ConfigError, match=f"{name} is '{value}'"):
            PeepholeConvLSTMCell(in_channels=3, hidden_channels=4, **{name: value})  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="cell 'peephole_conv_lstm': in_channels is missing"):
        PeepholeConvLSTMConfig().build()
