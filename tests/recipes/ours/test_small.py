"""ours/small: what its users were promised."""

from __future__ import annotations

from mudra.models.complexity import count_parameters
from mudra.recipes import find_recipe


def test_it_is_small_and_leaves_the_data_open() -> None:
    config = find_recipe("ours/small")
    assert config.data is None
    assert (config.model.num_classes, config.model.in_channels) == (None, None)
    network = config.model.model_copy(update={"num_classes": 12, "in_channels": 3}).build()
    assert count_parameters(network) < 1_000_000


def test_its_clips_can_be_made_live_and_of_any_stream() -> None:
    clip = find_recipe("ours/small").clip
    assert clip.region == "motion"
    assert min(clip.size) >= 12  # flow can be computed
