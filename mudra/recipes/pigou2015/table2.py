"""Pigou et al. 2015, Table 2: temporal convolutions and LSTM on other views of Montalbano.

Paper: Beyond Temporal Pooling: Recurrence and Temporal Convolutions for Gesture Recognition in Video, arXiv:1506.01911.
Data:  Montalbano (ChaLearn Looking at People 2014, track 3): data=montalbano data.root=...
Run:   mudra train pigou2015/table2/cropped_rgb data=montalbano data.root=...
Cost:  not yet run. Without training: mudra cost pigou2015/table2/cropped_rgb
Differs from the paper: as Table 1.
"""

from __future__ import annotations

from pathlib import Path

from mudra.datasets import MontalbanoConfig
from mudra.datasets.montalbano import Crop
from mudra.models import FrameWiseNetConfig
from mudra.recipes.pigou2015 import table1
from mudra.recipes.pigou2015.protocol import train_on_montalbano
from mudra.recipes.registry import Expected, row
from mudra.training import RunConfig


def _rgb_alone(crop: Crop) -> RunConfig:
    model = table1.temporal_conv_lstm().model
    assert isinstance(model, FrameWiseNetConfig)
    config = train_on_montalbano(
        model, num_frames=table1.FRAGMENT_FRAMES, fitting=table1.TEMPORAL_CONV_LSTM, with_depth=False
    )
    # The rows differ in what they see, which data on the command line keep: `data=montalbano data.root=...`.
    return config.model_copy(update={"data": MontalbanoConfig(root=Path("montalbano"), crop=crop)})


@row(source="Table 2, row 5", paper=(Expected("jaccard", 0.842, table1.WHERE),))
def whole_rgb() -> RunConfig:
    """RGB of the whole picture, scaled and nothing else: its middle square, as the released code takes it."""
    return _rgb_alone("centre")


@row(source="Table 2, row 6", paper=(Expected("jaccard", 0.876, table1.WHERE),))
def cropped_rgb() -> RunConfig:
    """RGB, cropped around the person."""
    return _rgb_alone("skeleton")


@row(source="Table 2, row 7", paper=(Expected("jaccard", 0.906, table1.WHERE),))
def cropped_rgbd() -> RunConfig:
    """RGB and depth, cropped around the person."""
    return table1.temporal_conv_lstm()
