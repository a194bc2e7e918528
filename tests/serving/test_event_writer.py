"""Events as files: read back they are the same."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from mudra.errors import DataError
from mudra.scoring import Event
from mudra.serving import event_to_json, write_events_csv, write_srt
from mudra.serving.event_writer import format_time

EVENTS = [
    Event(label="wave, twice", start_s=1.25, end_s=2.5, probability=0.87654, decided_at_s=2.0),
    Event(label="нет", start_s=3661.0004, end_s=3662.9996, probability=0.5),
]


def test_the_table_holds_every_event(tmp_path: Path) -> None:
    write_events_csv(tmp_path / "e.csv", [("a.mp4", event) for event in EVENTS])
    with (tmp_path / "e.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["path", "label", "start_s", "end_s", "probability"],
        ["a.mp4", "wave, twice", "1.250", "2.500", "0.8765"],
        ["a.mp4", "нет", "3661.000", "3663.000", "0.5"],
    ]


def test_subtitles(tmp_path: Path) -> None:
    write_srt(tmp_path / "e.srt", EVENTS)
    assert (tmp_path / "e.srt").read_text(encoding="utf-8") == (
        "1\n00:00:01,250 --> 00:00:02,500\nwave, twice 0.88\n\n2\n01:01:01,000 --> 01:01:03,000\nнет 0.50\n"
    )
    write_srt(tmp_path / "none.srt", [])
    assert (tmp_path / "none.srt").read_text(encoding="utf-8") == ""


@pytest.mark.parametrize(
    ("time_s", "wanted"), [(0, "00:00:00,000"), (59.9996, "00:01:00,000"), (7322.01, "02:02:02,010")]
)
def test_times(time_s: float, wanted: str) -> None:
    assert format_time(time_s) == wanted


def test_plain_values() -> None:
    assert event_to_json(EVENTS[0]) == {
        "label": "wave, twice",
        "start_s": 1.25,
        "end_s": 2.5,
        "probability": 0.8765,
        "decided_at_s": 2.0,
    }
    assert event_to_json(EVENTS[1])["decided_at_s"] is None


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone/e\.csv: cannot be written"):
        write_events_csv(tmp_path / "gone" / "e.csv", [])
    with pytest.raises(DataError, match=r"gone/e\.srt: cannot be written"):
        write_srt(tmp_path / "gone" / "e.srt", [])
