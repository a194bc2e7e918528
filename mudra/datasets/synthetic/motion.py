"""Motion over time: smooth moves from pose to pose, and the drift of whatever is never quite still.

Shape letters: T times, M keys (the poses that a timeline passes), A numbers of a pose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mudra.types import FloatArray


class Key(NamedTuple):
    """Reach a pose.

    Args:
        duration_s: Time from the last key.
        pose_A: The pose that is reached, with rest before and after.
    """

    duration_s: float
    pose_A: FloatArray


class Span(NamedTuple):
    """A labelled stretch of time.

    Args:
        start_s, end_s: Its first moment and the one after its last.
        label: The class.
    """

    start_s: float
    end_s: float
    label: int


@dataclass(frozen=True)
class Timeline:
    """Poses that a hand passes, and what they mean.

    Args:
        times_s: When each pose is reached, ascending.
        poses_MA: The poses.
        spans: The gestures, in their order.
    """

    times_s: FloatArray
    poses_MA: FloatArray
    spans: tuple[Span, ...] = ()

    def at(self, times_s: FloatArray) -> FloatArray:
        """Return the poses at the given times, shape (T, A); before and after all keys the hand holds still."""
        after = np.clip(np.searchsorted(self.times_s, times_s, side="right"), 1, len(self.times_s) - 1)
        start_s, end_s = self.times_s[after - 1], self.times_s[after]
        progress_T = ease((times_s - start_s) / np.maximum(end_s - start_s, 1e-9))
        before_TA = self.poses_MA[after - 1]
        poses_TA: FloatArray = before_TA + progress_T[:, None] * (self.poses_MA[after] - before_TA)
        return poses_TA

    def labels_at(self, times_s: FloatArray) -> npt.NDArray[np.int64]:
        """Return the class at every time, -1 where there is none."""
        label_T = np.full(len(times_s), -1, dtype=np.int64)
        for span in self.spans:
            label_T[(times_s >= span.start_s) & (times_s < span.end_s)] = span.label
        return label_T


class TimelineBuilder:
    """Collects keys one after the other.

    Args:
        pose_A: The pose at the beginning.
        start_s: When that is.

    Example:
        >>> builder = TimelineBuilder(np.zeros(2), start_s=0.0)
        >>> builder.add([Key(1.0, np.ones(2))], label=3)
        >>> builder.build().at(np.array([0.0, 0.5, 1.0]))[:, 0].tolist()
        [0.0, 0.5, 1.0]
    """

    def __init__(self, pose_A: FloatArray, *, start_s: float) -> None:
        self._times_s = [start_s]
        self._poses = [pose_A]
        self._spans: list[Span] = []

    @property
    def end_s(self) -> float:
        """When the last key is reached."""
        return self._times_s[-1]

    @property
    def pose_A(self) -> FloatArray:
        """The last key's pose."""
        return self._poses[-1]

    def add(self, keys: list[Key], *, label: int | None = None) -> None:
        """Append keys; with a label, their whole stretch is a gesture."""
        start_s = self.end_s
        for key in keys:
            self._times_s.append(self.end_s + key.duration_s)
            self._poses.append(key.pose_A)
        if label is not None:
            self._spans.append(Span(start_s, self.end_s, label))

    def build(self) -> Timeline:
        """Return the finished timeline."""
        # A timeline of one pose gets it twice, so that there is always a pair to go between.
        return Timeline(
            np.array([*self._times_s, self.end_s + 1.0]), np.stack([*self._poses, self.pose_A]), tuple(self._spans)
        )


def ease(fraction: FloatArray) -> FloatArray:
    """Return the course of a natural reach: the minimum-jerk polynomial, from rest to rest.

    Source: Flash and Hogan 1985, The Journal of Neuroscience 5(7), 1688-1703.

    Example:
        >>> ease(np.array([-1.0, 0.0, 0.5, 1.0, 2.0])).tolist()
        [0.0, 0.0, 0.5, 1.0, 1.0]
    """
    u = np.clip(fraction, 0.0, 1.0)
    course: FloatArray = u * u * u * (10.0 + u * (6.0 * u - 15.0))
    return course


@dataclass(frozen=True)
class Drift:
    """Aimless smooth motion: a few sine waves per number, so that every moment can be asked for by itself.

    Args:
        amplitude_WA: Heights of the waves.
        pulse_WA: Their angular frequencies in 1/s.
        phase_WA: Their phases in radians.
    """

    amplitude_WA: FloatArray
    pulse_WA: FloatArray
    phase_WA: FloatArray

    def at(self, times_s: FloatArray) -> FloatArray:
        """Return the displacement at the given times, shape (T, A)."""
        waves_TWA = np.sin(times_s[:, None, None] * self.pulse_WA + self.phase_WA)
        displacement_TA: FloatArray = (waves_TWA * self.amplitude_WA).sum(axis=1)
        return displacement_TA


def sample_drift(rng: np.random.Generator, *, amplitudes: FloatArray, period_s: tuple[float, float]) -> Drift:
    """Draw a drift that never goes further than `amplitudes`.

    Args:
        rng: The source of chance.
        amplitudes: Furthest displacement of every number, shape (A,).
        period_s: Shortest and longest period of its waves.
    """
    shape = (3, len(amplitudes))
    share_WA = rng.dirichlet(np.ones(3), size=len(amplitudes)).T
    return Drift(share_WA * amplitudes, 2 * np.pi / rng.uniform(*period_s, shape), rng.uniform(0.0, 2 * np.pi, shape))
