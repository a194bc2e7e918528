"""Frames of the overlay: even sides, heat inside the place alone, maps mixed between two steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mudra.serving import Explanation
from mudra.serving.explanation_video import GAP_PX, PANEL_PX, TITLE_PX, OverlayPainter
from mudra.serving.place import Place
from mudra.types import FloatArray, UInt8Array
from tests.fixtures.explanation import block_explanation, moving_block, tiny_predictor

WIDTH_PX = PANEL_PX * 64 // 48


def painted(explanation: Explanation, time_s: float) -> list[UInt8Array]:
    """Return the panels at a time, over a grey frame."""
    page_HWC = OverlayPainter(explanation).draw(np.full((48, 64, 3), 100, np.uint8), time_s)
    rows = page_HWC[TITLE_PX : TITLE_PX + PANEL_PX]
    count = round(page_HWC.shape[1] / (WIDTH_PX + GAP_PX))
    return [rows[:, k * (WIDTH_PX + GAP_PX) : k * (WIDTH_PX + GAP_PX) + WIDTH_PX] for k in range(count)]


def with_cam(cam_THW: FloatArray, place: Place | None = None) -> Explanation:
    found = block_explanation()
    return found._replace(trace=found.trace._replace(cam_THW=cam_THW), place=place or Place(0.25, 0.25, 0.5, 0.5))


def test_frames_have_even_sides_and_a_panel_for_each_kind_of_map() -> None:
    plain = OverlayPainter(block_explanation()).draw(moving_block().frames_THWC[0], 0.0)
    assert plain.shape == (304, 3 * WIDTH_PX + 2 * GAP_PX, 3)
    cells: Any = [{"kind": "input_attention_conv_lstm", "hidden_channels": 8}]
    found = block_explanation(tiny_predictor(model={"cells": cells}), moving_block(size=(48, 49)))
    four = OverlayPainter(found).draw(moving_block(size=(48, 49)).frames_THWC[0], 0.0)
    assert four.shape == (304, 4 * 245 + 3 * GAP_PX, 3)
    odd = OverlayPainter(block_explanation(frames=moving_block(size=(48, 49))))
    assert odd.draw(moving_block(size=(48, 49)).frames_THWC[0], 0.0).shape == (304, 3 * 245 + 2 * GAP_PX + 1, 3)


def test_the_first_panel_marks_the_place() -> None:
    original = painted(with_cam(np.zeros((3, 4, 4))), 0.0)[0]
    assert original[PANEL_PX // 4 + 1, WIDTH_PX // 2].tolist() == [255, 208, 0]
    assert original[PANEL_PX // 2, WIDTH_PX // 2].tolist() == [100, 100, 100]


def test_heat_lies_inside_the_place_alone() -> None:
    cam = painted(with_cam(np.ones((3, 4, 4))), 0.0)[-1].astype(int)
    inside, outside = cam[PANEL_PX // 2, WIDTH_PX // 2], cam[10, 10]
    assert inside[0] > inside[2] + 30
    assert outside.tolist() == [80, 80, 80]
    edge = PANEL_PX // 4
    assert cam[edge - 2, WIDTH_PX // 2].tolist() == [80, 80, 80]
    assert cam[edge + 1, WIDTH_PX // 2].tolist() != [80, 80, 80]


@pytest.mark.parametrize("place", [Place(-0.5, -0.5, 1.0, 1.0), Place(0.5, 0.5, 1.0, 1.0)], ids=["above", "below"])
def test_a_place_over_the_edge_keeps_its_heat_where_it_belongs(place: Place) -> None:
    cam_THW = np.zeros((3, 4, 4))
    cam_THW[:, 2:, 2:] = 1.0  # the lower right quarter of the place
    cam = painted(with_cam(cam_THW, place), 0.0)[-1].astype(int)
    hot = cam[..., 0] > cam[..., 2] + 30
    rows, columns = np.flatnonzero(hot.any(axis=1)), np.flatnonzero(hot.any(axis=0))
    if place.top < 0:
        assert rows.min() < 10
        assert rows.max() == pytest.approx(PANEL_PX / 2, abs=2)
        assert columns.max() == pytest.approx(WIDTH_PX / 2, abs=2)
    else:
        assert not hot[: PANEL_PX // 2 + PANEL_PX // 4].any()


def test_maps_are_mixed_between_two_steps_and_stay_at_the_ends() -> None:
    cam_THW = np.zeros((3, 2, 2))
    cam_THW[1] = 1.0
    found = with_cam(cam_THW)
    before, middle, after = found.step_times_s

    def heat(time_s: float) -> int:
        centre = painted(found, time_s)[-1][PANEL_PX // 2, WIDTH_PX // 2]
        return int(np.abs(centre.astype(int) - 80).sum())

    assert heat(before - 1.0) == heat(before) == heat(after) == heat(after + 1.0) == 0
    assert heat(middle) > 0
    half_way = painted(found, (before + middle) / 2)[-1][PANEL_PX // 2, WIDTH_PX // 2]
    half = painted(with_cam(np.stack([np.ones((2, 2)), np.full((2, 2), 0.5), np.ones((2, 2))])), middle)[-1]
    np.testing.assert_array_equal(half_way, half[PANEL_PX // 2, WIDTH_PX // 2])


def test_the_moment_is_told() -> None:
    painter = OverlayPainter(block_explanation())
    frame = moving_block().frames_THWC[0]
    first, second = painter.draw(frame, 0.0), painter.draw(frame, 0.01)
    foot = TITLE_PX + PANEL_PX
    assert (first[foot:] < 128).any()
    assert (first[foot:] != second[foot:]).any()
    np.testing.assert_array_equal(first[:TITLE_PX], second[:TITLE_PX])
