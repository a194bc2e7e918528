"""A stream of any length as pieces that a frame-wise network takes, a few seconds of it in memory at a time.

    file     its times are known before a frame is decoded: frames are picked at an even rate, and the place that is
             cut out is looked for in a first pass over a few of them
    camera   frames come one by one: the newest is taken at every tick, and the place is looked for in the first ones

Pieces have times of their own, even ones: a frame of a slow recording may stand in a piece more than once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from torch import Tensor

from mudra.clips import ArraySource, ClipMaker, FrameSource, sample_whole
from mudra.clips.window import REGION_READ_PX
from mudra.errors import ClipError
from mudra.types import FloatArray, Frames, Stream
from mudra.video import Frame

PIECE_FRAMES = 64
LIVE_PIECE_FRAMES = 8
# A tick that falls on a frame, but for rounding, takes that frame.
TOLERANCE_S = 1e-6

Progress = Callable[[int, int, str], None]


class StreamPiece(NamedTuple):
    """Some frames of a stream, one after the other.

    Args:
        clip_TCHW: As the network takes them.
        times_s: When each is shown; ascending, also from piece to piece.
    """

    clip_TCHW: Tensor
    times_s: FloatArray


def read_pieces(
    maker: ClipMaker,
    sources: Mapping[Stream, FrameSource],
    *,
    fps: float | None = None,
    piece_frames: int = PIECE_FRAMES,
    progress: Progress | None = None,
) -> Iterator[StreamPiece]:
    """Yield a recording piece by piece, all pieces cut out at one place.

    Args:
        maker: Cuts, scales and makes channels.
        sources: Where each stream's frames come from; colour, or else depth, says when frames are shown.
        fps: Frames per second that the network takes; None for those that the recording has.
        piece_frames: Frames of a piece; the last one may have fewer.
        progress: Called with (done, all, what) after every piece.

    Raises:
        ClipError: If a stream is missing or holds no frame.
        VideoError: If a frame cannot be decoded.
    """
    maker = maker.settle(sources)
    source_times_s = (sources.get(Stream.RGB) or sources[Stream.DEPTH]).times_s
    times_s = resample_times(source_times_s, fps)
    indices = np.arange(len(times_s)) if fps is None else sample_whole(source_times_s, fps)
    for start in range(0, len(times_s), piece_frames):
        piece = slice(start, start + piece_frames)
        yield StreamPiece(maker.cut_frames(sources, indices[piece]).clip_TCHW, times_s[piece])
        if progress is not None:
            progress(min(start + piece_frames, len(times_s)), len(times_s), "frames")


def resample_times(times_s: FloatArray, fps: float | None) -> FloatArray:
    """Return the ticks of an even rate from the first frame up to the last one; the frames' own times for None.

    Example:
        >>> resample_times(np.array([0.0, 0.1, 0.2, 0.3]), 5.0).tolist()
        [0.0, 0.2]
    """
    if fps is None:
        return times_s
    return np.asarray(times_s[0] + np.arange(len(sample_whole(times_s, fps))) / fps)


def follow_pieces(
    maker: ClipMaker, frames: Iterable[Frame], stream: Stream, *, fps: float, piece_frames: int = LIVE_PIECE_FRAMES
) -> Iterator[StreamPiece]:
    """Yield what a camera shows piece by piece, as soon as each is whole.

    Args:
        maker: Cuts, scales and makes channels; of one stream, colour or depth.
        frames: The camera, or anything else that yields frames in order.
        stream: What they hold.
        fps: Frames per second that the network takes.
        piece_frames: Frames of a piece: fewer come sooner.

    Raises:
        ClipError: If the clip has another stream than the frames hold.
        VideoError: If the camera fails.
    """
    if maker.spec.streams != (stream,):
        wanted = ", ".join(one.value for one in maker.spec.streams)
        raise ClipError(
            f"frames of {stream.value} came one by one, and the run looks at {wanted}",
            hint="a run on one stream that is measured, colour or depth, can follow a camera",
        )
    shrink = maker.spec.region == "motion"
    # What is looked for in a stream is looked for in the first piece, which is therefore longer.
    is_settled = not shrink and stream is not Stream.DEPTH
    wanted_frames = piece_frames if is_settled else max(maker.spec.max_frames, piece_frames)
    held: list[Frames] = []
    for frame, time_s in pick_ticks(frames, fps):
        pixels_HWC = frame.to_array(_held_size(frame) if shrink else None)
        held.append(Frames(pixels_HWC[None], np.array([time_s])))
        if len(held) >= wanted_frames:
            source = _as_source(held)
            maker = maker if is_settled else maker.settle({stream: source})
            yield _cut_all(maker, stream, source)
            held, wanted_frames, is_settled = [], piece_frames, True
    if held:
        source = _as_source(held)
        yield _cut_all(maker if is_settled else maker.settle({stream: source}), stream, source)


def pick_ticks(frames: Iterable[Frame], fps: float) -> Iterator[tuple[Frame, float]]:
    """Yield, for every tick of an even rate, the frame that is shown then, and the tick's time.

    Example:
        >>> def show(time_s):
        ...     return Frame(index=0, time_s=time_s, convert=lambda size: np.zeros((1, 1, 3), np.uint8))
        >>> [(shown.time_s, tick_s) for shown, tick_s in pick_ticks(map(show, (0.0, 0.1, 0.9, 1.0)), 2.0)]
        [(0.0, 0.0), (0.1, 0.5), (1.0, 1.0)]
    """
    shown: Frame | None = None
    start_s, num_ticks = 0.0, 0
    for frame in frames:
        if shown is None:
            start_s = frame.time_s
        while shown is not None and (tick_s := start_s + num_ticks / fps) < frame.time_s - TOLERANCE_S:
            yield shown, tick_s
            num_ticks += 1
        shown = frame
    if shown is not None and (tick_s := start_s + num_ticks / fps) <= shown.time_s + TOLERANCE_S:
        yield shown, tick_s


def _held_size(frame: Frame) -> tuple[int, int] | None:
    """Return the size in which frames wait for their place: that in which it is looked for."""
    height, width = frame.to_array().shape[:2]
    factor = REGION_READ_PX / min(height, width)
    return (round(height * factor), round(width * factor)) if factor < 1.0 else None


def _as_source(held: list[Frames]) -> ArraySource:
    times_s = np.concatenate([one.times_s for one in held])
    return ArraySource(Frames(np.concatenate([one.frames_THWC for one in held]), times_s))


def _cut_all(maker: ClipMaker, stream: Stream, source: ArraySource) -> StreamPiece:
    clip = maker.cut_frames({stream: source}, np.arange(len(source.times_s)))
    return StreamPiece(clip.clip_TCHW, source.times_s)
