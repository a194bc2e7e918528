"""The contract that every recurrence over vectors keeps, and its unrolling over a clip.

It is the contract of `cell.py` with one vector per frame in place of a map: `precompute`, `forward`, `initial_state`
and `step` mean the same, `unroll_vectors` is what `unroll` is there.

Shape letters: B clips, T frames, C features in, D hidden features, E features of a part that is computed from the input
alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mudra.errors import ConfigError, ModelError, nearest_name


class VectorState(NamedTuple):
    """What a cell carries from one frame to the next.

    Args:
        hidden_BD: The hidden vector, which is also the cell's output.
        memory_BD: What the cell keeps beside it; shape (B, 0) of a cell that keeps nothing else.
    """

    hidden_BD: Tensor
    memory_BD: Tensor


class UnrolledVectors(NamedTuple):
    """A cell's output over a clip.

    Args:
        hidden_BTD: Every hidden vector.
        state: The state after the last frame: give it to the next `unroll_vectors` to go on with the same video.
    """

    hidden_BTD: Tensor
    state: VectorState


class VectorCell(nn.Module, ABC):
    """One step of a recurrence over vectors.

    A step is cut in two: `precompute` does for all frames at once what does not depend on the state, and `forward`
    does the rest frame by frame.
    """

    def __init__(self, in_features: int, hidden_features: int, *, memory_features: int = 0) -> None:
        super().__init__()
        self.in_features = in_features
        self.hidden_features = hidden_features
        self.memory_features = memory_features

    @abstractmethod
    def precompute(self, x_BTC: Tensor) -> Tensor:
        """Return what the frames alone determine, shape (B, T, E)."""

    @abstractmethod
    def forward(self, from_input_BE: Tensor, state: VectorState) -> VectorState:
        """Return the state after one frame.

        Args:
            from_input_BE: One frame's share of what `precompute` returned.
            state: The state after the frame before.
        """

    def unroll_fused(self, x_BTC: Tensor, state: VectorState) -> UnrolledVectors | None:
        """Return what PyTorch's own kernel (cuDNN, oneDNN) makes of a clip, or None where it has no such recurrence."""
        return None

    def initial_state(self, x_BC: Tensor) -> VectorState:
        """Return the state before the first frame: zeros, of the input's device and precision."""
        return VectorState(
            x_BC.new_zeros(len(x_BC), self.hidden_features), x_BC.new_zeros(len(x_BC), self.memory_features)
        )

    def step(self, x_BC: Tensor, state: VectorState | None = None) -> VectorState:
        """Return the state after one single frame."""
        return unroll_vectors(self, x_BC.unsqueeze(1), state).state


class WholeSequenceLayer(nn.Module, ABC):
    """A recurrent layer that needs the whole clip at once, and so cannot go on from a state."""

    def __init__(self, in_features: int, hidden_features: int) -> None:
        super().__init__()
        self.in_features = in_features
        self.hidden_features = hidden_features

    @abstractmethod
    def unroll_sequence(self, x_BTC: Tensor, mask_BT: Tensor | None = None) -> UnrolledVectors:
        """Return the layer's output over whole clips whose shape `unroll_vectors` has checked."""


def unroll_vectors(
    cell: VectorCell | WholeSequenceLayer,
    x_BTC: Tensor,
    state: VectorState | None = None,
    *,
    mask_BT: Tensor | None = None,
) -> UnrolledVectors:
    """Run a cell over a clip, or over the next piece of a stream.

    Args:
        cell: Any cell over vectors, or a layer that needs whole clips.
        x_BTC: A vector for every frame, T >= 1.
        state: The state that the piece before returned; None at the beginning of a video.
        mask_BT: True where a frame counts, False where it is padding: there the state stays as it was. None: all count.

    Raises:
        ModelError: If the vectors have another number of axes or features than the cell takes, the mask or the state is
            of another shape, or a state comes to a layer that takes none.

    Example:
        >>> from mudra.cells import PeepholeLSTMCell
        >>> cell = PeepholeLSTMCell(in_features=3, hidden_features=8)
        >>> first = unroll_vectors(cell, torch.zeros(2, 4, 3))
        >>> first.hidden_BTD.shape
        torch.Size([2, 4, 8])
        >>> second = unroll_vectors(cell, torch.zeros(2, 1, 3), first.state)
    """
    if x_BTC.ndim != 3 or x_BTC.shape[2] != cell.in_features or x_BTC.shape[1] == 0:
        raise ModelError(
            f"{type(cell).__name__} got vectors of shape {tuple(x_BTC.shape)}; "
            f"wanted (B, T, {cell.in_features}) with T >= 1: time stands before features"
        )
    if mask_BT is not None and mask_BT.shape != x_BTC.shape[:2]:
        raise ModelError(f"the mask has shape {tuple(mask_BT.shape)}; wanted {tuple(x_BTC.shape[:2])}, as the clips")
    if isinstance(cell, WholeSequenceLayer):
        if state is not None:
            raise ModelError(
                f"{type(cell).__name__} got a state, but it sees every clip whole: it cannot go on from one",
                hint="give whole clips without a state, or use a cell that runs forwards only",
            )
        return cell.unroll_sequence(x_BTC, mask_BT)
    state = cell.initial_state(x_BTC[:, 0]) if state is None else state
    wanted = [(len(x_BTC), cell.hidden_features), (len(x_BTC), cell.memory_features)]
    if [tuple(part.shape) for part in state] != wanted:
        # A state of one clip would spread over the whole batch without a word.
        raise ModelError(
            f"{type(cell).__name__} got a state of shapes {[tuple(part.shape) for part in state]}; wanted {wanted}",
            hint="give the state that the piece before returned, or None at the beginning of a video",
        )
    # What counts or traces operations (a subclass of Tensor) cannot look into a fused kernel.
    if mask_BT is None and type(x_BTC) is Tensor:
        fused = _unroll_fused(cell, x_BTC, state)
        if fused is not None:
            return fused
    return unroll_steps(cell, x_BTC, state, mask_BT)


def _unroll_fused(cell: VectorCell, x_BTC: Tensor, state: VectorState) -> UnrolledVectors | None:
    device = x_BTC.device.type
    if not torch.is_autocast_enabled(device):
        return cell.unroll_fused(x_BTC, state)
    # Autocast knows no such kernel: it is run in the precision of the weights, of which vectors and state must be too.
    own = next(cell.parameters()).dtype
    with torch.autocast(device, enabled=False):
        return cell.unroll_fused(x_BTC.to(own), VectorState(*(part.to(own) for part in state)))


def unroll_steps(cell: VectorCell, x_BTC: Tensor, state: VectorState, mask_BT: Tensor | None) -> UnrolledVectors:
    """Run a cell frame by frame, by its own equations."""
    hidden = []
    for index, from_input_BE in enumerate(cell.precompute(x_BTC).unbind(dim=1)):
        after = cell(from_input_BE, state)
        if mask_BT is not None:
            counts_B1 = mask_BT[:, index, None]
            after = VectorState(*(torch.where(counts_B1, new, old) for new, old in zip(after, state, strict=True)))
        state = after
        hidden.append(state.hidden_BD)
    return UnrolledVectors(torch.stack(hidden, dim=1), state)


def resolve_features(in_features: int | None, hidden_features: int | None, *, kind: str) -> tuple[int, int]:
    """Return both feature counts of a cell's config, hidden features defaulting to the input's.

    Raises:
        ConfigError: If `in_features` is None: a cell outside a network must be told.
    """
    if in_features is None:
        raise ConfigError(f"cell {kind!r}: in_features is missing", hint="give it, for example in_features=2048")
    return in_features, in_features if hidden_features is None else hidden_features


def check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    """Refuse a choice that would otherwise pass for another.

    Raises:
        ConfigError: If there is no such choice.
    """
    if value not in known:
        raise ConfigError(f"{name} is {value!r}", hint=nearest_name(value, known))
