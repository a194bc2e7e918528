"""Bidirectional: any cell once along time and a second one against it, their hidden maps joined at every frame.

Source: Schuster and Paliwal 1997, "Bidirectional recurrent neural networks", for recurrences over feature maps as
Zhang et al. 2017 (3DCNN + bidirectional ConvLSTM + 2DCNN) use them.
Differs: the two directions have weights of their own and nothing else; how their maps are joined is a choice.
"""

from __future__ import annotations

from typing import Literal, Self

import torch
from pydantic import PositiveInt, model_validator
from torch import Tensor

from mudra.cells.any_cell import AnyCellConfig
from mudra.cells.cell import Cell, MapState, TrainingMemory, Unrolled, WholeClipLayer, resolve_channels, unroll
from mudra.cells.conv_lstm import ConvLSTMConfig
from mudra.config import Config
from mudra.errors import ConfigError, nearest_name

Merge = Literal["concat", "sum"]
MERGES: tuple[Merge, ...] = ("concat", "sum")


class BidirectionalConfig(Config):
    """Any cell, along time and against it."""

    kind: Literal["bidirectional"] = "bidirectional"

    in_channels: PositiveInt | None = None
    """Channels of each frame's feature map (C); None inside a network: as many as come in."""
    hidden_channels: PositiveInt | None = None
    """Channels of each direction's maps (D); None: as many as `in_channels`. `concat` puts out twice as many."""
    cell: AnyCellConfig = ConvLSTMConfig()
    """The cell of both directions; its channels are those above."""
    merge: Merge = "concat"
    """`concat` (channels of the forward direction first) or `sum`."""

    @model_validator(mode="after")
    def _refuse_channels_said_twice(self) -> Self:
        if self.cell.in_channels is not None or self.cell.hidden_channels is not None:
            raise ValueError("cell.in_channels and cell.hidden_channels are not its own: give them beside `cell`")
        return self

    def build(self) -> Bidirectional:
        """Return the layer.

        Raises:
            ConfigError: If `in_channels` is None.
        """
        channels = resolve_channels(self.in_channels, self.hidden_channels, kind=self.kind)
        config = self.cell.model_copy(update=dict(zip(("in_channels", "hidden_channels"), channels, strict=True)))
        return Bidirectional(along=config.build(), against=config.build(), merge=self.merge)


class Bidirectional(WholeClipLayer):
    """Two cells over the same clip, one from the first frame on and one from the last frame back.

    Args:
        along: The cell that runs from the first frame to the last.
        against: The cell that runs from the last frame to the first; of the same channels.
        merge: `concat` or `sum` of their maps.

    Raises:
        ConfigError: If `merge` is unknown, or the cells have other channels.

    Example:
        >>> layer = BidirectionalConfig(in_channels=3, hidden_channels=8).build()
        >>> unroll(layer, torch.zeros(2, 4, 3, 16, 20)).hidden_BTDHW.shape
        torch.Size([2, 4, 16, 16, 20])
    """

    def __init__(self, *, along: Cell, against: Cell, merge: Merge = "concat") -> None:
        if merge not in MERGES:
            raise ConfigError(f"merge is {merge!r}", hint=nearest_name(merge, MERGES))
        channels = [(cell.in_channels, cell.hidden_channels) for cell in (along, against)]
        if channels[0] != channels[1]:
            raise ConfigError(
                f"the two cells have (in, hidden) channels {channels[0]} and {channels[1]}, wanted the same"
            )
        super().__init__(along.in_channels, along.hidden_channels * (2 if merge == "concat" else 1))
        self.along = along
        self.against = against
        self.merge: Merge = merge

    def unroll_clip(self, x_BTCHW: Tensor, *, memory: TrainingMemory = "keep") -> Unrolled:
        """Return the joined hidden maps, and the joined states after each direction's own last frame.

        The state is there to be looked at; no clip goes on from it.
        """
        along = unroll(self.along, x_BTCHW, memory=memory)
        against = unroll(self.against, x_BTCHW.flip(1), memory=memory)
        hidden_BTDHW = self._join(along.hidden_BTDHW, against.hidden_BTDHW.flip(1))
        return Unrolled(hidden_BTDHW, MapState(*map(self._join, along.state, against.state)))

    def _join(self, along: Tensor, against: Tensor) -> Tensor:
        return torch.cat([along, against], dim=-3) if self.merge == "concat" else along + against
