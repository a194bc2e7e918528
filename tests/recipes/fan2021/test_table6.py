"""Fan et al. 2021, Table VI: one decoder each, at the weight that the name says."""

from __future__ import annotations

import pytest

from mudra.recipes import find_recipe, list_recipes
from tests.recipes.fan2021.columns import COLUMNS, name_columns

ROWS = {found.name.rpartition("/")[2]: found for found in list_recipes() if found.name.startswith("fan2021/table6/")}

PAPER = {
    "local_01": (94.3, 81.1),
    "local_1": (94.4, 82.3),
    "global_1": (94.1, 80.3),
    "global_01": (94.2, 80.5),
    "global_001": (94.3, 82.4),
}
SAME = {"action": (94.2, 80.7), "msd": (94.5, 84.0)}


def test_every_line_and_column_of_the_table_has_its_row() -> None:
    assert {name: [(e.where, e.value) for e in found.paper] for name, found in ROWS.items()} == name_columns(
        PAPER | SAME
    )


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("name", PAPER)
def test_rows_have_one_decoder_and_its_weight(name: str, column: str) -> None:
    config = find_recipe(f"fan2021/table6/{name}{column}")
    which, _, weight = name.partition("_")
    assert config.model.decoder is not None
    scales = {"local": config.model.decoder.local_scale, "global": config.model.decoder.global_scale}
    assert [part for part, scale in scales.items() if scale != "none"] == [which]
    weights = {"local": config.mask_loss.local_weight, "global": config.mask_loss.global_weight}
    assert weights[which] == {"1": 1.0, "01": 0.1, "001": 0.01}[weight]
    assert config.mask_loss.class_weight == 1.0
    assert config.model.num_classes == (25 if column else 83)
    assert config.model.num_classes == (25 if column else 83)
    assert config.model.num_classes == (25 if column else 83)


@pytest.mark.parametrize(("column", "table"), [("", 1), ("_nvgesture", 2)])
@pytest.mark.parametrize("name", SAME)
def test_other_rows_are_those_of_tables_1_and_2(name: str, column: str, table: int) -> None:
    same = find_recipe(f"fan2021/table{table}/{name}")
    recipe = f"fan2021/table6/{name}{column}"
    assert find_recipe(recipe) == same.model_copy(update={"recipe": recipe})
