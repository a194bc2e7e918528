"""What data sets that draw their clips have in common: how many there are."""

from __future__ import annotations

import pytest

from mudra.datasets import DrawnConfig
from mudra.errors import ConfigError


def test_every_split_has_its_own_count() -> None:
    config = DrawnConfig(clips_train=7, clips_validation=0, clips_test=3)
    assert [config.num_clips(split) for split in ("train", "validation", "test")] == [7, 0, 3]


@pytest.mark.parametrize("word", ["clips_train=0", "clips_test=0", "num_frames=1", "size=[7, 64]", "seed=-1"])
def test_what_cannot_be_drawn_is_refused(word: str) -> None:
    with pytest.raises(ConfigError, match=word.split("=")[0]):
        DrawnConfig().with_overrides([word])
