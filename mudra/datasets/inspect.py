"""The facts of a data set, measured from the headers of its recordings: what `mudra data info` shows."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from mudra.datasets.dataset import Dataset, shorten
from mudra.datasets.frame_labels import TOLERANCE_S, UNLABELLED, label_frames
from mudra.errors import VideoError
from mudra.types import Recording, Segment
from mudra.video import open_recording

FEW_CLIPS = 5  # A class with fewer in train can hardly be learned, and its score says little.
UNBALANCED = 10.0  # Times as many clips in the largest class as in the smallest.
FPS_SPREAD = 1.5  # Times as fast as the slowest: then a fixed number of frames means different lengths of time.
MAX_DRAWN = 24  # Clips that are drawn for the facts of a set without files: drawing costs more than a header.

Progress = Callable[[int, int], None]


class Spread(NamedTuple):
    """Smallest, middle and largest of some numbers."""

    minimum: float
    median: float
    maximum: float


class SplitFacts(NamedTuple):
    """One split in numbers.

    Args:
        num_recordings: How many recordings it has.
        num_subjects: How many different subjects are named.
        class_counts: Recordings per class; of uncut streams, segments.
    """

    num_recordings: int
    num_subjects: int
    class_counts: dict[str, int]


class StreamFacts(NamedTuple):
    """What is in the uncut streams of a data set.

    Args:
        num_streams: How many of the measured recordings are streams.
        num_segments: How many segments they have.
        segment_s: Lengths of the segments in seconds; None without one.
        class_s: Time of each class in seconds, that of the idle class among them.
        outside_share: Share of the frames that lie in no segment.
        idle_class: The class of these frames; None where nothing is known of them.
        num_beyond: Segments that reach past the end of their file.
    """

    num_streams: int
    num_segments: int
    segment_s: Spread | None
    class_s: dict[str, float]
    outside_share: float
    idle_class: str | None
    num_beyond: int


@dataclass(frozen=True, kw_only=True)
class DatasetFacts:
    """A data set in numbers.

    Args:
        name: Name of the set.
        classes: Class names in the order of their labels.
        splits: Facts of each split that is not empty.
        total_s: Length of all measured recordings together, in seconds.
        length_s: Lengths of the recordings in seconds; None if nothing could be measured.
        length_frames: The same in frames.
        fps: Frame rates.
        sizes: How many recordings have each (height, width).
        imbalance: How many times as many recordings the largest class of train (or else of all) has as the smallest;
            infinite with an empty class.
        leaking_subjects: Subjects in more than one split, with those splits.
        unreadable: Path and reason of each recording that could not be opened.
        num_measured: Recordings that were opened.
        mirror: What mirroring does to the labels.
        remarks: What the set's card says besides.
        warnings: What should be looked at before training, one sentence each.
        streams: What is in the uncut streams; None for a set of clips.
    """

    name: str
    classes: tuple[str, ...]
    splits: dict[str, SplitFacts]
    total_s: float
    length_s: Spread | None
    length_frames: Spread | None
    fps: Spread | None
    sizes: dict[tuple[int, int], int]
    imbalance: float
    leaking_subjects: dict[str, tuple[str, ...]]
    unreadable: tuple[tuple[str, str], ...]
    num_measured: int
    mirror: str
    remarks: tuple[str, ...]
    warnings: tuple[str, ...]
    streams: StreamFacts | None = None


class _Header(NamedTuple):
    """What was measured of a recording; `frames_of` counts a stream's frames by label, -1 for those in no segment."""

    height: int
    width: int
    num_frames: int
    length_s: float
    fps: float
    segments: tuple[Segment, ...] | None = None
    frames_of: Counter[int] | None = None


def describe(dataset: Dataset, *, progress: Progress | None = None) -> DatasetFacts:
    """Measure a data set. The headers of all recordings are read; nothing is decoded.

    Args:
        progress: Called with the number of recordings done and of all, after each.

    Returns:
        The facts. Recordings that cannot be opened are listed in them and do not stop the others.
    """
    recordings = dataset.all_recordings()
    if dataset.source is not None:
        recordings = recordings[:: max(1, len(recordings) // MAX_DRAWN)]
    headers: list[_Header] = []
    unreadable: list[tuple[str, str]] = []
    for done, recording in enumerate(recordings, start=1):
        try:
            headers.append(_measure(dataset, recording))
        except VideoError as error:
            unreadable.append((error.path, error.reason))
        if progress is not None:
            progress(done, len(recordings))
    lengths_s = [header.length_s for header in headers]
    facts = DatasetFacts(
        name=dataset.card.name,
        classes=dataset.card.classes,
        splits={split: _count(dataset, split) for split, found in dataset.recordings.items() if found},
        total_s=sum(lengths_s),
        length_s=_spread(lengths_s),
        length_frames=_spread([header.num_frames for header in headers]),
        fps=_spread([header.fps for header in headers if header.fps > 0]),
        sizes=dict(Counter((header.height, header.width) for header in headers).most_common()),
        imbalance=_imbalance(_trained_counts(dataset)),
        leaking_subjects=dataset.leaking_subjects(),
        unreadable=tuple(unreadable),
        num_measured=len(headers),
        mirror=dataset.card.explain_mirror(),
        remarks=dataset.card.remarks,
        warnings=(),
        streams=_describe_streams(dataset, headers),
    )
    return replace(facts, warnings=(*dataset.notes, *_warn(facts, _trained_counts(dataset))))


def _measure(dataset: Dataset, recording: Recording) -> _Header:
    stream = dataset.card.streams[0]
    if dataset.source is not None:
        frames = dataset.source(recording, stream)
        times_s, (height, width) = frames.times_s, frames.frames_THWC.shape[1:3]
        fps = (len(times_s) - 1) / float(times_s[-1] - times_s[0]) if len(times_s) > 1 else 0.0
        return _Header(height, width, len(times_s), len(times_s) / fps if fps else 0.0, fps)
    with open_recording(recording, stream) as reader:
        info, times_s = reader.info, reader.times_s
    start_s, end_s = recording.start_s or 0.0, recording.end_s
    end_s = info.duration_s if end_s is None else min(end_s, info.duration_s)
    inside = (times_s >= start_s) & (times_s < end_s) if recording.start_s or recording.end_s else times_s >= 0
    length_s = max(0.0, end_s - start_s)
    header = _Header(info.height, info.width, int(inside.sum()), length_s, info.fps, recording.segments)
    if recording.segments is None:
        return header
    label_S = label_frames(recording.segments, times_s, idle=UNLABELLED)
    return header._replace(frames_of=Counter(label_S.tolist()))


def _describe_streams(dataset: Dataset, headers: Sequence[_Header]) -> StreamFacts | None:
    if not dataset.has_streams:
        return None
    card = dataset.card
    streams = [header for header in headers if header.frames_of is not None]
    segments = [segment for header in streams for segment in header.segments or ()]
    class_s = dict.fromkeys(card.classes, 0.0)
    outside = 0
    for header in streams:
        for label, count in (header.frames_of or {}).items():
            outside += count if label == UNLABELLED else 0
            name = card.idle_class if label == UNLABELLED else card.classes[label]
            if name is not None:
                class_s[name] += count * header.length_s / header.num_frames
    return StreamFacts(
        num_streams=len(streams),
        num_segments=len(segments),
        segment_s=_spread([segment.end_s - segment.start_s for segment in segments]),
        class_s=class_s,
        outside_share=outside / max(1, sum(header.num_frames for header in streams)),
        idle_class=card.idle_class,
        num_beyond=sum(s.end_s > h.length_s + TOLERANCE_S for h in streams for s in h.segments or ()),
    )


def _count(dataset: Dataset, split: str) -> SplitFacts:
    found = dataset.recordings[split]
    subjects = {recording.subject for recording in found} - {""}
    return SplitFacts(len(found), len(subjects), dataset.class_counts(split))


def _trained_counts(dataset: Dataset) -> dict[str, int]:
    """Return the counts of train, or else of all; without the class that streams show between their segments."""
    counts = dataset.class_counts("train" if dataset.recordings.get("train") else None)
    if dataset.has_streams and dataset.card.idle_class is not None and len(counts) > 1:
        del counts[dataset.card.idle_class]
    return counts


def _imbalance(counts: dict[str, int]) -> float:
    smallest, largest = min(counts.values()), max(counts.values())
    return largest / smallest if smallest else float("inf")


def _spread(numbers: Sequence[float]) -> Spread | None:
    return Spread(min(numbers), statistics.median(numbers), max(numbers)) if numbers else None


def _warn(facts: DatasetFacts, counts: dict[str, int]) -> list[str]:
    what = "clips" if facts.streams is None else "segments"
    few = [f"{name} ({count})" for name, count in counts.items() if count < FEW_CLIPS]
    largest, smallest = max(counts, key=lambda name: counts[name]), min(counts, key=lambda name: counts[name])
    warnings = []
    if len(counts) == 1:
        warnings.append(f"only one class, {largest!r}: there is nothing to tell apart")
    if few:
        warnings.append(f"{len(few)} of {len(counts)} classes have fewer than {FEW_CLIPS} {what}: {shorten(few)}")
    if facts.imbalance > UNBALANCED:
        warnings.append(
            f"unbalanced: {largest!r} has {counts[largest]} {what}, {smallest!r} has {counts[smallest]}; "
            f"compare the mean over classes, not the share of {what}"
        )
    if facts.leaking_subjects:
        who = shorten(f"{name} ({', '.join(splits)})" for name, splits in facts.leaking_subjects.items())
        warnings.append(f"subjects in more than one split, so that scores will flatter: {who}")
    if facts.fps is not None and facts.fps.maximum > FPS_SPREAD * facts.fps.minimum:
        warnings.append(f"frame rates differ: {facts.fps.minimum:.1f} to {facts.fps.maximum:.1f} per second")
    if facts.streams is not None and facts.streams.num_beyond:
        warnings.append(f"{facts.streams.num_beyond} segments reach past the end of their file")
    if facts.unreadable:
        first = ": ".join(facts.unreadable[0])
        warnings.append(f"{len(facts.unreadable)} recordings cannot be opened, the first {first}")
    return warnings
