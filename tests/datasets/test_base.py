from __future__ import annotations

from pathlib import Path

import pytest

from mudra.datasets import (
    EgogestureConfig,
    FolderConfig,
    IsogdConfig,
    JesterConfig,
    JhmdbConfig,
    NvgestureConfig,
    Shrec2017Config,
    Sports1mConfig,
    SyntheticConfig,
    TableConfig,
    Ucf101Config,
)
from mudra.datasets.base import DatasetConfig, OwnClipsConfig, ReleaseConfig
from mudra.errors import ConfigError
from mudra.types import DepthFormat

RELEASES = [
    Shrec2017Config,
    JesterConfig,
    IsogdConfig,
    NvgestureConfig,
    EgogestureConfig,
    Ucf101Config,
    Sports1mConfig,
    JhmdbConfig,
]


@pytest.mark.parametrize("config_type", [FolderConfig, TableConfig, SyntheticConfig, *RELEASES])
def test_every_config_says_what_becomes_of_damaged_files(config_type: type[DatasetConfig]) -> None:
    place = {"root": Path("x"), "path": Path("x")}
    values = {name: value for name, value in place.items() if name in config_type.model_fields}
    assert config_type.from_mapping(values).on_damaged == "refuse"
    assert config_type.from_mapping({**values, "on_damaged": "skip"}).on_damaged == "skip"
    with pytest.raises(ConfigError, match=r"key 'on_damaged' got 'skp'(.|\n)*did you mean 'skip'"):
        config_type.from_mapping({**values, "on_damaged": "skp"})


@pytest.mark.parametrize("config_type", RELEASES)
def test_every_release_says_what_becomes_of_missing_recordings(config_type: type[ReleaseConfig]) -> None:
    assert config_type(root=Path("x")).on_missing == "refuse"
    assert config_type.from_mapping({"root": "x", "on_missing": "skip"}).on_missing == "skip"
    with pytest.raises(ConfigError, match=r"key 'on_missing' got 'skp'(.|\n)*did you mean 'skip'"):
        config_type.from_mapping({"root": "x", "on_missing": "skp"})


def test_two_plain_numbers_are_the_depth_format() -> None:
    assert OwnClipsConfig().depth == DepthFormat()
    config = OwnClipsConfig(mm_per_level=5.0, missing_level=255)
    assert config.depth == DepthFormat(mm_per_level=5.0, missing_level=255)
