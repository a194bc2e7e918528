"""Multi-scale corner crops: of a few sizes and at a few places, then scaled to the clip's size.

Source: Wang et al. 2016 (TSN), section 3.1, in the details of the released code that Fan et al. 2021 start from:
height and width are drawn from a list of scales, at most one step of the list apart; a crop lies at one of 13 places.
Differs: height and width are shares of the clip's own height and width; for the square clips of the papers that is the
same. Flow is scaled with the picture.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

from mudra.types import Stream

MAX_STEPS_APART = 1
# Quarters of the free height and width: the corners, the middle, the middles of the sides, and what lies between.
PLACES = (
    *((0, 0), (0, 4), (4, 0), (4, 4), (2, 2)),
    *((2, 0), (2, 4), (4, 2), (0, 2)),
    *((1, 1), (1, 3), (3, 1), (3, 3)),
)


class Crop(NamedTuple):
    """A rectangle in pixels."""

    top: int
    left: int
    height: int
    width: int


def choose_crop(
    frame_size: tuple[int, int], size: tuple[int, int], scales: tuple[float, ...], *, fraction: float
) -> Crop:
    """Return one of all crops.

    Args:
        frame_size: Height and width of the frames, which cover `size`.
        size: Height and width of the clip.
        scales: Sizes of crops as shares of the clip's, largest first.
        fraction: From [0, 1): which of all pairs of scales and places, each of which has an equal part of it.

    Example:
        >>> choose_crop((224, 298), (224, 224), (1.0, 0.875, 0.75, 0.66), fraction=0.0)
        Crop(top=0, left=0, height=224, width=224)
        >>> choose_crop((224, 298), (224, 224), (1.0, 0.875, 0.75, 0.66), fraction=0.999)
        Crop(top=57, left=111, height=147, width=147)
    """
    steps = range(len(scales))
    pairs = [(i, j) for i in steps for j in steps if abs(i - j) <= MAX_STEPS_APART]
    number = min(int(fraction * len(pairs) * len(PLACES)), len(pairs) * len(PLACES) - 1)
    (i, j), (down, right) = pairs[number // len(PLACES)], PLACES[number % len(PLACES)]
    height, width = int(size[0] * scales[i]), int(size[1] * scales[j])
    return Crop(down * ((frame_size[0] - height) // 4), right * ((frame_size[1] - width) // 4), height, width)


def cut_corner(
    x_TCHW: Tensor, stream: Stream, *, size: tuple[int, int], scales: tuple[float, ...], fraction: float
) -> Tensor:
    """Cut one of all crops out of every frame and scale it to the clip's size, bilinearly.

    Args:
        x_TCHW: float frames of one stream; depth as depth times measured share, and measured share.
        stream: Which stream: flow counts pixels, and is scaled with them.
        size: Height and width of the clip.
        scales: Sizes of crops as shares of the clip's, largest first.
        fraction: From [0, 1): which crop, the same for all streams of a clip.
    """
    crop = choose_crop((int(x_TCHW.shape[-2]), int(x_TCHW.shape[-1])), size, scales, fraction=fraction)
    cut_TCHW = x_TCHW[..., crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
    if (crop.height, crop.width) == size:
        return cut_TCHW
    scaled_TCHW: Tensor = transforms.resize(cut_TCHW, list(size), antialias=True)
    if stream is Stream.FLOW:
        scaled_TCHW = scaled_TCHW * torch.tensor([size[1] / crop.width, size[0] / crop.height]).view(1, 2, 1, 1)
    return scaled_TCHW
