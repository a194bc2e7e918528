"""Events as files: read back they are the same."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from mudra.datasets.segments_table import read_segments
from mudra.errors import DataError
from mudra.scoring import Event
from mudra.serving import event_to_json, refuse_unwritable, write_events_csv, write_srt
from mudra.serving.event_writer import format_time

EVENTS = [
    Event(label="wave, twice", start_s=1.25, end_s=2.5, probability=0.87654, decided_at_s=2.0),
    Event(label="нет", start_s=3661.0004, end_s=3662.9996, probability=0.5),
]


def test_the_table_holds_every_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_events_csv(tmp_path / "e.csv", [("a.mp4", event) for event in EVENTS])
    with (tmp_path / "e.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["path", "label", "start_s", "end_s", "probability"],
        ["a.mp4", "wave, twice", "1.250", "2.500", "0.8765"],
        ["a.mp4", "нет", "3661.000", "3663.000", "0.5"],
    ]


def test_the_table_can_be_read_as_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "lists").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / "films" / name).touch()
    absolute = str(tmp_path / "films" / "b.mp4")
    write_events_csv(Path("lists/e.csv"), [("films/a.mp4", EVENTS[0]), (absolute, EVENTS[1])])
    (first, second) = read_segments(Path("lists/e.csv"), fractions=(1.0, 0.0, 0.0)).split("train")
    assert [r.path.resolve() for r in (first, second)] == [tmp_path / "films" / name for name in ("a.mp4", "b.mp4")]
    assert [(s.start_s, s.end_s) for s in first.segments or ()] == [(1.25, 2.5)]


def test_a_file_that_cannot_be_written_is_refused_before(tmp_path: Path) -> None:
    refuse_unwritable(tmp_path / "e.csv")
    assert not (tmp_path / "e.csv").exists()
    with pytest.raises(DataError, match=r"gone/e\.csv: there is no folder"):
        refuse_unwritable(tmp_path / "gone" / "e.csv")
    with pytest.raises(DataError, match="is a folder"):
        refuse_unwritable(tmp_path)


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
