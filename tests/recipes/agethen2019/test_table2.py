"""Agethen and Hsu 2019, Table II: the rows carry the paper's seconds, and its batches and frames."""

from __future__ import annotations

import pytest

from mudra.recipes import list_recipes

ROWS = {
    found.name.rpartition("/")[2]: found for found in list_recipes() if found.name.startswith("agethen2019/table2/")
}

PAPER = {
    "conv_3": (3.424, 2.821, (3,), 256),
    "conv_5": (4.430, 3.290, (5,), 256),
    "multi_3_5": (4.007, 3.008, (3, 5), (128, 128)),
    "multi_3_5_mixed": (4.176, 3.072, (3, 5), (128, 128)),
}


def test_rows_carry_the_papers_numbers() -> None:
    assert ROWS.keys() == PAPER.keys()
    for number, (name, (training_s, testing_s, *_)) in enumerate(PAPER.items(), start=1):
        assert ROWS[name].source == f"Table II, row {number}"
        found = {expected.metric: expected.value for expected in ROWS[name].paper}
        assert found == {"training_s": training_s, "testing_s": testing_s}


@pytest.mark.parametrize("name", PAPER)
def test_layers_and_batches_are_the_papers(name: str) -> None:
    config = ROWS[name].build()
    (cell,) = config.model.cells
    assert (cell.kernel_sizes, cell.hidden_channels) == PAPER[name][2:]
    assert cell.mix == ("per_gate" if name.endswith("mixed") else "none")
    assert (config.loader.batch_size, config.clip.num_frames) == (10, 20)


def test_ratios_are_those_that_are_told_of() -> None:
    ratios = [round(PAPER[name][0] / PAPER["conv_3"][0], 2) for name in list(PAPER)[1:]]
    assert ratios == [1.29, 1.17, 1.22]
