"""Fan et al. 2021, Table VI: one decoder each, at the weight that the name says."""

from __future__ import annotations

import pytest

from mudra.recipes import find_recipe, list_recipes

ROWS = {found.name.rpartition("/")[2]: found for found in list_recipes() if found.name.startswith("fan2021/table6/")}

PAPER = {
    "local_01": (94.3, 81.1),
    "local_1": (94.4, 82.3),
    "global_1": (94.1, 80.3),
    "global_01": (94.2, 80.5),
    "global_001": (94.3, 82.4),
}


def test_every_line_of_the_table_has_its_row() -> None:
    assert {name: [expected.value for expected in found.paper] for name, found in ROWS.items()} == {
        name: [pytest.approx(value / 100) for value in values] for name, values in PAPER.items()
    }


@pytest.mark.parametrize("name", PAPER)
def test_rows_have_one_decoder_and_its_weight(name: str) -> None:
    config = find_recipe(f"fan2021/table6/{name}")
    which, _, weight = name.partition("_")
    assert config.model.decoder is not None
    scales = {"local": config.model.decoder.local_scale, "global": config.model.decoder.global_scale}
    assert [part for part, scale in scales.items() if scale != "none"] == [which]
    weights = {"local": config.mask_loss.local_weight, "global": config.mask_loss.global_weight}
    assert weights[which] == {"1": 1.0, "01": 0.1, "001": 0.01}[weight]
    assert config.mask_loss.class_weight == 1.0
