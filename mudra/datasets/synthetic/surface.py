"""What is known of every pixel that shows a part: the point, its normal, its colour and its true flow.

Shape letters: T frames, P parts, X axes of space, C colours, N pixels that show a part (all frames in one row).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mudra.datasets.synthetic.render import NO_PART, Buffers, Camera, Float32Array, Material, Parts
from mudra.datasets.synthetic.subject import Subject

HAND_MATERIALS = (Material.SKIN, Material.FINGERTIP, Material.PALM)
GRAIN_CELLS = 128
# Strength of the grain and its cells per mm, by material.
GRAIN = {
    Material.SKIN: (0.04, 0.4),
    Material.FINGERTIP: (0.04, 0.4),
    Material.PALM: (0.05, 0.3),
    Material.SLEEVE: (0.1, 0.25),
    Material.OBJECT: (0.25, 0.12),
}
PALM_SIDE_LIGHTER_FRACTION = 0.14
STRIPE_DARKER_FRACTION = 0.35
NAIL_RGB = np.array([238.0, 196.0, 188.0], dtype=np.float32)


class Surface(NamedTuple):
    """The pixels that show a part.

    Args:
        pixel_N: Positions in the flattened (T, H, W) pictures.
        slot_N: Positions in the flattened (T, P) parts.
        part_N: The parts.
        ray_NX: The pixels' rays at depth 1.
        local_NX: The points in their part's own axes, in mm.
        normal_NX: Outward normals in the camera's axes.
    """

    pixel_N: npt.NDArray[np.int64]
    slot_N: npt.NDArray[np.int64]
    part_N: npt.NDArray[np.int64]
    ray_NX: Float32Array
    local_NX: Float32Array
    normal_NX: Float32Array


def find_surface(buffers: Buffers, *, parts: Parts, camera: Camera) -> Surface:
    """Collect point and normal of every pixel that shows a part.

    Args:
        buffers: What `rasterise` drew.
        parts: The parts that it drew; frames beyond the drawn ones are ignored.
        camera: The camera.
    """
    owner = buffers.part_THW.reshape(-1)
    pixel_N = np.flatnonzero(owner != NO_PART)
    part_N = owner[pixel_N].astype(np.int64)
    frame_N, in_frame_N = np.divmod(pixel_N, camera.height * camera.width)
    row_N, column_N = np.divmod(in_frame_N, camera.width)
    slot_N = frame_N * len(parts.material_P) + part_N
    ray_NX = np.ones((len(pixel_N), 3), dtype=np.float32)
    ray_NX[:, 0], ray_NX[:, 1] = camera.rays_x()[column_N], camera.rays_y()[row_N]
    start_NX = parts.start_TPX.reshape(-1, 3)[slot_N]
    offset_NX = ray_NX * buffers.depth_THW.reshape(-1)[pixel_N, None] - start_NX
    return Surface(
        pixel_N,
        slot_N,
        part_N,
        ray_NX,
        _rotate(parts.rotation_TPXX, slot_N, offset_NX, inverse=True),
        _normals(parts, slot_N, part_N, offset_NX),
    )


def _normals(
    parts: Parts, slot_N: npt.NDArray[np.int64], part_N: npt.NDArray[np.int64], offset_NX: Float32Array
) -> Float32Array:
    axis_TPX = parts.end_TPX - parts.start_TPX
    growth_P = parts.end_radius_P - parts.start_radius_P
    m_TP = (axis_TPX * axis_TPX).sum(axis=-1) - growth_P * growth_P
    axis_NX = axis_TPX.reshape(-1, 3)[slot_N]
    s_N = np.einsum("nx,nx->n", axis_NX, offset_NX) + (growth_P * parts.start_radius_P)[part_N]
    s_N = np.clip(s_N / m_TP.reshape(-1)[slot_N], 0, 1)
    normal_NX: Float32Array = offset_NX - s_N[:, None] * axis_NX
    normal_NX /= (parts.start_radius_P[part_N] + s_N * growth_P[part_N])[:, None]
    return normal_NX


def _rotate(
    rotation_TPXX: Float32Array, slot_N: npt.NDArray[np.int64], vector_NX: Float32Array, *, inverse: bool = False
) -> Float32Array:
    matrix_NXX = rotation_TPXX.reshape(-1, 3, 3)[slot_N]
    rotated: Float32Array = np.einsum("nyx,ny->nx" if inverse else "nxy,ny->nx", matrix_NXX, vector_NX)
    return rotated


def flow_of(surface: Surface, *, depth_N: Float32Array, parts: Parts, camera: Camera) -> Float32Array:
    """Return where every surface point goes until the next frame, in pixels.

    Args:
        surface: The pixels of T frames.
        depth_N: Their depths in mm.
        parts: Parts of T + 1 frames.
        camera: The camera.

    Returns:
        Displacement right and down, shape (N, 2).
    """
    next_N = surface.slot_N + len(parts.material_P)
    later_NX = _rotate(parts.rotation_TPXX, next_N, surface.local_NX) + parts.start_TPX.reshape(-1, 3)[next_N]
    return np.float32(camera.focal_px) * (later_NX[:, :2] / later_NX[:, 2:] - surface.ray_NX[:, :2])


def shade(
    surface: Surface, *, parts: Parts, subject: Subject, object_rgb_PC: Float32Array, grain_HW: Float32Array
) -> Float32Array:
    """Return the colour of every surface pixel.

    Args:
        surface: The pixels.
        parts: The parts.
        subject: Skin, sleeve and light.
        object_rgb_PC: Colour of the parts that are objects; other rows are not looked at.
        grain_HW: Noise around 0 with a spread of 1 that roughens all colours, (128, 128).

    Returns:
        Colours in 0..255, shape (N, 3), not yet clipped.
    """
    material_N = parts.material_P[surface.part_N]
    colour_PC = _albedo(parts, subject, object_rgb_PC)
    colour_NC = colour_PC[surface.part_N]
    _paint_nails(colour_NC, surface, material_N, parts)
    view = subject.view
    light_N = np.maximum(surface.normal_NX @ np.array(view.light, dtype=np.float32), 0)
    brightness_N = np.float32(view.ambient_fraction) + np.float32(1.05 - view.ambient_fraction) * light_N
    brightness_N *= 1 + _grain(surface, material_N, grain_HW) + _stripes(surface, material_N, subject)
    # The palm's side of a hand is paler than its back.
    inner_N = np.isin(material_N, (Material.SKIN, Material.PALM)) & (surface.local_NX[:, 2] < 0)
    brightness_N[inner_N] *= 1 + PALM_SIDE_LIGHTER_FRACTION
    # Surfaces that turn away from the camera darken, which sets fingers off against each other.
    facing_N = -np.einsum("nx,nx->n", surface.normal_NX, surface.ray_NX)
    brightness_N *= np.float32(0.68) + np.float32(0.32) * np.clip(facing_N, 0, 1)
    colour_NC *= brightness_N[:, None]
    return colour_NC


def _albedo(parts: Parts, subject: Subject, object_rgb_PC: Float32Array) -> Float32Array:
    colour_PC = object_rgb_PC.copy()
    colour_PC[np.isin(parts.material_P, HAND_MATERIALS)] = subject.look.skin_rgb
    colour_PC[parts.material_P == Material.SLEEVE] = subject.look.sleeve_rgb
    return colour_PC


def _paint_nails(colour_NC: Float32Array, surface: Surface, material_N: npt.NDArray[np.uint8], parts: Parts) -> None:
    at_tip = np.flatnonzero(material_N == Material.FINGERTIP)
    part_N = surface.part_N[at_tip]
    axis_PX = parts.end_TPX[0] - parts.start_TPX[0]
    length_N = np.linalg.norm(axis_PX, axis=-1)[part_N]
    radius_N = parts.end_radius_P[part_N]
    local_NX = surface.local_NX[at_tip]
    on_nail_N = (
        (local_NX[:, 2] > 0.45 * radius_N)
        & (np.abs(local_NX[:, 0]) < 0.75 * radius_N)
        & (np.abs(local_NX[:, 1] + length_N) < 0.85 * radius_N)
    )
    nails = at_tip[on_nail_N]
    colour_NC[nails] = 0.45 * colour_NC[nails] + 0.55 * NAIL_RGB


def _grain(surface: Surface, material_N: npt.NDArray[np.uint8], grain_HW: Float32Array) -> Float32Array:
    table = np.array([GRAIN[material] for material in Material], dtype=np.float32)
    strength_N, cells_per_mm_N = table[material_N].T
    local_NX = surface.local_NX
    # Every part reads another place of the grain; the two sums keep all three axes visible.
    across_N = ((local_NX[:, 0] + local_NX[:, 2]) * cells_per_mm_N).astype(np.int64) + 37 * surface.part_N
    along_N = ((local_NX[:, 1] + 0.5 * local_NX[:, 2]) * cells_per_mm_N).astype(np.int64)
    value: Float32Array = grain_HW[along_N % GRAIN_CELLS, across_N % GRAIN_CELLS] * strength_N
    return value


def _stripes(surface: Surface, material_N: npt.NDArray[np.uint8], subject: Subject) -> Float32Array | float:
    if not subject.look.stripes_per_mm:
        return 0.0
    phase_N = surface.local_NX[:, 1] * np.float32(subject.look.stripes_per_mm)
    dark = np.float32(STRIPE_DARKER_FRACTION)
    striped: Float32Array = -dark * ((material_N == Material.SLEEVE) & (phase_N % 1 < 0.5))
    return striped
