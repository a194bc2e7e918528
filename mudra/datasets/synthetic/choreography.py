"""Timelines: one gesture in a short clip, or many with idle and other motion between them."""

from __future__ import annotations

import numpy as np

from mudra.datasets.synthetic.config import NUM_CLASSES
from mudra.datasets.synthetic.gesture import Performance, Stage, perform, sample_rest, wander
from mudra.datasets.synthetic.motion import Key, Timeline, TimelineBuilder
from mudra.datasets.synthetic.pose import moved
from mudra.types import FloatArray

# Most of a clip that the gesture itself may take; a longer one is performed faster.
MOST_OF_CLIP_FRACTION = 0.86
EDGE_FRACTION = 0.05
# How far out of the picture a hand goes that leaves it, over the visible extent.
OUT_OF_SIGHT_FRACTION = 1.1


def clip_timeline(label: int, *, rng: np.random.Generator, stage: Stage, duration_s: float) -> Timeline:
    """Plan an isolated clip: the whole gesture lies inside, at any place in time.

    Args:
        label: The class, or -1 for a motion that is none.
        rng: The source of chance.
        stage: Room and manner.
        duration_s: Length of the clip.
    """
    performance = wander(rng, stage) if label < 0 else perform(label, rng=rng, stage=stage)
    hurry = max(1.0, performance.duration_s / (MOST_OF_CLIP_FRACTION * duration_s))
    keys = [Key(key.duration_s / hurry, key.pose_A) for key in performance.keys]
    gesture_s = performance.duration_s / hurry
    start_s = rng.uniform(EDGE_FRACTION * duration_s, (1 - EDGE_FRACTION) * duration_s - gesture_s)

    # Way in and way out are drawn alike: a clip run backwards must look like one of the opposite gesture.
    way_in = _way(performance.start_A, rng, stage)
    way_out = _way(keys[-1].pose_A, rng, stage)
    way_s = sum(key.duration_s for key in way_in)
    builder = TimelineBuilder(way_in[-1].pose_A, start_s=start_s - way_s)
    for index in range(len(way_in) - 1, -1, -1):
        target_A = way_in[index - 1].pose_A if index else performance.start_A
        builder.add([Key(way_in[index].duration_s, target_A)])
    builder.add(keys, label=label if label >= 0 else None)
    builder.add(way_out)
    return builder.build()


def stream_timeline(*, rng: np.random.Generator, stage: Stage, duration_s: float) -> Timeline:
    """Plan a long stream: gestures in a random order between rests, other motions, and hands that come and go.

    A gesture that would not end inside the stream is left out.
    """
    builder = TimelineBuilder(sample_rest(rng, stage), start_s=0.0)
    waiting: list[int] = []
    while True:
        builder.add([Key(rng.uniform(0.3, 1.2), builder.pose_A)])
        kind = rng.random()
        if kind < 0.12:
            _leave_and_return(builder, rng, stage)
            continue
        if kind < 0.32:
            _append(builder, wander(rng, stage), rng=rng, stage=stage, label=None)
            continue
        # Every class comes once before any comes again.
        waiting = waiting or [int(label) for label in rng.permutation(NUM_CLASSES)]
        label = waiting.pop()
        performance = perform(label, rng=rng, stage=stage)
        if builder.end_s + performance.duration_s + 1.5 > duration_s:
            return builder.build()
        _append(builder, performance, rng=rng, stage=stage, label=label)


def _append(
    builder: TimelineBuilder, performance: Performance, *, rng: np.random.Generator, stage: Stage, label: int | None
) -> None:
    builder.add([Key(rng.uniform(0.5, 0.8) / stage.speed, performance.start_A)])
    builder.add([Key(rng.uniform(0.1, 0.3), performance.start_A)])
    builder.add(performance.keys, label=label)
    builder.add([Key(rng.uniform(0.1, 0.3), builder.pose_A)])
    if rng.random() < 0.5:
        builder.add([Key(rng.uniform(0.6, 1.0) / stage.speed, sample_rest(rng, stage))])


def _way(pose_A: FloatArray, rng: np.random.Generator, stage: Stage) -> list[Key]:
    """From a gesture's end (or, backwards, to its start): stillness, and in half of the cases a slow move elsewhere."""
    held = Key(rng.uniform(0.08, 0.25), pose_A)
    if rng.random() < 0.5:
        return [held]
    right, down, away = rng.uniform((-0.18, -0.18, -0.04), (0.18, 0.18, 0.04)) * stage.visible_mm
    elsewhere_A = moved(pose_A, by_mm=(right, down, away), roll_deg=rng.uniform(-15.0, 15.0))
    return [held, Key(rng.uniform(0.45, 0.7) / stage.speed, elsewhere_A)]


def _leave_and_return(builder: TimelineBuilder, rng: np.random.Generator, stage: Stage) -> None:
    out_mm = OUT_OF_SIGHT_FRACTION * stage.visible_mm
    side = rng.choice((-1.0, 0.0, 1.0))
    gone_A = moved(builder.pose_A, by_mm=(side * out_mm, out_mm, 0.0))
    builder.add([Key(rng.uniform(0.5, 0.8) / stage.speed, gone_A)])
    builder.add([Key(rng.uniform(0.2, 1.0), gone_A)])
    builder.add([Key(rng.uniform(0.5, 0.8) / stage.speed, sample_rest(rng, stage))])
