"""From a probability per frame and class to events: which gesture happened, from when to when.

Each frame passes these steps, and nothing looks ahead, so that a file at once and a camera piece by piece give the
same events:

    smooth      p_t += (1 - exp(-dt / smoothing_s)) * (q_t - p_t)      q: the network's probabilities, dt: frame time
    hysteresis  a gesture begins where the most probable class reaches `on_threshold`; it is dated back to where that
                class last rose over `off_threshold`, and lasts until the class falls below it or another one begins
    merge       the same class again within `merge_gap_s` continues the gesture, if it is on half a second later at most
    length      what is shorter than `min_length_s` is dropped
    decide      at once when the class reaches `early_threshold`; or else at the end, if the mean over the gesture is
                at least `late_threshold`
    refractory  a class that begins again within `refractory_s` after its event is passed over until it has fallen

Events never overlap, come in order of time, and take memory for one gesture however long the stream is.

Letters: T frames of one piece, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
from pydantic import Field, NonNegativeFloat, model_validator

from mudra.config import Config
from mudra.errors import ConfigError, DataError, nearest_name
from mudra.scoring import Event
from mudra.types import FloatArray

ROUNDING_S = 1e-9  # 0.3 - 0.1 is less than 0.2
LINGER_S = 0.5  # how long a class that has risen again may take until it is on

Probability = Annotated[float, Field(gt=0, le=1)]


class EventDecoderConfig(Config):
    """When frame probabilities are an event."""

    smoothing_s: NonNegativeFloat = 0.1
    """Time constant of the exponential mean over the past; 0 takes each frame as it is."""
    on_threshold: Probability = 0.6
    """A gesture begins where its smoothed probability reaches this."""
    off_threshold: Probability = 0.4
    """It lasts until its smoothed probability falls below this."""
    min_length_s: NonNegativeFloat = 0.2
    """Shorter gestures are dropped."""
    merge_gap_s: NonNegativeFloat = 0.2
    """The same class again within this time continues the gesture."""
    refractory_s: NonNegativeFloat = 0.0
    """After an event, its class cannot begin again for this time."""
    refractory_by_class_s: dict[str, NonNegativeFloat] = Field(default_factory=dict)
    """Other refractory times for some classes, for example {swipe_left: 0.8}."""
    early_threshold: Probability | None = 0.9
    """A gesture that reaches this is decided while it lasts; null decides at the end only."""
    late_threshold: Probability = 0.5
    """A gesture that was not decided early needs this mean probability."""

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.off_threshold > self.on_threshold:
            raise ValueError(f"off_threshold {self.off_threshold} is above on_threshold {self.on_threshold}")
        if self.early_threshold is not None and self.early_threshold < self.on_threshold:
            raise ValueError(f"early_threshold {self.early_threshold} is below on_threshold {self.on_threshold}")
        return self

    def build(self, *, classes: Sequence[str], idle_class: str | None) -> EventDecoder:
        """Return a decoder with these settings."""
        return EventDecoder(self, classes=classes, idle_class=idle_class)


@dataclass(kw_only=True)
class _Gesture:
    """One that is under way, or that has just ended and may still go on.

    Args:
        label: Index of the class.
        start_s: When it began.
        end_s: When it was left; while it is under way, the newest frame.
        sum_probability, num_frames: Over the frames that belong to it.
        decided_at_s: When it was decided early; None before.
    """

    label: int
    start_s: float
    end_s: float
    sum_probability: float = 0.0
    num_frames: int = 0
    decided_at_s: float | None = None

    @property
    def probability(self) -> float:
        return self.sum_probability / max(self.num_frames, 1)


class EventDecoder:
    """Turns frame probabilities into events; the state goes on from piece to piece.

    Args:
        config: All settings.
        classes: Names of the network's classes, in its order.
        idle_class: The one that says "no gesture", which is never an event; None where every class is a gesture.

    Raises:
        ConfigError: If `idle_class` or a class with a refractory time of its own is not among the classes.

    Example:
        >>> decoder = EventDecoder(EventDecoderConfig(smoothing_s=0), classes=["none", "wave"], idle_class="none")
        >>> wave_S = np.array([0.1, 0.9, 0.95, 0.8, 0.1, 0.1, 0.1, 0.1])
        >>> events = decoder.push(np.stack([1 - wave_S, wave_S], axis=1), np.arange(8) / 10) + decoder.finish()
        >>> [(event.label, event.start_s, event.end_s) for event in events]
        [('wave', 0.1, 0.4)]
    """

    def __init__(self, config: EventDecoderConfig, *, classes: Sequence[str], idle_class: str | None) -> None:
        self.config = config
        self.classes = tuple(classes)
        for name in (*([] if idle_class is None else [idle_class]), *config.refractory_by_class_s):
            if name not in self.classes:
                raise ConfigError(f"class {name!r} is unknown to the decoder", hint=nearest_name(name, self.classes))
        self.idle_class = idle_class
        self._is_gesture_K = np.array([name != idle_class for name in self.classes])
        self._refractory_K = [config.refractory_by_class_s.get(name, config.refractory_s) for name in self.classes]
        self.reset()

    def reset(self) -> None:
        """Forget all frames: the next one begins another recording."""
        num_classes = len(self.classes)
        self._smooth_K: FloatArray | None = None
        self._last_s = -math.inf
        self._frame_s = 0.0
        self._rise_K = np.full(num_classes, np.nan)  # since when each class has been over off_threshold
        self._blocked_K = np.full(num_classes, -np.inf)  # until when each class cannot begin
        self._reached_s = -math.inf  # end of the last event
        self._current: _Gesture | None = None
        self._paused: _Gesture | None = None

    @property
    def running(self) -> Event | None:
        """The gesture that is decided and not over yet, up to the newest frame; None where there is none."""
        for gesture in (self._current, self._paused):
            if gesture is not None and gesture.decided_at_s is not None:
                return self._as_event(gesture)
        return None

    def push(self, probability_TK: FloatArray, times_s: FloatArray) -> list[Event]:
        """Take in the next frames and return the events that are over, in order of time.

        Args:
            probability_TK: The network's probabilities; any number of frames, also none.
            times_s: When each is shown, ascending, also from piece to piece.

        Raises:
            DataError: If the shapes do not fit the classes, a value is no probability, or times do not ascend.
        """
        probability_TK, times_s = np.asarray(probability_TK, np.float64), np.asarray(times_s, np.float64)
        self._check(probability_TK, times_s)
        events: list[Event] = []
        for probability_K, time_s in zip(probability_TK, times_s.tolist(), strict=True):
            self._step(probability_K, time_s, events)
        return events

    def finish(self) -> list[Event]:
        """End the recording: return what is left of its events, and forget its frames."""
        events: list[Event] = []
        # The last frame is shown for as long as the one before it.
        now_s = self._last_s + self._frame_s
        if self._current is not None:
            self._pause(self._current, now_s, events)
        self._close_paused(now_s, events)
        self.reset()
        return events

    def _check(self, probability_TK: FloatArray, times_s: FloatArray) -> None:
        wanted = (len(times_s), len(self.classes)) if times_s.ndim == 1 else None
        if probability_TK.shape != wanted:
            raise DataError(
                f"probabilities have shape {probability_TK.shape} with times of shape {times_s.shape}; "
                f"wanted (T, {len(self.classes)}) with T times",
                hint=f"one column for each of {', '.join(self.classes[:5])}{', ...' if len(self.classes) > 5 else ''}",
            )
        if not ((probability_TK >= 0) & (probability_TK <= 1 + 1e-6)).all():
            raise DataError(
                "a probability is not in [0, 1]", hint="apply softmax to logits; nan comes from the network"
            )
        if not (np.diff(times_s, prepend=self._last_s) > 0).all() or not np.isfinite(times_s).all():
            raise DataError(
                f"times do not ascend after {self._last_s:g} s", hint="call finish() before another recording begins"
            )

    def _step(self, probability_K: FloatArray, time_s: float, events: list[Event]) -> None:
        smooth_K = self._smooth(probability_K, time_s)
        best = int(np.where(self._is_gesture_K, smooth_K, -1.0).argmax())
        is_on = bool(self._is_gesture_K[best]) and float(smooth_K[best]) >= self.config.on_threshold
        lasts_K = smooth_K >= self.config.off_threshold
        if is_on:
            # One at a time: the class that is on ends every other one.
            lasts_K &= np.arange(len(lasts_K)) == best
        self._rise_K = np.where(lasts_K, np.where(np.isnan(self._rise_K), time_s, self._rise_K), np.nan)
        if self._current is not None and not lasts_K[self._current.label]:
            self._pause(self._current, time_s, events)
        self._give_up_paused(time_s, events)
        if is_on and self._current is None:
            self._begin(best, time_s)
        if self._current is not None:
            self._extend(self._current, float(smooth_K[self._current.label]), time_s, events)

    def _smooth(self, probability_K: FloatArray, time_s: float) -> FloatArray:
        if self._smooth_K is None:
            self._smooth_K = probability_K.copy()
        else:
            self._frame_s = time_s - self._last_s
            keep = math.exp(-self._frame_s / self.config.smoothing_s) if self.config.smoothing_s > 0 else 0.0
            self._smooth_K = probability_K + keep * (self._smooth_K - probability_K)
        self._last_s = time_s
        return self._smooth_K

    def _begin(self, label: int, time_s: float) -> None:
        """Start a gesture, or go on with the one that paused."""
        if self._paused is not None and self._paused.label == label:
            self._current, self._paused = self._paused, None
            return
        rise_s = float(self._rise_K[label])
        if rise_s >= self._blocked_K[label] - ROUNDING_S:
            reached_s = self._reached_s if self._paused is None else self._paused.end_s
            self._current = _Gesture(label=label, start_s=max(rise_s, reached_s), end_s=time_s)

    def _extend(self, gesture: _Gesture, probability: float, time_s: float, events: list[Event]) -> None:
        gesture.end_s = time_s
        gesture.sum_probability += probability
        gesture.num_frames += 1
        if not self._is_long(gesture):
            return
        self._close_paused(time_s, events)  # another gesture came between: the one before cannot go on
        early = self.config.early_threshold
        if gesture.decided_at_s is None and early is not None and probability >= early:
            gesture.decided_at_s = time_s

    def _pause(self, gesture: _Gesture, now_s: float, events: list[Event]) -> None:
        """The current gesture is left, and waits whether it goes on; a short one does not displace a long one."""
        self._current = None
        gesture.end_s = now_s
        if self._is_long(gesture):
            self._close_paused(now_s, events)
        if self._paused is None or not self._is_long(self._paused):
            self._paused = gesture

    def _give_up_paused(self, time_s: float, events: list[Event]) -> None:
        """Close the paused gesture once its class can no longer return in time.

        One that has risen in time and is still not on has not returned: as long as it lingers between the thresholds it
        would hold back what is over.
        """
        if self._paused is None:
            return
        gone_s = time_s - self._paused.end_s
        rise_s = float(self._rise_K[self._paused.label])
        until_rise_s = gone_s if math.isnan(rise_s) else rise_s - self._paused.end_s
        gap_s = self.config.merge_gap_s + ROUNDING_S
        if until_rise_s > gap_s or gone_s > gap_s + LINGER_S:
            self._close_paused(time_s, events)

    def _close_paused(self, now_s: float, events: list[Event]) -> None:
        gesture, self._paused = self._paused, None
        if gesture is None or not self._is_long(gesture):
            return
        if gesture.decided_at_s is None:
            if gesture.probability < self.config.late_threshold:
                return
            gesture.decided_at_s = now_s
        events.append(self._as_event(gesture))
        self._reached_s = gesture.end_s
        self._blocked_K[gesture.label] = gesture.end_s + self._refractory_K[gesture.label]

    def _is_long(self, gesture: _Gesture) -> bool:
        return gesture.end_s - gesture.start_s >= self.config.min_length_s - ROUNDING_S

    def _as_event(self, gesture: _Gesture) -> Event:
        return Event(
            label=self.classes[gesture.label],
            start_s=gesture.start_s,
            end_s=gesture.end_s,
            probability=min(1.0, gesture.probability),
            decided_at_s=gesture.decided_at_s,
        )
