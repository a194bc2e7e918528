"""From frames to a clip tensor, in two steps: a window that never changes, and a clip that chance may change.

frames of every stream -> window: which place, scaled         (the same each time: it can be cached)
                       -> clip: which frames, augmented, into channels
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

from mudra.clips.augmentation import Draw, apply_colour, apply_geometry, sample_draw
from mudra.clips.channels import RelativeDepthChannels
from mudra.clips.corners import cut_corner
from mudra.clips.flow import compute_flow
from mudra.clips.region import Box, find_motion_box, keep_reach
from mudra.clips.sampling import DenseSampling, Indices, UniformSampling, sample_frames
from mudra.clips.spec import MOTION_WINDOW_MARGIN, ClipSpec, View
from mudra.clips.target import TargetMaps, no_target
from mudra.errors import ClipError
from mudra.types import FloatArray, Frames, Stream, UInt8Array

# Larger frames are scaled down to this shorter side before the region is looked for: 4K frames in full would only cost.
REGION_READ_PX = 240
# The largest number that half precision holds; some sensors write 65535 where they saw nothing near.
MAX_DEPTH_MM = 65504.0
# Random test clips are drawn from this seed on, one for each clip.
TEST_SEED = 20210307


# Where a clip is cut out of its window: drawn, or at shares of the free height and width.
Place = float | tuple[float, float]


class FrameSource(Protocol):
    """Where frames come from: a reader of a file, or an array."""

    @property
    def times_s(self) -> FloatArray:
        """Times of all frames."""

    @property
    def frame_size(self) -> tuple[int, int]:
        """Height and width of the frames."""

    def read(self, indices: Indices | None = None, *, size: tuple[int, int] | None = None) -> Frames:
        """Return the frames at `indices`, scaled to `size`."""


class ArraySource:
    """Frames that are in memory already, as a source."""

    def __init__(self, frames: Frames) -> None:
        self.frames = frames
        self.times_s = frames.times_s
        height, width = frames.frames_THWC.shape[1:3]
        self.frame_size = (int(height), int(width))

    def read(self, indices: Indices | None = None, *, size: tuple[int, int] | None = None) -> Frames:
        """Return the frames at `indices`; colour is averaged when it shrinks, depth is picked."""
        frames = self.frames if indices is None else self.frames.take(indices)
        if size is None or size == self.frame_size:
            return frames
        colour = frames.frames_THWC.dtype == np.uint8
        how = cv2.INTER_AREA if colour else cv2.INTER_NEAREST
        scaled = [cv2.resize(frame, size[::-1], interpolation=how) for frame in frames.frames_THWC]
        return Frames(np.stack(scaled).reshape(len(frames), *size, -1), frames.times_s)


class Window(NamedTuple):
    """The chosen place of all chosen frames, scaled, before chance.

    Args:
        streams: For each stream (T, C, h, w): colour as uint8; depth as float16 depth in millimetres times measured
            share, and measured share, also where it is only to be learned; flow as float16 pixels.
        times_s: Times of the frames, shape (T,).
    """

    streams: dict[Stream, Tensor]
    times_s: FloatArray

    @property
    def num_bytes(self) -> int:
        """Memory that the window takes."""
        return sum(x.numel() * x.element_size() for x in self.streams.values())


class Clip(NamedTuple):
    """A clip as the network takes it.

    Args:
        clip_TCHW: float32 channels of all streams.
        mirrored: Whether left and right were exchanged.
        times_s: Times of its frames.
        target: Depth to learn, where the spec has a target; nothing measured for a recording without depth.
    """

    clip_TCHW: Tensor
    mirrored: bool
    times_s: FloatArray
    target: TargetMaps | None = None


class ClipMaker:
    """Turns frames into clips as a ClipSpec says.

    Args:
        spec: How.
        may_mirror: Whether the labels allow mirrored clips; chance decides then.

    Example:
        >>> frames = Frames(np.zeros((20, 48, 64, 3), np.uint8), np.arange(20) / 30)
        >>> maker = ClipMaker(ClipSpec(num_frames=8, size=(32, 32)))
        >>> maker.read_clip({Stream.RGB: ArraySource(frames)}).clip_TCHW.shape
        torch.Size([8, 3, 32, 32])
    """

    def __init__(self, spec: ClipSpec, *, may_mirror: bool = False) -> None:
        self.spec = spec
        self.may_mirror = may_mirror and spec.mirror == "labels"
        self.box: Box | None = None  # of a stream, once it is settled

    def read_clip(
        self,
        sources: Mapping[Stream, FrameSource],
        *,
        span_s: tuple[float | None, float | None] = (None, None),
        generator: torch.Generator | None = None,
        view: View = View(),  # noqa: B008  a NamedTuple never changes
    ) -> Clip:
        """Read only the frames that one clip needs, and make it.

        Args:
            sources: Where each stream's frames come from; flow comes from colour, or else from depth. Depth that is
                to be learned is taken where it is there.
            span_s: Start and end within the recording in seconds.
            generator: Draws what is left to chance in training; None makes the test clip.
            view: Which test clip.

        Raises:
            ClipError: If a stream is missing or the span holds no frame.
        """
        if self.spec.region == "motion":
            return self.clip(self.window(sources, span_s=span_s), generator=generator, view=view)
        primary = _primary(sources, self.spec)
        inside = frames_in_span(sources[primary].times_s, span_s)
        chosen = inside[self._sample(sources[primary].times_s[inside], generator, view)]
        window = self._window(sources, primary, chosen)
        return self._finish(window, generator=generator, view=view)

    def window(
        self, sources: Mapping[Stream, FrameSource], *, span_s: tuple[float | None, float | None] = (None, None)
    ) -> Window:
        """Read the span's frames and scale the chosen place of them.

        Of a recording with more than `max_frames`, so many are read, evenly chosen; dense sampling, which takes
        neighbouring frames, needs them all.

        Raises:
            ClipError: If a stream is missing or the span holds no frame.
        """
        primary = _primary(sources, self.spec)
        inside = frames_in_span(sources[primary].times_s, span_s)
        if len(inside) > self.spec.max_frames and not isinstance(self.spec.sampling, DenseSampling):
            even = sample_frames(np.arange(len(inside)) / 1.0, self.spec.max_frames, UniformSampling())
            inside = inside[even]
        return self._window(sources, primary, inside)

    def clip(
        self,
        window: Window,
        *,
        generator: torch.Generator | None = None,
        view: View = View(),  # noqa: B008
    ) -> Clip:
        """Sample frames of a window and make a clip of them."""
        chosen = self._sample(window.times_s, generator, view)
        streams = {stream: x.index_select(0, torch.from_numpy(chosen)) for stream, x in window.streams.items()}
        return self._finish(Window(streams, window.times_s[chosen]), generator=generator, view=view)

    def settle(self, sources: Mapping[Stream, FrameSource]) -> ClipMaker:
        """Return a maker for the pieces of one stream, which all lie at one place and measure depth from one distance.

        Both are looked for in at most `max_frames` frames, evenly chosen: a stream may be hours long.

        Raises:
            ClipError: If a stream is missing or holds no frame.
        """
        primary = _primary(sources, self.spec)
        inside = frames_in_span(sources[primary].times_s, (None, None))
        if len(inside) > self.spec.max_frames:
            inside = inside[sample_frames(inside / 1.0, self.spec.max_frames, UniformSampling())]
        settled = ClipMaker(self.spec)
        if self.spec.region == "motion":
            frames = self._read_at(sources[primary], inside, self._read_size(sources[primary].frame_size))
            settled.box = find_motion_box(frames, primary, margin_fraction=self.spec.region_margin_fraction)
        if Stream.DEPTH in self.spec.streams and isinstance(self.spec.depth, RelativeDepthChannels):
            depth_TCHW = settled._window(sources, primary, inside).streams[Stream.DEPTH]
            reference_mm = self.spec.depth.find_reference(settled._place(depth_TCHW, Stream.DEPTH, Draw(), (0.5, 0.5)))
            depth = self.spec.depth.model_copy(update={"reference_mm": reference_mm or None})
            settled.spec = self.spec.model_copy(update={"depth": depth})
        return settled

    def cut_frames(self, sources: Mapping[Stream, FrameSource], indices: Indices) -> Clip:
        """Return exactly these frames as a test clip.

        Args:
            sources: Where each stream's frames come from.
            indices: Frames of the stream whose times count: colour, or else depth.

        Raises:
            ClipError: If a stream is missing.
        """
        return self._finish(self._window(sources, _primary(sources, self.spec), indices), generator=None, view=View())

    def _sample(self, times_s: FloatArray, generator: torch.Generator | None, view: View) -> Indices:
        if generator is None and self.spec.test_clips == "random" and self.spec.num_test_clips > 1:
            generator = torch.Generator().manual_seed(TEST_SEED + view.clip)
        return sample_frames(
            times_s,
            self.spec.num_frames,
            self.spec.sampling,
            generator=generator,
            view=view.clip,
            num_views=self.spec.num_test_clips,
        )

    def _window(self, sources: Mapping[Stream, FrameSource], primary: Stream, indices: Indices) -> Window:
        times_s = sources[primary].times_s[indices]
        # One field of view for all streams: the other one is read in the primary's pixels, whatever its own shape, or
        # a crop would cut another place out of it.
        frame_size = sources[primary].frame_size
        size = self._read_size(frame_size) or frame_size
        frames = {
            stream: self._read_at(sources[stream], pair_frames(sources[primary], sources[stream], indices), size)
            for stream in _measured(sources, self.spec)
        }
        box = self.box
        if self.spec.region == "motion" and box is None:
            box = find_motion_box(frames[primary], primary, margin_fraction=self.spec.region_margin_fraction)
        scaled = {stream: self._scale(read, stream, box) for stream, read in frames.items()}
        streams: dict[Stream, Tensor] = {s: scaled[s] for s in self.spec.streams if s is not Stream.FLOW}
        if Stream.FLOW in self.spec.streams:
            streams[Stream.FLOW] = self._flow(sources[primary], primary, scaled[primary], indices, box)
        if self.spec.target is not None and Stream.DEPTH in scaled:
            streams[Stream.DEPTH] = scaled[Stream.DEPTH]
        return Window(streams, times_s)

    def _read_at(self, source: FrameSource, indices: Indices, size: tuple[int, int] | None) -> Frames:
        frames = source.read(indices, size=size)
        if frames.frames_THWC.dtype == np.uint16 and self.spec.depth_reach_mm is not None:
            return keep_reach(frames, reach_mm=self.spec.depth_reach_mm)
        return frames

    def _read_size(self, frame_size: tuple[int, int]) -> tuple[int, int] | None:
        """Return the size to which frames are scaled while they are decoded, None for their own."""
        height, width = frame_size
        if self.spec.region == "motion":
            factor = REGION_READ_PX / min(height, width)
            return (round(height * factor), round(width * factor)) if factor < 1.0 else None
        if self.spec.is_stretched:
            return self.spec.size
        return _covering(frame_size, self.spec.size)

    def _scale(self, frames: Frames, stream: Stream, box: Box | None) -> Tensor:
        pixels_THWC = frames.frames_THWC if box is None else _crop(frames.frames_THWC, box)
        x_TCHW = torch.from_numpy(np.ascontiguousarray(pixels_THWC.astype(_working_type(stream), copy=False)))
        x_TCHW = x_TCHW.permute(0, 3, 1, 2)
        if stream is Stream.DEPTH:
            x_TCHW = torch.cat([x_TCHW.clamp_max(MAX_DEPTH_MM), (x_TCHW > 0).float()], dim=1)
        if box is not None:
            size = self.spec.window_size
        else:
            size = self.spec.size if self.spec.is_stretched else _covering(_size(x_TCHW), self.spec.size)
        if _size(x_TCHW) != size:
            x_TCHW = transforms.resize(x_TCHW, list(size), antialias=True)
        return x_TCHW.half() if stream is Stream.DEPTH else x_TCHW.contiguous()

    def _flow(
        self, source: FrameSource, primary: Stream, here_TCHW: Tensor, indices: Indices, box: Box | None
    ) -> Tensor:
        last = len(source.times_s) - 1
        # The last frame has no next one: it takes the flow of the frame before it.
        starts = np.minimum(indices, max(last - 1, 0))
        read_size = self._read_size(source.frame_size)
        after = self._scale(self._read_at(source, np.minimum(starts + 1, last), read_size), primary, box)
        before = here_TCHW
        if not np.array_equal(starts, indices):
            before = self._scale(self._read_at(source, starts, read_size), primary, box)
        flow = compute_flow(_grey(before, primary), _grey(after, primary), quality=self.spec.flow_quality)
        return torch.from_numpy(flow).permute(0, 3, 1, 2).half().contiguous()

    def _finish(self, window: Window, *, generator: torch.Generator | None, view: View) -> Clip:
        spec = self.spec
        draw = Draw()
        if generator is not None:
            draw = sample_draw(spec.augmentation, size=spec.size, generator=generator)
            draw = draw._replace(mirror=draw.mirror and self.may_mirror)
        where: Place = draw.crop_fraction if generator is not None else ((0.5, 0.5), (0.0, 0.0), (1.0, 1.0))[view.crop]
        parts = []
        for stream in spec.streams:
            x_TCHW = window.streams[stream]
            if stream is Stream.RGB:
                x_TCHW = apply_colour(x_TCHW, draw)
            parts.append(self._channels(self._place(x_TCHW, stream, draw, where), stream, draw))
        target = None if spec.target is None else self._target(window, draw, where)
        return Clip(torch.cat(parts, dim=1), draw.mirror, window.times_s, target)

    def _place(self, x_TCHW: Tensor, stream: Stream, draw: Draw, where: Place) -> Tensor:
        """Turn, move and mirror one stream and cut the clip out of it: alike for all streams, whatever they hold."""
        spec = self.spec
        x_TCHW = apply_geometry(x_TCHW.float(), stream, draw)
        if spec.region == "motion":
            return _cut(x_TCHW, spec.size, (0.5, 0.5))
        if not isinstance(where, float):
            return _cut(x_TCHW, spec.size, where)
        if spec.cuts_corners:
            return cut_corner(x_TCHW, stream, size=spec.size, scales=spec.crop_scales, fraction=where)
        return _cut(x_TCHW, spec.size, (where, where))

    def _target(self, window: Window, draw: Draw, where: Place) -> TargetMaps:
        assert self.spec.target is not None
        if Stream.DEPTH not in window.streams:
            return no_target(len(window.times_s), self.spec.size)
        return self.spec.target.apply(self._place(window.streams[Stream.DEPTH], Stream.DEPTH, draw, where))

    def _channels(self, x_TCHW: Tensor, stream: Stream, draw: Draw) -> Tensor:
        if stream is Stream.RGB:
            return self.spec.rgb.apply(x_TCHW)
        if stream is Stream.DEPTH:
            return self.spec.depth.apply(x_TCHW, stretch=draw.depth_stretch, offset_mm=draw.depth_offset_mm)
        return self.spec.flow.apply(x_TCHW)


def frames_in_span(times_s: FloatArray, span_s: tuple[float | None, float | None]) -> Indices:
    """Return the frames from `span_s[0]` up to but not including `span_s[1]`.

    Raises:
        ClipError: If there is none.
    """
    start_s, end_s = span_s
    inside = np.ones(len(times_s), bool)
    if start_s is not None:
        inside &= times_s >= start_s - 1e-6
    if end_s is not None:
        inside &= times_s < end_s - 1e-6
    if not inside.any():
        last = f"{times_s[-1]:.3f} s" if len(times_s) else "nothing"
        raise ClipError(f"no frame between {start_s} s and {end_s} s; the recording's last frame is at {last}")
    return np.flatnonzero(inside).astype(np.int64)


def nearest_frames(times_s: FloatArray, wanted_s: FloatArray) -> Indices:
    """Return the frame nearest in time to each of `wanted_s`.

    Example:
        >>> nearest_frames(np.array([0.0, 1.0, 2.0]), np.array([0.4, 0.6, 5.0])).tolist()
        [0, 1, 2]
    """
    middle_s = (times_s[1:] + times_s[:-1]) / 2
    return np.searchsorted(middle_s, wanted_s, side="right").astype(np.int64)


def pair_frames(primary: FrameSource, other: FrameSource, indices: Indices) -> Indices:
    """Return the frames of `other` that belong to the frames of `primary` at `indices`.

    Streams of as many frames were recorded frame by frame, whatever rate their files tell (aligned depth of IsoGD tells
    10 per second beside colour of 8.4); of others, the nearest in time are taken.
    """
    if len(primary.times_s) == len(other.times_s):
        return indices
    return nearest_frames(other.times_s, primary.times_s[indices])


def _primary(sources: Mapping[Stream, FrameSource], spec: ClipSpec) -> Stream:
    """The stream whose times choose the frames: colour, or else depth."""
    for stream in spec.streams:
        if stream is not Stream.FLOW and stream not in sources:
            raise ClipError(
                f"the clip needs the {stream.value} stream, the recording has {', '.join(sources) or 'none'}",
                hint="choose a run or clip.streams that fit the recording, or give its depth file",
            )
    measured = _measured(sources, spec)
    if not measured:
        raise ClipError("flow is computed from colour or depth, and the recording has neither")
    return measured[0]


def _measured(sources: Mapping[Stream, FrameSource], spec: ClipSpec) -> list[Stream]:
    """The streams that are read, colour first."""
    wanted: set[Stream] = {stream for stream in spec.streams if stream is not Stream.FLOW}
    if Stream.FLOW in spec.streams and not wanted:
        wanted = {Stream.RGB if Stream.RGB in sources else Stream.DEPTH} & set(sources)
    if wanted and spec.target is not None:
        wanted |= {Stream.DEPTH} & set(sources)
    return [stream for stream in (Stream.RGB, Stream.DEPTH) if stream in wanted]


def _working_type(stream: Stream) -> type[np.generic]:
    return np.uint8 if stream is Stream.RGB else np.float32


def _size(x_TCHW: Tensor) -> tuple[int, int]:
    return int(x_TCHW.shape[-2]), int(x_TCHW.shape[-1])


def _covering(frame_size: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """Return the frame's size scaled so that it just covers `size`."""
    factor = max(size[0] / frame_size[0], size[1] / frame_size[1])
    return max(round(frame_size[0] * factor), size[0]), max(round(frame_size[1] * factor), size[1])


def _crop(frames_THWC: npt.NDArray[np.generic], box: Box) -> npt.NDArray[np.generic]:
    """Cut the widened window out of every frame; what lies over the edge is black, or not measured."""
    side = max(round(box.side * MOTION_WINDOW_MARGIN), 1)
    top = round(box.top + (box.side - side) / 2)
    left = round(box.left + (box.side - side) / 2)
    inside = frames_THWC[:, max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)]
    rows, columns = inside.shape[1:3]
    before = (max(-top, 0), max(-left, 0))
    pads = ((0, 0), (before[0], side - rows - before[0]), (before[1], side - columns - before[1]), (0, 0))
    return np.pad(inside, pads) if (rows, columns) != (side, side) else inside


def _cut(x_TCHW: Tensor, size: tuple[int, int], offsets: tuple[float, float]) -> Tensor:
    free_y, free_x = x_TCHW.shape[-2] - size[0], x_TCHW.shape[-1] - size[1]
    top, left = round(free_y * offsets[0]), round(free_x * offsets[1])
    return x_TCHW[..., top : top + size[0], left : left + size[1]]


def _grey(x_TCHW: Tensor, stream: Stream) -> UInt8Array:
    if stream is Stream.RGB:
        grey_THW = transforms.rgb_to_grayscale(x_TCHW)[:, 0]
    else:  # depth of a scene up to four metres spread over the levels; what was not measured stays dark
        grey_THW = (x_TCHW[:, 0].float() / 4000.0 * 255.0).clamp(0, 255).byte()
    return np.asarray(grey_THW.numpy(), dtype=np.uint8)
