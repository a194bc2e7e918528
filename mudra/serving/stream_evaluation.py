"""Judge a run on streams of which it is known what happens when: scores of frames and of events.

    frames    the most probable class of each; mean Jaccard, precision, recall, the vote over isolated segments
    events    what the decoder makes of the probabilities, as `mudra segment` does

Where the data set has no class of idle frames, nothing is known of the frames between segments. They count nowhere;
events in the middle of which nothing is known are left out; and there is no rate of false alarms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from mudra.errors import DataError, MudraError
from mudra.scoring import (
    Event,
    EventRecording,
    EventScores,
    FrameScores,
    FrameSequence,
    FrameSpan,
    find_spans,
    score_events,
    score_frames,
)
from mudra.serving.evaluation import OpenSources, Unread
from mudra.serving.event_tuning import TuningStream, decode_stream
from mudra.serving.segmenter import Segmenter
from mudra.types import FloatArray, Recording, Segment

LabelFrames = Callable[[Sequence[Segment], FloatArray], npt.NDArray[np.int64]]
Progress = Callable[[int, int, str], None]
UNKNOWN = -1


class JudgedStream(NamedTuple):
    """A stream and what a run says of it.

    Args:
        recording: With its segments.
        probability_SK: A row for every frame.
        times_s: When each is shown.
    """

    recording: Recording
    probability_SK: npt.NDArray[np.float32]
    times_s: FloatArray


class JudgedStreams(NamedTuple):
    """All streams that could be read, and those that could not."""

    streams: list[JudgedStream]
    unread: list[Unread]


class FrameAccuracy(NamedTuple):
    """How many frames are named right, of those of which it is known what they show.

    Args:
        num_right, num_known: Frames.
        largest_class: The class of most of them.
        num_largest: How many are of it: what always answering so would reach.
    """

    num_right: int
    num_known: int
    largest_class: str
    num_largest: int

    def to_json(self) -> dict[str, Any]:
        """Return plain values for `json.dump`."""
        return {
            "frame_accuracy": self.num_right / self.num_known,
            "num_labelled_frames": self.num_known,
            "largest_class": self.largest_class,
            "largest_class_accuracy": self.num_largest / self.num_known,
        }


class StreamEvaluation(NamedTuple):
    """What a run makes of labelled streams.

    Args:
        accuracy: Of frames.
        frames: Mean Jaccard and its kin.
        events: Of what the decoder made of the probabilities.
        streams: What was judged.
        recordings: Its events, true and found, in the same order.
        unread: What could not be read.
        waits_ms: How long the network may wait for later frames, which the delay of events does not hold.
    """

    accuracy: FrameAccuracy
    frames: FrameScores
    events: EventScores
    streams: list[JudgedStream]
    recordings: list[EventRecording]
    unread: list[Unread]
    waits_ms: float | None

    def to_json(self) -> dict[str, Any]:
        """Return plain values for `json.dump`; None where a score is not defined."""
        return {
            **self.accuracy.to_json(),
            **self.frames.to_json(),
            "events": self.events.to_json(),
            "network_waits_ms": self.waits_ms,
        }


def judge_streams(
    segmenter: Segmenter,
    recordings: Sequence[Recording],
    *,
    open_sources: OpenSources,
    progress: Progress | None = None,
) -> JudgedStreams:
    """Return the probabilities of all frames of all streams.

    Args:
        segmenter: The run.
        recordings: Those without segments are passed over.
        open_sources: Opens a recording's streams; the stack closes them.
        progress: Called with (done, all, what) after every stream.

    Raises:
        DataError: If no recording is a stream with segments that can be read.
    """
    wanted = [recording for recording in recordings if recording.segments is not None]
    found = JudgedStreams([], [])
    for number, recording in enumerate(wanted, start=1):
        try:
            with ExitStack() as stack:
                pieces = list(segmenter.judge(open_sources(recording, stack)))
            probability_SK = np.concatenate([piece.probability_TK for piece in pieces]).astype(np.float32)
            times_s = np.concatenate([piece.times_s for piece in pieces])
            if len(times_s) < 2:
                raise DataError("has fewer than two frames")
            found.streams.append(JudgedStream(recording, probability_SK, times_s))
        except MudraError as error:
            found.unread.append(Unread(recording.key, error.message))
        if progress is not None:
            progress(number, len(wanted), "judging streams")
    if not found.streams:
        reason = f"; the first cannot be read: {found.unread[0].reason}" if found.unread else ""
        raise DataError(
            f"none of {len(recordings)} recordings is a stream with segments that can be read{reason}",
            hint="name streams: a CSV of path,start_s,end_s,label, or a data set of uncut recordings",
        )
    return found


def evaluate_streams(
    segmenter: Segmenter,
    recordings: Sequence[Recording],
    *,
    open_sources: OpenSources,
    label_frames: LabelFrames,
    has_idle: bool,
    progress: Progress | None = None,
) -> StreamEvaluation:
    """Judge streams and score the answers.

    Args:
        segmenter: The run.
        recordings: Labelled by the run's classes.
        open_sources: Opens a recording's streams; the stack closes them.
        label_frames: Says of each time the label of the segment that it lies in; -1 for none.
        has_idle: Whether frames in no segment are known to show no gesture.
        progress: Called with (done, all, what) after every stream.

    Raises:
        DataError: If no recording is a stream with segments that can be read, or no frame of them has a label.
    """
    judged = judge_streams(segmenter, recordings, open_sources=open_sources, progress=progress)
    idle = segmenter.classes.index(segmenter.idle_class) if has_idle and segmenter.idle_class is not None else UNKNOWN
    labelled = [_label(stream, label_frames, idle) for stream in judged.streams]
    recorded = [find_events(segmenter, stream, has_idle=has_idle) for stream in judged.streams]
    events = score_events(recorded)
    if not has_idle:
        events = replace(events, num_false_alarms=0, idle_hours=0.0, false_alarms_per_hour=None)
    gestures = [name for name in segmenter.classes if name != segmenter.idle_class]
    steps_s = [float(stream.times_s[-1] - stream.times_s[0]) / (len(stream.times_s) - 1) for stream in judged.streams]
    return StreamEvaluation(
        accuracy=_measure_accuracy(labelled, segmenter.classes),
        frames=score_frames([_as_sequence(one, segmenter, gestures) for one in labelled], class_names=gestures),
        events=events,
        streams=judged.streams,
        recordings=recorded,
        unread=judged.unread,
        waits_ms=1000.0 * segmenter.waits_frames * float(np.mean(steps_s)),
    )


def find_events(segmenter: Segmenter, stream: JudgedStream, *, has_idle: bool) -> EventRecording:
    """Return a stream's events beside the true ones."""
    decoded = decode_stream(segmenter.build_decoder(), as_tuning_stream(segmenter, stream))
    if has_idle:
        return decoded
    spans_s = [(one.start_s, one.end_s) for one in stream.recording.segments or ()]
    middles = ((event, (event.start_s + event.end_s) / 2) for event in decoded.predicted)
    known = [event for event, at_s in middles if any(low <= at_s < high for low, high in spans_s)]
    return decoded._replace(predicted=known)


def as_tuning_stream(segmenter: Segmenter, stream: JudgedStream) -> TuningStream:
    """Return a stream with its true events, as the decoder's tuning takes it."""
    truth = [
        Event(label=segmenter.classes[label], start_s=start_s, end_s=end_s)
        for label, start_s, end_s in stream.recording.segments or ()
        if segmenter.classes[label] != segmenter.idle_class
    ]
    return TuningStream(stream.probability_SK.astype(np.float64), stream.times_s, truth)


class _Labelled(NamedTuple):
    """The frames of a stream of which it is known what they show.

    Args:
        stream: Which stream.
        segment_S: The segment that each is in, by its place among the stream's; -1 for idle frames.
        label_S: Its class.
        predicted_S: The most probable class.
    """

    stream: JudgedStream
    segment_S: npt.NDArray[np.int64]
    label_S: npt.NDArray[np.int64]
    predicted_S: npt.NDArray[np.int64]


def _label(stream: JudgedStream, label_frames: LabelFrames, idle: int) -> _Labelled:
    segments = stream.recording.segments or ()
    # Two segments of one class may follow each other: what is looked up is the segment, and then its class.
    numbered = [segment._replace(label=number) for number, segment in enumerate(segments)]
    segment_S = label_frames(numbered, stream.times_s)
    label_S = np.array([*(segment.label for segment in segments), idle])[segment_S]
    known_S = label_S != UNKNOWN
    predicted_S = stream.probability_SK.argmax(axis=1)
    return _Labelled(stream, segment_S[known_S], label_S[known_S], predicted_S[known_S])


def _measure_accuracy(labelled: Sequence[_Labelled], classes: Sequence[str]) -> FrameAccuracy:
    label_S = np.concatenate([one.label_S for one in labelled])
    if not len(label_S):
        raise DataError("no frame of the streams has a label", hint="their segments lie outside of them")
    counts_K = np.bincount(label_S, minlength=len(classes))
    num_right = sum(int((one.label_S == one.predicted_S).sum()) for one in labelled)
    return FrameAccuracy(num_right, len(label_S), classes[int(counts_K.argmax())], int(counts_K.max()))


def _as_sequence(one: _Labelled, segmenter: Segmenter, gestures: Sequence[str]) -> FrameSequence:
    """Return a stream's known frames, put side by side, as the scores of frames take them."""
    place_of = {k: gestures.index(name) for k, name in enumerate(segmenter.classes) if name in gestures}
    segments = one.stream.recording.segments or ()
    truth = [
        FrameSpan(place_of[segments[number].label], start, end)
        for number, start, end in find_spans(torch.from_numpy(one.segment_S), idle=UNKNOWN)
        if segments[number].label in place_of
    ]
    predicted = [
        FrameSpan(place_of[k], start, end)
        for k, start, end in find_spans(torch.from_numpy(one.predicted_S))
        if k in place_of
    ]
    return FrameSequence(one.stream.recording.key, len(one.label_S), truth, predicted)
