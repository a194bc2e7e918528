"""Runs of frames that show one class, and the two other forms of the same knowledge.

Letters: S frames of a whole video, K classes of gestures ("no gesture" is none of them).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from mudra.errors import DataError


class FrameSpan(NamedTuple):
    """A run of frames of one class.

    Args:
        label: Index of the class, from 0 on.
        start_frame: Its first frame, from 0 on.
        end_frame: The frame after its last one.
    """

    label: int
    start_frame: int
    end_frame: int


def mark_frames(spans: Iterable[FrameSpan], *, num_frames: int, num_classes: int) -> Tensor:
    """Return which classes each frame shows, bool of shape (S, K); spans may overlap.

    A span that reaches past the last frame counts up to there.

    Raises:
        DataError: If a span has an unknown label, begins before frame 0 or ends before it begins.

    Example:
        >>> mark_frames([FrameSpan(1, 1, 3)], num_frames=4, num_classes=2).int().tolist()
        [[0, 0], [0, 1], [0, 1], [0, 0]]
    """
    active_SK = torch.zeros(num_frames, num_classes, dtype=torch.bool)
    for span in spans:
        if not 0 <= span.label < num_classes:
            raise DataError(f"{span} has label {span.label}, wanted 0 to {num_classes - 1}")
        if not 0 <= span.start_frame <= span.end_frame:
            raise DataError(f"{span} is no run of frames: wanted 0 <= start_frame <= end_frame")
        active_SK[span.start_frame : span.end_frame, span.label] = True
    return active_SK


def find_spans(label_S: Tensor, *, idle: int | None = None) -> list[FrameSpan]:
    """Return the runs of equal labels, in order of time.

    Args:
        label_S: One label per frame, int64.
        idle: The label that says "no gesture", whose runs are left out; None where every label is a gesture.

    Raises:
        DataError: If the labels have more than one axis.

    Example:
        >>> find_spans(torch.tensor([0, 2, 2, 0, 1]), idle=0)
        [FrameSpan(label=2, start_frame=1, end_frame=3), FrameSpan(label=1, start_frame=4, end_frame=5)]
    """
    if label_S.ndim != 1:
        raise DataError(f"labels have shape {tuple(label_S.shape)}, wanted (frames,)")
    labels, lengths = torch.unique_consecutive(label_S, return_counts=True)
    ends = lengths.cumsum(0)
    spans = zip(labels.tolist(), (ends - lengths).tolist(), ends.tolist(), strict=True)
    return [FrameSpan(*span) for span in spans if span[0] != idle]
