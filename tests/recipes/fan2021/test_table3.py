"""Fan et al. 2021, Table III: the rows carry the paper's numbers and are trained on IsoGD."""

from __future__ import annotations

import pytest

from mudra.recipes import find_recipe, list_recipes

ROWS = {found.name.rpartition("/")[2]: found for found in list_recipes() if found.name.startswith("fan2021/table3/")}

PAPER = {"tsm": 64.1, "tea": 64.5, "action": 65.0, "msd": 66.9}


def test_every_two_dimensional_line_of_the_table_has_its_row() -> None:
    assert {name: [expected.value for expected in found.paper] for name, found in ROWS.items()} == {
        name: [pytest.approx(value / 100)] for name, value in PAPER.items()
    }


def test_rows_differ_in_their_networks_alone() -> None:
    first = find_recipe("fan2021/table3/tsm")
    for name in ROWS:
        other = find_recipe(f"fan2021/table3/{name}")
        assert other.model_copy(update={"model": first.model, "recipe": first.recipe}) == first


def test_rows_have_isogds_classes_and_epochs() -> None:
    config = find_recipe("fan2021/table3/msd")
    assert (config.model.num_classes, config.fitting.epochs) == (249, 35)
