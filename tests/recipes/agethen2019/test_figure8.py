"""Agethen and Hsu 2019, Figure 8: shares of 512 channels, from all 5x5 to all 3x3."""

from __future__ import annotations

import pytest

from mudra.recipes import find_recipe, list_recipes

ROWS = {
    found.name.rpartition("/")[2]: found for found in list_recipes() if found.name.startswith("agethen2019/figure8/")
}

SHARES = {
    "c3_0": ((5,), 512),
    "c3_128": ((3, 5), (128, 384)),
    "c3_256": ((3, 5), (256, 256)),
    "c3_384": ((3, 5), (384, 128)),
    "c3_512": ((3,), 512),
}


def test_rows_share_out_the_channels() -> None:
    cells = {name: found.build().model.cells[0] for name, found in ROWS.items()}
    assert {name: (cell.kernel_sizes, cell.hidden_channels) for name, cell in cells.items()} == SHARES


@pytest.mark.parametrize(("name", "same"), [("c3_0", "conv_5"), ("c3_256", "multi_3_5"), ("c3_512", "conv_3")])
def test_rows_that_table_1_has_too_carry_its_numbers(name: str, same: str) -> None:
    table = next(found for found in list_recipes() if found.name == f"agethen2019/table1/{same}")
    assert ROWS[name].paper == table.paper
    assert ROWS[name].build() == find_recipe(table.name).model_copy(update={"recipe": ""})


def test_the_figure_prints_no_numbers() -> None:
    assert [name for name, found in ROWS.items() if not found.paper] == ["c3_128", "c3_384"]
