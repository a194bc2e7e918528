"""Depth that a network learns instead of seeing: a picture in [0, 1] beside the clip, and what of it was measured.

Source: Fan et al. 2021, sections III-C and IV-B: grey levels of depth divided by 255, cropped as the colour is.
Differs: readers give millimetres, so that two bounds say which depth is level 0 and which is level 255. For 8-bit
recordings of unknown unit, whose levels the readers spread over four metres, the default bounds give back level / 255.
Pixels without a measurement are told apart from dark ones.

    depth = (mm - near_mm) / (far_mm - near_mm), kept within [0, 1]; reversed: 1 - depth
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from pydantic import NonNegativeFloat, PositiveFloat, model_validator
from torch import Tensor

from mudra.clips.channels import MIN_MEASURED
from mudra.config import Config


class TargetMaps(NamedTuple):
    """Depth to learn.

    Args:
        depth_THW: Depth in [0, 1]; 0 where nothing was measured.
        measured_THW: Share of every pixel that was measured, in [0, 1].
    """

    depth_THW: Tensor
    measured_THW: Tensor


class DepthTarget(Config):
    """Depth that a decoder learns in training, beside what the network sees."""

    near_mm: NonNegativeFloat = 0.0
    """Depth in millimetres that becomes 0; nearer counts as this near."""
    far_mm: PositiveFloat = 4000.0
    """Depth in millimetres that becomes 1; further counts as this far."""
    reversed: bool = False
    """Whether near is 1 and far is 0."""

    @model_validator(mode="after")
    def _check_bounds(self) -> DepthTarget:
        if self.far_mm <= self.near_mm:
            raise ValueError(
                f"far_mm={self.far_mm:g} is not beyond near_mm={self.near_mm:g}: swap them; near is bright with "
                "reversed=true"
            )
        return self

    def apply(self, depth_TCHW: Tensor) -> TargetMaps:
        """Return what is to be learned.

        Args:
            depth_TCHW: Two channels: depth in millimetres times measured share, and measured share in [0, 1].

        Example:
            >>> seen = torch.tensor([[1000.0, 1.0], [500.0, 0.5], [0.0, 0.0]]).view(3, 2, 1, 1)
            >>> maps = DepthTarget(reversed=True).apply(seen)
            >>> maps.depth_THW.flatten().tolist(), maps.measured_THW.flatten().tolist()
            ([0.75, 0.75, 0.0], [1.0, 0.5, 0.0])
        """
        measured_THW = depth_TCHW[:, 1].clamp(0.0, 1.0)
        depth_mm = depth_TCHW[:, 0] / measured_THW.clamp_min(MIN_MEASURED)
        depth_THW = ((depth_mm - self.near_mm) / (self.far_mm - self.near_mm)).clamp(0.0, 1.0)
        if self.reversed:
            depth_THW = 1.0 - depth_THW
        known = measured_THW > MIN_MEASURED
        return TargetMaps(torch.where(known, depth_THW, 0.0), torch.where(known, measured_THW, 0.0))


def no_target(num_frames: int, size: tuple[int, int]) -> TargetMaps:
    """Return the target of a recording without depth: nothing was measured anywhere."""
    nothing_THW = torch.zeros(num_frames, *size)
    return TargetMaps(nothing_THW, nothing_THW.clone())
