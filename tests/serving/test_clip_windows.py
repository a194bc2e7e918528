"""Windows over a stream: each is what `predict` says of its span, rows between middles are mixed, decoding is once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from mudra.clips import ArraySource, ClipSpec, DenseSampling, RgbChannels, RunCard
from mudra.errors import ConfigError
from mudra.serving import Predictor
from mudra.serving.clip_windows import Judged, RecentFrames, choose_window_s, slide_windows
from mudra.serving.predictor import CLIPS_AT_ONCE
from mudra.types import Frames, Stream

RAW = RgbChannels(mean=(0.0, 0.0, 0.0), divisor=(1.0, 1.0, 1.0))


class Ramp(nn.Module):
    """The brighter the clip's mean, the more of the second class."""

    def forward(self, clip_BTCHW: Tensor) -> Tensor:
        share_B = (clip_BTCHW.mean(dim=(1, 2, 3, 4)) / 255).clamp(0.01, 0.99)
        return torch.stack([(1 - share_B).log(), share_B.log()], dim=1)


class Once(ArraySource):
    """Counts how often each frame is read."""

    def __init__(self, frames: Frames) -> None:
        super().__init__(frames)
        self.counts = np.zeros(len(frames), int)
        self.most = 0

    def read(self, indices: npt.NDArray[np.int64] | None = None, *, size: tuple[int, int] | None = None) -> Frames:
        wanted = np.arange(len(self.times_s)) if indices is None else np.asarray(indices)
        self.counts[wanted] += 1
        self.most = max(self.most, len(wanted))
        return super().read(wanted, size=size)


def stream(count: int = 60, *, fps: float = 10.0) -> Frames:
    """Frames that brighten from 0 on, by 4 levels each."""
    levels = np.minimum(np.arange(count) * 4, 255).astype(np.uint8)
    return Frames(np.broadcast_to(levels[:, None, None, None], (count, 8, 8, 3)).copy(), np.arange(count) / fps)


def predictor(**clip: object) -> Predictor:
    spec = ClipSpec(**{"num_frames": 4, "size": (8, 8), "rgb": RAW, **clip})
    return Predictor(Ramp(), RunCard(classes=("dark", "light"), clip=spec), device="cpu")


def join(pieces: list[Judged]) -> Judged:
    return Judged(*(np.concatenate(columns) for columns in zip(*pieces, strict=True)))


def test_every_frame_has_a_row_and_a_middle_has_that_of_its_window() -> None:
    source, run = Once(stream()), predictor()
    found = join(list(slide_windows(run, {Stream.RGB: source}, window_s=1.0, stride_s=0.5)))
    np.testing.assert_allclose(found.times_s, np.arange(60) / 10)
    for start_s in (0.0, 0.5, 3.5, 5.0):
        wanted = run.predict(stream(), span_s=(start_s, start_s + 1.0))
        row_K = found.probability_TK[round((start_s + 0.5) * 10)]
        assert row_K.max() == pytest.approx(wanted.probability, abs=1e-6)
    # Half way between two middles stands the mean of both.
    low, middle, high = (found.probability_TK[round(10 * at_s), 1] for at_s in (1.0, 1.3, 1.5))
    assert middle == pytest.approx(low + 0.6 * (high - low), abs=1e-6)
    # Before the first middle and behind the last one nothing changes.
    assert np.ptp(found.probability_TK[:6, 1]) == 0
    assert np.ptp(found.probability_TK[55:, 1]) == 0
    assert source.counts.max() == 1
    assert source.most <= 10


def test_many_windows_come_in_batches_without_a_seam() -> None:
    frames = stream(200, fps=20.0)
    told: list[tuple[int, int, str]] = []
    pieces = list(
        slide_windows(
            predictor(), {Stream.RGB: ArraySource(frames)}, window_s=0.4, stride_s=0.1,
            progress=lambda *what: told.append(what),
        )
    )  # fmt: skip
    found = join(pieces)
    np.testing.assert_allclose(found.times_s, frames.times_s)
    assert (np.diff(found.probability_TK[:, 1]) >= -1e-9).all()
    assert [done for done, _, _ in told] == [*range(CLIPS_AT_ONCE, 97, CLIPS_AT_ONCE), 97]
    assert len(pieces) == len(told)


def test_rows_at_another_rate() -> None:
    found = join(list(slide_windows(predictor(), {Stream.RGB: ArraySource(stream())}, window_s=1.0, fps=5.0)))
    np.testing.assert_allclose(found.times_s, np.arange(30) / 5)


@pytest.mark.parametrize("count", [1, 3])
def test_a_stream_shorter_than_a_window_is_one(count: int) -> None:
    found = join(list(slide_windows(predictor(), {Stream.RGB: ArraySource(stream(count))}, window_s=5.0)))
    assert found.probability_TK.shape == (count, 2)
    assert np.ptp(found.probability_TK[:, 1]) == 0


def test_a_gap_in_the_recording_is_passed_over() -> None:
    times_s = np.concatenate([np.arange(10) / 10, 9.0 + np.arange(10) / 10])
    frames = Frames(stream(20).frames_THWC, times_s)
    found = join(list(slide_windows(predictor(), {Stream.RGB: ArraySource(frames)}, window_s=0.5)))
    np.testing.assert_allclose(found.times_s, times_s)
    assert np.isfinite(found.probability_TK).all()


def test_motion_is_read_at_one_size() -> None:
    source = Once(stream())
    run = predictor(region="motion", size=(16, 16), streams=(Stream.RGB, Stream.FLOW))
    list(slide_windows(run, {Stream.RGB: source}, window_s=1.0, stride_s=0.5))
    assert source.counts.max() == 1


def test_windows_that_cannot_be() -> None:
    source = {Stream.RGB: ArraySource(stream())}
    with pytest.raises(ConfigError, match=r"windows of 0 s every 0\.5 s cannot be"):
        next(slide_windows(predictor(), source, window_s=0.0, stride_s=0.5))
    with pytest.raises(ConfigError, match="windows of 1 s every -1 s cannot be"):
        next(slide_windows(predictor(), source, window_s=1.0, stride_s=-1.0))


def test_the_length_of_a_window() -> None:
    assert choose_window_s(ClipSpec(num_frames=24, sampling=DenseSampling(fps=12.0))) == 2.0
    assert choose_window_s(ClipSpec(num_frames=24)) == 2.0


def test_recent_frames_go_back_when_they_must() -> None:
    recent = RecentFrames(Once(stream(20)))
    assert recent.read(np.array([6, 8])).frames_THWC[:, 0, 0, 0].tolist() == [24, 32]
    assert recent.read(np.array([7, 9])).frames_THWC[:, 0, 0, 0].tolist() == [28, 36]
    assert recent.read(np.array([2])).times_s.tolist() == [0.2]
    assert recent.read().frames_THWC.shape == (20, 8, 8, 3)


def test_a_window_is_taken_from_its_own_beginning() -> None:
    """Whatever frame of a recording clips begin with: a window of four frames has no frame 25."""
    plain, fixed = (predictor(sampling=DenseSampling(fps=10.0, first_frame=first)) for first in (None, 2))
    found = [
        join(list(slide_windows(run, {Stream.RGB: ArraySource(stream())}, window_s=0.6))) for run in (plain, fixed)
    ]
    np.testing.assert_array_equal(found[0].probability_TK, found[1].probability_TK)
    assert fixed.card.clip.sampling == DenseSampling(fps=10.0, first_frame=2)
