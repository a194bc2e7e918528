"""The first step of a clip: a window of its frames, one place in all streams, scaled, the same each time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

from mudra.clips.flow import compute_flow
from mudra.clips.region import Box, find_motion_box, keep_reach
from mudra.clips.sampling import Indices
from mudra.clips.source import FrameSource, choose_measured, pair_frames
from mudra.clips.spec import MOTION_WINDOW_MARGIN, ClipSpec
from mudra.types import FloatArray, Frames, Stream, UInt8Array

# Larger frames are scaled down to this shorter side before the region is looked for: 4K frames in full would only cost.
REGION_READ_PX = 240
# The largest number that half precision holds; some sensors write 65535 where they saw nothing near.
MAX_DEPTH_MM = 65504.0


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


class WindowReader:
    """Reads windows as a ClipSpec says.

    Args:
        spec: How.
        box: Where, for a spec that looks for what moves; None: looked for in each window by itself.
    """

    def __init__(self, spec: ClipSpec, box: Box | None = None) -> None:
        self.spec = spec
        self.box = box

    def read(self, sources: Mapping[Stream, FrameSource], primary: Stream, indices: Indices) -> Window:
        """Read some frames and scale the chosen place of them.

        Args:
            sources: Where each stream's frames come from; flow comes from `primary`.
            primary: The stream whose times count.
            indices: Frames of that stream.
        """
        times_s = sources[primary].times_s[indices]
        # One field of view for all streams: the other one is read in the primary's pixels, whatever its own shape, or
        # a crop would cut another place out of it.
        frame_size = sources[primary].frame_size
        size = self._read_size(frame_size) or frame_size
        frames = {
            stream: self._read_at(sources[stream], pair_frames(sources[primary], sources[stream], indices), size)
            for stream in choose_measured(sources, self.spec)
        }
        box = self.box
        if self.spec.region == "motion" and box is None:
            box = self._find_box(frames[primary], primary)
        scaled = {stream: self._scale(read, stream, box) for stream, read in frames.items()}
        streams: dict[Stream, Tensor] = {s: scaled[s] for s in self.spec.streams if s is not Stream.FLOW}
        if Stream.FLOW in self.spec.streams:
            streams[Stream.FLOW] = self._flow(sources[primary], primary, scaled[primary], indices, box)
        if self.spec.target is not None and Stream.DEPTH in scaled:
            streams[Stream.DEPTH] = scaled[Stream.DEPTH]
        return Window(streams, times_s)

    def find_box(self, source: FrameSource, stream: Stream, indices: Indices) -> Box:
        """Return the square around what moves in some frames of one stream."""
        return self._find_box(self._read_at(source, indices, self._read_size(source.frame_size)), stream)

    def _find_box(self, frames: Frames, stream: Stream) -> Box:
        return find_motion_box(frames, stream, margin_fraction=self.spec.region_margin_fraction)

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


def _grey(x_TCHW: Tensor, stream: Stream) -> UInt8Array:
    if stream is Stream.RGB:
        grey_THW = transforms.rgb_to_grayscale(x_TCHW)[:, 0]
    else:  # depth of a scene up to four metres spread over the levels; what was not measured stays dark
        grey_THW = (x_TCHW[:, 0].float() / 4000.0 * 255.0).clamp(0, 255).byte()
    return np.asarray(grey_THW.numpy(), dtype=np.uint8)
