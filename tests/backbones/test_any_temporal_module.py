"""The union of temporal modules: all of them are chosen by the names of their papers."""

from __future__ import annotations

from mudra.backbones import AnyTemporalModuleConfig, ResNetConfig
from mudra.config import configs_in


def test_kinds_are_the_papers_names() -> None:
    kinds = [config.model_fields["kind"].default for config in configs_in(AnyTemporalModuleConfig)]
    assert kinds == ["tsm", "action"]


def test_a_backbone_takes_each_by_name() -> None:
    for config in configs_in(AnyTemporalModuleConfig):
        chosen = ResNetConfig().with_overrides([f"temporal_module={config.model_fields['kind'].default}"])
        assert isinstance(chosen.temporal_module, config)
