"""The sheet: as many columns and rows as there is to show, the place marked, any letters in names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mudra.serving.explanation_sheet import DPI, MOST_COLUMNS, TILE_IN, draw_explanation
from mudra.types import UInt8Array
from tests.fixtures.explanation import block_depth, block_explanation, moving_block, tiny_predictor

YELLOW = (255, 208, 0)


def num_yellow(sheet_HWC: UInt8Array) -> int:
    return int((sheet_HWC == YELLOW).all(axis=2).sum())


def test_the_sheet_is_a_picture_with_the_place_marked() -> None:
    found = block_explanation(tiny_predictor(clip={"region": "motion"}))
    sheet_HWC = draw_explanation(found)
    assert sheet_HWC.dtype == np.uint8
    assert sheet_HWC.shape[2] == 3
    assert sheet_HWC[0, 0].tolist() == [255, 255, 255]
    height, width = (TILE_IN * DPI * side for side in (0.75 * found.place.height, found.place.width))
    # Three frames, each with a rectangle whose line is two pixels wide or so.
    assert num_yellow(sheet_HWC) == pytest.approx(3 * 2 * (height + width) * 2, rel=0.4)


def test_layers_attention_and_streams_have_rows_of_their_own() -> None:
    plain = draw_explanation(block_explanation())
    attention: Any = [{"kind": "input_attention_conv_lstm", "hidden_channels": 8}]
    with_attention = draw_explanation(block_explanation(tiny_predictor(model={"cells": attention})))
    row_px = TILE_IN * DPI
    assert with_attention.shape[0] - plain.shape[0] == pytest.approx(row_px, abs=10)
    two: Any = [{"kind": "gated_conv_lstm", "hidden_channels": 8}] * 2
    assert draw_explanation(block_explanation(tiny_predictor(model={"cells": two}))).shape == with_attention.shape


def test_of_many_steps_eight_are_shown() -> None:
    frames = moving_block(24, size=(48, 96))
    few, many = (
        draw_explanation(block_explanation(tiny_predictor(clip={"num_frames": number}), frames))
        for number in (2 * MOST_COLUMNS, 24)
    )
    assert few.shape == many.shape


@pytest.mark.parametrize("cells", [[], [{"kind": "conv_lstm", "hidden_channels": 8}]], ids=["none", "plain"])
def test_networks_with_and_without_gates_are_drawn(cells: Any) -> None:
    sheet_HWC = draw_explanation(block_explanation(tiny_predictor(model={"cells": cells})))
    assert num_yellow(sheet_HWC) > 0


def test_a_single_frame_of_depth_is_drawn() -> None:
    predictor = tiny_predictor(clip={"num_frames": 1, "streams": ["depth"]})
    assert num_yellow(draw_explanation(block_explanation(predictor, block_depth(1)))) > 0


def test_names_may_hold_any_letters() -> None:
    names = ("$\\alpha$ 100 %", "挥手", "a_b^c")
    found = block_explanation(tiny_predictor(classes=names), path="/" + "x" * 200 + "/手$.mp4")
    assert draw_explanation(found).shape == draw_explanation(found._replace(label="挥手" * 20)).shape


def test_a_class_that_nothing_speaks_for_is_drawn_too() -> None:
    found = block_explanation()
    nothing = found._replace(trace=found.trace._replace(cam_THW=np.zeros_like(found.trace.cam_THW)))
    assert draw_explanation(nothing).shape == draw_explanation(found).shape
