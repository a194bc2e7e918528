"""Agethen and Hsu 2019, Table VI: all classes of UCF-101 on I3D, masks of flow, and the row that learns throughout."""

from __future__ import annotations

import pytest
import torch

from mudra.cells import MultiKernelConvLSTMCell
from mudra.recipes import list_recipes

ROWS = {
    found.name.rpartition("/")[2]: found for found in list_recipes() if found.name.startswith("agethen2019/table6/")
}

PAPER = {
    "conv_3": 86.33,
    "conv_5": 86.92,
    "multi_3_5": 87.21,
    "multi_3_5_attention": 87.39,
    "inception": 88.40,
    "inception_end_to_end": 90.09,
}


def test_every_line_of_the_table_has_its_row() -> None:
    assert {name: [expected.value for expected in found.paper] for name, found in ROWS.items()} == {
        name: [pytest.approx(value / 100)] for name, value in PAPER.items()
    }
    assert [ROWS[name].source for name in PAPER] == [f"Table VI, row {number}" for number in range(1, 7)]


def test_only_the_last_row_tunes_the_backbone() -> None:
    learning = [name for name, found in ROWS.items() if not found.build().model.backbone.frozen]
    assert learning == ["inception_end_to_end"]
    frozen, tuned = ROWS["inception"].build(), ROWS["inception_end_to_end"].build()
    backbone = tuned.model.backbone.model_copy(update={"frozen": True})
    assert tuned.model_copy(update={"model": tuned.model.model_copy(update={"backbone": backbone})}) == frozen


def test_both_kernels_see_their_input_through_masks_of_flow() -> None:
    config, plain = ROWS["multi_3_5_attention"].build(), ROWS["multi_3_5"].build()
    assert config.clip.num_channels == 5
    assert config.model == plain.model.model_copy(update={"flow_channels": 2})
    with torch.device("meta"):
        network = config.model.model_copy(update={"in_channels": 5}).build()
    (cell,) = network.cells
    assert isinstance(cell, MultiKernelConvLSTMCell)
    # A mask for each channel that I3D makes, of two channels of flow, by kernels of 3x3 and 5x5.
    assert sum(p.numel() for p in cell.flow_attention.parameters()) == 1024 * 2 * (9 + 25) + 2 * 1024
