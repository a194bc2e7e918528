"""Frame labels: which class each frame of an uncut stream shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mudra.types import FloatArray, Segment

UNLABELLED = -1

# A frame shown when a segment begins belongs to it, whatever the last digits say: lists give milliseconds, where frames
# of 30 per second begin at thirds of one.
TOLERANCE_S = 1e-3


def label_frames(segments: Sequence[Segment], times_s: FloatArray, *, idle: int) -> npt.NDArray[np.int64]:
    """Return the label of each frame, int64 of shape (S,).

    A frame belongs to the segment with `start_s <= time < end_s`. Where segments overlap, the one that starts later
    has the frame (of two that start together, the shorter one): who labels a stream by hand marks a new action a little
    before the end of the old one.

    Args:
        segments: What happens in the stream, in any order.
        times_s: When each frame is shown, in seconds from the start of the file, shape (S,).
        idle: Label of frames in no segment: that of the class "no gesture", or -1 where nothing is known of them.

    Example:
        >>> label_frames([Segment(4, 0.1, 0.3)], np.arange(5) / 10, idle=-1)
        array([-1,  4,  4, -1, -1])
    """
    label_S = np.full(len(times_s), idle, dtype=np.int64)
    for label, start_s, end_s in sorted(segments, key=lambda segment: (segment.start_s, -segment.end_s)):
        label_S[(times_s >= start_s - TOLERANCE_S) & (times_s < end_s - TOLERANCE_S)] = label
    return label_S
