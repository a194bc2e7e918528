"""Bidirectional layer over vectors: a cell along time and a second one against it, joined at every frame.

Source: Schuster and Paliwal 1997, "Bidirectional recurrent neural networks", as Pigou et al. 2015, equations 2-4, use
it: the hidden vectors of both directions are added.
Differs: nothing; `merge` may put them side by side instead.

    h_t = h_t^(along) + h_t^(against)
"""

from __future__ import annotations

from typing import Literal, Self, get_args

import torch
from pydantic import PositiveInt, model_validator
from torch import Tensor

from mudra.cells.any_vector_cell import AnyVectorCellConfig
from mudra.cells.peephole_lstm import PeepholeLSTMConfig
from mudra.cells.vector_cell import (
    UnrolledVectors,
    VectorCell,
    VectorState,
    WholeSequenceLayer,
    check_choice,
    resolve_features,
    unroll_vectors,
)
from mudra.config import Config
from mudra.errors import ConfigError

Merge = Literal["sum", "concat"]


class BidirectionalVectorConfig(Config):
    """Any vector cell, along time and against it."""

    kind: Literal["bidirectional_vector"] = "bidirectional_vector"

    in_features: PositiveInt | None = None
    """Features of each frame (C); None inside a network: as many as come in."""
    hidden_features: PositiveInt | None = None
    """Features of each direction's vectors (D); None: as many as `in_features`. `concat` puts out twice as many."""
    cell: AnyVectorCellConfig = PeepholeLSTMConfig()
    """The cell of both directions; its features are those above."""
    merge: Merge = "sum"
    """`sum` (the paper) or `concat` (features of the forward direction first)."""

    @model_validator(mode="after")
    def _refuse_features_said_twice(self) -> Self:
        if self.cell.in_features is not None or self.cell.hidden_features is not None:
            raise ValueError("cell.in_features and cell.hidden_features are not its own: give them beside `cell`")
        return self

    def build(self) -> BidirectionalVector:
        """Return the layer.

        Raises:
            ConfigError: If `in_features` is None.
        """
        features = resolve_features(self.in_features, self.hidden_features, kind=self.kind)
        config = self.cell.model_copy(update=dict(zip(("in_features", "hidden_features"), features, strict=True)))
        return BidirectionalVector(along=config.build(), against=config.build(), merge=self.merge)


class BidirectionalVector(WholeSequenceLayer):
    """Two cells over the same clip, one from the first frame on and one from the last frame back.

    Args:
        along: The cell that runs from the first frame to the last.
        against: The cell that runs from the last frame to the first; of the same features.
        merge: `sum` or `concat` of their vectors.

    Raises:
        ConfigError: If `merge` is unknown, or the cells have other features.

    Example:
        >>> layer = BidirectionalVectorConfig(in_features=3, hidden_features=8).build()
        >>> unroll_vectors(layer, torch.zeros(2, 4, 3)).hidden_BTD.shape
        torch.Size([2, 4, 8])
    """

    def __init__(self, *, along: VectorCell, against: VectorCell, merge: Merge = "sum") -> None:
        check_choice("merge", merge, get_args(Merge))
        features = [(cell.in_features, cell.hidden_features) for cell in (along, against)]
        if features[0] != features[1]:
            raise ConfigError(
                f"the two cells have (in, hidden) features {features[0]} and {features[1]}, wanted the same"
            )
        super().__init__(along.in_features, along.hidden_features * (2 if merge == "concat" else 1))
        self.along = along
        self.against = against
        self.merge: Merge = merge

    def unroll_sequence(self, x_BTC: Tensor, mask_BT: Tensor | None = None) -> UnrolledVectors:
        """Return the joined hidden vectors, and the joined states after each direction's own last frame.

        The state is there to be looked at; no clip goes on from it.
        """
        along = unroll_vectors(self.along, x_BTC, mask_BT=mask_BT)
        backwards_BT = None if mask_BT is None else mask_BT.flip(1)
        against = unroll_vectors(self.against, x_BTC.flip(1), mask_BT=backwards_BT)
        hidden_BTD = self._join(along.hidden_BTD, against.hidden_BTD.flip(1))
        return UnrolledVectors(hidden_BTD, VectorState(*map(self._join, along.state, against.state)))

    def _join(self, along: Tensor, against: Tensor) -> Tensor:
        return torch.cat([along, against], dim=-1) if self.merge == "concat" else along + against
