"""Segmenter: a run folder, ready to say what happens in a file of any length, and when.

    a network that labels frames    pieces of the stream -> logits of every frame (mudra.models.judge_stream)
    a network that names clips      windows slid over the stream -> probabilities, spread over the frames
    both                            probabilities -> EventDecoder -> events

What is held of a stream is a few seconds of it, the times of its frames, and its events.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from mudra.clips import DenseSampling, FrameSource
from mudra.errors import ConfigError, ModelError
from mudra.models import FrameWiseNet, judge_stream
from mudra.scoring import Event
from mudra.serving.clip_windows import Judged, slide_windows
from mudra.serving.event_decoder import EventDecoder, EventDecoderConfig
from mudra.serving.predictor import Predictor, Video, read_run
from mudra.serving.probability_trace import ProbabilityTrace
from mudra.serving.stream_clips import Progress, StreamPiece, follow_pieces, read_pieces
from mudra.serving.timeline import Timeline
from mudra.types import FloatArray, PixelBox, Stream
from mudra.video import Frame

DECODER_FILE = "decoder.yaml"  # in a run folder, once it is tuned
LIVE_FPS = 25.0  # of a run that does not say its own


@dataclass(frozen=True, kw_only=True)
class Segmented:
    """What happens in a recording.

    Args:
        events: In order of time.
        trace: The probabilities, for a picture.
        start_s, end_s: From its first frame to the end of its last one.
        num_frames: Frames that were judged.
        seconds: How long that took.
        path: The file; empty for an array.
    """

    events: list[Event]
    trace: ProbabilityTrace
    start_s: float
    end_s: float
    num_frames: int
    seconds: float
    path: str = ""

    def lay_out(
        self, *, classes: Sequence[str], idle_class: str | None, truth: Sequence[Event] | None = None
    ) -> Timeline:
        """Return what a picture of it shows.

        Args:
            classes: Those of the run.
            idle_class: That of the run.
            truth: What truly happens; None where it is not known.
        """
        return Timeline(
            title=self.path,
            classes=classes,
            idle_class=idle_class,
            probability_TK=self.trace.probability_TK,
            times_s=self.trace.times_s,
            span_s=(self.start_s, self.end_s),
            events=self.events,
            truth=truth,
        )


class Segmenter:
    """Finds the gestures of a stream.

    Args:
        predictor: The run, whatever its network: it opens files.
        decoder: When probabilities are an event.
        window_s, stride_s: For a network that names clips: length and distance of the windows, as `slide_windows` takes
            them.

    Raises:
        ConfigError: If the decoder names a class that the run does not know, or windows come for a network that labels
            frames.

    Example:
        >>> import mudra
        >>> mudra.load_segmenter("runs/mine").segment("evening.mp4").events[0].label  # doctest: +SKIP
        'swipe_left'
    """

    def __init__(
        self,
        predictor: Predictor,
        *,
        decoder: EventDecoderConfig = EventDecoderConfig(),  # noqa: B008  configs are frozen
        window_s: float | None = None,
        stride_s: float | None = None,
    ) -> None:
        self.predictor = predictor
        self.decoder = decoder
        self.window_s, self.stride_s = window_s, stride_s
        if self.is_frame_wise and (window_s, stride_s) != (None, None):
            raise ConfigError(
                "windows came for a network that labels every frame: it is not slid over the stream",
                hint="leave out --window and --stride (window_s, stride_s)",
            )
        self.build_decoder()

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the probabilities."""
        return self.predictor.classes

    @property
    def idle_class(self) -> str | None:
        """The class that is never an event; None where every class is one."""
        return self.predictor.card.idle_class

    @property
    def is_frame_wise(self) -> bool:
        """Whether the network labels frames, and not clips."""
        return isinstance(self.predictor.network, FrameWiseNet)

    @property
    def fps(self) -> float | None:
        """Frames per second that are judged; None for those that a recording has."""
        sampling = self.predictor.card.clip.sampling
        return sampling.fps if isinstance(sampling, DenseSampling) else self.predictor.card.fps

    @property
    def waits_frames(self) -> int:
        """How many later frames the network may have to see before it answers for one.

        One that looks both ways answers for the first quarter of a fragment only when it has seen the whole of it.
        """
        network, fragment = self.predictor.network, self.predictor.card.clip.num_frames
        if not isinstance(network, FrameWiseNet):
            return 0
        if network.is_causal:
            return network.delay_frames
        return network.window.num_frames // 2 if network.window is not None else fragment - fragment // 4

    def build_decoder(self) -> EventDecoder:
        """Return a fresh decoder for one stream."""
        return self.decoder.build(classes=self.classes, idle_class=self.idle_class)

    def segment(
        self,
        video: Video,
        *,
        depth: Video | None = None,
        fps: float = 30.0,
        box: PixelBox | None = None,
        progress: Progress | None = None,
    ) -> Segmented:
        """Find the events of a recording.

        Args:
            video: A file, a folder of frames, `Frames` or an array, as `Predictor.predict` takes them.
            depth: The depth that belongs to a colour video.
            fps: Frame rate of an array or a folder of frames.
            box: The part of every frame that the run is to see; None for all of it.
            progress: Called with (done, all, what) as the recording is gone through.

        Raises:
            VideoError: If a file cannot be read.
            ClipError: If a stream is missing or not wanted, there is no frame, or the box does not lie within them.
        """
        with ExitStack() as stack:
            sources = self.predictor.open_sources(video, depth, fps, stack, box=box)
            path = str(video) if isinstance(video, str | Path) else ""
            return self.segment_sources(sources, path=path, progress=progress)

    def segment_sources(
        self, sources: Mapping[Stream, FrameSource], *, path: str = "", progress: Progress | None = None
    ) -> Segmented:
        """Find the events of what is open already, as `segment` does."""
        started = time.perf_counter()
        decoder, trace = self.build_decoder(), ProbabilityTrace()
        events: list[Event] = []
        num_frames, first_s, last_s = 0, 0.0, 0.0
        for probability_TK, times_s in self.judge(sources, progress=progress):
            if not len(times_s):
                continue
            trace.push(probability_TK, times_s)
            events += decoder.push(probability_TK, times_s)
            first_s, last_s = (first_s if num_frames else float(times_s[0])), float(times_s[-1])
            num_frames += len(times_s)
        events += decoder.finish()
        frame_s = (last_s - first_s) / (num_frames - 1) if num_frames > 1 else 0.0
        return Segmented(
            events=events,
            trace=trace,
            start_s=first_s,
            end_s=last_s + frame_s,
            num_frames=num_frames,
            seconds=time.perf_counter() - started,
            path=path,
        )

    def judge(self, sources: Mapping[Stream, FrameSource], *, progress: Progress | None = None) -> Iterator[Judged]:
        """Yield the probabilities of all frames in order, as soon as they are known.

        Raises:
            VideoError: If a frame cannot be decoded.
            ClipError: If a stream is missing or holds no frame.
        """
        if self.is_frame_wise:
            return self.judge_pieces(read_pieces(self.predictor.maker, sources, fps=self.fps, progress=progress))
        return slide_windows(
            self.predictor,
            sources,
            window_s=self.window_s,
            stride_s=self.stride_s,
            fps=self.predictor.card.fps,
            progress=progress,
        )

    def follow(self, frames: Iterable[Frame], *, stream: Stream = Stream.RGB, early: bool = False) -> Iterator[Event]:
        """Yield the events of a camera, each as soon as it is over.

        A network that needs later frames answers later (`waits_frames`). What a camera yields comes in pieces of a few
        frames, and an answer with the last one of its piece.

        Args:
            frames: The camera, or anything else that yields frames in order.
            stream: What they hold.
            early: Also yield an event as soon as it is decided while it still lasts, up to the newest frame; once it is
                over it comes again, with the same label and start and its own end.

        Raises:
            ModelError: If the network names clips.
            ClipError: If the run looks at another stream.
            VideoError: If the camera fails.
        """
        if not self.is_frame_wise:
            raise ModelError(
                "a network that names clips cannot follow a camera",
                hint="segment a file with it, or train a network that labels frames",
            )
        decoder = self.build_decoder()
        pieces = follow_pieces(self.predictor.maker, frames, stream, fps=self.fps or LIVE_FPS)
        told: tuple[str, float] | None = None
        for probability_TK, times_s in self.judge_pieces(pieces):
            yield from decoder.push(probability_TK, times_s)
            running = decoder.running
            if early and running is not None and told != (running.label, running.start_s):
                told = (running.label, running.start_s)
                yield running
        yield from decoder.finish()

    def judge_pieces(self, pieces: Iterable[StreamPiece]) -> Iterator[Judged]:
        """Yield the probabilities of frames that come in pieces, of a network that labels frames."""
        network = self.predictor.network
        assert isinstance(network, FrameWiseNet)
        waiting_s: deque[FloatArray] = deque()  # times of frames that are not judged yet

        def feed() -> Iterator[Tensor]:
            for clip_TCHW, times_s in pieces:
                waiting_s.append(times_s)
                yield clip_TCHW.to(self.predictor.device)

        fragment = max(self.predictor.card.clip.num_frames, 2)
        for logits_TK in judge_stream(network, feed(), window=fragment, stride=fragment // 2):
            probability_TK = logits_TK.float().softmax(dim=-1).double().cpu().numpy()
            yield Judged(probability_TK, _take(waiting_s, len(probability_TK)))


def load_segmenter(
    run: str | Path,
    *,
    decoder: Iterable[str] | Mapping[str, object] = (),
    window_s: float | None = None,
    stride_s: float | None = None,
    device: str | None = None,
) -> Segmenter:
    """Load a run folder of any kind, with the decoder that `mudra tune` has left in it, if it has.

    Args:
        run: The folder.
        decoder: Settings of the decoder in place of its own: `key=value` words, or a mapping.
        window_s, stride_s: For a network that names clips, as `slide_windows` takes them.
        device: Where the network computes; None for the GPU if there is one.

    Raises:
        RunError: If a file is missing or damaged.
        ConfigError: If a setting of the decoder cannot be used.
        ModelError: If the weights do not fit the network.
    """
    network, card = read_run(run)
    tuned = Path(run) / DECODER_FILE
    config = EventDecoderConfig.from_yaml(tuned) if tuned.is_file() else EventDecoderConfig()
    predictor = Predictor(network, card, device=device)
    return Segmenter(predictor, decoder=config.with_overrides(decoder), window_s=window_s, stride_s=stride_s)


def _take(waiting_s: deque[FloatArray], count: int) -> FloatArray:
    """Remove the first `count` times, and return them."""
    taken: list[FloatArray] = []
    while count:
        times_s = waiting_s.popleft()
        taken.append(times_s[:count])
        if len(times_s) > count:
            waiting_s.appendleft(times_s[count:])
        count -= len(taken[-1])
    return np.concatenate(taken) if taken else np.empty(0)
