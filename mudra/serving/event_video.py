"""The overlay of events: every frame of a recording, with what happens in it written below."""

from __future__ import annotations

import warnings
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mudra.clips import FrameSource
from mudra.scoring import Event
from mudra.serving.clip_picture import draw_original
from mudra.serving.explanation import primary_stream, read_original
from mudra.serving.probability_trace import ProbabilityTrace
from mudra.serving.stream_clips import Progress
from mudra.types import Stream, UInt8Array
from mudra.video import write_video

CHUNK = 32  # frames that are held at a time
LEAST_WIDTH_PX = 320
FOOT_PX, LINE_PX = 66, 20
NUM_BARS = 3
DPI = 100
PAPER, BAR_RGB, ON_RGB = 255, (178, 205, 226), (31, 120, 180)
LETTERS = (cv2.FONT_HERSHEY_SIMPLEX, 0.42, (60, 60, 60), 1, cv2.LINE_AA)
STYLE: dict[str, Any] = {"size": 8, "va": "center", "parse_math": False}


def write_event_video(
    path: Path | str,
    sources: Mapping[Stream, FrameSource],
    *,
    events: Sequence[Event],
    trace: ProbabilityTrace,
    classes: Sequence[str],
    progress: Progress | None = None,
) -> None:
    """Write the recording with its events as MP4: the running event, and the most probable classes of the moment.

    Args:
        path: The file to write.
        sources: The recording; colour is shown, or else depth.
        events: In order of time.
        trace: The probabilities.
        classes: In their order.
        progress: Called with (done, all, what).

    Raises:
        VideoError: If a frame cannot be decoded, or the file cannot be written.
    """
    source = sources[primary_stream(sources)]
    times_s = source.times_s
    painter = EventPainter(events=events, trace=trace, classes=classes)
    pictures = _draw_all(source, painter, progress)
    write_video(path, pictures, times_s=times_s - times_s[0])


class EventPainter:
    """Draws the frames of an overlay, all of one size with even sides.

    Args:
        events: In order of time.
        trace: The probabilities.
        classes: In their order.
    """

    def __init__(self, *, events: Sequence[Event], trace: ProbabilityTrace, classes: Sequence[str]) -> None:
        self._events, self._classes = events, classes
        self._starts_s = [event.start_s for event in events]
        self._times_s, self._probability_TK = trace.times_s, trace.probability_TK

    def draw(self, picture_HWC: UInt8Array, time_s: float) -> UInt8Array:
        """Return one frame of the video.

        Args:
            picture_HWC: The original frame, uint8 RGB.
            time_s: When it is shown.
        """
        picture_HWC = _enlarge(picture_HWC)
        height, width = picture_HWC.shape[:2]
        page_HWC = np.full((height + FOOT_PX + height % 2, width + width % 2, 3), PAPER, np.uint8)
        page_HWC[:height, :width] = picture_HWC
        event = self._event_at(time_s)
        if event is not None:
            cv2.rectangle(page_HWC, (0, 0), (width - 1, height - 1), ON_RGB, 3)
            _paste(page_HWC, _draw_text(f"{event.label}  {event.probability:.2f}", True), 6, 6)
        cv2.rectangle(
            page_HWC, (2, height - 22), (12 + 9 * len(f"{time_s:.2f} s"), height - 3), (PAPER,) * 3, cv2.FILLED
        )
        cv2.putText(page_HWC, f"{time_s:.2f} s", (6, height - 8), *LETTERS)
        self._draw_bars(page_HWC, height + 3, time_s, event)
        return page_HWC

    def _event_at(self, time_s: float) -> Event | None:
        place = bisect_right(self._starts_s, time_s) - 1
        event = self._events[place] if place >= 0 else None
        return event if event is not None and time_s < event.end_s else None

    def _draw_bars(self, page_HWC: UInt8Array, top: int, time_s: float, event: Event | None) -> None:
        column = max(int(np.searchsorted(self._times_s, time_s, side="right")) - 1, 0)
        probability_K = self._probability_TK[column]
        room = page_HWC.shape[1] - 12
        for line, k in enumerate(np.argsort(-probability_K, kind="stable")[:NUM_BARS].tolist()):
            y, name = top + line * LINE_PX, self._classes[k]
            colour = ON_RGB if event is not None and event.label == name else BAR_RGB
            right = 6 + round(room * float(probability_K[k]))
            cv2.rectangle(page_HWC, (6, y + 2), (right, y + LINE_PX - 4), colour, cv2.FILLED)
            _paste(page_HWC, _draw_text(name, False), 10, y + 1)
            place = (page_HWC.shape[1] - 44, y + LINE_PX - 7)
            cv2.putText(page_HWC, f"{probability_K[k]:.2f}", place, *LETTERS)


def _draw_all(source: FrameSource, painter: EventPainter, progress: Progress | None) -> Iterator[UInt8Array]:
    num_frames, scale_from = len(source.times_s), None
    for start in range(0, num_frames, CHUNK):
        frames = read_original(source, np.arange(start, min(start + CHUNK, num_frames)))
        # Depth is drawn by the scale of the first frames, so that it does not flicker from chunk to chunk.
        scale_from = frames.frames_THWC if scale_from is None else scale_from
        pictures_THWC = draw_original(frames.frames_THWC, scale_from=scale_from)
        for picture_HWC, time_s in zip(pictures_THWC, frames.times_s, strict=True):
            yield painter.draw(picture_HWC, float(time_s))
        if progress is not None:
            progress(min(start + CHUNK, num_frames), num_frames, "drawing the overlay")


def _enlarge(picture_HWC: UInt8Array) -> UInt8Array:
    """Return the picture at least so wide that its text can be read."""
    factor = -(-LEAST_WIDTH_PX // picture_HWC.shape[1])
    return np.repeat(np.repeat(picture_HWC, factor, axis=0), factor, axis=1)


@lru_cache(maxsize=256)
def _draw_text(text: str, is_title: bool) -> UInt8Array:
    """Return a line of text, dark on clear: uint8 RGBA. Matplotlib has the letters that OpenCV lacks."""
    size_px = (14 + (9 if is_title else 7) * len(text), 24 if is_title else LINE_PX - 4)
    figure = Figure(figsize=(size_px[0] / DPI, size_px[1] / DPI), dpi=DPI)
    figure.patch.set_alpha(0.85 if is_title else 0.0)
    canvas = FigureCanvasAgg(figure)
    style = STYLE | ({"size": 10, "weight": "bold"} if is_title else {})
    figure.text(4 / size_px[0] if is_title else 0.0, 0.5, text, color="#222222", **style)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        canvas.draw()
    return np.array(canvas.buffer_rgba())


def _paste(page_HWC: UInt8Array, text_HWC: UInt8Array, left: int, top: int) -> None:
    height = min(text_HWC.shape[0], page_HWC.shape[0] - top)
    width = min(text_HWC.shape[1], page_HWC.shape[1] - left)
    text_HWC = text_HWC[:height, :width]
    cover_HW1 = text_HWC[..., 3:].astype(np.float64) / 255.0
    place = page_HWC[top : top + height, left : left + width]
    place[...] = (cover_HW1 * text_HWC[..., :3] + (1.0 - cover_HW1) * place).round().astype(np.uint8)
