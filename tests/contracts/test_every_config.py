"""What every config of the package keeps: found by walking the package, so that none can be forgotten."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import mudra
from mudra.config import Config, configs_in
from mudra.errors import ConfigError

# What a config cannot be made without.
NEEDED: dict[str, dict[str, Any]] = {
    "CongdConfig": {"root": "videos"},
    "DatasetCard": {"name": "hands", "classes": ["left", "right"]},
    "EgogestureConfig": {"root": "videos"},
    "FeatureManifest": {
        "clip": {},
        "backbone": {"kind": "vgg16"},
        "weights": "0f",
        "shape": [16, 512, 7, 7],
        "mudra": "0.1",
    },
    "FirConfig": {"root": "videos"},
    "FolderConfig": {"root": "videos"},
    "IsogdConfig": {"root": "videos"},
    "JesterConfig": {"root": "videos"},
    "JhmdbConfig": {"root": "videos"},
    "NvgestureConfig": {"root": "videos"},
    "MontalbanoConfig": {"root": "videos"},
    "ReleaseConfig": {"root": "videos"},
    "RunCard": {"classes": ["left", "right"], "clip": {}},
    "SegmentsConfig": {"path": "segments.csv"},
    "Shrec2017Config": {"root": "videos"},
    "Sports1mConfig": {"root": "videos"},
    "TableConfig": {"path": "clips.csv"},
    "Ucf101Config": {"root": "videos"},
}


def find_configs() -> list[type[Config]]:
    for module in pkgutil.walk_packages(mudra.__path__, "mudra."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found, waiting = set(), [Config]
    while waiting:
        for config_type in waiting.pop().__subclasses__():
            waiting.append(config_type)
            if config_type.__module__.startswith("mudra."):
                found.add(config_type)
    return sorted(found, key=lambda config_type: config_type.__name__)


CONFIGS = find_configs()
KINDS = [config_type for config_type in CONFIGS if "kind" in config_type.model_fields]

every_config = pytest.mark.parametrize("config_type", CONFIGS, ids=lambda config: config.__name__)


def build(config_type: type[Config]) -> Config:
    return config_type.from_mapping(NEEDED.get(config_type.__name__, {}))


def survives_yaml(config: Config, folder: Path) -> bool:
    path = folder / "config.yaml"
    path.write_text(config.to_yaml(), encoding="utf-8")
    return type(config).from_yaml(path) == config


def elements_of(value: Any) -> list[Any]:
    return list(value) if isinstance(value, tuple | list) else []


def test_configs_are_found() -> None:
    assert {"RunConfig", "ClipSpec", "GestureNetConfig", "ConvLSTMConfig", "TableConfig"} <= {
        c.__name__ for c in CONFIGS
    }
    assert set(NEEDED) <= {config_type.__name__ for config_type in CONFIGS}


@every_config
def test_it_survives_yaml(config_type: type[Config], tmp_path: Path) -> None:
    assert survives_yaml(build(config_type), tmp_path)


@every_config
def test_it_survives_yaml_with_every_choice(config_type: type[Config], tmp_path: Path) -> None:
    config = build(config_type)
    for name, field in config_type.model_fields.items():
        for choice in configs_in(field.annotation):
            if "kind" not in choice.model_fields or not issubclass(choice, Config):
                continue
            value = build(choice).model_dump(mode="json")
            current = config.model_dump(mode="json")[name]
            changed = config.with_overrides({name: [value] if isinstance(current, list) else value})
            assert choice in map(type, [getattr(changed, name), *elements_of(getattr(changed, name))])
            assert survives_yaml(changed, tmp_path), f"{name}={choice.__name__}"


@every_config
def test_it_is_frozen(config_type: type[Config]) -> None:
    config = build(config_type)
    for name in config_type.model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(config, name, None)


@every_config
def test_an_unknown_key_is_refused_with_the_nearest(config_type: type[Config]) -> None:
    for name in config_type.model_fields:
        with pytest.raises(ConfigError, match=rf"unknown key '{name}x'\n  hint: did you mean '{name}'\?"):
            config_type.from_mapping(NEEDED.get(config_type.__name__, {}) | {f"{name}x": 1})


@every_config
def test_every_key_is_explained(config_type: type[Config]) -> None:
    assert config_type.__doc__, "the config itself"
    silent = [name for name, field in config_type.model_fields.items() if name != "kind" and not field.description]
    assert silent == []


@every_config
def test_an_unchanged_config_is_equal_to_itself(config_type: type[Config]) -> None:
    config = build(config_type)
    assert config.with_overrides([]) == config == build(config_type)


@pytest.mark.parametrize("config_type", KINDS, ids=lambda config: config.__name__)
def test_its_kind_is_its_default_and_can_be_no_other(config_type: type[Config]) -> None:
    kind = config_type.model_fields["kind"].default
    assert isinstance(kind, str)
    with pytest.raises(ConfigError, match=f"key 'kind' got 'zzz': Input should be '{kind}'"):
        config_type.from_mapping(NEEDED.get(config_type.__name__, {}) | {"kind": "zzz"})


def test_kinds_of_a_union_differ() -> None:
    for config_type in CONFIGS:
        for name, field in config_type.model_fields.items():
            kinds = [c.model_fields["kind"].default for c in configs_in(field.annotation) if "kind" in c.model_fields]
            assert len(kinds) == len(set(kinds)), f"{config_type.__name__}.{name}"
