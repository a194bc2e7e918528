"""What every model keeps: found through the room's union of configs."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mudra import models
from mudra.config import Config, configs_in
from mudra.errors import ModelError
from mudra.models import AnyModelConfig, FrameWiseNetConfig, FutureNetConfig

# A future network predicts frames, not classes: what it keeps stands in its own tests.
CONFIGS = [config for config in configs_in(AnyModelConfig) if config is not FutureNetConfig]
NUM_CLASSES, IN_CHANNELS = 5, 4

every_model = pytest.mark.parametrize("config_type", CONFIGS, ids=lambda config: config.__name__)


def small_config(config_type: type[Config]) -> Any:
    return config_type.from_mapping({"num_classes": NUM_CLASSES, "in_channels": IN_CHANNELS, "width": 0.05})


def build(config_type: type[Config]) -> nn.Module:
    """The model at a small size in evaluation mode."""
    torch.manual_seed(0)
    network: nn.Module = small_config(config_type).build()
    return network.eval()


def is_frame_wise(config_type: type[Config]) -> bool:
    """Whether the model has a row of logits for every frame, and not one for the whole clip."""
    return config_type is FrameWiseNetConfig


def random_clip(num_clips: int = 2, num_frames: int = 4, size: tuple[int, int] = (16, 24)) -> torch.Tensor:
    return torch.randn(num_clips, num_frames, IN_CHANNELS, *size, generator=torch.Generator().manual_seed(1))


@every_model
@pytest.mark.parametrize(("num_frames", "size"), [(1, (16, 16)), (5, (17, 31)), (4, (40, 24))])
def test_clips_of_any_length_and_size_become_logits(
    config_type: type[Config], num_frames: int, size: tuple[int, int]
) -> None:
    logits = build(config_type)(random_clip(num_frames=num_frames, size=size))
    assert logits.shape == ((2, num_frames, NUM_CLASSES) if is_frame_wise(config_type) else (2, NUM_CLASSES))
    assert logits.isfinite().all()


@every_model
def test_clips_of_a_batch_are_independent(config_type: type[Config]) -> None:
    network, clip_BTCHW = build(config_type).double(), random_clip(num_clips=3).double()
    together = network(clip_BTCHW)
    for index in range(3):
        torch.testing.assert_close(together[index : index + 1], network(clip_BTCHW[index : index + 1]))


@every_model
def test_every_parameter_gets_a_gradient(config_type: type[Config]) -> None:
    network = build(config_type)
    network(random_clip(size=(32, 32))).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.count_nonzero() > 0, name


@every_model
def test_a_step_of_training_lowers_the_loss(config_type: type[Config]) -> None:
    network, clip_BTCHW, label = build(config_type), random_clip(), torch.tensor([1, 3])
    if is_frame_wise(config_type):
        label = label[:, None].expand(clip_BTCHW.shape[:2])
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01)
    losses = []
    for _ in range(3):
        loss = nn.functional.cross_entropy(network(clip_BTCHW).flatten(0, -2), label.flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[0] > losses[1] > losses[2]


@every_model
def test_weights_survive_a_state_dict(config_type: type[Config]) -> None:
    network, other, clip_BTCHW = build(config_type), small_config(config_type).build().eval(), random_clip()
    assert not torch.equal(network(clip_BTCHW), other(clip_BTCHW))
    other.load_state_dict(network.state_dict())
    assert torch.equal(network(clip_BTCHW), other(clip_BTCHW))


@every_model
def test_autocast_computes_nearly_the_same(config_type: type[Config]) -> None:
    network, clip_BTCHW = build(config_type), random_clip()
    exact = network(clip_BTCHW)
    with torch.autocast("cpu", torch.bfloat16):
        rough = network(clip_BTCHW)
    assert (rough.float() - exact).abs().max() < 0.1 * exact.abs().max()


@every_model
def test_wrong_clips_and_unfinished_configs_are_refused(config_type: type[Config]) -> None:
    with pytest.raises(ModelError, match="time stands before channels"):
        build(config_type)(random_clip(num_frames=6).transpose(1, 2))
    config: Any = config_type()
    with pytest.raises(ModelError, match="num_classes is not known"):
        config.build()


@every_model
def test_the_config_survives_yaml(config_type: type[Config], tmp_path: Path) -> None:
    config = small_config(config_type)
    path = tmp_path / "model.yaml"
    path.write_text(config.to_yaml())
    assert config_type.from_yaml(path) == config


@every_model
def test_constructor_and_config_agree(config_type: type[Config]) -> None:
    fields = {name: f.get_default() for name, f in config_type.model_fields.items() if name != "kind"}
    parameters = inspect.signature(type(build(config_type))).parameters.values()
    assert {p.kind for p in parameters} == {inspect.Parameter.KEYWORD_ONLY}
    # The data set says both; a constructor must be told.
    told = dict.fromkeys(("num_classes", "in_channels"))
    assert {p.name: told.get(p.name, p.default) for p in parameters} == fields


@every_model
def test_build_hands_on_every_value(config_type: type[Config], monkeypatch: pytest.MonkeyPatch) -> None:
    module, name = inspect.getmodule(config_type), type(build(config_type)).__name__
    config = small_config(config_type)
    monkeypatch.setattr(module, name, lambda **arguments: arguments)
    assert config.build() == {name: getattr(config, name) for name in config_type.model_fields if name != "kind"}


@every_model
def test_the_file_is_its_papers_page(config_type: type[Config]) -> None:
    page = inspect.getmodule(config_type).__doc__ or ""
    assert re.search(r"^Source: .*\d{4}", page, flags=re.MULTILINE)
    assert re.search(r"^Differs: ", page, flags=re.MULTILINE)


@every_model
def test_names_share_a_stem(config_type: type[Config]) -> None:
    stem = config_type.__name__.removesuffix("Config")
    kind = config_type.model_fields["kind"].default
    assert type(build(config_type)).__name__ == stem
    assert kind.replace("_", "") == stem.lower()
    assert config_type.__module__ == f"mudra.models.{kind}"


def test_every_file_of_the_room_is_registered() -> None:
    others = {"__init__", "future_net", "complexity"}
    others |= {"assembly", "frame_window", "map_layers", "refusal"}  # parts of networks
    others |= {"frame_stream", "sliding_window", "whole_stream"}  # networks on streams
    files = {path.stem for path in Path(models.__file__).parent.glob("*.py")}
    assert files - others == {config.model_fields["kind"].default for config in CONFIGS}
