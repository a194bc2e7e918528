"""Round cones against an independent method: the spheres that they are made of, one by one."""

from __future__ import annotations

import numpy as np
import pytest

from mudra.datasets.synthetic.render import NO_PART, Camera, Float32Array, Material, Parts, intersect, rasterise
from mudra.types import FloatArray

CAMERA = Camera(height=24, width=32, focal_px=28.0)


def nearest_of_spheres(start: FloatArray, end: FloatArray, radii: tuple[float, float], camera: Camera) -> FloatArray:
    """Depth of a round cone in float64: the nearest of 4001 spheres along the bone."""
    x, y = np.meshgrid(camera.rays_x().astype(float), camera.rays_y().astype(float))
    ray = np.stack([x, y, np.ones_like(x)], axis=-1)
    nearest = np.full(x.shape, np.inf)
    for s in np.linspace(0.0, 1.0, 4001):
        center, radius = start + s * (end - start), radii[0] + s * (radii[1] - radii[0])
        along, square = ray @ center, (ray * ray).sum(axis=-1)
        discriminant = along**2 - square * (center @ center - radius**2)
        hit = discriminant > 0
        depth = (along - np.sqrt(np.where(hit, discriminant, 0.0))) / square
        nearest = np.where(hit & (depth < nearest), depth, nearest)
    return nearest


def exact_depth(start: FloatArray, end: FloatArray, radii: tuple[float, float]) -> Float32Array:
    return intersect(
        start[None].astype(np.float32),
        end[None].astype(np.float32),
        radii=radii,
        rays_x=CAMERA.rays_x()[None, None, :],
        rays_y=CAMERA.rays_y()[None, :, None],
    )[0]


def one_part(start: object, end: object, radii: tuple[float, float]) -> Parts:
    frames = np.array(start, dtype=np.float32).reshape(-1, 1, 3)
    return Parts(
        frames,
        np.array(end, dtype=np.float32).reshape(-1, 1, 3),
        np.broadcast_to(np.eye(3, dtype=np.float32), (len(frames), 1, 3, 3)),
        np.array(radii[:1], dtype=np.float32),
        np.array(radii[1:], dtype=np.float32),
        np.array([Material.SKIN], dtype=np.uint8),
    )


CONES = {
    "across": ((-90.0, 10.0, 400.0), (70.0, -40.0, 430.0), (30.0, 18.0)),
    "even": ((-60.0, 0.0, 400.0), (60.0, 20.0, 400.0), (25.0, 25.0)),
    "wide end near": ((10.0, 5.0, 380.0), (15.0, 8.0, 520.0), (40.0, 15.0)),
    "narrow end near": ((10.0, 5.0, 380.0), (15.0, 8.0, 520.0), (15.0, 60.0)),
    "at the camera": ((0.0, 0.0, 350.0), (0.0, 0.0, 500.0), (30.0, 28.0)),
    "steep, wide near": ((0.0, 0.0, 400.0), (1.0, 0.0, 470.0), (60.0, 5.0)),
    "steep, narrow near": ((-20.0, 0.0, 400.0), (1.0, 10.0, 470.0), (5.0, 60.0)),
}


@pytest.mark.parametrize("name", CONES)
def test_depth_is_that_of_the_nearest_sphere(name: str) -> None:
    start, end, radii = (np.array(CONES[name][0]), np.array(CONES[name][1]), CONES[name][2])
    expected = nearest_of_spheres(start, end, radii, CAMERA)
    depth = exact_depth(start, end, radii)
    hit = np.isfinite(expected)
    assert hit.sum() > 12
    # A ray that grazes the silhouette may fall to either side.
    assert (hit != np.isfinite(depth)).sum() <= 1
    both = hit & np.isfinite(depth)
    error = np.abs(depth[both] - expected[both])
    assert np.quantile(error, 0.9) < 0.02
    assert error.max() < 1.0


def test_rasterise_draws_into_the_right_pixels_and_frames() -> None:
    starts = [(-60.0, -20.0, 400.0), (60.0, 30.0, 450.0), (900.0, 0.0, 400.0)]
    ends = [(-40.0, 20.0, 420.0), (90.0, 10.0, 430.0), (990.0, 0.0, 400.0)]
    background = np.full((24, 32), 1500.0, dtype=np.float32)
    buffers = rasterise(one_part(starts, ends, (22.0, 14.0)), camera=CAMERA, background_HW=background)
    for frame in range(3):
        expected = nearest_of_spheres(np.array(starts[frame]), np.array(ends[frame]), (22.0, 14.0), CAMERA)
        hit = np.isfinite(expected)
        assert (hit != (buffers.part_THW[frame] == 0)).sum() <= 1
        assert ((buffers.part_THW[frame] == NO_PART) == (buffers.depth_THW[frame] == 1500.0)).all()
        np.testing.assert_allclose(buffers.depth_THW[frame][hit], expected[hit], atol=1.0)
    assert (buffers.part_THW[2] == NO_PART).all()
    assert (background == 1500.0).all()


def test_nearest_part_wins_in_either_order_and_the_background_can_hide() -> None:
    near = one_part([(0.0, 0.0, 300.0)], [(10.0, 0.0, 300.0)], (20.0, 20.0))
    far = one_part([(0.0, 0.0, 600.0)], [(10.0, 0.0, 600.0)], (80.0, 80.0))
    background = np.full((24, 32), 1500.0, dtype=np.float32)
    background[:, :16] = 200.0
    for first, second, winner in ((near, far, 0), (far, near, 1)):
        both = Parts(
            *(np.concatenate([a, b], axis=1) for a, b in zip(first[:3], second[:3], strict=True)),
            *(np.concatenate([a, b]) for a, b in zip(first[3:], second[3:], strict=True)),
        )
        buffers = rasterise(both, camera=CAMERA, background_HW=background)
        assert buffers.part_THW[0, 12, 16] == winner
        assert buffers.depth_THW[0, 12, 16] < 300
        assert (buffers.part_THW[0, :, :16] == NO_PART).all()
        assert {winner, 1 - winner, NO_PART} == set(np.unique(buffers.part_THW))


def test_large_parts_are_drawn_in_blocks_without_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    starts = [(x, 0.0, 300.0) for x in np.linspace(-80, 80, 9)]
    parts = one_part(starts, [(x, 40.0, 340.0) for x, _, _ in starts], (50.0, 30.0))
    background = np.full((24, 32), 1500.0, dtype=np.float32)
    whole = rasterise(parts, camera=CAMERA, background_HW=background)
    monkeypatch.setattr("mudra.datasets.synthetic.render.BLOCK_ELEMENTS", 1)
    pieces = rasterise(parts, camera=CAMERA, background_HW=background)
    np.testing.assert_array_equal(whole.depth_THW, pieces.depth_THW)
    np.testing.assert_array_equal(whole.part_THW, pieces.part_THW)


def test_rays_pass_through_pixel_centres() -> None:
    camera = Camera(height=3, width=5, focal_px=2.0)
    np.testing.assert_allclose(camera.rays_x(), [-1.0, -0.5, 0.0, 0.5, 1.0])
    np.testing.assert_allclose(camera.rays_y(), [-0.5, 0.0, 0.5])
