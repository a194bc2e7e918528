"""Zhang et al. 2018, Table 1: the rows differ in their cells alone and carry the paper's settings and sizes."""

from __future__ import annotations

import pytest
import torch

from mudra.models import measure_complexity
from mudra.models.complexity import count_parameters
from mudra.recipes import Row, find_recipe, list_recipes
from mudra.types import Stream

ROWS = [found for found in list_recipes() if found.name.startswith("zhang2018/table1/")]
JESTER = [found for found in ROWS if not found.name.endswith("_isogd")]
ISOGD = [found for found in ROWS if found.name.endswith("_isogd")]

# Top-1 on Jester and IsoGD in per cent; kinds of both cells; parameters with 27 and with 249 classes.
PAPER = {
    "conv_lstm": (95.11, 52.01, ("conv_lstm", "conv_lstm"), 20_666_715, 20_894_265),
    "variant_a": (95.12, 55.98, ("gated_conv_lstm", "gated_conv_lstm"), 12_287_323, 12_514_873),
    "variant_b": (94.18, 43.93, ("input_attention_conv_lstm", "gated_conv_lstm"), 12_425_563, 12_653_113),
    "variant_c": (95.13, 53.27, ("input_gate_attention_conv_lstm", "gated_conv_lstm"), 12_359_771, 12_587_321),
    "variant_d": (95.10, 54.11, ("output_gate_attention_conv_lstm", "gated_conv_lstm"), 12_359_771, 12_587_321),
}
# One step of one layer on 28x28 cells of 256 channels, in and out: convolutions are paid at every cell, gates once.
CELLS_OF_MAP, PAIR = 28 * 28, 9 * 512 + 512 * 256  # two depthwise kernels, two 1x1 kernels
PLAIN = CELLS_OF_MAP * 4 * 9 * 512 * 256
VARIANT_A = CELLS_OF_MAP * PAIR + 3 * 512 * 256
VARIANT_B = VARIANT_A + CELLS_OF_MAP * (PAIR + 9 * 256)
VARIANT_C = CELLS_OF_MAP * (2 * PAIR + 9 * 256 + 256 * 256) + 2 * 512 * 256
# For one clip of 16 frames, which are 8 steps.
CELL_MACS = {
    "conv_lstm": 8 * 2 * PLAIN,
    "variant_a": 8 * 2 * VARIANT_A,
    "variant_b": 8 * (VARIANT_B + VARIANT_A),
    "variant_c": 8 * (VARIANT_C + VARIANT_A),
    "variant_d": 8 * (VARIANT_C + VARIANT_A),
}
OTHER_MACS = 75_385_977_856  # Res3D, MobileNet and the dense layer


def short(name: str) -> str:
    return name.rpartition("/")[2].removesuffix("_isogd")


def test_every_line_of_the_table_has_its_row() -> None:
    assert {short(found.name) for found in JESTER} == PAPER.keys()
    # IsoGD's column of the first two lines stands in Table 2.
    assert {short(found.name) for found in ISOGD} == PAPER.keys() - {"conv_lstm", "variant_a"}


@pytest.mark.parametrize("found", ROWS, ids=[found.name for found in ROWS])
def test_rows_carry_the_papers_numbers(found: Row) -> None:
    jester, isogd = PAPER[short(found.name)][:2]
    numbers = {expected.where: expected.value for expected in found.paper}
    wanted = {"IsoGD validation": isogd} | ({} if found in ISOGD else {"Jester validation": jester})
    assert numbers == {where: pytest.approx(value / 100) for where, value in wanted.items()}
    assert {expected.metric for expected in found.paper} == {"top1"}


@pytest.mark.parametrize("found", ROWS, ids=[found.name for found in ROWS])
def test_cells_and_sizes_are_the_papers(found: Row) -> None:
    config = find_recipe(found.name)
    kinds, with_27, with_249 = PAPER[short(found.name)][2:]
    assert tuple(cell.kind for cell in config.model.cells) == kinds
    for padding in ("tf_same", "symmetric"):
        words = [f"model.backbone.padding={padding}", f"model.top.padding={padding}", "model.in_channels=3"]
        with torch.device("meta"):
            network = config.with_overrides(words).model.build()
        assert count_parameters(network) == (with_249 if found in ISOGD else with_27)


@pytest.mark.parametrize("name", CELL_MACS)
def test_macs_of_sixteen_frames(name: str) -> None:
    model = find_recipe(f"zhang2018/table1/{name}").model.model_copy(update={"in_channels": 3})
    counted = measure_complexity(model.build(), num_frames=16, in_channels=3, size=(112, 112))
    assert counted.macs_by_part["cells"] == CELL_MACS[name]
    assert counted.macs_per_clip == CELL_MACS[name] + OTHER_MACS


@pytest.mark.parametrize("rows", [JESTER, ISOGD], ids=["jester", "isogd"])
def test_rows_of_one_data_set_differ_in_their_cells_alone(rows: list[Row]) -> None:
    first = find_recipe(rows[0].name)
    for found in rows:
        other = find_recipe(found.name)
        model = other.model.model_copy(update={"cells": first.model.cells})
        assert other.model_copy(update={"model": model, "recipe": first.recipe}) == first


def test_rows_are_trained_on_their_data_set() -> None:
    assert {find_recipe(found.name).model.num_classes for found in JESTER} == {27}
    assert {find_recipe(found.name).model.num_classes for found in ISOGD} == {249}
    assert {find_recipe(found.name).clip.streams for found in ROWS} == {(Stream.RGB,)}
