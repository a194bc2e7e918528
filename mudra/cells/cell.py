"""The contract that every recurrence over feature maps keeps, and its unrolling over a clip.

Shape letters: B clips, T frames, C channels in, D hidden channels, H W cells of the map, E channels of a part that
is computed from the input alone.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from mudra.errors import ConfigError, ModelError, nearest_name

GateActivation = Literal["sigmoid", "hard_sigmoid_keras"]
Initialisation = Literal["paper", "pytorch"]

# The standard deviation of a normal distribution cut off at two of its standard deviations: what Keras divides by so
# that the drawn weights have the wanted one.
TRUNCATED_NORMAL_STD = 0.87962566103423978


class MapState(NamedTuple):
    """What a cell carries from one frame to the next.

    Args:
        hidden_BDHW: The hidden map H, which is also the cell's output.
        memory_BDHW: The memory map C.
    """

    hidden_BDHW: Tensor
    memory_BDHW: Tensor


class Unrolled(NamedTuple):
    """A cell's output over a clip.

    Args:
        hidden_BTDHW: Every hidden map.
        state: The state after the last frame: give it to the next `unroll` to go on with the same video.
    """

    hidden_BTDHW: Tensor
    state: MapState


class Cell(nn.Module, ABC):
    """One step of a recurrence over feature maps.

    A step is cut in two: `precompute` does for all frames at once what does not depend on the state, and `forward`
    does the rest frame by frame.
    """

    def __init__(self, in_channels: int, hidden_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.hidden_channels = hidden_channels

    @abstractmethod
    def precompute(self, x_BTCHW: Tensor) -> tuple[Tensor, ...]:
        """Return what the frames alone determine; in every tensor, axis 1 is time."""

    @abstractmethod
    def forward(self, from_input: tuple[Tensor, ...], state: MapState) -> MapState:
        """Return the state after one frame.

        Args:
            from_input: One frame's share of what `precompute` returned.
            state: The state after the frame before.
        """

    def initial_state(self, x_BCHW: Tensor) -> MapState:
        """Return the state before the first frame: zeros, of the input's device and precision."""
        zeros = x_BCHW.new_zeros(x_BCHW.shape[0], self.hidden_channels, *x_BCHW.shape[-2:])
        return MapState(zeros, zeros)

    def step(self, x_BCHW: Tensor, state: MapState | None = None) -> MapState:
        """Return the state after one single frame."""
        return unroll(self, x_BCHW.unsqueeze(1), state).state


def unroll(cell: Cell, x_BTCHW: Tensor, state: MapState | None = None) -> Unrolled:
    """Run a cell over a clip, or over the next piece of a stream.

    Args:
        cell: Any cell.
        x_BTCHW: Feature maps, T >= 1.
        state: The state that the piece before returned; None at the beginning of a video.

    Raises:
        ModelError: If the maps have another number of axes or channels than the cell takes, or the state belongs to
            maps of another shape.

    Example:
        >>> from mudra.cells import ConvLSTMCell
        >>> cell = ConvLSTMCell(in_channels=3, hidden_channels=8)
        >>> first = unroll(cell, torch.zeros(2, 4, 3, 16, 20))
        >>> first.hidden_BTDHW.shape
        torch.Size([2, 4, 8, 16, 20])
        >>> second = unroll(cell, torch.zeros(2, 1, 3, 16, 20), first.state)
    """
    if x_BTCHW.ndim != 5 or x_BTCHW.shape[2] != cell.in_channels or x_BTCHW.shape[1] == 0:
        raise ModelError(
            f"{type(cell).__name__} got maps of shape {tuple(x_BTCHW.shape)}; "
            f"wanted (B, T, {cell.in_channels}, H, W) with T >= 1: time stands before channels"
        )
    state = cell.initial_state(x_BTCHW[:, 0]) if state is None else state
    wanted = (x_BTCHW.shape[0], cell.hidden_channels, *x_BTCHW.shape[-2:])
    if state.hidden_BDHW.shape != wanted or state.memory_BDHW.shape != wanted:
        # A state of one clip would spread over the whole batch without a word.
        raise ModelError(
            f"{type(cell).__name__} got a state of shape {tuple(state.hidden_BDHW.shape)}; wanted {wanted}",
            hint="give the state that the piece before returned, or None at the beginning of a video",
        )
    hidden = []
    for from_input in zip(*(part.unbind(dim=1) for part in cell.precompute(x_BTCHW)), strict=True):
        state = cell(from_input, state)
        hidden.append(state.hidden_BDHW)
    return Unrolled(torch.stack(hidden, dim=1), state)


def hard_sigmoid_keras(x: Tensor) -> Tensor:
    """Return clip(0.2 x + 0.5, 0, 1): the gate of the released code (Keras 1 and 2), not PyTorch's hard sigmoid.

    Example:
        >>> hard_sigmoid_keras(torch.tensor([-9.0, 1.0, 9.0]))
        tensor([0.0000, 0.7000, 1.0000])
    """
    return (0.2 * x + 0.5).clamp(0.0, 1.0)


def apply_gate(x: Tensor, activation: GateActivation) -> Tensor:
    """Return the gate's opening in [0, 1]."""
    return x.sigmoid() if activation == "sigmoid" else hard_sigmoid_keras(x)


def per_frame(module: nn.Module, x_BTCHW: Tensor) -> Tensor:
    """Apply a module for pictures to every frame of every clip."""
    num_clips, num_frames = x_BTCHW.shape[:2]
    maps: Tensor = module(x_BTCHW.flatten(0, 1))
    return maps.view(num_clips, num_frames, *maps.shape[1:])


def init_he_normal(weight: Tensor, *, fan_in: int) -> None:
    """Fill with Keras' `he_normal`: a normal of standard deviation sqrt(2 / fan_in), cut off at two of them."""
    std = math.sqrt(2.0 / fan_in) / TRUNCATED_NORMAL_STD
    nn.init.trunc_normal_(weight, std=std, a=-2.0 * std, b=2.0 * std)


def check_choices(*, kernel_size: int, gate_activation: str, initialisation: str) -> None:
    """Refuse what a cell would otherwise take for something else.

    Raises:
        ConfigError: If `kernel_size` is even, or `gate_activation` or `initialisation` is unknown.
    """
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ConfigError(f"kernel_size is {kernel_size}, wanted an odd number: an even one does not keep H and W")
    for name, value, known in (
        ("gate_activation", gate_activation, get_args(GateActivation)),
        ("initialisation", initialisation, get_args(Initialisation)),
    ):
        if value not in known:
            raise ConfigError(f"{name} is {value!r}", hint=nearest_name(value, known))


def resolve_channels(in_channels: int | None, hidden_channels: int | None, *, kind: str) -> tuple[int, int]:
    """Return both channel counts of a cell's config, hidden channels defaulting to the input's.

    Raises:
        ConfigError: If `in_channels` is None: a cell outside a network must be told.
    """
    if in_channels is None:
        raise ConfigError(f"cell {kind!r}: in_channels is missing", hint="give it, for example in_channels=256")
    return in_channels, in_channels if hidden_channels is None else hidden_channels
