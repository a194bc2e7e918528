"""Round cones into a z-buffer, by the exact intersection of every pixel's ray.

A round cone is what a sphere sweeps whose centre moves along a bone while its radius changes evenly: c(s) = a + s d and
r(s) = r_a + s k for s in 0..1. With the ray p = z v, v = (x, y, 1), depth itself is the unknown. The envelope of the
spheres meets the ray where |z v - a|^2 - r_a^2 = m s^2 with m = d.d - k^2 and s = (z d.v - d.a + k r_a) / m: a
quadratic in z. Its entry gives s; outside 0..1 the surface is that of an end sphere.

Shape letters: T frames, P parts, X the three axes of space, N pixels that show a part, H W pixels.
The camera stands at the origin and looks along +z; x points right, y down; lengths are millimetres.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]
NO_PART = 255
# Elements per block: temporaries of this size stay in a core's second-level cache.
BLOCK_ELEMENTS = 32768


class Material(IntEnum):
    """What a part is made of."""

    SKIN = 0
    FINGERTIP = 1
    PALM = 2
    SLEEVE = 3
    OBJECT = 4


class Camera(NamedTuple):
    """A pinhole camera.

    Args:
        height, width: Size of the picture in pixels.
        focal_px: Focal length in pixels.
    """

    height: int
    width: int
    focal_px: float

    @property
    def center_x(self) -> float:
        """Column of the optical axis; pixel centres have whole numbers."""
        return (self.width - 1) / 2

    @property
    def center_y(self) -> float:
        """Row of the optical axis."""
        return (self.height - 1) / 2

    def rays_x(self) -> Float32Array:
        """Return x of every column's ray at depth 1, shape (W,)."""
        return ((np.arange(self.width) - self.center_x) / self.focal_px).astype(np.float32)

    def rays_y(self) -> Float32Array:
        """Return y of every row's ray at depth 1, shape (H,)."""
        return ((np.arange(self.height) - self.center_y) / self.focal_px).astype(np.float32)


class Parts(NamedTuple):
    """Round cones that move rigidly, each with a frame of its own.

    Args:
        start_TPX: Centres of the first sphere in mm.
        end_TPX: Centres of the last sphere in mm.
        rotation_TPXX: From the part's own axes to the camera's; the part's origin is its first sphere.
        start_radius_P: Radius of the first sphere in mm.
        end_radius_P: Radius of the last sphere in mm.
        material_P: What each part is made of, as `Material`.
    """

    start_TPX: Float32Array
    end_TPX: Float32Array
    rotation_TPXX: Float32Array
    start_radius_P: Float32Array
    end_radius_P: Float32Array
    material_P: npt.NDArray[np.uint8]


class Buffers(NamedTuple):
    """What every pixel shows.

    Args:
        depth_THW: Depth of the nearest surface in mm.
        part_THW: The part it belongs to, or `NO_PART` for the background.
    """

    depth_THW: Float32Array
    part_THW: npt.NDArray[np.uint8]


def rasterise(parts: Parts, *, camera: Camera, background_HW: Float32Array) -> Buffers:
    """Draw the parts in front of a background.

    Args:
        parts: Round cones of T frames, at most 255 of them, all in front of the camera.
        camera: The camera.
        background_HW: Depth behind the parts in mm, the same for all frames.

    Returns:
        Depth and part of every pixel of every frame.
    """
    num_frames = len(parts.start_TPX)
    depth_THW = np.repeat(background_HW[None], num_frames, axis=0)
    buffers = Buffers(depth_THW, np.full(depth_THW.shape, NO_PART, dtype=np.uint8))
    left_TP, right_TP = _extent(parts, axis=0, focal_px=camera.focal_px, center_px=camera.center_x, size=camera.width)
    top_TP, bottom_TP = _extent(parts, axis=1, focal_px=camera.focal_px, center_px=camera.center_y, size=camera.height)
    for part in range(len(parts.material_P)):
        width = int((right_TP[:, part] - left_TP[:, part]).max())
        height = int((bottom_TP[:, part] - top_TP[:, part]).max())
        if width <= 0 or height <= 0:
            continue
        # One box size for all frames turns the whole clip into a few array operations.
        left_T = np.minimum(left_TP[:, part], camera.width - width)
        top_T = np.minimum(top_TP[:, part], camera.height - height)
        step = max(1, BLOCK_ELEMENTS // (width * height))
        for first in range(0, num_frames, step):
            block = slice(first, min(first + step, num_frames))
            columns = left_T[block, None] + np.arange(width)
            rows = top_T[block, None] + np.arange(height)
            _draw(parts, part, block, camera=camera, columns=columns, rows=rows, buffers=buffers)
    return buffers


def _extent(
    parts: Parts, *, axis: int, focal_px: float, center_px: float, size: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the first pixel of every part's box along one axis and the one after its last, clipped to the picture."""
    low, high = [], []
    for center_TPX, radius_P in ((parts.start_TPX, parts.start_radius_P), (parts.end_TPX, parts.end_radius_P)):
        across, away = center_TPX[..., axis], center_TPX[..., 2]
        # The two rays of this plane that touch the sphere.
        middle = np.arctan2(across, away)
        half = np.arcsin(np.minimum(radius_P / np.hypot(across, away), 0.99))
        low.append(np.tan(np.clip(middle - half, -1.5, 1.5)))
        high.append(np.tan(np.clip(middle + half, -1.5, 1.5)))
    first = np.floor(np.minimum(*low) * focal_px + center_px)
    last = np.ceil(np.maximum(*high) * focal_px + center_px) + 1
    return np.clip(first, 0, size).astype(np.int64), np.clip(last, 0, size).astype(np.int64)


def _draw(
    parts: Parts,
    part: int,
    block: slice,
    *,
    camera: Camera,
    columns: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    buffers: Buffers,
) -> None:
    depth_THW = intersect(
        parts.start_TPX[block, part],
        parts.end_TPX[block, part],
        radii=(float(parts.start_radius_P[part]), float(parts.end_radius_P[part])),
        rays_x=camera.rays_x()[columns][:, None, :],
        rays_y=camera.rays_y()[rows][:, :, None],
    )
    frames = np.arange(block.start, block.stop)
    pixel = (frames[:, None, None] * camera.height + rows[:, :, None]) * camera.width + columns[:, None, :]
    hit = np.flatnonzero(depth_THW < np.inf)
    pixel_N, depth_N = pixel.reshape(-1)[hit], depth_THW.reshape(-1)[hit]
    nearest, owner = buffers.depth_THW.reshape(-1), buffers.part_THW.reshape(-1)
    in_front = depth_N < nearest[pixel_N]
    nearest[pixel_N[in_front]] = depth_N[in_front]
    owner[pixel_N[in_front]] = part


def intersect(
    start_TX: Float32Array,
    end_TX: Float32Array,
    *,
    radii: tuple[float, float],
    rays_x: Float32Array,
    rays_y: Float32Array,
) -> Float32Array:
    """Return the depth at which each ray enters a round cone, infinite where it misses.

    Args:
        start_TX: Centre of the first sphere in every frame.
        end_TX: Centre of the last sphere in every frame.
        radii: Radius of the first and of the last sphere; they differ by less than the spheres' distance.
        rays_x: x of the rays at depth 1, shape (T, 1, W).
        rays_y: y of the rays at depth 1, shape (T, H, 1).

    Returns:
        Depth in mm, shape (T, H, W).
    """
    axis_TX = end_TX - start_TX
    radius, growth = radii[0], radii[1] - radii[0]
    a_x, a_y, a_z = (start_TX[:, i, None, None] for i in range(3))
    d_x, d_y, d_z = (axis_TX[:, i, None, None] for i in range(3))
    a_dot_a = a_x * a_x + a_y * a_y + a_z * a_z
    d_dot_d = d_x * d_x + d_y * d_y + d_z * d_z
    a_dot_d = a_x * d_x + a_y * d_y + a_z * d_z
    m = d_dot_d - np.float32(growth * growth)
    offset = np.float32(growth * radius) - a_dot_d

    v_dot_v = rays_x * rays_x + (rays_y * rays_y + 1)
    v_dot_a = rays_x * a_x + (rays_y * a_y + a_z)
    v_dot_d = rays_x * d_x + (rays_y * d_y + d_z)
    with np.errstate(divide="ignore", invalid="ignore"):
        quadratic = v_dot_v - v_dot_d * v_dot_d / m
        linear = v_dot_a + v_dot_d * (offset / m)
        constant = a_dot_a - np.float32(radius * radius) - offset * offset / m
        root = np.sqrt(np.maximum(linear * linear - quadratic * constant, 0))
        # This form of the entry stays exact when the bone points at the camera (quadratic near 0).
        s = (constant / (linear + root) * v_dot_d + offset) / m
        if growth:
            # Beyond the apex lies the cone's mirror image, which is no part of the bone: the other end is meant.
            s = np.where(radius + s * np.float32(growth) < 0, np.float32(growth > 0), s)
        s = np.clip(s, 0, 1)
        center_along = v_dot_a + s * v_dot_d
        reach = radius + s * np.float32(growth)
        outside = a_dot_a + s * (2 * a_dot_d + s * d_dot_d) - reach * reach
        discriminant = center_along * center_along - v_dot_v * outside
        depth = (center_along - np.sqrt(discriminant)) / v_dot_v
        result: Float32Array = np.where(discriminant > 0, depth, np.float32(np.inf))
    return result
