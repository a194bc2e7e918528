"""Agethen and Hsu 2019, Table I: the rows carry the paper's numbers and differ in their kernels alone."""

from __future__ import annotations

import pytest
import torch

from mudra.cells import MultiKernelConvLSTMConfig
from mudra.models import count_parameters
from mudra.recipes import list_recipes

ROWS = {
    found.name.rpartition("/")[2]: found for found in list_recipes() if found.name.startswith("agethen2019/table1/")
}

# Accuracy; kernels, their channels, and weights of the layer: 4 gates of 512 hidden channels, of input and hidden maps.
PAPER = {
    "conv_3": (71.27, (3,), 512, 2 * 4 * 512 * 512 * 9),
    "conv_5": (72.20, (5,), 512, 2 * 4 * 512 * 512 * 25),
    "multi_3_5": (73.18, (3, 5), (256, 256), 2 * 4 * 512 * 256 * (9 + 25)),
    "multi_3_5_mixed": (74.09, (3, 5), (256, 256), 2 * 4 * 512 * 256 * (9 + 25) + 2 * 4 * 512 * 512),
}


def test_every_line_of_the_table_has_its_row() -> None:
    assert {name: [expected.value for expected in found.paper] for name, found in ROWS.items()} == {
        name: [pytest.approx(values[0] / 100)] for name, values in PAPER.items()
    }
    assert [ROWS[name].source for name in PAPER] == [f"Table I, row {number}" for number in (1, 2, 3, 4)]


@pytest.mark.parametrize("name", PAPER)
def test_networks_have_the_papers_kernels_and_sizes(name: str) -> None:
    _, kernel_sizes, channels, weights = PAPER[name]
    model = ROWS[name].build().model
    (cell,) = model.cells
    assert isinstance(cell, MultiKernelConvLSTMConfig)
    assert (cell.kernel_sizes, cell.hidden_channels) == (kernel_sizes, channels)
    with torch.device("meta"):
        network = model.model_copy(update={"in_channels": 3}).build()
    parts = {part: count_parameters(module) for part, module in network.named_children()}
    lstm = 2 * 4 * 512 * 512 + 4 * 512 + 3 * 512
    assert parts == {
        "backbone": 14_714_688,
        "cells": weights + 4 * 512,
        "mixing": 0,
        "dropout": 0,
        "frame_cells": lstm,
        "head": 512 * 101 + 101,
    }
    assert {p.requires_grad for p in network.backbone.parameters()} == {False}


def test_rows_differ_in_their_kernels_alone() -> None:
    first = ROWS["conv_3"].build()
    for found in ROWS.values():
        other = found.build()
        model = other.model.model_copy(update={"cells": first.model.cells})
        assert other.model_copy(update={"model": model}) == first
