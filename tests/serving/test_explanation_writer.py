"""What `explain` leaves behind: a sheet, a video of every frame of the span, the gates, the numbers."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from mudra.errors import ClipError, ModelError, VideoError
from mudra.serving import explain
from mudra.types import DepthFormat, Recording, Stream
from mudra.video import open_recording, open_video, write_depth, write_video
from tests.fixtures.explanation import block_depth, moving_block, tiny_predictor


@pytest.fixture
def block(tmp_path: Path) -> Path:
    path = tmp_path / "block.mp4"
    write_video(path, moving_block(40))
    return path


def test_all_files_are_written(block: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    found = explain(tiny_predictor(), block, out=tmp_path / "new" / "out", progress=lambda *what: told.append(what))
    assert found.explanation.prediction.path == str(block)
    assert {path.name for path in (tmp_path / "new" / "out").iterdir()} == {
        "sheet.png",
        "overlay.mp4",
        "gates.csv",
        "explanation.json",
    }
    sheet = cv2.imread(str(found.sheet))
    assert sheet is not None
    assert min(sheet.shape[:2]) > 300
    assert json.loads(found.numbers.read_text(encoding="utf-8")) == found.explanation.to_json()
    assert told == [(32, 40, "drawing the overlay"), (40, 40, "drawing the overlay")]


def test_the_overlay_shows_every_frame_of_the_span(block: Path, tmp_path: Path) -> None:
    found = explain(tiny_predictor(), block, out=tmp_path / "out", span_s=(0.5, 3.9))
    with open_video(found.overlay) as reader:
        assert reader.times_s.tolist() == pytest.approx([index / 10 for index in range(34)], abs=1e-3)
        first, last = reader.read([0, 33]).frames_THWC.astype(int)
    with av.open(str(found.overlay)) as container:
        assert container.streams.video[0].start_time == 0  # players would wait for the span's start
    # The block of the first panel: frame 5 of the recording begins at pixel 18 of 64, frame 38 at pixel 84 (outside).
    assert first[40 + 110, 18 * 5 + 20, 0] > 180
    assert last[40 + 110, 18 * 5 + 20, 0] < 120


def test_the_gates_are_a_table(block: Path, tmp_path: Path) -> None:
    found = explain(tiny_predictor(), block, out=tmp_path / "out")
    with found.gates.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["step", "time_s", "layer", "gate", "mean", "std", "min", "max"]
    assert len(rows) == 3 * 3  # steps times gates
    gate = found.explanation.trace.layers[0].gates["forget_gate"]
    told = [row for row in rows if row["gate"] == "forget_gate"]
    for key, series in zip(("mean", "std", "min", "max"), gate, strict=True):
        np.testing.assert_allclose([float(row[key]) for row in told], series, rtol=1e-5)
    assert [int(row["step"]) for row in told] == [0, 1, 2]
    assert [float(row["time_s"]) for row in told] == pytest.approx(found.explanation.step_times_s.tolist())


def test_a_network_without_gates_leaves_an_empty_table(block: Path, tmp_path: Path) -> None:
    found = explain(tiny_predictor(model={"cells": []}), block, out=tmp_path / "out")
    assert found.gates.read_text(encoding="utf-8").splitlines() == ["step,time_s,layer,gate,mean,std,min,max"]


def test_arrays_are_explained_too(tmp_path: Path) -> None:
    found = explain(tiny_predictor(), moving_block().frames_THWC, out=tmp_path / "out", fps=20.0, rule="contrast")
    assert found.explanation.prediction.path == ""
    assert found.explanation.trace.rule == "contrast"
    with open_video(found.overlay) as reader:
        assert reader.times_s[-1] == pytest.approx(11 / 20, abs=1e-3)


def test_depth_files_are_explained(tmp_path: Path) -> None:
    write_depth(tmp_path / "block.mkv", block_depth(40))
    predictor = tiny_predictor(clip={"streams": ["depth"], "region": "motion", "depth_reach_mm": 200.0})
    found = explain(predictor, tmp_path / "block.mkv", out=tmp_path / "out")
    with open_video(found.overlay) as reader:
        assert len(reader.times_s) == 40
        panel = reader.read([20]).frames_THWC[0, 40:280, :320]
    assert (panel.max(axis=2) < 20).mean() > 0.8  # what was not measured
    assert (panel.min(axis=2) > 30).any()  # the block


def test_all_of_a_depth_overlay_is_drawn_on_one_scale(tmp_path: Path) -> None:
    frames = block_depth(40, size=(48, 128))
    frames.frames_THWC[:20][frames.frames_THWC[:20] > 0] = 1600
    frames.frames_THWC[30:][frames.frames_THWC[30:] > 0] = 400
    found = explain(tiny_predictor(clip={"streams": ["depth"], "region": "motion"}), frames, out=tmp_path / "out")
    with open_video(found.overlay) as reader:
        first, last = reader.read([0, 39]).frames_THWC[:, 40 + 110, :, 1].astype(int)
    # The block begins at pixel 8 of 128 and ends up at pixel 86; five pixels of the panel show one.
    assert first[8 * 5 + 20] == pytest.approx(40, abs=12)
    assert last[86 * 5 + 20] == pytest.approx(255, abs=12)


def test_a_colour_and_a_depth_file_are_explained_together(block: Path, tmp_path: Path) -> None:
    write_depth(tmp_path / "d.mkv", block_depth(40))
    predictor = tiny_predictor(clip={"streams": ["rgb", "depth"]})
    found = explain(predictor, block, depth=tmp_path / "d.mkv", out=tmp_path / "out", label="wave")
    assert (list(found.explanation.clip_THWC), found.explanation.label) == ([Stream.RGB, Stream.DEPTH], "wave")
    with pytest.raises(ClipError, match="only one video came"):
        explain(predictor, block, out=tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_what_cannot_be_explained_leaves_nothing(block: Path, tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="no such file"):
        explain(tiny_predictor(), tmp_path / "gone.mp4", out=tmp_path / "out")
    with pytest.raises(ModelError, match="knows no class 'jump'"):
        explain(tiny_predictor(), block, out=tmp_path / "out", label="jump")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_refused(block: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(VideoError, match="cannot be made into a folder") as caught:
        explain(tiny_predictor(), block, out=tmp_path / "file")
    assert caught.value.hint == "name another folder"


@pytest.mark.real
def test_real_recordings_are_explained(shared_data: Path, tmp_path: Path) -> None:
    depth = tiny_predictor(clip={"streams": ["depth"], "region": "motion"})
    hand = sorted((shared_data / "shrec2017" / "validation" / "swipe_v").glob("*.mkv"))[0]
    found = explain(depth, hand, out=tmp_path / "hand")
    assert 0.0 < found.explanation.place.width < 1.5
    person = sorted((shared_data / "isogd" / "train" / "001").glob("M_*.avi"))[0]
    with open_recording(Recording(path=person, depth=DepthFormat()), Stream.RGB) as reader:
        num_frames = len(reader.times_s)
    found = explain(tiny_predictor(clip={"region": "motion"}), person, out=tmp_path / "person")
    with open_video(found.overlay) as reader:
        assert len(reader.times_s) == num_frames


def test_temporal_modules_and_masks_have_a_sheet_and_a_table(tmp_path: Path) -> None:
    model = {
        "backbone": {"kind": "resnet", "depth": 18, "width": 0.125, "temporal_module": {"kind": "action"}},
        "cells": [],
        "top": None,
        "head": {"kind": "consensus"},
        "decoder": {},
    }
    found = explain(tiny_predictor(model=model), moving_block(), out=tmp_path, blocks=["layer1.1"])
    assert found.temporal == tmp_path / "temporal.png"
    assert found.temporal.stat().st_size > 5_000
    assert found.excitations is not None
    with found.excitations.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {(row["block"], row["name"]) for row in rows} == {
        ("layer1.1", "spatio_temporal"),
        ("layer1.1", "channel"),
        ("layer1.1", "motion"),
        ("decoder", "local"),
        ("decoder", "global"),
    }
    assert all(0.0 <= float(row["min"]) <= float(row["mean"]) <= float(row["max"]) <= 1.0 for row in rows)
    told = json.loads(found.numbers.read_text(encoding="utf-8"))
    assert [block["name"] for block in told["temporal"]["blocks"]] == ["layer1.1"]


def test_networks_without_such_parts_leave_no_such_files(tmp_path: Path) -> None:
    found = explain(tiny_predictor(), moving_block(), out=tmp_path)
    assert (found.temporal, found.excitations) == (None, None)
    assert not (tmp_path / "temporal.png").exists()
