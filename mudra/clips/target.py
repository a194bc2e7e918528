"""Depth that a network learns instead of seeing: a picture in [0, 1] beside the clip, and what of it was measured.

Source: Fan et al. 2021, sections III-C and IV-B: grey levels of depth divided by 255, cropped as the colour is.
Differs: readers give millimetres, so that two bounds say which depth is level 0 and which is level 255. For 8-bit
recordings of unknown unit, whose levels the readers spread over four metres, the default bounds give back level / 255.
What is learned of pixels without a measurement is a choice: where 8-bit recordings show near things bright, level 0 is
also the background, which the paper learns as such.

    depth = (mm - near_mm) / (far_mm - near_mm), kept within [0, 1]; reversed: 1 - depth
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from pydantic import NonNegativeFloat, PositiveFloat, model_validator
from torch import Tensor

from mudra.clips.channels import MIN_MEASURED
from mudra.config import Config

MissingDepth = Literal["left_out", "zero"]


class TargetMaps(NamedTuple):
    """Depth to learn.

    Args:
        depth_THW: Depth in [0, 1]; 0 where nothing was measured.
        measured_THW: Share of every pixel that counts, in [0, 1]: what was measured, or, where missing depth is
            learned as zero, all of every frame that has any depth.
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
    missing: MissingDepth = "left_out"
    """Pixels without a measurement, in frames that have some: `left_out` of the loss, for sensors that leave holes and
    shadows; `zero`: learned as 0, and so is what lies over a turned frame's edge, for recordings whose level 0 is the
    background. Frames without any measurement, and recordings without depth, are left out either way."""

    @model_validator(mode="after")
    def _check_bounds(self) -> DepthTarget:
        if self.far_mm <= self.near_mm:
            raise ValueError(
                f"far_mm={self.far_mm:g} is not beyond near_mm={self.near_mm:g}: swap them; near is bright with "
                "reversed=true"
            )
        return self

    def apply(self, depth_TCHW: Tensor, *, has_depth_T: Tensor | None = None) -> TargetMaps:
        """Return what is to be learned.

        Args:
            depth_TCHW: Two channels: depth in millimetres times measured share, and measured share in [0, 1].
            has_depth_T: Whether anything was measured in each frame, where this is but a crop of it; None to look here.

        Example:
            >>> seen = torch.tensor([[1000.0, 1.0], [500.0, 0.5], [0.0, 0.0]]).view(3, 2, 1, 1)
            >>> maps = DepthTarget(reversed=True).apply(seen)
            >>> maps.depth_THW.flatten().tolist(), maps.measured_THW.flatten().tolist()
            ([0.75, 0.75, 0.0], [1.0, 0.5, 0.0])
            >>> maps = DepthTarget(missing="zero").apply(seen)  # half of the second frame's pixel is background
            >>> maps.depth_THW.flatten().tolist(), maps.measured_THW.flatten().tolist()
            ([0.25, 0.125, 0.0], [1.0, 1.0, 0.0])
        """
        measured_THW = depth_TCHW[:, 1].clamp(0.0, 1.0)
        depth_mm = depth_TCHW[:, 0] / measured_THW.clamp_min(MIN_MEASURED)
        depth_THW = ((depth_mm - self.near_mm) / (self.far_mm - self.near_mm)).clamp(0.0, 1.0)
        if self.reversed:
            depth_THW = 1.0 - depth_THW
        known = measured_THW > MIN_MEASURED
        maps = TargetMaps(torch.where(known, depth_THW, 0.0), torch.where(known, measured_THW, 0.0))
        if self.missing == "left_out":
            return maps
        return _count_missing(maps, find_depth(depth_TCHW) if has_depth_T is None else has_depth_T)


def find_depth(depth_TCHW: Tensor) -> Tensor:
    """Return for each frame whether anything of it was measured, shape (T,)."""
    return depth_TCHW[:, 1].flatten(1).gt(0).any(dim=1)


def _count_missing(maps: TargetMaps, has_depth_T: Tensor) -> TargetMaps:
    """Blend depth with zero by as much as was not measured, as a picture's levels are, and let all of it count."""
    measured_THW = has_depth_T.to(maps.measured_THW.dtype)[:, None, None].expand_as(maps.measured_THW)
    return TargetMaps(maps.depth_THW * maps.measured_THW, measured_THW.contiguous())


def no_target(num_frames: int, size: tuple[int, int]) -> TargetMaps:
    """Return the target of a recording without depth: nothing was measured anywhere."""
    nothing_THW = torch.zeros(num_frames, *size)
    return TargetMaps(nothing_THW, nothing_THW.clone())
