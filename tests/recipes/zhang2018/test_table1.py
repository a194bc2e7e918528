"""Zhang et al. 2018, Table 1: the rows differ in their cells alone and carry the paper's settings and sizes."""

from __future__ import annotations

import pytest

from mudra.models.complexity import count_parameters
from mudra.recipes import find_recipe, list_recipes
from mudra.training import PolynomialConfig, SgdConfig

ROWS = [found for found in list_recipes() if found.name.startswith("zhang2018/table1/")]


@pytest.mark.parametrize("name", [found.name for found in ROWS])
def test_settings_are_those_of_the_paper(name: str) -> None:
    config = find_recipe(name)
    assert config.optimiser == SgdConfig(lr=1e-3, momentum=0.9, weight_decay=1e-4)
    assert config.schedule == PolynomialConfig(power=0.9, last_lr=1e-6)
    assert (config.fitting.epochs, config.loader.batch_size) == (30, 16)
    assert (config.clip.num_frames, config.clip.size) == (16, (112, 112))
    assert config.clip.rgb.mean == (114.0, 109.0, 104.0)
    assert config.clip.rgb.divisor == (1.0, 1.0, 1.0)
    assert config.clip.mirror == "never"
    assert config.model.num_classes == 27


def test_every_row_has_the_papers_number() -> None:
    for found in ROWS:
        assert found.paper
        assert all(0.0 < expected.value <= 1.0 for expected in found.paper)


def test_variant_a_has_the_size_that_its_doctest_elsewhere_counts() -> None:
    model = find_recipe("zhang2018/table1/variant_a").model.model_copy(update={"in_channels": 3})
    assert count_parameters(model.build()) == 12_287_323


def test_rows_differ_in_their_cells_alone() -> None:
    first = find_recipe("zhang2018/table1/conv_lstm")
    for found in ROWS:
        other = find_recipe(found.name)
        model = other.model.model_copy(update={"cells": first.model.cells})
        assert other.model_copy(update={"model": model, "recipe": first.recipe}) == first
