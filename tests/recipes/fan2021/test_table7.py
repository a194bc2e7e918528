"""Fan et al. 2021, Table VII: one decoder each, at the scale that the name says."""

from __future__ import annotations

import pytest

from mudra.recipes import find_recipe, list_recipes

ROWS = {found.name.rpartition("/")[2]: found for found in list_recipes() if found.name.startswith("fan2021/table7/")}

PAPER = {
    "local_quarter": (93.8, 77.8),
    "local_full": (94.4, 82.3),
    "global_full": (94.0, 82.4),
    "global_quarter": (94.3, 82.4),
}


def test_every_line_of_the_table_has_its_row() -> None:
    assert {name: [expected.value for expected in found.paper] for name, found in ROWS.items()} == {
        name: [pytest.approx(value / 100) for value in values] for name, values in PAPER.items()
    }


@pytest.mark.parametrize("name", PAPER)
def test_rows_have_one_decoder_and_its_scale(name: str) -> None:
    decoder = find_recipe(f"fan2021/table7/{name}").model.decoder
    which, _, scale = name.partition("_")
    assert decoder is not None
    wanted = {"local": "none", "global": "none"} | {which: scale}
    assert {"local": decoder.local_scale, "global": decoder.global_scale} == wanted
