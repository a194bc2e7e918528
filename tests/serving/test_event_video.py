"""The overlay: all frames at their times, events marked while they last, a bar for each of the likeliest classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mudra.clips import ArraySource
from mudra.scoring import Event
from mudra.serving import write_event_video
from mudra.serving.event_video import BAR_RGB, CHUNK, ON_RGB, EventPainter
from mudra.serving.probability_trace import ProbabilityTrace
from mudra.types import Frames, Stream
from mudra.video import open_video

CLASSES = ("none", "wave", "тап", "stop")
EVENTS = [Event(label="wave", start_s=1.0, end_s=2.0, probability=0.8)]


def trace() -> ProbabilityTrace:
    found = ProbabilityTrace()
    is_wave_T = (np.arange(40) >= 10) & (np.arange(40) < 20)
    rows = np.where(is_wave_T[:, None], (0.1, 0.7, 0.15, 0.05), (0.8, 0.05, 0.1, 0.05))
    found.push(rows, np.arange(40) / 10)
    return found


def count(picture_HWC: np.ndarray, rgb: tuple[int, int, int]) -> int:
    return int((picture_HWC == np.array(rgb)).all(axis=2).sum())


def test_an_event_is_marked_while_it_lasts() -> None:
    painter = EventPainter(events=EVENTS, trace=trace(), classes=CLASSES)
    grey = np.full((240, 320, 3), 128, np.uint8)
    before, during, after = (painter.draw(grey, at_s) for at_s in (0.99, 1.5, 2.0))
    assert before.shape == during.shape == (306, 320, 3)
    assert count(before, ON_RGB) == count(after, ON_RGB) == 0
    assert count(during, ON_RGB) > 2000
    assert count(before, BAR_RGB) > count(during, BAR_RGB)
    np.testing.assert_array_equal(before[:, :], painter.draw(grey, 0.99))


def test_small_and_odd_frames_become_readable_with_even_sides() -> None:
    painter = EventPainter(events=[], trace=trace(), classes=CLASSES)
    page = painter.draw(np.zeros((41, 55, 3), np.uint8), 0.0)
    assert page.shape[1] >= 320
    assert page.shape[0] % 2 == page.shape[1] % 2 == 0


def test_every_frame_is_there_at_its_time(tmp_path: Path) -> None:
    times_s = np.arange(40) / 10 + (np.arange(40) >= 20) * 0.5
    frames = Frames(np.full((40, 48, 64, 1), 800, np.uint16), times_s)
    told: list[tuple[int, int, str]] = []
    write_event_video(
        tmp_path / "o.mp4",
        {Stream.DEPTH: ArraySource(frames)},
        events=EVENTS,
        trace=trace(),
        classes=CLASSES,
        progress=lambda *what: told.append(what),
    )
    with open_video(tmp_path / "o.mp4") as reader:
        np.testing.assert_allclose(reader.times_s, times_s, atol=1e-3)
    assert told == [(CHUNK, 40, "drawing the overlay"), (40, 40, "drawing the overlay")]
