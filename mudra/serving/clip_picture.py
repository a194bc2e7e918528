"""Clips and original frames made visible, and heat laid over them.

Depth is grey, near as white, and black where nothing was measured: the magenta that `figure` gives to holes would be
taken for heat.
"""

from __future__ import annotations

import cv2
import matplotlib
import numpy as np
import numpy.typing as npt
from torch import Tensor

from mudra.clips import ClipSpec, RelativeDepthChannels
from mudra.serving.figure import DARKEST_GREY, RANGE_PERCENTILES, draw_frames
from mudra.types import FloatArray, Stream, UInt8Array

HEAT_COLOURS = "turbo"
STRONGEST_COVER = 0.75  # even where heat is greatest, the picture below must be seen
PICTURE_SHARE = 0.8  # the picture's own brightness under heat


def draw_clip(clip_TCHW: Tensor, spec: ClipSpec) -> dict[Stream, UInt8Array]:
    """Return what the network saw, stream by stream: its channels as a picture again.

    Args:
        clip_TCHW: Channels of all streams, as `ClipMaker` makes them.
        spec: How they were made.

    Returns:
        uint8 RGB of shape (T, H, W, 3) for each stream, in the order of the channels.
    """
    pictures, first = {}, 0
    for stream in spec.streams:
        last = first + spec.channels_of(stream)
        x_THWC = clip_TCHW[:, first:last].permute(0, 2, 3, 1).double().cpu().numpy()
        pictures[stream] = _draw_stream(x_THWC, stream, spec)
        first = last
    return pictures


def draw_original(
    frames_THWC: npt.NDArray[np.generic], *, scale_from: npt.NDArray[np.generic] | None = None
) -> UInt8Array:
    """Return original frames as pictures: colour as it is, depth in grey.

    Args:
        frames_THWC: uint8 RGB, or uint16 depth in millimetres.
        scale_from: Depth frames whose nearest and farthest points become white and dark grey, so that pieces of one
            recording are drawn alike; None for the frames themselves.

    Example:
        >>> depth_mm = np.array([[[[400], [0], [800]]]], np.uint16)
        >>> draw_original(depth_mm)[0, 0, :, 0].tolist()
        [255, 0, 40]
    """
    if frames_THWC.dtype == np.uint8:
        return frames_THWC.astype(np.uint8, copy=False)
    depth_THW = frames_THWC[..., 0].astype(np.float64)
    reference = depth_THW if scale_from is None else scale_from[..., 0].astype(np.float64)
    measured = reference[reference > 0]
    near_mm, far_mm = np.percentile(measured, RANGE_PERCENTILES) if len(measured) else (0.0, 0.0)
    nearness_THW = ((far_mm - depth_THW) / max(far_mm - near_mm, 1.0)).clip(0.0, 1.0)
    return _as_grey(nearness_THW, is_measured=depth_THW > 0)


def lay_heat(picture_HWC: UInt8Array, heat_HW: FloatArray) -> UInt8Array:
    """Return a picture in grey under heat: the hotter, the more colour and the less picture.

    Args:
        picture_HWC: uint8 RGB.
        heat_HW: From 0 to 1, of any size: it is stretched over the picture, smoothly.

    Example:
        >>> lay_heat(np.full((8, 8, 3), 100, np.uint8), np.zeros((2, 2)))[0, 0].tolist()
        [80, 80, 80]
    """
    height, width = picture_HWC.shape[:2]
    heat_HW = np.clip(cv2.resize(heat_HW, (width, height), interpolation=cv2.INTER_LINEAR), 0.0, 1.0)
    colour_HWC = matplotlib.colormaps[HEAT_COLOURS](heat_HW)[..., :3] * 255.0
    grey_HW = cv2.cvtColor(picture_HWC, cv2.COLOR_RGB2GRAY) * PICTURE_SHARE
    cover_HWC = STRONGEST_COVER * heat_HW[..., None]
    return _as_levels((1.0 - cover_HWC) * grey_HW[..., None] + cover_HWC * colour_HWC)


def _draw_stream(x_THWC: FloatArray, stream: Stream, spec: ClipSpec) -> UInt8Array:
    if stream is Stream.RGB:
        return _as_levels(x_THWC * np.asarray(spec.rgb.divisor) + np.asarray(spec.rgb.mean))
    if stream is Stream.FLOW:
        return draw_frames(x_THWC[..., :2] * spec.flow.scale_px)
    if isinstance(spec.depth, RelativeDepthChannels):
        reach = spec.depth.clip_mm / spec.depth.scale_mm
        return _as_grey((reach - x_THWC[..., 0]) / (2.0 * reach), is_measured=x_THWC[..., 1] > 0.5)
    # Levels are a picture already, as the papers take it; level 0 says that nothing was measured.
    return _as_levels(np.repeat(x_THWC[..., :1] * spec.depth.divisor + spec.depth.mean, 3, axis=3))


def _as_grey(nearness_THW: FloatArray, *, is_measured: npt.NDArray[np.bool_]) -> UInt8Array:
    grey_THW = (DARKEST_GREY + nearness_THW * (255 - DARKEST_GREY)) * is_measured
    return _as_levels(np.repeat(grey_THW[..., None], 3, axis=3))


def _as_levels(x: FloatArray) -> UInt8Array:
    return np.asarray(x.round().clip(0, 255), dtype=np.uint8)
