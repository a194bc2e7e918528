"""Which frames of a recording become the clip, chosen by their times.

Source: the uniform sampling is the protocol of Zhang et al. 2018, section 3.2, in the details of its released code; the
segment sampling is that of Wang et al. 2016 (TSN), section 3.1, as Fan et al. 2021 use it; stretching in time is that
of Pigou et al. 2015, section 4.2, in the details of its released code; clips that always begin with the same frame, and
go round in short videos, are those of Agethen and Hsu 2019, section IV-A3.
Differs: where the frames' times are uneven, positions are laid over time instead of over frame numbers; for an even
frame rate both are the same.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, NonNegativeInt, PositiveFloat

from mudra.config import Config
from mudra.errors import ClipError
from mudra.types import FloatArray

Fraction = Annotated[float, Field(gt=0.0, le=1.0)]
Range = tuple[PositiveFloat, PositiveFloat]
Indices = npt.NDArray[np.int64]

# A time that falls on a frame, but for rounding, takes that frame.
TOLERANCE_S = 1e-6
# Times count as even while no frame is further than this from its place, in units of the mean distance. Containers
# round times to milliseconds or ticks; a camera that drops a frame is off by a whole one.
EVEN_TOLERANCE = 0.25


class UniformSampling(Config):
    """Frames spread evenly over the whole recording."""

    kind: Literal["uniform"] = "uniform"

    jitter: bool = True
    """In training, move every position by up to a quarter of the distance (none when frames are scarce)."""
    min_span_fraction: Fraction = 1.0
    """In training, draw the span from this fraction of the recording up to all of it; 1 always takes all."""


class SegmentSampling(Config):
    """One frame from each of equal segments: any in training, the middle one in tests."""

    kind: Literal["segments"] = "segments"

    mode: Literal["even", "official"] = "even"
    """In training, `even` segments reach from the first to the last frame. `official`, as in the papers' code: they are
    whole numbers of frames long, so that the last ones, fewer than T, are never drawn, and of fewer frames than T the
    first is taken T times. Tests are the same."""


class DenseSampling(Config):
    """Neighbouring frames at a fixed rate: from anywhere in training, from the middle in tests; or always the same."""

    kind: Literal["dense"] = "dense"

    fps: PositiveFloat = 25.0
    """Frames per second of the clip, whatever the recording's own rate."""
    time_scale: Range = (1.0, 1.0)
    """In training, as many frames as the clip has times a factor between these become the clip, evenly chosen: below 1
    everything is slower, above 1 faster."""
    first_frame: NonNegativeInt | None = None
    """The frame that every clip begins with, in training and tests alike, counted at `fps` from 0 on. In a recording
    that is too short, the first frame follows the last one. None: from anywhere, or from the middle."""


AnySampling = Annotated[UniformSampling | SegmentSampling | DenseSampling, Field(discriminator="kind")]


def sample_frames(
    times_s: FloatArray,
    num_frames: int,
    sampling: AnySampling,
    *,
    generator: torch.Generator | None = None,
    view: int = 0,
    num_views: int = 1,
) -> Indices:
    """Return which frames make the clip.

    Args:
        times_s: Presentation times of the recording's frames, ascending, shape (S,).
        num_frames: Frames of the clip (T).
        sampling: How they are spread.
        generator: Draws the training jitter; None samples as in a test, without chance.
        view: Which of `num_views` test clips, from 0 on; view 0 of the uniform sampling is the papers' own.
        num_views: Test clips taken from one recording.

    Returns:
        Indices into `times_s`, shape (T,), int64. They ascend, and short recordings are held on their last frame;
        clips that begin with a given frame go round instead.

    Raises:
        ClipError: If there is no frame.

    Example:
        >>> sample_frames(np.arange(37) / 30, 16, UniformSampling()).tolist()
        [0, 2, 4, 6, 9, 11, 13, 16, 18, 20, 23, 25, 27, 30, 32, 34]
        >>> sample_frames(np.arange(3) / 30, 5, UniformSampling()).tolist()
        [0, 1, 2, 2, 2]
    """
    if len(times_s) == 0:
        raise ClipError("a clip was asked of no frames at all", hint="look at the span: start_s, end_s")
    if isinstance(sampling, DenseSampling):
        return _sample_dense(times_s, num_frames, sampling, generator, view, num_views)
    if isinstance(sampling, SegmentSampling):
        if sampling.mode == "official" and generator is not None:
            return _draw_whole_segments(len(times_s), num_frames, generator)
        return _sample_segments(times_s, num_frames, generator, view, num_views)
    return _sample_uniform(times_s, num_frames, sampling, generator, view, num_views)


def sample_whole(times_s: FloatArray, fps: float) -> Indices:
    """Return the frame that is shown at every tick of an even rate, from the first frame up to the last one.

    Args:
        times_s: Presentation times of the recording's frames, ascending, shape (S,), S >= 1.
        fps: Ticks per second.

    Example:
        >>> sample_whole(np.arange(7) / 30, 10.0).tolist()
        [0, 3, 6]
    """
    num_ticks = int((times_s[-1] - times_s[0] + TOLERANCE_S) * fps) + 1
    wanted_s = times_s[0] + np.arange(num_ticks) / fps
    return _as_indices(np.searchsorted(times_s, wanted_s + TOLERANCE_S, side="right") - 1, len(times_s))


def _sample_uniform(
    times_s: FloatArray,
    num_frames: int,
    sampling: UniformSampling,
    generator: torch.Generator | None,
    view: int,
    num_views: int,
) -> Indices:
    available = float(len(times_s))
    start = 0.0
    if generator is not None and sampling.min_span_fraction < 1.0:
        fraction = _draw(generator, sampling.min_span_fraction, 1.0)
        start = _draw(generator, 0.0, (1.0 - fraction) * available)
        available *= fraction
    distance = available / num_frames
    whole = math.floor(distance)
    if whole == 0:  # scarce: every frame once, then the last one is held
        positions = np.floor(start) + np.minimum(np.arange(num_frames), max(math.ceil(available) - 1, 0))
        return _as_indices(positions, len(times_s))
    positions = start + distance * np.arange(num_frames) + distance * view / num_views
    if generator is not None and sampling.jitter and whole >= 2:
        positions = positions + (_draw_many(generator, num_frames) - 0.5) * whole / 2
    return _frames_at(times_s, positions)


def _sample_segments(
    times_s: FloatArray, num_frames: int, generator: torch.Generator | None, view: int, num_views: int
) -> Indices:
    distance = len(times_s) / num_frames
    starts = distance * np.arange(num_frames)
    if generator is None:
        return _frames_at(times_s, starts + distance * (view + 0.5) / num_views)
    return _frames_at(times_s, starts + distance * _draw_many(generator, num_frames))


def _draw_whole_segments(num_available: int, num_frames: int, generator: torch.Generator) -> Indices:
    length = num_available // num_frames
    drawn = np.arange(num_frames) * length + np.floor(length * _draw_many(generator, num_frames))
    return _as_indices(drawn, num_available)


def _sample_dense(
    times_s: FloatArray,
    num_frames: int,
    sampling: DenseSampling,
    generator: torch.Generator | None,
    view: int,
    num_views: int,
) -> Indices:
    place = (view + 0.5) / num_views if generator is None else _draw(generator, 0.0, 1.0)
    steps = np.arange(num_frames)
    length = num_frames
    if generator is not None and sampling.time_scale != (1.0, 1.0):
        # The released code of Pigou et al. 2015: frames ofs + int(k * len / 64) of a span of len = round(64 t).
        length = max(round(num_frames * _draw(generator, *sampling.time_scale)), 1)
        steps = length // num_frames // 2 + steps * length // num_frames
    if sampling.first_frame is not None:
        shown = sample_whole(times_s, sampling.fps)
        return shown[(sampling.first_frame + steps) % len(shown)]
    free_s = max(float(times_s[-1] - times_s[0]) - (length - 1) / sampling.fps, 0.0)
    wanted_s = times_s[0] + free_s * place + steps / sampling.fps
    found = np.searchsorted(times_s, wanted_s + TOLERANCE_S, side="right") - 1
    return _as_indices(found, len(times_s))


def _frames_at(times_s: FloatArray, positions: npt.NDArray[np.floating]) -> Indices:
    """Return the frame shown at each position, positions counting mean frame distances from the first frame."""
    num_available = len(times_s)
    if num_available > 1 and not has_even_times(times_s):
        distance_s = (times_s[-1] - times_s[0]) / (num_available - 1)
        found = np.searchsorted(times_s, times_s[0] + positions * distance_s + 1e-9, side="right") - 1
    else:
        found = np.floor(positions).astype(np.int64)
    return _as_indices(found, num_available)


def has_even_times(times_s: FloatArray) -> bool:
    """Say whether frames follow each other at an even rate, but for the rounding of their times.

    Example:
        >>> has_even_times(np.array([0.0, 0.033, 0.067, 0.1])), has_even_times(np.array([0.0, 0.1, 0.5]))
        (True, False)
    """
    num = len(times_s)
    if num < 3:
        return True
    distance_s = (times_s[-1] - times_s[0]) / (num - 1)
    off_s = np.abs(times_s - times_s[0] - distance_s * np.arange(num))
    return bool(off_s.max() <= EVEN_TOLERANCE * distance_s)


def _as_indices(found: npt.NDArray[np.generic], num_available: int) -> Indices:
    return np.asarray(np.clip(found.astype(np.int64), 0, num_available - 1), dtype=np.int64)


def _draw(generator: torch.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))


def _draw_many(generator: torch.Generator, count: int) -> FloatArray:
    return torch.rand(count, generator=generator, dtype=torch.float64).numpy()
