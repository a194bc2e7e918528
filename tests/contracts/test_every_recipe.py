"""Every recipe builds, is counted, survives YAML, and takes two training steps on drawn clips."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from mudra.datasets import Dataset, DrawnConfig, SyntheticConfig
from mudra.models import FrameWiseNet, FrameWiseNetConfig, FutureNetConfig, measure_complexity
from mudra.recipes import Row, find_recipe, list_recipes
from mudra.training import RunConfig
from mudra.training.frame_data import FrameBatch
from mudra.training.frame_module import FrameModule
from mudra.training.module import GestureModule
from mudra.training.optimisation import build_optimiser
from mudra.training.resolve import resolve
from mudra.training.train import choose_task
from mudra.types import Batch
from tests.datasets.test_jhmdb_skeletons import build_skeletons

ROWS = list_recipes()
FUTURE_ROWS = [found for found in ROWS if isinstance(found.build().model, FutureNetConfig)]
LABEL_ROWS = [found for found in ROWS if found not in FUTURE_ROWS]
every_row = pytest.mark.parametrize("found", ROWS, ids=[found.name for found in ROWS])
every_label_row = pytest.mark.parametrize("found", LABEL_ROWS, ids=[found.name for found in LABEL_ROWS])
every_future_row = pytest.mark.parametrize("found", FUTURE_ROWS, ids=[found.name for found in FUTURE_ROWS])

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
        # A figure may print no number.
        assert found.paper or found.source == f"Figure {found.name.split('/')[1].removeprefix('figure')}"
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
        "clip.test_size": None,
        "clip.num_frames": min(16, config.clip.num_frames),
        "loader.batch_size": 2,
        "loader.num_workers": 0,
        "loader.cache": "none",
        "model.width": config.model.width / 8,
    }
    if isinstance(config.model, FrameWiseNetConfig) and config.model.window is not None:
        small["model.window.num_frames"] = small["clip.num_frames"]
    if getattr(config.model.backbone, "pretrained", None) is not None:
        small["model.backbone.pretrained"] = None  # nothing is fetched, and no file has an eighth of the channels
    return config.with_overrides(small)


@every_label_row
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


def learn(network: nn.Module, config: RunConfig, batch: Batch | FrameBatch) -> torch.Tensor:
    """The loss of a batch: of classes, with depth where the network has a decoder, and of every row of frames."""
    if isinstance(network, FrameWiseNet):
        assert isinstance(batch, FrameBatch)
        rows = len(network.judged_frames(batch.clip_BTCHW.shape[1]))
        assert batch.label_BT.shape == (2, rows)
        assert (batch.label_BT >= 0).any()
        return FrameModule(network, config, num_classes=12, idle=None).compute_loss(batch)
    assert isinstance(batch, Batch)
    if getattr(network, "decoder", None) is None:
        logits_BK = network(batch.clip_BTCHW)
        assert logits_BK.shape == (2, 12)
        return nn.functional.cross_entropy(logits_BK, batch.label_B)
    assert batch.depth_BTHW is not None
    assert batch.measured_BTHW is not None
    assert batch.measured_BTHW.mean() > 0.9  # the drawn set's own depth, cut and scaled with the colour
    assert 0.0 < batch.depth_BTHW.std() < 1.0
    return GestureModule(network, config, num_classes=12).compute_loss(batch)


@every_label_row
def test_it_takes_two_training_steps(found: Row, drawn: Dataset) -> None:
    config = resolve(shrink(find_recipe(found.name)), drawn, tell=lambda line: None)
    torch.manual_seed(0)
    network = config.model.build()
    network.load_state_dict(network.state_dict())  # a frozen backbone wants weights from somewhere before it is used
    # A drawn clip is to a network that labels frames a stream of one segment.
    batches = iter(choose_task(network, config, drawn).data.train_dataloader())
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


@every_future_row
def test_a_network_that_predicts_frames_is_counted_and_learns(found: Row, tmp_path: Path) -> None:
    config = find_recipe(found.name)
    assert isinstance(config.data, DrawnConfig)
    small = {"model.encoder.hidden_channels": 8, "loader.batch_size": 2, "loader.num_workers": 0, "data.clips_train": 4}
    if config.data.kind == "moving_digits":
        source = {"data.source": "sklearn"}
    else:
        source = {"data.root": str(build_skeletons(tmp_path, num_frames=34))}
    config = config.with_overrides({**small, **source})
    assert isinstance(config.data, DrawnConfig)
    dataset = config.data.build()
    config = resolve(config, dataset, tell=lambda line: None)
    torch.manual_seed(0)
    network = config.model.build()
    data, module = choose_task(network, config, dataset)
    channels = network.in_channels + network.flow_channels
    counted = measure_complexity(
        network, num_frames=config.clip.num_frames, in_channels=channels, size=config.clip.size
    )
    assert all(counted.macs_by_part[part] > 0 for part in ("encoder", "decoder", "to_pixels"))
    optimiser = build_optimiser(network, config.optimiser)
    losses = []
    for batch in data.train_dataloader():
        assert batch.clip_BTCHW.shape[1:] == (config.clip.num_frames, channels, *config.clip.size)
        loss = module.compute_loss(batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert len(losses) == 2
    assert all(p.isfinite().all() for p in network.parameters())
