"""Sliding windows: what a network with a window says of every frame of a stream, without seeing frames over and over.

Source: Pigou et al. 2015, section 4.2 (a sliding window with single-frame steps).
Differs: the numbers are those of the network on every window by itself; what neighbouring windows share is computed
once. A backbone that sees frames one by one sees each of them once. With temporal convolutions, a window's frames near
its ends are unlike the same frames inside another window, as convolutions see zeros beyond the ends:

    inside   what a frame gives wherever it stands far enough from the ends: once per frame, whatever the window
    front    the window's first steps, as they differ from that, for every window by itself
    back     its last steps, likewise

Each convolution over time makes front and back a reach longer, each pooling over time halves them; from where they
meet, windows are computed whole. Pooling over time leaves a sequence for every phase: pairs are taken at every frame,
and later convolutions reach over twice the distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mudra.backbones import Backbone, FrameBackbone, FrameTrunk, TemporalModule
from mudra.backbones.frame_trunk import FrameLayer, pool_pairs, pool_space
from mudra.backbones.temporal_conv import convolve_frames
from mudra.errors import ModelError
from mudra.models.frame_wise_net import FrameWiseNet


class JudgedWindows(NamedTuple):
    """What `judge_windows` returns for one piece of a stream.

    Args:
        logits_BTK: A row for every window that the piece completes, by the window's first frame, ascending; maybe none.
        state: Give it to the call for the next piece.
    """

    logits_BTK: Tensor
    state: WindowState


@dataclass(frozen=True)
class Track:
    """What is kept of a sequence over the stream's frames: those from `first` on, along axis 1."""

    values: Tensor | None = None
    first: int = 0

    @property
    def end(self) -> int:
        """The frame after the last one that is kept."""
        return self.first + (0 if self.values is None else self.values.shape[1])

    def append(self, values: Tensor) -> Track:
        """Return the track with what follows."""
        return Track(values if self.values is None else torch.cat([self.values, values], dim=1), self.first)

    def drop_before(self, frame: int) -> Track:
        """Return the track without the frames before `frame`, in memory of its own."""
        skipped = min(max(frame, self.first), self.end) - self.first
        if self.values is None or skipped == 0:
            return self
        return Track(self.values[:, skipped:].clone(), self.first + skipped)

    def since(self, frame: int) -> Tensor:
        """Return everything from `frame` on."""
        assert self.values is not None
        return self.values[:, frame - self.first :]

    def gather(self, windows: range, steps: range, *, dilation: int) -> Tensor:
        """Return some steps of every window, the windows as clips: shape (B * windows, steps, ...)."""
        assert self.values is not None
        starts = torch.arange(windows.start, windows.stop, device=self.values.device)
        offsets = torch.arange(steps.start, steps.stop, device=self.values.device) * dilation
        frames = (starts[:, None] + offsets - self.first).flatten()
        taken = self.values.index_select(1, frames)
        return taken.reshape(len(taken) * len(windows), len(steps), *taken.shape[2:])


class WindowState(NamedTuple):
    """What is needed of earlier frames.

    Args:
        num_frames: Frames that have come.
        tracks: Sequences over them, in the order in which the network makes them.
    """

    num_frames: int
    tracks: tuple[Track, ...]


def judge_windows(network: FrameWiseNet, piece_BTCHW: Tensor, state: WindowState | None = None) -> JudgedWindows:
    """Judge every window that the next piece of a stream completes.

    Args:
        network: A network with a window, in evaluation mode.
        piece_BTCHW: The next frames, T >= 1.
        state: What the piece before returned; None at the beginning.

    Raises:
        ModelError: If the network has no window, or is in training mode.
    """
    window = network.window
    if window is None or network.training:
        wrong = "has no window" if window is None else "is in training mode, where chance makes all windows differ"
        raise ModelError(f"windows cannot be judged: the network {wrong}", hint="use its forward instead")
    num_before, tracks = state or WindowState(0, ())
    num_frames = num_before + piece_BTCHW.shape[1]
    windows = range(max(0, num_before - window.num_frames + 1), max(0, num_frames - window.num_frames + 1))
    backbone = network.backbone
    if sees_frames_alone(backbone):
        features, after = _slide_features(network, piece_BTCHW, tracks, windows)
    elif isinstance(backbone, FrameTrunk) and backbone.temporal_conv == "centred" and backbone.temporal_kernel_size > 1:
        slide = _Slide(tracks, windows, num_steps=window.num_frames)
        features, after = network.flatten_maps(slide.run(backbone, piece_BTCHW)), tuple(slide.after)
    else:
        features, after = _slide_frames(network, piece_BTCHW, tracks, windows)
    if not windows:
        empty = piece_BTCHW.new_zeros(len(piece_BTCHW), 0, network.num_classes)
        return JudgedWindows(empty, WindowState(num_frames, after))
    logits_N1K: Tensor = network.head(network.pool_window(features))
    return JudgedWindows(
        logits_N1K.view(len(piece_BTCHW), len(windows), network.num_classes), WindowState(num_frames, after)
    )


def judge_frames(network: FrameWiseNet, clip_BTCHW: Tensor, *, piece_frames: int = 64) -> Tensor:
    """Return logits_BTK, a row for every frame of a whole recording: that of the window around it.

    Before the first frame and behind the last one stand frames of zeros, as in the released evaluation, but every frame
    has its row: that code loses the last one.

    Args:
        network: A network with a window, in evaluation mode.
        clip_BTCHW: Whole recordings, T >= 1.
        piece_frames: Frames that are seen at once: more are faster and need more memory.

    Raises:
        ModelError: As `judge_windows`.
    """
    window_frames = 1 if network.window is None else network.window.num_frames
    padding = (0, 0, 0, 0, 0, 0, (window_frames - 1) // 2, window_frames // 2)
    rows, state = [], None
    for piece_BTCHW in torch.split(nn.functional.pad(clip_BTCHW, padding), piece_frames, dim=1):
        logits_BTK, state = judge_windows(network, piece_BTCHW, state)
        rows.append(logits_BTK)
    return torch.cat(rows, dim=1)


def sees_frames_alone(backbone: Backbone) -> bool:
    """Whether a frame's maps depend on no other frame."""
    if isinstance(backbone, FrameTrunk):
        return backbone.temporal_conv == "none" and not backbone.pool_time
    mixers = (module for module in backbone.modules() if isinstance(module, TemporalModule))
    return isinstance(backbone, FrameBackbone) and next(mixers, None) is None


def _slide_features(
    network: FrameWiseNet, piece_BTCHW: Tensor, tracks: tuple[Track, ...], windows: range
) -> tuple[Tensor, tuple[Track, ...]]:
    """Every frame goes through the backbone once; windows share its features."""
    features_BTC = network.flatten_maps(network.backbone(piece_BTCHW))
    return _take_windows(network, features_BTC, tracks, windows)


def _slide_frames(
    network: FrameWiseNet, piece_BTCHW: Tensor, tracks: tuple[Track, ...], windows: range
) -> tuple[Tensor, tuple[Track, ...]]:
    """Every window goes through the backbone by itself: nothing is known of what they share."""
    clips, after = _take_windows(network, piece_BTCHW, tracks, windows)
    return (network.flatten_maps(network.backbone(clips)) if windows else clips), after


def _take_windows(
    network: FrameWiseNet, values: Tensor, tracks: tuple[Track, ...], windows: range
) -> tuple[Tensor, tuple[Track, ...]]:
    assert network.window is not None
    track = (tracks[0] if tracks else Track()).append(values)
    taken = track.gather(windows, range(network.window.num_frames), dilation=1)
    return taken, (track.drop_before(windows.stop),)


class _Slide:
    """One piece on its way through a trunk with centred temporal convolutions.

    Args:
        tracks: What the piece before left, in the order of use.
        windows: First frames of the windows that the piece completes.
        num_steps: Frames of a window.
    """

    def __init__(self, tracks: tuple[Track, ...], windows: range, *, num_steps: int) -> None:
        self.before = iter(tracks)
        self.after: list[Track] = []
        self.windows = windows
        self.num_steps = num_steps
        self.dilation = 1  # frames between the steps of a window
        self.reached = 0  # the stream's first frame whose inside is ever known
        self.whole: Tensor | None = None  # all steps of every window, from where front and back meet

    def run(self, trunk: FrameTrunk, piece_BTCHW: Tensor) -> Tensor:
        """Return the maps of every window that the piece completes, the windows as clips."""
        self.inside = piece_BTCHW
        none = piece_BTCHW.new_zeros(len(piece_BTCHW) * len(self.windows), 0, *piece_BTCHW.shape[2:])
        self.front = self.back = none
        for layers in trunk.stage_layers():
            for layer in layers:
                self._convolve(layer)
            self._pool(over_time=trunk.pool_time)
        if self.whole is None:
            _, track = self._follow(self.inside, num_earlier=0)
            self.whole = self._join(track)
        return self.whole

    def _convolve(self, layer: FrameLayer) -> None:
        assert layer.temporal is not None
        if self.whole is not None:
            self.whole = layer(self.whole)
            return
        reach = layer.temporal.kernel_size // 2
        new, track = self._follow(convolve_frames(layer.spatial, self.inside), num_earlier=2 * reach * self.dilation)
        self.front, self.back = (convolve_frames(layer.spatial, part) for part in (self.front, self.back))
        if self._num_between() <= 2 * reach:
            self.whole = layer.activate(layer.temporal(self._join(track)))
            return
        # Zeros stand beyond the window's ends alone; towards its inside the neighbours are all there.
        front = self._extend_front(track, 2 * reach)
        back = self._extend_back(track, 2 * reach)
        zeros = front.new_zeros(len(front), reach, *front.shape[2:])
        self.front = layer.activate(layer.temporal.forward_inside(torch.cat([zeros, front], dim=1)))
        self.back = layer.activate(layer.temporal.forward_inside(torch.cat([back, zeros], dim=1)))
        self.reached += reach * self.dilation
        self.inside = new[:, :0]
        if new.shape[1] > 2 * reach * self.dilation:
            self.inside = layer.activate(layer.temporal.forward_inside(new, dilation=self.dilation))

    def _pool(self, *, over_time: bool) -> None:
        if self.whole is not None:
            whole = pool_space(self.whole)
            self.whole = pool_pairs(whole) if over_time else whole
            return
        self.inside, self.front, self.back = (pool_space(part) for part in (self.inside, self.front, self.back))
        if not over_time:
            return
        new, track = self._follow(self.inside, num_earlier=self.dilation)
        odd_front, odd_back = self.front.shape[1] % 2, self.back.shape[1] % 2
        if self.num_steps % 2 or self.front.shape[1] + odd_front + self.back.shape[1] + odd_back > self.num_steps:
            self.whole = pool_pairs(self._join(track))
            return
        self.front = pool_pairs(self._extend_front(track, odd_front))
        self.back = pool_pairs(self._extend_back(track, odd_back))
        self.inside = torch.maximum(new[:, : -self.dilation], new[:, self.dilation :])
        self.dilation *= 2
        self.num_steps //= 2

    def _follow(self, values: Tensor, *, num_earlier: int) -> tuple[Tensor, Track]:
        """Continue the next track.

        Args:
            values: What the piece adds to it.
            num_earlier: How many frames before a new one the next operation looks at.

        Returns:
            The new frames with those before them that are looked at, as far as there are any; and the track.
        """
        track = next(self.before, Track(first=self.reached))
        start = max(track.first, track.end - num_earlier)
        track = track.append(values)
        first_needed = self.windows.stop + self.front.shape[1] * self.dilation
        self.after.append(track.drop_before(min(first_needed, track.end - num_earlier)))
        return track.since(start), track

    def _extend_front(self, track: Track, num_steps: int) -> Tensor:
        steps = range(self.front.shape[1], self.front.shape[1] + num_steps)
        return torch.cat([self.front, track.gather(self.windows, steps, dilation=self.dilation)], dim=1)

    def _extend_back(self, track: Track, num_steps: int) -> Tensor:
        last = self.num_steps - self.back.shape[1]
        steps = range(last - num_steps, last)
        return torch.cat([track.gather(self.windows, steps, dilation=self.dilation), self.back], dim=1)

    def _join(self, track: Track) -> Tensor:
        """Return all steps of every window."""
        return torch.cat([self._extend_front(track, self._num_between()), self.back], dim=1)

    def _num_between(self) -> int:
        return self.num_steps - self.front.shape[1] - self.back.shape[1]
