"""Every recipe builds, is counted, survives YAML, and takes two training steps on drawn clips."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from mudra.datasets import Dataset, SyntheticConfig
from mudra.models import FrameWiseNet, GestureNet, measure_complexity
from mudra.recipes import Row, find_recipe, list_recipes
from mudra.training import RunConfig
from mudra.training.loaders import GestureData
from mudra.training.optimisation import build_optimiser
from mudra.training.train import resolve
from mudra.types import Batch

ROWS = list_recipes()
every_row = pytest.mark.parametrize("found", ROWS, ids=[found.name for found in ROWS])

STATUS = r"not yet run|runs|within \S+ of the paper|differs: .+"


@pytest.fixture(scope="module")
def drawn() -> Dataset:
    """Two drawn clips of every class."""
    return SyntheticConfig(
        clips_per_class_train=1, clips_per_class_validation=0, size=(40, 40), num_frames=16, hardness="plain"
    ).build()


@every_row
def test_it_says_where_it_comes_from_and_how_far_it_got(found: Row) -> None:
    assert found.source
    assert found.summary.endswith(".")
    assert re.fullmatch(STATUS, found.status)
    if not found.name.startswith("ours/"):
        assert found.paper
        module = importlib.import_module("mudra.recipes." + found.name.rpartition("/")[0].replace("/", "."))
        for heading in ("Paper:", "Data:", "Run:", "Cost:", "Differs from the paper:"):
            assert heading in (module.__doc__ or ""), f"{found.name}: its module says nothing of {heading}"


@every_row
def test_it_survives_yaml(found: Row, tmp_path: Path) -> None:
    config = find_recipe(found.name)
    path = tmp_path / "run.yaml"
    path.write_text(config.to_yaml(), encoding="utf-8")
    assert RunConfig.from_yaml(path) == config


def shrink(config: RunConfig) -> RunConfig:
    """The same run on small clips with an eighth of the channels."""
    small = {
        "clip.size": [32, 32],
        "clip.num_frames": min(16, config.clip.num_frames),
        "loader.batch_size": 2,
        "loader.num_workers": 0,
        "loader.cache": "none",
        "model.width": config.model.width / 8,
    }
    if getattr(config.model.backbone, "pretrained", None) is not None:
        small["model.backbone.pretrained"] = None  # nothing is fetched, and no file has an eighth of the channels
    return config.with_overrides(small)


@every_row
def test_its_cost_is_counted_part_by_part(found: Row) -> None:
    config = shrink(find_recipe(found.name))
    channels = config.clip.num_channels
    model = config.model.model_copy(update={"num_classes": 5, "in_channels": channels})
    counted = measure_complexity(
        model.build(), num_frames=config.clip.num_frames, in_channels=channels, size=config.clip.size
    )
    assert counted.parameters_by_part["backbone"] > 0
    assert counted.macs_by_part["backbone"] > 0
    assert counted.macs_by_part["head"] > 0
    assert (counted.macs_by_part["cells"] > 0) == bool(model.cells)
    assert "other" not in counted.macs_by_part


def learn(network: nn.Module, config: RunConfig, batch: Batch) -> torch.Tensor:
    """The loss of a batch, against drawn depth where the network has a decoder, for every row where it has several."""
    if isinstance(network, FrameWiseNet):
        logits_BTK = network(batch.clip_BTCHW)
        rows = len(network.judged_frames(batch.clip_BTCHW.shape[1]))
        assert logits_BTK.shape == (2, rows, 12)
        return nn.functional.cross_entropy(logits_BTK.flatten(0, 1), batch.label_B.repeat_interleave(rows))
    if getattr(network, "decoder", None) is None:
        logits_BK = network(batch.clip_BTCHW)
        assert logits_BK.shape == (2, 12)
        return nn.functional.cross_entropy(logits_BK, batch.label_B)
    assert isinstance(network, GestureNet)
    logits_BK, masks = network.forward_training(batch.clip_BTCHW)
    depth_BTHW = torch.rand(batch.clip_BTCHW[:, :, 0].shape, generator=torch.Generator().manual_seed(3))
    return config.mask_loss.build()(logits_BK, batch.label_B, masks, depth_BTHW).total


@every_row
def test_it_takes_two_training_steps(found: Row, drawn: Dataset) -> None:
    config = resolve(shrink(find_recipe(found.name)), drawn, tell=lambda line: None)
    torch.manual_seed(0)
    network = config.model.build()
    batches = iter(GestureData(drawn, config).train_dataloader())
    batch = next(batches)
    assert batch.clip_BTCHW.shape[2] == config.clip.num_channels
    loss = learn(network, config, batch)
    loss.backward()
    assert loss.isfinite()
    without = [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []
    before = [p.detach().clone() for p in network.parameters()]
    optimiser = build_optimiser(network, config.optimiser)
    optimiser.step()
    optimiser.zero_grad()
    second = next(batches)
    learn(network, config, second).backward()
    optimiser.step()
    assert any(not torch.equal(p, old) for p, old in zip(network.parameters(), before, strict=True))
    assert all(p.isfinite().all() for p in network.parameters())
