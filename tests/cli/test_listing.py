"""`mudra list`: names that the other commands take."""

from __future__ import annotations

import pytest

from mudra.recipes import list_recipes
from tests.cli.conftest import Mudra


def test_recipes_are_listed_with_status_and_the_papers_number(mudra: Mudra) -> None:
    outcome = mudra("list")
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert [line.split()[0] for line in lines] == [found.name for found in list_recipes()]
    row = next(line for line in lines if line.startswith("zhang2018/table1/conv_lstm "))
    assert "paper: top1 0.9511 on Jester validation" in row
    # Columns stay apart, however long the longest name is.
    starts = {line.index(found.summary) for line, found in zip(lines, list_recipes(), strict=True)}
    assert len(starts) == 1
    assert any("paper: top1 0.3730 on IsoGD validation" in line for line in lines)
    assert mudra("list", "recipes") == outcome


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("cells", {"conv_lstm", "gated_conv_lstm", "input_attention_conv_lstm", "bidirectional"}),
        ("datasets", {"folder", "table", "shrec2017", "synthetic"}),
        ("backbones", {"res3d", "c3d", "resnet"}),
        ("tops", {"mobile_net_top", "conv_top"}),
        ("heads", {"mean_classifier", "dense_classifier"}),
        ("models", {"gesture_net"}),
    ],
)
def test_parts_are_listed_by_the_names_that_configs_take(mudra: Mudra, kind: str, names: set[str]) -> None:
    outcome = mudra("list", kind)
    assert outcome.code == 0
    assert names <= {line.split()[0] for line in outcome.out.splitlines()}
    assert all(len(line.split()) > 2 for line in outcome.out.splitlines())


def test_an_unknown_kind_is_refused_with_the_known_ones(mudra: Mudra) -> None:
    outcome = mudra("list", "recipies")
    assert outcome.code == 2
    assert "recipes" in outcome.err
