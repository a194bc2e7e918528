"""Depth to learn: its bounds, which way is bright, and what was not measured."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mudra.clips import DepthTarget
from mudra.clips.target import no_target
from mudra.errors import ConfigError


def seen(depth_mm: list[float], measured: list[float]) -> Tensor:
    """Depth times measured share, and measured share, a frame (2, 1, 1) for each."""
    depth, share = torch.tensor(depth_mm), torch.tensor(measured)
    return torch.stack([depth * share, share], dim=1).view(-1, 2, 1, 1)


def test_millimetres_become_shares_of_the_way_between_the_bounds() -> None:
    maps = DepthTarget(near_mm=500.0, far_mm=900.0).apply(seen([400.0, 500.0, 600.0, 900.0, 1500.0], [1.0] * 5))
    assert maps.depth_THW.flatten().tolist() == [0.0, 0.0, 0.25, 1.0, 1.0]
    assert maps.measured_THW.flatten().tolist() == [1.0] * 5


def test_reversed_near_is_bright() -> None:
    maps = DepthTarget(near_mm=500.0, far_mm=900.0, reversed=True).apply(seen([400.0, 600.0, 900.0], [1.0] * 3))
    assert maps.depth_THW.flatten().tolist() == [1.0, 0.75, 0.0]


@pytest.mark.parametrize("is_reversed", [False, True])
def test_depth_is_that_of_the_measured_part_and_nothing_where_none_was(is_reversed: bool) -> None:
    maps = DepthTarget(far_mm=1000.0, reversed=is_reversed).apply(seen([250.0, 250.0, 250.0], [0.5, 0.02, 0.0]))
    assert maps.depth_THW.flatten().tolist() == [0.75 if is_reversed else 0.25, 0.0, 0.0]
    assert maps.measured_THW.flatten().tolist() == [0.5, 0.0, 0.0]


def test_without_depth_nothing_was_measured() -> None:
    maps = no_target(3, (4, 5))
    assert maps.depth_THW.shape == maps.measured_THW.shape == (3, 4, 5)
    assert not maps.measured_THW.any()


@pytest.mark.parametrize("near_mm", [900.0, 1000.0])
def test_bounds_the_wrong_way_round_are_refused(near_mm: float) -> None:
    with pytest.raises(
        ConfigError, match=r"far_mm=900 is not beyond near_mm=.*swap them; near is bright with reversed"
    ):
        DepthTarget.from_mapping({"near_mm": near_mm, "far_mm": 900.0})
