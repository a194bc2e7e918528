"""From frames to a clip tensor, in two steps: a window that never changes, and a clip that chance may change.

frames of every stream -> window: which place, scaled         (the same each time: it can be cached)
                       -> clip: which frames, augmented, into channels
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mudra.clips.augmentation import Draw, apply_colour, apply_geometry, sample_draw
from mudra.clips.channels import RelativeDepthChannels
from mudra.clips.corners import cut_corner
from mudra.clips.region import Box
from mudra.clips.sampling import DenseSampling, Indices, UniformSampling, sample_frames
from mudra.clips.source import FrameSource, choose_primary
from mudra.clips.spec import ClipSpec, View
from mudra.clips.target import TargetMaps, find_depth, no_target
from mudra.clips.window import Window, WindowReader
from mudra.errors import ClipError
from mudra.types import FloatArray, Stream

# Random test clips are drawn from this seed on, one for each clip.
TEST_SEED = 20210307

# Where a clip is cut out of its window: drawn, or at shares of the free height and width.
Place = float | tuple[float, float]


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
        >>> from mudra.clips import ArraySource
        >>> from mudra.types import Frames
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
        primary = choose_primary(sources, self.spec)
        inside = frames_in_span(sources[primary].times_s, span_s)
        chosen = inside[self._sample(sources[primary].times_s[inside], generator, view)]
        window = self._reader.read(sources, primary, chosen)
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
        primary = choose_primary(sources, self.spec)
        inside = frames_in_span(sources[primary].times_s, span_s)
        if len(inside) > self.spec.max_frames and not isinstance(self.spec.sampling, DenseSampling):
            even = sample_frames(np.arange(len(inside)) / 1.0, self.spec.max_frames, UniformSampling())
            inside = inside[even]
        return self._reader.read(sources, primary, inside)

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
        primary = choose_primary(sources, self.spec)
        inside = frames_in_span(sources[primary].times_s, (None, None))
        if len(inside) > self.spec.max_frames:
            inside = inside[sample_frames(inside / 1.0, self.spec.max_frames, UniformSampling())]
        settled = ClipMaker(self.spec)
        if self.spec.region == "motion":
            settled.box = self._reader.find_box(sources[primary], primary, inside)
        if Stream.DEPTH in self.spec.streams and isinstance(self.spec.depth, RelativeDepthChannels):
            depth_TCHW = settled._reader.read(sources, primary, inside).streams[Stream.DEPTH]
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
        window = self._reader.read(sources, choose_primary(sources, self.spec), indices)
        return self._finish(window, generator=None, view=View())

    @property
    def _reader(self) -> WindowReader:
        return WindowReader(self.spec, self.box)

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
        depth_TCHW = window.streams[Stream.DEPTH]
        # A corner may show nothing but the background of a frame that has depth elsewhere.
        placed_TCHW = self._place(depth_TCHW, Stream.DEPTH, draw, where)
        return self.spec.target.apply(placed_TCHW, has_depth_T=find_depth(depth_TCHW))

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


def _cut(x_TCHW: Tensor, size: tuple[int, int], offsets: tuple[float, float]) -> Tensor:
    free_y, free_x = x_TCHW.shape[-2] - size[0], x_TCHW.shape[-1] - size[1]
    top, left = round(free_y * offsets[0]), round(free_x * offsets[1])
    return x_TCHW[..., top : top + size[0], left : left + size[1]]
