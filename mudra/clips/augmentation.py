"""Chance in training: one draw per clip, for all its frames and all its streams.

One draw for streams of different kinds, flow vectors that turn with the picture, depth that is never blended with
pixels where nothing was measured, and colours that change at a fraction of the cost that torchvision's have.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, NamedTuple

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor, nn
from torchvision.transforms.v2 import functional as transforms

from mudra.config import Config
from mudra.types import Stream

Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Range = tuple[PositiveFloat, PositiveFloat]
Turn = tuple[tuple[float, float], tuple[float, float]]  # rows of a matrix on (x, y)
LUMA = torch.tensor([0.2989, 0.587, 0.114], dtype=torch.float64)  # ITU-R BT.601, as torchvision has it


class Augmentation(Config):
    """What chance may do to a training clip. The defaults do nothing."""

    rotation_deg: NonNegativeFloat = 0.0
    """Turn by up to this many degrees, either way."""
    shear_deg: NonNegativeFloat = 0.0
    """Slant upright lines by up to this many degrees, either way."""
    scale: Range = (1.0, 1.0)
    """Enlarge by a factor between these."""
    scale_axes: Literal["together", "apart"] = "together"
    """Whether width and height share that factor, or each has its own."""
    shift_fraction: NonNegativeFloat = 0.0
    """Move by up to this fraction of the clip's size along each axis."""
    shift_y_fraction: NonNegativeFloat | None = None
    """The same for the vertical axis alone; None for `shift_fraction`."""
    interpolation: Literal["bilinear", "nearest"] = "bilinear"
    """Whether pixels between those of the picture are blended of four, or the nearest one is taken."""
    beyond: Literal["black", "edge"] = "black"
    """What moves in from beyond the picture: black (nothing measured, no motion), or its outermost pixels again."""
    brightness: NonNegativeFloat = 0.0
    """Multiply colours by 1 +- up to this."""
    contrast: NonNegativeFloat = 0.0
    """Change the contrast by up to this share."""
    saturation: NonNegativeFloat = 0.0
    """Change the saturation by up to this share."""
    hue: Annotated[float, Field(ge=0.0, le=0.5)] = 0.0
    """Turn the hue by up to this share of the circle."""
    colour_probability: Probability = 1.0
    """Probability that the four above are drawn at all."""
    depth_stretch: Range = (1.0, 1.0)
    """Multiply distances from the clip's reference depth by a factor between these."""
    depth_offset_mm: NonNegativeFloat = 0.0
    """Add up to this, either way, to all distances from the clip's reference depth."""
    mirror_probability: Probability = 0.5
    """Probability that a clip is mirrored, where its labels allow it."""


class Draw(NamedTuple):
    """One clip's share of chance; the defaults change nothing."""

    angle_deg: float = 0.0
    scale: float = 1.0
    shift_x_px: float = 0.0
    shift_y_px: float = 0.0
    shear_deg: float = 0.0
    stretch_y: float = 1.0  # the factor of the height is scale times this
    interpolation: Literal["bilinear", "nearest"] = "bilinear"
    beyond: Literal["black", "edge"] = "black"
    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    hue: float = 0.0
    depth_stretch: float = 1.0
    depth_offset_mm: float = 0.0
    mirror: bool = False
    crop_fraction: float = 0.5


def sample_draw(config: Augmentation, *, size: tuple[int, int], generator: torch.Generator) -> Draw:
    """Draw everything that one clip needs; always as many numbers, so that a change of one setting moves no other."""
    u = torch.rand(15, generator=generator, dtype=torch.float64).tolist()
    coloured = u[4] < config.colour_probability

    def around(value: float, spread: float) -> float:
        return 1.0 + spread * (2.0 * value - 1.0) if coloured else 1.0

    low, high = config.scale
    near, far = config.depth_stretch
    shift_y = config.shift_fraction if config.shift_y_fraction is None else config.shift_y_fraction
    scale_y = u[14] if config.scale_axes == "apart" else u[1]
    return Draw(
        angle_deg=config.rotation_deg * (2.0 * u[0] - 1.0),
        scale=math.exp(math.log(low) + u[1] * math.log(high / low)),
        shift_x_px=config.shift_fraction * size[1] * (2.0 * u[2] - 1.0),
        shift_y_px=shift_y * size[0] * (2.0 * u[3] - 1.0),
        shear_deg=config.shear_deg * (2.0 * u[13] - 1.0),
        stretch_y=math.exp((scale_y - u[1]) * math.log(high / low)),
        interpolation=config.interpolation,
        beyond=config.beyond,
        brightness=max(around(u[5], config.brightness), 0.0),
        contrast=max(around(u[6], config.contrast), 0.0),
        saturation=max(around(u[7], config.saturation), 0.0),
        hue=config.hue * (2.0 * u[8] - 1.0) if coloured else 0.0,
        depth_stretch=near + u[9] * (far - near),
        depth_offset_mm=config.depth_offset_mm * (2.0 * u[12] - 1.0),
        mirror=u[10] < config.mirror_probability,
        crop_fraction=u[11],
    )


def apply_geometry(x_TCHW: Tensor, stream: Stream, draw: Draw) -> Tensor:
    """Turn, slant, scale, move and mirror one stream.

    Args:
        x_TCHW: float; depth as depth times measured share, and measured share, so that blending them and dividing
            later averages over what was measured alone.
        stream: Which stream: flow vectors change with the picture.
        draw: The clip's draw.
    """
    turn = _turn_of(draw)
    if turn != ((1.0, 0.0), (0.0, 1.0)) or (draw.shift_x_px, draw.shift_y_px) != (0.0, 0.0):
        x_TCHW = _move_pixels(x_TCHW, turn, draw)
        if stream is Stream.FLOW:
            x_TCHW = _turn_vectors(x_TCHW, turn)
    if draw.mirror:
        x_TCHW = transforms.horizontal_flip(x_TCHW)
        if stream is Stream.FLOW:
            x_TCHW = torch.cat([-x_TCHW[:, :1], x_TCHW[:, 1:]], dim=1)
    return x_TCHW


def _turn_of(draw: Draw) -> Turn:
    """Return what becomes of the way from the middle to a pixel (x, y): scaled, then slanted, then turned.

    As torchvision's, a positive angle turns clockwise on the screen, where y points down.
    """
    cosine, sine = math.cos(math.radians(draw.angle_deg)), math.sin(math.radians(draw.angle_deg))
    slant = -math.tan(math.radians(draw.shear_deg))
    scale_x, scale_y = draw.scale, draw.scale * draw.stretch_y
    return (
        (cosine * scale_x, (cosine * slant - sine) * scale_y),
        (sine * scale_x, (sine * slant + cosine) * scale_y),
    )


def _move_pixels(x_TCHW: Tensor, turn: Turn, draw: Draw) -> Tensor:
    (a, b), (c, d) = turn
    height, width = x_TCHW.shape[-2:]
    scale = 1.0 / (a * d - b * c)
    # Where a pixel of the result comes from, in halves of the picture.
    back = torch.tensor([[d, -b * height / width], [-c * width / height, a]], dtype=torch.float64) * scale
    shift = torch.tensor([draw.shift_x_px * 2.0 / width, draw.shift_y_px * 2.0 / height], dtype=torch.float64)
    theta_1RC = torch.cat([back, -(back @ shift)[:, None]], dim=1)[None].to(x_TCHW.dtype)
    # All frames as channels of one picture: the sampling grid is then computed once, not once per frame.
    picture_1NHW = x_TCHW.flatten(0, 1)[None]
    grid = nn.functional.affine_grid(theta_1RC, list(picture_1NHW.shape), align_corners=False)
    padding = "border" if draw.beyond == "edge" else "zeros"
    moved = nn.functional.grid_sample(
        picture_1NHW, grid, mode=draw.interpolation, padding_mode=padding, align_corners=False
    )
    return moved.view_as(x_TCHW)


def _turn_vectors(flow_TCHW: Tensor, turn: Turn) -> Tensor:
    (a, b), (c, d) = turn
    x, y = flow_TCHW[:, :1], flow_TCHW[:, 1:]
    return torch.cat([a * x + b * y, c * x + d * y], dim=1)


def apply_colour(rgb_TCHW: Tensor, draw: Draw) -> Tensor:
    """Change brightness, contrast, saturation and hue of colour frames, alike in all frames.

    All four are one matrix on a pixel's three channels: torchvision's, in its order, but for three things. Contrast
    spreads about the grey of the whole clip, so that frames do not flicker; nothing is clamped in between; and hue
    turns about the grey axis of the colour cube instead of around HSV's hexagon. The two agree at every third of the
    circle, and the way to HSV and back takes most of the time that a clip does.

    Args:
        rgb_TCHW: Three channels, 0 to 255, uint8.
        draw: The clip's draw.

    Returns:
        float32, clamped to 0 to 255.
    """
    if (draw.brightness, draw.contrast, draw.saturation, draw.hue) == (1.0, 1.0, 1.0, 0.0):
        return rgb_TCHW.float()
    # Whole numbers add up to the same sum whatever the number of threads.
    mean_C = rgb_TCHW.sum(dim=(0, 2, 3)).double() * (rgb_TCHW.shape[1] / rgb_TCHW.numel())
    middle = (1.0 - draw.contrast) * draw.brightness * float(LUMA @ mean_C)
    mixing = draw.contrast * draw.brightness * _turn_hue(draw.hue) @ _saturate(draw.saturation)
    mixed = torch.matmul(mixing.float(), rgb_TCHW.flatten(2).float())
    return mixed.add_(middle).clamp_(0.0, 255.0).view_as(rgb_TCHW)


def _saturate(factor: float) -> Tensor:
    """Return the matrix that moves a colour from its grey by `factor`."""
    return factor * torch.eye(3, dtype=torch.float64) + (1.0 - factor) * LUMA.expand(3, 3)


def _turn_hue(share: float) -> Tensor:
    """Return the turn about the grey axis by this share of the circle, from red towards green."""
    along, across = math.cos(math.tau * share), math.sin(math.tau * share) / math.sqrt(3.0)
    one, two, three = (1.0 + 2.0 * along) / 3.0, (1.0 - along) / 3.0 - across, (1.0 - along) / 3.0 + across
    return torch.tensor([[one, two, three], [three, one, two], [two, three, one]], dtype=torch.float64)
