"""Zhang et al. 2018, Table 2: a row for each system and stream, with its number, its stream and its network's size."""

from __future__ import annotations

import pytest
import torch

from mudra.models.complexity import count_parameters
from mudra.recipes import Row, find_recipe, list_recipes
from mudra.types import Stream

ROWS = {
    found.name.removeprefix("zhang2018/table2/"): found
    for found in list_recipes()
    if found.name.startswith("zhang2018/table2/")
}

# Top-1 in per cent of colour, depth and flow.
PAPER = {
    "resnet50": (33.22, 27.98, 46.22),
    "c3d": (37.30, 40.50, None),
    "res3d": (45.07, 48.44, 44.45),
    "biconvlstm": (51.31, 49.81, 45.30),
    "conv_lstm": (52.01, 51.30, 45.59),
    "variant_a": (55.98, 53.28, 46.51),
}

# The parts of the system of 2017: three stages of convolutions, two layers of two cells each, three units, one dense
# layer; weights, biases, and a scale and a shift for every normalised channel.
STAGES = 5_248 + 221_312 + 884_992 + 1_769_728 + 2 * (64 + 128 + 256)
LAYER1 = 2 * (9 * (256 + 256) * 4 * 256 + 4 * 256)
LAYER2 = 2 * (9 * (512 + 384) * 4 * 384 + 4 * 384)
UNITS = 9 * (768 * 128 + 128 * 256 + 256 * 256) + 2 * (128 + 256 + 256)
DENSE = 4 * 4 * 256 * 249 + 249

PARAMETERS = {
    "resnet50": 24_018_233,
    "c3d": 79_015_929,
    "res3d": 33_166_272 + 4_096 + 128 + 512 * 249 + 249,
    "biconvlstm": STAGES + LAYER1 + LAYER2 + UNITS + DENSE,
    "conv_lstm": 20_894_265,
    "variant_a": 12_514_873,
}


def test_every_number_of_the_table_has_its_row_and_no_other_has() -> None:
    wanted = {
        f"{system}_{stream.value}": number / 100
        for system, numbers in PAPER.items()
        for stream, number in zip((Stream.RGB, Stream.DEPTH, Stream.FLOW), numbers, strict=True)
        if number is not None
    }
    assert {name: found.paper[0].value for name, found in ROWS.items()} == pytest.approx(wanted)
    assert all(len(found.paper) == 1 and found.paper[0].where == "IsoGD validation" for found in ROWS.values())


@pytest.mark.parametrize("name", ROWS)
def test_each_row_looks_at_its_stream(name: str) -> None:
    found: Row = ROWS[name]
    config = find_recipe(found.name)
    stream = Stream(name.rpartition("_")[2])
    assert config.clip.streams == (stream,)
    assert f", {'RGB' if stream is Stream.RGB else stream.value}" in found.source
    assert config.clip.num_channels == 3
    assert (config.clip.num_frames, config.clip.size) == (
        16 if name.startswith("c3d") else 32,
        (224, 224) if name.startswith("resnet50") else (112, 112),
    )
    assert (config.model.num_classes, config.fitting.epochs, config.loader.batch_size) == (249, 15, 8)


@pytest.mark.parametrize("system", PAPER)
def test_streams_of_a_system_share_its_network(system: str) -> None:
    models = [find_recipe(found.name).model for name, found in ROWS.items() if name.startswith(f"{system}_")]
    assert models == [models[0]] * len(models)


@pytest.mark.parametrize("system", PAPER)
def test_parameters_to_the_digit(system: str) -> None:
    model = find_recipe(f"zhang2018/table2/{system}_rgb").model.model_copy(update={"in_channels": 3})
    with torch.device("meta"):
        assert count_parameters(model.build()) == PARAMETERS[system]


def test_the_last_two_systems_are_those_of_table_1() -> None:
    for system in ("conv_lstm", "variant_a"):
        first, second = (find_recipe(f"zhang2018/{row}").model for row in (f"table1/{system}", f"table2/{system}_rgb"))
        assert second == first.model_copy(update={"num_classes": 249})


def test_maps_of_the_system_of_2017_are_the_published_ones() -> None:
    model = find_recipe("zhang2018/table2/biconvlstm_rgb").model
    with torch.device("meta"):
        network = model.model_copy(update={"in_channels": 3}).build()
        maps_BTCHW = network.backbone(torch.zeros(1, 32, 3, 112, 112))
        assert maps_BTCHW.shape == (1, 16, 256, 28, 28)
        hidden, _ = network.recur(maps_BTCHW)
        assert hidden.shape == (1, 16, 768, 28, 28)
        assert network.top(hidden).shape == (1, 16, 256, 4, 4)
