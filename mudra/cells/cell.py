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
from torch.utils.checkpoint import checkpoint

from mudra.errors import ConfigError, ModelError, nearest_name

GateActivation = Literal["sigmoid", "hard_sigmoid_keras"]
TrainingMemory = Literal["keep", "recompute"]
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

    @abstractmethod
    def inspect(self, from_input: tuple[Tensor, ...], state: MapState) -> dict[str, Tensor]:
        """Return what the step that `forward` makes consists of, by name.

        Returns:
            "input_gate", "forget_gate" and "output_gate": openings in [0, 1], shape (B, D, H, W), or (B, D, 1, 1)
            where a gate is one number per channel; "candidate": (B, D, H, W); "attention" of a cell that has one.
        """

    def initial_state(self, x_BCHW: Tensor) -> MapState:
        """Return the state before the first frame: zeros, of the input's device and precision."""
        zeros = x_BCHW.new_zeros(x_BCHW.shape[0], self.hidden_channels, *x_BCHW.shape[-2:])
        return MapState(zeros, zeros)

    def wants_channels_last(self, device: torch.device) -> bool:
        """Say whether this cell is faster where the channels of a place stand side by side in memory.

        1x1 convolutions are plain matrix products then, and depthwise ones take half the time.
        """
        return True

    def step(self, x_BCHW: Tensor, state: MapState | None = None) -> MapState:
        """Return the state after one single frame."""
        return unroll(self, x_BCHW.unsqueeze(1), state).state


class WholeClipLayer(nn.Module, ABC):
    """A recurrent layer that needs the whole clip at once, and so cannot go on from a state."""

    def __init__(self, in_channels: int, hidden_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.hidden_channels = hidden_channels

    @abstractmethod
    def unroll_clip(self, x_BTCHW: Tensor, *, memory: TrainingMemory = "keep") -> Unrolled:
        """Return the layer's output over whole clips whose shape `unroll` has checked.

        Args:
            x_BTCHW: Feature maps.
            memory: What `unroll` was told; give it to every `unroll` inside.
        """


def unroll(
    cell: Cell | WholeClipLayer, x_BTCHW: Tensor, state: MapState | None = None, *, memory: TrainingMemory = "keep"
) -> Unrolled:
    """Run a cell over a clip, or over the next piece of a stream.

    Args:
        cell: Any cell, or a layer that needs whole clips.
        x_BTCHW: Feature maps, T >= 1.
        state: The state that the piece before returned; None at the beginning of a video.
        memory: What training keeps for the backward pass: `keep` everything, or `recompute` what can be had again by
            running a few frames at a time once more; less memory, a longer backward pass, the same gradients, unless
            the cell has batch normalisation, which sees fewer frames at once then. Without gradients both do the same.

    Returns:
        Hidden maps and the last state, their axes in memory ordered as suits the cell.

    Raises:
        ModelError: If the maps have another number of axes or channels than the cell takes, the state belongs to maps
            of another shape or to a layer that takes none, or `memory` is unknown.

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
    if memory not in get_args(TrainingMemory):
        raise ModelError(f"memory is {memory!r}", hint=nearest_name(memory, get_args(TrainingMemory)))
    if isinstance(cell, WholeClipLayer):
        if state is not None:
            raise ModelError(
                f"{type(cell).__name__} got a state, but it sees every clip whole: it cannot go on from one",
                hint="give whole clips without a state, or use a cell that runs forwards only",
            )
        return cell.unroll_clip(x_BTCHW, memory=memory)
    channels_last = cell.wants_channels_last(x_BTCHW.device)
    x_BTCHW = arrange(x_BTCHW, channels_last=channels_last)
    state = cell.initial_state(x_BTCHW[:, 0]) if state is None else state
    wanted = (x_BTCHW.shape[0], cell.hidden_channels, *x_BTCHW.shape[-2:])
    if state.hidden_BDHW.shape != wanted or state.memory_BDHW.shape != wanted:
        # A state of one clip would spread over the whole batch without a word.
        raise ModelError(
            f"{type(cell).__name__} got a state of shape {tuple(state.hidden_BDHW.shape)}; wanted {wanted}",
            hint="give the state that the piece before returned, or None at the beginning of a video",
        )
    state = MapState(*(arrange(maps, channels_last=channels_last) for maps in state))
    if memory == "recompute" and torch.is_grad_enabled():
        return _unroll_in_pieces(cell, x_BTCHW, state)
    return _unroll_all(cell, x_BTCHW, state)


def _unroll_all(cell: Cell, x_BTCHW: Tensor, state: MapState) -> Unrolled:
    hidden = []
    for from_input in zip(*map(split_frames, cell.precompute(x_BTCHW)), strict=True):
        state = cell(from_input, state)
        hidden.append(state.hidden_BDHW.unsqueeze(1))
    return Unrolled(join(hidden), state)


def _unroll_in_pieces(cell: Cell, x_BTCHW: Tensor, state: MapState) -> Unrolled:
    """Keep the states between pieces alone; the backward pass runs each piece again, and then has its inside."""

    def run(piece_BTCHW: Tensor, hidden_BDHW: Tensor, memory_BDHW: Tensor) -> Unrolled:
        return _unroll_all(cell, piece_BTCHW, MapState(hidden_BDHW, memory_BDHW))

    pieces = []
    for piece_BTCHW in torch.split(x_BTCHW, frames_per_piece(x_BTCHW.shape[1]), dim=1):
        # Dropout alone would need the random state; a cell has none.
        piece: Unrolled = checkpoint(run, piece_BTCHW, *state, use_reentrant=False, preserve_rng_state=False)
        pieces.append(piece.hidden_BTDHW)
        state = piece.state
    return Unrolled(join(pieces), state)


def frames_per_piece(num_frames: int) -> int:
    """Return how many frames `memory="recompute"` runs again at once.

    What is held is two maps per piece and some eight per frame of the piece that is being run again: least where
    pieces are half as long as the root of the frames' number.

    Example:
        >>> [frames_per_piece(num_frames) for num_frames in (1, 8, 16, 64)]
        [1, 1, 2, 4]
    """
    return max(1, round(math.sqrt(num_frames) / 2))


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
    maps: Tensor = module(flatten_frames(x_BTCHW))
    return maps.view(num_clips, num_frames, *maps.shape[1:])


def flatten_frames(x_BTCHW: Tensor) -> Tensor:
    """Return the maps (B T, C, H, W) of all frames, their axes in memory ordered as before."""
    # Flattened with channels behind, one single frame keeps strides that convolutions know channels-last maps by.
    return x_BTCHW.flatten(0, 1) if x_BTCHW.is_contiguous() else x_BTCHW.movedim(2, -1).flatten(0, 1).movedim(-1, 1)


def arrange(maps: Tensor, *, channels_last: bool) -> Tensor:
    """Return maps (..., C, H, W) contiguous, or with the channels of each place side by side in memory.

    They are copied only if they do not stand so yet; what a cell computes from them then keeps their order.
    """
    return maps.movedim(-3, -1).contiguous().movedim(-1, -3) if channels_last else maps.contiguous()


def split_frames(part: Tensor) -> tuple[Tensor, ...]:
    """Cut along time, axis 1, so that the backward pass joins the pieces in the order in which they stand in memory."""
    if part.ndim != 5 or part.stride(2) != 1:
        return part.unbind(dim=1)
    return tuple(frame_BHWC.movedim(-1, 1) for frame_BHWC in part.movedim(2, -1).unbind(dim=1))


def join(pieces: list[Tensor]) -> Tensor:
    """Put maps (B, T, D, H, W) one behind the other in time, in the order in which they stand in memory."""
    if pieces[0].stride(2) != 1:
        return torch.cat(pieces, dim=1)
    return torch.cat([piece.movedim(2, -1) for piece in pieces], dim=1).movedim(-1, 2)


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
