"""Measured pixels into a network's input channels: one config per stream.

Colour and flow are shifted and scaled. Depth is not a picture: level 0 says that nothing was measured, and where the
camera stands is chance, so that its own reference is taken away and a second channel says what was measured.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field, PositiveFloat
from torch import Tensor

from mudra.config import Config

# Below this share of measured pixels a mean is taken over too little to be a distance.
MIN_MEASURED = 0.05


class RgbChannels(Config):
    """Three channels: (level - mean) / divisor."""

    mean: tuple[float, float, float] = (114.0, 109.0, 104.0)
    """What is taken away from red, green and blue, in levels of 0 to 255."""
    divisor: tuple[float, float, float] = (64.0, 64.0, 64.0)
    """What the rest is divided by; (1, 1, 1) leaves levels, as Zhang et al. 2018 do."""

    num_channels: Literal[3] = 3
    """Channels that come out."""

    def apply(self, rgb_TCHW: Tensor) -> Tensor:
        """Return float channels from levels of 0 to 255."""
        mean, divisor = (torch.tensor(values).view(1, 3, 1, 1) for values in (self.mean, self.divisor))
        return (rgb_TCHW - mean) / divisor


class RelativeDepthChannels(Config):
    """Two channels: distance from a reference, the clip's own median, and what was measured."""

    kind: Literal["relative"] = "relative"

    scale_mm: PositiveFloat = 100.0
    """How many millimetres from the reference become 1."""
    clip_mm: PositiveFloat = 400.0
    """Further than this from the reference counts as this far."""
    reference_mm: PositiveFloat | None = None
    """The reference; None: the clip's own median. Pieces of one stream share that of the stream."""

    num_channels: Literal[2] = 2
    """Channels that come out."""

    def apply(self, depth_TCHW: Tensor, *, stretch: float = 1.0, offset_mm: float = 0.0) -> Tensor:
        """Return relative depth and measured share.

        Args:
            depth_TCHW: Two channels: depth in millimetres times measured share, and measured share in [0, 1].
            stretch: Factor on distances from the reference, drawn in training.
            offset_mm: Added to these distances, drawn in training.
        """
        measured = depth_TCHW[:, 1:].clamp(0.0, 1.0)
        known = measured > MIN_MEASURED
        depth_mm = depth_TCHW[:, :1] / measured.clamp_min(MIN_MEASURED)
        reference_mm = self.find_reference(depth_TCHW) if self.reference_mm is None else self.reference_mm
        away_mm = (depth_mm - reference_mm) * stretch + offset_mm
        relative = away_mm.clamp(-self.clip_mm, self.clip_mm) / self.scale_mm
        return torch.cat([torch.where(known, relative, 0.0), measured], dim=1)

    def find_reference(self, depth_TCHW: Tensor) -> float:
        """Return the median of what was measured, in millimetres; 0 where nothing was.

        Args:
            depth_TCHW: As `apply` takes it.
        """
        measured = depth_TCHW[:, 1:].clamp(0.0, 1.0)
        depth_mm = depth_TCHW[:, :1] / measured.clamp_min(MIN_MEASURED)
        # Every second row and column is plenty for a median.
        sure = (measured > 0.5)[..., ::2, ::2]
        return float(depth_mm[..., ::2, ::2][sure].median()) if sure.any() else 0.0


class LevelDepthChannels(Config):
    """Grey levels of depth, copied over the channels, less their mean: depth as the papers take it, as a picture."""

    kind: Literal["levels"] = "levels"

    near_mm: float = 0.0
    """Depth that becomes level 0."""
    far_mm: PositiveFloat = 4000.0
    """Depth that becomes level 255."""
    mean: float = 127.0
    """What is taken away from the levels (Zhang et al. 2018: 127)."""
    divisor: PositiveFloat = 1.0
    """What the rest is divided by."""
    num_channels: Annotated[int, Field(ge=1, le=3)] = 3
    """Copies of the one channel."""

    def apply(self, depth_TCHW: Tensor, *, stretch: float = 1.0, offset_mm: float = 0.0) -> Tensor:
        """Return levels; `stretch` scales them about the middle. Nothing measured is level 0."""
        measured = depth_TCHW[:, 1:].clamp(0.0, 1.0)
        depth_mm = depth_TCHW[:, :1] / measured.clamp_min(MIN_MEASURED)
        level = ((depth_mm + offset_mm - self.near_mm) / (self.far_mm - self.near_mm) * 255.0).clamp(0.0, 255.0)
        level = torch.where(measured > MIN_MEASURED, (level - 127.5) * stretch + 127.5, 0.0)
        return ((level - self.mean) / self.divisor).expand(-1, self.num_channels, -1, -1)


AnyDepthChannels = Annotated[RelativeDepthChannels | LevelDepthChannels, Field(discriminator="kind")]


class FlowChannels(Config):
    """Two channels, x and y motion, bounded; a third, on request, for how fast it is."""

    scale_px: PositiveFloat = 4.0
    """How many pixels per frame, in pixels of the clip, become 1."""
    clip_px: PositiveFloat = 20.0
    """Faster than this counts as this fast (Simonyan and Zisserman 2014, arXiv:1406.2199, bound flow alike)."""
    num_channels: Literal[2, 3] = 2
    """Channels that come out; 3 adds the speed, so that a network of colour pictures can go on with flow pictures."""

    def apply(self, flow_TCHW: Tensor) -> Tensor:
        """Return bounded motion from pixels per frame."""
        if self.num_channels == 3:
            speed_TCHW = torch.linalg.vector_norm(flow_TCHW, dim=1, keepdim=True)
            flow_TCHW = torch.cat([flow_TCHW, speed_TCHW], dim=1)
        return flow_TCHW.clamp(-self.clip_px, self.clip_px) / self.scale_px
