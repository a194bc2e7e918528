"""What a folder of cached maps is of: the clips, the frozen backbone and its weights, beside the maps in features.json.

    clip_BTCHW -> frozen backbone -> maps_BTCHW     computed once, and kept: mudra data features
                  maps_BTCHW -> cells, top, head    trained on them: loader.features

Maps of other clips or of another backbone would train a network on what it never sees again; they are refused.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from pydantic import NonNegativeInt, PositiveInt
from torch import nn

from mudra.backbones import AnyBackboneConfig
from mudra.clips import Augmentation, ClipSpec
from mudra.config import Config
from mudra.errors import ConfigError, DataError, nearest_name
from mudra.models import AnyModelConfig, GestureNetConfig, RecurrentFrameNetConfig
from mudra.models.assembly import widen

if TYPE_CHECKING:
    from mudra.training.config import RunConfig

MANIFEST_NAME = "features.json"
# Raise when clips or maps are made or kept differently: older maps are then refused.
FEATURES_VERSION = 1
Numbers = Literal["float32", "float16"]
NUM_SHOWN = 6  # differences that are named one by one
# What may differ between folders whose maps are the same: how they are kept, and who made them.
ABOUT_THE_FOLDER = {"numbers", "shape", "mudra", "command"}


class FeatureManifest(Config):
    """What the maps of a folder are of."""

    version: PositiveInt = FEATURES_VERSION
    """Version of the folder's form."""
    clip: ClipSpec
    """How recordings became test clips, one of each."""
    drawn_clip: ClipSpec | None = None
    """How further views of training recordings were drawn; None where there are none."""
    num_views: NonNegativeInt = 0
    """Drawn views of every training recording."""
    backbone: AnyBackboneConfig
    """The frozen backbone, as wide as it was in its network."""
    flow_channels: NonNegativeInt = 0
    """Channels of flow behind the backbone's maps."""
    weights: str
    """Digest of the backbone's weights."""
    numbers: Numbers = "float32"
    """What the maps are kept as."""
    shape: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt]
    """Shape of a test clip's maps (T, C, H, W)."""
    mudra: str
    """Version of the program that computed them."""
    command: str = ""
    """The command that computed them, and computes those that are missing."""


def frozen_backbone(model: AnyModelConfig) -> AnyBackboneConfig:
    """Return the config of a network's frozen backbone.

    Raises:
        ConfigError: If the network has none, or parts that look at more than its last maps.
    """
    if not isinstance(model, GestureNetConfig | RecurrentFrameNetConfig):
        raise ConfigError(
            f"model.kind is {model.kind!r}, whose maps cannot be kept: it does not see one clip of each recording",
            hint="take a gesture_net or a recurrent_frame_net; or train without: loader.features=null",
        )
    if not getattr(model.backbone, "frozen", False):
        raise ConfigError(
            f"the backbone {model.backbone.kind!r} learns, so that its maps change with every step and cannot be kept",
            hint="freeze it: model.backbone.frozen=true"
            if "frozen" in type(model.backbone).model_fields
            else "vgg16 and i3d can be frozen; or train without: loader.features=null",
        )
    if isinstance(model, GestureNetConfig) and model.decoder is not None:
        raise ConfigError(
            "the network has a decoder, which looks at the backbone's first stage; its last maps alone can be kept",
            hint="leave the decoder out: model.decoder=null; or train without: loader.features=null",
        )
    return model.backbone


def describe_features(
    config: RunConfig,
    *,
    weights: str,
    shape: tuple[int, int, int, int],
    num_views: int = 0,
    numbers: str = "float32",
    command: str = "",
) -> FeatureManifest:
    """Return what the maps of a run's recordings are of.

    Args:
        config: The run; its network knows its channels.
        weights: Digest of the backbone's weights.
        shape: Shape of a test clip's maps (T, C, H, W).
        num_views: Drawn views of every training recording.
        numbers: `float32` or `float16`.
        command: The command that computes them.

    Raises:
        ConfigError: As `frozen_backbone`, or if there are no such `numbers`.
    """
    backbone = frozen_backbone(config.model)
    assert isinstance(config.model, GestureNetConfig | RecurrentFrameNetConfig)
    if numbers not in get_args(Numbers):
        raise ConfigError(f"numbers are {numbers!r}", hint=nearest_name(numbers, get_args(Numbers)))
    flow_channels = config.model.flow_channels
    # The digest tells of the weights, wherever they were read.
    own = {"in_channels": config.clip.num_channels - flow_channels, "pretrained": None}
    values: dict[str, Any] = {
        "clip": feature_clip(config.clip),
        "drawn_clip": drawn_clip(config.clip) if num_views else None,
        "num_views": num_views,
        "backbone": widen(backbone, config.model.width).model_copy(update=own),
        "flow_channels": flow_channels,
        "weights": weights,
        "numbers": numbers,
        "shape": shape,
        "mudra": importlib.metadata.version("mudra"),
        "command": command,
    }
    return FeatureManifest(**values)


def feature_clip(spec: ClipSpec) -> ClipSpec:
    """Return how a recording's test clip is made: one, from its middle, without what training alone needs.

    Example:
        >>> feature_clip(ClipSpec(crop="corners", num_test_clips=10)) == feature_clip(ClipSpec(mirror="never"))
        True
    """
    fresh = ClipSpec.model_fields
    ignored = ("crop_scales", "mirror", "num_test_clips", "num_test_crops", "test_clips")
    update = {name: fresh[name].default for name in ignored}
    return spec.for_tests().model_copy(update={**update, "augmentation": Augmentation()})


def drawn_clip(spec: ClipSpec) -> ClipSpec:
    """Return how a training clip is drawn, without what tests alone need."""
    ignored = ("num_test_clips", "num_test_crops", "test_clips", "test_size", "target")
    return spec.model_copy(update={name: ClipSpec.model_fields[name].default for name in ignored})


def digest_weights(backbone: nn.Module) -> str:
    """Return a digest of a backbone's weights and running statistics, the same on every machine.

    Example:
        >>> import torch
        >>> _ = torch.manual_seed(0)
        >>> digest_weights(nn.Linear(2, 2)) == digest_weights(nn.Linear(2, 2))
        False
    """
    digest = hashlib.blake2b(digest_size=16)
    for name, value in sorted(backbone.state_dict().items()):
        if name.endswith("num_batches_tracked"):  # a count that no map depends on
            continue
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        digest.update(np.ascontiguousarray(value.detach().cpu().numpy()).data)
    return digest.hexdigest()


def read_manifest(folder: Path) -> FeatureManifest:
    """Return what the maps of a folder are of.

    Raises:
        DataError: If it holds no maps, or its manifest is damaged.
    """
    path = folder / MANIFEST_NAME
    try:
        return FeatureManifest.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        there = "no such folder" if not folder.is_dir() else f"{MANIFEST_NAME} is not there"
        raise DataError(
            f"{folder}: no folder of features ({there})",
            hint=f"compute them first: mudra data features RECIPE key=value --out {folder}",
        ) from None
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"{path}: damaged ({reason})", hint="remove the folder and compute the features again"
        ) from None


def list_differences(there: FeatureManifest, wanted: FeatureManifest) -> list[str]:
    """Return where the maps of a folder are of something else than wanted, a line for each; nothing if they fit."""
    ignored = set(ABOUT_THE_FOLDER)
    if there.drawn_clip is None or wanted.drawn_clip is None:
        ignored.add("drawn_clip")  # the number of views says enough
    theirs, ours = (dict(_flatten(each.model_dump(mode="json", exclude=ignored))) for each in (there, wanted))
    return [
        f"{name}: {theirs.get(name, 'none')} there, {ours.get(name, 'none')} wanted"
        for name in dict.fromkeys([*ours, *theirs])
        if theirs.get(name) != ours.get(name)
    ]


def refuse_differences(folder: Path, there: FeatureManifest, wanted: FeatureManifest, *, hint: str) -> None:
    """Refuse a folder whose maps are of something else than wanted.

    Raises:
        DataError: If they are; the message says what differs.
    """
    found = list_differences(there, wanted)
    if not found:
        return
    more = [f"... and {len(found) - NUM_SHOWN} more"] if len(found) > NUM_SHOWN else []
    listed = "\n  ".join([*found[:NUM_SHOWN], *more])
    raise DataError(f"{folder}: its features are of other clips or of another backbone:\n  {listed}", hint=hint)


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
