"""SHREC'17 as uncut streams: real clips of one person in random order, with idle stretches between them, every frame
labelled.

Run: python -m benchmarks.shrec_streams                     (the recordings in ../shared/data or $MUDRA_SHARED)
     python -m benchmarks.shrec_streams --picture out.png   (and some frames of one stream, to be looked at)

    gesture   a clip in its own time: its file lasts as long as the gesture did, and its frames are picked at the
              streams' rate
    idle      what real hands did around it: the end of the clip before and the beginning of the next one, each held or
              played slowly back and forth over its first (last) frames, one blended into the other

Where a blend has one of two pixels measured alone, it takes that pixel or nothing, never a depth between hand and
nothing. Everything follows from the seed. Training streams are of the training subjects, validation streams of the
validation subjects. The streams are made when they are read and lie nowhere; `loader.cache` keeps their windows.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from benchmarks.common import shared_data
from mudra.datasets import Dataset, DatasetCard, Shrec2017Config, label_frames
from mudra.datasets.frame_times import read_frame_times
from mudra.datasets.shrec2017 import GESTURES
from mudra.types import Frames, Recording, Segment, Stream
from mudra.video import open_recording

FPS = 20.0
GESTURES_PER_STREAM = 10
IDLE_CLASS = "no gesture"
IDLE_S = (0.5, 2.0)
BLEND_S = 0.25
# An idle hand moves over so many frames at a clip's beginning or end, at this share of their own speed.
IDLE_REACH_FRAMES = 3
IDLE_SPEED = (0.2, 0.6)
# Fewer gestures than this at the end of a person's clips go into the stream before.
MIN_GESTURES = 5
CLIP_FRAMES = 32


class Shown(NamedTuple):
    """What one frame of a stream shows: a frame of one clip, or two of them blended.

    Args:
        clip, frame: Which clip of the stream, and which of its frames.
        other_clip, other_frame: What it is blended with.
        weight: Share of the other one in [0, 1].
    """

    clip: int
    frame: int
    other_clip: int = 0
    other_frame: int = 0
    weight: float = 0.0


@dataclass(frozen=True)
class Plan:
    """One stream.

    Args:
        clips: Its clips in order.
        shown: What each frame shows.
        segments: The gestures; labels are those of the streams' classes.
    """

    clips: tuple[Recording, ...]
    shown: tuple[Shown, ...]
    segments: tuple[Segment, ...]


def plan_streams(
    clips: Dataset, *, seed: int = 0, num_gestures: int = GESTURES_PER_STREAM, fps: float = FPS
) -> dict[Path, Plan]:
    """Return all streams by the paths that stand for them."""
    plans: dict[Path, Plan] = {}
    for split in ("train", "validation"):
        found = plan_split(clips.split(split), seed=seed, num_gestures=num_gestures, fps=fps)
        plans |= {Path("shrec_streams", split, name): plan for name, plan in found.items()}
    return plans


def build_streams(root: Path, *, seed: int = 0, num_gestures: int = GESTURES_PER_STREAM, fps: float = FPS) -> Dataset:
    """Return the streams as a data set of 15 classes, "no gesture" the first.

    Args:
        root: The folder of SHREC'17.
        seed: Of the order of clips and of the idle stretches.
        num_gestures: Gestures of a stream.
        fps: Frames per second.
    """
    clips = Shrec2017Config(root=root).build()
    plans = plan_streams(clips, seed=seed, num_gestures=num_gestures, fps=fps)
    recordings: dict[str, tuple[Recording, ...]] = defaultdict(tuple)
    for path, plan in plans.items():
        split, subject = path.parent.name, plan.clips[0].subject
        stream = Recording(path=path, split=split, subject=subject, stream=Stream.DEPTH, segments=plan.segments)
        recordings[split] += (stream,)
    card = DatasetCard(
        name="shrec_streams",
        title="SHREC'17 clips as streams",
        classes=(IDLE_CLASS, *clips.card.classes),
        streams=(Stream.DEPTH,),
        fps=fps,
        frame_size=clips.card.frame_size,
        idle_class=IDLE_CLASS,
        metric="mean_jaccard",
        mirror={IDLE_CLASS: IDLE_CLASS, **clips.card.mirror},
        subjects_disjoint=True,
        depth=clips.card.depth,
        # The settings belong to the card: a cache of windows tells data sets that are drawn apart by it.
        remarks=(f"seed {seed}, {num_gestures} gestures a stream, {fps:g} frames per second",),
    )
    return Dataset(
        card=card, recordings=dict(recordings), source=lambda recording, stream: render(plans[recording.path], fps=fps)
    )


def plan_split(recordings: Sequence[Recording], *, seed: int, num_gestures: int, fps: float) -> dict[str, Plan]:
    """Return the streams of one split by name, those of one person after the other."""
    times = read_frame_times((r.path for r in recordings), nominal_fps=fps)
    by_subject: dict[str, list[Recording]] = defaultdict(list)
    for recording in recordings:
        by_subject[recording.subject].append(recording)
    plans = {}
    for subject, clips in sorted(by_subject.items(), key=lambda pair: int(pair[0])):
        chance = np.random.default_rng([seed, int(subject)])
        order = [clips[index] for index in chance.permutation(len(clips))]
        for number, chosen in enumerate(_divide(order, num_gestures)):
            durations_s = [float(times[clip.path].start_s(len(times[clip.path].times_s))) for clip in chosen]
            plans[f"s{int(subject):02d}_{number:02d}"] = plan_stream(chosen, durations_s, chance=chance, fps=fps)
    return plans


def _divide(clips: Sequence[Recording], num_gestures: int) -> Iterator[Sequence[Recording]]:
    starts = list(range(0, len(clips), num_gestures))
    if len(starts) > 1 and len(clips) - starts[-1] < min(MIN_GESTURES, num_gestures):
        starts.pop()
    for start, end in zip(starts, [*starts[1:], len(clips)], strict=True):
        yield clips[start:end]


def plan_stream(
    clips: Sequence[Recording], durations_s: Sequence[float], *, chance: np.random.Generator, fps: float
) -> Plan:
    """Return what every frame of a stream shows: idle, gesture, idle, ..., gesture, idle."""
    shown = list(_plan_idle(None, 0, chance=chance, fps=fps))
    segments = []
    for index, (clip, duration_s) in enumerate(zip(clips, durations_s, strict=True)):
        num_frames = max(round(duration_s * fps), 1)
        assert clip.label is not None
        # Label 0 is "no gesture".
        segments.append(Segment(clip.label + 1, len(shown) / fps, (len(shown) + num_frames) / fps))
        shown += [Shown(index, k * CLIP_FRAMES // num_frames) for k in range(num_frames)]
        shown += _plan_idle(index, index + 1 if index + 1 < len(clips) else None, chance=chance, fps=fps)
    return Plan(tuple(clips), tuple(shown), tuple(segments))


def _plan_idle(before: int | None, behind: int | None, *, chance: np.random.Generator, fps: float) -> list[Shown]:
    """Return an idle stretch between two clips, or beside one."""
    num_frames = round(float(chance.uniform(*IDLE_S)) * fps)
    # From the clip's end on, and towards the next one's beginning: that is counted backwards.
    ending = [CLIP_FRAMES - 1 - frame for frame in _linger(num_frames, chance)]
    beginning = _linger(num_frames, chance)[::-1]
    if before is None or behind is None:
        frames, clip = (beginning, behind) if before is None else (ending, before)
        assert clip is not None
        return [Shown(clip, frame) for frame in frames]
    num_blended = min(round(BLEND_S * fps), num_frames)
    first = int(chance.integers(0, num_frames - num_blended + 1))
    weights = np.clip((np.arange(num_frames) - first + 1) / (num_blended + 1), 0.0, 1.0)
    return [Shown(before, ending[k], behind, beginning[k], float(weight)) for k, weight in enumerate(weights.tolist())]


def _linger(num_frames: int, chance: np.random.Generator) -> list[int]:
    """Return frames counted from a clip's end or beginning: held, or slowly away from it and back."""
    speed = float(chance.uniform(*IDLE_SPEED)) * float(chance.integers(0, 2))
    away = np.arange(num_frames) * speed % (2 * IDLE_REACH_FRAMES)
    return [int(frame) for frame in np.minimum(away, 2 * IDLE_REACH_FRAMES - away).round()]


def render(plan: Plan, *, fps: float) -> Frames:
    """Return a stream's depth frames."""
    clips = [_read(clip) for clip in plan.clips]
    frames = [blend_depth(clips[s.clip][s.frame], clips[s.other_clip][s.other_frame], s.weight) for s in plan.shown]
    return Frames(np.stack(frames), np.arange(len(frames)) / fps)


def _read(clip: Recording) -> np.ndarray[Any, Any]:
    with open_recording(clip, Stream.DEPTH) as reader:
        frames_THWC = reader.read().frames_THWC
    if len(frames_THWC) != CLIP_FRAMES:
        raise ValueError(f"{clip.path}: {len(frames_THWC)} frames, wanted {CLIP_FRAMES}")
    return frames_THWC


def blend_depth(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any], weight: float) -> np.ndarray[Any, Any]:
    """Return depth between two frames; a pixel that one of them alone has measured comes or goes half-way.

    Example:
        >>> blend_depth(np.array([100, 100, 0], np.uint16), np.array([200, 0, 50], np.uint16), 0.6).tolist()
        [160, 0, 50]
    """
    if weight in (0.0, 1.0):
        return one if weight == 0.0 else other
    mixed = np.round(one * (1.0 - weight) + other * weight).astype(one.dtype)
    nearer = one if weight < 0.5 else other
    return np.where((one > 0) & (other > 0), mixed, nearer)


def describe(plans: Mapping[Path, Plan], *, fps: float = FPS) -> Table:
    """Return how many streams, gestures and minutes each split has."""
    table = Table("split", "people", "streams", "gestures", "minutes", "gesture frames", title="SHREC'17 streams")
    for split in ("train", "validation"):
        found = [plan for path, plan in plans.items() if path.parent.name == split]
        total_s = sum(len(plan.shown) for plan in found) / fps
        spans = [segment for plan in found for segment in plan.segments]
        share = sum(segment.end_s - segment.start_s for segment in spans) / total_s
        people = len({plan.clips[0].subject for plan in found})
        numbers = (people, len(found), len(spans), f"{total_s / 60:.1f}", f"{share:.0%}")
        table.add_row(split, *map(str, numbers))
    return table


def draw(plan: Plan, path: Path, *, fps: float = FPS, num_frames: int = 60) -> None:
    """Draw the stream's first frames with their labels."""
    frames, names = render(plan, fps=fps), (IDLE_CLASS, *GESTURES)
    label_S = label_frames(plan.segments, frames.times_s, idle=0)
    figure = Figure(figsize=(15, 9), layout="constrained")
    for index, axes in enumerate(figure.subplots(6, 10).flat):
        shown = index * 2
        if index < num_frames and shown < len(frames):
            axes.imshow(frames.frames_THWC[shown, ..., 0], cmap="gray", vmin=0, vmax=800)
            axes.set_title(f"{shown}: {names[label_S[shown]]}", fontsize=7)
        axes.axis("off")
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="another seed makes other streams")
    parser.add_argument("--picture", type=Path, help="where to draw the first seconds of one stream")
    options = parser.parse_args()
    plans = plan_streams(Shrec2017Config(root=shared_data() / "shrec2017").build(), seed=options.seed)
    Console().print(describe(plans))
    if options.picture:
        draw(next(iter(plans.values())), options.picture)


if __name__ == "__main__":
    main()
