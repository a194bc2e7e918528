from __future__ import annotations

import math
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mudra.errors import ConfigError, DataError
from mudra.scoring import Event
from mudra.serving.event_decoder import EventDecoder, EventDecoderConfig
from mudra.types import FloatArray

repeatably = settings(max_examples=200, deadline=None, derandomize=True, database=None)

CLASSES = ["none", "wave", "stop"]
FPS = 10.0

# What a test does not speak of changes nothing.
PLAIN = EventDecoderConfig(
    smoothing_s=0, on_threshold=0.6, off_threshold=0.4, min_length_s=0, merge_gap_s=0, late_threshold=0.01
)


def config(**changes: object) -> EventDecoderConfig:
    return EventDecoderConfig.from_mapping(PLAIN.model_dump() | changes)


def make(settings_: EventDecoderConfig) -> EventDecoder:
    return settings_.build(classes=CLASSES, idle_class="none")


def probabilities(wave: list[float], stop: list[float] | None = None) -> FloatArray:
    stop = [0.0] * len(wave) if stop is None else stop
    return np.array([[1 - a - b, a, b] for a, b in zip(wave, stop, strict=True)]).clip(0, 1)


def times(num_frames: int) -> FloatArray:
    return np.arange(num_frames) / FPS


def decode(settings_: EventDecoderConfig, wave: list[float], stop: list[float] | None = None) -> list[Event]:
    decoder = make(settings_)
    return decoder.push(probabilities(wave, stop), times(len(wave))) + decoder.finish()


def spans(events: list[Event]) -> list[tuple[str, float, float]]:
    return [(one.label, pytest.approx(one.start_s), pytest.approx(one.end_s)) for one in events]


@st.composite
def streams(draw: st.DrawFn) -> FloatArray:
    """Runs of a few frames each, mostly sure of a class; sometimes torn between two."""
    runs = draw(st.lists(st.tuples(st.integers(1, 8), st.integers(0, 2), st.floats(0.3, 1.0)), min_size=1, max_size=14))
    rows = []
    for length, k, probability in runs:
        row = np.full(3, (1 - probability) / 2)
        row[k] = probability
        rows += [row] * length
    noise = np.array(draw(st.lists(st.floats(0, 0.2), min_size=len(rows), max_size=len(rows))))
    mixed = np.array(rows) + noise[:, None] * np.array([0, 1, 2])
    return np.asarray(mixed / mixed.sum(axis=1, keepdims=True))


durations = st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.5])
any_config = st.builds(
    lambda on, off, early, **more: config(
        on_threshold=on, off_threshold=min(on, off), early_threshold=early and max(on, early), **more
    ),
    st.sampled_from([0.35, 0.5, 0.7]),
    st.sampled_from([0.2, 0.4, 0.6]),
    st.sampled_from([None, 0.6, 0.9]),
    smoothing_s=durations,
    min_length_s=durations,
    merge_gap_s=durations,
    refractory_s=durations,
    late_threshold=st.sampled_from([0.01, 0.5, 0.8]),
)


@repeatably
@given(streams(), any_config, st.data())
def test_pieces_give_the_same_events_however_cut(stream: FloatArray, chosen: EventDecoderConfig, data: st.DataObject):
    whole = make(chosen)
    wanted = whole.push(stream, times(len(stream))) + whole.finish()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    decoder, found = make(chosen), []
    for start, end in pairwise([0, *cuts, len(stream)]):
        found += decoder.push(stream[start:end], times(len(stream))[start:end])
    assert found + decoder.finish() == wanted


@repeatably
@given(streams(), any_config)
def test_events_keep_every_rule(stream: FloatArray, chosen: EventDecoderConfig) -> None:
    decoder = make(chosen)
    events = decoder.push(stream, times(len(stream))) + decoder.finish()
    for event in events:
        assert event.label != "none"
        assert 0 <= event.start_s <= event.end_s <= len(stream) / FPS + 1e-9
        assert event.end_s - event.start_s >= chosen.min_length_s - 1e-6
        assert chosen.off_threshold - 1e-9 <= event.probability <= 1
        assert event.decided_at_s is not None
        assert event.start_s <= event.decided_at_s <= len(stream) / FPS + 1e-9
    for one, other in pairwise(events):
        assert one.end_s <= other.start_s + 1e-9
        assert one.decided_at_s is not None
        assert other.decided_at_s is not None
        assert one.decided_at_s <= other.decided_at_s
    for label in CLASSES:
        for one, other in pairwise([event for event in events if event.label == label]):
            assert other.start_s - one.end_s >= chosen.refractory_s - 1e-6


def by_runs(smooth_SK: FloatArray, on: float, off: float) -> list[tuple[str, float, float]]:
    """Hysteresis over the whole stream at once, without times: runs over `off` that reach `on`."""
    num_frames = len(smooth_SK)
    on_S = [max((1, 2), key=lambda k: row[k]) if max(row[1:]) >= on else 0 for row in smooth_SK]
    found = []
    for k in (1, 2):
        lasts_S = [smooth_SK[t, k] >= off and on_S[t] in (0, k) for t in range(num_frames)]
        edges = [t for t in range(num_frames + 1) if (t < num_frames and lasts_S[t]) != (t > 0 and lasts_S[t - 1])]
        runs = zip(edges[::2], edges[1::2], strict=True)
        found += [(start, end, k, on_S[start:end].index(k) + start) for start, end in runs if k in on_S[start:end]]
    events, reached = [], 0
    for start, end, k, _ in sorted(found, key=lambda run: run[3]):
        events.append((CLASSES[k], max(start, reached) / FPS, end / FPS))
        reached = end
    return events


@repeatably
@given(streams(), st.sampled_from([0.0, 0.1, 0.4]), st.sampled_from([(0.6, 0.4), (0.4, 0.3), (0.5, 0.5)]))
def test_hysteresis_and_smoothing_are_those_of_a_rewriting(
    stream: FloatArray, smoothing_s: float, thresholds: tuple[float, float]
) -> None:
    on, off = thresholds
    smooth = [stream[0].tolist()]
    for row in stream[1:]:
        gain = 1.0 - (math.exp(-1 / (FPS * smoothing_s)) if smoothing_s else 0.0)
        smooth.append([p + gain * (q - p) for p, q in zip(smooth[-1], row.tolist(), strict=True)])
    near = np.abs(np.array(smooth)[:, 1:, None] - np.array(thresholds)).min()
    tied = np.abs(np.array(smooth)[:, 1] - np.array(smooth)[:, 2]).min()
    assume(near > 1e-9 and tied > 1e-9)  # else rounding decides
    assume(len(stream) > 1)  # how long a single frame is shown is not known
    decoder = make(config(smoothing_s=smoothing_s, on_threshold=on, off_threshold=off))
    events = decoder.push(stream, times(len(stream))) + decoder.finish()
    assert spans(events) == by_runs(np.array(smooth), on, off)


def test_a_gesture_lasts_from_where_it_rose_to_where_it_fell() -> None:
    events = decode(PLAIN, [0.1, 0.45, 0.7, 0.5, 0.45, 0.3, 0.5, 0.1])
    assert spans(events) == [("wave", 0.1, 0.5)]
    assert events[0].probability == pytest.approx((0.7 + 0.5 + 0.45) / 3)
    assert events[0].decided_at_s == pytest.approx(0.6)  # at the end, as the next frame shows


def test_twice_with_a_pause_is_two_and_held_is_one() -> None:
    pause = [0.9] * 5 + [0.0] * 5 + [0.9] * 5
    assert spans(decode(EventDecoderConfig(smoothing_s=0), pause)) == [("wave", 0.0, 0.5), ("wave", 1.0, 1.5)]
    held = [0.95, 0.7, 0.45, 0.8] * 50
    assert spans(decode(EventDecoderConfig(), held)) == [("wave", 0.0, 20.0)]


def test_a_gap_up_to_the_longest_is_merged() -> None:
    wave = [0.9, 0.9, 0.0, 0.0, 0.9, 0.0, 0.0]
    assert spans(decode(config(merge_gap_s=0.2), wave)) == [("wave", 0.0, 0.5)]
    assert len(decode(config(merge_gap_s=0.19), wave)) == 2


def test_a_gap_ends_where_the_class_rises_not_where_it_is_sure() -> None:
    wave = [0.9, 0.9, 0.0, 0.5, 0.5, 0.5, 0.9, 0.0, 0.0]
    assert spans(decode(config(merge_gap_s=0.1), wave)) == [("wave", 0.0, 0.7)]
    fell_back = [0.9, 0.9, 0.0, 0.5, 0.5, 0.0, 0.9, 0.0, 0.0]
    assert spans(decode(config(merge_gap_s=0.1), fell_back)) == [("wave", 0.0, 0.2), ("wave", 0.6, 0.7)]


def test_short_pieces_make_one_that_is_long_enough() -> None:
    wave = [0.9, 0.0, 0.9, 0.0, 0.9, 0.0, 0.0, 0.0]
    assert spans(decode(config(merge_gap_s=0.1, min_length_s=0.5), wave)) == [("wave", 0.0, 0.5)]
    assert decode(config(merge_gap_s=0.1, min_length_s=0.6), wave) == []


def test_a_flicker_of_another_class_does_not_split_a_gesture() -> None:
    wave, stop = [0.9, 0.9, 0.9, 0.1, 0.9, 0.9, 0.9], [0.0, 0.0, 0.0, 0.9, 0.0, 0.0, 0.0]
    assert spans(decode(config(merge_gap_s=0.2, min_length_s=0.2), wave, stop)) == [("wave", 0.0, 0.7)]


def test_another_gesture_between_splits_one() -> None:
    wave, stop = [0.9, 0.9, 0.1, 0.1, 0.9, 0.9, 0.0], [0.0, 0.0, 0.9, 0.9, 0.0, 0.0, 0.0]
    events = decode(config(merge_gap_s=0.5, min_length_s=0.2), wave, stop)
    assert spans(events) == [("wave", 0.0, 0.2), ("stop", 0.2, 0.4), ("wave", 0.4, 0.6)]


def test_a_class_that_takes_over_begins_where_the_other_ended() -> None:
    events = decode(config(off_threshold=0.3), [0.65, 0.6, 0.35, 0.1], [0.3, 0.35, 0.65, 0.9])
    assert spans(events) == [("wave", 0.0, 0.2), ("stop", 0.2, 0.4)]


def test_a_short_beginning_is_given_up_for_a_newer_one() -> None:
    wave, stop = [0.9, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.9, 0.0, 0.9, 0.9, 0.0]
    chosen = config(merge_gap_s=0.3, min_length_s=0.3)
    assert spans(decode(chosen, wave, stop)) == [("stop", 0.1, 0.5)]


def test_the_refractory_time_swallows_a_rise_whole() -> None:
    wave = [0.9, 0.0, 0.0, 0.9, 0.9, 0.9, 0.9, 0.0, 0.9, 0.0]
    assert spans(decode(config(refractory_s=0.3), wave)) == [("wave", 0.0, 0.1), ("wave", 0.8, 0.9)]
    assert spans(decode(config(refractory_s=0.2), wave)) == [("wave", 0.0, 0.1), ("wave", 0.3, 0.7)]
    assert len(decode(config(refractory_s=0.1), wave)) == 3


def test_a_class_can_have_a_refractory_time_of_its_own() -> None:
    twice = [0.9, 0.0, 0.9, 0.0]
    chosen = config(refractory_s=0.0, refractory_by_class_s={"wave": 5.0})
    assert spans(decode(chosen, twice)) == [("wave", 0.0, 0.1)]
    assert len(decode(chosen, [0.0] * 4, twice)) == 2


def test_an_early_decision_is_told_while_the_gesture_lasts() -> None:
    decoder = make(config(early_threshold=0.8, min_length_s=0.2))
    assert decoder.push(probabilities([0.7, 0.9]), times(2)) == []
    assert decoder.running is None, "not long enough yet"
    assert decoder.push(probabilities([0.9, 0.9]), times(4)[2:]) == []
    running = decoder.running
    assert running is not None
    assert (running.label, running.start_s, running.end_s) == ("wave", 0.0, 0.3)
    assert running.decided_at_s == pytest.approx(0.2)
    (event,) = decoder.push(probabilities([0.0, 0.0]), times(6)[4:])
    assert (event.end_s, event.decided_at_s) == (pytest.approx(0.4), pytest.approx(0.2))
    assert decoder.running is None


def test_a_decided_gesture_that_may_go_on_is_still_told() -> None:
    decoder = make(config(early_threshold=0.8, merge_gap_s=0.5))
    assert decoder.push(probabilities([0.9, 0.9, 0.0]), times(3)) == []
    running = decoder.running
    assert running is not None
    assert running.end_s == pytest.approx(0.2)


def test_an_early_decision_is_of_the_moment_and_not_of_the_mean() -> None:
    (event,) = decode(config(early_threshold=0.9), [0.7, 0.7, 0.95, 0.7, 0.0])
    assert event.decided_at_s == pytest.approx(0.2)
    assert event.probability == pytest.approx((0.7 * 3 + 0.95) / 4)


def test_without_an_early_threshold_everything_is_decided_at_the_end() -> None:
    decoder = make(config(early_threshold=None))
    decoder.push(probabilities([1.0] * 4), times(4))
    assert decoder.running is None
    (event,) = decoder.finish()
    assert event.decided_at_s == event.end_s == pytest.approx(0.4)


def test_a_late_decision_wants_a_mean() -> None:
    wave = [0.7, 0.5, 0.5, 0.0, 0.0]
    assert decode(config(late_threshold=0.6, early_threshold=None), wave) == []
    assert len(decode(config(late_threshold=0.56, early_threshold=None), wave)) == 1
    assert len(decode(config(late_threshold=0.6, early_threshold=0.7), wave)) == 1, "decided early"


def test_the_past_is_smoothed_by_time_and_not_by_frames() -> None:
    """After one time constant, 1 - 1/e of a step is there, however many frames that took."""
    for num_frames in (2, 11, 101):
        decoder = make(config(smoothing_s=1.0, on_threshold=0.6, off_threshold=0.6, min_length_s=0))
        step = probabilities([0.0] + [1.0] * (num_frames - 1))
        decoder.push(step, np.linspace(0, 1, num_frames))
        (event,) = decoder.finish()
        assert event.start_s == pytest.approx(1.0, abs=0.1)
        late = make(config(smoothing_s=1.0, on_threshold=0.64, off_threshold=0.6))
        assert late.push(step, np.linspace(0, 1, num_frames)) + late.finish() == []


def test_finish_begins_another_recording() -> None:
    decoder = make(config(smoothing_s=0.5, refractory_s=100))
    first = decoder.push(probabilities([0.9] * 4), times(4)) + decoder.finish()
    assert decoder.push(probabilities([0.9] * 4), times(4)) + decoder.finish() == first
    assert decoder.finish() == []


def test_every_class_may_be_a_gesture() -> None:
    decoder = EventDecoder(PLAIN, classes=["wave", "stop"], idle_class=None)
    decoder.push(np.array([[0.9, 0.1], [0.2, 0.8]]), times(2))
    assert [event.label for event in decoder.finish()] == ["stop"]
    alone = EventDecoder(PLAIN, classes=["none"], idle_class="none")
    assert alone.push(np.ones((3, 1)), times(3)) + alone.finish() == []


def test_memory_does_not_grow_with_the_stream() -> None:
    decoder = make(EventDecoderConfig())
    wave = probabilities(([0.95] * 7 + [0.02] * 7) * 20)

    def push_pieces(first: int, last: int) -> None:
        for piece in range(first, last):
            assert len(decoder.push(wave, (piece * len(wave) + np.arange(len(wave))) / FPS)) == 20

    push_pieces(0, 2)
    tracemalloc.start()
    push_pieces(2, 4)
    before, _ = tracemalloc.get_traced_memory()
    push_pieces(4, 12)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 4096


def test_unknown_classes_are_refused() -> None:
    with pytest.raises(ConfigError, match="class 'nome' is unknown to the decoder\n  hint: did you mean 'none'"):
        EventDecoder(PLAIN, classes=CLASSES, idle_class="nome")
    with pytest.raises(ConfigError, match="class 'waves' is unknown to the decoder"):
        make(config(refractory_by_class_s={"waves": 1.0}))


@pytest.mark.parametrize(("shape", "num_times"), [((4, 2), 4), ((4, 3), 5), ((4,), 4), ((4, 3, 1), 4)])
def test_shapes_that_do_not_fit_are_refused(shape: tuple[int, ...], num_times: int) -> None:
    with pytest.raises(DataError, match=r"wanted \(T, 3\) with T times"):
        make(PLAIN).push(np.full(shape, 0.3), times(num_times))
    with pytest.raises(DataError, match=r"wanted \(T, 3\) with T times"):
        make(PLAIN).push(np.full((4, 3), 0.3), np.zeros((4, 1)))


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_what_is_no_probability_is_refused(value: float) -> None:
    with pytest.raises(DataError, match=r"not in \[0, 1\]"):
        make(PLAIN).push(np.array([[0.5, value, 0.2]]), times(1))


@pytest.mark.parametrize("wrong", [[0.2, 0.1], [0.1, 0.1], [0.0, float("nan")], [0.1, float("inf")]])
def test_times_that_do_not_ascend_are_refused(wrong: list[float]) -> None:
    with pytest.raises(DataError, match="times do not ascend"):
        make(PLAIN).push(probabilities([0.5, 0.5]), np.array(wrong))


def test_times_ascend_from_piece_to_piece() -> None:
    decoder = make(PLAIN)
    decoder.push(probabilities([0.5, 0.5]), times(2))
    with pytest.raises(DataError, match=r"after 0\.1 s\n  hint: call finish\(\)"):
        decoder.push(probabilities([0.5]), np.array([0.1]))
    assert decoder.push(np.zeros((0, 3)), np.zeros(0)) == []


def test_thresholds_out_of_order_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"off_threshold 0\.7 is above on_threshold 0\.6"):
        config(off_threshold=0.7)
    with pytest.raises(ConfigError, match=r"early_threshold 0\.5 is below on_threshold 0\.6"):
        config(early_threshold=0.5)


def test_a_class_that_lingers_below_on_does_not_hold_an_event_back() -> None:
    decoder = make(config(merge_gap_s=0.3, min_length_s=0.2))
    wave = [0.9] * 5 + [0.3] + [0.5] * 200  # rises again in time, and is never on
    came: list[int] = []
    for index, (row_K, time_s) in enumerate(zip(probabilities(wave), times(len(wave)), strict=True)):
        came += [index] * len(decoder.push(row_K[None], np.array([time_s])))
    assert came == [14]  # more than the gap and half a second after frame 5, which left it
    assert decoder.finish() == []


def test_a_class_that_is_on_again_soon_enough_goes_on() -> None:
    settings_ = config(merge_gap_s=0.3, min_length_s=0.2)
    assert spans(decode(settings_, [0.9] * 5 + [0.3] + [0.5] * 7 + [0.9] * 3)) == [("wave", 0.0, 1.6)]
