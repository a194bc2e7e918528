"""ours/causal/...: the recurrent networks of Pigou et al. 2015 for live use, one direction and no look ahead.

Data: as pigou2015/table1; the rest of the protocol too.
Run:  mudra train ours/causal/temporal_conv_lstm data.kind=montalbano data.root=...
"""

from __future__ import annotations

from mudra.models import FrameWiseNetConfig
from mudra.recipes.pigou2015 import table1
from mudra.recipes.registry import row
from mudra.training import RunConfig


def _make_causal(config: RunConfig) -> RunConfig:
    assert isinstance(config.model, FrameWiseNetConfig)
    return config.model_copy(update={"model": config.model.to_causal()})


@row(source="after Pigou et al. 2015, Table 1, row 5, forwards only")
def rnn() -> RunConfig:
    """Recurrence of standard cells, forwards only."""
    return _make_causal(table1.rnn())


@row(source="after Pigou et al. 2015, Table 1, row 6, forwards only")
def lstm() -> RunConfig:
    """Recurrence of LSTM cells, forwards only."""
    return _make_causal(table1.lstm())


@row(source="after Pigou et al. 2015, Table 1, row 7, forwards only")
def temporal_conv_lstm() -> RunConfig:
    """Temporal convolutions over earlier frames and recurrence of LSTM cells, forwards only."""
    return _make_causal(table1.temporal_conv_lstm())
