"""Fan et al. 2021, Table V: two rows of Table I under their own names."""

from __future__ import annotations

import pytest

from mudra.recipes import find_recipe, list_recipes

ROWS = {found.name.rpartition("/")[2]: found for found in list_recipes() if found.name.startswith("fan2021/table5/")}

PAPER = {"mtut": ("Table V, row 1", 92.5, 64), "ours": ("Table V, row 7", 94.5, 8)}


def test_rows_carry_the_papers_numbers_and_frames() -> None:
    assert ROWS.keys() == PAPER.keys()
    for name, (source, value, num_frames) in PAPER.items():
        assert ROWS[name].source == source
        assert [expected.value for expected in ROWS[name].paper] == [pytest.approx(value / 100)]
        assert ROWS[name].build().clip.num_frames == num_frames


@pytest.mark.parametrize(("name", "same"), [("mtut", "table1/mtut"), ("ours", "table1/msd")])
def test_rows_are_those_of_table_1(name: str, same: str) -> None:
    config = find_recipe(f"fan2021/{same}")
    assert find_recipe(f"fan2021/table5/{name}") == config.model_copy(update={"recipe": f"fan2021/table5/{name}"})
