"""Fan et al. 2021, Table II: the rows carry the paper's numbers and are trained on NVGesture."""

from __future__ import annotations

import pytest

from mudra.recipes import find_recipe, list_recipes

ROWS = {found.name.rpartition("/")[2]: found for found in list_recipes() if found.name.startswith("fan2021/table2/")}

PAPER = {"c3d": 69.3, "resnext": 78.6, "mtut": 81.3, "tsm": 80.2, "tea": 80.5, "action": 80.7, "msd": 84.0}
VOLUMES = {"c3d": (32, 112), "mtut": (64, 224), "resnext": (32, 112)}


def test_every_line_whose_network_there_is_has_its_row() -> None:
    assert {name: [expected.value for expected in found.paper] for name, found in ROWS.items()} == {
        name: [pytest.approx(value / 100)] for name, value in PAPER.items()
    }


def test_rows_differ_in_their_networks_their_clips_size_and_the_depth_that_decoders_learn() -> None:
    first = find_recipe("fan2021/table2/tsm")
    for name in ROWS:
        other = find_recipe(f"fan2021/table2/{name}")
        assert (other.clip.target is None) == (other.model.decoder is None)
        update: dict[str, object] = {"target": None}
        if name in VOLUMES:
            num_frames, side = VOLUMES[name]
            assert (other.clip.num_frames, other.clip.size, other.clip.test_size) == (num_frames, (side, side), None)
            update |= {key: getattr(first.clip, key) for key in ("num_frames", "size", "test_size")}
        clip = other.clip.model_copy(update=update)
        assert other.model_copy(update={"model": first.model, "clip": clip, "recipe": first.recipe}) == first


def test_rows_have_nvgestures_classes_and_epochs() -> None:
    config = find_recipe("fan2021/table2/msd")
    assert (config.model.num_classes, config.fitting.epochs) == (25, 80)
