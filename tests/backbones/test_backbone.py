"""The base of all backbones, and how channel counts are scaled."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mudra.backbones import Backbone, scale_channels
from mudra.backbones.backbone import KERAS_NORM_EPS, KERAS_NORM_MOMENTUM


def test_the_base_says_what_comes_in_and_goes_out() -> None:
    class Halving(Backbone):
        def forward(self, x_BTCHW: torch.Tensor) -> torch.Tensor:
            return x_BTCHW[:, ::2]

    backbone = Halving(in_channels=3, out_channels=4, time_stride=2)
    assert (backbone.in_channels, backbone.out_channels, backbone.time_stride) == (3, 4, 2)


def test_the_base_alone_cannot_be_built() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Backbone(in_channels=3, out_channels=4, time_stride=2)  # type: ignore[abstract]


def test_constants_are_those_of_keras() -> None:
    assert KERAS_NORM_EPS == 1e-3
    assert pytest.approx(1 - 0.99) == KERAS_NORM_MOMENTUM


@given(channels=st.integers(1, 4096), width=st.floats(0.01, 4.0))
@settings(max_examples=100, deadline=None, derandomize=True, database=None)
def test_scaled_channels_are_the_nearest_multiple_of_eight(channels: int, width: float) -> None:
    scaled = scale_channels(channels, width)
    if width == 1.0:
        assert scaled == channels
    else:
        assert scaled % 8 == 0
        assert scaled >= 8
        assert abs(scaled - channels * width) <= 4 or scaled == 8


def test_width_one_changes_nothing() -> None:
    assert scale_channels(100, 1.0) == 100
    assert scale_channels(3, 0.5) == 8
    assert scale_channels(256, 0.25) == 64
