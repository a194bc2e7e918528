"""`mudra tune`: settings are found on validation streams and left where `mudra segment` finds them."""

from __future__ import annotations

import json
from pathlib import Path

from mudra.serving import EventDecoderConfig, load_segmenter
from mudra.video import write_video
from tests.cli.conftest import Mudra
from tests.cli.test_stream import streams_run as streams_run
from tests.fixtures.stream_run import draw_stream


def test_settings_are_left_in_the_run_folder(mudra: Mudra, streams_run: Path) -> None:
    outcome = mudra("tune", streams_run, "--false-alarms-per-hour", "4000")
    assert outcome.code == 0, outcome.err
    path = streams_run / "decoder.yaml"
    assert f"written: {path}" in outcome.out
    text = path.read_text(encoding="utf-8")
    assert text.startswith(
        "# Chosen by mudra tune on 1 streams (streams.csv, validation) for at most 4000 false alarms"
    )
    assert load_segmenter(streams_run).decoder == EventDecoderConfig.from_yaml(path)


def test_the_search_begins_where_one_says(mudra: Mudra, streams_run: Path) -> None:
    words = ("--decoder", "early_threshold=null", "--split", "test", "--json")
    outcome = mudra("tune", streams_run, "--false-alarms-per-hour", "0", *words)
    told = json.loads(outcome.out)
    assert outcome.code == (0 if told["is_target_met"] else 1)
    assert told["decoder"]["early_threshold"] is None
    assert told["scores"]["num_true"] == 4


def test_streams_without_idle_time_are_refused(mudra: Mudra, streams_run: Path, tmp_path: Path) -> None:
    write_video(tmp_path / "full.mp4", draw_stream([1] * 20, size=(32, 40)))
    (tmp_path / "full.csv").write_text(
        "path,start_s,end_s,label,split\nfull.mp4,0,1,wave,validation\nfull.mp4,1,2,push,validation\n", encoding="utf-8"
    )
    outcome = mudra("tune", streams_run, "--false-alarms-per-hour", "2", "--data", tmp_path / "full.csv")
    assert outcome.code == 2
    assert "1 streams have no moment without a gesture" in outcome.err
    assert not (streams_run / "decoder.yaml").exists()
