"""What a data set decides of a run: classes, channels, mirroring, and whether there is depth to learn."""

from __future__ import annotations

from collections.abc import Callable

from mudra.datasets import Dataset
from mudra.datasets.dataset import shorten
from mudra.errors import ConfigError, DataError
from mudra.models import FrameWiseNetConfig, FutureNetConfig, GestureNetConfig
from mudra.training.config import RunConfig
from mudra.training.frame_data import refuse_unfit_clips
from mudra.training.future_data import resolve_future
from mudra.types import Stream


def resolve(config: RunConfig, dataset: Dataset, *, tell: Callable[[str], None]) -> RunConfig:
    """Fill in what the data set decides: classes, channels, mirroring, and whether there is depth to learn.

    Raises:
        ConfigError: If the network was told another number of channels than the clip's streams have, or has a decoder
            and nothing to learn with it, or labels frames and the clips are of no use for that.
        DataError: If a recording lacks a stream that the clips are made of.
    """
    if isinstance(config.model, FutureNetConfig):
        return resolve_future(config)
    if isinstance(config.model, FrameWiseNetConfig):
        refuse_unfit_clips(config.clip, config.model)
    _refuse_missing_streams(config, dataset)
    num_classes, channels = len(dataset.card.classes), config.clip.num_channels
    if config.model.num_classes not in (None, num_classes):
        tell(f"the head is built for the {num_classes} classes of {dataset.card.name}, not {config.model.num_classes}")
    if config.model.in_channels not in (None, channels):
        streams = ", ".join(stream.value for stream in config.clip.streams)
        raise ConfigError(
            f"model.in_channels is {config.model.in_channels}, the clip's streams ({streams}) have {channels}",
            hint=f"leave model.in_channels out, or set it to {channels}",
        )
    if config.loader.features is not None:
        unused = "clip.augmentation and chance in clip.sampling have no part in it"
        tell(f"trained on the maps in {config.loader.features}: {unused}")
    elif config.clip.mirror == "labels" and config.clip.augmentation.mirror_probability > 0:
        tell(dataset.card.explain_mirror())
    model = config.model.model_copy(update={"num_classes": num_classes, "in_channels": channels})
    return _resolve_target(config.model_copy(update={"model": model}), dataset)


def _refuse_missing_streams(config: RunConfig, dataset: Dataset) -> None:
    """Say before training what the first clip of such a recording would say in the middle of it."""
    if dataset.source is not None:
        return
    used = [r for split in ("train", "validation") for r in dataset.recordings.get(split, ())]
    for stream in config.clip.streams:
        lacking = [r.path.name for r in used if r.path_of(stream) is None]
        if lacking:
            raise DataError(
                f"{len(lacking)} of {len(used)} recordings of {dataset.card.name} have no {stream.value}, which the "
                f"clips are made of: {shorten(lacking)}",
                hint="get their files, leave them out of the data, or choose other clip.streams",
            )


def _resolve_target(config: RunConfig, dataset: Dataset) -> RunConfig:
    """Refuse a decoder without depth; without a decoder, no depth is read."""
    if not isinstance(config.model, GestureNetConfig) or config.model.decoder is None:
        return config.model_copy(update={"clip": config.clip.model_copy(update={"target": None})})
    if config.clip.target is None:
        raise ConfigError(
            "the network has a decoder, which learns depth, and clip.target does not say which depth is 0 and which 1",
            hint="for example clip.target={far_mm: 2000, reversed: true}; or leave the decoder out: model.decoder=null",
        )
    train = dataset.recordings.get("train", ())
    if train and not any(recording.path_of(Stream.DEPTH) for recording in train):
        raise ConfigError(
            f"the network has a decoder, which learns depth, and no training recording of {dataset.card.name} has any",
            hint="give the recordings' depth files, or leave the decoder out: model.decoder=null",
        )
    return config
