"""Explain a prediction: what a run saw of a recording, what stayed in its memory, and what its answer rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from torch import nn

from mudra.clips import FrameSource
from mudra.clips.source import nearest_frames
from mudra.errors import ModelError, nearest_name
from mudra.serving.clip_picture import draw_clip, draw_original
from mudra.serving.excitation_trace import TemporalTrace, has_temporal_parts, trace_temporal
from mudra.serving.place import Place, WatchedSource, cut_place, find_place
from mudra.serving.predictor import Predictor
from mudra.serving.trace import ChannelRule, Trace, step_frames, trace_clip
from mudra.types import FloatArray, Frames, Prediction, Stream, UInt8Array

LARGEST_SIDE_PX = 480  # of original frames in pictures: larger ones are scaled down


class Heat(NamedTuple):
    """Maps that are laid over pictures.

    Args:
        title: What they are.
        short: The same where there is little room.
        maps_THW: One map for each step.
        low, high: The values that are cold and hot; one scale for all steps, so that they can be compared.
    """

    title: str
    short: str
    maps_THW: FloatArray
    low: float
    high: float

    def scaled(self, maps: FloatArray) -> FloatArray:
        """Return maps from 0 (cold) to 1 (hot); zeros where all values are equal."""
        if self.high <= self.low:
            return np.zeros_like(maps)
        return np.asarray(((maps - self.low) / (self.high - self.low)).clip(0.0, 1.0))


class Explanation(NamedTuple):
    """Why a run answers what it answers.

    Args:
        prediction: The answer, that of `Predictor.predict`.
        label: The class that Grad-CAM was asked about: the predicted one unless another was wanted.
        probability: Its probability.
        trace: What happened inside the network, in the first test view.
        clip_THWC: What the network saw, uint8 RGB by stream.
        original: The original frames of the same times, at most 480 pixels in height and width.
        steps: For each step of `trace` the frame of the clip that stands for it.
        place: Where in the original frames the clip lies.
        temporal: What temporal modules and decoders did; None for a network without such parts.
    """

    prediction: Prediction
    label: str
    probability: float
    trace: Trace
    clip_THWC: dict[Stream, UInt8Array]
    original: Frames
    steps: list[int]
    place: Place
    temporal: TemporalTrace | None = None

    @property
    def step_times_s(self) -> FloatArray:
        """When each step was, in seconds."""
        return self.original.times_s[self.steps]

    @property
    def evidence_T(self) -> FloatArray:
        """Each step's share of the Grad-CAM, summing to 1; zeros where nothing speaks for the class."""
        sum_T = self.trace.cam_THW.sum(axis=(1, 2))
        return np.asarray(sum_T / sum_T.sum() if sum_T.sum() > 0 else sum_T)

    @property
    def below_THWC(self) -> UInt8Array:
        """What maps are laid over: the first stream as the network saw it; for flow, the frames that it came from."""
        stream, pictures_THWC = next(iter(self.clip_THWC.items()))
        if stream is not Stream.FLOW:
            return pictures_THWC
        original_THWC = draw_original(self.original.frames_THWC)
        return np.stack([cut_place(picture_HWC, self.place) for picture_HWC in original_THWC])

    @property
    def heats(self) -> list[Heat]:
        """All maps that can be laid over the frames, in the order of the layers, Grad-CAM last."""
        heats = []
        for layer in self.trace.layers:
            low, high = float(layer.active_THW.min()), float(layer.active_THW.max())
            # What is not active is cold: a map's negative values would colour all that is zero.
            low = max(low, 0.0) if high > 0.0 else low
            title = f"{layer.name}: most active map (channel {layer.channel}, by {self.trace.rule})"
            heats.append(Heat(title, f"{layer.name}, channel {layer.channel}", layer.active_THW, low, high))
            if (attention_THW := layer.attention_THW) is not None:
                low, high = float(attention_THW.min()), float(attention_THW.max())
                heats.append(Heat(f"{layer.name}: attention", f"{layer.name}, attention", attention_THW, low, high))
        cam_THW = self.trace.cam_THW
        return [*heats, Heat(f"Grad-CAM of “{self.label}”", "Grad-CAM", cam_THW, 0.0, float(cam_THW.max()))]

    def to_json(self) -> dict[str, Any]:
        """Return the answer and the numbers as plain values for `json.dump`."""
        return {
            "path": self.prediction.path,
            "label": self.prediction.label,
            "probability": self.prediction.probability,
            "explained": self.label,
            "explained_probability": self.probability,
            "span_s": list(self.prediction.span_s),
            "place": self.place._asdict(),
            "step_times_s": self.step_times_s.tolist(),
            "evidence": self.evidence_T.tolist(),
            "channel_rule": self.trace.rule,
            "layers": [
                {
                    "name": layer.name,
                    "kind": layer.kind,
                    "most_active_channel": layer.channel,
                    "has_attention": layer.attention_THW is not None,
                    "mean_gates": {name: gate.mean_T.tolist() for name, gate in layer.gates.items()},
                }
                for layer in self.trace.layers
            ],
            **({} if self.temporal is None else {"temporal": self.temporal.to_json()}),
        }


def examine(
    predictor: Predictor,
    sources: Mapping[Stream, FrameSource],
    *,
    span_s: tuple[float | None, float | None] = (None, None),
    label: str | None = None,
    rule: ChannelRule = "sum",
    path: str = "",
    blocks: Sequence[str] | None = None,
    decoder: nn.Module | None = None,
) -> Explanation:
    """Explain the prediction for one recording.

    The prediction is that of all test views; the first of them, in the middle of the picture, is looked into.

    Args:
        predictor: The run.
        sources: Where each stream's frames come from.
        span_s: Start and end of the gesture within the recording, in seconds.
        label: The class to explain; None for the predicted one.
        rule: Which channel is the most active one, as `trace_clip` takes it.
        path: Name of the recording.
        blocks: Blocks whose temporal modules are looked into, as `trace_temporal` takes them.
        decoder: A decoder of depth in place of the network's own.

    Raises:
        ClipError: If a stream is missing, or no frame lies in the span.
        ModelError: If the run does not know `label`, its network cannot be explained, or it has no temporal modules in
            the blocks that were asked for, or nothing that the decoder could stand on.
    """
    if label is not None and label not in predictor.classes:
        raise ModelError(f"the run knows no class {label!r}", hint=nearest_name(label, predictor.classes))
    watched = {stream: WatchedSource(source) for stream, source in sources.items()}
    views = predictor.read_views(watched, span_s=span_s)
    probability_K = predictor.probabilities([views])[0]
    prediction = predictor.describe(probability_K, span_s=views.span_s, path=path)
    label = label or prediction.label
    k = predictor.classes.index(label)
    clip = views.clips[0]
    trace = trace_clip(predictor.network, clip.clip_TCHW, label=k, rule=rule)
    temporal = None
    if blocks is not None or has_temporal_parts(predictor.network, decoder):
        temporal = trace_temporal(predictor.network, clip.clip_TCHW, blocks=blocks, decoder=decoder)
    primary = primary_stream(sources)
    seen = watched[primary].seen
    assert seen is not None
    return Explanation(
        prediction=prediction,
        label=label,
        probability=float(probability_K[k]),
        trace=trace,
        clip_THWC=draw_clip(clip.clip_TCHW, predictor.card.clip),
        original=read_original(sources[primary], nearest_frames(sources[primary].times_s, clip.times_s)),
        steps=step_frames(len(trace.cam_THW), len(clip.times_s)),
        place=find_place(predictor.card.clip, seen, primary),
        temporal=temporal,
    )


def primary_stream(sources: Mapping[Stream, FrameSource]) -> Stream:
    """Return the stream whose frames are shown, which is the one that a clip's window is looked for in."""
    return Stream.RGB if Stream.RGB in sources else Stream.DEPTH


def read_original(source: FrameSource, indices: npt.NDArray[np.int64]) -> Frames:
    """Return whole frames, large ones scaled down to 480 pixels."""
    height, width = source.frame_size
    shrink = LARGEST_SIDE_PX / max(height, width)
    size = (round(height * shrink), round(width * shrink)) if shrink < 1.0 else None
    return source.read(indices, size=size)
