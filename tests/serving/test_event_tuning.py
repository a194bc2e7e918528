from __future__ import annotations

import numpy as np
import pytest

from mudra.errors import ConfigError, DataError
from mudra.scoring import Event, score_events
from mudra.serving.event_decoder import EventDecoder, EventDecoderConfig
from mudra.serving.event_tuning import CHOICES, NUM_ROUNDS, TuningStream, decode_stream, tune

CLASSES = ["none", "wave", "stop"]
FPS = 20.0
GESTURES = ((1, 40, 60), (2, 100, 115), (1, 160, 185), (2, 230, 250))
# Where nothing happens, the network is rather sure of a wave for a while, or very sure for a frame.
FALSE_HILLS = ((80, 92, 0.75), (140, 141, 0.97), (205, 217, 0.75), (270, 271, 0.97))


def make_stream(seed: int = 0, *, with_hills: bool = True, start_s: float = 0.0) -> TuningStream:
    wave_S, stop_S = np.full((2, 300), 0.03)
    for k, start, end in GESTURES:
        (wave_S if k == 1 else stop_S)[start:end] = 0.92
    for start, end, height in FALSE_HILLS if with_hills else ():
        wave_S[start:end] = height
    noise = np.random.default_rng(seed).uniform(-0.02, 0.02, size=(2, 300))
    gestures_SK = np.stack([wave_S, stop_S], axis=1) + noise.T
    idle_S1 = 1 - gestures_SK.sum(axis=1, keepdims=True)
    truth = [
        Event(label=CLASSES[k], start_s=start_s + start / FPS, end_s=start_s + end / FPS) for k, start, end in GESTURES
    ]
    return TuningStream(
        np.concatenate([idle_S1, gestures_SK], axis=1).clip(0, 1), start_s + np.arange(300) / FPS, truth
    )


def make_decoder(**changes: float | None) -> EventDecoder:
    return EventDecoderConfig.from_mapping(changes).build(classes=CLASSES, idle_class="none")


def test_it_silences_false_alarms_and_keeps_the_gestures() -> None:
    streams = [make_stream(0), make_stream(1)]
    decoder = make_decoder(smoothing_s=0, min_length_s=0, merge_gap_s=0, on_threshold=0.5)
    before = len([event for stream in streams for event in decode_stream(decoder, stream).predicted])
    assert before == 2 * (len(GESTURES) + len(FALSE_HILLS))
    seen: list[tuple[int, int]] = []
    tuned = tune(decoder, streams, target_false_alarms_per_hour=0, progress=lambda *one: seen.append(one))
    assert tuned.is_target_met
    assert (tuned.scores.num_false_alarms, tuned.scores.f1) == (0, 1.0)
    assert decoder.config.on_threshold == 0.5, "the decoder itself stays as it is"
    total = NUM_ROUNDS * (1 + len(CHOICES))
    assert seen == [(i, total) for i in range(1, total + 1)]
    # On another stream of the same kind it keeps what it promised.
    fresh = decode_stream(tuned.config.build(classes=CLASSES, idle_class="none"), make_stream(7))
    assert [event.label for event in fresh.predicted] == [event.label for event in fresh.truth]


def test_among_equals_the_soonest_decision_counts() -> None:
    streams = [make_stream(with_hills=False)]
    late = score_events([decode_stream(make_decoder(), stream) for stream in streams])
    tuned = tune(make_decoder(), streams, target_false_alarms_per_hour=60)
    assert late.f1 == tuned.scores.f1 == 1.0
    assert late.mean_delay_ms is not None
    assert tuned.scores.mean_delay_ms is not None
    assert tuned.scores.mean_delay_ms < late.mean_delay_ms / 2


def test_what_is_best_already_stays() -> None:
    streams = [make_stream()]
    once = tune(make_decoder(), streams, target_false_alarms_per_hour=0)
    again = tune(once.config.build(classes=CLASSES, idle_class="none"), streams, target_false_alarms_per_hour=0)
    assert again == once


def test_a_decoder_that_decides_at_the_end_stays_one() -> None:
    decoder = make_decoder(early_threshold=None)
    assert tune(decoder, [make_stream()], target_false_alarms_per_hour=0).config.early_threshold is None


def test_a_generous_target_keeps_a_weak_gesture_that_a_strict_one_gives_up() -> None:
    """One gesture is as sure and as long as what the network sees where nothing is: both are events, or neither."""
    stream = make_stream(with_hills=False)
    weak_SK = stream.probability_SK.copy()
    weak_SK[160:185] = [0.94, 0.03, 0.03]
    weak_SK[160:172] = weak_SK[80:92] = [0.22, 0.75, 0.03]
    truth = [*stream.truth[:2], Event(label="wave", start_s=8.0, end_s=8.6), stream.truth[3]]
    weak = [stream._replace(probability_SK=weak_SK, truth=truth)]
    strict = tune(make_decoder(), weak, target_false_alarms_per_hour=0)
    generous = tune(make_decoder(), weak, target_false_alarms_per_hour=1e6)
    assert (strict.is_target_met, generous.is_target_met) == (True, True)
    assert (strict.scores.num_matched, strict.scores.num_false_alarms) == (3, 0)
    assert (generous.scores.num_matched, generous.scores.num_false_alarms) == (4, 1)


def test_where_no_setting_reaches_the_target_the_fewest_false_alarms_count() -> None:
    stream = make_stream(with_hills=False)
    lying = stream.probability_SK.copy()
    lying[260:295] = [0.0, 1.0, 0.0]
    tuned = tune(make_decoder(), [stream._replace(probability_SK=lying)], target_false_alarms_per_hour=0)
    assert not tuned.is_target_met
    assert tuned.scores.num_false_alarms == 1


def test_out_of_reach_fewer_false_alarms_count_more_than_more_gestures() -> None:
    """A shorter false gesture is as sure as the true ones: silencing it silences them; a longer one always stays."""
    stream = make_stream(with_hills=False)
    lying = stream.probability_SK.copy()
    lying[195:300] = [0.0, 0.0, 1.0]
    lying[10:35] = [0.05, 0.92, 0.03]
    truth = [one for one in stream.truth if one.end_s < 10]
    lost = stream._replace(probability_SK=lying, truth=truth)
    tuned = tune(make_decoder(), [lost], target_false_alarms_per_hour=0)
    assert not tuned.is_target_met
    assert tuned.scores.num_false_alarms == 1
    assert tuned.scores.num_matched < len(truth)


def test_idle_time_begins_with_the_first_frame() -> None:
    late = decode_stream(make_decoder(), make_stream(start_s=100.0))
    assert (late.start_s, late.duration_s) == (pytest.approx(100.0), pytest.approx(15.0))


def test_streams_that_say_nothing_are_refused() -> None:
    stream = make_stream()
    with pytest.raises(DataError, match="no recording to score"):
        tune(make_decoder(), [], target_false_alarms_per_hour=1)
    with pytest.raises(DataError, match="1 streams have no event"):
        tune(make_decoder(), [stream._replace(truth=[])], target_false_alarms_per_hour=1)
    always = [Event(label="wave", start_s=0, end_s=15)]
    with pytest.raises(DataError, match="1 streams have no moment without a gesture"):
        tune(make_decoder(), [stream._replace(truth=always)], target_false_alarms_per_hour=1)
    with pytest.raises(DataError, match="a stream has 1 frames, wanted at least 2"):
        decode_stream(make_decoder(), TuningStream(stream.probability_SK[:1], stream.times_s[:1], []))


@pytest.mark.parametrize("target", [-1.0, float("nan")])
def test_a_target_below_0_is_refused(target: float) -> None:
    with pytest.raises(ConfigError, match="false alarms per hour cannot be, wanted 0 or more"):
        tune(make_decoder(), [make_stream()], target_false_alarms_per_hour=target)
