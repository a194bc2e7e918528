"""Rows are found by walking, named after their place, and refused by the nearest name."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from mudra.errors import ConfigError
from mudra.recipes import Expected, find_recipe, list_recipes, row
from mudra.recipes.registry import _rows_of
from mudra.training import RunConfig


def test_rows_are_named_after_their_place_and_sorted() -> None:
    names = [found.name for found in list_recipes()]
    assert names == sorted(names)
    assert len(set(names)) == len(names)
    assert {"ours/small", "zhang2018/table1/conv_lstm", "zhang2018/table1/variant_a"} <= set(names)


def test_a_found_recipe_knows_its_name() -> None:
    config = find_recipe("zhang2018/table1/variant_a")
    assert config.recipe == "zhang2018/table1/variant_a"
    assert {cell.kind for cell in config.model.cells} == {"gated_conv_lstm"}


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("zhang2018/table1/variant_aa", "zhang2018/table1/variant_a"), ("our/small", "ours/small")],
)
def test_an_unknown_name_is_refused_with_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(ConfigError, match=f"no recipe '{name}'\n  hint: did you mean '{nearest}'"):
        find_recipe(name)


def test_a_marked_function_becomes_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("mudra.recipes.doe2020.table9")
    monkeypatch.setitem(sys.modules, module.__name__, module)

    @row(source="Table 9, row 4", paper=(Expected("top1", 0.5, "Nowhere test"),), paper_gflops=1.5, status="runs")
    def deep() -> RunConfig:
        """A deep one.

        More of it.
        """
        return RunConfig(seed=9)

    def helper() -> RunConfig:
        return RunConfig()

    deep.__module__ = helper.__module__ = module.__name__
    module.deep, module.helper = deep, helper  # type: ignore[attr-defined]
    module.borrowed = list_recipes()[0].build  # type: ignore[attr-defined]  imported from another table: not a row here
    (found,) = _rows_of(module)
    assert (found.name, found.summary, found.status) == ("doe2020/table9/deep", "A deep one.", "runs")
    assert found.paper[0].value == 0.5
    assert found.paper_gflops == 1.5
    assert found.build().seed == 9
