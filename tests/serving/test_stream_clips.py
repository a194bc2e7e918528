"""Streams in pieces: every frame once and in order, at an even rate, at one place, and never many at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
import torch

from mudra.clips import ArraySource, ClipMaker, ClipSpec, DenseSampling, RgbChannels
from mudra.errors import ClipError
from mudra.serving.stream_clips import follow_pieces, pick_ticks, read_pieces, resample_times
from mudra.types import Frames, Stream
from mudra.video import Frame

RAW = RgbChannels(mean=(0.0, 0.0, 0.0), divisor=(1.0, 1.0, 1.0))


def numbered(count: int, *, fps: float = 10.0, size: tuple[int, int] = (12, 16)) -> Frames:
    """Frames whose level is their number."""
    levels = (np.arange(count) % 250).astype(np.uint8)
    frames_THWC = np.broadcast_to(levels[:, None, None, None], (count, *size, 3))
    return Frames(np.ascontiguousarray(frames_THWC), np.arange(count) / fps)


class Watched(ArraySource):
    """Remembers how many frames were asked for at once."""

    def __init__(self, frames: Frames) -> None:
        super().__init__(frames)
        self.asked: list[int] = []

    def read(self, indices: npt.NDArray[np.int64] | None = None, *, size: tuple[int, int] | None = None) -> Frames:
        self.asked.append(len(self.times_s) if indices is None else len(indices))
        return super().read(indices, size=size)


def maker(**changes: object) -> ClipMaker:
    return ClipMaker(ClipSpec(**{"size": (8, 8), "rgb": RAW, "sampling": DenseSampling(fps=10.0), **changes}))


def as_camera(frames: Frames) -> Iterator[Frame]:
    for index, time_s in enumerate(frames.times_s.tolist()):
        yield Frame(
            index, time_s, lambda size, index=index: ArraySource(frames).read([index], size=size).frames_THWC[0]
        )


def test_pieces_hold_every_frame_once_and_few_at_a_time() -> None:
    source, told = Watched(numbered(150)), []
    pieces = list(read_pieces(maker(), {Stream.RGB: source}, piece_frames=64, progress=lambda *what: told.append(what)))
    assert [len(piece.times_s) for piece in pieces] == [64, 64, 22]
    levels = torch.cat([piece.clip_TCHW[:, 0, 4, 4] for piece in pieces])
    assert levels.round().tolist() == list(range(150))
    np.testing.assert_allclose(np.concatenate([piece.times_s for piece in pieces]), np.arange(150) / 10)
    assert max(source.asked) <= 64
    assert told == [(64, 150, "frames"), (128, 150, "frames"), (150, 150, "frames")]


@pytest.mark.parametrize(("fps", "wanted"), [(10.0, [0, 3, 6, 9]), (60.0, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4])])
def test_frames_are_picked_at_the_rate_of_the_run(fps: float, wanted: list[int]) -> None:
    source = ArraySource(numbered(12 if fps < 30 else 5, fps=30.0))
    pieces = list(read_pieces(maker(), {Stream.RGB: source}, fps=fps, piece_frames=4))
    levels = torch.cat([piece.clip_TCHW[:, 0, 4, 4] for piece in pieces]).round().int().tolist()
    times_s = np.concatenate([piece.times_s for piece in pieces])
    assert levels == wanted[: len(levels)]
    assert len(levels) >= len(wanted) - 1
    np.testing.assert_allclose(np.diff(times_s), 1 / fps)


def test_times_without_a_rate_are_the_frames_own() -> None:
    times_s = np.array([0.0, 0.1, 0.4])
    assert resample_times(times_s, None) is times_s
    assert resample_times(times_s, 10.0).tolist() == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])


def test_all_pieces_are_cut_at_one_place() -> None:
    """A square moves in one corner, and rests there in the second half: its place stays the same."""
    frames_THWC = np.zeros((120, 60, 80, 3), np.uint8)
    for t in range(120):
        left = 4 + (t % 8) * 2 if t < 60 else 18
        frames_THWC[t, 4:14, left : left + 10] = 255
    source = Watched(Frames(frames_THWC, np.arange(120) / 10))
    spec = {"region": "motion", "max_frames": 32}
    pieces = list(read_pieces(maker(**spec), {Stream.RGB: source}, piece_frames=30))
    still = [piece.clip_TCHW for piece in pieces[2:]]
    assert torch.equal(still[0], still[1])
    assert float(still[0].max()) > 200
    assert float(still[0][0, 0].mean()) > 20  # a tenth of the picture, were it the whole frame
    assert source.asked[0] == 32
    assert max(source.asked) == 32


def test_pieces_of_depth_measure_from_one_distance() -> None:
    """The hand comes nearer from piece to piece: a reference of each piece by itself would hide that."""
    depth_mm = np.repeat([900, 850, 800, 750], 10).astype(np.uint16)
    frames_THWC = np.broadcast_to(depth_mm[:, None, None, None], (40, 16, 16, 1)).copy()
    source = ArraySource(Frames(frames_THWC, np.arange(40) / 10))
    depth_maker = maker(streams=(Stream.DEPTH,))
    pieces = list(read_pieces(depth_maker, {Stream.DEPTH: source}, piece_frames=10))
    away = [float(piece.clip_TCHW[0, 0, 4, 4]) for piece in pieces]
    np.testing.assert_allclose(np.diff(away), -0.5, atol=1e-4)  # 50 mm of the 100 that become 1


def test_a_missing_stream_is_refused() -> None:
    with pytest.raises(ClipError, match="the clip needs the depth stream"):
        next(read_pieces(maker(streams=(Stream.RGB, Stream.DEPTH)), {Stream.RGB: ArraySource(numbered(4))}))


def test_ticks_take_what_is_shown_then() -> None:
    frames = as_camera(Frames(numbered(5).frames_THWC, np.array([0.0, 0.04, 0.3, 0.31, 0.5])))
    found = [(shown.index, round(tick_s, 6)) for shown, tick_s in pick_ticks(frames, 10.0)]
    assert found == [(0, 0.0), (1, 0.1), (1, 0.2), (2, 0.3), (3, 0.4), (4, 0.5)]
    assert list(pick_ticks(iter(()), 10.0)) == []


@pytest.mark.parametrize("region", ["frame", "motion"])
def test_a_camera_gives_what_a_file_gives(region: str) -> None:
    frames = numbered(50, fps=10.0)
    spec = maker(region=region, max_frames=50)
    wanted = torch.cat([piece.clip_TCHW for piece in read_pieces(spec, {Stream.RGB: ArraySource(frames)}, fps=5.0)])
    pieces = list(follow_pieces(spec, as_camera(frames), Stream.RGB, fps=5.0, piece_frames=4))
    torch.testing.assert_close(torch.cat([piece.clip_TCHW for piece in pieces]), wanted)
    np.testing.assert_allclose(np.concatenate([piece.times_s for piece in pieces]), np.arange(25) / 5)
    assert len(pieces[0].times_s) == (4 if region == "frame" else 25)


def test_large_frames_of_a_camera_wait_in_small() -> None:
    frames = numbered(6, size=(480, 640))
    sizes: list[tuple[int, int] | None] = []

    def show() -> Iterator[Frame]:
        for one in as_camera(frames):
            yield Frame(one.index, one.time_s, lambda size, one=one: sizes.append(size) or one.to_array(size))

    list(follow_pieces(maker(region="motion"), show(), Stream.RGB, fps=10.0))
    assert (240, 320) in sizes


def test_a_camera_is_one_measured_stream() -> None:
    both = maker(streams=(Stream.RGB, Stream.DEPTH))
    with pytest.raises(ClipError, match="frames of rgb came one by one, and the run looks at rgb, depth"):
        next(follow_pieces(both, as_camera(numbered(3)), Stream.RGB, fps=10.0))
