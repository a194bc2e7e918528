"""Pigou et al. 2015, Table 1: the rows carry the paper's numbers, and their networks have its sizes to the digit."""

from __future__ import annotations

import pytest
import torch

from mudra.models import Complexity, measure_complexity
from mudra.recipes import Row, list_recipes

ROWS = [found for found in list_recipes() if found.name.startswith("pigou2015/table1/")]

# Jaccard index; precision, recall and error rate in per cent; parameters with 21 classes on 4 channels.
PAPER = {
    "single_frame": (0.465, 67.86, 57.57, 20.68, 8_729_397),
    "max_pooling": (0.748, 85.03, 82.92, 8.66, 8_729_397),
    "mean_pooling": (0.775, 85.93, 85.80, 8.55, 8_729_397),
    "temporal_conv": (0.842, 89.36, 90.15, 4.67, 13_054_261),
    "rnn": (0.885, 92.77, 93.56, 3.58, 17_118_005),
    "lstm": (0.888, 93.75, 93.28, 3.55, 10_797_365),
    "temporal_conv_lstm": (0.906, 94.49, 94.57, 2.77, 10_927_925),
}
# Multiply-accumulates for one clip, rounded as they are told of: per frame, or per clip of a window.
MILLIONS_PER_FRAME = {"single_frame": 62.695, "rnn": 71.084, "lstm": 64.760, "temporal_conv_lstm": 89.926}
BILLIONS_PER_CLIP = {"mean_pooling": 1.745, "temporal_conv": 1.164, "temporal_conv_lstm": 5.755}


def short(found: Row) -> str:
    return found.name.rpartition("/")[2]


@pytest.fixture(scope="module")
def counted() -> dict[str, Complexity]:
    return {short(found): count(found) for found in ROWS}


def count(found: Row) -> Complexity:
    """What a row costs; its weights are not drawn, which would take most of the time."""
    config = found.build()
    clip = config.clip
    with torch.device("meta"):
        network = config.model.model_copy(update={"in_channels": clip.num_channels}).build()
    return measure_complexity(
        network.to_empty(device="cpu"), num_frames=clip.num_frames, in_channels=clip.num_channels, size=clip.size
    )


def test_every_line_of_the_table_has_its_row() -> None:
    assert {short(found) for found in ROWS} == PAPER.keys()
    assert {found.source for found in ROWS} == {f"Table 1, row {number}" for number in range(1, 8)}


@pytest.mark.parametrize("found", ROWS, ids=short)
def test_rows_carry_the_papers_numbers(found: Row) -> None:
    jaccard, precision, recall, error_rate, _ = PAPER[short(found)]
    numbers = {expected.metric: expected.value for expected in found.paper}
    per_cent = {"precision": precision, "recall": recall, "error_rate": error_rate}
    wanted = {metric: pytest.approx(value / 100) for metric, value in per_cent.items()}
    assert numbers == {"jaccard": jaccard} | wanted
    assert {expected.where for expected in found.paper} == {"Montalbano test"}


def test_networks_have_the_papers_sizes(counted: dict[str, Complexity]) -> None:
    assert {name: cost.parameters for name, cost in counted.items()} == {name: row[-1] for name, row in PAPER.items()}


def test_networks_cost_what_they_should(counted: dict[str, Complexity]) -> None:
    for name, millions in MILLIONS_PER_FRAME.items():
        assert counted[name].macs_per_frame / 1e6 == pytest.approx(millions, abs=1e-3), name
    for name, billions in BILLIONS_PER_CLIP.items():
        assert counted[name].macs_per_clip / 1e9 == pytest.approx(billions, abs=1e-3), name
    assert counted["lstm"].macs_by_part["backbone"] / 64 / 1e6 == pytest.approx(54.264, abs=1e-3)


def test_windows_and_fragments_are_as_long_as_the_papers() -> None:
    frames = {short(found): found.build().clip.num_frames for found in ROWS}
    assert frames == {
        "single_frame": 1,
        "max_pooling": 16,
        "mean_pooling": 32,
        "temporal_conv": 32,
        "rnn": 64,
        "lstm": 64,
        "temporal_conv_lstm": 64,
    }
    for found in ROWS:
        config = found.build()
        assert config.model.window is None or config.model.window.num_frames == config.clip.num_frames


def test_learning_rates_are_those_that_ran() -> None:
    slow = {"max_pooling", "temporal_conv", "temporal_conv_lstm"}
    rates = {short(found): found.build().optimiser.lr for found in ROWS}
    assert rates == {name: 3e-4 if name in slow else 1e-3 for name in PAPER}


def test_rates_rise_and_dropout_ramps_as_they_did() -> None:
    # Updates of the rise and its start; updates of the ramp; fragments at once.
    expected = {
        "single_frame": (0, 1e-4, 0, 8),
        "max_pooling": (10, 1e-4, 0, 8),
        "mean_pooling": (10, 1e-4, 0, 8),
        "temporal_conv": (500, 3e-6, 500, 8),
        "rnn": (100, 3e-7, 0, 8),
        "lstm": (0, 1e-4, 0, 8),
        "temporal_conv_lstm": (10, 1e-4, 200, 4),
    }
    for found in ROWS:
        config = found.build()
        schedule = config.schedule
        assert schedule.kind == "decay"
        numbers = (schedule.warmup_steps, schedule.start_lr, config.fitting.dropout_ramp_steps)
        assert (*numbers, config.loader.batch_size) == expected[short(found)]
        assert schedule.decay == 1e-4
        assert {part.dropout for part in (config.model, config.model.head)} == {0.5}
