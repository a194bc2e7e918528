from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mudra.errors import DataError
from mudra.scoring import FrameSpan, find_spans, mark_frames

repeatably = settings(max_examples=100, deadline=None, derandomize=True, database=None)


def test_frames_of_overlapping_spans_show_both_classes() -> None:
    active_SK = mark_frames([FrameSpan(0, 1, 4), FrameSpan(2, 3, 5)], num_frames=6, num_classes=3)
    assert active_SK.dtype == torch.bool
    assert active_SK.T.int().tolist() == [[0, 1, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 0]]


def test_a_span_past_the_last_frame_counts_up_to_there() -> None:
    marked = mark_frames([FrameSpan(0, 2, 9), FrameSpan(1, 7, 9)], num_frames=4, num_classes=2)
    assert marked.T.int().tolist() == [[0, 0, 1, 1], [0, 0, 0, 0]]


@pytest.mark.parametrize("label", [-1, 3])
def test_an_unknown_label_is_refused(label: int) -> None:
    with pytest.raises(DataError, match=f"has label {label}, wanted 0 to 2"):
        mark_frames([FrameSpan(label, 0, 1)], num_frames=4, num_classes=3)


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (3, 2)])
def test_what_is_no_run_of_frames_is_refused(start: int, end: int) -> None:
    with pytest.raises(DataError, match="is no run of frames"):
        mark_frames([FrameSpan(0, start, end)], num_frames=4, num_classes=1)


def test_every_label_is_a_run_where_none_is_idle() -> None:
    assert find_spans(torch.tensor([0, 0, 1])) == [FrameSpan(0, 0, 2), FrameSpan(1, 2, 3)]
    assert find_spans(torch.tensor([], dtype=torch.int64)) == []


def test_labels_with_two_axes_are_refused() -> None:
    with pytest.raises(DataError, match=r"shape \(2, 3\), wanted \(frames,\)"):
        find_spans(torch.zeros(2, 3, dtype=torch.int64))


@repeatably
@given(st.lists(st.integers(0, 3), max_size=40))
def test_runs_and_marks_are_two_forms_of_the_same(labels: list[int]) -> None:
    spans = find_spans(torch.tensor(labels, dtype=torch.int64), idle=0)
    marked_SK = mark_frames(spans, num_frames=len(labels), num_classes=4)
    assert [[k for k in range(4) if row[k]] for row in marked_SK.tolist()] == [[k] if k else [] for k in labels]
    for one, other in pairwise(spans):
        assert one.end_frame < other.start_frame or (one.end_frame == other.start_frame and one.label != other.label)
