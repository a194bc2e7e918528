"""Whole streams: a row of logits for every frame of a recording of any length, in constant memory.

Source: Pigou et al. 2015, section 4.2 (a buildup in both directions: of 64 frames the middle 32 are kept; windows with
single-frame steps for networks that answer for the middle of a window), and the authors' code for the edges.
Differs: no frame is lost. The released code drops the last 16 frames of a recording that fits into one window, and the
last frame of every recording that a network with a window judges.

    the network runs forwards alone    piece by piece, on from the state that the piece before left; one that answers
                                       with a delay sees zeros behind the last frame
    it has a window                    windows with single-frame steps, zeros before the first frame and behind the last
    it looks both ways                 windows of `window` frames, `stride` apart; of each, the middle `stride` frames
                                       are kept, and at the ends what lies beyond the middle too. The last window is
                                       filled up with frames of zeros that recurrent layers pass over.

How the stream is cut into pieces changes no number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from mudra.errors import ModelError
from mudra.models.frame_stream import FrameStreamState
from mudra.models.frame_wise_net import FrameWiseNet
from mudra.models.sliding_window import WindowState, judge_windows, sees_frames_alone

# Longer pieces are seen in parts of so many frames: enough for fast convolutions, and little memory.
PART_FRAMES = 64


def judge_stream(
    network: FrameWiseNet, pieces_TCHW: Iterable[Tensor], *, window: int = 64, stride: int = 32
) -> Iterator[Tensor]:
    """Yield logits_TK in order, a row for every frame of the stream, as soon as they are known.

    Args:
        network: Any, in evaluation mode, on the device of the pieces.
        pieces_TCHW: The stream's frames as the network takes them, cut anywhere.
        window: Frames that a network sees at once which looks both ways; those of a training fragment.
        stride: Frames from one such window to the next: the middle ones, which are kept.

    Raises:
        ModelError: If the network is in training mode, or `stride` is not from 1 to `window`; while pieces come, if one
            has another number of axes or channels than the network takes.

    Example:
        >>> from mudra.models import FrameWiseNetConfig
        >>> network = FrameWiseNetConfig(num_classes=5, in_channels=1, width=0.05).build().eval()
        >>> [len(rows) for rows in judge_stream(network, torch.zeros(70, 1, 16, 16).split(50))]
        [48, 22]
    """
    if network.training:
        raise ModelError(
            "a stream cannot be judged: the network is in training mode, where chance makes all pieces differ",
            hint="call network.eval() before",
        )
    if not 1 <= stride <= window:
        raise ModelError(f"windows of {window} frames every {stride} frames: wanted a stride from 1 to the window")
    parts = _cut(pieces_TCHW)
    if network.is_causal:
        return _judge_forwards(network, parts)
    if network.window is not None:
        return _judge_middles(network, parts)
    return _judge_fragments(network, parts, window=window, stride=stride)


def _cut(pieces_TCHW: Iterable[Tensor]) -> Iterator[Tensor]:
    """Yield the pieces as clips of one stream, at most PART_FRAMES long and never empty."""
    for piece_TCHW in pieces_TCHW:
        if len(piece_TCHW):
            yield from torch.split(piece_TCHW.unsqueeze(0), PART_FRAMES, dim=1)


@torch.no_grad()
def _judge_forwards(network: FrameWiseNet, parts: Iterable[Tensor]) -> Iterator[Tensor]:
    state: FrameStreamState | None = None
    early = network.delay_frames  # rows still to come that are about frames before the first
    part_BTCHW: Tensor | None = None
    for part_BTCHW in parts:
        logits_BTK, state = network.forward_stream(part_BTCHW, state)
        if logits_BTK.shape[1] > early:
            yield logits_BTK[0, early:]
        early = max(early - logits_BTK.shape[1], 0)
    if part_BTCHW is not None and network.delay_frames:
        zeros = part_BTCHW.new_zeros(1, network.delay_frames, *part_BTCHW.shape[2:])
        yield network.forward_stream(zeros, state).logits_BTK[0, early:]


@torch.no_grad()
def _judge_middles(network: FrameWiseNet, parts: Iterable[Tensor]) -> Iterator[Tensor]:
    assert network.window is not None
    before, behind = (network.window.num_frames - 1) // 2, network.window.num_frames // 2
    state: WindowState | None = None
    part_BTCHW: Tensor | None = None
    for part_BTCHW in parts:
        network.check_clip(part_BTCHW)
        padded = nn.functional.pad(part_BTCHW, (0, 0, 0, 0, 0, 0, before, 0)) if state is None else part_BTCHW
        logits_BTK, state = judge_windows(network, padded, state)
        if logits_BTK.shape[1]:
            yield logits_BTK[0]
    if part_BTCHW is not None and behind:
        zeros = part_BTCHW.new_zeros(1, behind, *part_BTCHW.shape[2:])
        yield judge_windows(network, zeros, state).logits_BTK[0]


@torch.no_grad()
def _judge_fragments(network: FrameWiseNet, parts: Iterable[Tensor], *, window: int, stride: int) -> Iterator[Tensor]:
    """Windows over frames, or over their features where neighbouring windows can share these."""
    shared = sees_frames_alone(network.backbone)
    margin = (window - stride) // 2
    waiting: Tensor | None = None  # what the next window begins with
    start = 0  # first row of the next window that is kept
    for part_BTCHW in parts:
        network.check_clip(part_BTCHW)
        values = network.flatten_maps(network.backbone(part_BTCHW)) if shared else part_BTCHW
        waiting = values if waiting is None else torch.cat([waiting, values], dim=1)
        # A window is known not to be the last one when a frame behind it has come.
        while waiting.shape[1] > window:
            yield _judge_window(network, waiting[:, :window], window)[start : margin + stride]
            waiting, start = waiting[:, stride:], margin
        waiting = waiting.clone()  # in memory of its own: what came before is let go
    if waiting is not None:
        yield _judge_window(network, waiting, window)[start:]


def _judge_window(network: FrameWiseNet, values: Tensor, window: int) -> Tensor:
    """Return logits_TK of frames (B, T, C, H, W) or of their features (B, T, C), without those of the filling."""
    num_frames = values.shape[1]
    if values.ndim == 3:
        # No frame sees another one but through recurrent layers, which would pass over a filling.
        return network.judge_features(values)[0]
    mask_BT: Tensor | None = None
    if num_frames < window:
        values = nn.functional.pad(values, (0, 0, 0, 0, 0, 0, 0, window - num_frames))
        mask_BT = (torch.arange(window, device=values.device) < num_frames).unsqueeze(0)
    logits_TK: Tensor = network(values, mask_BT=mask_BT)[0, :num_frames]
    return logits_TK
