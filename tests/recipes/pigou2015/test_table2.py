"""Pigou et al. 2015, Table 2: one network, three views of the recordings."""

from __future__ import annotations

from mudra.datasets import MontalbanoConfig
from mudra.recipes import find_recipe, list_recipes
from mudra.types import Stream

PAPER = {"whole_rgb": 0.842, "cropped_rgb": 0.876, "cropped_rgbd": 0.906}


def test_rows_carry_the_papers_numbers() -> None:
    rows = {f.name.rpartition("/")[2]: f for f in list_recipes() if f.name.startswith("pigou2015/table2/")}
    assert {name: found.paper[0].value for name, found in rows.items()} == PAPER
    assert {expected.metric for found in rows.values() for expected in found.paper} == {"jaccard"}


def test_rows_differ_in_their_streams_and_crops_alone() -> None:
    best = find_recipe("pigou2015/table1/temporal_conv_lstm")
    for name in PAPER:
        config = find_recipe(f"pigou2015/table2/{name}")
        assert config.clip.streams == ((Stream.RGB, Stream.DEPTH) if name == "cropped_rgbd" else (Stream.RGB,))
        assert config.model == best.model
        crop = config.data.crop if isinstance(config.data, MontalbanoConfig) else None
        assert crop == {"whole_rgb": "centre", "cropped_rgb": "skeleton"}.get(name)
        same = config.model_copy(update={"clip": best.clip, "recipe": best.recipe, "data": best.data})
        assert same == best
