"""What every temporal module keeps: found through the union of their configs."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mudra.backbones import AnyTemporalModuleConfig, TemporalModule
from mudra.config import Config, configs_in

CONFIGS = configs_in(AnyTemporalModuleConfig)
CHANNELS = 24

every_module = pytest.mark.parametrize("config_type", CONFIGS, ids=lambda config: config.__name__)


def build(config_type: type[Config]) -> TemporalModule:
    torch.manual_seed(3)
    config: Any = config_type()
    module: TemporalModule = config.build(CHANNELS)
    return module.eval()


def random_maps(num_frames: int = 4, size: tuple[int, int] = (5, 7)) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    maps = torch.randn(3 * num_frames, CHANNELS, *size, generator=generator)
    return maps.contiguous(memory_format=torch.channels_last)


@every_module
@pytest.mark.parametrize("num_frames", [1, 2, 5])
@pytest.mark.parametrize("size", [(1, 1), (5, 7)])
def test_maps_keep_shape_and_layout(config_type: type[Config], num_frames: int, size: tuple[int, int]) -> None:
    maps = random_maps(num_frames, size)
    mixed = build(config_type)(maps, num_frames)
    assert mixed.shape == maps.shape
    assert mixed.is_contiguous(memory_format=torch.channels_last)


@every_module
def test_clips_are_independent(config_type: type[Config]) -> None:
    module, maps = build(config_type).double(), random_maps().double()
    alone = [module(clip, 4) for clip in maps.split(4)]
    torch.testing.assert_close(module(maps, 4), torch.cat(alone))


@every_module
def test_every_parameter_and_the_maps_get_gradients(config_type: type[Config]) -> None:
    module, maps = build(config_type).train(), random_maps().requires_grad_()
    module(maps, 4).square().sum().backward()
    assert maps.grad is not None
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.count_nonzero() > 0, name


@every_module
@pytest.mark.parametrize("num_frames", [2, 4])
def test_bfloat16_trains_nearly_the_same(config_type: type[Config], num_frames: int) -> None:
    gradients = []
    for enabled in (False, True):
        module, maps = build(config_type), random_maps(num_frames).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            mixed = module(maps, num_frames)
        mixed.float().square().mean().backward()
        gradients.append([maps.grad, *(parameter.grad for parameter in module.parameters())])
    for exact, rough in zip(*gradients, strict=True):
        assert exact is not None
        assert rough is not None
        assert (rough.float() - exact).norm() < 0.1 * exact.norm()


@every_module
def test_a_compiled_module_computes_the_same(config_type: type[Config]) -> None:
    module, maps = build(config_type).double(), random_maps().double()
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(maps, 4), module(maps, 4), rtol=0, atol=1e-12)


@every_module
def test_constructor_and_config_agree(config_type: type[Config]) -> None:
    fields = {n: f.get_default() for n, f in config_type.model_fields.items() if n != "kind"}
    parameters = inspect.signature(type(build(config_type))).parameters.values()
    assert {p.kind for p in parameters} == {inspect.Parameter.KEYWORD_ONLY}
    assert {p.name: p.default for p in parameters if p.name != "in_channels"} == fields


@every_module
def test_build_hands_on_every_value(config_type: type[Config], monkeypatch: pytest.MonkeyPatch) -> None:
    module, name = inspect.getmodule(config_type), type(build(config_type)).__name__
    values = {"fold_div": 4, "direction": "past"}
    config: Any = config_type.from_mapping({n: v for n, v in values.items() if n in config_type.model_fields})
    monkeypatch.setattr(module, name, lambda **arguments: arguments)
    assert config.build(7) == config.model_dump(exclude={"kind"}) | {"in_channels": 7}


@every_module
def test_the_file_is_its_papers_page(config_type: type[Config]) -> None:
    page = inspect.getmodule(config_type).__doc__ or ""
    assert re.search(r"^Source: .*\d{4}", page, flags=re.MULTILINE)
    assert "Differs: " in page
    assert isinstance(build(config_type), nn.Module)
