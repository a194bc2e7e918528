"""Choose an event decoder's thresholds and times on validation streams, for a wanted rate of false alarms.

The thresholds of hysteresis and the least length are tried together, since either can silence false alarms; then each
other setting in turn takes the value that does best while the rest stays; and all that once more. Settings that keep
the false alarms per hour of idle video at or below the target come first, and among them the largest F1 of events
counts, then the fewest false alarms, then the shortest delay; where none keeps it, the fewest false alarms count first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import NamedTuple

from mudra.errors import ConfigError, DataError
from mudra.scoring import Event, EventRecording, EventScores, score_events
from mudra.serving.event_decoder import EventDecoder, EventDecoderConfig
from mudra.types import FloatArray

NUM_ROUNDS = 2

# The thresholds of hysteresis move together, so that no pair is out of order.
THRESHOLDS = tuple((on, off) for on in (0.4, 0.5, 0.6, 0.7, 0.8, 0.9) for off in (0.2, 0.4, 0.6) if off <= on)
LENGTHS_S = (0.0, 0.1, 0.2, 0.4, 0.8)
CHOICES: dict[str, tuple[float, ...]] = {
    "smoothing_s": (0.0, 0.05, 0.1, 0.2, 0.4),
    "merge_gap_s": (0.0, 0.1, 0.2, 0.4),
    "early_threshold": (0.7, 0.8, 0.9, 0.95, 0.99),
    "late_threshold": (0.3, 0.5, 0.7, 0.9),
    "refractory_s": (0.0, 0.2, 0.5, 1.0),
}


class TuningStream(NamedTuple):
    """A validation stream.

    Args:
        probability_SK: The network's probabilities for all frames (S).
        times_s: When each is shown.
        truth: What happens in it; nothing in an idle one.
    """

    probability_SK: FloatArray
    times_s: FloatArray
    truth: Sequence[Event]


class Tuned(NamedTuple):
    """What tuning found.

    Args:
        config: The chosen settings.
        scores: Their scores on the streams they were chosen on, and therefore a little too good.
        is_target_met: Whether the false alarms stay at or below the target.
    """

    config: EventDecoderConfig
    scores: EventScores
    is_target_met: bool


def tune(
    decoder: EventDecoder,
    streams: Sequence[TuningStream],
    *,
    target_false_alarms_per_hour: float,
    progress: Callable[[int, int], None] | None = None,
) -> Tuned:
    """Search settings around those of `decoder`, which itself stays as it is.

    A decoder that decides at the end only stays one. The search decodes the streams about 200 times.

    Args:
        decoder: Where to begin; its classes are the columns of the probabilities.
        streams: Validation streams, at least one of them with idle time.
        target_false_alarms_per_hour: At most so many events where nothing is performed.
        progress: Called with (done, all) groups of settings.

    Raises:
        ConfigError: If the target is below 0.
        DataError: If there is no stream, one is shorter than two frames, or none has idle time or an event.
    """
    if not target_false_alarms_per_hour >= 0:
        raise ConfigError(f"{target_false_alarms_per_hour} false alarms per hour cannot be, wanted 0 or more")
    best = _try(decoder, decoder.config, streams, target_false_alarms_per_hour)
    if best.scores.idle_hours == 0 or best.scores.num_true == 0:
        lack = "no moment without a gesture" if best.scores.num_true else "no event"
        raise DataError(f"{len(streams)} streams have {lack}", hint="tune on streams with gestures and pauses")
    groups = ("hysteresis", *CHOICES)
    for round_index in range(NUM_ROUNDS):
        for group_index, group in enumerate(groups):
            for config in _variants(best.config, group):
                # The first of equals, so that nothing changes for nothing.
                best = max(best, _try(decoder, config, streams, target_false_alarms_per_hour), key=_rank)
            if progress is not None:
                progress(round_index * len(groups) + group_index + 1, NUM_ROUNDS * len(groups))
    return best


def decode_stream(decoder: EventDecoder, stream: TuningStream) -> EventRecording:
    """Return a stream's events beside the true ones; what the decoder saw before is forgotten.

    Raises:
        DataError: If the stream has fewer than two frames, and so no length.
    """
    if len(stream.times_s) < 2:
        raise DataError(f"a stream has {len(stream.times_s)} frames, wanted at least 2")
    decoder.reset()
    events = decoder.push(stream.probability_SK, stream.times_s) + decoder.finish()
    start_s, last_s = float(stream.times_s[0]), float(stream.times_s[-1])
    frame_s = (last_s - start_s) / (len(stream.times_s) - 1)
    return EventRecording(stream.truth, events, duration_s=last_s + frame_s - start_s, start_s=start_s)


def _variants(config: EventDecoderConfig, group: str) -> list[EventDecoderConfig]:
    early = config.early_threshold
    if group == "hysteresis":
        together = product(THRESHOLDS, LENGTHS_S)
        return [
            config.with_overrides(
                {
                    "on_threshold": on,
                    "off_threshold": off,
                    "early_threshold": None if early is None else max(early, on),
                    "min_length_s": length_s,
                }
            )
            for (on, off), length_s in together
        ]
    if group == "early_threshold":
        fitting = [value for value in CHOICES[group] if value >= config.on_threshold]
        return [config.with_overrides({group: value}) for value in fitting] if early is not None else []
    return [config.with_overrides({group: value}) for value in CHOICES[group]]


def _try(decoder: EventDecoder, config: EventDecoderConfig, streams: Sequence[TuningStream], target: float) -> Tuned:
    candidate = config.build(classes=decoder.classes, idle_class=decoder.idle_class)
    scores = score_events([decode_stream(candidate, stream) for stream in streams])
    return Tuned(config, scores, (scores.false_alarms_per_hour or 0.0) <= target)


def _rank(tuned: Tuned) -> tuple[float, ...]:
    scores = tuned.scores
    rate, f1, delay_ms = scores.false_alarms_per_hour or 0.0, scores.f1 or 0.0, scores.mean_delay_ms or 0.0
    return (1.0, f1, -rate, -delay_ms) if tuned.is_target_met else (0.0, -rate, f1, -delay_ms)
