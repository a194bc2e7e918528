"""Pigou et al. 2015, Table 2: temporal convolutions and LSTM on other views of Montalbano.

Paper: Beyond Temporal Pooling: Recurrence and Temporal Convolutions for Gesture Recognition in Video, arXiv:1506.01911.
Data:  Montalbano (ChaLearn Looking at People 2014, track 3): data.kind=montalbano data.root=...
Run:   mudra train pigou2015/table2/cropped_rgb data.kind=montalbano data.root=...
Cost:  not yet run. Without training: mudra cost pigou2015/table2/cropped_rgb
Differs from the paper: as Table 1.
"""

from __future__ import annotations

from mudra.models import FrameWiseNetConfig
from mudra.recipes.pigou2015 import table1
from mudra.recipes.pigou2015.protocol import train_on_montalbano
from mudra.recipes.registry import Expected, row
from mudra.training import RunConfig


def _rgb_alone() -> RunConfig:
    model = table1.temporal_conv_lstm().model
    assert isinstance(model, FrameWiseNetConfig)
    return train_on_montalbano(
        model, num_frames=table1.FRAGMENT_FRAMES, fitting=table1.TEMPORAL_CONV_LSTM, with_depth=False
    )


@row(source="Table 2, row 5", paper=(Expected("jaccard", 0.842, table1.WHERE),))
def whole_rgb() -> RunConfig:
    """RGB of the whole picture, scaled and nothing else."""
    return _rgb_alone()


@row(source="Table 2, row 6", paper=(Expected("jaccard", 0.876, table1.WHERE),))
def cropped_rgb() -> RunConfig:
    """RGB, cropped around the person."""
    return _rgb_alone()


@row(source="Table 2, row 7", paper=(Expected("jaccard", 0.906, table1.WHERE),))
def cropped_rgbd() -> RunConfig:
    """RGB and depth, cropped around the person."""
    return table1.temporal_conv_lstm()
