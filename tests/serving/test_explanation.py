"""Explanations: the prediction's own numbers, the class that was asked for, frames and maps of the same moments."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from mudra.clips import ArraySource
from mudra.errors import ClipError, ModelError
from mudra.serving import examine
from mudra.serving.explanation import Heat
from mudra.types import Frames, Stream
from tests.fixtures.explanation import CLASSES, block_depth, block_explanation, moving_block, tiny_predictor


def test_the_prediction_is_that_of_the_predictor() -> None:
    predictor, frames = tiny_predictor(), moving_block()
    told = predictor.predict(frames)
    found = examine(predictor, {Stream.RGB: ArraySource(frames)}, path="block")
    assert (found.prediction.label, found.prediction.span_s) == (told.label, told.span_s)
    assert found.prediction.probability == pytest.approx(told.probability, abs=1e-6)
    assert found.prediction.path == "block"
    assert (found.label, found.probability) == (told.label, found.prediction.probability)


def test_several_views_are_predicted_and_the_first_is_looked_into() -> None:
    predictor = tiny_predictor(clip={"num_test_clips": 2})
    found = block_explanation(predictor)
    assert found.prediction.probability == pytest.approx(predictor.predict(moving_block()).probability, abs=1e-6)
    assert found.original.times_s.tolist() == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]


def test_another_class_than_the_predicted_one_can_be_explained() -> None:
    own = block_explanation()
    other = next(name for name in CLASSES if name != own.label)
    found = block_explanation(label=other)
    assert (found.label, found.prediction.label) == (other, own.label)
    assert found.probability < own.probability
    assert not np.array_equal(found.trace.cam_THW, own.trace.cam_THW)
    assert found.heats[-1].title == f"Grad-CAM of “{other}”"


def test_the_rule_for_the_most_active_channel_is_handed_on() -> None:
    assert block_explanation(rule="contrast").trace.rule == "contrast"
    assert block_explanation(rule="contrast").heats[0].title.endswith("by contrast)")


def test_an_unknown_class_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ModelError, match="the run knows no class 'wav'") as caught:
        block_explanation(label="wav")
    assert caught.value.hint == "did you mean 'wave'?"


def test_a_missing_stream_or_an_empty_span_is_refused() -> None:
    with pytest.raises(ClipError, match="needs the depth stream"):
        block_explanation(tiny_predictor(clip={"streams": ["depth"]}))
    with pytest.raises(ClipError, match=r"no frame between 5\.0 s and None s"):
        block_explanation(span_s=(5.0, None))


def test_frames_and_clip_show_the_same_moments() -> None:
    found = block_explanation(span_s=(0.3, 0.9))
    assert found.original.times_s.tolist() == pytest.approx([0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
    np.testing.assert_array_equal(found.original.frames_THWC, moving_block().frames_THWC[3:9])
    assert found.clip_THWC[Stream.RGB].shape == (6, 32, 32, 3)
    assert found.steps == [1, 3, 5]  # three steps of two frames
    assert found.step_times_s.tolist() == pytest.approx([0.4, 0.6, 0.8])


def test_large_frames_are_scaled_down() -> None:
    found = block_explanation(frames=moving_block(6, size=(600, 800)))
    assert found.original.frames_THWC.shape == (6, 360, 480, 3)


def test_depth_runs_show_depth() -> None:
    found = block_explanation(tiny_predictor(clip={"streams": ["depth"], "region": "motion"}), block_depth())
    assert found.original.frames_THWC.dtype == np.uint16
    assert list(found.clip_THWC) == [Stream.DEPTH]
    assert found.place.width < 1.0
    np.testing.assert_array_equal(found.below_THWC, found.clip_THWC[Stream.DEPTH])


def test_maps_of_flow_are_laid_over_the_frames_that_it_came_from() -> None:
    found = block_explanation(tiny_predictor(clip={"streams": ["flow"]}))
    assert list(found.clip_THWC) == [Stream.FLOW]
    # The middle square of 48 by 64 pixels.
    np.testing.assert_array_equal(found.below_THWC, found.original.frames_THWC[:, :, 8:56])


def test_evidence_is_shared_out_among_the_steps() -> None:
    found = block_explanation()
    sums = found.trace.cam_THW.sum(axis=(1, 2))
    assert sums.any()
    np.testing.assert_allclose(found.evidence_T, sums / sums.sum())
    nothing = found._replace(trace=found.trace._replace(cam_THW=np.zeros_like(found.trace.cam_THW)))
    assert not nothing.evidence_T.any()


def test_heats_are_told_in_the_order_of_the_layers() -> None:
    cells: Any = [
        {"kind": "input_attention_conv_lstm", "hidden_channels": 8},
        {"kind": "gated_conv_lstm", "hidden_channels": 8},
    ]
    found = block_explanation(tiny_predictor(model={"cells": cells}))
    first, second = found.trace.layers
    assert [heat.short for heat in found.heats] == [
        f"layer 1, channel {first.channel}",
        "layer 1, attention",
        f"layer 2, channel {second.channel}",
        "Grad-CAM",
    ]
    assert found.heats[3].low == 0.0
    assert found.heats[1].low == pytest.approx(found.heats[1].maps_THW.min())


@pytest.mark.parametrize(("shift", "low"), [(0.0, 0.0), (3.0, 2.0), (-3.0, -4.0)], ids=["mixed", "active", "inactive"])
def test_what_is_not_active_is_cold(shift: float, low: float) -> None:
    found = block_explanation()
    active_THW = np.linspace(-1.0, 1.0, 24).reshape(2, 3, 4) + shift
    layer = found.trace.layers[0]._replace(active_THW=active_THW)
    heat = found._replace(trace=found.trace._replace(layers=[layer])).heats[0]
    assert (heat.low, heat.high) == (low, 1.0 + shift)


def test_heat_is_scaled_between_cold_and_hot() -> None:
    heat = Heat("x", "x", np.array([[[-1.0, 1.0, 3.0]]]), 1.0, 3.0)
    assert heat.scaled(heat.maps_THW).tolist() == [[[0.0, 0.0, 1.0]]]
    flat = Heat("x", "x", np.full((1, 2, 2), 5.0), 5.0, 5.0)
    assert not flat.scaled(flat.maps_THW).any()


def test_the_numbers_can_be_written_as_json() -> None:
    found = block_explanation()
    told = json.loads(json.dumps(found.to_json()))
    assert (told["label"], told["probability"]) == (found.prediction.label, found.prediction.probability)
    assert (told["explained"], told["explained_probability"]) == (found.label, found.probability)
    assert told["span_s"] == [0.0, 1.0]
    assert set(told["place"]) == {"top", "left", "height", "width"}
    assert len(told["evidence"]) == len(told["step_times_s"]) == 3
    assert told["channel_rule"] == "sum"
    layer = told["layers"][0]
    assert (layer["name"], layer["kind"], layer["has_attention"]) == ("layer 1", "GatedConvLSTMCell", False)
    assert layer["most_active_channel"] == found.trace.layers[0].channel
    assert layer["mean_gates"]["forget_gate"] == found.trace.layers[0].gates["forget_gate"].mean_T.tolist()


def test_both_streams_are_shown_and_colour_is_the_original() -> None:
    predictor = tiny_predictor(clip={"streams": ["depth", "rgb"]})
    sources = {Stream.DEPTH: ArraySource(block_depth()), Stream.RGB: ArraySource(moving_block())}
    found = examine(predictor, sources)
    assert list(found.clip_THWC) == [Stream.DEPTH, Stream.RGB]
    assert isinstance(found.original, Frames)
    assert found.original.frames_THWC.dtype == np.uint8
