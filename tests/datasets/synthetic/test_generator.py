"""Whole clips: the same pixels from the same seed, streams that agree with each other, classes that move as named."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mudra.datasets.synthetic import (
    SYNTHETIC_CLASSES,
    Subject,
    SyntheticClip,
    SyntheticConfig,
    draw_clip,
    draw_stream,
    iter_items,
    subject_of,
)
from mudra.datasets.synthetic.config import SPLITS
from mudra.errors import DataError
from mudra.types import Stream

SMALL = SyntheticConfig(size=(64, 80), num_frames=10)
SUBJECT = subject_of("train", 0, 0)


def clip_of(name: str, seed: int = 1, *, subject: Subject = SUBJECT, config: SyntheticConfig = SMALL) -> SyntheticClip:
    return draw_clip(label=SYNTHETIC_CLASSES.index(name), subject=subject, seed=seed, config=config)


def assert_equal(one: SyntheticClip, other: SyntheticClip) -> None:
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def test_shapes_and_types() -> None:
    clip = clip_of("wave")
    assert clip.rgb_THWC is not None
    assert clip.flow_THWC is not None
    assert (clip.rgb_THWC.shape, clip.rgb_THWC.dtype) == ((10, 64, 80, 3), np.uint8)
    assert (clip.depth_THW.shape, clip.depth_THW.dtype) == ((10, 64, 80), np.uint16)
    assert (clip.flow_THWC.shape, clip.flow_THWC.dtype) == ((10, 64, 80, 2), np.float32)
    assert (clip.mask_THW.shape, clip.mask_THW.dtype) == ((10, 64, 80), np.bool_)
    np.testing.assert_allclose(clip.times_s, np.arange(10) / 25)
    assert clip.label_T.dtype == np.int64
    assert set(clip.label_T.tolist()) == {-1, SYNTHETIC_CLASSES.index("wave")}


def test_a_clip_depends_on_its_arguments_alone() -> None:
    first = clip_of("tap", 5)
    clip_of("wave", 6)
    assert_equal(first, clip_of("tap", 5))


@pytest.mark.parametrize("other", [{"seed": 6}, {"name": "pinch"}, {"subject": subject_of("train", 1, 0)}])
def test_seed_class_and_subject_change_the_pixels(other: dict[str, object]) -> None:
    arguments: dict[str, object] = {"name": "tap", "seed": 5, "subject": SUBJECT}
    changed = clip_of(**(arguments | other))  # type: ignore[arg-type]
    assert (changed.depth_THW != clip_of("tap", 5).depth_THW).mean() > 0.02


def test_the_number_of_frames_drawn_at_once_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    config = SMALL.model_copy(update={"hardness": "hard", "depth_sensor": "noisy"})
    whole = clip_of("rotate_cw", config=config)
    monkeypatch.setattr("mudra.datasets.synthetic.generator.CHUNK_FRAMES", 3)
    pieces = clip_of("rotate_cw", config=config)
    np.testing.assert_array_equal(whole.mask_THW, pieces.mask_THW)
    np.testing.assert_array_equal(whole.rgb_THWC, pieces.rgb_THWC)
    np.testing.assert_array_equal(whole.depth_THW, pieces.depth_THW)
    np.testing.assert_allclose(whole.flow_THWC, pieces.flow_THWC, atol=1e-5)  # type: ignore[arg-type]


def test_only_what_is_asked_for_is_drawn_and_it_is_the_same() -> None:
    whole = clip_of("open")
    depth = clip_of("open", config=SMALL.model_copy(update={"streams": (Stream.DEPTH,)}))
    assert depth.rgb_THWC is None
    assert depth.flow_THWC is None
    np.testing.assert_array_equal(depth.depth_THW, whole.depth_THW)
    np.testing.assert_array_equal(depth.mask_THW, whole.mask_THW)
    flow = clip_of("open", config=SMALL.model_copy(update={"streams": (Stream.FLOW,)}))
    np.testing.assert_array_equal(flow.flow_THWC, whole.flow_THWC)
    rgb = clip_of("open", config=SMALL.model_copy(update={"streams": (Stream.RGB,)}))
    np.testing.assert_array_equal(rgb.rgb_THWC, whole.rgb_THWC)


@pytest.mark.parametrize("label", range(len(SYNTHETIC_CLASSES)))
def test_the_hand_is_seen_near_and_in_front_of_everything(label: int) -> None:
    for index in range(3):
        subject = subject_of("test", index, 0)
        clip = draw_clip(label=label, subject=subject, seed=index, config=SMALL)
        hand_mm = clip.depth_THW[clip.mask_THW]
        assert hand_mm.min() >= 350
        assert hand_mm.max() <= 900
        assert clip.depth_THW.max() <= 2500
        seen = clip.mask_THW.mean(axis=(1, 2))
        assert np.median(seen) > 0.008
        assert seen.max() < 0.5


def test_mask_and_depth_show_the_same_outline() -> None:
    # With an arm bare to beyond the picture and nobody behind it, everything nearer than the wall is skin.
    subject = replace(
        SUBJECT,
        look=replace(SUBJECT.look, cuff_mm=425.0),
        style=replace(SUBJECT.style, elbow_mm=(0.0, 260.0, 10.0)),
    )
    config = SMALL.model_copy(update={"hardness": "plain"})
    for seed in range(10):
        clip = clip_of("close", seed, subject=subject, config=config)
        if (clip.depth_THW[~clip.mask_THW] < 950).any():
            continue  # somebody stands in this scene
        np.testing.assert_array_equal(clip.mask_THW, clip.depth_THW < 950)
        return
    pytest.fail("no scene without a body among ten")


def warp_errors(clip: SyntheticClip, *, where: str) -> tuple[float, float]:
    """Mean colour difference to the next frame followed along the flow, and without following it."""
    assert clip.rgb_THWC is not None
    assert clip.flow_THWC is not None
    height, width = clip.mask_THW.shape[1:]
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    followed, still = [], []
    for frame in range(len(clip.times_s) - 1):
        x = columns + clip.flow_THWC[frame, ..., 0]
        y = rows + clip.flow_THWC[frame, ..., 1]
        here, later = (clip.rgb_THWC[index].astype(np.float32) for index in (frame, frame + 1))
        wanted = clip.mask_THW[frame] if where == "hand" else ~clip.mask_THW[frame]
        wanted = wanted & (x > 0) & (x < width - 1) & (y > 0) & (y < height - 1)
        followed.append(np.abs(cv2.remap(later, x, y, cv2.INTER_LINEAR) - here)[wanted].mean())
        still.append(np.abs(later - here)[wanted].mean())
    return float(np.mean(followed)), float(np.mean(still))


@pytest.mark.parametrize("name", ["swipe_left", "swipe_up", "rotate_cw", "wave"])
def test_flow_carries_the_hand_into_the_next_frame(name: str) -> None:
    config = SyntheticConfig(num_frames=16)
    ratios = []
    for index in range(3):
        subject = subject_of("validation", index, 0)
        followed, still = warp_errors(clip_of(name, index, subject=subject, config=config), where="hand")
        ratios.append(followed / still)
    assert np.mean(ratios) < 0.62


def test_flow_carries_a_moving_background_into_the_next_frame() -> None:
    config = SyntheticConfig(num_frames=12, hardness="hard")
    followed, still = np.mean([warp_errors(clip_of("open", seed, config=config), where="wall") for seed in range(3)], 0)
    assert followed < 0.7 * still


def test_flow_and_depth_agree_on_the_next_frame() -> None:
    """Followed along the flow, most of the hand lands on the hand."""
    clip = clip_of("swipe_right", config=SyntheticConfig(num_frames=16))
    assert clip.flow_THWC is not None
    landed = []
    for frame in range(15):
        row, column = np.nonzero(clip.mask_THW[frame])
        there = np.rint(np.stack([column, row], axis=-1) + clip.flow_THWC[frame, row, column]).astype(int)
        inside = ((there >= 0) & (there < (112, 112))).all(axis=-1)
        landed.append(clip.mask_THW[frame + 1][there[inside, 1], there[inside, 0]].mean())
    assert np.mean(landed) > 0.93


@pytest.mark.parametrize(
    ("name", "axis", "sign"), [("swipe_left", 0, -1), ("swipe_right", 0, 1), ("swipe_up", 1, -1), ("swipe_down", 1, 1)]
)
def test_swipes_move_in_the_picture_as_their_names_say(name: str, axis: int, sign: int) -> None:
    for index in range(4):
        clip = clip_of(name, index, subject=subject_of("train", index, 3), config=SyntheticConfig(size=(64, 64)))
        assert clip.flow_THWC is not None
        during = (clip.label_T >= 0)[:, None, None] & clip.mask_THW
        assert sign * clip.flow_THWC[during][:, axis].mean() > 0.5


@pytest.mark.parametrize(("name", "sign"), [("rotate_cw", 1), ("rotate_ccw", -1)])
def test_rotations_turn_in_the_picture_as_their_names_say(name: str, sign: int) -> None:
    for index in range(4):
        clip = clip_of(name, index, subject=subject_of("train", index, 3), config=SyntheticConfig(size=(64, 64)))
        assert clip.flow_THWC is not None
        turning = []
        for frame in np.flatnonzero(clip.label_T >= 0):
            row, column = np.nonzero(clip.mask_THW[frame])
            flow = clip.flow_THWC[frame, row, column]
            flow = flow - flow.mean(axis=0)
            # Positive where y points down: clockwise.
            turning.append(((column - column.mean()) * flow[:, 1] - (row - row.mean()) * flow[:, 0]).mean())
        assert sign * np.mean(turning) > 0


def test_noisy_depth_loses_silhouettes_and_leaves_the_rest_alone() -> None:
    ideal = clip_of("open")
    noisy = clip_of("open", config=SMALL.model_copy(update={"depth_sensor": "noisy"}))
    assert (ideal.depth_THW > 0).all()
    lost = noisy.depth_THW == 0
    assert 0.002 < lost.mean() < 0.1
    difference = noisy.depth_THW.astype(int) - ideal.depth_THW
    assert np.abs(difference[~lost & (ideal.depth_THW < 900)]).max() < 10
    np.testing.assert_array_equal(noisy.rgb_THWC, ideal.rgb_THWC)


def test_no_gesture_can_be_drawn_too() -> None:
    clip = draw_clip(label=-1, subject=SUBJECT, seed=2, config=SMALL)
    assert (clip.label_T == -1).all()


@pytest.mark.parametrize("label", [-2, 12])
def test_unknown_class_is_refused(label: int) -> None:
    with pytest.raises(DataError, match=rf"no class {label}\n.*0 swipe_left"):
        draw_clip(label=label, subject=SUBJECT, seed=0, config=SMALL)


def test_a_stream_has_gestures_and_rests_and_its_own_length() -> None:
    config = SyntheticConfig(size=(32, 40), fps=10.0, streams=(Stream.RGB,))
    stream = draw_stream(subject=SUBJECT, seed=4, duration_s=40.0, config=config)
    assert stream.rgb_THWC is not None
    assert len(stream.rgb_THWC) == len(stream.label_T) == len(stream.mask_THW) == 400
    assert stream.times_s[-1] == pytest.approx(39.9)
    assert (stream.label_T == -1).any()
    assert len(set(stream.label_T.tolist())) >= 6
    assert_equal(stream, draw_stream(subject=SUBJECT, seed=4, duration_s=40.0, config=config))


def test_a_stream_without_frames_is_refused() -> None:
    with pytest.raises(DataError, match=r"0\.01 s holds no frame at 25\.0"):
        draw_stream(subject=SUBJECT, seed=0, duration_s=0.01, config=SMALL)


def test_items_are_balanced_disjoint_in_subjects_and_distinct() -> None:
    config = SyntheticConfig(clips_per_class_train=24, clips_per_class_validation=3, clips_per_class_test=2)
    items = {split: iter_items(config, split) for split in SPLITS}
    assert [len(items[split]) for split in SPLITS] == [288, 36, 24]
    for split in SPLITS:
        counts = np.bincount([item.label for item in items[split]])
        assert (counts == config.clips_per_class(split)).all()
    names = {split: {item.subject.name for item in items[split]} for split in SPLITS}
    assert len(set().union(*names.values())) == sum(len(people) for people in names.values())
    seeds = [item.seed for split in SPLITS for item in items[split]]
    assert len(set(seeds)) == len(seeds)
    performed = {(item.label, item.subject.name) for item in items["train"]}
    assert len(performed) == 12 * 24


def test_a_larger_set_begins_with_the_smaller_one() -> None:
    small = iter_items(SyntheticConfig(clips_per_class_train=2), "train")
    large = iter_items(SyntheticConfig(clips_per_class_train=4), "train")
    assert large[: len(small)] == small
