"""ours/causal: the paper's recurrent networks, forwards only."""

from __future__ import annotations

import pytest
import torch

from mudra.models.complexity import count_parameters
from mudra.recipes import find_recipe


@pytest.mark.parametrize(
    ("name", "count"), [("rnn", 8_727_349), ("lstm", 5_550_901), ("temporal_conv_lstm", 5_681_461)]
)
def test_each_is_the_papers_row_without_its_second_direction(name: str, count: int) -> None:
    config, paper = find_recipe(f"ours/causal/{name}"), find_recipe(f"pigou2015/table1/{name}")
    assert config.model == paper.model.to_causal() != paper.model
    assert config.clip == paper.clip
    with torch.device("meta"):
        network = config.model.model_copy(update={"in_channels": 4}).build()
    assert network.is_causal
    assert count_parameters(network) == count
