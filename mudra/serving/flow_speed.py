"""How fast things move in the recordings of each class: histograms of squared velocities of optical flow.

Source: Agethen and Hsu 2019, section V-B, figures 10 and 11: v = x^2 + y^2 of every pixel's flow, both components kept
within 20 pixels a frame, counted between 0 and 400, the median over a set of classes.
Differs: shares of all pixels in place of counts, so that classes of long and of short clips can be compared; a sample
of the frames; flow of `mudra.clips.flow`; larger frames are scaled down to a shorter side of 240 pixels, that of
UCF-101, smaller ones are taken as they are.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mudra.clips import FrameSource
from mudra.clips.flow import compute_flow
from mudra.clips.maker import frames_in_span
from mudra.errors import ClipError, MudraError
from mudra.serving.clip_picture import draw_original
from mudra.serving.evaluation import OpenSources
from mudra.serving.explanation import primary_stream
from mudra.types import FloatArray, Recording, Stream

MOST_PAIRS = 8  # of neighbouring frames, of one recording
SHORTER_SIDE_PX = 240
FASTEST_PX = 20.0  # of one component: Agethen and Hsu 2019, caption of figure 10
EDGES = np.linspace(0.0, 400.0, 41)  # of the bins, in squared pixels per frame

Progress = Callable[[int, int, str], None]


def measure_speeds(
    recordings: Sequence[Recording],
    classes: Sequence[str],
    *,
    open_sources: OpenSources,
    clips_per_class: int,
    progress: Progress | None = None,
) -> dict[str, FloatArray]:
    """Return for each class the share of pixels in each bin of squared velocity.

    Args:
        recordings: Labelled by `classes`; of each class the first few are looked at, evenly chosen.
        classes: Class names.
        open_sources: Opens a recording's streams; colour is looked at, or else depth.
        clips_per_class: How many recordings of each class.
        progress: Called with (done, all, what).

    Returns:
        By name of the class; without those of which no recording could be read.
    """
    found: dict[str, FloatArray] = {}
    for label, name in enumerate(classes):
        own = [recording for recording in recordings if recording.label == label]
        chosen = np.unique(np.linspace(0, len(own) - 1, min(len(own), clips_per_class)).round().astype(int))
        shares = []
        for index in chosen:
            try:
                with ExitStack() as stack:
                    shares.append(speed_shares(open_sources(own[index], stack), own[index]))
            except MudraError:
                continue  # one that can be judged and not be read again, or is a single frame, says nothing of speed
        if shares:
            found[name] = np.mean(shares, axis=0)
        if progress is not None:
            progress(label + 1, len(classes), "measuring flow")
    return found


def speed_shares(sources: Mapping[Stream, FrameSource], recording: Recording) -> FloatArray:
    """Return the share of one recording's pixels in each bin of squared velocity, from a sample of its frames.

    Raises:
        ClipError: If the span holds a single frame, or the frames are too small for flow.
    """
    stream = primary_stream(sources)
    source = sources[stream]
    inside = frames_in_span(source.times_s, (recording.start_s, recording.end_s))
    if len(inside) < 2:
        raise ClipError(f"{recording.path} holds one frame: nothing moves", hint="look at longer recordings")
    firsts = np.unique(np.linspace(0, len(inside) - 2, min(len(inside) - 1, MOST_PAIRS)).round().astype(np.int64))
    # Read together: depth is drawn on one scale then, and what stands still has one level.
    wanted = np.unique(np.concatenate([firsts, firsts + 1]))
    grey_THW = _read_grey(source, inside[wanted])
    before, after = (grey_THW[np.searchsorted(wanted, firsts + step)] for step in (0, 1))
    flow_THWC = np.clip(compute_flow(before, after), -FASTEST_PX, FASTEST_PX)
    return share_of_speeds(flow_THWC)


def share_of_speeds(flow_THWC: npt.NDArray[np.floating]) -> FloatArray:
    """Return the share of vectors in each bin of squared length; what is beyond the last bin is in none.

    Example:
        >>> share_of_speeds(np.array([[[[3.0, 4.0], [0.0, 0.0], [20.0, 20.0], [1.0, 2.0]]]]))[:3].tolist()
        [0.5, 0.0, 0.25]
    """
    squared = (flow_THWC.astype(np.float64) ** 2).sum(axis=-1)
    counts, _ = np.histogram(squared, EDGES)
    return np.asarray(counts / squared.size, dtype=np.float64)


def median_of(shares: Mapping[str, FloatArray], names: Sequence[str]) -> FloatArray | None:
    """Return the median over classes, bin by bin; None if there is none of them."""
    own = [shares[name] for name in names if name in shares]
    return np.asarray(np.median(own, axis=0)) if own else None


def write_speeds(path: Path, shares: Mapping[str, FloatArray]) -> Path:
    """Write a table: a line for each bin, a column for each class."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["from_squared_px", "to_squared_px", *shares])
        for index, (low, high) in enumerate(pairwise(EDGES)):
            table.writerow([f"{low:g}", f"{high:g}", *(f"{share[index]:.6g}" for share in shares.values())])
    return path


def _read_grey(source: FrameSource, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    height, width = source.frame_size
    shrink = SHORTER_SIDE_PX / min(height, width)
    size = (round(height * shrink), round(width * shrink)) if shrink < 1.0 else None
    pictures_THWC = draw_original(source.read(indices, size=size).frames_THWC)
    return np.stack([cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in pictures_THWC]).astype(np.uint8)
