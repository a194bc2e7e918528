"""Fan et al. 2021, Table I: the rows carry the numbers, the networks and the sizes of the paper."""

from __future__ import annotations

import pytest
import torch

from mudra.models import count_parameters
from mudra.recipes import find_recipe, list_recipes

ROWS = {found.name.rpartition("/")[2]: found for found in list_recipes() if found.name.startswith("fan2021/table1/")}

PAPER = {"c3d": 90.6, "mtut": 92.5, "resnext": 93.7, "tsm": 92.1, "tea": 92.3, "action": 94.2, "msd": 94.5}
GFLOPS = {"c3d": 71.7, "mtut": 88.2, "resnext": 13.9, "tsm": 28.2, "tea": 31.1, "action": 29.8, "msd": 29.8}
VOLUMES = {"c3d": (32, 112), "mtut": (64, 224), "resnext": (32, 112)}


def test_every_line_whose_network_there_is_has_its_row() -> None:
    assert {name: [expected.value for expected in found.paper] for name, found in ROWS.items()} == {
        name: [pytest.approx(value / 100)] for name, value in PAPER.items()
    }


@pytest.mark.parametrize("table", [1, 2, 3])
def test_rows_carry_the_gflops_that_all_three_tables_print(table: int) -> None:
    rows = [found for found in list_recipes() if found.name.startswith(f"fan2021/table{table}/")]
    assert {found.name.rpartition("/")[2]: found.paper_gflops for found in rows} == {
        name: value for name, value in GFLOPS.items() if (table, name) != (3, "mtut")
    }


def test_rows_differ_in_their_networks_their_clips_size_and_the_depth_that_decoders_learn() -> None:
    first = find_recipe("fan2021/table1/tsm")
    for name in ROWS:
        other = find_recipe(f"fan2021/table1/{name}")
        assert (other.clip.target is None) == (other.model.decoder is None)
        update: dict[str, object] = {"target": None}
        if name in VOLUMES:
            num_frames, side = VOLUMES[name]
            assert (other.clip.num_frames, other.clip.size, other.clip.test_size) == (num_frames, (side, side), None)
            update |= {key: getattr(first.clip, key) for key in ("num_frames", "size", "test_size")}
        clip = other.clip.model_copy(update=update)
        assert other.model_copy(update={"model": first.model, "clip": clip, "recipe": first.recipe}) == first


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("c3d", 65_578_835),
        # I3D's 12,697,264 are those with the 400 classes of Kinetics.
        ("mtut", 12_697_264 - (400 - 83) * 1025),
        ("resnext", 47_691_283),
        ("tsm", 23_678_099),
        ("tea", 24_269_821),
        ("action", 27_895_919),
        ("msd", 27_895_919 + 8_553_472),
    ],
)
def test_networks_have_the_papers_sizes(name: str, parameters: int) -> None:
    model = find_recipe(f"fan2021/table1/{name}").model.model_copy(update={"in_channels": 3})
    with torch.device("meta"):
        assert count_parameters(model.build()) == parameters


def test_only_the_papers_own_network_learns_depth() -> None:
    assert [name for name in ROWS if find_recipe(f"fan2021/table1/{name}").model.decoder is not None] == ["msd"]
