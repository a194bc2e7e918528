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


def picture(*rows: list[float]) -> Tensor:
    """Frames of one row each; 0 mm was not measured."""
    depth = torch.tensor(rows)[:, None]
    return torch.stack([depth, (depth > 0).float()], dim=1)


@pytest.mark.parametrize("is_reversed", [False, True])
def test_missing_depth_that_is_background_counts_as_zero(is_reversed: bool) -> None:
    maps = DepthTarget(far_mm=1000.0, reversed=is_reversed, missing="zero").apply(picture([250.0, 0.0, 0.0]))
    assert maps.depth_THW.flatten().tolist() == [0.75 if is_reversed else 0.25, 0.0, 0.0]
    assert maps.measured_THW.flatten().tolist() == [1.0, 1.0, 1.0]


def test_levels_blend_with_the_background_as_a_pictures_do() -> None:
    half = torch.tensor([400.0, 12.0, 0.5, 0.015]).view(1, 2, 1, 2)  # of a surface at 800 mm, half and next to none
    maps = DepthTarget(far_mm=1000.0, missing="zero").apply(half)
    assert maps.depth_THW.flatten().tolist() == pytest.approx([0.4, 0.0])
    assert maps.measured_THW.flatten().tolist() == [1.0, 1.0]


@pytest.mark.parametrize("missing", ["left_out", "zero"])
def test_frames_without_any_depth_are_left_out_whatever_else_counts(missing: str) -> None:
    target = DepthTarget.from_mapping({"missing": missing})
    maps = target.apply(picture([0.0, 0.0], [800.0, 800.0], [0.0, 0.0]))
    assert maps.measured_THW.flatten(1).sum(dim=1).tolist() == [0.0, 2.0, 0.0]
    assert not maps.depth_THW[[0, 2]].any()
    # Of a crop only the whole frame tells whether its depth is missing or merely elsewhere.
    known = target.apply(picture([0.0, 0.0], [0.0, 0.0]), has_depth_T=torch.tensor([True, False]))
    assert known.measured_THW.flatten(1).sum(dim=1).tolist() == [2.0 if missing == "zero" else 0.0, 0.0]


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
