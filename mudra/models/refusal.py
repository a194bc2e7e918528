"""What networks of clips refuse alike: missing numbers, clips of another shape, statistics of recomputed steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor, nn

from mudra.errors import ConfigError, ModelError

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class KnownSizes(NamedTuple):
    """What a data set says of a network.

    Args:
        num_classes: Classes (K).
        in_channels: Channels of the clip (C).
    """

    num_classes: int
    in_channels: int


def require_sizes(num_classes: int | None, in_channels: int | None) -> KnownSizes:
    """Return both, once they are known.

    Raises:
        ModelError: If one is None.

    Example:
        >>> require_sizes(5, 3)
        KnownSizes(num_classes=5, in_channels=3)
    """
    if num_classes is None or in_channels is None:
        missing = "num_classes" if num_classes is None else "in_channels"
        raise ModelError(
            f"the network cannot be built: {missing} is not known",
            hint=f"set model.{missing}, or train on a data set, which says it",
        )
    return KnownSizes(num_classes, in_channels)


def refuse_recomputed_statistics(layers: Mapping[str, nn.Module]) -> None:
    """Refuse recurrent layers whose steps, run again some frames at a time, would give other gradients.

    Batch normalisation takes its statistics over all frames that it sees at once, and keeps a mean of them: it would
    see fewer, and count them twice.

    Args:
        layers: The layers whose steps are to be recomputed, by the names that their configs have.

    Raises:
        ConfigError: If one of them normalises over the batch.

    Example:
        >>> refuse_recomputed_statistics({"cells.0": nn.Conv2d(3, 8, 3)})
    """
    for name, layer in layers.items():
        if any(isinstance(module, BATCH_NORMS) for module in layer.modules()):
            raise ConfigError(
                f"recompute_steps runs steps again, a few frames at a time, and {name} has batch normalisation, whose "
                "statistics, and so the gradients, would be others",
                hint=f"set recompute_steps=false, or {name}.normalisation=none",
            )


def check_clip(clip_BTCHW: Tensor, in_channels: int) -> None:
    """Refuse clips of another shape than a network takes.

    Raises:
        ModelError: If the clip has another number of axes or channels.
    """
    if clip_BTCHW.ndim != 5 or clip_BTCHW.shape[2] != in_channels:
        raise ModelError(
            f"the network got a clip of shape {tuple(clip_BTCHW.shape)}; "
            f"wanted (B, T, {in_channels}, H, W): time stands before channels"
        )
