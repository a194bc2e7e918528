"""A plain U-Net on every frame, to compare decoders with.

Source: Ronneberger et al. 2015, arXiv:1505.04597, figure 1.
Differs: convolutions are padded and normalised, so that the picture keeps its size; widths are an argument; one channel
comes out, through a sigmoid, as from the multi-scale decoder.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

NUM_LEVELS = 5


class UNet(nn.Module):
    """clip_BTCHW into mask_BTHW.

    Args:
        in_channels: Channels of the clip (C).
        width: Channels of the first level; each of five levels has twice those of the one above.
    """

    def __init__(self, *, in_channels: int, width: int) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(NUM_LEVELS)]
        self.down = nn.ModuleList(_convolve(a, b) for a, b in zip([in_channels, *widths], widths, strict=False))
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.widen = nn.ModuleList(nn.ConvTranspose2d(deep, shallow, 2, stride=2) for deep, shallow in pairs)
        self.up = nn.ModuleList(_convolve(2 * shallow, shallow) for _, shallow in pairs)
        self.last = nn.Conv2d(width, 1, 1)

    def forward(self, clip_BTCHW: Tensor) -> Tensor:
        x_BCHW = clip_BTCHW.flatten(0, 1)
        passed = []
        for level, convolve in enumerate(self.down):
            x_BCHW = convolve(x_BCHW if level == 0 else nn.functional.max_pool2d(x_BCHW, 2))
            passed.append(x_BCHW)
        for widen, convolve, across in zip(self.widen, self.up, passed[-2::-1], strict=True):
            x_BCHW = convolve(torch.cat([across, widen(x_BCHW)], dim=1))
        mask_BHW: Tensor = self.last(x_BCHW)[:, 0].sigmoid()
        return mask_BHW.view(*clip_BTCHW.shape[:2], *mask_BHW.shape[-2:])


def _convolve(in_channels: int, out_channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before in (in_channels, out_channels):
        layers += [nn.Conv2d(before, out_channels, 3, padding=1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU()]
    return nn.Sequential(*layers)
