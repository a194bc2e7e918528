"""The report of streams: one file that loads nothing, with all scores, and with a picture of each stream."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from mudra.serving import write_stream_evaluation
from mudra.serving.stream_report import describe_streams
from tests.fixtures.stream_run import brightness_segmenter
from tests.serving.test_report import Page
from tests.serving.test_stream_evaluation import judge


@pytest.fixture
def written(tmp_path: Path) -> Path:
    segmenter = brightness_segmenter()
    rows = [{"epoch": 0, "train_loss": 1.0, "validation_jaccard": 0.2}, {"epoch": 1, "train_loss": 0.5}]
    report = write_stream_evaluation(
        tmp_path / "out",
        judge(segmenter, "a", "b"),
        segmenter,
        title="run <mine>: streams, test",
        facts={"data": "streams", "split": "test", "nothing": None},
        curves=rows,
    )
    assert report == tmp_path / "out" / "report.html"
    return tmp_path / "out"


def test_the_page_needs_nothing_else(written: Path) -> None:
    text = (written / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert "<mine>" not in text
    assert "default-src 'none'" in text
    images = [str(attributes["src"]) for tag, attributes in page.tags if tag == "img"]
    assert len(images) == 2
    assert all(source.startswith("data:image/png;base64,") for source in images)
    assert re.findall(r'(?:src|href)="(?!#|data:|events\.csv|scores\.json)[^"]*"', text) == []


def test_the_page_tells_the_scores(written: Path) -> None:
    words = Page((written / "report.html").read_text(encoding="utf-8")).words
    for wanted in ("0.793", "a.mp4", "b.mp4", "wave", "push", "on_threshold: 0.6", "2 streams (test split of streams)"):
        assert wanted in words, wanted
    assert "3 of 3 events were found once" in words
    scores = json.loads((written / "scores.json").read_text(encoding="utf-8"))
    assert scores["mean_jaccard"]["gt_classes"] == pytest.approx((55 / 70 + 0.8) / 2)


def test_every_event_is_in_the_table(written: Path) -> None:
    with (written / "events.csv").open(encoding="utf-8") as file:
        rows = [(Path(row["path"]).name, row["label"]) for row in csv.DictReader(file)]
    assert rows == [("a.mp4", "wave"), ("a.mp4", "wave"), ("a.mp4", "push"), ("b.mp4", "push")]


def test_sentences_say_what_is_not_known() -> None:
    with_idle = " ".join(describe_streams(judge(brightness_segmenter(), "a"), facts={}))
    assert "Where nothing is performed (0.1 minutes), 0 false alarms: 0.0 per hour." in with_idle
    assert "later frames" not in with_idle
    without = judge(brightness_segmenter(idle=False), "a", has_idle=False)._replace(waits_ms=480.0)
    told = " ".join(describe_streams(without, facts={}))
    assert "false alarms" not in told
    assert "up to 480 ms" in told
    assert "1 stream of" in told
