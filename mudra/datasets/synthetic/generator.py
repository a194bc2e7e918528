"""Clips and streams drawn from a seed: colour, depth in millimetres, true flow, hand mask and labels.

Shape letters: T frames, H W pixels, C channels, N pixels that show a part.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mudra.datasets.synthetic.choreography import clip_timeline, stream_timeline
from mudra.datasets.synthetic.config import NUM_CLASSES, SPLITS, SYNTHETIC_CLASSES, Split, SyntheticConfig
from mudra.datasets.synthetic.gesture import Stage
from mudra.datasets.synthetic.hand import hand_parts
from mudra.datasets.synthetic.motion import Drift, Timeline, sample_drift
from mudra.datasets.synthetic.pose import NUM_POSE, POSITION, ROLL, YAW
from mudra.datasets.synthetic.render import NO_PART, Camera, Float32Array, Material, Parts, rasterise
from mudra.datasets.synthetic.scene import Scene, draw_backdrop, object_parts, sample_scene
from mudra.datasets.synthetic.sensor import Sensor, sample_sensor
from mudra.datasets.synthetic.subject import Subject, subject_of
from mudra.datasets.synthetic.surface import HAND_MATERIALS, find_surface, flow_of, shade
from mudra.errors import DataError
from mudra.types import FloatArray, Stream, UInt8Array, UInt16Array

# Frames drawn at once: enough to spread the cost of array calls, few enough for a core's cache.
CHUNK_FRAMES = 32
# Nothing comes nearer to the camera than this.
NEAREST_MM = 350.0


class SyntheticClip(NamedTuple):
    """What was drawn.

    Args:
        rgb_THWC: uint8 colours, or None where they were not asked for.
        depth_THW: uint16 depth in mm, 0 where the sensor measured nothing.
        flow_THWC: float32 displacement of every pixel's point until the next frame, in pixels right and down; the last
            frame's leads to a frame that is not drawn. None where it was not asked for.
        mask_THW: Where the hand (wrist and bare arm with it, the sleeve not) is seen.
        times_s: Presentation times in seconds.
        label_T: int64 class of every frame, -1 where no gesture is performed.
    """

    rgb_THWC: UInt8Array | None
    depth_THW: UInt16Array
    flow_THWC: Float32Array | None
    mask_THW: npt.NDArray[np.bool_]
    times_s: FloatArray
    label_T: npt.NDArray[np.int64]


class SyntheticItem(NamedTuple):
    """One clip of a split, not yet drawn.

    Args:
        label: Its class.
        subject: Who performs.
        seed: Its own seed.
    """

    label: int
    subject: Subject
    seed: int


def iter_items(config: SyntheticConfig, split: Split) -> list[SyntheticItem]:
    """List the clips of a split: classes in turn, subjects in turn.

    Item `i` does not depend on how many there are, so a larger set begins with the smaller one.
    """
    subjects = [subject_of(split, index, config.seed) for index in range(config.num_subjects(split))]
    items = []
    for index in range(config.num_clips(split)):
        round_, label = divmod(index, NUM_CLASSES)
        sequence = np.random.SeedSequence([config.seed, SPLITS.index(split), index])
        seed = int(sequence.generate_state(2)[1])
        # The shift lets every subject perform every class, whatever their numbers have in common.
        items.append(SyntheticItem(label, subjects[(round_ + label) % len(subjects)], seed))
    return items


def draw_clip(*, label: int, subject: Subject, seed: int, config: SyntheticConfig) -> SyntheticClip:
    """Draw an isolated clip; the same arguments give the same pixels, in any order and any process.

    Args:
        label: An index into `SYNTHETIC_CLASSES`, or -1 for a motion that is none of them.
        subject: Who performs.
        seed: The clip's own seed.
        config: Size, length and surroundings.

    Raises:
        DataError: If there is no such class.

    Example:
        >>> clip = draw_clip(label=0, subject=subject_of("train", 0, 0), seed=1, config=SyntheticConfig(num_frames=8))
        >>> clip.depth_THW.shape, clip.depth_THW.dtype
        ((8, 112, 112), dtype('uint16'))
    """
    if not -1 <= label < NUM_CLASSES:
        known = ", ".join(f"{index} {name}" for index, name in enumerate(SYNTHETIC_CLASSES))
        raise DataError(f"the synthetic data set has no class {label}", hint=f"take one of {known}, or -1 for none")
    rng = np.random.default_rng([seed, subject.seed, label + 1])
    setting = _sample_setting(rng, subject, config)
    timeline = clip_timeline(label, rng=rng, stage=setting.room, duration_s=config.num_frames / config.fps)
    return _draw(timeline, setting, rng=rng, subject=subject, num_frames=config.num_frames, config=config)


def draw_stream(*, subject: Subject, seed: int, duration_s: float, config: SyntheticConfig) -> SyntheticClip:
    """Draw a long stream: gestures between rests, other motions, and a hand that leaves and returns.

    Args:
        subject: Who performs.
        seed: The stream's own seed.
        duration_s: Its length.
        config: Size, frame rate and surroundings.

    Raises:
        DataError: If the stream would not hold a frame.
    """
    num_frames = round(duration_s * config.fps)
    if num_frames < 1:
        raise DataError(
            f"a stream of {duration_s} s holds no frame at {config.fps} frames per second", hint="ask for more seconds"
        )
    rng = np.random.default_rng([seed, subject.seed, NUM_CLASSES + 1])
    setting = _sample_setting(rng, subject, config)
    timeline = stream_timeline(rng=rng, stage=setting.room, duration_s=duration_s)
    return _draw(timeline, setting, rng=rng, subject=subject, num_frames=num_frames, config=config)


class _Setting(NamedTuple):
    """Camera, place and idle motion of one recording."""

    camera: Camera
    room: Stage
    wrist_mm: FloatArray
    tremor: Drift


def _sample_setting(rng: np.random.Generator, subject: Subject, config: SyntheticConfig) -> _Setting:
    height, width = config.size
    shorter = min(height, width)
    camera = Camera(height, width, subject.view.focal_fraction * shorter)
    distance_mm = float(np.clip(subject.view.distance_mm + rng.uniform(-40.0, 40.0), 420.0, 700.0))
    visible_mm = distance_mm * shorter / camera.focal_px
    # The wrist rests below the middle, so that the hand itself is in it.
    wrist_mm = np.array([rng.normal(0.0, 10.0), 75.0 * subject.hand.scale + rng.normal(0.0, 10.0), distance_mm])
    amplitudes = np.zeros(NUM_POSE)
    amplitudes[POSITION] = 2.0 * subject.style.tremor_mm
    amplitudes[YAW : ROLL + 1] = 1.5 * subject.style.tremor_mm
    tremor = sample_drift(rng, amplitudes=amplitudes, period_s=(0.6, 3.0))
    return _Setting(camera, Stage(visible_mm, subject.style.speed, subject.style.amplitude), wrist_mm, tremor)


def _draw(
    timeline: Timeline,
    setting: _Setting,
    *,
    rng: np.random.Generator,
    subject: Subject,
    num_frames: int,
    config: SyntheticConfig,
) -> SyntheticClip:
    scene = sample_scene(rng, camera=setting.camera, subject=subject, hardness=config.hardness)
    sensor = sample_sensor(rng, camera=setting.camera)
    # One moment more than there are frames: the last frame's flow leads there.
    times_s = np.arange(num_frames + 1) / config.fps
    pose_TA = timeline.at(times_s) + setting.tremor.at(times_s)
    hand = _keep_away(hand_parts(pose_TA, subject=subject, wrist_mm=setting.wrist_mm))
    parts = _join(hand, object_parts(scene, times_s))
    chunks = [
        _draw_chunk(first, parts, times_s, scene=scene, sensor=sensor, subject=subject, config=config)
        for first in range(0, num_frames, CHUNK_FRAMES)
    ]
    rgb, depth, flow, mask = zip(*chunks, strict=True)
    return SyntheticClip(
        np.concatenate(rgb) if Stream.RGB in config.streams else None,
        np.concatenate(depth),
        np.concatenate(flow) if Stream.FLOW in config.streams else None,
        np.concatenate(mask),
        times_s[:-1],
        timeline.labels_at(times_s[:-1]),
    )


class _Chunk(NamedTuple):
    rgb_THWC: UInt8Array
    depth_THW: UInt16Array
    flow_THWC: Float32Array
    mask_THW: npt.NDArray[np.bool_]


def _draw_chunk(
    first: int,
    parts: Parts,
    times_s: FloatArray,
    *,
    scene: Scene,
    sensor: Sensor,
    subject: Subject,
    config: SyntheticConfig,
) -> _Chunk:
    """Draw frames `first` to `first + CHUNK_FRAMES`, fewer at the end."""
    stop = min(first + CHUNK_FRAMES, len(times_s) - 1)
    with_next = _frames_of(parts, first, stop + 1)
    drawn = _frames_of(parts, first, stop)
    buffers = rasterise(drawn, camera=scene.camera, background_HW=scene.depth_HW)
    surface = find_surface(buffers, parts=drawn, camera=scene.camera)
    backdrop = draw_backdrop(scene, times_s[first : stop + 1])
    is_hand = np.zeros(NO_PART + 1, dtype=np.bool_)
    is_hand[: len(drawn.material_P)] = np.isin(drawn.material_P, HAND_MATERIALS)
    mask_THW = is_hand[buffers.part_THW]
    rgb_THWC, flow_THWC = backdrop.rgb_THWC, backdrop.flow_THWC
    if Stream.RGB in config.streams:
        object_rgb_PC = np.zeros((len(drawn.material_P), 3), dtype=np.float32)
        object_rgb_PC[drawn.material_P == Material.OBJECT] = scene.object_rgb_PC
        colour_NC = shade(surface, parts=drawn, subject=subject, object_rgb_PC=object_rgb_PC, grain_HW=scene.grain_HW)
        rgb_THWC.reshape(-1, 3)[surface.pixel_N] = np.clip(colour_NC, 0, 255).astype(np.uint8)
        rgb_THWC = sensor.expose(rgb_THWC, first_frame=first)
    if Stream.FLOW in config.streams:
        depth_N = buffers.depth_THW.reshape(-1)[surface.pixel_N]
        flow_THWC.reshape(-1, 2)[surface.pixel_N] = flow_of(
            surface, depth_N=depth_N, parts=with_next, camera=scene.camera
        )
    depth_THW = np.rint(buffers.depth_THW).astype(np.uint16)
    if config.depth_sensor == "noisy":
        depth_THW = sensor.measure(depth_THW, first_frame=first)
    return _Chunk(rgb_THWC, depth_THW, flow_THWC, mask_THW)


def _keep_away(parts: Parts) -> Parts:
    """Move the hand back for the whole recording, as far as its nearest moment needs."""
    start_mm = (parts.start_TPX[..., 2] - parts.start_radius_P).min()
    end_mm = (parts.end_TPX[..., 2] - parts.end_radius_P).min()
    back_X = np.array([0.0, 0.0, max(0.0, NEAREST_MM - min(start_mm, end_mm))], dtype=np.float32)
    return parts._replace(start_TPX=parts.start_TPX + back_X, end_TPX=parts.end_TPX + back_X)


def _frames_of(parts: Parts, first: int, stop: int) -> Parts:
    return Parts(
        parts.start_TPX[first:stop],
        parts.end_TPX[first:stop],
        parts.rotation_TPXX[first:stop],
        *parts[3:],
    )


def _join(first: Parts, second: Parts) -> Parts:
    return Parts(
        np.concatenate([first.start_TPX, second.start_TPX], axis=1),
        np.concatenate([first.end_TPX, second.end_TPX], axis=1),
        np.concatenate([first.rotation_TPXX, second.rotation_TPXX], axis=1),
        np.concatenate([first.start_radius_P, second.start_radius_P]),
        np.concatenate([first.end_radius_P, second.end_radius_P]),
        np.concatenate([first.material_P, second.material_P]),
    )
