from __future__ import annotations

from pathlib import Path

import pytest

from mudra.datasets import FolderConfig, Shrec2017Config, SyntheticConfig, TableConfig
from mudra.datasets.base import DatasetConfig
from mudra.errors import ConfigError


@pytest.mark.parametrize("config_type", [FolderConfig, TableConfig, Shrec2017Config, SyntheticConfig])
def test_every_config_says_what_becomes_of_damaged_files(config_type: type[DatasetConfig]) -> None:
    place = {"root": Path("x"), "path": Path("x")}
    values = {name: value for name, value in place.items() if name in config_type.model_fields}
    assert config_type.from_mapping(values).on_damaged == "refuse"
    assert config_type.from_mapping({**values, "on_damaged": "skip"}).on_damaged == "skip"
    with pytest.raises(ConfigError, match=r"key 'on_damaged' got 'skp'(.|\n)*did you mean 'skip'"):
        config_type.from_mapping({**values, "on_damaged": "skp"})
