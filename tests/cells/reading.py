"""Reading a cell's weights as arrays, as `by_hand` takes them."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from mudra.cells import Cell, MapState
from tests.cells.by_hand import Array, CandidateWeights, GateWeights, ScoreWeights, State


def fill(cell: Cell, *, std: float, seed: int) -> None:
    """Another random number in every place."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in cell.parameters():
        nn.init.normal_(parameter, std=std, generator=generator)


def numbers(tensor: torch.Tensor | None) -> Array:
    assert tensor is not None
    return tensor.detach().numpy()


def convolutions(part: nn.Module) -> tuple[nn.Conv2d, nn.Conv2d]:
    """The depthwise and the 1x1 convolution of a separable one."""
    assert isinstance(part, nn.Sequential)
    depthwise, pointwise = part
    assert isinstance(depthwise, nn.Conv2d)
    assert isinstance(pointwise, nn.Conv2d)
    return depthwise, pointwise


def gates_of(cell: Cell, names: str) -> dict[str, GateWeights]:
    """The pooled gates, whose order in the layers is that of `names`."""
    count = cell.hidden_channels
    from_input, from_hidden = cell.input_to_gates, cell.hidden_to_gates
    assert isinstance(from_input, nn.Linear)
    assert isinstance(from_hidden, nn.Linear)
    arrays = [numbers(tensor) for tensor in (from_input.weight, from_hidden.weight, from_input.bias)]
    return {
        name: GateWeights(*(array[index * count : (index + 1) * count] for array in arrays))
        for index, name in enumerate(names)
    }


def transition_of(cell: Cell, target: str) -> CandidateWeights:
    """What leads from the input and the hidden maps to `candidate` or `attention`."""
    input_depthwise, input_pointwise = convolutions(cell.get_submodule(f"input_to_{target}"))
    hidden_depthwise, hidden_pointwise = convolutions(cell.get_submodule(f"hidden_to_{target}"))
    return CandidateWeights(
        numbers(input_depthwise.weight)[:, 0],
        numbers(input_pointwise.weight)[:, :, 0, 0],
        numbers(hidden_depthwise.weight)[:, 0],
        numbers(hidden_pointwise.weight)[:, :, 0, 0],
        numbers(input_pointwise.bias),
    )


def score_of(cell: Cell) -> ScoreWeights:
    """The outer separable convolution of attention for every channel."""
    depthwise, pointwise = convolutions(cell.get_submodule("attention_to_score"))
    return ScoreWeights(numbers(depthwise.weight)[:, 0], numbers(pointwise.weight)[:, :, 0, 0])


def as_batch(state: State) -> MapState:
    """A state as torch takes it: a batch of one clip."""
    return MapState(*(torch.from_numpy(part)[None] for part in state))


def random_maps(*shape: int, seed: int) -> Array:
    """Maps that are not centred, so that their pooled values differ from zero."""
    return np.random.default_rng(seed).normal(loc=0.7, size=shape)
