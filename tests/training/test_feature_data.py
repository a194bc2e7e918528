"""Training on cached maps: the same network as on clips, and nothing but maps of its own clips and backbone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mudra.datasets import Dataset
from mudra.errors import DataError, ModelError
from mudra.models import RecurrentFrameNet
from mudra.serving.predictor import load
from mudra.training import RunConfig, dry_run, train
from mudra.training.callback import read_curves
from mudra.training.feature_data import FeatureBatch, FeatureData
from mudra.training.feature_manifest import MANIFEST_NAME
from mudra.training.feature_store import Features
from tests.fixtures.features import compute_features, frozen_backbone, frozen_config
from tests.fixtures.trained import silent


def with_features(config: RunConfig, folder: Path) -> RunConfig:
    return config.with_overrides({"loader.features": str(folder)})


def data_of(config: RunConfig, dataset: Dataset, folder: Path, *, is_filled: bool = True, **how: Any) -> FeatureData:
    """Return the batches of a run on the features in `folder`."""
    model = config.model.model_copy(update={"num_classes": 12, "in_channels": config.clip.num_channels})
    network = model.build()
    assert isinstance(network, RecurrentFrameNet)
    if is_filled:
        network.load_pretrained()
    resolved = with_features(config.model_copy(update={"model": model}), folder)
    return FeatureData(dataset, resolved, network.backbone, **how)


@pytest.mark.parametrize("votes", [True, False])
def test_training_on_features_is_training_on_clips(tmp_path: Path, drawn: Dataset, votes: bool) -> None:
    """Where chance has no part in the clips, the same weights come out but for the order of sums."""
    config = frozen_config(tmp_path, votes=votes)
    compute_features(config, drawn, tmp_path / "maps")
    on_clips = train(config, drawn, tmp_path / "clips", tell=silent)
    on_maps = train(with_features(config, tmp_path / "maps"), drawn, tmp_path / "run", tell=silent)
    expected, found = (load_file(run / "weights.safetensors") for run in (on_clips, on_maps))
    assert expected.keys() == found.keys()
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], atol=1e-3, rtol=0, msg=name)
    rows = [read_curves(run / "metrics.csv") for run in (on_clips, on_maps)]
    for one, other in zip(*rows, strict=True):
        assert other["train_loss"] == pytest.approx(one["train_loss"], abs=1e-3)
        assert other["validation_loss"] == pytest.approx(one["validation_loss"], abs=1e-3)
    # The run is whole: neither maps nor published weights are needed any more.
    (tmp_path / "vgg0.pth").unlink()
    video_THWC = np.random.default_rng(0).integers(0, 255, (9, 48, 48, 3), dtype=np.uint8)
    probabilities = [{r.label: r.probability for r in load(run).predict(video_THWC).top} for run in (on_clips, on_maps)]
    assert probabilities[1] == pytest.approx(probabilities[0], abs=1e-3)


def test_batches_are_of_maps(tmp_path: Path, drawn: Dataset) -> None:
    config = frozen_config(tmp_path, {"loader.batch_size": 5})
    maker = compute_features(config, drawn, tmp_path / "maps")
    told: list[tuple[int, int, str]] = []
    data = data_of(config, drawn, tmp_path / "maps", progress=lambda *what: told.append(what))
    assert told[-1] == (36, 36, "looking for features")
    assert (data.num_train, data.num_validation) == (24, 12)
    batches = list(data.train_dataloader())
    assert [len(batch.label_B) for batch in batches] == [5, 5, 5, 5]
    assert all(isinstance(batch, FeatureBatch) for batch in batches)
    train_split = drawn.split("train")
    for maps_TCHW, label, index in zip(*batches[0], strict=True):
        assert torch.equal(maps_TCHW, maker.store.read(train_split[index]).maps_TCHW)
        assert label == train_split[index].label
    assert [i for batch in data.val_dataloader() for i in batch.index_B.tolist()] == list(range(12))
    alone = replace(drawn, recordings={"train": train_split})
    assert data_of(config, alone, tmp_path / "maps").val_dataloader() == []


def test_drawn_views_change_with_the_epoch_and_mirrored_ones_change_their_labels(
    tmp_path: Path, drawn: Dataset
) -> None:
    config = frozen_config(tmp_path, {"clip.mirror": "labels", "loader.batch_size": 50})
    few = replace(drawn, recordings={**drawn.recordings, "train": drawn.split("train")[:12]})
    maker = compute_features(config, few, tmp_path / "maps", num_views=2)
    maps = torch.ones(maker.shape)
    for recording in few.split("train"):
        views = [Features(maps * 1.0), Features(maps * 2.0, mirrored=True)]
        maker.store.write(recording, Features(maps * 3.0), views, numbers="float32")
    data = data_of(config, few, tmp_path / "maps")
    mirror = few.card.mirror_index()
    assert mirror is not None
    epochs = []
    for epoch in (0, 1, 0):
        data.sampler.set_epoch(epoch)
        (batch,) = data.train_dataloader()
        seen = {int(i): float(x[0, 0, 0, 0]) for i, x in zip(batch.index_B, batch.maps_BTCHW, strict=True)}
        for index, label in zip(batch.index_B.tolist(), batch.label_B.tolist(), strict=True):
            own = few.split("train")[index].label
            assert own is not None
            assert label == (mirror[own] if seen[index] == 2.0 else own)
        epochs.append(seen)
    assert set(epochs[0].values()) == {1.0, 2.0}
    assert epochs[0] == epochs[2] != epochs[1]


def test_missing_and_damaged_features_are_named_with_what_mends_them(tmp_path: Path, drawn: Dataset) -> None:
    config = frozen_config(tmp_path)
    maker = compute_features(config, drawn, tmp_path / "maps", command="mudra data features x --out maps")
    first, second = drawn.split("train")[0], drawn.split("validation")[1]
    maker.store.path_of(first).unlink()
    maker.store.path_of(second).write_bytes(b"")
    with pytest.raises(DataError) as refused:
        train(with_features(config, tmp_path / "maps"), drawn, tmp_path / "run", tell=silent)
    assert f"no features of 2 of 36 recordings:\n  {first.key}: missing\n  {second.key}: dam" in refused.value.message
    assert refused.value.hint.endswith("data settings: mudra data features x --out maps")
    assert not (tmp_path / "run").exists()
    maker.store.path_of(drawn.split("test")[0]).unlink()  # which training does not look at
    maker.compute(maker.survey({"train": drawn.split("train"), "validation": drawn.split("validation")}).wanted)
    data_of(config, drawn, tmp_path / "maps")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clip.size": [48, 48]}, r"clip\.size: \[32, 32\] there, \[48, 48\] wanted\n  hint: give this run"),
        ({"clip.sampling": "dense"}, r"clip\.sampling\.kind: uniform there, dense wanted"),
        ({"model.width": 2.0}, r"backbone\.width: 0\.0625 there, 0\.125 wanted"),
    ],
)
def test_features_of_other_clips_or_backbones_are_refused(
    tmp_path: Path, drawn: Dataset, changes: dict[str, Any], message: str
) -> None:
    few = replace(drawn, recordings={"train": drawn.split("train")[:1]})
    compute_features(frozen_config(tmp_path), few, tmp_path / "maps")
    with pytest.raises(DataError, match=message):
        data_of(frozen_config(tmp_path, changes), few, tmp_path / "maps", is_filled=False)


def test_features_of_other_weights_are_refused(tmp_path: Path, drawn: Dataset) -> None:
    few = replace(drawn, recordings={"train": drawn.split("train")[:1]})
    maker = compute_features(frozen_config(tmp_path), few, tmp_path / "maps")
    other = {"model.backbone.pretrained": frozen_backbone(tmp_path, seed=1).pretrained}
    with pytest.raises(DataError, match=rf"weights: {maker.manifest.weights} there, [0-9a-f]+ wanted"):
        data_of(frozen_config(tmp_path, other), few, tmp_path / "maps")
    # A resumed run has its weights later, but before its first batch.
    unfilled = data_of(frozen_config(tmp_path), few, tmp_path / "maps", is_filled=False)
    with pytest.raises(ModelError, match=r"start from pretrained=.*, which was not loaded"):
        unfilled.train_dataloader()
    unfilled.backbone.load_state_dict(frozen_backbone(tmp_path, seed=1).build(3).state_dict())
    with pytest.raises(DataError, match="weights: "):
        unfilled.train_dataloader()


def test_a_run_on_features_goes_on_as_if_it_had_not_stopped(tmp_path: Path, drawn: Dataset) -> None:
    config = frozen_config(tmp_path, {"fitting.ema_decay": 0.9, "schedule": "constant"})
    compute_features(config, drawn, tmp_path / "maps")
    config = with_features(config, tmp_path / "maps")
    whole = train(config, drawn, tmp_path / "whole", tell=silent)
    part = train(config.with_overrides({"fitting.epochs": 1}), drawn, tmp_path / "part", tell=silent)
    train(config, drawn, part, resume=True, tell=silent)
    one, other = (load_file(run / "weights.safetensors") for run in (whole, part))
    assert all(torch.equal(one[name], other[name]) for name in one)
    # The folder was filled anew, with another backbone's maps, before it goes on once more.
    text = (tmp_path / "maps" / MANIFEST_NAME).read_text(encoding="utf-8")
    manifest = text.replace('"weights": "', '"weights": "0')
    (tmp_path / "maps" / MANIFEST_NAME).write_text(manifest, encoding="utf-8")
    with pytest.raises(DataError, match="weights: 0"):
        train(config.with_overrides({"fitting.epochs": 3}), drawn, part, resume=True, tell=silent)


def test_a_dry_run_takes_a_step_on_maps(tmp_path: Path, drawn: Dataset) -> None:
    config = frozen_config(tmp_path)
    compute_features(config, drawn, tmp_path / "maps")
    lines: list[str] = []
    result = dry_run(with_features(config, tmp_path / "maps"), drawn, tell=lines.append)
    assert result.batch_shape == (8, 6, 32, 2, 2)
    taken, maps = sorted(lines)
    assert taken.startswith(f"pretrained {tmp_path / 'vgg0.pth'}: 26 of 26 tensors taken")
    unused = "clip.augmentation and chance in clip.sampling have no part in it"
    assert maps == f"trained on the maps in {tmp_path / 'maps'}: {unused}"
    one = dry_run(config, drawn, tell=silent)
    assert result.loss == pytest.approx(one.loss, abs=1e-4)
