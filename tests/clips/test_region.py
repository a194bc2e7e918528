"""The window around what moves."""

from __future__ import annotations

import numpy as np
import pytest

from mudra.clips.region import HAND_ROOM, find_motion_box, keep_reach, whole_frame
from mudra.types import Frames, Stream
from tests.clips.pictures import square

LEFTS = [20, 26, 32, 38, 44]


def colour(grey_THW: np.ndarray) -> Frames:
    frames = np.repeat(grey_THW.astype(np.uint8)[..., None], 3, axis=-1)
    return Frames(frames, np.arange(len(frames)) / 10)


def depth(depth_THW: np.ndarray) -> Frames:
    return Frames(depth_THW.astype(np.uint16)[..., None], np.arange(len(depth_THW)) / 10)


def hand(*, top: int = 30, shift: int = 0, inside: int = 200, outside: int = 40) -> np.ndarray:
    lefts = [left + shift for left in LEFTS]
    return square(5, size=(90, 120), tops=[top] * 5, lefts=lefts, side=16, inside=inside, outside=outside)


def test_the_window_holds_what_moves() -> None:
    box = find_motion_box(colour(hand()), Stream.RGB, margin_fraction=0.0)
    # The square goes from column 20 to 60 and rows 30 to 46; the blur reaches one pixel further.
    assert box.left == pytest.approx(20, abs=2)
    assert box.left + box.side == pytest.approx(60, abs=2)
    assert box.top + box.side / 2 == pytest.approx(38, abs=1)


def test_depth_that_moves_is_found_among_depth_that_stands() -> None:
    box = find_motion_box(depth(hand(inside=700, outside=1200)), Stream.DEPTH, margin_fraction=0.0)
    assert (box.left, box.left + box.side) == (pytest.approx(20, abs=1), pytest.approx(60, abs=1))


def test_the_window_follows_the_hand() -> None:
    here = find_motion_box(colour(hand()), Stream.RGB, margin_fraction=0.1)
    there = find_motion_box(colour(hand(top=50, shift=30)), Stream.RGB, margin_fraction=0.1)
    assert (there.top - here.top, there.left - here.left) == pytest.approx((20, 30))
    assert there.side == pytest.approx(here.side)


def test_the_margin_widens_both_sides() -> None:
    tight = find_motion_box(colour(hand()), Stream.RGB, margin_fraction=0.0)
    wide = find_motion_box(colour(hand()), Stream.RGB, margin_fraction=0.25)
    assert wide.side == pytest.approx(1.5 * tight.side)
    assert wide.left + wide.side / 2 == pytest.approx(tight.left + tight.side / 2)


def test_a_cut_out_hand_is_found_where_it_was_measured_at_all() -> None:
    standing = square(5, size=(90, 120), tops=[40] * 5, lefts=[70] * 5, side=30, inside=800, outside=0)
    box = find_motion_box(depth(standing), Stream.DEPTH, margin_fraction=0.0)
    assert box.side == HAND_ROOM * 30
    assert (box.top + box.side / 2, box.left + box.side / 2) == (55, 85)


def test_flicker_between_measured_and_missing_is_no_motion() -> None:
    frames = hand(inside=700, outside=1200)
    frames[::2, 80:88, 100:118] = 0  # holes that come and go far from the hand
    box = find_motion_box(depth(frames), Stream.DEPTH, margin_fraction=0.0)
    assert box.left + box.side < 64


@pytest.mark.parametrize(("step_mm", "moves"), [(20, False), (40, True)])
def test_noise_of_the_depth_sensor_is_no_motion(step_mm: int, moves: bool) -> None:
    frames = np.full((4, 90, 120), 1000)
    frames[::2, 20:60, 30:70] += step_mm
    found = find_motion_box(depth(frames), Stream.DEPTH, margin_fraction=0.0) != whole_frame(90, 120)
    assert found is moves


def test_specks_do_not_stretch_the_window() -> None:
    frames = square(5, size=(90, 120), tops=[10] * 5, lefts=[10, 18, 26, 34, 42], side=24, inside=200, outside=40)
    frames[2:, 85:87, 115:117] = 255  # comes once: less than a hundredth of all motion
    box = find_motion_box(colour(frames), Stream.RGB, margin_fraction=0.0)
    assert box.left + box.side < 75


def test_a_window_is_never_smaller_than_a_fifth_of_the_frame() -> None:
    frames = square(5, size=(90, 120), tops=[40] * 5, lefts=[50, 51, 52, 53, 54], side=3, inside=255, outside=0)
    assert find_motion_box(colour(frames), Stream.RGB, margin_fraction=0.0).side == pytest.approx(24)


def test_a_large_frame_gives_the_window_in_its_own_pixels() -> None:
    large = np.kron(hand(), np.ones((1, 8, 8), dtype=np.int64))
    small = find_motion_box(colour(hand()), Stream.RGB, margin_fraction=0.0)
    box = find_motion_box(colour(large), Stream.RGB, margin_fraction=0.0)
    assert np.array(box) / 8 == pytest.approx(np.array(small), abs=2)


@pytest.mark.parametrize("num_frames", [1, 3])
def test_where_nothing_moves_it_is_the_whole_frame(num_frames: int) -> None:
    still = np.full((num_frames, 60, 80), 90)
    assert find_motion_box(colour(still), Stream.RGB, margin_fraction=0.5) == whole_frame(60, 80)
    assert find_motion_box(depth(still), Stream.DEPTH, margin_fraction=0.5) == whole_frame(60, 80)
    assert whole_frame(60, 80) == (-10.0, 0.0, 80.0)


def test_leftovers_are_dropped_from_a_cut_out_hand_frame_by_frame() -> None:
    hands = square(2, size=(40, 40), tops=[4] * 2, lefts=[4] * 2, side=10, inside=500, outside=0)
    hands[1] *= 2  # farther in the second frame: each frame has its own median
    hands[:, 30:34, 30:34] = 2000
    kept = keep_reach(depth(hands), reach_mm=150.0).frames_THWC[..., 0]
    assert (kept[:, 30:34, 30:34] == 0).all()
    assert (kept[0, 4:14, 4:14] == 500).all()
    assert (kept[1, 4:14, 4:14] == 1000).all()


def test_a_whole_scene_is_kept_whole() -> None:
    scene = depth(hand(inside=700, outside=1200))
    assert (keep_reach(scene, reach_mm=10.0).frames_THWC == scene.frames_THWC).all()
    nothing = depth(np.zeros((2, 8, 8)))
    assert (keep_reach(nothing, reach_mm=10.0).frames_THWC == 0).all()


def test_what_becomes_of_a_frame_does_not_depend_on_the_others_that_were_read() -> None:
    """Sampling, and live use, read other frames of a recording than training does."""
    sparse = square(3, size=(40, 40), tops=[4] * 3, lefts=[4] * 3, side=10, inside=500, outside=0)
    full = square(3, size=(40, 40), tops=[0] * 3, lefts=[0] * 3, side=38, inside=500, outside=0)  # a hand near the lens
    recording = np.concatenate([sparse, full])
    recording[:, 38:, 38:] = 2000
    together = keep_reach(depth(recording), reach_mm=150.0).frames_THWC
    for chosen in ([0], [5], [0, 1, 5], [1, 3, 4, 5]):
        alone = keep_reach(depth(recording).take(chosen), reach_mm=150.0).frames_THWC
        assert (alone == together[chosen]).all()
    assert (together[:3, 38:, 38:] == 0).all()
    assert (together[3:, 38:, 38:] == 2000).all()  # most of the frame is measured: nothing was cut out of it


def test_a_still_hand_that_was_cut_out_gets_room_and_a_moving_one_none() -> None:
    still = np.zeros((6, 90, 120, 1), np.uint16)
    still[:, 30:50, 40:60] = 600
    box = find_motion_box(Frames(still, np.arange(6.0)), Stream.DEPTH, margin_fraction=0.0, min_side_fraction=0.0)
    assert box.side == pytest.approx(HAND_ROOM * 20, abs=2)
    assert box.left + box.side / 2 == pytest.approx(50, abs=1.5)
    moving = np.zeros((6, 90, 120, 1), np.uint16)
    for index, frame in enumerate(moving):
        frame[30:50, 10 * index : 10 * index + 20] = 600
    box = find_motion_box(Frames(moving, np.arange(6.0)), Stream.DEPTH, margin_fraction=0.0, min_side_fraction=0.0)
    assert box.side == pytest.approx(70, abs=3)
