"""Which frames: the papers' worked examples, the bounds of chance, and times instead of frame numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mudra.clips.sampling import (
    AnySampling,
    DenseSampling,
    SegmentSampling,
    UniformSampling,
    has_even_times,
    sample_frames,
)
from mudra.errors import ClipError

SAMPLINGS: list[AnySampling] = [
    UniformSampling(),
    UniformSampling(min_span_fraction=0.5),
    SegmentSampling(),
    DenseSampling(fps=20.0),
    DenseSampling(fps=20.0, time_scale=(0.5, 2.0)),
]


def even(num_frames: int, fps: float = 30.0) -> np.ndarray:
    return np.arange(num_frames) / fps


def draw(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("available", "wanted", "expected"),
    [
        (40, 32, [k + k // 4 for k in range(32)]),
        (37, 16, [0, 2, 4, 6, 9, 11, 13, 16, 18, 20, 23, 25, 27, 30, 32, 34]),
        (20, 32, [*range(20), *[19] * 12]),
        (32, 32, list(range(32))),
        (1, 4, [0, 0, 0, 0]),
    ],
)
def test_the_worked_examples_of_the_uniform_sampling(available: int, wanted: int, expected: list[int]) -> None:
    assert sample_frames(even(available), wanted, UniformSampling()).tolist() == expected


def test_the_first_worked_example_as_it_is_printed() -> None:
    chosen = sample_frames(even(40), 32, UniformSampling()).tolist()
    assert chosen[:9] == [0, 1, 2, 3, 5, 6, 7, 8, 10]
    assert chosen[-1] == 38


def test_jitter_reaches_a_quarter_of_the_distance_either_way_and_no_further() -> None:
    # 160 frames to 16: distance 10, so that position k becomes 10 k - 2.5 to 10 k + 2.5, rounded down.
    chosen = np.stack([sample_frames(even(160), 16, UniformSampling(), generator=draw(s)) for s in range(300)])
    off = chosen - 10 * np.arange(16)
    assert set(np.unique(off[:, 1:])) == {-3, -2, -1, 0, 1, 2}
    assert set(np.unique(off[:, 0])) == {0, 1, 2}  # never before the first frame


def test_jitter_uses_the_whole_part_of_the_distance() -> None:
    # 47 frames to 16: distance 2.9375, whole part 2, so +-0.5 and not +-0.73.
    positions = 2.9375 * np.arange(16)
    chosen = np.stack([sample_frames(even(47), 16, UniformSampling(), generator=draw(s)) for s in range(300)])
    assert (chosen >= np.floor(np.maximum(positions - 0.5, 0))).all()
    assert (chosen <= np.floor(positions + 0.5)).all()


def test_every_frame_is_jittered_by_itself() -> None:
    off = sample_frames(even(1600), 16, UniformSampling(), generator=draw(0)) - 100 * np.arange(16)
    assert len(set(off.tolist())) > 8


@pytest.mark.parametrize("available", [20, 32, 40, 63])
def test_there_is_no_jitter_below_two_frames_of_distance(available: int) -> None:
    without = sample_frames(even(available), 32, UniformSampling())
    for seed in range(20):
        assert (sample_frames(even(available), 32, UniformSampling(), generator=draw(seed)) == without).all()


def test_jitter_can_be_left_out() -> None:
    chosen = sample_frames(even(160), 16, UniformSampling(jitter=False), generator=draw(0))
    assert (chosen == 10 * np.arange(16)).all()


def test_a_drawn_span_is_at_least_its_fraction_and_lies_anywhere() -> None:
    sampling = UniformSampling(jitter=False, min_span_fraction=0.5)
    chosen = np.stack([sample_frames(even(200), 10, sampling, generator=draw(s)) for s in range(300)])
    covered = (chosen[:, -1] - chosen[:, 0]) / 9 * 10 / 200  # nine distances of ten
    assert 0.48 <= covered.min() < 0.55
    assert 0.95 < covered.max() <= 1.01
    assert chosen[:, 0].max() > 60  # spans that start late
    assert (sample_frames(even(200), 10, sampling) == 20 * np.arange(10)).all()  # tests take all


def test_scarce_frames_are_taken_once_and_the_last_is_held_from_a_drawn_span_too() -> None:
    sampling = UniformSampling(min_span_fraction=0.5)
    for seed in range(50):
        chosen = sample_frames(even(10), 16, sampling, generator=draw(seed))
        assert chosen.max() <= 9
        steps = np.diff(chosen)
        taken = int((steps == 1).sum())
        assert (steps[:taken] == 1).all()
        assert (steps[taken:] == 0).all()
        assert taken + 1 >= 5  # at least the fraction of them


def test_segments_give_any_frame_of_each_in_training_and_the_middle_in_tests() -> None:
    assert sample_frames(even(40), 4, SegmentSampling()).tolist() == [5, 15, 25, 35]
    chosen = np.stack([sample_frames(even(40), 4, SegmentSampling(), generator=draw(s)) for s in range(400)])
    for segment in range(4):
        assert set(chosen[:, segment].tolist()) == set(range(10 * segment, 10 * segment + 10))


@pytest.mark.parametrize("fps", [15.0, 24.0, 30.0, 60.0])
def test_dense_frames_come_at_the_clips_rate_from_the_middle(fps: float) -> None:
    times_s = even(round(4 * fps), fps)
    chosen_s = times_s[sample_frames(times_s, 8, DenseSampling(fps=10.0))]
    first_s = (times_s[-1] - 0.7) / 2
    wanted_s = first_s + np.arange(8) / 10
    assert (chosen_s <= wanted_s + 1e-5).all()
    assert (wanted_s - chosen_s < 1 / fps).all()


def test_dense_frames_on_the_grid_are_those_frames() -> None:
    assert sample_frames(even(15, 30.0), 8, DenseSampling(fps=15.0)).tolist() == [0, 2, 4, 6, 8, 10, 12, 14]


@pytest.mark.parametrize(("available", "length"), [(43, 5), (16, 2), (8, 1)])
def test_official_segments_are_whole_frames_long_and_leave_the_last_ones_out(available: int, length: int) -> None:
    official = SegmentSampling(mode="official")
    chosen = np.stack([sample_frames(even(available), 8, official, generator=draw(s)) for s in range(200)])
    for segment in range(8):
        assert set(chosen[:, segment].tolist()) == set(range(segment * length, (segment + 1) * length))
    with_ends = [sample_frames(even(available), 8, SegmentSampling(), generator=draw(s))[-1] for s in range(200)]
    assert max(with_ends) == available - 1


def test_of_too_few_frames_official_training_takes_the_first_again_and_again() -> None:
    official = SegmentSampling(mode="official")
    assert sample_frames(even(7), 8, official, generator=draw(0)).tolist() == [0] * 8
    for sampling in (official, SegmentSampling()):  # tests take what there is
        assert sample_frames(even(7), 8, sampling).tolist() == [0, 1, 2, 3, 3, 4, 5, 6]


def test_dense_training_clips_come_from_anywhere() -> None:
    starts = {int(sample_frames(even(60), 4, DenseSampling(fps=30.0), generator=draw(s))[0]) for s in range(400)}
    assert min(starts) == 0
    assert max(starts) == 55
    assert len(starts) > 45


def test_stretched_clips_are_the_released_codes_resampled_fragments() -> None:
    """Pigou et al. 2015: of round(64 t) frames from anywhere, frame ofs + int(k len / 64), ofs = (len // 64) // 2."""
    fragments = {tuple(length // 64 // 2 + int(k * length / 64) for k in range(64)) for length in range(53, 78)}
    seen = set()
    for seed in range(300):
        chosen = sample_frames(
            even(400, 20.0), 64, DenseSampling(fps=20.0, time_scale=(1 / 1.2, 1.2)), generator=draw(seed)
        )
        seen.add(tuple((chosen - chosen[0]).tolist()))
        assert chosen[-1] < 400
    assert seen == fragments
    plain = DenseSampling(fps=20.0)
    assert (
        sample_frames(even(400, 20.0), 64, plain.model_copy(update={"time_scale": (0.5, 2.0)}))
        == sample_frames(even(400, 20.0), 64, plain)
    ).all()


def test_a_stretch_reaches_from_one_end_of_the_recording_to_the_other() -> None:
    sampling = DenseSampling(fps=20.0, time_scale=(2.0, 2.0))
    chosen = np.stack([sample_frames(even(24, 20.0), 8, sampling, generator=draw(s)) for s in range(300)])
    # Sixteen frames become eight, from the second one on: (16 // 8) // 2 = 1.
    assert (np.diff(chosen, axis=1) == 2).all()
    assert set(chosen[:, 0].tolist()) == set(range(1, 9))


def test_views_divide_the_distance_between_frames() -> None:
    views = [sample_frames(even(40), 4, UniformSampling(), view=v, num_views=5).tolist() for v in range(5)]
    assert [view[0] for view in views] == [0, 2, 4, 6, 8]
    assert [view[3] for view in views] == [30, 32, 34, 36, 38]
    segments = [sample_frames(even(40), 4, SegmentSampling(), view=v, num_views=2).tolist()[0] for v in range(2)]
    assert segments == [2, 7]
    dense = [sample_frames(even(101), 11, DenseSampling(fps=30.0), view=v, num_views=3)[0] for v in range(3)]
    assert dense == [15, 45, 75]


@settings(max_examples=80, deadline=None)
@given(
    available=st.integers(1, 130),
    wanted=st.integers(1, 48),
    sampling=st.sampled_from(SAMPLINGS),
    seed=st.one_of(st.none(), st.integers(0, 1000)),
    view=st.integers(0, 2),
)
def test_indices_ascend_within_the_recording_and_are_as_many_as_wanted(
    available: int, wanted: int, sampling: AnySampling, seed: int | None, view: int
) -> None:
    generator = None if seed is None else draw(seed)
    chosen = sample_frames(even(available), wanted, sampling, generator=generator, view=view, num_views=3)
    assert chosen.shape == (wanted,)
    assert chosen.dtype == np.int64
    assert chosen.min() >= 0
    assert chosen.max() < available
    assert (np.diff(chosen) >= 0).all()


@settings(max_examples=60, deadline=None)
@given(
    gaps=st.lists(st.sampled_from([0.03, 0.04, 0.1, 0.35]), min_size=20, max_size=80),
    wanted=st.integers(2, 16),
)
def test_uneven_frames_are_the_ones_that_are_shown_at_evenly_spread_times(gaps: list[float], wanted: int) -> None:
    times_s = np.concatenate([[0.0], np.cumsum(gaps)])
    if has_even_times(times_s):
        return
    chosen = sample_frames(times_s, wanted, UniformSampling())
    mean_s = times_s[-1] / (len(times_s) - 1)
    for k, index in enumerate(chosen.tolist()):
        wanted_s = k * len(times_s) / wanted * mean_s + 1e-9
        shown = max(i for i, time_s in enumerate(times_s) if time_s <= wanted_s)
        assert index == shown


def test_a_pause_of_the_camera_takes_its_share_of_the_clip() -> None:
    times_s = np.concatenate([np.arange(10) / 10, 3 + np.arange(10) / 10])  # two seconds without a frame
    chosen = sample_frames(times_s, 8, UniformSampling()).tolist()
    assert chosen.count(9) >= 3  # the last frame before the pause stands while it lasts


@pytest.mark.parametrize("sampling", [UniformSampling(), SegmentSampling()])
def test_the_same_motion_at_four_rates_gives_the_same_moments_within_a_frame(sampling: AnySampling) -> None:
    duration_s = 3.2
    moments_s = {}
    for fps in (15.0, 24.0, 30.0, 60.0):
        times_s = even(round(duration_s * fps), fps)
        moments_s[fps] = times_s[sample_frames(times_s, 16, sampling)]
    for fps, found_s in moments_s.items():
        assert np.abs(found_s - moments_s[60.0]).max() <= 1 / fps + 1 / 60 + 1e-9


def test_times_that_a_container_rounds_count_as_even() -> None:
    rounded_s = np.round(even(37), 3)
    assert has_even_times(rounded_s)
    assert (sample_frames(rounded_s, 16, UniformSampling()) == sample_frames(even(37), 16, UniformSampling())).all()


def test_a_dropped_frame_makes_times_uneven() -> None:
    assert not has_even_times(np.delete(even(30), 12))


def test_a_seed_repeats_its_draw() -> None:
    first, second = (sample_frames(even(90), 16, UniformSampling(), generator=draw(7)) for _ in range(2))
    assert (first == second).all()


def test_no_frame_at_all_is_refused() -> None:
    with pytest.raises(ClipError, match=r"no frames at all\n  hint: look at the span"):
        sample_frames(np.zeros(0), 4, UniformSampling())


FROM_25 = DenseSampling(fps=15.0, first_frame=25)


@pytest.mark.parametrize("seed", [None, 0, 1])
def test_the_same_frames_are_always_taken(seed: int | None) -> None:
    """Agethen and Hsu 2019: frames 25 to 75 of a video at 15 per second."""
    generator = None if seed is None else draw(seed)
    chosen = sample_frames(even(140, 15.0), 50, FROM_25, generator=generator)
    assert chosen.tolist() == list(range(25, 75))
    # At 30 frames per second every second one is shown; at 25, the one that is shown at the time.
    assert sample_frames(even(280), 50, FROM_25, generator=generator).tolist() == list(range(50, 150, 2))
    chosen = sample_frames(even(200, 25.0), 50, FROM_25, generator=generator)
    assert chosen.tolist() == [int(25 * frame / 15 + 1e-6) for frame in range(25, 75)]


@pytest.mark.parametrize(
    ("available", "expected"),
    [
        (75, [*range(25, 75)]),
        (74, [*range(25, 74), 0]),
        (60, [*range(25, 60), *range(15)]),
        (25, [*range(25), *range(25)]),
        (10, [*range(5, 10), *[*range(10)] * 4, *range(5)]),
        (1, [0] * 50),
    ],
)
def test_short_recordings_go_round(available: int, expected: list[int]) -> None:
    assert sample_frames(even(available, 15.0), 50, FROM_25).tolist() == expected


def test_the_first_frame_may_be_the_very_first_one() -> None:
    from_0 = DenseSampling(fps=15.0, first_frame=0)
    assert sample_frames(even(100, 15.0), 4, from_0, generator=draw(3)).tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        DenseSampling(first_frame=-1)


def test_a_stretched_clip_begins_with_the_given_frame() -> None:
    sampling = DenseSampling(fps=20.0, time_scale=(3.0, 3.0), first_frame=10)
    assert sample_frames(even(100, 20.0), 8, sampling, generator=draw(0)).tolist() == [11 + 3 * k for k in range(8)]
    assert sample_frames(even(100, 20.0), 8, sampling).tolist() == list(range(10, 18))
