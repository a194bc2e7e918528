"""A bounded trace: peaks stay, times stay true, and memory does not grow with the stream."""

from __future__ import annotations

import numpy as np

from mudra.serving.probability_trace import ProbabilityTrace


def test_a_short_stream_is_kept_as_it_is() -> None:
    rows = np.random.default_rng(0).random((7, 3))
    trace = ProbabilityTrace(most_columns=8)
    trace.push(rows[:4], np.arange(4) / 5)
    trace.push(rows[4:], np.arange(4, 7) / 5)
    np.testing.assert_array_equal(trace.probability_TK, rows)
    np.testing.assert_array_equal(trace.times_s, np.arange(7) / 5)
    assert trace.frames_per_column == 1


def test_a_long_stream_keeps_its_peaks() -> None:
    rows = np.zeros((1000, 2))
    rows[777, 1] = 0.9
    trace = ProbabilityTrace(most_columns=16)
    for start in range(0, 1000, 37):
        trace.push(rows[start : start + 37], np.arange(start, min(start + 37, 1000)) / 10)
        assert len(trace.times_s) <= 16
    column = int(trace.probability_TK[:, 1].argmax())
    assert trace.probability_TK[column, 1] == 0.9
    assert trace.times_s[column] <= 77.7 < trace.times_s[column] + trace.frames_per_column / 10
    np.testing.assert_allclose(np.diff(trace.times_s), trace.frames_per_column / 10)


def test_what_came_is_not_changed() -> None:
    rows = np.array([[0.1], [0.2], [0.3], [0.4], [0.5]])
    trace = ProbabilityTrace(most_columns=2)
    trace.push(rows, np.arange(5.0))
    assert rows[:, 0].tolist() == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert trace.probability_TK[:, 0].tolist() == [0.4, 0.5]


def test_an_empty_trace() -> None:
    assert ProbabilityTrace().probability_TK.shape == (0, 0)
