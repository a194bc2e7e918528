"""What cameras add to the exact picture: a little blur, grain, and the faults of depth sensors.

Shape letters: T frames, H W pixels, C colours.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mudra.datasets.synthetic.render import Camera
from mudra.types import UInt8Array, UInt16Array

# The noise tile is larger than the picture by this many pixels: every frame cuts another piece out of it.
TILE_MARGIN = 64
# A drop in depth beyond this is a silhouette, where a sensor loses the surface.
SILHOUETTE_MM = 40
LOST_FRACTION = 0.6
DEPTH_NOISE_MM_AT_1_M = 2.0


@dataclass(frozen=True, kw_only=True)
class Sensor:
    """Blur and noise of one recording's cameras.

    Args:
        blur_px: Standard deviation of the colour camera's blur.
        grain: Standard deviation of the colour noise in levels of 255.
        noise_tile: Normal noise, (H + 64, W + 64, 3).
        offsets: Where successive frames cut their noise out of the tile, (97, 2).
    """

    blur_px: float
    grain: float
    noise_tile: npt.NDArray[np.float32]
    offsets: npt.NDArray[np.int64]

    def expose(self, rgb_THWC: UInt8Array, *, first_frame: int) -> UInt8Array:
        """Return colours as a camera gives them: slightly blurred, with grain."""
        height, width = rgb_THWC.shape[1:3]
        tile = np.rint(self.noise_tile * self.grain).astype(np.int16)
        exposed_THWC = np.empty_like(rgb_THWC)
        for frame, picture in enumerate(rgb_THWC):
            top, left = self._offset(first_frame + frame)
            soft = cv2.GaussianBlur(picture, (3, 3), self.blur_px)
            cv2.add(soft, tile[top : top + height, left : left + width], dst=exposed_THWC[frame], dtype=cv2.CV_8U)
        return exposed_THWC

    def measure(self, depth_THW: UInt16Array, *, first_frame: int) -> UInt16Array:
        """Return depth as a sensor gives it: noise that grows with distance, 0 along silhouettes."""
        height, width = depth_THW.shape[1:]
        measured_THW = np.empty_like(depth_THW)
        corner = np.ones((3, 3), np.uint8)
        for frame, depth in enumerate(depth_THW):
            top, left = self._offset(first_frame + frame)
            noise = self.noise_tile[top : top + height, left : left + width]
            metres = depth.astype(np.float32) * 1e-3
            noisy = depth + DEPTH_NOISE_MM_AT_1_M * metres * metres * noise[..., 0]
            is_edge = depth - cv2.erode(depth, corner) > SILHOUETTE_MM
            is_lost = is_edge & (noise[..., 1] < _NORMAL_QUANTILE)
            measured_THW[frame] = np.where(is_lost, 0, np.rint(noisy))
        return measured_THW

    def _offset(self, frame: int) -> tuple[int, int]:
        top, left = self.offsets[frame % len(self.offsets)]
        return int(top), int(left)


# The value below which a share of LOST_FRACTION of normal noise lies.
_NORMAL_QUANTILE = 0.2533


def sample_sensor(rng: np.random.Generator, *, camera: Camera) -> Sensor:
    """Draw a recording's camera faults."""
    shape = (camera.height + TILE_MARGIN, camera.width + TILE_MARGIN, 3)
    return Sensor(
        blur_px=rng.uniform(0.4, 0.7),
        grain=rng.uniform(1.0, 4.0),
        noise_tile=rng.standard_normal(shape, dtype=np.float32),
        offsets=rng.integers(0, TILE_MARGIN, (97, 2)),
    )
