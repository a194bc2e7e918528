"""Agethen and Hsu 2019, Table III: weights between the input and the gates, to the digit where the paper's come out."""

from __future__ import annotations

import pytest
import torch

from mudra.cells import MultiKernelConvLSTMConfig, measure_cell
from mudra.recipes import list_recipes

ROWS = {
    found.name.rpartition("/")[2]: found for found in list_recipes() if found.name.startswith("agethen2019/table3/")
}

PAPER = {
    "conv_3": (4.7, 4_718_592),
    "conv_5": (13.1, 13_107_200),
    "conv_7": (25.7, 25_690_112),
    "multi_3_5": (8.9, 8_912_896),
    "multi_3_5_mixed": (9.1, 9_175_040),
}


def test_rows_carry_the_papers_numbers() -> None:
    assert ROWS.keys() == PAPER.keys()
    for number, (name, (millions, _)) in enumerate(PAPER.items(), start=1):
        assert ROWS[name].source == f"Table III, row {number}"
        found = {expected.metric: expected.value for expected in ROWS[name].paper}
        assert found == {"million_weights": millions, "biases": 1024}


@pytest.mark.parametrize("name", PAPER)
def test_layers_have_the_papers_sizes(name: str) -> None:
    millions, weights = PAPER[name]
    (config,) = ROWS[name].build().model.cells
    assert isinstance(config, MultiKernelConvLSTMConfig)
    with torch.device("meta"):
        cell = config.model_copy(update={"in_channels": 512}).build()
    counted = measure_cell(cell.to_empty(device="cpu"), size=(14, 14))
    assert (counted.weights_input_to_hidden, counted.biases) == (weights, 1024)
    # 9.1 M is the one number that does not come out, by any rounding of the others' kind.
    comes_out = round(weights / 1e6, 1) == millions
    assert comes_out == (name != "multi_3_5_mixed")
    told = "within 0.05 of the paper" if comes_out else f"differs: {weights / 1e6:.3f} million weights are counted"
    assert ROWS[name].status == told
