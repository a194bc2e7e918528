"""The sheet of temporal modules: one row for each mask and excitation, one line of plots for each block."""

from __future__ import annotations

import numpy as np

from mudra.serving.excitation_trace import BlockExcitations, BlockTrace, TemporalTrace
from mudra.serving.mask_sheet import draw_masks

NUM_FRAMES, CHANNELS = 3, 12


def block(name: str, *, is_excited: bool, num_frames: int = NUM_FRAMES) -> BlockTrace:
    generator = np.random.default_rng(0)
    maps = generator.random((num_frames, 4, 6)), *generator.random((2, num_frames, CHANNELS))
    kernels_C3 = np.tile([0.0, 1.0, -0.5], (CHANNELS, 1))
    return BlockTrace(name, "Action", kernels_C3, BlockExcitations(*maps) if is_excited else None)


def draw(trace: TemporalTrace, num_frames: int = NUM_FRAMES) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    pictures_THWC = np.full((num_frames, 48, 64, 3), 90, np.uint8)
    return draw_masks(trace, pictures_THWC, np.arange(num_frames) / 10.0)


def test_each_part_adds_its_row() -> None:
    alone = draw(TemporalTrace([], np.full((NUM_FRAMES, 48, 64), 0.25), None))
    both = draw(TemporalTrace([], np.full((NUM_FRAMES, 48, 64), 0.25), np.full((NUM_FRAMES, 12, 16), 0.75)))
    row = alone.shape[0] // 2
    assert both.shape[0] == 3 * row
    assert (both[row + 30 : row + 130, 10:100] == 64).all(), "a quarter of white"
    assert (both[2 * row + 30 : 2 * row + 130, 10:100] == 191).all()


def test_blocks_have_plots_below_the_pictures() -> None:
    plain = draw(TemporalTrace([block("layer1.0", is_excited=False)], None, None))
    excited = draw(TemporalTrace([block("layer1.0", is_excited=True), block("layer2.0", is_excited=True)], None, None))
    assert excited.shape[0] > plain.shape[0] + 200
    assert excited.shape[1] > plain.shape[1]
    assert excited.dtype == np.uint8
    assert len(np.unique(excited[-280:].reshape(-1, 3), axis=0)) > 50, "bars and kernels in colour"


def test_a_gate_of_motion_alone_has_its_plot_and_no_picture() -> None:
    bare, whole = block("layer1.0", is_excited=False), block("layer1.0", is_excited=True)
    assert whole.excitations is not None
    moving = whole._replace(excitations=whole.excitations._replace(spatio_temporal_THW=None, channel_TC=None))
    plain, motion, three = (draw(TemporalTrace([each], None, None)) for each in (bare, moving, whole))
    assert plain.shape[1] < motion.shape[1] < three.shape[1], "one plot, two and three"
    assert motion.shape[0] == plain.shape[0], "no map to lay over frames"
    still = moving._replace(excitations=BlockExcitations(None, None, np.full((NUM_FRAMES, CHANNELS), 0.5)))
    assert (draw(TemporalTrace([still], None, None)) != motion).any()


def test_one_frame_has_no_motion_and_many_are_thinned_out() -> None:
    one = draw(TemporalTrace([block("layer1.0", is_excited=True, num_frames=1)], None, None), num_frames=1)
    many = draw(TemporalTrace([block("layer1.0", is_excited=True, num_frames=30)], None, None), num_frames=30)
    assert one.shape[0] == many.shape[0]
    assert many.shape[1] < 30 * 100
