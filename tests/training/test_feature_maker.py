"""Computing features: those of the test view, only what is missing, and nothing into a folder of something else."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from mudra.backbones import VGG16Config
from mudra.datasets import Dataset
from mudra.errors import ConfigError, DataError, ModelError, VideoError
from mudra.models import GestureNet, RecurrentFrameNet
from mudra.training import RunConfig
from mudra.training.feature_maker import FeatureMaker
from mudra.training.feature_manifest import MANIFEST_NAME, read_manifest
from mudra.training.feature_store import FeatureStore
from mudra.training.loaders import GestureData
from mudra.types import Frames, Recording, Stream
from tests.fixtures.features import compute_features, frozen_backbone, frozen_config


def with_unreadable(dataset: Dataset, *bad: Recording) -> Dataset:
    """Return drawn clips of which some cannot be read."""
    source = dataset.source
    assert source is not None

    def read(recording: Recording, stream: Stream) -> Frames:
        if recording in bad:
            raise VideoError(recording.path, "ends in the middle")
        return source(recording, stream)

    return replace(dataset, source=read)


@pytest.mark.parametrize("votes", [True, False])
def test_maps_are_those_of_the_test_view(tmp_path: Path, drawn: Dataset, votes: bool) -> None:
    config = frozen_config(tmp_path, votes=votes)
    maker = compute_features(config, drawn, tmp_path / "maps")
    assert maker.survey() == ([], 48)
    network = maker.config.model.build()
    assert isinstance(network, GestureNet | RecurrentFrameNet)
    network.load_pretrained()
    network.eval()
    (batch, *_) = GestureData(drawn, maker.config).val_dataloader()
    recordings = [drawn.split("validation")[index] for index in batch.index_B.tolist()]
    maps_BTCHW = torch.stack([maker.store.read(recording).maps_TCHW for recording in recordings])
    assert maps_BTCHW.shape[1:] == maker.manifest.shape
    assert maps_BTCHW.std() > 0.01
    with torch.no_grad():
        expected = network.classify_frames(batch.clip_BTCHW) if votes else network(batch.clip_BTCHW)  # type: ignore[operator]
        torch.testing.assert_close(network.classify_maps(maps_BTCHW), expected, atol=1e-5, rtol=0)


def test_flow_that_passes_the_backbone_by_is_kept_with_the_maps(tmp_path: Path, drawn: Dataset) -> None:
    changes = {"clip.streams": ["rgb", "flow"], "model.flow_channels": 2, "model.cells.0.kernel_sizes": [3, 5]}
    few = replace(drawn, recordings={"train": drawn.split("train")[:2]})
    maker = compute_features(frozen_config(tmp_path, changes), few, tmp_path / "maps")
    maps_TCHW = maker.store.read(few.split("train")[0]).maps_TCHW
    assert maps_TCHW.shape == (6, 34, 2, 2)
    assert maps_TCHW[:, 32:].abs().max() > 0


def test_only_what_is_missing_or_damaged_is_computed(
    tmp_path: Path, drawn: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = frozen_config(tmp_path)
    maker = compute_features(config, drawn, tmp_path / "maps")
    first, second, third, *_ = (maker.store.path_of(recording) for recording in drawn.split("train"))
    before = maker.store.read(drawn.split("train")[0]).maps_TCHW
    first.unlink()
    second.write_bytes(second.read_bytes()[:-9])
    third.write_bytes(third.read_bytes()[:-1] + b"\x7f")
    assert len(maker.survey(is_quick=True).wanted) == 2
    written: list[Recording] = []
    write = FeatureStore.write
    monkeypatch.setattr(FeatureStore, "write", lambda *args, **how: (written.append(args[1]), write(*args, **how)))
    again = FeatureMaker(config, drawn, tmp_path / "maps")
    wanted, num_there = again.survey()
    assert num_there == 45
    assert again.compute(wanted) == (3, ())
    assert sorted(written, key=str) == sorted(drawn.split("train")[:3], key=str)
    torch.testing.assert_close(again.store.read(drawn.split("train")[0]).maps_TCHW, before)
    assert again.survey() == ([], 48)


def test_what_was_written_before_a_stop_stays(tmp_path: Path, drawn: Dataset) -> None:
    config = frozen_config(tmp_path, {"loader.batch_size": 5})
    maker = FeatureMaker(config, drawn, tmp_path / "maps")

    def stop(done: int, total: int, what: str) -> None:
        assert (total, what) == (48, "computing features")
        if done == 15:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        maker.compute(maker.survey().wanted, progress=stop)
    assert maker.survey().num_there == 15


def test_drawn_views_are_of_training_recordings_alone(tmp_path: Path, drawn: Dataset) -> None:
    chance = {"clip.mirror": "labels", "clip.augmentation": {"rotation_deg": 20.0, "mirror_probability": 0.5}}
    config = frozen_config(tmp_path, {**chance, "clip.test_size": [48, 48]})
    maker = compute_features(config, drawn, tmp_path / "maps", num_views=3)
    assert maker.shape[-2:] == (3, 3)
    train, validation = drawn.split("train"), drawn.split("validation")
    views = [maker.store.read(recording, view) for recording in train for view in range(3)]
    assert {view.maps_TCHW.shape for view in views} == {(6, 32, 2, 2)}
    assert 0 < sum(view.mirrored for view in views) < len(views)
    assert not torch.equal(views[0].maps_TCHW, views[1].maps_TCHW)
    assert maker.store.find_fault(validation[0], num_views=1) == "incomplete"
    # The same again, whatever else is there.
    maker.store.path_of(train[1]).unlink()
    again = compute_features(config, drawn, tmp_path / "maps", num_views=3)
    assert torch.equal(again.store.read(train[1], 0).maps_TCHW, views[3].maps_TCHW)


def test_segments_of_streams_are_clips_and_the_unlabelled_are_passed_over(tmp_path: Path, drawn: Dataset) -> None:
    first, second, third, *_ = drawn.split("train")
    listed = (first, replace(second, label=None), replace(third, end_s=0.2), first)
    few = replace(drawn, recordings={"train": listed, "test": (first,)})
    maker = compute_features(frozen_config(tmp_path), few, tmp_path / "maps", num_views=1)
    assert maker.survey() == ([], 2)
    assert maker.store.find_fault(first, num_views=1) is None


def test_what_cannot_be_read_is_told_and_stops_nothing(tmp_path: Path, drawn: Dataset) -> None:
    bad = drawn.split("train")[1]
    dataset = with_unreadable(drawn, bad)
    maker = FeatureMaker(frozen_config(tmp_path), dataset, tmp_path / "maps")
    done = maker.compute(maker.survey().wanted)
    assert done.num_computed == 47
    assert done.unread == (f"{bad.key}: {bad.path}: ends in the middle",)
    assert [each.recording for each in maker.survey().wanted] == [bad]


def test_an_estimate_writes_nothing(tmp_path: Path, drawn: Dataset) -> None:
    folder = tmp_path / "new" / "maps"
    maker = FeatureMaker(frozen_config(tmp_path), drawn, folder, numbers="float16", num_views=1)
    estimate = maker.estimate(maker.survey().wanted)
    assert estimate.num_bytes == (48 + 24) * 6 * 32 * 2 * 2 * 2
    assert estimate.free_bytes > 0
    assert estimate.seconds is not None
    assert estimate.seconds > 0
    assert not folder.parent.exists()
    unreadable = with_unreadable(drawn, *drawn.all_recordings())
    unknown = FeatureMaker(frozen_config(tmp_path), unreadable, folder)
    assert unknown.estimate(unknown.survey().wanted).seconds is None


class Usage(NamedTuple):
    free: int


def test_a_disk_that_is_too_small_is_refused_before_anything_is_computed(
    tmp_path: Path, drawn: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker = FeatureMaker(frozen_config(tmp_path), drawn, tmp_path / "maps")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1000))
    with pytest.raises(DataError, match=r"need 0\.0 GB, 0\.0 GB are free\n  hint: .* --numbers float16"):
        maker.compute(maker.survey().wanted)
    assert list((tmp_path / "maps").iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "how", "message"),
    [
        ({"clip.num_frames": 4}, {}, r"clip\.num_frames: 6 there, 4 wanted\n  hint: give another --out"),
        ({"model.backbone.width": 0.125}, {}, r"backbone\.width: 0\.0625 there, 0\.125 wanted"),
        ({}, {"num_views": 1}, r"num_views: 0 there, 1 wanted"),
        ({}, {"numbers": "float16"}, r"keeps float32\n  hint: --numbers float32"),
    ],
)
def test_a_folder_of_other_features_is_refused(
    tmp_path: Path, drawn: Dataset, changes: dict[str, Any], how: dict[str, Any], message: str
) -> None:
    few = replace(drawn, recordings={"train": drawn.split("train")[:1]})
    compute_features(frozen_config(tmp_path), few, tmp_path / "maps")
    config = frozen_config(tmp_path, changes)
    if "model.backbone.width" in changes:
        torch.save(VGG16Config(width=0.125).build(3).state_dict(), tmp_path / "vgg0.pth")
    with pytest.raises(DataError, match=message):
        FeatureMaker(config, few, tmp_path / "maps", **how)


def test_other_weights_are_other_features(tmp_path: Path, drawn: Dataset) -> None:
    few = replace(drawn, recordings={"train": drawn.split("train")[:1]})
    maker = compute_features(frozen_config(tmp_path), few, tmp_path / "maps")
    other = {"model.backbone.pretrained": frozen_backbone(tmp_path, seed=1).pretrained}
    with pytest.raises(DataError, match=rf"weights: {maker.manifest.weights} there, [0-9a-f]+ wanted"):
        FeatureMaker(frozen_config(tmp_path, other), few, tmp_path / "maps")


def test_a_folder_of_something_else_is_refused(tmp_path: Path, drawn: Dataset) -> None:
    (tmp_path / "notes.txt").touch()
    for folder in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(DataError, match=rf"holds something already, and no {MANIFEST_NAME}\n  hint: name"):
            FeatureMaker(frozen_config(tmp_path), drawn, folder)


def test_backbones_that_learn_or_hold_chance_are_refused(tmp_path: Path, drawn: Dataset) -> None:
    with pytest.raises(ConfigError, match="the backbone 'vgg16' learns"):
        FeatureMaker(frozen_config(tmp_path, {"model.backbone.frozen": False}), drawn, tmp_path / "maps")
    with pytest.raises(ModelError, match="VGG16 is frozen, and its weights are those of chance"):
        FeatureMaker(frozen_config(tmp_path, {"model.backbone.pretrained": None}), drawn, tmp_path / "maps")
    assert not (tmp_path / "maps").exists()


def test_the_manifest_tells_what_made_the_maps(tmp_path: Path, drawn: Dataset) -> None:
    few = replace(drawn, recordings={"train": drawn.split("train")[:1]})
    config: RunConfig = frozen_config(tmp_path)
    maker = compute_features(config, few, tmp_path / "maps", command="mudra data features x")
    manifest = read_manifest(tmp_path / "maps")
    assert manifest == maker.manifest
    assert (manifest.command, manifest.shape) == ("mudra data features x", (6, 32, 2, 2))
    assert manifest.clip.num_frames == config.clip.num_frames
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == [MANIFEST_NAME, "maps"]
