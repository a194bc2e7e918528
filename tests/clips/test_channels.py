"""Channels: what was not measured takes part in nothing, and where the camera stands is taken away."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from mudra.clips.channels import FlowChannels, LevelDepthChannels, RelativeDepthChannels, RgbChannels


def weighted(depth_TCHW: Tensor, measured_TCHW: Tensor) -> Tensor:
    """Return depth as the channels take it: depth times measured share, and measured share."""
    return torch.cat([depth_TCHW * measured_TCHW, measured_TCHW], dim=1)


def scene(offset_mm: float = 0.0) -> tuple[Tensor, Tensor]:
    """A wall at 1000 mm, a hand at 700 mm, and a column where nothing was measured."""
    depth = torch.full((2, 1, 12, 12), 1000.0 + offset_mm)
    depth[..., 4:8, 4:8] = 700.0 + offset_mm
    measured = torch.ones_like(depth)
    measured[..., :2] = 0.0
    return depth, measured


def test_colour_is_shifted_and_scaled() -> None:
    levels = torch.tensor([10.0, 20.0, 30.0]).view(1, 3, 1, 1).expand(2, 3, 4, 4)
    out = RgbChannels(mean=(10.0, 10.0, 10.0), divisor=(1.0, 2.0, 4.0)).apply(levels)
    assert out[0, :, 0, 0].tolist() == [0.0, 5.0, 5.0]


def test_relative_depth_is_the_distance_from_the_clips_median() -> None:
    depth, measured = scene()
    out = RelativeDepthChannels(scale_mm=100.0, clip_mm=400.0).apply(weighted(depth, measured))
    assert out.shape == (2, 2, 12, 12)
    assert out[0, 0, 0, 11] == 0.0  # the wall is most of the picture
    assert out[0, 0, 5, 5] == -3.0
    assert (out[:, 0, :, :2] == 0.0).all()
    assert torch.equal(out[:, 1:], measured)


def test_another_distance_to_the_camera_changes_nothing() -> None:
    near, far = (RelativeDepthChannels().apply(weighted(*scene(offset))) for offset in (0.0, 300.0))
    assert torch.equal(near, far)


def test_one_reference_serves_all_frames() -> None:
    depth, measured = scene()
    depth[1] += 50.0  # everything moves away: motion that must stay
    out = RelativeDepthChannels().apply(weighted(depth, measured))
    assert torch.allclose(out[1, 0, :, 2:] - out[0, 0, :, 2:], torch.full((12, 10), 0.5))


def test_distances_are_bounded_and_stretched() -> None:
    depth, measured = scene()
    depth[..., 0, 11] = 5000.0
    channels = RelativeDepthChannels(scale_mm=100.0, clip_mm=400.0)
    assert channels.apply(weighted(depth, measured))[0, 0, 0, 11] == 4.0
    assert channels.apply(weighted(depth, measured), stretch=1.25)[0, 0, 5, 5] == -3.75
    assert channels.apply(weighted(depth, measured), stretch=2.0)[0, 0, 5, 5] == -4.0


def test_an_offset_moves_what_was_measured_alone() -> None:
    depth, measured = scene()
    out = RelativeDepthChannels(scale_mm=100.0).apply(weighted(depth, measured), stretch=0.5, offset_mm=20.0)
    assert out[0, 0, 5, 5] == pytest.approx(-1.3)
    assert out[0, 0, 0, 11] == pytest.approx(0.2)
    assert (out[:, 0, :, :2] == 0.0).all()
    levels = LevelDepthChannels(far_mm=2000.0, mean=0.0, num_channels=1)
    moved = levels.apply(weighted(depth, measured), offset_mm=100.0)
    assert moved[0, 0, 5, 5] == pytest.approx(800 / 2000 * 255)
    assert (moved[..., :2] == 0.0).all()


def test_a_half_measured_pixel_has_the_depth_that_was_measured() -> None:
    depth, measured = scene()
    measured[..., 4:8, 4:8] = 0.5  # as at an edge, after scaling
    out = RelativeDepthChannels().apply(weighted(depth, measured))
    assert out[0, 0, 5, 5] == -3.0
    assert out[0, 1, 5, 5] == 0.5


def test_the_reference_is_taken_of_measured_pixels_alone() -> None:
    depth, measured = scene()
    measured[..., :9] = 0.0  # most of the picture is missing
    out = RelativeDepthChannels().apply(weighted(depth, measured))
    assert (out[:, 0] == 0.0).all()  # the rest is wall, at the reference; a median with zeros would give the bound


@pytest.mark.parametrize("channels", [RelativeDepthChannels(), LevelDepthChannels()])
def test_depth_that_was_nowhere_measured_is_finite(channels: RelativeDepthChannels | LevelDepthChannels) -> None:
    out = channels.apply(torch.zeros(2, 2, 4, 4))
    assert out.isfinite().all()
    assert len(out.unique()) == 1


def test_levels_spread_depth_between_near_and_far() -> None:
    channels = LevelDepthChannels(near_mm=500.0, far_mm=1500.0, mean=127.0, divisor=2.0)
    depth, measured = scene()
    out = channels.apply(weighted(depth, measured))
    assert out.shape == (2, 3, 12, 12)
    assert out[0, :, 0, 11].tolist() == pytest.approx([(127.5 - 127.0) / 2] * 3)
    assert out[0, 0, 5, 5] == pytest.approx((51.0 - 127.0) / 2)
    assert (out[:, :, :, :2] == -63.5).all()  # nothing measured: level 0
    depth[..., 0, 11], depth[..., 1, 11] = 9000.0, 100.0
    bounded = channels.apply(weighted(depth, measured))[0, 0, :2, 11]
    assert bounded.tolist() == [(255.0 - 127.0) / 2, -63.5]


def test_stretched_levels_turn_about_the_middle_and_leave_missing_ones_at_zero() -> None:
    depth, measured = scene()
    out = LevelDepthChannels(far_mm=2000.0, mean=0.0, num_channels=1).apply(weighted(depth, measured), stretch=2.0)
    assert out.shape[1] == 1
    assert out[0, 0, 0, 11] == pytest.approx(127.5)  # the middle stays
    assert out[0, 0, 5, 5] == pytest.approx((700 / 2000 * 255 - 127.5) * 2 + 127.5)
    assert (out[..., :2] == 0.0).all()


def test_flow_is_bounded_and_scaled() -> None:
    flow = torch.tensor([30.0, -2.0]).view(1, 2, 1, 1)
    assert FlowChannels(scale_px=4.0, clip_px=20.0).apply(flow).flatten().tolist() == [5.0, -0.5]


def test_a_third_channel_of_flow_is_its_speed() -> None:
    flow = torch.tensor([[3.0, -4.0], [30.0, 0.0]]).view(2, 2, 1, 1)
    out = FlowChannels(scale_px=0.5, clip_px=20.0, num_channels=3).apply(flow)
    assert out.flatten(1).tolist() == [[6.0, -8.0, 10.0], [40.0, 0.0, 40.0]]


def test_the_number_of_channels_is_no_setting() -> None:
    with pytest.raises(ValidationError):
        RgbChannels(num_channels=4)  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        LevelDepthChannels(num_channels=4)


def test_a_named_reference_takes_the_place_of_the_median() -> None:
    depth_TCHW = torch.stack([torch.full((2, 4, 4), 700.0), torch.ones(2, 4, 4)], dim=1)
    assert RelativeDepthChannels().find_reference(depth_TCHW) == 700.0
    assert RelativeDepthChannels().find_reference(torch.zeros(2, 2, 4, 4)) == 0.0
    away = RelativeDepthChannels(reference_mm=650.0, scale_mm=50.0).apply(depth_TCHW)[:, 0]
    assert torch.equal(away, torch.ones(2, 4, 4))
