"""The union of all vector cells' configs: what a network may hold by itself, or twice in a bidirectional layer."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mudra.cells.peephole_lstm import PeepholeLSTMConfig
from mudra.cells.rnn import RNNConfig

AnyVectorCellConfig = Annotated[PeepholeLSTMConfig | RNNConfig, Field(discriminator="kind")]
