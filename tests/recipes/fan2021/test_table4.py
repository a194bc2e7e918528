"""Fan et al. 2021, Table IV: the decoder stands on TSM and on TEA."""

from __future__ import annotations

import pytest

from mudra.clips import DepthTarget
from mudra.heads import MultiScaleDecoderConfig
from mudra.recipes import find_recipe, list_recipes
from tests.recipes.fan2021.columns import name_columns

ROWS = {found.name.rpartition("/")[2]: found for found in list_recipes() if found.name.startswith("fan2021/table4/")}

PAPER = {"tsm_msd": (93.7, 81.9), "tea_msd": (94.2, 82.2)}
SAME = {"tsm": (92.1, 80.2), "tea": (92.3, 80.5)}


def test_every_line_and_column_of_the_table_has_its_row() -> None:
    assert {name: [(e.where, e.value) for e in found.paper] for name, found in ROWS.items()} == name_columns(
        PAPER | SAME
    )


@pytest.mark.parametrize(("column", "table"), [("", 1), ("_nvgesture", 2)])
@pytest.mark.parametrize("plain", ["tsm", "tea"])
def test_rows_are_those_of_tables_1_and_2_with_a_decoder(plain: str, column: str, table: int) -> None:
    with_decoder = find_recipe(f"fan2021/table4/{plain}_msd{column}")
    without = find_recipe(f"fan2021/table{table}/{plain}")
    assert with_decoder.model.decoder == MultiScaleDecoderConfig()
    model = with_decoder.model.model_copy(update={"decoder": None})
    assert with_decoder.clip.target == DepthTarget(missing="zero")
    clip = with_decoder.clip.model_copy(update={"target": None})
    assert with_decoder.model_copy(update={"model": model, "clip": clip, "recipe": without.recipe}) == without


@pytest.mark.parametrize(("column", "table"), [("", 1), ("_nvgesture", 2)])
@pytest.mark.parametrize("name", SAME)
def test_other_rows_are_those_of_tables_1_and_2(name: str, column: str, table: int) -> None:
    same = find_recipe(f"fan2021/table{table}/{name}")
    recipe = f"fan2021/table4/{name}{column}"
    assert find_recipe(recipe) == same.model_copy(update={"recipe": recipe})
