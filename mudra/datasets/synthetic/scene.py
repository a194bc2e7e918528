"""What is behind the hand: a textured wall that may move, the person's body, and objects that cross.

Shape letters: T frames, P parts, X axes of space, C colours, H W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from mudra.datasets.synthetic.config import Hardness
from mudra.datasets.synthetic.motion import Drift, sample_drift
from mudra.datasets.synthetic.render import Camera, Float32Array, Material, Parts, rasterise
from mudra.datasets.synthetic.subject import Subject
from mudra.datasets.synthetic.surface import GRAIN_CELLS, find_surface, shade
from mudra.types import FloatArray, UInt8Array

# Side of the wall's picture over the camera's: room for the wall to move.
WALL_OVERSIZE = 3


# Head, neck, shoulders and chest, from the middle of the face.
BODY_START_MM = np.array([(0.0, -25.0, 0.0), (0.0, 60.0, 15.0), (-170.0, 235.0, 25.0), (0.0, 300.0, 20.0)])
BODY_END_MM = np.array([(0.0, 45.0, -8.0), (0.0, 160.0, 20.0), (170.0, 235.0, 25.0), (0.0, 700.0, 20.0)])
BODY_START_RADIUS_MM = np.array([88.0, 55.0, 78.0, 150.0], dtype=np.float32)
BODY_END_RADIUS_MM = np.array([68.0, 60.0, 78.0, 150.0], dtype=np.float32)


class _Liveliness(NamedTuple):
    """How far the wall moves, as fractions of the picture and radians, how fast, and how many objects cross."""

    shift_fraction: float
    turn_rad: float
    zoom: float
    period_s: tuple[float, float]
    num_objects: int


LIVELINESS: dict[Hardness, _Liveliness] = {
    "plain": _Liveliness(0.0, 0.0, 0.0, (1.0, 2.0), 0),
    "moving": _Liveliness(0.08, 0.03, 0.02, (2.0, 5.0), 0),
    "hard": _Liveliness(0.3, 0.12, 0.08, (1.0, 3.0), 2),
}


class Backdrop(NamedTuple):
    """The scene without hand and objects in T frames.

    Args:
        rgb_THWC: uint8 colours.
        flow_THWC: True flow to the next frame in pixels.
    """

    rgb_THWC: UInt8Array
    flow_THWC: Float32Array


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Everything around the hand for one clip or stream.

    Args:
        camera: The camera.
        depth_HW: Depth of wall and body in mm.
        wall_rgb: The wall's picture, larger than the camera's.
        wall_motion: Right, down, turn and zoom over time.
        body_rgb_HWC: The body's colours.
        is_body_HW: Where the body hides the wall.
        objects: Shape and path of everything that crosses.
        object_rgb_PC: Their colours.
        grain_HW: Noise that roughens surfaces.
    """

    camera: Camera
    depth_HW: Float32Array
    wall_rgb: UInt8Array
    wall_motion: Drift
    body_rgb_HWC: UInt8Array
    is_body_HW: npt.NDArray[np.bool_]
    objects: tuple[CrossingObject, ...]
    object_rgb_PC: Float32Array
    grain_HW: Float32Array


@dataclass(frozen=True, kw_only=True)
class CrossingObject:
    """A rounded rod that swings through the picture behind the hand.

    Args:
        center_mm: The middle of its path.
        half_axis_mm: From its middle to its end.
        radius_mm: Its thickness.
        path: Displacement over time in mm.
    """

    center_mm: FloatArray
    half_axis_mm: FloatArray
    radius_mm: float
    path: Drift


def sample_scene(rng: np.random.Generator, *, camera: Camera, subject: Subject, hardness: Hardness) -> Scene:
    """Draw a scene: wall, body, objects and how they move."""
    lively = LIVELINESS[hardness]
    grain_HW = np.clip(rng.standard_normal((GRAIN_CELLS, GRAIN_CELLS)), -2, 2).astype(np.float32)
    wall_HW = _sample_wall_depth(rng, camera)
    body = _sample_body(rng, subject)
    is_body_HW = np.zeros(wall_HW.shape, dtype=np.bool_)
    body_rgb_HWC = np.zeros((*wall_HW.shape, 3), dtype=np.uint8)
    depth_HW = wall_HW
    if body is not None:
        buffers = rasterise(body, camera=camera, background_HW=wall_HW)
        surface = find_surface(buffers, parts=body, camera=camera)
        no_objects_PC = np.zeros((len(body.material_P), 3), dtype=np.float32)
        colour_NC = shade(surface, parts=body, subject=subject, object_rgb_PC=no_objects_PC, grain_HW=grain_HW)
        is_body_HW.reshape(-1)[surface.pixel_N] = True
        body_rgb_HWC.reshape(-1, 3)[surface.pixel_N] = np.clip(colour_NC, 0, 255).astype(np.uint8)
        depth_HW = buffers.depth_THW[0]
    shift_px = lively.shift_fraction * min(camera.height, camera.width)
    amplitudes = np.array([shift_px, shift_px, lively.turn_rad, lively.zoom])
    objects = tuple(_sample_object(rng, camera, subject) for _ in range(lively.num_objects))
    return Scene(
        camera=camera,
        depth_HW=depth_HW,
        wall_rgb=_sample_wall(rng, camera),
        wall_motion=sample_drift(rng, amplitudes=amplitudes, period_s=lively.period_s),
        body_rgb_HWC=body_rgb_HWC,
        is_body_HW=is_body_HW,
        objects=objects,
        object_rgb_PC=rng.uniform(20, 235, (len(objects), 3)).astype(np.float32),
        grain_HW=grain_HW,
    )


def draw_backdrop(scene: Scene, times_s: FloatArray) -> Backdrop:
    """Draw wall and body.

    Args:
        scene: The scene.
        times_s: T + 1 times: those of the frames, and that to which the last frame's flow leads.

    Returns:
        T frames and their flow.
    """
    height, width = scene.camera.height, scene.camera.width
    to_wall = _wall_maps(scene, times_s)
    rgb_THWC = np.empty((len(times_s) - 1, height, width, 3), dtype=np.uint8)
    for frame, matrix in enumerate(to_wall[:-1]):
        cv2.warpAffine(
            scene.wall_rgb,
            matrix[:2],
            (width, height),
            dst=rgb_THWC[frame],
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT_101,
        )
    rgb_THWC[:, scene.is_body_HW] = scene.body_rgb_HWC[scene.is_body_HW]
    return Backdrop(rgb_THWC, _wall_flow(scene, to_wall))


def object_parts(scene: Scene, times_s: FloatArray) -> Parts:
    """Return the crossing objects at the given times."""
    num_frames, count = len(times_s), len(scene.objects)
    center_TPX = np.zeros((num_frames, count, 3))
    half_PX = np.zeros((count, 3))
    for index, thing in enumerate(scene.objects):
        center_TPX[:, index] = thing.center_mm + thing.path.at(times_s)
        half_PX[index] = thing.half_axis_mm
    radius_P = np.array([thing.radius_mm for thing in scene.objects], dtype=np.float32)
    return Parts(
        (center_TPX - half_PX).astype(np.float32),
        (center_TPX + half_PX).astype(np.float32),
        np.broadcast_to(np.eye(3, dtype=np.float32), (num_frames, count, 3, 3)),
        radius_P,
        radius_P,
        np.full(count, Material.OBJECT, dtype=np.uint8),
    )


def _wall_maps(scene: Scene, times_s: FloatArray) -> FloatArray:
    """From pixels of the picture to pixels of the wall's picture, shape (T + 1, 3, 3)."""
    right, down, turn, zoom = scene.wall_motion.at(times_s).T
    center = np.array([scene.camera.center_x, scene.camera.center_y])
    wall_center = (np.array(scene.wall_rgb.shape[1::-1]) - 1) / 2
    scale = 1.0 + zoom
    linear = np.empty((len(times_s), 2, 2))
    linear[:, 0, 0] = linear[:, 1, 1] = scale * np.cos(turn)
    linear[:, 0, 1], linear[:, 1, 0] = -scale * np.sin(turn), scale * np.sin(turn)
    maps = np.zeros((len(times_s), 3, 3))
    maps[:, :2, :2] = linear
    maps[:, :2, 2] = wall_center + np.stack([right, down], axis=-1) - linear @ center
    maps[:, 2, 2] = 1.0
    return maps


def _wall_flow(scene: Scene, to_wall: FloatArray) -> Float32Array:
    """Flow of the wall: where the wall's point under a pixel is seen in the next frame."""
    onward = (np.linalg.inv(to_wall[1:]) @ to_wall[:-1] - np.eye(3)).astype(np.float32)
    columns = np.arange(scene.camera.width, dtype=np.float32)
    rows = np.arange(scene.camera.height, dtype=np.float32)[:, None]
    flow_THWC = np.empty((len(onward), len(rows), len(columns), 2), dtype=np.float32)
    for axis in range(2):
        per_x, per_y, fixed = (onward[:, axis, i, None, None] for i in range(3))
        flow_THWC[..., axis] = per_x * columns + (per_y * rows + fixed)
    flow_THWC[:, scene.is_body_HW] = 0
    return flow_THWC


def _sample_wall_depth(rng: np.random.Generator, camera: Camera) -> Float32Array:
    tilt_x, tilt_y = rng.uniform(-0.25, 0.25, 2)
    lean_HW = 1.0 + tilt_x * camera.rays_x() + tilt_y * camera.rays_y()[:, None]
    depth_HW: Float32Array = np.clip(rng.uniform(1250.0, 2200.0) / lean_HW, 1000.0, 2500.0).astype(np.float32)
    return depth_HW


def _sample_wall(rng: np.random.Generator, camera: Camera) -> UInt8Array:
    """A wall's picture: cloudy noise in several sizes with rectangles, discs and lines on it."""
    height, width = WALL_OVERSIZE * camera.height, WALL_OVERSIZE * camera.width
    wall = np.full((height, width, 3), rng.uniform(60, 190) + rng.uniform(-35, 35, 3), dtype=np.float32)
    for cells, strength in ((6, 38.0), (18, 24.0), (60, 14.0)):
        # Mostly light and dark, a little colour.
        noise = rng.normal(rng.standard_normal((cells, cells, 1)), 0.4, (cells, cells, 3))
        coarse = (strength * noise).astype(np.float32)
        wall += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    picture: UInt8Array = np.clip(wall, 0, 255).astype(np.uint8)
    for _ in range(rng.integers(6, 30)):
        x, y = (int(value) for value in rng.uniform(0, (width, height)))
        reach_x, reach_y = (int(value) for value in rng.uniform(0.02, 0.12, 2) * (width, height))
        colour = tuple(float(value) for value in rng.uniform(10, 245, 3))
        kind = rng.integers(3)
        if kind == 0:
            cv2.rectangle(picture, (x, y), (x + reach_x, y + reach_y), colour, cv2.FILLED)
        elif kind == 1:
            cv2.ellipse(picture, (x, y), (reach_x, reach_y), 0.0, 0.0, 360.0, colour, cv2.FILLED, cv2.LINE_AA)
        else:
            cv2.line(picture, (x, y), (x + 3 * reach_x, y - 3 * reach_y), colour, 3, cv2.LINE_AA)
    return picture


def _sample_body(rng: np.random.Generator, subject: Subject) -> Parts | None:
    """Head, neck, shoulders and chest behind the hand; in half of the scenes nobody is seen."""
    if rng.random() < 0.5:
        return None
    x = -np.sign(subject.style.elbow_mm[0]) * rng.uniform(40.0, 160.0)
    z = subject.view.distance_mm + rng.uniform(330.0, 480.0)
    head_y = rng.uniform(-230.0, -60.0)
    middle_X = np.array([x, head_y, z])
    return Parts(
        (middle_X + BODY_START_MM)[None].astype(np.float32),
        (middle_X + BODY_END_MM)[None].astype(np.float32),
        np.broadcast_to(np.eye(3, dtype=np.float32), (1, len(BODY_START_MM), 3, 3)),
        BODY_START_RADIUS_MM,
        BODY_END_RADIUS_MM,
        np.array([Material.PALM, Material.PALM, Material.SLEEVE, Material.SLEEVE], dtype=np.uint8),
    )


def _sample_object(rng: np.random.Generator, camera: Camera, subject: Subject) -> CrossingObject:
    z = subject.view.distance_mm + rng.uniform(180.0, 420.0)
    visible_mm = z * min(camera.height, camera.width) / camera.focal_px
    direction = rng.normal(size=3) * (1.0, 1.0, 0.2)
    direction /= np.linalg.norm(direction)
    return CrossingObject(
        center_mm=np.array([*(rng.uniform(-0.3, 0.3, 2) * visible_mm), z]),
        half_axis_mm=direction * rng.uniform(20.0, 90.0),
        radius_mm=rng.uniform(15.0, 45.0),
        path=sample_drift(rng, amplitudes=visible_mm * np.array([0.5, 0.4, 0.0]), period_s=(1.5, 4.0)),
    )
