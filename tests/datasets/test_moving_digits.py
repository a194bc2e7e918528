"""Moving digits: where they are, what they show, and that the flow says where they go."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mudra.datasets import DigitClips, DigitImages, MovingDigits
from mudra.datasets.moving_digits import FlowSpan, reflect
from mudra.errors import ConfigError, DataError


def random_digits(side: tuple[int, int] = (5, 5), count: int = 6) -> DigitImages:
    images = np.random.default_rng(0).integers(1, 256, (count, *side)).astype(np.uint8)
    images[:, 0, 0] = 0  # black within the square
    return DigitImages(images_NHW=images, labels_N=np.arange(count) + 3)


def build(num_digits: int = 1, speed: tuple[float, float] = (0.5, 9.0), seed: int = 0) -> MovingDigits:
    return MovingDigits(random_digits(), speeds_px=[speed] * num_digits, num_frames=12, size=(17, 23), seed=seed)


def bounce_by_hand(position: float, velocity: float, room: float) -> tuple[float, float]:
    """One step between walls, bounce by bounce."""
    position += velocity
    while not 0 <= position <= room:
        position = -position if position < 0 else 2 * room - position
        velocity = -velocity
    return position, velocity


@given(start=st.floats(0, 1), velocity=st.floats(-60, 60).filter(lambda v: abs(v) > 1e-6), room=st.integers(1, 42))
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
def test_reflection_is_exact_however_often_a_step_bounces(start: float, velocity: float, room: int) -> None:
    position, now = start * room, velocity
    folded = reflect(start * room + velocity * np.arange(8), np.array(room))
    for place in folded:
        assert place == pytest.approx(position, abs=1e-9)
        position, now = bounce_by_hand(position, now, room)


def test_without_room_nothing_moves() -> None:
    assert reflect(np.array([-3.0, 0.0, 7.5]), np.array(0)).tolist() == [0.0, 0.0, 0.0]
    digits = random_digits()
    clips = MovingDigits(digits, num_frames=3, size=(5, 5)).draw([4])
    assert not clips.corner_BNTC.any()


def test_one_digit_stands_whole_and_alone_where_its_corner_says() -> None:
    source = build()
    clips = source.draw(range(4))
    assert clips.frames_BTHW.shape == (4, 12, 17, 23)
    for clip, frame in np.ndindex(4, 12):
        x, y = clips.corner_BNTC[clip, 0, frame + 1]
        label = clips.label_BN[clip, 0]
        expected = np.zeros((17, 23), np.uint8)
        expected[y : y + 5, x : x + 5] = source.digits.images_NHW[label - 3]
        assert (clips.frames_BTHW[clip, frame] == expected).all()
        assert (clips.shown_BTHW[clip, frame] == (expected > 0)).all()


def test_of_two_digits_the_brighter_pixel_is_seen() -> None:
    source = build(num_digits=2)
    clips = source.draw(range(6))
    overlapping = 0
    for clip, frame in np.ndindex(6, 12):
        own = np.zeros((2, 17, 23), int)
        for n in range(2):
            x, y = clips.corner_BNTC[clip, n, frame + 1]
            own[n, y : y + 5, x : x + 5] = source.digits.images_NHW[clips.label_BN[clip, n] - 3]
        overlapping += int((own > 0).all(axis=0).any())
        assert (clips.frames_BTHW[clip, frame] == own.max(axis=0)).all()
        shown = np.where(own.max(axis=0) == 0, 0, np.where(own[1] > own[0], 2, 1))
        assert (clips.shown_BTHW[clip, frame] == shown).all()
    assert overlapping > 3


@pytest.mark.parametrize("span", ["to_next", "from_last"])
def test_pixels_are_found_again_where_the_flow_says(span: FlowSpan) -> None:
    clips, bounced = build().draw(range(8)), 0
    flow_BTHWC = clips.flow(span)
    assert (flow_BTHWC.dtype, flow_BTHWC.shape) == (np.float32, (8, 12, 17, 23, 2))
    assert not flow_BTHWC[clips.shown_BTHW == 0].any()
    times = range(11) if span == "to_next" else range(1, 12)
    for clip in range(8):
        for t in times:
            other = t + 1 if span == "to_next" else t - 1
            sign = 1 if span == "to_next" else -1
            rows, columns = np.nonzero(clips.shown_BTHW[clip, t])
            dx, dy = (sign * flow_BTHWC[clip, t, rows, columns, axis].astype(int) for axis in range(2))
            there = clips.frames_BTHW[clip, other, rows + dy, columns + dx]
            assert (there == clips.frames_BTHW[clip, t, rows, columns]).all()
            bounced += int(abs(dx[0]) + abs(dy[0]) > 0)
    assert bounced > 50


def test_both_ends_of_a_clip_have_a_flow_too() -> None:
    # One frame more on either side is known, though it is not shown.
    clips = build(speed=(4.0, 5.0)).draw(range(16))
    for span, frame in (("to_next", -1), ("from_last", 0)):
        moved = np.abs(clips.flow(span)[:, frame]).sum(axis=(1, 2, 3))  # type: ignore[arg-type]
        assert (moved > 0).sum() > 12


def test_each_digit_has_the_flow_of_its_own_speed() -> None:
    source = MovingDigits(random_digits(), speeds_px=((0.0, 0.0), (6.0, 8.0)), num_frames=6, size=(64, 64))
    clips = source.draw(range(5))
    lengths = np.hypot(*np.moveaxis(clips.flow(), -1, 0))
    assert lengths[clips.shown_BTHW == 1].max() == 0
    assert np.median(lengths[clips.shown_BTHW == 2]) == pytest.approx(7, abs=1.5)
    assert (clips.speed_BN[:, 0] == 0).all()
    assert ((clips.speed_BN[:, 1] >= 6) & (clips.speed_BN[:, 1] <= 8)).all()


def test_speeds_directions_places_and_digits_are_drawn_evenly() -> None:
    source = MovingDigits(random_digits(), speeds_px=((3.0, 5.0),), num_frames=2, size=(65, 65))
    clips = source.draw(range(1500))
    assert clips.speed_BN.mean() == pytest.approx(4.0, abs=0.05)
    assert clips.speed_BN.std() == pytest.approx(2 / math.sqrt(12), rel=0.05)
    assert np.bincount(clips.label_BN[:, 0])[3:].min() > 200
    corners = clips.corner_BNTC[:, 0]
    assert corners.min() >= 0
    assert corners.max() <= 60
    assert corners[:, 1].mean(axis=0) == pytest.approx([29.5, 29.5], abs=1.5)
    moves = np.diff(corners[:, 1:], axis=1)[:, 0]
    assert np.abs(moves.mean(axis=0)).max() < 0.3
    quadrants = np.bincount(2 * (moves[:, 0] > 0) + (moves[:, 1] > 0), minlength=4)
    assert quadrants.min() > 280


def equal(first: DigitClips, second: DigitClips, clip: int) -> bool:
    return bool(
        (first.frames_BTHW[clip] == second.frames_BTHW[0]).all()
        and (first.corner_BNTC[clip] == second.corner_BNTC[0]).all()
        and (first.label_BN[clip] == second.label_BN[0]).all()
    )


def test_a_clip_depends_on_seed_and_number_alone() -> None:
    together, again = build(2).draw([3, 900, 4]), build(2)
    assert equal(together, again.draw([3]), 0)
    assert equal(together, again.draw([900]), 1)
    assert not equal(together, again.draw([5]), 0)
    assert not equal(together, build(2, seed=1).draw([3]), 0)


def test_networks_get_grey_levels_from_0_to_1_and_the_flow_since_the_last_frame() -> None:
    clips = build(2).draw([0, 1])
    plain, with_flow = clips.to_tensor(), clips.to_tensor(with_flow=True)
    assert (plain.dtype, plain.shape, with_flow.shape) == (torch.float32, (2, 12, 1, 17, 23), (2, 12, 3, 17, 23))
    assert torch.equal(with_flow[:, :, :1], plain)
    np.testing.assert_allclose(plain[:, :, 0].numpy() * 255, clips.frames_BTHW, atol=1e-4)
    for axis in range(2):
        assert (with_flow[:, :, 1 + axis].numpy() == clips.flow("from_last")[..., axis]).all()


def test_pictures_need_not_be_square() -> None:
    digits = random_digits((3, 7))
    clips = MovingDigits(digits, num_frames=30, size=(9, 13)).draw(range(5))
    assert clips.corner_BNTC[..., 0].max() <= 6
    assert clips.corner_BNTC[..., 1].max() <= 6
    assert (clips.frames_BTHW > 0).sum(axis=(2, 3)).tolist() == [[20] * 30] * 5


def test_what_cannot_be_drawn_is_refused() -> None:
    digits = random_digits()
    with pytest.raises(ConfigError, match="speeds_px holds 0 ranges, wanted one for each digit"):
        MovingDigits(digits, speeds_px=())
    for low, high in ((-1.0, 2.0), (3.0, 2.0), (0.0, math.inf), (math.nan, 1.0)):
        with pytest.raises(ConfigError, match="wanted the least and the greatest speed, from 0 on"):
            MovingDigits(digits, speeds_px=((low, high),))
    with pytest.raises(ConfigError, match="num_frames is 0, wanted at least 1"):
        MovingDigits(digits, num_frames=0)
    with pytest.raises(ConfigError, match=r"digits of \(5, 5\) pixels do not fit into pictures of \(4, 64\)"):
        MovingDigits(digits, size=(4, 64))
    for indices in ([], [3, -1]):
        with pytest.raises(DataError, match="wanted one number or more, from 0 on"):
            MovingDigits(digits).draw(indices)


def test_labels_are_told_without_drawing() -> None:
    source = build(num_digits=2)
    numbers = [9, 0, 4]
    assert source.labels(numbers).tolist() == source.draw(numbers).label_BN.tolist()
    with pytest.raises(DataError, match="wanted one number or more"):
        source.labels([])
