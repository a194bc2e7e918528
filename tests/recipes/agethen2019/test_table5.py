"""Agethen and Hsu 2019, Table V: I3D alone, and normalised recurrent layers on it."""

from __future__ import annotations

import pytest
import torch

from mudra.cells import InceptionConvLSTMConfig
from mudra.models import count_parameters
from mudra.recipes import list_recipes

ROWS = {
    found.name.rpartition("/")[2]: found for found in list_recipes() if found.name.startswith("agethen2019/table5/")
}

PAPER = {"i3d": 96.62, "conv_3": 96.46, "conv_5": 96.62, "inception": 97.46}


def test_every_line_of_the_table_has_its_row() -> None:
    assert {name: [expected.value for expected in found.paper] for name, found in ROWS.items()} == {
        name: [pytest.approx(value / 100)] for name, value in PAPER.items()
    }


def test_i3d_alone_has_its_published_size() -> None:
    with torch.device("meta"):
        network = ROWS["i3d"].build().model.model_copy(update={"in_channels": 3}).build()
    # 12,697,264 with 400 classes.
    assert count_parameters(network) == 12_697_264 - (400 - 17) * 1025


@pytest.mark.parametrize("name", ["conv_3", "conv_5", "inception"])
def test_layers_on_it_are_normalised_throughout(name: str) -> None:
    config = ROWS[name].build()
    (cell,) = config.model.cells
    assert (cell.normalisation, cell.hidden_channels) == ("batch", 256)
    with torch.device("meta"):
        network = config.model.model_copy(update={"in_channels": 3}).build()
    parts = {part: count_parameters(module) for part, module in network.named_children()}
    if isinstance(cell, InceptionConvLSTMConfig):
        # Per gate and side: 1x1 to 64; 1x1 to 128, 3x3 to 128; 1x1 to 128, 5x5 to 64; a scale and a shift for each.
        sides = [
            channels * (4 * 64 + 128 + 128) + 128 * 4 * 128 * 9 + 128 * 4 * 64 * 25 + 2 * (4 * 256 + 2 * 128)
            for channels in (1024, 256)
        ]
        assert parts["cells"] == sum(sides)
    else:
        area = {"conv_3": 9, "conv_5": 25}[name]
        assert parts["cells"] == (1024 + 256) * 4 * 256 * area + 2 * 2 * 4 * 256
    assert parts["backbone"] == 12_697_264 - 400 * 1025
    assert parts["mixing"] == 256 * 256 + 2 * 256
    assert parts["head"] == 256 * 17 + 17
    assert {p.requires_grad for p in network.backbone.parameters()} == {False}
