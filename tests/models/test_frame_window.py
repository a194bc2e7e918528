"""Windows with one answer: which row their poolings make of the steps."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mudra.models.frame_window import WindowConfig, pool_window


@pytest.mark.parametrize(("num_frames", "time_stride", "rows"), [(32, 16, 2), (33, 16, 3), (8, 1, 8), (3, 4, 1)])
def test_side_by_side_stand_all_steps_that_the_backbone_leaves(num_frames: int, time_stride: int, rows: int) -> None:
    assert WindowConfig(num_frames=num_frames, pooling="flatten").count_rows(time_stride) == rows
    assert WindowConfig(num_frames=num_frames, pooling="max").count_rows(time_stride) == 1


@pytest.mark.parametrize(
    ("pooling", "row"), [("mean", [2.0, 3.0]), ("max", [4.0, 9.0]), ("flatten", [1.0, -3.0, 4.0, 3.0, 1.0, 9.0])]
)
def test_steps_become_one_row(pooling: Any, row: list[float]) -> None:
    features_BTC = torch.tensor([[[1.0, -3.0], [4.0, 3.0], [1.0, 9.0]]])
    window = WindowConfig(num_frames=3, pooling=pooling)
    assert pool_window(features_BTC, window, num_rows=window.count_rows(1)).tolist() == [[row]]


def test_other_steps_are_averaged_to_the_windows_own() -> None:
    features_BTC = torch.tensor([[[1.0, 0.0], [3.0, 2.0], [10.0, 4.0], [20.0, 6.0]]])
    window = WindowConfig(num_frames=2, pooling="flatten")
    assert pool_window(features_BTC, window, num_rows=2).tolist() == [[[2.0, 1.0, 15.0, 5.0]]]
