"""Fan et al. 2021, Table VIII: depth is binarised at level 10, on all three data sets."""

from __future__ import annotations

import pytest

from mudra.recipes import find_recipe, list_recipes

ROWS = {found.name.rpartition("/")[2]: found for found in list_recipes() if found.name.startswith("fan2021/table8/")}

PAPER = {
    "action": (94.2,),
    "action_nvgesture": (80.7,),
    "action_isogd": (65.0,),
    "msd": (94.5,),
    "msd_nvgesture": (84.0,),
    "msd_isogd": (66.9,),
    "binarised": (94.5,),
    "binarised_nvgesture": (84.0,),
    "binarised_isogd": (65.4,),
}


def test_every_line_of_the_table_has_its_row() -> None:
    assert {name: [expected.value for expected in found.paper] for name, found in ROWS.items()} == {
        name: [pytest.approx(value / 100) for value in values] for name, values in PAPER.items()
    }


@pytest.mark.parametrize(("name", "table"), [("binarised", 1), ("binarised_nvgesture", 2), ("binarised_isogd", 3)])
def test_rows_are_the_networks_own_with_a_threshold(name: str, table: int) -> None:
    config, plain = find_recipe(f"fan2021/table8/{name}"), find_recipe(f"fan2021/table{table}/msd")
    assert (plain.mask_loss.threshold_level, config.mask_loss.threshold_level) == (None, 10.0)
    if name == "binarised_isogd":  # level 0 is what becomes dark: it must not be left out of the loss
        missing = [run.clip.target and run.clip.target.missing for run in (plain, config)]
        assert missing == ["left_out", "zero"]
        config = config.with_overrides({"clip.target.missing": "left_out"})
    assert config.model_copy(update={"mask_loss": plain.mask_loss, "recipe": plain.recipe}) == plain


@pytest.mark.parametrize(("column", "table"), [("", 1), ("_nvgesture", 2), ("_isogd", 3)])
@pytest.mark.parametrize("name", ["action", "msd"])
def test_other_rows_are_those_of_tables_1_to_3(name: str, column: str, table: int) -> None:
    same = find_recipe(f"fan2021/table{table}/{name}")
    recipe = f"fan2021/table8/{name}{column}"
    assert find_recipe(recipe) == same.model_copy(update={"recipe": recipe})
