"""`mudra cost`: the counts of a recipe and of a cell, as text and as JSON."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Mudra


def test_json_has_the_promised_keys(mudra: Mudra) -> None:
    outcome = mudra("cost", "zhang2018/table1/variant_a", "--json")
    assert outcome.code == 0
    found = json.loads(outcome.out)
    assert found["parameters"]["total"] == 12_287_323
    assert sum(found["parameters"]["by_part"].values()) == found["parameters"]["total"]
    assert {"backbone", "cells", "top", "head"} <= found["parameters"]["by_part"].keys()
    assert found["macs_per_clip"] == sum(found["macs_by_part"].values())
    assert (found["num_frames"], found["size"], found["num_classes"]) == (16, [112, 112], 27)


def test_settings_change_the_counts(mudra: Mudra) -> None:
    whole, half = (
        json.loads(mudra("cost", "zhang2018/table1/variant_a", *words, "--json").out)
        for words in ((), ("clip.num_frames=8",))
    )
    assert half["parameters"] == whole["parameters"]
    assert half["macs_per_clip"] < 0.6 * whole["macs_per_clip"]
    depth = json.loads(mudra("cost", "ours/small", "clip.streams=[depth]", "data=synthetic", "--json").out)
    assert depth["num_classes"] == 12


def test_text_has_a_row_for_every_part(mudra: Mudra) -> None:
    outcome = mudra("cost", "zhang2018/table1/variant_a")
    assert outcome.out.startswith("zhang2018/table1/variant_a: 16 frames of 112x112, 27 classes")
    rows = {line.split()[0]: line.split()[1:] for line in outcome.out.splitlines()[2:]}
    assert {"backbone", "cells", "top", "head", "total", "per"} == set(rows)
    assert rows["total"][0] == "12,287,323"


def test_shifts_and_what_training_alone_uses_stand_apart(mudra: Mudra) -> None:
    found = json.loads(mudra("cost", "fan2021/table1/msd", "--json").out)
    assert (found["parameters"]["total"], found["macs_per_clip"]) == (27_895_919, 34_300_617_328)
    assert found["training_alone"] == {"parameters": {"decoder": 8_553_472}, "macs_per_clip": 4_370_530_304}
    assert found["macs_of_shifts"] == 134_873_088
    lines = mudra("cost", "fan2021/table1/msd").out.splitlines()
    assert lines[-2] == "not counted: 134,873,088 products of learned shifts, which only move frames at first"
    assert lines[-1] == "in training alone (decoder): 8,553,472 parameters, 4,370,530,304 MAC per clip"


@pytest.mark.parametrize(
    ("name", "printed", "counted"), [("tsm", 28.2, "32.698"), ("tea", 31.1, "34.536"), ("action", 29.8, "34.301")]
)
def test_the_papers_gflops_stand_beside_the_count(mudra: Mudra, name: str, printed: float, counted: str) -> None:
    recipe = f"fan2021/table1/{name}"
    found = json.loads(mudra("cost", recipe, "--json").out)
    assert (found["paper_gflops"], found["paper_gflops_comes_out"]) == (printed, False)
    line = f"the paper prints {printed} GFLOPs per clip, which does not reproduce: {counted} G MAC counted"
    assert line in mudra("cost", recipe).out.splitlines()


@pytest.mark.parametrize(
    ("word", "stays"), [("clip.num_frames=2", False), ("model.width=0.125", False), ("seed=3", True)]
)
def test_the_papers_gflops_are_of_its_own_network_and_clip(mudra: Mudra, word: str, stays: bool) -> None:
    found = json.loads(mudra("cost", "fan2021/table1/tsm", word, "--json").out)
    assert ("paper_gflops" in found) is stays


def test_a_paper_without_gflops_has_no_line(mudra: Mudra) -> None:
    assert "paper_gflops" not in json.loads(mudra("cost", "zhang2018/table1/variant_a", "--json").out)
    assert "GFLOPs" not in mudra("cost", "zhang2018/table1/variant_a").out


def test_an_unknown_recipe_is_refused(mudra: Mudra) -> None:
    outcome = mudra("cost", "zhang2018/table1/variant_c1")
    assert outcome.code == 2
    assert "did you mean" in outcome.err


SIZE = ("in_channels=256", "hidden_channels=256", "kernel_size=3", "--map", "28x28")


@pytest.mark.parametrize(
    ("cell", "weights", "biases", "macs_per_step", "paper_mult_adds"),
    [
        ("conv_lstm", 4_718_592, 1_024, 3_699_376_128, 3_699_376_128),
        ("gated_conv_lstm", 528_896, 1_024, 106_766_336, 414_654_464),
        ("input_attention_conv_lstm", 666_880, 1_280, 214_945_792, 522_833_920),
        ("input_gate_attention_conv_lstm", 601_344, 1_024, 266_194_944, 471_453_696),
        ("output_gate_attention_conv_lstm", 601_344, 1_024, 266_194_944, 471_453_696),
    ],
)
def test_a_cells_json(
    mudra: Mudra, cell: str, weights: int, biases: int, macs_per_step: int, paper_mult_adds: int
) -> None:
    outcome = mudra("cost", "--cell", cell, *SIZE, "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out) == {
        "weights": weights,
        "biases": biases,
        "macs_per_step": macs_per_step,
        "paper_weights": weights,
        "paper_mult_adds": paper_mult_adds,
    }


def test_a_cell_without_a_formula_has_none(mudra: Mudra) -> None:
    found = json.loads(mudra("cost", "--cell", "bidirectional", "in_channels=4", "cell=gated_conv_lstm", "--json").out)
    assert (found["paper_weights"], found["paper_mult_adds"]) == (None, None)
    table = mudra("cost", "--cell", "bidirectional", "in_channels=4").out
    assert table.splitlines()[0] == "bidirectional: 4 channels into 8, one frame of 28x28"
    assert table.splitlines()[-1].split()[-1] == "-"


@pytest.mark.parametrize(
    ("words", "weights"),
    [
        (("peephole_conv_lstm", "kernel_size=7", "hidden_channels=256"), 25_690_112),
        (("multi_kernel_conv_lstm", "kernel_sizes=[3,5]", "hidden_channels=[128,128]"), 8_912_896),
        (("inception_conv_lstm", "hidden_channels=256"), 1_671_168),
    ],
)
def test_cells_with_several_kernels_count_the_input_by_itself(
    mudra: Mudra, words: tuple[str, ...], weights: int
) -> None:
    outcome = mudra("cost", "--cell", *words, "in_channels=512", "--map", "14x14", "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out)["weights_input_to_hidden"] == weights


def test_a_cells_table_has_both_conventions(mudra: Mudra) -> None:
    lines = mudra("cost", "--cell", "gated_conv_lstm", *SIZE).out.splitlines()
    assert lines[0] == "gated_conv_lstm: 256 channels into 256, one frame of 28x28"
    assert [line.split() for line in lines[1:]] == [
        ["counted", "paper"],
        ["weights", "528,896", "528,896"],
        ["biases", "1,024", "-"],
        ["MAC", "per", "step", "106,766,336", "414,654,464"],
    ]


def test_the_map_is_width_by_height_and_that_of_the_paper_unless_given(mudra: Mudra) -> None:
    words = ("cost", "--cell", "conv_lstm", "in_channels=2")
    assert "one frame of 5x7" in mudra(*words, "--map", "5x7").out
    left_out, given = (mudra(*words, *more, "--json").out for more in ((), ("--map", "28x28")))
    assert left_out == given


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--cell", "gated_conv_lst", "in_channels=4"),
            "no cell 'gated_conv_lst'\n  hint: did you mean 'gated_conv_lstm'?",
        ),
        (("--cell", "conv_lstm", "in_chanels=4"), "unknown key 'in_chanels'"),
        (("--cell", "conv_lstm"), "cell 'conv_lstm': in_channels is missing"),
        (("--cell", "conv_lstm", "in_channels=4", "kernel_size=4"), "4 is not an odd number"),
        (("--cell", "conv_lstm", "in_channels=4", "--map", "28"), "--map is '28', wanted WIDTHxHEIGHT"),
        (("--cell", "conv_lstm", "in_channels=4", "--map", "28x0"), "--map is '28x0', wanted WIDTHxHEIGHT"),
        (("--cell", "conv_lstm", "in_channels=4", "--map", "axb"), "hint: for example --map 28x28"),
        (("--cell", "conv_lstm", "ours/small"), "'ours/small' is not an override"),
        (("ours/small", "--map", "28x28"), "--map is for one cell\n  hint: add --cell NAME"),
        ((), "nothing to count\n  hint: give a recipe (mudra list recipes) or --cell NAME"),
    ],
)
def test_a_wrong_word_is_refused_with_what_mends_it(mudra: Mudra, words: tuple[str, ...], said: str) -> None:
    outcome = mudra("cost", *words)
    assert outcome.code == 2
    assert said in outcome.err


def test_a_table_has_the_weights_between_input_and_gates_where_the_json_has_them(mudra: Mudra) -> None:
    words = ("cost", "--cell", "multi_kernel_conv_lstm", "in_channels=512", "hidden_channels=[128,128]")
    lines = [line.split("  ") for line in mudra(*words, "--map", "14x14").out.splitlines()]
    cells = {words[0]: [word.strip() for word in words[1:] if word.strip()] for words in lines[2:]}
    assert list(cells) == ["weights", "weights, input to hidden", "biases", "MAC per step"]
    assert cells["weights, input to hidden"] == ["8,912,896", "-"]
    widths = {len(line) for line in mudra(*words).out.splitlines()[1:]}
    assert len(widths) == 1


def test_no_mask_at_all_is_no_choice_of_masks(mudra: Mudra) -> None:
    words = ("--cell", "multi_kernel_conv_lstm", "in_channels=18", "hidden_channels=8", "flow_channels=2")
    outcome = mudra("cost", *words, "masked_kernels=[]")
    assert outcome.code == 2
    assert "masked_kernels is empty" in outcome.err
