"""A network that names whole clips, slid over a stream: a probability for every frame.

Windows of one length follow each other at an even distance. Each is made into a clip as a recording of its own would
be, and what the network says of it belongs to its middle; between two middles the probabilities are mixed, before the
first and behind the last they stay. Frames are decoded once, however many windows see them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mudra.clips import ClipSpec, DenseSampling, FrameSource
from mudra.errors import ConfigError
from mudra.serving.predictor import Predictor, Views
from mudra.serving.stream_clips import Progress, resample_times
from mudra.types import FloatArray, Frames, Stream

# Clips that were spread over a whole recording say nothing of how long it was.
USUAL_WINDOW_S = 2.0
WINDOWS_PER_STRIDE = 8  # windows that see one moment


class Judged(NamedTuple):
    """What a network says of some frames of a stream, one after the other.

    Args:
        probability_TK: A row for every frame.
        times_s: When each is shown.
    """

    probability_TK: FloatArray
    times_s: FloatArray


class RecentFrames:
    """A source read forwards, piece by piece with overlaps: it keeps what may be wanted again, and decodes once.

    Args:
        source: Where the frames come from.
    """

    def __init__(self, source: FrameSource) -> None:
        self.source = source
        self.times_s = source.times_s
        self.frame_size = source.frame_size
        self._size = self.frame_size
        self._first = 0
        self._kept: list[npt.NDArray[np.generic]] = []

    def read(self, indices: npt.NDArray[np.int64] | None = None, *, size: tuple[int, int] | None = None) -> Frames:
        """Return the frames at `indices`, scaled to `size`."""
        wanted = np.arange(len(self.times_s)) if indices is None else np.asarray(indices)
        first, last, size = int(wanted.min()), int(wanted.max()), size or self.frame_size
        if size != self._size or not self._first <= first <= self._first + len(self._kept):
            self._size, self._first, self._kept = size, first, []
        # Flow asks for the frames behind the window's first, and then for that one again.
        num_past = max(first - self._first - 1, 0)
        del self._kept[:num_past]
        self._first += num_past
        missing = np.arange(self._first + len(self._kept), last + 1)
        if len(missing):
            # Also those in between that nobody asks for now: the next window will, and they lie on the way.
            self._kept.extend(self.source.read(missing, size=size).frames_THWC)
        taken = [self._kept[index - self._first] for index in wanted.tolist()]
        return Frames(np.stack(taken), self.times_s[wanted])


def choose_window_s(spec: ClipSpec) -> float:
    """Return how long a window is where nobody says it: as long as a clip, where that has a length of its own.

    Example:
        >>> choose_window_s(ClipSpec(num_frames=16, sampling=DenseSampling(fps=10.0)))
        1.6
    """
    return spec.num_frames / spec.sampling.fps if isinstance(spec.sampling, DenseSampling) else USUAL_WINDOW_S


def slide_windows(
    predictor: Predictor,
    sources: Mapping[Stream, FrameSource],
    *,
    window_s: float | None = None,
    stride_s: float | None = None,
    fps: float | None = None,
    progress: Progress | None = None,
) -> Iterator[Judged]:
    """Yield the probabilities of all frames in order.

    Args:
        predictor: Names clips.
        sources: Where each stream's frames come from.
        window_s: Length of a window; None for that of a clip, or 2 s where it has none.
        stride_s: From one window to the next; None for an eighth of the window.
        fps: Rate of the rows; None for the recording's own frames.
        progress: Called with (done, all, what) after every batch of windows.

    Raises:
        ConfigError: If window or stride are not above zero.
        ClipError: If a stream is missing or holds no frame.
        VideoError: If a frame cannot be decoded.
    """
    window_s = choose_window_s(predictor.card.clip) if window_s is None else window_s
    stride_s = window_s / WINDOWS_PER_STRIDE if stride_s is None else stride_s
    if not (window_s > 0 and stride_s > 0):
        raise ConfigError(f"windows of {window_s:g} s every {stride_s:g} s cannot be", hint="both must be above 0")
    predictor = _take_windows_whole(predictor)
    recent = {stream: RecentFrames(source) for stream, source in sources.items()}
    source_times_s = (sources.get(Stream.RGB) or sources[Stream.DEPTH]).times_s
    times_s = resample_times(source_times_s, fps)
    spans_s = _lay_windows(source_times_s, window_s=window_s, stride_s=stride_s)
    spread = _Spread(times_s)
    at_once = predictor.recordings_at_once
    for start in range(0, len(spans_s), at_once):
        batch = spans_s[start : start + at_once]
        views: list[Views] = [predictor.read_views(recent, span_s=span_s) for span_s in batch]
        probability_NK = predictor.probabilities(views).double().numpy()
        is_last = start + at_once >= len(spans_s)
        yield spread.push(probability_NK, np.array([(low + high) / 2 for low, high in batch]), is_last=is_last)
        if progress is not None:
            progress(min(start + at_once, len(spans_s)), len(spans_s), "windows")


def _take_windows_whole(predictor: Predictor) -> Predictor:
    """Return the predictor of clips that begin where their window does, not at a fixed frame of it."""
    clip = predictor.card.clip
    if not isinstance(clip.sampling, DenseSampling) or clip.sampling.first_frame is None:
        return predictor
    sampling = clip.sampling.model_copy(update={"first_frame": None})
    card = predictor.card.model_copy(update={"clip": clip.model_copy(update={"sampling": sampling})})
    return Predictor(predictor.network, card, device=str(predictor.device))


def _lay_windows(times_s: FloatArray, *, window_s: float, stride_s: float) -> list[tuple[float, float]]:
    """Return the spans of all windows; each holds a frame, and the last one ends with the stream."""
    frame_s = float(times_s[-1] - times_s[0]) / max(len(times_s) - 1, 1) or window_s
    start_s, end_s = float(times_s[0]), float(times_s[-1]) + frame_s
    window_s = max(window_s, frame_s)
    num_windows = max(int(np.ceil((end_s - window_s - start_s) / stride_s - 1e-6)), 0) + 1
    starts_s = [min(start_s + k * stride_s, max(end_s - window_s, start_s)) for k in range(num_windows)]
    spans_s = [(one_s, one_s + window_s) for one_s in starts_s]
    # A camera that stood still for a while leaves windows without a frame.
    edges = np.searchsorted(times_s, np.array(spans_s) - 1e-6)
    return [span_s for span_s, (first, end) in zip(spans_s, edges.tolist(), strict=True) if first < end]


class _Spread:
    """Mixes the probabilities of windows for the frames between their middles.

    Args:
        times_s: When the rows are, ascending.
    """

    def __init__(self, times_s: FloatArray) -> None:
        self._times_s = times_s
        self._next = 0
        self._before: tuple[FloatArray, float] | None = None

    def push(self, probability_NK: FloatArray, middles_s: FloatArray, *, is_last: bool) -> Judged:
        """Return the rows that the next windows decide; with the last ones all that are left."""
        if self._before is not None:
            probability_NK = np.concatenate([self._before[0][None], probability_NK])
            middles_s = np.concatenate([[self._before[1]], middles_s])
        self._before = probability_NK[-1], float(middles_s[-1])
        end = len(self._times_s) if is_last else int(np.searchsorted(self._times_s, middles_s[-1], side="right"))
        times_s = self._times_s[self._next : end]
        self._next = end
        columns = [np.interp(times_s, middles_s, column_N) for column_N in probability_NK.T]
        return Judged(np.stack(columns, axis=1), times_s)
