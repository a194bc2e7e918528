"""RunConfig: it survives YAML, is changed by dotted keys, and refuses what it does not know by the nearest name."""

from __future__ import annotations

from pathlib import Path

import pytest

from mudra.errors import ConfigError
from mudra.training import AdamWConfig, ConstantConfig, PolynomialConfig, RunConfig, SgdConfig
from tests.fixtures.run import tiny_config


def test_it_survives_yaml(tmp_path: Path) -> None:
    config = tiny_config({"optimiser": "sgd", "schedule": "polynomial", "clip.streams": ["depth", "flow"]})
    path = tmp_path / "run.yaml"
    path.write_text(config.to_yaml(), encoding="utf-8")
    assert RunConfig.from_yaml(path) == config


def test_a_bare_name_chooses_a_kind() -> None:
    config = RunConfig().with_overrides(["optimiser=sgd", "schedule=constant", "data=synthetic"])
    assert config.optimiser == SgdConfig()
    assert config.schedule == ConstantConfig()
    assert config.data is not None
    assert config.data.kind == "synthetic"


def test_where_weights_come_from_is_a_place(tmp_path: Path) -> None:
    config = RunConfig().with_overrides([f"init_from={tmp_path / 'first'}"])
    assert config.init_from == tmp_path / "first"
    path = tmp_path / "run.yaml"
    path.write_text(config.to_yaml(), encoding="utf-8")
    assert RunConfig.from_yaml(path) == config
    assert RunConfig().init_from is None


def test_features_are_of_a_frozen_backbone(tmp_path: Path) -> None:
    words = [f"loader.features={tmp_path}", "model={kind: recurrent_frame_net, backbone: {kind: vgg16, frozen: true}}"]
    config = RunConfig().with_overrides(words)
    assert config.loader.features == tmp_path
    path = tmp_path / "run.yaml"
    path.write_text(config.to_yaml(), encoding="utf-8")
    assert RunConfig.from_yaml(path) == config
    with pytest.raises(ConfigError, match=r"'vgg16' learns.*\n  hint: freeze it: model\.backbone\.frozen=true"):
        config.with_overrides(["model.backbone.frozen=false"])
    assert RunConfig().loader.features is None


def test_a_kind_and_its_settings_can_be_given_one_by_one() -> None:
    config = RunConfig().with_overrides(["schedule=polynomial", "schedule.power=2", "optimiser.lr=1e-3"])
    assert config.schedule == PolynomialConfig(power=2.0)
    assert config.optimiser == AdamWConfig(lr=1e-3)


def test_open_data_is_filled_in_by_dotted_keys(tmp_path: Path) -> None:
    config = RunConfig().with_overrides(["data.kind=folder", f"data.root={tmp_path}", "data.on_damaged=skip"])
    assert config.data is not None
    assert (config.data.kind, config.data.on_damaged) == ("folder", "skip")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimser.lr=1", "did you mean 'optimiser'"),
        ("optimiser.learning_rate=1", "unknown key 'optimiser.learning_rate'"),
        ("fitting.epoch=3", "did you mean 'epochs'"),
        ("fitting.epochs=many", "fitting.epochs' got 'many': .*integer"),
        ("fitting.epochs=0", "greater than 0"),
        ("fitting.keep=bset", "did you mean 'best'"),
        ("loader.cache=ram", "loader.cache' got 'ram'"),
        ("loader.num_workers=-1", "loader.num_workers"),
        ("schedule=polynominal", "did you mean 'polynomial'"),
        ("data=synthetik", "did you mean 'synthetic'"),
        ("model.width=0", "greater than 0"),
        ("fitting.ema_decay=1", "less than 1"),
        ("lr", "not an override"),
    ],
)
def test_what_it_does_not_know_is_refused_with_the_nearest_name(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RunConfig().with_overrides([override])


def test_an_error_in_a_file_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("fitting: {epocs: 3}", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mine.yaml: unknown key 'fitting.epocs'\n  hint: did you mean 'epochs'"):
        RunConfig.from_yaml(path)
