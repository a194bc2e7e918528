"""What cached maps are of: differences are named by their keys, and what changes no map is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from mudra.backbones import I3DConfig
from mudra.clips import ClipSpec, DepthTarget
from mudra.errors import ConfigError, DataError
from mudra.heads import MultiScaleDecoderConfig
from mudra.models import FrameWiseNetConfig, GestureNetConfig, RecurrentFrameNetConfig
from mudra.training.feature_manifest import (
    MANIFEST_NAME,
    NUM_SHOWN,
    FeatureManifest,
    describe_features,
    digest_weights,
    drawn_clip,
    feature_clip,
    frozen_backbone,
    list_differences,
    read_manifest,
    refuse_differences,
)
from tests.fixtures.features import frozen_config

SHAPE = (6, 32, 2, 2)


def describe(folder: Path, changes: dict[str, Any] | None = None, **how: Any) -> FeatureManifest:
    return describe_features(frozen_config(folder, changes), **{"weights": "abc", "shape": SHAPE, **how})


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (RecurrentFrameNetConfig(), r"the backbone 'vgg16' learns.*\n  hint: freeze it: model\.backbone\.frozen=true"),
        (GestureNetConfig(), r"the backbone 'res3d' learns.*\n  hint: vgg16 and i3d can be frozen"),
        (FrameWiseNetConfig(), r"model\.kind is 'frame_wise_net'.*\n  hint: .*loader\.features=null"),
        (
            GestureNetConfig(backbone=I3DConfig(frozen=True), decoder=MultiScaleDecoderConfig()),
            r"the network has a decoder.*\n  hint: .*model\.decoder=null",
        ),
    ],
)
def test_networks_whose_maps_change_are_refused(model: Any, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        frozen_backbone(model)


def test_it_tells_of_the_backbone_as_it_is_in_its_network(tmp_path: Path) -> None:
    flow = {"clip.streams": ["rgb", "flow"], "model.flow_channels": 2}
    manifest = describe(tmp_path, {"model.width": 0.5, **flow})
    assert manifest.backbone.kind == "vgg16"
    assert (manifest.backbone.width, manifest.backbone.in_channels) == (0.03125, 3)
    # Weights that were moved to another place are the same.
    assert manifest.backbone.pretrained is None
    assert manifest.flow_channels == 2
    assert manifest.drawn_clip is None


def test_other_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"numbers are 'float8'\n  hint: did you mean 'float"):
        describe(tmp_path, numbers="float8")


def test_what_training_alone_needs_makes_no_other_test_clips() -> None:
    spec = ClipSpec(crop="corners", test_size=(128, 128))
    for changes in (
        {"augmentation": {"rotation_deg": 9.0}},
        {"mirror": "never", "num_test_clips": 3, "test_clips": "random"},
        {"target": DepthTarget(), "crop_scales": [1.0]},
    ):
        assert feature_clip(ClipSpec.model_validate({**spec.model_dump(), **changes})) == feature_clip(spec)
    assert feature_clip(spec).size == (128, 128)
    for other in ({"num_frames": 8}, {"test_size": (96, 96)}, {"streams": ("depth",)}, {"sampling": "dense"}):
        assert feature_clip(spec.with_overrides(other)) != feature_clip(spec)
    assert drawn_clip(spec.with_overrides({"num_test_clips": 3})) == drawn_clip(spec)
    assert drawn_clip(spec.with_overrides({"augmentation.rotation_deg": 9.0})) != drawn_clip(spec)


def test_the_digest_is_of_weights_and_statistics_alone() -> None:
    torch.manual_seed(1)
    backbone = I3DConfig(width=0.125, endpoint="mixed_3c").build(3)
    first = digest_weights(backbone)
    state = backbone.state_dict()
    state["Conv3d_1a_7x7.bn.num_batches_tracked"] += 1
    assert digest_weights(backbone) == first
    state["Conv3d_1a_7x7.bn.running_mean"][0] += 1e-3
    second = digest_weights(backbone)
    state["Mixed_3c.b0.conv3d.weight"][0] *= -1
    assert len({first, second, digest_weights(backbone)}) == 3


def test_differences_are_named_by_their_keys(tmp_path: Path) -> None:
    here = describe(tmp_path)
    assert list_differences(here, describe(tmp_path, numbers="float16", command="mudra data features x")) == []
    changes = {"clip.num_frames": 7, "model.backbone.width": 0.25}
    assert list_differences(here, describe(tmp_path, changes, weights="abd")) == [
        "clip.num_frames: 6 there, 7 wanted",
        "backbone.width: 0.0625 there, 0.25 wanted",
        "weights: abc there, abd wanted",
    ]
    views = describe(tmp_path, num_views=2)
    assert list_differences(here, views) == ["num_views: 0 there, 2 wanted"]
    turned = describe(tmp_path, {"clip.augmentation.rotation_deg": 5.0}, num_views=2)
    assert list_differences(views, turned) == ["drawn_clip.augmentation.rotation_deg: 0.0 there, 5.0 wanted"]
    assert list_differences(here, describe(tmp_path, {"clip.augmentation.rotation_deg": 5.0})) == []


def test_a_folder_of_other_maps_is_refused_with_what_differs(tmp_path: Path) -> None:
    here = describe(tmp_path)
    refuse_differences(tmp_path, here, here, hint="nothing to mend")
    with pytest.raises(DataError, match=r"of another backbone:\n  weights: abc there, x wanted\n  hint: mend it"):
        refuse_differences(tmp_path, here, describe(tmp_path, weights="x"), hint="mend it")
    clip = {"num_frames": 9, "size": [8, 8], "max_frames": 30, "crop": "stretch", "region_margin_fraction": 0.3}
    changes = {f"clip.{name}": value for name, value in clip.items()}
    other = describe(tmp_path, {**changes, "model.width": 3.0}, weights="x")
    assert len(list_differences(here, other)) == NUM_SHOWN + 1
    with pytest.raises(DataError, match=r"\n  backbone\.width: .*\n  \.\.\. and 1 more\n  hint: mend it"):
        refuse_differences(tmp_path, here, other, hint="mend it")


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    manifest = describe(tmp_path, num_views=1, command="mudra data features x --out y")
    (tmp_path / MANIFEST_NAME).write_text(manifest.model_dump_json(), encoding="utf-8")
    assert read_manifest(tmp_path) == manifest


def test_a_folder_without_a_good_manifest_is_refused(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    with pytest.raises(DataError, match=rf"no such folder\)\n  hint: .* mudra data features .* --out {gone}"):
        read_manifest(gone)
    with pytest.raises(DataError, match=r"features\.json is not there"):
        read_manifest(tmp_path)
    for text in ("{", "{}"):
        (tmp_path / MANIFEST_NAME).write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match=r"features\.json: damaged .*\n  hint: remove the folder"):
            read_manifest(tmp_path)
