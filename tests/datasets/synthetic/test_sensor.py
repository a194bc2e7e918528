"""Camera faults: blur and grain on colours, noise and lost silhouettes on depth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mudra.datasets.synthetic.render import Camera
from mudra.datasets.synthetic.sensor import Sensor, sample_sensor

CAMERA = Camera(height=64, width=80, focal_px=70.0)


@pytest.fixture
def sensor() -> Sensor:
    return replace(sample_sensor(np.random.default_rng(0), camera=CAMERA), grain=3.0)


def test_grain_has_its_strength_no_bias_and_differs_between_frames(sensor: Sensor) -> None:
    exposed = sensor.expose(np.full((6, 64, 80, 3), 128, dtype=np.uint8), first_frame=0).astype(float)
    assert exposed.mean() == pytest.approx(128, abs=0.2)
    assert exposed.std() == pytest.approx(3.0, abs=0.2)
    assert (exposed[0] != exposed[1]).mean() > 0.5


def test_grain_does_not_wrap_at_black_and_white(sensor: Sensor) -> None:
    for level in (0, 255):
        exposed = sensor.expose(np.full((2, 64, 80, 3), level, dtype=np.uint8), first_frame=0).astype(int)
        assert np.abs(exposed - level).max() < 20


def test_edges_are_softened(sensor: Sensor) -> None:
    picture = np.zeros((1, 64, 80, 3), dtype=np.uint8)
    picture[:, :, 40:] = 200
    exposed = replace(sensor, grain=0.0, blur_px=0.6).expose(picture, first_frame=0)
    assert 0 < exposed[0, 30, 39, 0] < exposed[0, 30, 40, 0] < 200
    assert exposed[0, 30, 20, 0] == 0


def test_frames_do_not_depend_on_where_a_chunk_begins(sensor: Sensor) -> None:
    rgb = np.random.default_rng(1).integers(0, 255, (6, 64, 80, 3), dtype=np.uint8)
    depth = np.random.default_rng(1).integers(500, 1500, (6, 64, 80), dtype=np.uint16)
    np.testing.assert_array_equal(sensor.expose(rgb, first_frame=0)[4:], sensor.expose(rgb[4:], first_frame=4))
    np.testing.assert_array_equal(sensor.measure(depth, first_frame=0)[4:], sensor.measure(depth[4:], first_frame=4))


def test_depth_noise_grows_with_the_square_of_distance(sensor: Sensor) -> None:
    spread = {}
    for distance in (1000, 2000):
        measured = sensor.measure(np.full((4, 64, 80), distance, dtype=np.uint16), first_frame=0).astype(float)
        assert measured.mean() == pytest.approx(distance, abs=1.0)
        spread[distance] = measured.std()
    assert spread[1000] == pytest.approx(2.0, abs=0.2)
    assert spread[2000] == pytest.approx(8.0, abs=0.5)


def test_depth_is_lost_behind_silhouettes_and_nowhere_else(sensor: Sensor) -> None:
    depth = np.full((8, 64, 80), 1500, dtype=np.uint16)
    depth[:, 20:40, 30:50] = 500
    measured = sensor.measure(depth, first_frame=0)
    lost = measured == 0
    ring = np.zeros((64, 80), dtype=bool)
    ring[19:41, 29:51] = True
    ring[20:40, 30:50] = False
    assert not lost[:, ~ring].any()
    assert lost[:, ring].mean() == pytest.approx(0.6, abs=0.08)
