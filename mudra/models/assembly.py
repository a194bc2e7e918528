"""What networks that are put together of parts have in common: how a part's config is filled in."""

from __future__ import annotations

from typing import TypeVar

from mudra.backbones import scale_channels
from mudra.cells import AnyVectorLayerConfig, VectorCell, WholeSequenceLayer
from mudra.config import Config
from mudra.errors import ModelError

PartConfig = TypeVar("PartConfig", bound=Config)


def widen(config: PartConfig, width: float) -> PartConfig:
    """Return a part's config with its own width times the network's, where it has one.

    Example:
        >>> from mudra.backbones import Res3DConfig
        >>> widen(Res3DConfig(width=0.5), 0.25).width
        0.125
    """
    own = getattr(config, "width", None)
    return config if own is None else config.model_copy(update={"width": own * width})


def scale_hidden(wanted: int | tuple[int, ...] | None, coming: int, width: float) -> int | tuple[int, ...]:
    """Return a cell's hidden channels, together or of each of its kernels, times the network's width.

    Args:
        wanted: What its config says; None for as many as come in.
        coming: Channels that come in, scaled already.
        width: The network's factor.

    Example:
        >>> scale_hidden((64, 128), 32, 0.25), scale_hidden(None, 32, 0.25)
        ((16, 32), 32)
    """
    if wanted is None:
        return coming
    if isinstance(wanted, int):
        return scale_channels(wanted, width)
    return tuple(scale_channels(channels, width) for channels in wanted)


def check_channels(part: str, named: int | None, coming: int) -> None:
    """Refuse a config that names other channels than come in.

    Raises:
        ModelError: If it does.
    """
    if named not in (None, coming):
        raise ModelError(
            f"{part}.in_channels is {named}, but {coming} channels come in",
            hint=f"leave {part}.in_channels out: the network fills it in",
        )


def build_vector_layers(
    part: str, configs: tuple[AnyVectorLayerConfig, ...], features: int, *, width: float
) -> list[VectorCell | WholeSequenceLayer]:
    """Return recurrent layers over vectors, what their configs leave out filled in.

    Args:
        part: Their name in the network, for messages.
        configs: First to last.
        features: Features that come in.
        width: The network's factor on hidden features.

    Raises:
        ModelError: If a config names other features than come in.
    """
    layers: list[VectorCell | WholeSequenceLayer] = []
    for index, config in enumerate(configs):
        if config.in_features not in (None, features):
            place = f"{part}.{index}.in_features"
            raise ModelError(
                f"{place} is {config.in_features}, but {features} come in",
                hint=f"leave {place} out: the network fills it in",
            )
        hidden = features if config.hidden_features is None else scale_channels(config.hidden_features, width)
        layers.append(config.model_copy(update={"in_features": features, "hidden_features": hidden}).build())
        features = layers[-1].hidden_features
    return layers
