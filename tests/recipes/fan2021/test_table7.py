"""Fan et al. 2021, Table VII: one decoder each, at the scale that the name says."""

from __future__ import annotations

import pytest

from mudra.recipes import find_recipe, list_recipes
from tests.recipes.fan2021.columns import COLUMNS, name_columns

ROWS = {found.name.rpartition("/")[2]: found for found in list_recipes() if found.name.startswith("fan2021/table7/")}

PAPER = {
    "local_quarter": (93.8, 77.8),
    "local_full": (94.4, 82.3),
    "global_full": (94.0, 82.4),
    "global_quarter": (94.3, 82.4),
}
SAME = {"action": (94.2, 80.7)}


def test_every_line_and_column_of_the_table_has_its_row() -> None:
    assert {name: [(e.where, e.value) for e in found.paper] for name, found in ROWS.items()} == name_columns(
        PAPER | SAME
    )


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("name", PAPER)
def test_rows_have_one_decoder_and_its_scale(name: str, column: str) -> None:
    config = find_recipe(f"fan2021/table7/{name}{column}")
    decoder = config.model.decoder
    which, _, scale = name.partition("_")
    assert decoder is not None
    wanted = {"local": "none", "global": "none"} | {which: scale}
    assert {"local": decoder.local_scale, "global": decoder.global_scale} == wanted
    assert config.model.num_classes == (25 if column else 83)
    assert config.model.num_classes == (25 if column else 83)
    assert config.model.num_classes == (25 if column else 83)


@pytest.mark.parametrize(("column", "table"), [("", 1), ("_nvgesture", 2)])
@pytest.mark.parametrize("name", SAME)
def test_other_rows_are_those_of_tables_1_and_2(name: str, column: str, table: int) -> None:
    same = find_recipe(f"fan2021/table{table}/{name}")
    recipe = f"fan2021/table7/{name}{column}"
    assert find_recipe(recipe) == same.model_copy(update={"recipe": recipe})
