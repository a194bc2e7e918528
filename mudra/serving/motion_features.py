"""Motion features: the most active maps of a frame-wise network's first layers, over the frames that they come from.

Source: Pigou et al. 2015, figure 3: where nothing moves, maps of a network with temporal convolutions are still, and
those of one without are not.
Differs: the figure shows one map four layers deep, and not by which measure it is the most active. Here the first four
layers are shown, the channel with the largest sum of positive activations over all frames stands for each, and of a
factorised layer both halves are shown: after its convolution in space, and after that over time.

Letters: T frames, D channels of a layer, H W cells of its maps.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from mudra.backbones import TemporalConv
from mudra.clips import FrameSource
from mudra.clips.maker import frames_in_span
from mudra.errors import ModelError, VideoError
from mudra.models import FrameWiseNet
from mudra.serving.clip_picture import draw_clip, lay_heat
from mudra.serving.figure import GridRow, image_grid, write_png
from mudra.serving.segmenter import Segmenter
from mudra.serving.stream_clips import resample_times
from mudra.serving.trace import ChannelRule, pick_channel
from mudra.types import FloatArray, Stream, UInt8Array
from mudra.video import write_video

MOST_FRAMES = 256  # of a recording, from the beginning of the span on
NUM_LAYERS = 4
NUM_COLUMNS = 8
TILE_PX = 160
TITLE_PX = 22

Half = Literal["spatial", "temporal"]


class FeatureLayer(NamedTuple):
    """The most active map of one layer.

    Args:
        name: Where in the network it is.
        half: Whether it comes out of a convolution in space or over time.
        depth: Which of its half it is, from 1 on.
        channel: The most active channel.
        active_THW: Its positive activations.
    """

    name: str
    half: Half
    depth: int
    channel: int
    active_THW: FloatArray


class MotionFeatures(NamedTuple):
    """What the first layers of one or several networks make of the same frames.

    Args:
        pictures_THWC: The frames as the networks see them, uint8 RGB.
        times_s: When each is shown.
        layers: By the name of the run, in the order in which frames pass through them.
    """

    pictures_THWC: UInt8Array
    times_s: FloatArray
    layers: dict[str, list[FeatureLayer]]

    def to_json(self) -> dict[str, Any]:
        """Return plain values for `json.dump`: which channels, and how active they are at each moment."""
        return {
            "times_s": self.times_s.round(4).tolist(),
            "runs": {
                run: [
                    {
                        "layer": layer.name,
                        "half": layer.half,
                        "channel": layer.channel,
                        "mean_activation": [round(float(value), 6) for value in layer.active_THW.mean(axis=(1, 2))],
                    }
                    for layer in layers
                ]
                for run, layers in self.layers.items()
            },
        }


class WrittenMotion(NamedTuple):
    """The files that tell it.

    Args:
        features: What was found.
        sheet: PNG: some frames, and the maps over them.
        video: MP4: all frames, and the deepest maps over them.
        numbers: JSON: `MotionFeatures.to_json`.
    """

    features: MotionFeatures
    sheet: Path
    video: Path
    numbers: Path


def trace_features(network: nn.Module, clip_TCHW: Tensor, *, rule: ChannelRule = "sum") -> list[FeatureLayer]:
    """Return the most active maps of a network's first layers.

    Args:
        network: One that labels frames, in evaluation mode.
        clip_TCHW: Frames as it takes them, on any device.
        rule: Which channel is the most active one, as `trace_clip` takes it.

    Raises:
        ModelError: If the network does not label frames, or its backbone makes no map of every frame at first.

    Example:
        >>> from mudra.backbones import FrameTrunkConfig
        >>> trunk = FrameTrunkConfig(temporal_conv="centred")
        >>> network = FrameWiseNet(num_classes=5, in_channels=4, width=0.125, backbone=trunk).eval()
        >>> [(one.half, one.depth) for one in trace_features(network, torch.zeros(6, 4, 32, 32))][:3]
        [('spatial', 1), ('temporal', 1), ('spatial', 2)]
    """
    if not isinstance(network, FrameWiseNet):
        raise ModelError(
            f"{type(network).__name__} has no layers whose motion features are drawn",
            hint="explain a run whose network is of kind frame_wise_net",
        )
    layers: list[FeatureLayer] = []
    with ExitStack() as stack, torch.no_grad():
        for name, module in network.backbone.named_modules():
            half: Half | None = None
            if isinstance(module, TemporalConv):
                half = "temporal"
            elif isinstance(module, nn.Conv2d) and max(module.kernel_size) > 1:
                half = "spatial"
            if half is not None:
                keep = partial(_keep_layer, layers, name, half, len(clip_TCHW), rule)
                stack.callback(module.register_forward_hook(keep).remove)
        network.backbone(clip_TCHW[None].to(next(network.parameters()).device))
    if not layers:
        raise ModelError("the network's backbone makes no maps of single frames", hint="explain a network of frames")
    return layers


def examine_motion(
    segmenters: Mapping[str, Segmenter],
    sources: Mapping[Stream, FrameSource],
    *,
    span_s: tuple[float | None, float | None] = (None, None),
    rule: ChannelRule = "sum",
) -> MotionFeatures:
    """Look at what the first layers of runs make of a recording.

    Args:
        segmenters: The runs by name, at least one; all take the same clips.
        sources: Where each stream's frames come from.
        span_s: Start and end in seconds; of a longer span its first 256 frames.
        rule: Which channel is the most active one.

    Raises:
        ClipError: If a stream is missing, or no frame lies in the span.
        ModelError: If a network does not label frames, or the runs take different clips.
    """
    first = next(iter(segmenters.values()))
    spec = first.predictor.card.clip
    for name, other in segmenters.items():
        if other.predictor.card.clip.model_copy(update={"num_frames": spec.num_frames}) != spec:
            raise ModelError(
                f"{name} takes other clips than {next(iter(segmenters))}: their maps lie over different frames",
                hint="compare runs with the same clip.* settings",
            )
    source_times_s = (sources.get(Stream.RGB) or sources[Stream.DEPTH]).times_s
    inside_s = source_times_s[frames_in_span(source_times_s, span_s)]
    times_s = resample_times(inside_s, first.fps)[:MOST_FRAMES]
    indices = np.searchsorted(source_times_s, times_s + 1e-6, side="right") - 1
    maker = first.predictor.maker.settle(sources)
    clip_TCHW = maker.cut_frames(sources, indices).clip_TCHW
    layers = {name: trace_features(one.predictor.network, clip_TCHW, rule=rule) for name, one in segmenters.items()}
    pictures_THWC = next(iter(draw_clip(clip_TCHW, maker.spec).values()))
    return MotionFeatures(pictures_THWC, times_s, layers)


def write_motion(out: Path, features: MotionFeatures) -> WrittenMotion:
    """Write motion.png, motion.mp4 and motion.json.

    Raises:
        VideoError: If `out` cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise VideoError(out, f"cannot be made into a folder ({error.strerror})", hint="name another folder") from None
    written = WrittenMotion(features, *(out / f"motion.{suffix}" for suffix in ("png", "mp4", "json")))
    write_png(written.sheet, draw_sheet(features))
    write_video(written.video, _draw_video(features), times_s=features.times_s - features.times_s[0])
    written.numbers.write_text(json.dumps(features.to_json(), indent=2), encoding="utf-8")
    return written


def draw_sheet(features: MotionFeatures) -> UInt8Array:
    """Return the sheet: a row of frames, then a row for every layer, in columns of moments."""
    num_frames = len(features.times_s)
    chosen = np.linspace(0, num_frames - 1, min(NUM_COLUMNS, num_frames)).round().astype(int).tolist()
    moments = ", ".join(f"{features.times_s[t]:.2f}" for t in chosen)
    pictures = [_enlarge(features.pictures_THWC[t]) for t in chosen]
    rows = [GridRow(f"what the network sees, at {moments} s", pictures)]
    for run, layers in features.layers.items():
        for layer in layers:
            maps_THW = _scale(layer.active_THW)
            heated = [lay_heat(picture, maps_THW[t]) for picture, t in zip(pictures, chosen, strict=True)]
            caption = f"{layer.half} layer {layer.depth}, channel {layer.channel} ({layer.name})"
            rows.append(GridRow(f"{run}: {caption}" if len(features.layers) > 1 else caption, heated))
    return image_grid(rows, height_px=TILE_PX * 3 // 4)


def _keep_layer(
    layers: list[FeatureLayer],
    name: str,
    half: Half,
    num_frames: int,
    rule: ChannelRule,
    module: nn.Module,
    inputs: Any,
    maps: Tensor,
) -> None:
    depth = sum(layer.half == half for layer in layers) + 1
    maps_TDHW = maps.flatten(0, 1) if maps.ndim == 5 else maps
    # Behind a pooling over time, maps are of several frames each.
    if depth > NUM_LAYERS or len(maps_TDHW) != num_frames:
        return
    maps_TDHW = maps_TDHW.float().relu()
    channel = pick_channel(maps_TDHW, rule)
    active_THW = maps_TDHW[:, channel].double().cpu().numpy()
    layers.append(FeatureLayer(name, half, depth, channel, active_THW))


def _draw_video(features: MotionFeatures) -> Iterator[UInt8Array]:
    """Yield all frames: what is seen, and beside it the deepest map of each half of each run."""
    panels = [
        (f"{run[:12]} {layer.half} {layer.depth}" if len(features.layers) > 1 else f"{layer.half} {layer.depth}", layer)
        for run, layers in features.layers.items()
        for layer in _deepest(layers)
    ]
    scaled = [(title, _scale(layer.active_THW)) for title, layer in panels]
    for t, time_s in enumerate(features.times_s):
        picture_HWC = _enlarge(features.pictures_THWC[t])
        tiles = [_with_title(picture_HWC, f"{time_s:.2f} s")]
        tiles += [_with_title(lay_heat(picture_HWC, maps_THW[t]), title) for title, maps_THW in scaled]
        page_HWC = np.concatenate(tiles, axis=1)
        yield page_HWC[: page_HWC.shape[0] // 2 * 2, : page_HWC.shape[1] // 2 * 2]


def _deepest(layers: Sequence[FeatureLayer]) -> list[FeatureLayer]:
    return list({layer.half: layer for layer in layers}.values())


def _scale(maps_THW: FloatArray) -> FloatArray:
    """Return maps from 0 to 1, by one scale for all frames, so that they can be compared."""
    high = float(maps_THW.max())
    return maps_THW / high if high > 0 else np.zeros_like(maps_THW)


def _enlarge(picture_HWC: UInt8Array) -> UInt8Array:
    height, width = picture_HWC.shape[:2]
    size = (round(width * TILE_PX / height), TILE_PX)
    return np.asarray(cv2.resize(picture_HWC, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _with_title(picture_HWC: UInt8Array, title: str) -> UInt8Array:
    strip_HWC = np.full((TITLE_PX, picture_HWC.shape[1], 3), 255, np.uint8)
    cv2.putText(strip_HWC, title, (4, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (60, 60, 60), 1, cv2.LINE_AA)
    return np.concatenate([strip_HWC, picture_HWC])
