from __future__ import annotations

import numpy as np
import pytest

from mudra.datasets import UNLABELLED, label_frames
from mudra.types import Segment


def test_a_frame_belongs_to_the_segment_that_it_is_shown_in() -> None:
    segments = [Segment(3, 0.2, 0.5), Segment(7, 0.5, 0.6), Segment(1, 0.85, 2.0)]
    label_S = label_frames(segments, np.arange(11) / 10, idle=0)
    assert label_S.dtype == np.int64
    assert label_S.tolist() == [0, 0, 3, 3, 3, 7, 0, 0, 0, 1, 1]


def test_frames_of_which_nothing_is_known_have_no_label() -> None:
    assert UNLABELLED == -1
    assert label_frames([Segment(0, 0.0, 0.1)], np.array([0.0, 0.1]), idle=UNLABELLED).tolist() == [0, -1]
    assert label_frames([], np.arange(3.0), idle=UNLABELLED).tolist() == [-1, -1, -1]
    assert label_frames([Segment(0, 0.0, 0.1)], np.empty(0), idle=5).shape == (0,)


@pytest.mark.parametrize("digits", [3, 6, 15])
@pytest.mark.parametrize("fps", [10, 12.5, 30000 / 1001, 120])
def test_segments_written_with_few_digits_hold_these_very_frames(fps: float, digits: int) -> None:
    """No rounding of `frame / fps` may give a frame to its neighbour."""
    times_s = np.arange(500) * (1 / fps)
    for start, end in ((0, 1), (7, 31), (124, 125), (333, 499)):
        segment = Segment(2, round(start / fps, digits), round(end / fps, digits))
        label_S = label_frames([segment], times_s, idle=UNLABELLED)
        assert np.flatnonzero(label_S == 2).tolist() == list(range(start, end))


def test_times_that_do_not_run_evenly() -> None:
    times_s = np.array([0.0, 0.4, 0.41, 1.9])
    assert label_frames([Segment(1, 0.4, 1.9)], times_s, idle=0).tolist() == [0, 1, 1, 0]


def test_the_segment_that_starts_later_has_the_frames_of_both() -> None:
    walk, sit = Segment(1, 0.0, 0.4), Segment(2, 0.3, 0.6)
    expected = [1, 1, 1, 2, 2, 2, 0]
    for segments in ([walk, sit], [sit, walk]):
        assert label_frames(segments, np.arange(7) / 10, idle=0).tolist() == expected


def test_a_short_segment_interrupts_a_long_one() -> None:
    for label, start_s, expected in ((5, 0.2, [4, 4, 5, 4, 4]), (5, 0.0, [5, 5, 5, 4, 4])):
        for segments in ([Segment(4, 0.0, 0.5), Segment(label, start_s, 0.3)],):
            assert label_frames(segments, np.arange(5) / 10, idle=0).tolist() == expected
            assert label_frames(segments[::-1], np.arange(5) / 10, idle=0).tolist() == expected
