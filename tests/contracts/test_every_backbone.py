"""What every backbone and every top keeps: found through the room's unions of configs."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mudra import backbones
from mudra.backbones import AnyBackboneConfig, AnyTopConfig, Backbone
from mudra.config import Config, configs_in

TOPS = configs_in(AnyTopConfig)
CONFIGS = [*configs_in(AnyBackboneConfig), *TOPS]
IN_CHANNELS = 4

every_backbone = pytest.mark.parametrize("config_type", CONFIGS, ids=lambda config: config.__name__)


def build(config_type: type[Config], in_channels: int = IN_CHANNELS) -> Backbone:
    """The backbone at a small size, with no two weights alike, in evaluation mode."""
    config: Any = config_type.from_mapping({"width": 0.05})
    with torch.random.fork_rng():
        torch.manual_seed(5)  # of the few channels of a narrow network, other weights may shut one off for good
        backbone: Backbone = config.build(in_channels)
    generator = torch.Generator().manual_seed(7)
    for module in backbone.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            for parameter in module.parameters():
                nn.init.uniform_(parameter, 0.5, 1.5, generator=generator)
    return backbone.eval()


def other_config(config_type: type[Config]) -> Any:
    """A config with other values than the defaults, as far as the backbone has the setting."""
    values = {
        "width": 0.5,
        "padding": "symmetric",
        "norm": "conv",
        "depth": 50 if config_type.model_fields["kind"].default == "resnext3d" else 18,
        "norm_momentum": 0.3,
        "initialisation": "he_normal",
        "temporal_module": {"kind": "tsm", "direction": "past"},
    }
    if config_type.model_fields["kind"].default == "res2net":
        values["temporal"] = "tea"
    return config_type.from_mapping({name: v for name, v in values.items() if name in config_type.model_fields})


def random_clip(num_clips: int = 2, num_frames: int = 4, size: tuple[int, int] = (16, 24)) -> torch.Tensor:
    return torch.randn(num_clips, num_frames, IN_CHANNELS, *size, generator=torch.Generator().manual_seed(1))


@every_backbone
@pytest.mark.parametrize("num_frames", [1, 4, 5])
@pytest.mark.parametrize("size", [(16, 24), (17, 13)])
def test_maps_have_the_promised_shape(config_type: type[Config], num_frames: int, size: tuple[int, int]) -> None:
    backbone = build(config_type)
    maps_BTDHW = backbone(random_clip(num_frames=num_frames, size=size))
    assert backbone.in_channels == IN_CHANNELS
    assert maps_BTDHW.shape[:3] == (2, -(-num_frames // backbone.time_stride), backbone.out_channels)
    assert maps_BTDHW.isfinite().all()


@every_backbone
def test_clips_of_a_batch_are_independent(config_type: type[Config]) -> None:
    backbone, clip_BTCHW = build(config_type).double(), random_clip(num_clips=3).double()
    together = backbone(clip_BTCHW)
    for index in range(3):
        torch.testing.assert_close(together[index : index + 1], backbone(clip_BTCHW[index : index + 1]))


@every_backbone
@pytest.mark.parametrize("num_frames", [1, 4])
@pytest.mark.parametrize("in_channels", [1, 3])  # of one channel, both layouts in memory are one
def test_without_gradients_it_computes_the_same(config_type: type[Config], in_channels: int, num_frames: int) -> None:
    backbone = build(config_type, in_channels).double()
    clip_BTCHW = random_clip(num_frames=num_frames)[:, :, :in_channels].double()
    learning = backbone(clip_BTCHW).detach()
    with torch.inference_mode():
        torch.testing.assert_close(backbone(clip_BTCHW), learning)


@every_backbone
def test_every_parameter_gets_a_gradient(config_type: type[Config]) -> None:
    backbone = build(config_type)
    backbone(random_clip(size=(32, 32))).square().sum().backward()
    for name, parameter in backbone.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.count_nonzero() > 0, name


@every_backbone
def test_bfloat16_computes_nearly_the_same(config_type: type[Config]) -> None:
    backbone, clip_BTCHW = build(config_type), random_clip()
    exact = backbone(clip_BTCHW)
    rough = backbone.bfloat16()(clip_BTCHW.bfloat16())
    assert rough.dtype is torch.bfloat16
    assert (rough.float() - exact).abs().max() < 0.1 * exact.abs().max()


@every_backbone
def test_the_config_survives_yaml(config_type: type[Config], tmp_path: Path) -> None:
    config = other_config(config_type)
    path = tmp_path / "backbone.yaml"
    path.write_text(config.to_yaml())
    assert config_type.from_yaml(path) == config


@every_backbone
def test_constructor_and_config_agree(config_type: type[Config]) -> None:
    # How many channels come in is the network's to say.
    fields = {n: f.get_default() for n, f in config_type.model_fields.items() if n not in {"kind", "in_channels"}}
    parameters = inspect.signature(type(build(config_type))).parameters.values()
    assert {p.kind for p in parameters} == {inspect.Parameter.KEYWORD_ONLY}
    assert {p.name: p.default for p in parameters if p.name != "in_channels"} == fields


@every_backbone
def test_build_hands_on_every_value(config_type: type[Config], monkeypatch: pytest.MonkeyPatch) -> None:
    module, name = inspect.getmodule(config_type), type(build(config_type)).__name__
    config = other_config(config_type)
    monkeypatch.setattr(module, name, lambda **arguments: arguments)
    expected = {name: getattr(config, name) for name in config_type.model_fields if name != "kind"}
    assert config.build(7) == expected | {"in_channels": 7}


@every_backbone
def test_loading_published_weights_needs_none(config_type: type[Config]) -> None:
    backbone = build(config_type)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    backbone.load_pretrained()
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())


@every_backbone
def test_the_file_is_its_papers_page(config_type: type[Config]) -> None:
    page = inspect.getmodule(config_type).__doc__ or ""
    assert re.search(r"^Source: .*\d{4}", page, flags=re.MULTILINE)
    assert "Differs: " in page


@every_backbone
def test_names_share_a_stem(config_type: type[Config]) -> None:
    stem = config_type.__name__.removesuffix("Config")
    kind = config_type.model_fields["kind"].default
    assert type(build(config_type)).__name__ == stem
    assert kind.replace("_", "") == stem.lower()
    assert config_type.__module__ == f"mudra.backbones.{kind}"


@pytest.mark.parametrize("config_type", TOPS, ids=lambda config: config.__name__)
def test_a_top_keeps_every_step(config_type: type[Config]) -> None:
    assert build(config_type).time_stride == 1


def test_every_file_of_the_room_is_registered() -> None:
    files = {path.stem for path in Path(backbones.__file__).parent.glob("*.py")}
    kinds = {config.model_fields["kind"].default for config in CONFIGS}
    parts = {
        "backbone",
        "conv3d",
        "excitation",
        "excited_shift",
        "shifted_conv",
        "frame_backbone",
        "learned_shift",
        "padding",
        "published",
        "published_backbone",
        "taken_weights",
        "tea",
        "temporal_conv",
    }
    modules = {"action", "any_temporal_module", "temporal_module", "temporal_shift"}  # a contract of their own
    assert files - {"__init__"} - parts - modules == kinds
