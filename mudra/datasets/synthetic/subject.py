"""The people who perform: hand, style, look and camera, each drawn from a seed of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mudra.datasets.synthetic.config import SPLITS, Split
from mudra.errors import DataError, nearest_name
from mudra.types import FloatArray

Rgb = tuple[float, float, float]
Vector = tuple[float, float, float]

# From light to dark; a person's skin lies between two neighbours.
SKIN_TONES_RGB = np.array(
    [(247, 215, 196), (229, 184, 155), (198, 145, 110), (156, 104, 74), (110, 71, 52), (72, 47, 38)], dtype=np.float64
)


@dataclass(frozen=True, kw_only=True)
class Hand:
    """The hand that performs.

    Args:
        side: Left or right.
        scale: Size of the hand, 1 for a length of about 190 mm.
        thickness: Width of fingers and palm against the usual.
        finger_length: Length of the fingers against the usual.
    """

    side: Literal["left", "right"]
    scale: float
    thickness: float
    finger_length: float


@dataclass(frozen=True, kw_only=True)
class Style:
    """How somebody moves.

    Args:
        facing: The side of the hand that the camera sees.
        speed: How fast motions are against the usual.
        amplitude: How wide motions are against the usual.
        tremor_mm: How far the hand drifts while it rests.
        spread_deg: How much further than usual the fingers are fanned out.
        lean_deg: Yaw, pitch and roll of the resting hand.
        elbow_mm: From the resting wrist to the elbow.
    """

    facing: Literal["palm", "back"]
    speed: float
    amplitude: float
    tremor_mm: float
    spread_deg: float
    lean_deg: Vector
    elbow_mm: Vector


@dataclass(frozen=True, kw_only=True)
class Look:
    """Skin and sleeve.

    Args:
        skin_rgb: Colour of the skin in 0..255.
        sleeve_rgb: Colour of the sleeve in 0..255.
        stripes_per_mm: Stripes along the sleeve; 0 for a plain one.
        cuff_mm: Bare skin between the wrist and the sleeve.
    """

    skin_rgb: Rgb
    sleeve_rgb: Rgb
    stripes_per_mm: float
    cuff_mm: float


@dataclass(frozen=True, kw_only=True)
class View:
    """Camera and light.

    Args:
        distance_mm: From the camera to the resting wrist.
        focal_fraction: Focal length over the shorter side of the picture.
        light: Direction towards the light, of length 1.
        ambient_fraction: Light that comes from everywhere.
    """

    distance_mm: float
    focal_fraction: float
    light: Vector
    ambient_fraction: float


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One person, with the camera that films them.

    Args:
        name: Split and number, unique over all splits.
        seed: Mixed into the seed of every clip of this person.
        hand: The hand that performs.
        style: How this person moves.
        look: Skin and sleeve.
        view: Camera and light.
    """

    name: str
    seed: int
    hand: Hand
    style: Style
    look: Look
    view: View


def subject_of(split: Split, index: int, seed: int) -> Subject:
    """Return person `index` of `split`; the same arguments give the same person.

    Raises:
        DataError: If there is no such split, or `index` is negative.

    Example:
        >>> subject_of("test", 3, 0).name
        'test-003'
    """
    if split not in SPLITS:
        raise DataError(f"the synthetic data set has no split {split!r}", hint=nearest_name(split, SPLITS))
    if index < 0:
        raise DataError(f"subject {index} of {split} does not exist", hint="count subjects from 0")
    sequence = np.random.SeedSequence([seed, SPLITS.index(split), index])
    rng = np.random.default_rng(sequence)
    return Subject(
        name=f"{split}-{index:03d}",
        seed=int(sequence.generate_state(1)[0]),
        hand=_sample_hand(rng),
        style=_sample_style(rng),
        look=_sample_look(rng),
        view=_sample_view(rng),
    )


def _sample_hand(rng: np.random.Generator) -> Hand:
    return Hand(
        side="left" if rng.random() < 0.5 else "right",
        scale=rng.uniform(0.84, 1.14),
        thickness=rng.uniform(0.88, 1.14),
        finger_length=rng.uniform(0.92, 1.08),
    )


def _sample_style(rng: np.random.Generator) -> Style:
    return Style(
        facing="palm" if rng.random() < 0.65 else "back",
        speed=float(np.exp(rng.uniform(np.log(0.7), np.log(1.4)))),
        amplitude=rng.uniform(0.8, 1.2),
        tremor_mm=rng.uniform(1.0, 5.0),
        spread_deg=rng.uniform(-2.0, 4.0),
        lean_deg=_vector(rng.uniform((-22.0, -8.0, -14.0), (22.0, 18.0, 14.0))),
        elbow_mm=_vector(rng.uniform((-110.0, 170.0, 60.0), (110.0, 260.0, 190.0))),
    )


def _sample_look(rng: np.random.Generator) -> Look:
    tone = rng.uniform(0.0, len(SKIN_TONES_RGB) - 1.001)
    below = int(tone)
    skin = SKIN_TONES_RGB[below] + (tone - below) * (SKIN_TONES_RGB[below + 1] - SKIN_TONES_RGB[below])
    return Look(
        skin_rgb=_vector(np.clip(skin * rng.uniform(0.95, 1.05, 3), 0.0, 255.0)),
        sleeve_rgb=_vector(rng.uniform(20.0, 230.0, 3)),
        stripes_per_mm=rng.uniform(0.02, 0.08) if rng.random() < 0.4 else 0.0,
        cuff_mm=rng.uniform(10.0, 35.0) if rng.random() < 0.7 else rng.uniform(60.0, 160.0),
    )


def _sample_view(rng: np.random.Generator) -> View:
    light = rng.normal((0.0, -0.7, -1.0), (0.6, 0.3, 0.2))
    return View(
        distance_mm=rng.uniform(410.0, 570.0),
        focal_fraction=rng.uniform(0.85, 1.05),
        light=_vector(light / np.linalg.norm(light)),
        ambient_fraction=rng.uniform(0.3, 0.5),
    )


def _vector(values: FloatArray) -> Vector:
    return (float(values[0]), float(values[1]), float(values[2]))
