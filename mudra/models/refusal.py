"""What networks of clips refuse alike: configs without the numbers that a data set fills in, clips of another shape."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from mudra.errors import ModelError


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
