"""Agethen and Hsu 2019, Table IV: Table I's networks on Sports-1M."""

from __future__ import annotations

import pytest

from mudra.recipes import find_recipe, list_recipes

ROWS = {
    found.name.rpartition("/")[2]: found for found in list_recipes() if found.name.startswith("agethen2019/table4/")
}

PAPER = {"conv_3": 80.67, "conv_5": 81.09, "multi_3_5": 81.34}


def test_every_line_of_the_table_has_its_row() -> None:
    assert {name: [expected.value for expected in found.paper] for name, found in ROWS.items()} == {
        name: [pytest.approx(value / 100)] for name, value in PAPER.items()
    }


@pytest.mark.parametrize("name", PAPER)
def test_networks_are_those_of_table_1_with_twenty_classes(name: str) -> None:
    config, other = ROWS[name].build(), find_recipe(f"agethen2019/table1/{name}")
    assert config.model == other.model.model_copy(update={"num_classes": 20})
    assert config.clip.num_frames == 30
