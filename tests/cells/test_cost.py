"""The cost of cells: the paper's table to the digit, the true counts, and the page that shows both."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mudra.cells import AnyCellConfig, AnyRecurrentLayerConfig, BidirectionalConfig, CellCost, measure_cell
from mudra.cells.cost import PAPER_FORMULAS, count_paper_mult_adds, count_paper_weights
from mudra.config import configs_in

PAGE = Path(__file__).parents[2] / "docs" / "cells.md"
CONFIGS = {config.model_fields["kind"].default: config for config in configs_in(AnyRecurrentLayerConfig)}


class Expected(NamedTuple):
    """Weights, biases, true MAC per step at 256 channels, 3x3 and 28x28; and the paper's mult-adds in millions."""

    weights: int
    biases: int
    macs: int
    paper_millions: int


TABLE_1 = {
    "conv_lstm": Expected(4_718_592, 1_024, 3_699_376_128, 3700),
    "gated_conv_lstm": Expected(528_896, 1_024, 106_766_336, 415),
    "input_attention_conv_lstm": Expected(666_880, 1_280, 214_945_792, 522),
    "input_gate_attention_conv_lstm": Expected(601_344, 1_024, 266_194_944, 472),
    "output_gate_attention_conv_lstm": Expected(601_344, 1_024, 266_194_944, 472),
}


def measure(kind: str, size: tuple[int, int] = (28, 28), **values: object) -> CellCost:
    with torch.device("meta"):
        cell = CONFIGS[kind].from_mapping({"in_channels": 256, "hidden_channels": 256, **values}).build()
    return measure_cell(cell, size=size)


@pytest.mark.parametrize("kind", TABLE_1)
def test_table_1(kind: str) -> None:
    cost, expected = measure(kind), TABLE_1[kind]
    assert (cost.weights, cost.biases, cost.macs_per_step) == expected[:3]
    assert cost.paper_weights == cost.weights
    assert cost.paper_mult_adds == 784 * cost.weights
    # The paper rounds 3699.4 to 3700 and 522.8 to 522.
    assert abs(cost.paper_mult_adds / 1e6 - expected.paper_millions) < 1


@pytest.mark.parametrize("kind", TABLE_1)
@given(channels=st.integers(1, 9), hidden=st.integers(1, 9), kernel_size=st.sampled_from([1, 3, 5]))
@settings(max_examples=8, deadline=None, derandomize=True, database=None)
def test_the_papers_formula_is_the_weights_at_any_size(kind: str, channels: int, hidden: int, kernel_size: int) -> None:
    values = {"in_channels": channels, "hidden_channels": hidden, "kernel_size": kernel_size}
    cell = CONFIGS[kind].from_mapping(values).build()
    assert count_paper_weights(cell) == sum(p.numel() for p in cell.parameters() if p.ndim > 1)


@pytest.mark.parametrize("kind", TABLE_1)
def test_convolutions_cost_by_the_place_and_pooled_gates_once(kind: str) -> None:
    # Two sizes of map give slope and constant of a line: the constant is what runs once for the whole map.
    small, large = (measure(kind, size).macs_per_step for size in ((5, 7), (10, 14)))
    once = (4 * small - large) // 3
    pooled = {"conv_lstm": 0, "gated_conv_lstm": 3, "input_attention_conv_lstm": 3}.get(kind, 2)
    assert once == pooled * 2 * 256 * 256
    assert (small - once) / 35 == pytest.approx((large - once) / 140, rel=1e-12)


class Input(NamedTuple):
    """Input-to-hidden weights at 512 channels in and 256 hidden ones, and Table III's millions where it has a row."""

    words: str
    weights: int
    printed: str | None
    kind: str
    values: dict[str, object]


MULTI = "multi_kernel_conv_lstm"
TABLE_III = [
    Input("kernel_size=3", 4_718_592, "4.7", "peephole_conv_lstm", {"kernel_size": 3}),
    Input("kernel_size=5", 13_107_200, "13.1", "peephole_conv_lstm", {"kernel_size": 5}),
    Input("kernel_size=7", 25_690_112, "25.7", "peephole_conv_lstm", {"kernel_size": 7}),
    Input("", 8_912_896, "8.9", MULTI, {"hidden_channels": [128, 128]}),
    Input("mix=per_gate", 9_175_040, None, MULTI, {"mix": "per_gate"}),
    Input("mix=full", 9_961_472, None, MULTI, {"mix": "full"}),
    Input("", 1_671_168, None, "inception_conv_lstm", {}),
]


def measure_input(row: Input) -> CellCost:
    return measure(row.kind, (14, 14), **{"in_channels": 512, **row.values})


@pytest.mark.parametrize("row", TABLE_III, ids=lambda row: f"{row.kind} {row.words}")
def test_input_to_hidden_weights_of_agethen_and_hsu_table_iii(row: Input) -> None:
    cost = measure_input(row)
    assert cost.weights_input_to_hidden == row.weights
    assert row.printed is None or f"{row.weights / 1e6:.1f}" == row.printed
    assert cost.to_json()["weights_input_to_hidden"] == row.weights
    # Of the biases there is one for every gate and channel, whatever the kernels.
    assert cost.biases == 1_024
    assert (cost.paper_weights, cost.paper_mult_adds) == (None, None)


@pytest.mark.parametrize(
    ("kind", "values", "from_input", "other"),
    [
        ("peephole_conv_lstm", {"peephole": "none"}, 4_718_592, 2_359_296),
        ("peephole_conv_lstm", {"peephole": "hw", "map_size": [14, 14]}, 4_718_592, 2_359_296 + 3 * 14 * 14),
        (MULTI, {}, 8_912_896, 4_456_448),
        (MULTI, {"mix": "per_gate"}, 9_175_040, 4_456_448 + 262_144),
        # Two of the 512 channels are flow, and a mask for the 5x5 kernel is made of them.
        (MULTI, {"flow_channels": 2, "masked_kernels": [5]}, 34 * 4 * 128 * 510, 4_456_448 + 25 * 2 * 510),
    ],
)
def test_hidden_maps_memory_and_masks_have_the_other_weights(
    kind: str, values: dict[str, object], from_input: int, other: int
) -> None:
    cost = measure(kind, (14, 14), **{"in_channels": 512, **values})
    assert cost.weights_input_to_hidden == from_input
    assert cost.weights == from_input + other


def test_the_9_1_million_of_table_iii_are_no_1x1_convolution_of_all_gates() -> None:
    # Per gate and full mixing are 9.2 and 10.0 when they are rounded as the table's other rows are.
    assert [f"{row.weights / 1e6:.1f}" for row in TABLE_III[4:6]] == ["9.2", "10.0"]


def test_only_cells_of_that_paper_count_the_input_by_itself() -> None:
    for kind in TABLE_1:
        cost = measure(kind)
        assert cost.weights_input_to_hidden is None
        assert "weights_input_to_hidden" not in cost.to_json()


def test_factors_of_a_normalisation_are_no_biases() -> None:
    plain, normalised = (measure(MULTI, (14, 14), normalisation=choice) for choice in ("none", "batch"))
    # Two convolutions on each side; those of the hidden side have had no bias before.
    assert normalised.weights - plain.weights == 2 * 1_024
    assert normalised.biases - plain.biases == 1_024


def test_the_papers_rule_charges_every_weight_at_every_place() -> None:
    assert count_paper_mult_adds(10, size=(3, 5)) == 150


def test_both_directions_count() -> None:
    both = measure("bidirectional", cell={"kind": "gated_conv_lstm"})
    once = measure("gated_conv_lstm")
    assert (both.weights, both.biases) == (2 * once.weights, 2 * once.biases)
    assert both.macs_per_step == 2 * once.macs_per_step
    assert (both.paper_weights, both.paper_mult_adds) == (None, None)
    assert count_paper_weights(BidirectionalConfig(in_channels=3).build()) is None


def test_numbers_that_are_not_trained_do_not_count() -> None:
    cell = CONFIGS["conv_lstm"].from_mapping({"in_channels": 3, "hidden_channels": 2}).build()
    for parameter in cell.hidden_to_gates.parameters():
        parameter.requires_grad_(False)
    assert measure_cell(cell, size=(4, 4)).weights == 9 * 3 * 8


def test_json_has_the_counts_by_name() -> None:
    assert measure("gated_conv_lstm").to_json() == {
        "weights": 528_896,
        "biases": 1_024,
        "macs_per_step": 106_766_336,
        "paper_weights": 528_896,
        "paper_mult_adds": 414_654_464,
    }


def test_every_formula_belongs_to_a_cell() -> None:
    built = {type(config.from_mapping({"in_channels": 4}).build()) for config in configs_in(AnyCellConfig)}
    assert set(PAPER_FORMULAS) <= built


def rows_of_page() -> dict[str, list[str]]:
    lines = re.findall(r"^\| `(\w+)` \|(.+)\|$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {kind: [word.strip() for word in rest.split("|")] for kind, rest in lines}


@pytest.mark.parametrize("kind", TABLE_1)
def test_the_page_shows_both_conventions_as_counted(kind: str) -> None:
    cost = measure(kind)
    assert cost.paper_mult_adds is not None
    counted = [f"{cost.weights:,}", f"{cost.biases:,}", f"{cost.macs_per_step:,}"]
    paper = [f"{cost.paper_weights:,}", f"{cost.paper_mult_adds:,}", f"{TABLE_1[kind].paper_millions} M"]
    assert rows_of_page()[kind] == counted + paper


def test_the_page_explains_every_layer() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [kind for kind in CONFIGS if f"**`{kind}`**" not in text] == []


@pytest.mark.parametrize("row", TABLE_III, ids=lambda row: f"{row.kind} {row.words}")
def test_the_page_shows_table_iii_as_counted(row: Input) -> None:
    name = f"{row.kind} {row.words}".strip()
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if f"`{name}`" in line and "|" in line]
    assert len(lines) == 1
    cells = [cell.strip() for cell in lines[0].strip("|").split("|")]
    assert cells[1] == f"{measure_input(row).weights_input_to_hidden:,}"
    if row.printed is not None:
        assert cells[2] == f"{row.printed} M"


@pytest.mark.parametrize("kind", [MULTI, "inception_conv_lstm"])
@pytest.mark.parametrize("mix", ["none", "per_gate", "full"])
def test_factors_of_a_normalisation_are_not_between_input_and_gates(kind: str, mix: str) -> None:
    values = {"mix": mix} if kind == MULTI else {}
    plain, normalised = (measure(kind, (14, 14), normalisation=choice, **values) for choice in ("none", "batch"))
    assert plain.weights_input_to_hidden == normalised.weights_input_to_hidden
    assert plain.weights < normalised.weights
