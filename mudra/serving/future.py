"""Use a run that predicts frames: how far off it is, by how fast things move, and pictures of what it predicts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mudra.clips import RunCard
from mudra.errors import DataError, RunError
from mudra.models import FutureNet, frame_errors
from mudra.serving.figure import GridRow, image_grid
from mudra.serving.predictor import read_run
from mudra.types import UInt8Array

PICTURE_PX = 64


class KnownFuture(NamedTuple):
    """Clips whose future is known.

    Args:
        clip_BTCHW: What the network sees, as the run's clips are.
        future_BTCHW: Grey levels in [0, 1] of what followed.
        speed_B: How fast the fastest thing of each clip moves, in pixels per frame.
    """

    clip_BTCHW: Tensor
    future_BTCHW: Tensor
    speed_B: Tensor


class SpeedScore(NamedTuple):
    """How far off the predictions of some clips are.

    Args:
        low_px, high_px: Their speeds, from `low_px` up to, but not including, `high_px` pixels per frame.
        num_clips: How many they are.
        cross_entropy: Sigmoid cross-entropy, summed over pixels and time, averaged over clips.
        mse: Squared error, summed over the pixels of a frame, averaged over frames and clips.
    """

    low_px: float
    high_px: float
    num_clips: int
    cross_entropy: float
    mse: float


class FutureScores(NamedTuple):
    """How far off a run's predictions are.

    Args:
        overall: Of all clips.
        per_speed: By speed, in steps of a pixel per frame.
        per_frame: Cross-entropy of each predicted frame, averaged over clips.
    """

    overall: SpeedScore
    per_speed: tuple[SpeedScore, ...]
    per_frame: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the scores as JSON knows them."""
        return {
            **self.overall._asdict(),
            "per_speed": [score._asdict() for score in self.per_speed],
            "cross_entropy_per_frame": list(self.per_frame),
        }


class FuturePredictor:
    """Predicts the frames that follow a clip.

    Args:
        network: Takes clip_BTCHW and returns the logits of the frames that follow.
        card: What the run says of itself.
        device: Where the network computes; None for the GPU if there is one.
    """

    def __init__(self, network: FutureNet, card: RunCard, *, device: str | None = None) -> None:
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.network = network.to(self.device).eval()
        self.card = card

    @torch.inference_mode()
    def logits(self, clip_BTCHW: Tensor) -> Tensor:
        """Return the logits (B, T, C, H, W) of the frames that follow; their sigmoid is grey levels in [0, 1]."""
        logits_BTCHW: Tensor = self.network(clip_BTCHW.to(self.device)).float().cpu()
        return logits_BTCHW


def load_future(run: str | Path, *, device: str | None = None) -> FuturePredictor:
    """Load a run folder whose network predicts frames.

    Args:
        run: The folder: `run.yaml`, `card.json` and `weights.safetensors`.
        device: Where the network computes; None for the GPU if there is one.

    Raises:
        RunError: If a file is missing or damaged, or the network names classes.
        ModelError: If the weights do not fit the network.
    """
    network, card = read_run(run)
    if not isinstance(network, FutureNet):
        raise RunError(f"{run}: its network names classes, and predicts no frames", hint="mudra.load reads it")
    return FuturePredictor(network, card, device=device)


def judge_future(predictor: FuturePredictor, batches: Iterable[KnownFuture]) -> FutureScores:
    """Predict, and say how far off the predictions are.

    Raises:
        DataError: If there is no clip.
    """
    entropies, squares, speeds = [], [], []
    for clip_BTCHW, future_BTCHW, speed_B in batches:
        errors = frame_errors(predictor.logits(clip_BTCHW), future_BTCHW)
        entropies.append(errors.cross_entropy_BT)
        squares.append(errors.squared_BT.mean(dim=1))
        speeds.append(speed_B)
    if not speeds:
        raise DataError("no clips came whose future is known")
    entropy_BT, mse_B, speed_B = torch.cat(entropies), torch.cat(squares), torch.cat(speeds)
    entropy_B = entropy_BT.sum(dim=1)

    def score(low: float, high: float) -> SpeedScore:
        chosen_B = (speed_B >= low) & (speed_B < high)
        means = [float(values_B[chosen_B].mean()) for values_B in (entropy_B, mse_B)]
        return SpeedScore(low, high, int(chosen_B.sum()), *means)

    steps = sorted({math.floor(speed) for speed in speed_B.tolist()})
    return FutureScores(
        overall=score(steps[0], steps[-1] + 1),
        per_speed=tuple(score(low, low + 1) for low in steps),
        per_frame=tuple(entropy_BT.mean(dim=0).tolist()),
    )


def draw_futures(predictor: FuturePredictor, known: KnownFuture) -> UInt8Array:
    """Return a picture with three rows for each clip: what was seen, what came, and what was predicted.

    Returns:
        uint8 RGB, shape (H, W, 3).
    """
    predicted_BTCHW = predictor.logits(known.clip_BTCHW).sigmoid()
    rows = []
    for clip, speed in enumerate(known.speed_B.tolist()):
        rows += [
            GridRow(f"seen, {speed:.1f} px per frame", _as_pictures(known.clip_BTCHW[clip])),
            GridRow("what came", _as_pictures(known.future_BTCHW[clip])),
            GridRow("predicted", _as_pictures(predicted_BTCHW[clip])),
        ]
    return image_grid(rows, height_px=PICTURE_PX)


def _as_pictures(frames_TCHW: Tensor) -> Sequence[UInt8Array]:
    levels_THW = (frames_TCHW[:, 0].clamp(0.0, 1.0) * 255).round().to(torch.uint8).numpy()
    return [np.repeat(levels_HW[..., None], 3, axis=2) for levels_HW in levels_THW]
