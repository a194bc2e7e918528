"""Fan et al. 2021, Table I: the rows carry the numbers, the networks and the sizes of the paper."""

from __future__ import annotations

import pytest
import torch

from mudra.models import count_parameters
from mudra.recipes import find_recipe, list_recipes

ROWS = {found.name.rpartition("/")[2]: found for found in list_recipes() if found.name.startswith("fan2021/table1/")}

PAPER = {"tsm": 92.1, "tea": 92.3, "action": 94.2, "msd": 94.5}


def test_every_two_dimensional_line_of_the_table_has_its_row() -> None:
    assert {name: [expected.value for expected in found.paper] for name, found in ROWS.items()} == {
        name: [pytest.approx(value / 100)] for name, value in PAPER.items()
    }


def test_rows_differ_in_their_networks_alone() -> None:
    first = find_recipe("fan2021/table1/tsm")
    for name in ROWS:
        other = find_recipe(f"fan2021/table1/{name}")
        assert other.model_copy(update={"model": first.model, "recipe": first.recipe}) == first


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("tsm", 23_678_099), ("tea", 24_269_821), ("action", 27_895_919), ("msd", 27_895_919 + 8_553_472)],
)
def test_networks_have_the_papers_sizes(name: str, parameters: int) -> None:
    model = find_recipe(f"fan2021/table1/{name}").model.model_copy(update={"in_channels": 3})
    with torch.device("meta"):
        assert count_parameters(model.build()) == parameters


def test_only_the_papers_own_network_learns_depth() -> None:
    assert [name for name in ROWS if find_recipe(f"fan2021/table1/{name}").model.decoder is not None] == ["msd"]
