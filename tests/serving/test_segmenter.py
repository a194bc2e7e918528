"""The segmenter: what happens is found when it happens, by either kind of run, in little memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from mudra.clips import ArraySource, DenseSampling, UniformSampling
from mudra.errors import ClipError, ConfigError, ModelError, RunError
from mudra.models import WindowConfig
from mudra.serving import EventDecoderConfig, Segmenter, load, load_segmenter
from mudra.types import Frames, PixelBox, Stream
from mudra.video import Frame
from tests.fixtures.run import tiny_config, write_run
from tests.fixtures.stream_run import CLASSES, PLAIN, brightness_segmenter, draw_stream, write_frame_run

LABELS = [0] * 30 + [1] * 40 + [0] * 20 + [2] * 50 + [0] * 25


class Counting(ArraySource):
    """Remembers the most frames that were asked for at once."""

    most = 0

    def read(self, indices: npt.NDArray[np.int64] | None = None, *, size: tuple[int, int] | None = None) -> Frames:
        self.most = max(self.most, len(self.times_s) if indices is None else len(indices))
        return super().read(indices, size=size)


def told(events: list[object]) -> list[tuple[str, float, float]]:
    return [(one.label, round(one.start_s, 3), round(one.end_s, 3)) for one in events]  # type: ignore[attr-defined]


def test_events_are_found_where_they_happen() -> None:
    told_progress: list[tuple[int, int, str]] = []
    found = brightness_segmenter().segment(draw_stream(LABELS), progress=lambda *what: told_progress.append(what))
    assert told(found.events) == [("wave", 3.0, 7.0), ("push", 9.0, 14.0)]
    assert found.events[0].probability > 0.99
    assert (found.start_s, found.num_frames) == (0.0, 165)
    assert found.end_s == pytest.approx(16.5)
    assert found.trace.probability_TK.shape == (165, 3)
    assert found.trace.probability_TK.argmax(axis=1).tolist() == LABELS
    assert told_progress[-1] == (165, 165, "frames")
    assert found.seconds > 0


@pytest.mark.parametrize("fps", [25.0, 30.0, 7.0])
def test_another_frame_rate_gives_the_same_events(fps: float) -> None:
    labels = [LABELS[int(t / fps * 10)] for t in range(int(16.5 * fps))]
    found = brightness_segmenter().segment(draw_stream(labels, fps=fps))
    assert [event.label for event in found.events] == ["wave", "push"]
    for event, (start_s, end_s) in zip(found.events, ((3.0, 7.0), (9.0, 14.0)), strict=True):
        assert event.start_s == pytest.approx(start_s, abs=0.2)
        assert event.end_s == pytest.approx(end_s, abs=0.2)


def test_a_class_that_is_not_idle_is_an_event() -> None:
    found = brightness_segmenter(idle=False).segment(draw_stream([0, 0, 0, 1, 1, 1]))
    assert told(found.events) == [("still", 0.0, 0.3), ("wave", 0.3, 0.6)]


def test_an_array_has_the_rate_that_is_named() -> None:
    found = brightness_segmenter().segment(draw_stream([0, 1, 1, 1]).frames_THWC, fps=10.0)
    assert told(found.events) == [("wave", 0.1, 0.4)]


def test_a_single_frame_is_no_event_of_any_length() -> None:
    found = brightness_segmenter().segment(draw_stream([1]))
    assert (found.num_frames, found.start_s, found.end_s) == (1, 0.0, 0.0)


def test_little_is_held_of_a_long_stream() -> None:
    source = Counting(draw_stream(LABELS * 8))
    segmenter = brightness_segmenter(region="motion", max_frames=20)
    found = segmenter.segment_sources({Stream.RGB: source}, path="long.mp4")
    assert found.path == "long.mp4"
    assert source.most <= 64


def test_a_network_that_looks_both_ways_says_what_it_says_of_the_whole(tmp_path: Path) -> None:
    segmenter = load_segmenter(write_frame_run(tmp_path / "run"), device="cpu")
    frames = Frames(np.random.default_rng(1).integers(0, 255, (6, 16, 16, 3), dtype=np.uint8), np.arange(6) / 10)
    (piece,) = segmenter.judge({Stream.RGB: ArraySource(frames)})
    clip_TCHW = segmenter.predictor.maker.cut_frames({Stream.RGB: ArraySource(frames)}, np.arange(6)).clip_TCHW
    with torch.no_grad():
        padded = torch.cat([clip_TCHW, torch.zeros(2, 3, 16, 16)])[None]
        mask_BT = torch.arange(8)[None] < 6
        wanted_TK = segmenter.predictor.network(padded, mask_BT=mask_BT)[0, :6].softmax(dim=-1)
    np.testing.assert_allclose(piece.probability_TK, wanted_TK.numpy(), atol=1e-6)
    assert piece.probability_TK.std(axis=0).max() > 0.01


def test_long_streams_have_a_row_for_every_frame_whatever_the_network(tmp_path: Path) -> None:
    recurrent = load_segmenter(write_frame_run(tmp_path / "recurrent"), device="cpu")
    window = {"model.window": {"num_frames": 6}, "model.cells": []}
    pooled = load_segmenter(write_frame_run(tmp_path / "pooled", changes=window), device="cpu")
    forwards: dict[str, object] = {
        "model.cells": [{"kind": "peephole_lstm", "hidden_features": 8}],
        "model.delay_frames": 4,
    }
    forwards["model.backbone.temporal_conv"] = "causal"
    delayed = load_segmenter(write_frame_run(tmp_path / "delayed", changes=forwards), device="cpu")
    for segmenter, waits in ((recurrent, 6), (pooled, 3), (delayed, 4)):
        assert segmenter.is_frame_wise
        assert segmenter.waits_frames == waits
        pieces = list(segmenter.judge({Stream.RGB: ArraySource(draw_stream(LABELS))}))
        np.testing.assert_allclose(np.concatenate([piece.times_s for piece in pieces]), np.arange(165) / 10)
        assert sum(len(piece.probability_TK) for piece in pieces) == 165
    assert brightness_segmenter().waits_frames == 0
    assert WindowConfig(num_frames=6).num_frames // 2 == 3


def test_a_run_that_names_clips_is_slid_over_the_stream(tmp_path: Path) -> None:
    run = write_run(tmp_path / "clips", tiny_config(), classes=CLASSES, fps=10.0)
    segmenter = load_segmenter(
        run, decoder=["on_threshold=0.3", "off_threshold=0.2", "late_threshold=0.2"], device="cpu"
    )
    assert not segmenter.is_frame_wise
    assert (segmenter.fps, segmenter.waits_frames) == (10.0, 0)
    frames = draw_stream([0] * 20 + [2] * 20, size=(40, 40))
    pieces = list(segmenter.judge({Stream.RGB: ArraySource(frames)}))
    rows = np.concatenate([piece.probability_TK for piece in pieces])
    wanted = load(run, device="cpu").predict(frames, span_s=(0.0, 2.0))
    assert rows[0].max() == pytest.approx(wanted.probability, abs=1e-5)
    assert len(segmenter.segment(frames).events) >= 1
    with pytest.raises(ModelError, match="names clips cannot follow a camera"):
        next(segmenter.follow(iter(())))


def test_the_rate_is_that_of_the_clips_or_of_the_recordings() -> None:
    assert brightness_segmenter(sampling=DenseSampling(fps=12.0)).fps == 12.0
    assert brightness_segmenter(sampling=UniformSampling()).fps == 10.0


def test_a_camera_is_followed() -> None:
    frames = draw_stream(LABELS, fps=10.0)

    def show() -> Iterator[Frame]:
        for index, time_s in enumerate(frames.times_s.tolist()):
            yield Frame(index, time_s, lambda size, index=index: frames.frames_THWC[index])  # type: ignore[misc]

    events = list(brightness_segmenter().follow(show()))
    assert told(events) == [("wave", 3.0, 7.0), ("push", 9.0, 14.0)]
    with pytest.raises(ClipError, match="frames of depth came one by one"):
        next(brightness_segmenter().follow(show(), stream=Stream.DEPTH))


def test_a_camera_is_answered_while_a_gesture_lasts() -> None:
    frames = draw_stream(LABELS, fps=10.0)
    shown = 0

    def show() -> Iterator[Frame]:
        nonlocal shown
        for index, time_s in enumerate(frames.times_s.tolist()):
            shown = index
            yield Frame(index, time_s, lambda size, index=index: frames.frames_THWC[index])  # type: ignore[misc]

    decoder = PLAIN.model_copy(update={"early_threshold": 0.9})
    came = [(shown, event) for event in brightness_segmenter(decoder=decoder).follow(show(), early=True)]
    assert [(event.label, event.start_s) for _, event in came] == [("wave", 3.0)] * 2 + [("push", 9.0)] * 2
    assert [event.end_s for _, event in came[1::2]] == [7.0, 14.0]
    for (at, event), begins in zip(came[::2], (30, 90), strict=True):
        assert begins <= at <= begins + 8  # within a piece, and not when it is over
        assert event.end_s <= (at + 1) / 10


def test_a_part_of_every_frame_is_seen_alone() -> None:
    dark = draw_stream([0] * 40, size=(20, 24))
    pixels_THWC = dark.frames_THWC.copy()
    pixels_THWC[10:30, 4:12, 16:24] = 220
    frames = Frames(pixels_THWC, dark.times_s)
    assert told(brightness_segmenter().segment(frames).events) == []
    assert told(brightness_segmenter().segment(frames, box=PixelBox(4, 16, 8, 8)).events) == [("push", 1.0, 3.0)]
    with pytest.raises(ClipError, match="a box of 8x9 pixels at row 4, column 16 of frames of 20x24"):
        brightness_segmenter().segment(frames, box=PixelBox(4, 16, 8, 9))


def test_the_decoder_of_the_run_folder_is_used_and_can_be_changed(tmp_path: Path) -> None:
    run = write_frame_run(tmp_path / "run", idle_class="still")
    assert load_segmenter(run).decoder == EventDecoderConfig()
    tuned = PLAIN.model_copy(update={"on_threshold": 0.7})
    (run / "decoder.yaml").write_text("# tuned\n" + tuned.to_yaml(), encoding="utf-8")
    assert load_segmenter(run).decoder == tuned
    changed = load_segmenter(run, decoder=["min_length_s=0.5", "refractory_by_class_s={wave: 2}"]).decoder
    assert (changed.on_threshold, changed.min_length_s, changed.refractory_by_class_s) == (0.7, 0.5, {"wave": 2.0})
    with pytest.raises(ConfigError, match="unknown key 'on_treshold'"):
        load_segmenter(run, decoder=["on_treshold=0.5"])
    with pytest.raises(ConfigError, match="class 'waves' is unknown to the decoder"):
        load_segmenter(run, decoder=["refractory_by_class_s={waves: 2}"])


def test_a_frame_wise_run_names_no_clips(tmp_path: Path) -> None:
    run = write_frame_run(tmp_path / "run")
    with pytest.raises(RunError, match="labels every frame of a stream, and names no clips") as refused:
        load(run)
    assert f"mudra segment {run} FILE" in str(refused.value)
    with pytest.raises(RunError, match="not a finished run"):
        load_segmenter(tmp_path / "nothing")


def test_a_picture_shows_what_was_found() -> None:
    segmenter = brightness_segmenter()
    assert isinstance(segmenter, Segmenter)
    found = segmenter.segment(draw_stream(LABELS))
    timeline = found.lay_out(classes=CLASSES, idle_class="still", truth=[])
    assert timeline.span_s == (0.0, found.end_s)
    assert (timeline.events, timeline.truth, timeline.title) == (found.events, [], "")
