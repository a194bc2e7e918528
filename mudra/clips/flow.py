"""Optical flow between neighbouring frames, computed on the way.

Source: dense inverse search, Kroeger et al. 2016, arXiv:1603.03590, as OpenCV has it.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from mudra.errors import ClipError

FlowQuality = Literal["ultrafast", "fast", "medium"]

# The search's patches do not fit into less.
MIN_SIDE_PX = 12

_PRESETS = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}


def compute_flow(
    from_THW: npt.NDArray[np.uint8], to_THW: npt.NDArray[np.uint8], *, quality: FlowQuality = "fast"
) -> npt.NDArray[np.float32]:
    """Return how far every pixel of each first picture has moved in its second one.

    Args:
        from_THW: Grey pictures, at least 12 pixels high and wide.
        to_THW: The pictures that follow them, one each.
        quality: Preset of the search.

    Returns:
        Flow in pixels, x right and y down, shape (T, H, W, 2), float32.

    Raises:
        ClipError: If the pictures are too small for the search.

    Example:
        >>> still = np.zeros((3, 16, 20), np.uint8)
        >>> compute_flow(still, still).shape
        (3, 16, 20, 2)
    """
    height, width = from_THW.shape[1:]
    if min(height, width) < MIN_SIDE_PX:
        raise ClipError(
            f"flow was asked of pictures of {width}x{height} pixels",
            hint=f"make the clip's size at least {MIN_SIDE_PX}x{MIN_SIDE_PX}",
        )
    search = cv2.DISOpticalFlow.create(_PRESETS[quality])
    return np.stack([search.calc(before, after, None) for before, after in zip(from_THW, to_THW, strict=True)])
