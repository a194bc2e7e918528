"""Wall, body and objects: depths in range, and flow that carries every picture into the next."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mudra.datasets.synthetic import subject_of
from mudra.datasets.synthetic.config import Hardness
from mudra.datasets.synthetic.render import Camera, Material
from mudra.datasets.synthetic.scene import Scene, draw_backdrop, object_parts, sample_scene

CAMERA = Camera(height=80, width=112, focal_px=85.0)
TIMES_S = np.arange(26) / 25


def scene_of(hardness: Hardness, seed: int) -> Scene:
    rng = np.random.default_rng(seed)
    return sample_scene(rng, camera=CAMERA, subject=subject_of("train", seed, 0), hardness=hardness)


def test_wall_lies_between_one_metre_and_two_and_a_half() -> None:
    for seed in range(12):
        scene = scene_of("plain", seed)
        wall = scene.depth_HW[~scene.is_body_HW]
        assert wall.min() >= 1000
        assert wall.max() <= 2500


def test_somebody_is_seen_in_some_scenes_in_front_of_the_wall() -> None:
    scenes = [scene_of("plain", seed) for seed in range(20)]
    with_body = [scene for scene in scenes if scene.is_body_HW.any()]
    assert 4 <= len(with_body) <= 16
    for scene in with_body:
        assert scene.depth_HW[scene.is_body_HW].max() < 1250
        assert scene.body_rgb_HWC[scene.is_body_HW].any()
        assert not scene.body_rgb_HWC[~scene.is_body_HW].any()


def test_plain_wall_is_still() -> None:
    backdrop = draw_backdrop(scene_of("plain", 1), TIMES_S)
    assert (backdrop.rgb_THWC == backdrop.rgb_THWC[:1]).all()
    np.testing.assert_allclose(backdrop.flow_THWC, 0, atol=1e-4)
    assert backdrop.rgb_THWC.shape == (25, 80, 112, 3)
    assert backdrop.rgb_THWC[0].std() > 10


@pytest.mark.parametrize(("hardness", "least_px", "most_px"), [("moving", 0.1, 2.0), ("hard", 0.8, 12.0)])
def test_moving_wall_follows_its_flow(hardness: Hardness, least_px: float, most_px: float) -> None:
    scene = scene_of(hardness, 3)
    backdrop = draw_backdrop(scene, TIMES_S)
    length = np.linalg.norm(backdrop.flow_THWC, axis=-1)
    assert least_px < length.max() < most_px
    columns, rows = np.meshgrid(np.arange(112, dtype=np.float32), np.arange(80, dtype=np.float32))
    warped_error, still_error = [], []
    for frame in range(24):
        x = columns + backdrop.flow_THWC[frame, ..., 0]
        y = rows + backdrop.flow_THWC[frame, ..., 1]
        inside = (x >= 0) & (x <= 111) & (y >= 0) & (y <= 79) & ~scene.is_body_HW
        later = backdrop.rgb_THWC[frame + 1]
        warped = cv2.remap(later, x, y, cv2.INTER_LINEAR)
        here = backdrop.rgb_THWC[frame].astype(float)
        warped_error.append(np.abs(warped - here)[inside].mean())
        still_error.append(np.abs(later - here)[inside].mean())
    assert np.mean(warped_error) < 0.6 * np.mean(still_error)
    assert np.mean(warped_error) < 2.5


def test_body_does_not_move_with_the_wall() -> None:
    seed = next(seed for seed in range(20) if scene_of("hard", seed).is_body_HW.any())
    scene = scene_of("hard", seed)
    backdrop = draw_backdrop(scene, TIMES_S)
    assert (backdrop.flow_THWC[:, scene.is_body_HW] == 0).all()
    assert (backdrop.rgb_THWC[:, scene.is_body_HW] == scene.body_rgb_HWC[scene.is_body_HW]).all()


def test_hard_scenes_alone_have_objects_and_they_move_behind_the_hand() -> None:
    assert len(scene_of("plain", 0).objects) == len(scene_of("moving", 0).objects) == 0
    scene = scene_of("hard", 0)
    parts = object_parts(scene, TIMES_S)
    assert parts.start_TPX.shape == (26, 2, 3)
    assert (parts.material_P == Material.OBJECT).all()
    assert np.ptp(parts.start_TPX[..., 0], axis=0).min() > 5
    np.testing.assert_allclose(np.ptp(parts.end_TPX - parts.start_TPX, axis=0), 0, atol=1e-3)
    middle = (parts.start_TPX + parts.end_TPX) / 2
    assert middle[..., 2].min() > subject_of("train", 0, 0).view.distance_mm + 170


def test_scene_without_objects_gives_no_parts() -> None:
    assert object_parts(scene_of("plain", 0), TIMES_S).start_TPX.shape == (26, 0, 3)
