"""Fan et al. 2021, Table V: two rows of Table I under their own names."""

from __future__ import annotations

import pytest

from mudra.recipes import find_recipe, list_recipes
from mudra.recipes.fan2021 import table5

ROWS = {found.name.rpartition("/")[2]: found for found in list_recipes() if found.name.startswith("fan2021/table5/")}

PAPER = {"mtut": ("Table V, row 1", 92.5, 64), "ours": ("Table V, row 7", 94.5, 8)}


def test_rows_carry_the_papers_numbers_and_frames() -> None:
    assert ROWS.keys() == PAPER.keys()
    for name, (source, value, num_frames) in PAPER.items():
        assert ROWS[name].source == source
        assert [expected.value for expected in ROWS[name].paper] == [pytest.approx(value / 100)]
        assert ROWS[name].build().clip.num_frames == num_frames


def test_its_page_names_the_data_set_and_every_number_of_the_table() -> None:
    text = " ".join((table5.__doc__ or "").split())
    _, _, command = text.partition("Run: mudra train ")
    recipe, *words = command.partition(" Cost:")[0].split()
    config = find_recipe(recipe).with_overrides(words)
    assert config.data is not None
    assert config.data.kind == "egogesture"
    assert "data=folder" not in text
    assert all(number in text for number in ("55.4", "81.4", "88.4", "93.3", "96.9"))


@pytest.mark.parametrize(("name", "same"), [("mtut", "table1/mtut"), ("ours", "table1/msd")])
def test_rows_are_those_of_table_1(name: str, same: str) -> None:
    config = find_recipe(f"fan2021/{same}")
    assert find_recipe(f"fan2021/table5/{name}") == config.model_copy(update={"recipe": f"fan2021/table5/{name}"})
