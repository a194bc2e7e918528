"""Timelines: the right lines, bars of the right length in the right colour, rows for long streams."""

from __future__ import annotations

from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pytest

from mudra.errors import DataError
from mudra.scoring import Event
from mudra.serving import Timeline, write_timeline
from mudra.serving.timeline import (
    COLOURS,
    DPI,
    LEGEND_LINE_IN,
    MOST_LINES,
    MOST_ROWS,
    PLOT_IN,
    TITLE_IN,
    choose_lines,
    split_rows,
)

CLASSES = ("none", "wave", "pu$h_$x", "тап")


def timeline(**changes: object) -> Timeline:
    times_s = np.arange(300) / 10
    wave_T = np.where((times_s > 10) & (times_s < 20), 0.9, 0.05)
    rows = np.stack([1 - wave_T, wave_T, np.full(300, 0.1), np.full(300, 0.2)], axis=1)
    fields = {
        "title": "evening_$1.mp4",
        "classes": CLASSES,
        "idle_class": "none",
        "probability_TK": rows,
        "times_s": times_s,
        "span_s": (0.0, 30.0),
        "events": [Event(label="wave", start_s=10.0, end_s=20.0)],
        "truth": [Event(label="pu$h_$x", start_s=9.0, end_s=18.0), Event(label="unheard of", start_s=20, end_s=21)],
    }
    return Timeline(**{**fields, **changes})  # type: ignore[arg-type]


def width_of(picture_HWC: np.ndarray, colour: str) -> int:
    """How many pixels of a row have one colour, at most; below the lines, of which some have it too."""
    rgb = np.array([round(255 * part) for part in matplotlib.colors.to_rgb(colour)])
    is_it = (np.abs(picture_HWC.astype(int) - rgb[::-1]) <= 2).all(axis=2)
    below = round((TITLE_IN + LEGEND_LINE_IN + PLOT_IN) * DPI)
    return int(is_it[below:].sum(axis=1).max())


def test_bars_are_as_long_as_events(tmp_path: Path) -> None:
    write_timeline(tmp_path / "t.png", timeline())
    picture = cv2.imread(str(tmp_path / "t.png"))
    assert picture.shape[1] == 1320
    wave, push, other = (width_of(picture, colour) for colour in (COLOURS[0], COLOURS[1], COLOURS[3]))
    assert wave / push == pytest.approx(10 / 9, rel=0.03)
    assert wave / other == pytest.approx(10, rel=0.15)


def test_a_truth_that_is_not_known_has_no_band(tmp_path: Path) -> None:
    write_timeline(tmp_path / "known.png", timeline())
    write_timeline(tmp_path / "unknown.png", timeline(truth=None))
    known, unknown = (cv2.imread(str(tmp_path / name)) for name in ("known.png", "unknown.png"))
    assert known.shape[0] > unknown.shape[0]
    assert width_of(unknown, COLOURS[1]) < 40


def test_the_same_stream_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        write_timeline(tmp_path / name, timeline())
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert text == (tmp_path / "b.svg").read_text(encoding="utf-8")
    assert "evening_$1.mp4" in text
    assert ">wave<" in text


def test_long_streams_go_on_below() -> None:
    assert split_rows((5.0, 45.0)) == [(5.0, 45.0)]
    rows = split_rows((0.0, 81.0))
    assert rows[0][1] == rows[1][0] == pytest.approx(27.0)
    assert len(split_rows((0.0, 7200.0))) == MOST_ROWS
    assert len(split_rows((0.0, 0.0))) == 1


def test_classes_that_never_matter_have_no_line() -> None:
    assert choose_lines(timeline()) == ["none", "wave", "pu$h_$x"]
    assert choose_lines(timeline(events=[], truth=None)) == ["none", "wave"]
    many = tuple(f"class{k}" for k in range(30))
    rows = np.tile(np.linspace(0.2, 0.9, 30), (300, 1))
    shown = choose_lines(timeline(classes=many, idle_class=None, probability_TK=rows, events=[], truth=None))
    assert shown == list(many[-MOST_LINES:])


def test_an_instant_and_a_cut_event_can_be_drawn(tmp_path: Path) -> None:
    events = [Event(label="wave", start_s=3, end_s=3), Event(label="wave", start_s=29, end_s=99)]
    write_timeline(tmp_path / "t.png", timeline(events=events, truth=[]))
    assert cv2.imread(str(tmp_path / "t.png")) is not None


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"t\.pdf: a timeline is a \.png or a \.svg, not '\.pdf'"):
        write_timeline(tmp_path / "t.pdf", timeline())
    with pytest.raises(DataError, match=r"gone/t\.png: cannot be written"):
        write_timeline(tmp_path / "gone" / "t.png", timeline())
