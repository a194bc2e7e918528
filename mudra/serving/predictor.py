"""Predictor: a run folder, ready to say what a file or an array of frames shows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import yaml
from pydantic import TypeAdapter
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from mudra.clips import ArraySource, BoxedSource, Clip, ClipMaker, FrameSource, RunCard, View
from mudra.errors import ClipError, ModelError, RunError, VideoError
from mudra.models import AnyModelConfig, FrameWiseNet, FutureNet
from mudra.types import DepthFormat, Frames, PixelBox, Prediction, Ranked, Recording, Stream
from mudra.video import open_recording

NUM_TOP = 5
CLIPS_AT_ONCE = 16  # thirty views of a recording, eight frames of 256x256 each, would not fit in most memories
# Grey levels stored as colour come back within a few levels of grey; a picture with more colour than this is no depth.
COLOURED_LEVELS, COLOURED_SHARE = 12, 0.01
# Streams that a file can hold; flow is computed from them.
_MEASURED = (Stream.RGB, Stream.DEPTH)
# What `Frames` of these hold.
_FRAME_TYPES: dict[Stream, tuple[type[np.unsignedinteger], ...]] = {Stream.RGB: (np.uint8,), Stream.DEPTH: (np.uint16,)}

Video = str | Path | Frames | npt.NDArray[np.generic]


class Views(NamedTuple):
    """All test views of one recording.

    Args:
        clips: The views.
        span_s: Times of the first and the last frame looked at.
        decode_ms, clip_ms: What reading the frames and making the views took.
    """

    clips: list[Clip]
    span_s: tuple[float, float]
    decode_ms: float
    clip_ms: float


class Predictor:
    """Names the gesture of a clip.

    Args:
        network: Takes clip_BTCHW and returns logits_BK.
        card: What the run says of itself.
        device: Where the network computes; None for the GPU if there is one.

    Example:
        >>> import mudra
        >>> mudra.load("runs/mine").predict("hand.mp4").label  # doctest: +SKIP
        'swipe_left'
    """

    def __init__(self, network: nn.Module, card: RunCard, *, device: str | None = None) -> None:
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.network = network.to(self.device).eval()
        self.card = card
        self.maker = ClipMaker(card.clip)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the probabilities."""
        return self.card.classes

    def predict(
        self,
        video: Video,
        *,
        depth: Video | None = None,
        span_s: tuple[float | None, float | None] = (None, None),
        fps: float = 30.0,
        box: PixelBox | None = None,
    ) -> Prediction:
        """Name the gesture that a clip shows.

        Args:
            video: A file, a folder of frames, `Frames`, or an array: (T, H, W, 3) uint8 colour, or (T, H, W) or
                (T, H, W, 1) depth in millimetres. For a run on depth alone, the depth.
            depth: The depth that belongs to a colour video; a run on depth alone looks at nothing else.
            span_s: Start and end of the gesture within the recording, in seconds.
            fps: Frame rate of an array or a folder of frames.
            box: The part of every frame that the run is to see; None for all of it.

        Raises:
            VideoError: If a file cannot be read.
            ClipError: If a stream is missing or not wanted, no frame lies in the span, or the box does not lie within
                the frames.
        """
        started = time.perf_counter()
        with ExitStack() as stack:
            sources = self.open_sources(video, depth, fps, stack, box=box)
            opened_ms = (time.perf_counter() - started) * 1e3
            views = self.read_views(sources, span_s=span_s)
        started = time.perf_counter()
        probability_K = self.probabilities([views])[0]
        network_ms = (time.perf_counter() - started) * 1e3
        latency_ms = {"decode": opened_ms + views.decode_ms, "clip": views.clip_ms, "network": network_ms}
        path = str(video) if isinstance(video, str | Path) else ""
        return self.describe(probability_K, span_s=views.span_s, path=path, latency_ms=latency_ms)

    def read_views(
        self, sources: Mapping[Stream, FrameSource], *, span_s: tuple[float | None, float | None] = (None, None)
    ) -> Views:
        """Read a recording and make all test views of it."""
        timed = {stream: _TimedSource(source) for stream, source in sources.items()}
        started = time.perf_counter()
        views = self.card.clip.test_views
        if len(views) == 1:
            clips = [self.maker.read_clip(timed, span_s=span_s)]
        else:
            window = self.maker.window(timed, span_s=span_s)
            clips = [self.maker.clip(window, view=View(*view)) for view in views]
        decode_s = sum(source.seconds for source in timed.values())
        clip_ms = (time.perf_counter() - started - decode_s) * 1e3
        times_s = np.concatenate([clip.times_s for clip in clips])
        return Views(clips, (float(times_s.min()), float(times_s.max())), decode_s * 1e3, clip_ms)

    @property
    def recordings_at_once(self) -> int:
        """How many recordings to read before the network sees them: their views are all held together."""
        return max(1, CLIPS_AT_ONCE // len(self.card.clip.test_views))

    @torch.inference_mode()
    def probabilities(self, recordings: Sequence[Views]) -> Tensor:
        """Return probability_NK: softmax averaged over each recording's views."""
        clips = [clip.clip_TCHW for views in recordings for clip in views.clips]
        pieces = (clips[start : start + CLIPS_AT_ONCE] for start in range(0, len(clips), CLIPS_AT_ONCE))
        logits = [self.network(torch.stack(piece).to(self.device)).float() for piece in pieces]
        probability_BK = torch.cat(logits).softmax(dim=-1).cpu()
        counts = [len(views.clips) for views in recordings]
        return torch.stack([part.mean(dim=0) for part in torch.split(probability_BK, counts)])

    def describe(
        self,
        probability_K: Tensor,
        *,
        span_s: tuple[float, float],
        path: str = "",
        latency_ms: dict[str, float] | None = None,
    ) -> Prediction:
        """Return the prediction that probabilities mean."""
        values, order = probability_K.topk(min(NUM_TOP, len(self.classes)))
        top = tuple(Ranked(self.classes[k], float(p)) for p, k in zip(values, order.tolist(), strict=True))
        return Prediction(
            label=top[0].label,
            probability=top[0].probability,
            top=top,
            span_s=span_s,
            path=path,
            latency_ms=latency_ms or {},
        )

    def open_sources(
        self, video: Video, depth: Video | None, fps: float, stack: ExitStack, *, box: PixelBox | None = None
    ) -> dict[Stream, FrameSource]:
        """Return the frames of the streams that the run needs, as `predict` takes them; `stack` closes them.

        Of frames with a box, that part alone is seen.

        Raises:
            VideoError: If a file cannot be read.
            ClipError: If a stream is missing or not wanted, or the box does not lie within the frames.
        """
        wanted = [stream for stream in self.card.clip.streams if stream in _MEASURED] or [self.card.flow_from]
        if Stream.DEPTH in wanted and Stream.RGB in wanted and depth is None:
            raise ClipError("the run looks at colour and depth, only one video came", hint="give its depth too")
        if Stream.DEPTH not in wanted and depth is not None:
            raise ClipError("depth came, and the run looks at colour alone", hint="leave the depth out")
        given = {Stream.RGB: video, Stream.DEPTH: video if depth is None else depth}
        sources = {stream: self._source(given[stream], stream, fps, stack) for stream in wanted}
        if box is None:
            return sources
        return {stream: BoxedSource(source, box) for stream, source in sources.items()}

    def _source(self, video: Video, stream: Stream, fps: float, stack: ExitStack) -> FrameSource:
        if isinstance(video, Frames):
            _check_pixels(video.frames_THWC, stream, types=_FRAME_TYPES[stream])
            return ArraySource(video)
        if isinstance(video, np.ndarray):
            return ArraySource(frames_of_array(video, stream, fps=fps, depth=self.card.depth))
        recording = Recording(path=Path(video), stream=stream, depth=self.card.depth, fps=fps)
        if stream is Stream.DEPTH:
            _refuse_colour(recording)
        reader = stack.enter_context(open_recording(recording, stream))
        if stream is Stream.RGB and reader.info.pixel_format.startswith("gray16"):
            raise VideoError(
                recording.path, "holds 16-bit depth; the run looks at colour", hint="give the colour video"
            )
        return reader


class LoadedRun(NamedTuple):
    """What a run folder holds.

    Args:
        network: With its weights.
        card: What the run says of itself.
    """

    network: nn.Module
    card: RunCard


def load(run: str | Path, *, device: str | None = None) -> Predictor:
    """Load a run folder whose network names clips.

    Args:
        run: The folder: `run.yaml`, `card.json` and `weights.safetensors`.
        device: Where the network computes; None for the GPU if there is one.

    Raises:
        RunError: If a file is missing or damaged, or the network labels the frames of streams instead.
        ModelError: If the weights do not fit the network.
    """
    network, card = read_run(run)
    if isinstance(network, FrameWiseNet):
        raise RunError(
            f"{run}: its network labels every frame of a stream, and names no clips",
            hint=f"mudra segment {run} FILE finds what happens when; in Python, mudra.load_segmenter",
        )
    if isinstance(network, FutureNet):
        raise RunError(
            f"{run}: its network predicts frames, and names no clips",
            hint=f"mudra evaluate {run} shows what it predicts; in Python, mudra.serving.load_future",
        )
    return Predictor(network, card, device=device)


def read_run(run: str | Path) -> LoadedRun:
    """Read a run folder of any kind.

    Raises:
        RunError: If a file is missing or damaged.
        ModelError: If the weights do not fit the network.
    """
    run = Path(run)
    missing = [name for name in ("run.yaml", "card.json", "weights.safetensors") if not (run / name).is_file()]
    if missing:
        there = ", ".join(sorted(path.name for path in run.iterdir())[:8]) if run.is_dir() else "no such folder"
        raise RunError(
            f"{run}: not a finished run, {', '.join(missing)} missing (there: {there})",
            hint="name the folder that `mudra train` wrote, the one given as --out",
        )
    card = read_card(run)
    try:
        model = yaml.safe_load((run / "run.yaml").read_text(encoding="utf-8"))["model"]
        # What training alone used is in the config, with which the run can be repeated, and not in the weights.
        model = {**model, **dict.fromkeys(card.dropped_parts)}
        network = TypeAdapter(AnyModelConfig).validate_python(model).build()
        weights = load_file(run / "weights.safetensors")
    except (yaml.YAMLError, KeyError, TypeError, ValueError, OSError, SafetensorError) as error:
        raise RunError(f"{run}: damaged ({error})", hint="train again, or copy the folder again") from None
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ModelError(f"{run}: the weights do not fit the network of run.yaml: {error}") from None
    if not isinstance(network, FutureNet) and network.num_classes != len(card.classes):
        raise ModelError(
            f"{run}: card.json names {len(card.classes)} classes, the network has {network.num_classes}",
            hint="the files of two runs are mixed; copy one run's folder whole",
        )
    return LoadedRun(network, card)


def read_card(run: Path) -> RunCard:
    """Read a run's card.json.

    Raises:
        RunError: If it is damaged.
    """
    try:
        return RunCard.model_validate_json((run / "card.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{run / 'card.json'}: damaged ({error})") from None


def frames_of_array(
    video: npt.NDArray[np.generic], stream: Stream, *, fps: float, depth: DepthFormat | None = None
) -> Frames:
    """Return an array as frames.

    Args:
        video: (T, H, W, 3) uint8 colour; (T, H, W) or (T, H, W, 1) depth: unsigned integers in millimetres, or 8-bit
            levels, which `depth` turns into millimetres.
        stream: What the array holds.
        fps: Its frame rate.
        depth: How 8-bit levels become millimetres.

    Raises:
        ClipError: If shape or type do not fit the stream, or the frame rate is not above zero.
    """
    if not fps > 0:
        raise ClipError(f"an array came with {fps} frames per second", hint="give its frame rate, for example fps=30")
    if stream is Stream.DEPTH and video.ndim == 3:
        video = video[..., None]
    _check_pixels(video, stream, types=(*_FRAME_TYPES[stream], np.uint8))
    if video.dtype == np.uint8 and stream is Stream.DEPTH:
        form = depth or DepthFormat()
        levels = video.astype(np.float64)
        video = np.where(levels != form.missing_level, np.round(levels * form.mm_per_level), 0).astype(np.uint16)
    return Frames(video, np.arange(len(video)) / fps)


def _check_pixels(
    video: npt.NDArray[np.generic], stream: Stream, *, types: tuple[type[np.unsignedinteger], ...]
) -> None:
    channels = 3 if stream is Stream.RGB else 1
    if video.ndim != 4 or video.shape[-1] != channels or video.dtype not in types or len(video) == 0:
        raise ClipError(
            f"an array of shape {video.shape} and type {video.dtype} came for the {stream.value} stream",
            hint="wanted (T, H, W, 3) uint8 for colour, (T, H, W) uint16 millimetres for depth",
        )


def _refuse_colour(recording: Recording) -> None:
    """Refuse a colour video where depth is wanted: read as grey levels it would give an answer, and a wrong one."""
    with open_recording(replace(recording, stream=Stream.RGB), Stream.RGB) as reader:
        if reader.info.pixel_format.startswith("gray"):
            return
        # The middle too: a recording may begin grey, before the camera has set its white balance.
        pixels_THWC = reader.read([0, len(reader.times_s) // 2]).frames_THWC.astype(np.int16)
    spread_THW = pixels_THWC.max(axis=-1) - pixels_THWC.min(axis=-1)
    if ((spread_THW > COLOURED_LEVELS).mean(axis=(1, 2)) > COLOURED_SHARE).any():
        raise VideoError(
            recording.path, "is a colour video; the run looks at depth alone", hint="give the depth recording instead"
        )


class _TimedSource:
    """A source that adds up the time its reads take."""

    def __init__(self, source: FrameSource) -> None:
        self.source = source
        self.seconds = 0.0

    @property
    def times_s(self) -> npt.NDArray[np.float64]:
        started = time.perf_counter()
        times_s = self.source.times_s
        self.seconds += time.perf_counter() - started
        return times_s

    @property
    def frame_size(self) -> tuple[int, int]:
        return self.source.frame_size

    def read(self, indices: npt.NDArray[np.int64] | None = None, *, size: tuple[int, int] | None = None) -> Frames:
        started = time.perf_counter()
        frames = self.source.read(indices, size=size)
        self.seconds += time.perf_counter() - started
        return frames
