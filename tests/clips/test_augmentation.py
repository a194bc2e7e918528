"""Chance: its bounds, one draw for everything, and flow that turns with the picture."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from mudra.clips.augmentation import Augmentation, Draw, apply_colour, apply_geometry, sample_draw
from mudra.types import Stream
from tests.clips.pictures import centre_of

STRONG = Augmentation(
    rotation_deg=20.0,
    scale=(0.5, 2.0),
    shift_fraction=0.1,
    brightness=0.3,
    contrast=0.2,
    saturation=0.4,
    hue=0.05,
    depth_stretch=(0.8, 1.5),
    depth_offset_mm=12.0,
    mirror_probability=0.5,
)


def draw_of(config: Augmentation, seed: int, size: tuple[int, int] = (40, 60)) -> Draw:
    return sample_draw(config, size=size, generator=torch.Generator().manual_seed(seed))


def test_the_defaults_do_nothing_but_mirror() -> None:
    for seed in range(20):
        draw = draw_of(Augmentation(), seed)
        assert draw._replace(mirror=False, crop_fraction=0.5) == Draw()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_every_draw_keeps_its_bounds(seed: int) -> None:
    draw = draw_of(STRONG, seed)
    assert abs(draw.angle_deg) <= 20
    assert 0.5 <= draw.scale <= 2
    assert abs(draw.shift_x_px) <= 6  # a tenth of the width
    assert abs(draw.shift_y_px) <= 4  # a tenth of the height
    assert 0.7 <= draw.brightness <= 1.3
    assert 0.8 <= draw.contrast <= 1.2
    assert 0.6 <= draw.saturation <= 1.4
    assert abs(draw.hue) <= 0.05
    assert 0.8 <= draw.depth_stretch <= 1.5
    assert 0.0 < abs(draw.depth_offset_mm) <= 12.0
    assert 0 <= draw.crop_fraction < 1


def test_draws_fill_their_bounds() -> None:
    draws = [draw_of(STRONG, seed) for seed in range(400)]
    for name, low, high in (("angle_deg", -19, 19), ("scale", 0.53, 1.9), ("shift_x_px", -5.7, 5.7)):
        values = [getattr(draw, name) for draw in draws]
        assert min(values) < low
        assert max(values) > high
    assert 0.4 < np.mean([draw.mirror for draw in draws]) < 0.6
    assert abs(np.mean([math.log(draw.scale) for draw in draws])) < 0.05  # as often halved as doubled


def test_one_setting_moves_no_other_draw() -> None:
    other = STRONG.model_copy(update={"rotation_deg": 0.0, "colour_probability": 0.0})
    for seed in range(10):
        with_all, without = draw_of(STRONG, seed), draw_of(other, seed)
        assert without.angle_deg == 0
        assert (without.brightness, without.contrast, without.saturation, without.hue) == (1.0, 1.0, 1.0, 0.0)
        same = ("scale", "shift_x_px", "shift_y_px", "depth_stretch", "depth_offset_mm", "mirror", "crop_fraction")
        assert all(getattr(with_all, name) == getattr(without, name) for name in same)


def test_colour_is_drawn_as_often_as_asked() -> None:
    config = STRONG.model_copy(update={"colour_probability": 0.3})
    coloured = [draw_of(config, seed).brightness != 1.0 for seed in range(400)]
    assert 0.2 < np.mean(coloured) < 0.4


@pytest.mark.parametrize("values", [{"scale": (0.0, 1.0)}, {"mirror_probability": 1.5}, {"hue": 0.7}])
def test_impossible_chances_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Augmentation(**values)  # type: ignore[arg-type]


def blob(y: float, x: float, size: int = 65) -> torch.Tensor:
    """One frame (1, 1, H, W) with a soft spot at (y, x)."""
    rows, columns = np.indices((size, size))
    spot = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * 2.0**2))
    return torch.from_numpy(spot).float()[None, None]


@pytest.mark.parametrize(
    "draw",
    [
        Draw(angle_deg=25.0),
        Draw(angle_deg=-40.0, scale=1.2),
        Draw(scale=0.7),
        Draw(shift_x_px=6.0, shift_y_px=-4.0),
        Draw(mirror=True),
        Draw(angle_deg=30.0, scale=0.8, shift_x_px=3.0, mirror=True),
        Draw(shear_deg=20.0),
        Draw(angle_deg=-15.0, scale=0.9, stretch_y=1.3, shear_deg=-12.0, shift_y_px=2.0),
    ],
    ids=str,
)
def test_flow_says_how_the_turned_picture_moves(draw: Draw) -> None:
    """A spot moves; the turned flow must be the way that the turned spot moves."""
    before, after = (30.0, 26.0), (33.0, 34.0)
    turned = [apply_geometry(blob(*place), Stream.RGB, draw)[0, 0].numpy() for place in (before, after)]
    (y0, x0), (y1, x1) = (centre_of(picture) for picture in turned)
    flow = torch.zeros(1, 2, 65, 65)
    flow[:, 0], flow[:, 1] = after[1] - before[1], after[0] - before[0]
    turned_flow = apply_geometry(flow, Stream.FLOW, draw)[0, :, 32, 32]
    assert turned_flow.tolist() == pytest.approx([x1 - x0, y1 - y0], abs=0.15)


@pytest.mark.parametrize(
    "draw",
    [
        Draw(angle_deg=25.0, scale=1.2, shift_x_px=3.0, shift_y_px=-4.0),
        Draw(angle_deg=-7.0, shear_deg=9.0),
        Draw(angle_deg=11.0, scale=0.83, shift_y_px=4.7, interpolation="nearest"),
    ],
    ids=str,
)
def test_pixels_move_as_torchvision_moves_them(draw: Draw) -> None:
    frames = torch.rand(2, 3, 21, 34, generator=torch.Generator().manual_seed(0))
    expected = transforms.affine(
        frames,
        angle=draw.angle_deg,
        translate=[draw.shift_x_px, draw.shift_y_px],
        scale=draw.scale,
        shear=[draw.shear_deg, 0.0],
        interpolation=InterpolationMode(draw.interpolation),
    )
    torch.testing.assert_close(apply_geometry(frames, Stream.RGB, draw), expected, atol=1e-4, rtol=1e-4)


def test_width_and_height_can_have_factors_of_their_own() -> None:
    alone = STRONG.model_copy(update={"scale_axes": "apart"})
    heights = []
    for seed in range(300):
        draw, together = draw_of(alone, seed), draw_of(STRONG, seed)
        assert together.stretch_y == 1.0
        assert draw._replace(stretch_y=1.0) == together
        heights.append(draw.scale * draw.stretch_y)
    assert 0.5 <= min(heights) < 0.53
    assert 1.9 < max(heights) <= 2.0
    spot = blob(32.0, 44.0)
    wide = apply_geometry(spot, Stream.RGB, Draw(scale=1.5, stretch_y=0.5))
    assert centre_of(wide[0, 0].numpy()) == pytest.approx((32.0, 50.0), abs=0.1)
    tall = apply_geometry(blob(44.0, 32.0), Stream.RGB, Draw(scale=0.5, stretch_y=3.0))
    assert centre_of(tall[0, 0].numpy()) == pytest.approx((50.0, 32.0), abs=0.1)


def test_the_vertical_shift_and_the_slant_have_bounds_of_their_own() -> None:
    config = STRONG.model_copy(update={"shift_y_fraction": 0.5, "shear_deg": 8.0})
    draws = [draw_of(config, seed) for seed in range(300)]
    for name, bound in (("shift_x_px", 6.0), ("shift_y_px", 20.0), ("shear_deg", 8.0)):
        values = [getattr(draw, name) for draw in draws]
        assert -bound <= min(values) < -0.95 * bound
        assert 0.95 * bound < max(values) <= bound
    assert all(draw_of(STRONG.model_copy(update={"shift_y_fraction": 0.0}), seed).shift_y_px == 0 for seed in range(9))


def test_edges_can_be_held_and_pixels_taken_as_they_are() -> None:
    frames = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)) + 0.5
    held = apply_geometry(frames, Stream.RGB, Draw(shift_x_px=3.0, beyond="edge"))
    torch.testing.assert_close(held[..., :4], frames[..., :1].expand(-1, -1, -1, 4))
    torch.testing.assert_close(held[..., 3:], frames[..., :5])
    black = apply_geometry(frames, Stream.RGB, Draw(shift_x_px=3.0))
    assert black[..., :3].count_nonzero() == 0
    picked = apply_geometry(frames, Stream.RGB, Draw(angle_deg=20.0, interpolation="nearest", beyond="edge"))
    assert set(picked.flatten().tolist()) <= set(frames.flatten().tolist())
    assert draw_of(STRONG.model_copy(update={"interpolation": "nearest", "beyond": "edge"}), 0)[6:8] == (
        "nearest",
        "edge",
    )


def test_a_mirror_negates_flow_along_x_alone_and_exchanges_sides() -> None:
    flow = torch.arange(2 * 2 * 3 * 4, dtype=torch.float32).view(2, 2, 3, 4)
    mirrored = apply_geometry(flow, Stream.FLOW, Draw(mirror=True))
    assert torch.equal(mirrored[:, 0], -flow[:, 0].flip(-1))
    assert torch.equal(mirrored[:, 1], flow[:, 1].flip(-1))
    colour = torch.arange(2 * 3 * 3 * 4, dtype=torch.float32).view(2, 3, 3, 4)
    assert torch.equal(apply_geometry(colour, Stream.RGB, Draw(mirror=True)), colour.flip(-1))


def test_all_frames_are_turned_alike() -> None:
    frames = torch.rand(1, 3, 20, 24).expand(4, -1, -1, -1)
    turned = apply_geometry(frames, Stream.RGB, Draw(angle_deg=10.0, shift_x_px=2.0))
    assert not torch.equal(turned, frames)
    assert all(torch.equal(turned[0], frame) for frame in turned)


def test_a_draw_of_nothing_gives_the_frames_back() -> None:
    frames = torch.rand(2, 3, 8, 8)
    assert torch.equal(apply_geometry(frames, Stream.RGB, Draw()), frames)
    levels = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    assert torch.equal(apply_colour(levels, Draw()), levels.float())


def middling(num_frames: int) -> torch.Tensor:
    """Colours (T, 3, 8, 8) that no change below takes out of range."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(90, 150, (num_frames, 3, 8, 8), dtype=torch.uint8, generator=generator)


def by_torchvision(rgb_TCHW: torch.Tensor, draw: Draw) -> torch.Tensor:
    rgb_TCHW = transforms.adjust_brightness(rgb_TCHW.float() / 255.0, draw.brightness)
    rgb_TCHW = transforms.adjust_contrast(rgb_TCHW, draw.contrast)
    rgb_TCHW = transforms.adjust_saturation(rgb_TCHW, draw.saturation)
    return transforms.adjust_hue(rgb_TCHW, draw.hue) * 255.0


@pytest.mark.parametrize(
    "draw",
    [
        Draw(brightness=1.5),
        Draw(contrast=0.5),
        Draw(contrast=1.3),
        Draw(saturation=0.2),
        Draw(saturation=1.4),
        Draw(hue=1 / 3),
        Draw(hue=-1 / 3),
        Draw(brightness=1.2, contrast=0.7, saturation=1.3, hue=1 / 3),
    ],
    ids=str,
)
def test_colours_are_those_of_torchvision(draw: Draw) -> None:
    """For one frame, within a level, and where the turn of the hue is one of both ways of turning it."""
    frame = middling(1)
    changed = apply_colour(frame, draw)
    assert changed.dtype == torch.float32
    assert torch.allclose(changed, by_torchvision(frame, draw), atol=0.1)


@pytest.mark.parametrize("hue", [-0.1, -0.05, 0.05, 0.1])
def test_a_small_turn_of_the_hue_goes_the_same_way_as_around_the_hexagon(hue: float) -> None:
    frame = middling(1)
    ours, theirs = apply_colour(frame, Draw(hue=hue)), by_torchvision(frame, Draw(hue=hue))
    back = by_torchvision(frame, Draw(hue=-hue))
    assert (ours - theirs).abs().mean() < 0.6 * (ours - back).abs().mean()
    assert torch.allclose(ours.sum(dim=1), frame.float().sum(dim=1), atol=0.1)  # brightness stays


def test_colours_change_alike_in_all_frames() -> None:
    dark, bright = middling(2)[0] // 2, middling(2)[1]
    draw = Draw(brightness=1.1, contrast=0.6, saturation=1.2, hue=0.04)
    mixed = apply_colour(torch.stack([dark, bright, dark]), draw)
    assert torch.equal(mixed[0], mixed[2])
    # About the clip's one grey: contrast halves the step between frames too, as it does within them.
    step = apply_colour(torch.stack([dark, bright]), Draw(contrast=0.5)).mean(dim=(1, 2, 3)).diff()
    assert step.item() == pytest.approx(0.5 * (bright.float().mean() - dark.float().mean()).item(), rel=1e-4)


def test_colours_stay_levels_and_grey_stays_grey() -> None:
    frames = torch.tensor([[0, 0, 0], [255, 255, 255], [255, 0, 0], [30, 200, 250]], dtype=torch.uint8)[..., None, None]
    for draw in (Draw(brightness=1.5), Draw(contrast=1.5), Draw(saturation=2.0), Draw(hue=0.3)):
        changed = apply_colour(frames, draw)
        assert changed.min() >= 0.0
        assert changed.max() <= 255.0
        assert (changed[:2].amax(dim=1) - changed[:2].amin(dim=1)).max() < 0.1
    assert apply_colour(frames, Draw(saturation=0.0))[3, :, 0, 0].tolist() == pytest.approx([154.9] * 3, abs=0.1)


def test_colours_do_not_depend_on_the_number_of_threads() -> None:
    frames = torch.randint(0, 256, (16, 3, 80, 80), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    draw, before = Draw(brightness=1.1, contrast=0.6, saturation=1.2, hue=0.04), torch.get_num_threads()
    made = []
    try:
        for threads in (1, 2, 4):
            torch.set_num_threads(threads)
            made.append(apply_colour(frames, draw))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(made[0], made[1])
    assert torch.equal(made[0], made[2])
