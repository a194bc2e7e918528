"""Gates: the cell's own openings, counted over clips; maps of one moment; and what has no gates."""

from __future__ import annotations

import csv
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import torch

from mudra.cells import ConvLSTMConfig
from mudra.clips import ArraySource, FrameSource
from mudra.errors import ClipError, ModelError
from mudra.serving import Predictor
from mudra.serving.gate_saturation import QUANTITIES, find_cells, measure_gates, write_gates
from mudra.types import Recording, Stream
from tests.fixtures.explanation import moving_block, tiny_predictor

CLIPS = [Recording(path=Path(str(length)), label=0) for length in (12, 20)]


def open_sources(recording: Recording, stack: ExitStack) -> dict[Stream, FrameSource]:
    if recording.path.stem == "broken":
        raise ClipError("cannot be read")
    return {Stream.RGB: ArraySource(moving_block(int(recording.path.stem)))}


def two_cells() -> Predictor:
    cells = [{"kind": "conv_lstm", "hidden_channels": 8}, {"kind": "gated_conv_lstm", "hidden_channels": 24}]
    return tiny_predictor(model={"cells": cells})


def openings(predictor: Predictor, recording: Recording, name: str, layer: int) -> list[torch.Tensor]:
    """Return one gate at every step, as the cell tells it."""
    cell = list(find_cells(predictor.network).values())[layer - 1]
    steps: list[torch.Tensor] = []
    handle = cell.register_forward_pre_hook(lambda module, step: steps.append(module.inspect(*step)[name][0]))
    with ExitStack() as stack, torch.no_grad():
        clip = predictor.read_views(open_sources(recording, stack)).clips[0].clip_TCHW
        predictor.network(clip[None])
    handle.remove()
    return steps


@pytest.mark.parametrize("layer", [1, 2])
def test_openings_of_all_clips_are_counted(layer: int) -> None:
    predictor = two_cells()
    found = measure_gates(predictor, CLIPS, open_sources=open_sources, layer=layer)
    assert set(found) == set(QUANTITIES)
    for name, use in found.items():
        steps = [openings(predictor, clip, name, layer) for clip in CLIPS]
        values = torch.cat([torch.stack(own).flatten() for own in steps]).double().numpy()
        low = -1.0 if name == "candidate" else 0.0
        assert use.low == low
        counts, _ = np.histogram(values, 40, range=(low, 1.0))
        np.testing.assert_allclose(use.share_X, counts / len(values), atol=1e-12)
        assert use.saturated_fraction == pytest.approx(((values < low + 0.05) | (values > 0.95)).mean())
        np.testing.assert_allclose(use.maps_DHW, steps[0][len(steps[0]) // 2][:16], atol=1e-6)
    cells = find_cells(predictor.network).values()
    assert all(not cell._forward_pre_hooks for cell in cells)


def test_clips_that_cannot_be_read_are_left_out() -> None:
    broken = Recording(path=Path("broken"), label=0)
    alone = measure_gates(two_cells(), CLIPS[:1], open_sources=open_sources)
    beside = measure_gates(two_cells(), [broken, *CLIPS[:1]], open_sources=open_sources)
    np.testing.assert_array_equal(alone["input_gate"].share_X, beside["input_gate"].share_X)
    with pytest.raises(ModelError, match="no clip could be read, or the cell tells of no gates"):
        measure_gates(two_cells(), [broken], open_sources=open_sources)


def test_cells_that_are_not_there_are_refused() -> None:
    with pytest.raises(ModelError, match=r"cell 3 was asked for; the network has 2 .*\n  hint: take 1 to 2"):
        measure_gates(two_cells(), CLIPS, open_sources=open_sources, layer=3)
    with pytest.raises(ModelError, match=r"the network has 0 recurrent cells .*\n  hint: compare networks with"):
        measure_gates(tiny_predictor(model={"cells": []}), CLIPS, open_sources=open_sources)
    assert list(find_cells(ConvLSTMConfig(in_channels=3, hidden_channels=8).build())) == [""]


def test_the_table_has_a_line_for_each_bin(tmp_path: Path) -> None:
    found = measure_gates(two_cells(), CLIPS[:1], open_sources=open_sources)
    path = write_gates(tmp_path / "gates.csv", {"mine": found})
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * 40
    assert sum(float(row["share"]) for row in rows if row["gate"] == "candidate") == pytest.approx(1.0, abs=1e-4)
    assert next(row["from"] for row in rows if row["gate"] == "candidate") == "-1"
