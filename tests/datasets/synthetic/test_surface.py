"""Surface points, normals, flow and colour, checked against single points worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mudra.datasets.synthetic import subject_of
from mudra.datasets.synthetic.hand import turn
from mudra.datasets.synthetic.render import Buffers, Camera, Float32Array, Material, Parts, rasterise
from mudra.datasets.synthetic.surface import GRAIN_CELLS, Surface, find_surface, flow_of, shade

CAMERA = Camera(height=80, width=96, focal_px=80.0)
BACKGROUND = np.full((80, 96), 1500.0, dtype=np.float32)
NO_GRAIN = np.zeros((GRAIN_CELLS, GRAIN_CELLS), dtype=np.float32)


def moving_parts(materials: tuple[Material, ...] = (Material.SKIN, Material.SLEEVE)) -> Parts:
    """Two bones in three frames that move and turn, each rigid in its own frame."""
    rng = np.random.default_rng(3)
    axis_PX = np.array([(0.0, -80.0, 10.0), (60.0, 20.0, 0.0)])
    start_TPX = np.array([(-40.0, 40.0, 400.0), (20.0, 10.0, 500.0)]) + np.cumsum(rng.normal(0, 6, (3, 2, 3)), axis=0)
    angles = np.cumsum(rng.normal(0, 8, (3, 3, 2)), axis=0)
    rotation = turn(angles[:, 0], 0) @ turn(angles[:, 1], 1) @ turn(angles[:, 2], 2)
    end_TPX = start_TPX + np.einsum("tpxy,py->tpx", rotation, axis_PX)
    return Parts(
        start_TPX.astype(np.float32),
        end_TPX.astype(np.float32),
        rotation.astype(np.float32),
        np.array([25.0, 30.0], dtype=np.float32),
        np.array([15.0, 30.0], dtype=np.float32),
        np.array(materials, dtype=np.uint8),
    )


def first(parts: Parts, count: int) -> Parts:
    return Parts(parts.start_TPX[:count], parts.end_TPX[:count], parts.rotation_TPXX[:count], *parts[3:])


def drawn(parts: Parts) -> tuple[Buffers, Surface]:
    buffers = rasterise(parts, camera=CAMERA, background_HW=BACKGROUND)
    return buffers, find_surface(buffers, parts=parts, camera=CAMERA)


def test_local_points_lead_back_to_the_pixels() -> None:
    parts = moving_parts()
    buffers, surface = drawn(parts)
    assert len(surface.pixel_N) == (buffers.part_THW != 255).sum() > 400
    for n in range(0, len(surface.pixel_N), 37):
        frame, row, column = np.unravel_index(surface.pixel_N[n], buffers.depth_THW.shape)
        part = buffers.part_THW[frame, row, column]
        point = parts.rotation_TPXX[frame, part] @ surface.local_NX[n] + parts.start_TPX[frame, part]
        assert CAMERA.focal_px * point[0] / point[2] + CAMERA.center_x == pytest.approx(column, abs=1e-2)
        assert CAMERA.focal_px * point[1] / point[2] + CAMERA.center_y == pytest.approx(row, abs=1e-2)
        assert point[2] == pytest.approx(buffers.depth_THW[frame, row, column], abs=1e-2)


def test_normals_have_length_one_face_the_camera_and_are_the_surfaces_slope() -> None:
    parts = moving_parts()
    buffers, surface = drawn(parts)
    np.testing.assert_allclose(np.linalg.norm(surface.normal_NX, axis=-1), 1.0, atol=5e-3)
    assert (np.einsum("nx,nx->n", surface.normal_NX, surface.ray_NX) < 0.02).all()
    # Neighbours on one part: the step between their points lies in the surface.
    depth = buffers.depth_THW[0]
    normal = np.zeros((*depth.shape, 3))
    in_first = surface.pixel_N < depth.size
    normal.reshape(-1, 3)[surface.pixel_N[in_first]] = surface.normal_NX[in_first]
    x, y = np.meshgrid(CAMERA.rays_x(), CAMERA.rays_y())
    point = np.stack([x, y, np.ones_like(x)], axis=-1) * depth[..., None]
    same = (buffers.part_THW[0, :, 2:] == 0) & (buffers.part_THW[0, :, :-2] == 0) & (buffers.part_THW[0, :, 1:-1] == 0)
    step = (point[:, 2:] - point[:, :-2])[same]
    slope = np.abs(np.einsum("nx,nx->n", step, normal[:, 1:-1][same])) / np.linalg.norm(step, axis=-1)
    assert np.median(slope) < 0.05


def test_flow_is_where_the_same_point_goes() -> None:
    parts = moving_parts()
    buffers, surface = drawn(first(parts, 2))
    depth_N = buffers.depth_THW.reshape(-1)[surface.pixel_N]
    flow = flow_of(surface, depth_N=depth_N, parts=parts, camera=CAMERA)
    assert np.abs(flow).max() > 1
    for n in range(0, len(flow), 29):
        frame, row, column = np.unravel_index(surface.pixel_N[n], buffers.depth_THW.shape)
        part = buffers.part_THW[frame, row, column]
        z = float(depth_N[n])
        here = np.array([(column - CAMERA.center_x) / 80 * z, (row - CAMERA.center_y) / 80 * z, z])
        turned = parts.rotation_TPXX[frame + 1, part].astype(float) @ parts.rotation_TPXX[frame, part].T
        there = turned @ (here - parts.start_TPX[frame, part]) + parts.start_TPX[frame + 1, part]
        expected = 80 * there[:2] / there[2] + (CAMERA.center_x, CAMERA.center_y) - (column, row)
        np.testing.assert_allclose(flow[n], expected, atol=2e-3)


def colours(parts: Parts, *, grain: Float32Array = NO_GRAIN, **look: object) -> tuple[Surface, Float32Array]:
    subject = subject_of("train", 0, 0)
    defaults: dict[str, object] = {
        "skin_rgb": (200.0, 150.0, 100.0),
        "sleeve_rgb": (20.0, 40.0, 60.0),
        "stripes_per_mm": 0.0,
    }
    subject = replace(subject, look=replace(subject.look, **(defaults | look)))
    subject = replace(subject, view=replace(subject.view, light=(0.0, 0.0, -1.0), ambient_fraction=0.4))
    _, surface = drawn(parts)
    object_rgb = np.full((len(parts.material_P), 3), 90.0, dtype=np.float32)
    return surface, shade(surface, parts=parts, subject=subject, object_rgb_PC=object_rgb, grain_HW=grain)


def test_parts_have_their_materials_colours() -> None:
    surface, colour = colours(moving_parts((Material.PALM, Material.SLEEVE)))
    for part, rgb in ((0, (200, 150, 100)), (1, (20, 40, 60))):
        mean = colour[surface.part_N == part].mean(axis=0)
        np.testing.assert_allclose(mean / mean[0], np.array(rgb) / rgb[0], rtol=1e-4)
    surface, colour = colours(moving_parts((Material.OBJECT, Material.SLEEVE)))
    mean = colour[surface.part_N == 0].mean(axis=0)
    np.testing.assert_allclose(mean, mean[0], rtol=1e-5)


def test_surfaces_that_face_the_light_are_brighter() -> None:
    surface, colour = colours(moving_parts((Material.OBJECT, Material.OBJECT)))
    facing = -surface.normal_NX[:, 2]
    assert colour[facing > 0.95, 0].mean() > 1.5 * colour[facing < 0.4, 0].mean()


def test_stripes_are_on_the_sleeve_alone() -> None:
    surface, plain = colours(moving_parts())
    _, striped = colours(moving_parts(), stripes_per_mm=0.05)
    ratio = striped[:, 0] / plain[:, 0]
    np.testing.assert_allclose(ratio[surface.part_N == 0], 1.0)
    on_sleeve = surface.part_N == 1
    dark = (surface.local_NX[:, 1] * 0.05) % 1 < 0.5
    np.testing.assert_allclose(ratio[on_sleeve & dark], 0.65, rtol=1e-4)
    np.testing.assert_allclose(ratio[on_sleeve & ~dark], 1.0)
    assert 0 < (on_sleeve & dark).sum() < on_sleeve.sum()


def test_inner_side_of_a_hand_is_paler() -> None:
    surface, skin = colours(moving_parts((Material.SKIN, Material.SLEEVE)), skin_rgb=(90.0, 90.0, 90.0))
    _, plain = colours(moving_parts((Material.OBJECT, Material.SLEEVE)))
    ratio = (skin / plain)[surface.part_N == 0, 0]
    inner = surface.local_NX[surface.part_N == 0, 2] < 0
    np.testing.assert_allclose(ratio[inner], 1.14, rtol=1e-4)
    np.testing.assert_allclose(ratio[~inner], 1.0, rtol=1e-4)


def test_fingertips_carry_a_nail_on_the_back() -> None:
    parts = moving_parts((Material.FINGERTIP, Material.SLEEVE))
    # Turned by half, the bone shows the back of the finger.
    parts = parts._replace(rotation_TPXX=parts.rotation_TPXX @ turn(180.0, 1).astype(np.float32))
    surface, colour = colours(parts)
    _, skin = colours(parts._replace(material_P=np.array([Material.SKIN, Material.SLEEVE], dtype=np.uint8)))
    painted = np.abs(colour / colour[:, :1] - skin / skin[:, :1]).max(axis=1) > 0.01
    assert 5 < painted.sum() < 0.3 * (surface.part_N == 0).sum()
    assert (surface.local_NX[painted, 2] > 0).all()
    assert (surface.part_N[painted] == 0).all()


def test_grain_moves_with_the_surface() -> None:
    grain = np.random.default_rng(0).standard_normal((GRAIN_CELLS, GRAIN_CELLS)).astype(np.float32)
    still = first(moving_parts((Material.OBJECT, Material.OBJECT)), 1)
    aside_X = np.array([80, 0, 0], dtype=np.float32)
    moved = still._replace(start_TPX=still.start_TPX + aside_X, end_TPX=still.end_TPX + aside_X)
    ratios = []
    for parts in (still, moved):
        surface, rough = colours(parts, grain=grain)
        _, smooth = colours(parts)
        ratios.append(
            {tuple(np.round(p / 8)): r for p, r in zip(surface.local_NX, (rough / smooth)[:, 0], strict=True)}
        )
    common = ratios[0].keys() & ratios[1].keys()
    values = np.array([(ratios[0][cell], ratios[1][cell]) for cell in common])
    assert len(common) > 50
    assert np.std(values[:, 0]) > 0.1
    assert np.corrcoef(values.T)[0, 1] > 0.5
