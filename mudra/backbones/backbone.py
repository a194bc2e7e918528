"""The contract of every backbone: frames or maps in, maps out, one axis order.

Shape letters: B clips, T frames, C channels in, D channels out, H W pixels or cells of a map.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor, nn

from mudra.errors import ModelError

# Keras' batch normalisation, which the released code was trained with: eps, and PyTorch's momentum = 1 - Keras'.
KERAS_NORM_EPS = 1e-3
KERAS_NORM_MOMENTUM = 0.01


BackboneState = tuple[Tensor, ...]


class Taps(NamedTuple):
    """What a backbone's training-time decoders look at.

    Args:
        stem_BTCHW: Maps of its first stage, at a quarter of the clip's height and width.
        maps_BTCHW: Maps that `forward` returns.
    """

    stem_BTCHW: Tensor
    maps_BTCHW: Tensor


class StreamedMaps(NamedTuple):
    """Maps of one piece of a stream, and what the backbone keeps for the next piece.

    Args:
        maps_BTCHW: The piece's maps.
        state: Give it to the call for the next piece.
    """

    maps_BTCHW: Tensor
    state: BackboneState


class Backbone(nn.Module, ABC):
    """Clips or maps (B, T, C, H, W) into maps (B, T', D, H', W').

    Args:
        in_channels: Channels that come in.
        out_channels: Channels that go out.
        time_stride: Frames that become one: T' is T / time_stride, rounded up.
    """

    stem_channels: int | None = None
    """Channels of `Taps.stem_BTCHW`; None where there is no such stage."""
    is_causal: bool = False
    """Whether every frame has its maps and no map depends on a later frame: streams are computed exactly."""

    def __init__(self, *, in_channels: int, out_channels: int, time_stride: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.time_stride = time_stride

    @abstractmethod
    def forward(self, x_BTCHW: Tensor) -> Tensor:
        """Return the maps of the clips."""

    def forward_taps(self, x_BTCHW: Tensor) -> Taps:
        """Return the maps of the clips, and those of the first stage.

        Raises:
            ModelError: If the backbone has no stage that keeps every frame at a quarter of its size.
        """
        raise ModelError(
            f"{type(self).__name__} has no first stage that keeps every frame at a quarter of its size",
            hint="take a 2-D backbone (resnet, res2net, mobile_net_v2), or no decoder",
        )

    def forward_stream(self, x_BTCHW: Tensor, state: BackboneState | None = None) -> StreamedMaps:
        """Return the maps of one piece of a stream, and what is kept for the next piece.

        A backbone that is not causal keeps nothing: it sees every piece by itself, with zeros beyond its ends.

        Args:
            x_BTCHW: The piece, T >= 1.
            state: What the piece before returned; None at the beginning of a video.

        Raises:
            ModelError: If the state is of another backbone.
        """
        return StreamedMaps(self(x_BTCHW), ())

    def name_as_ours(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return weights of another program's checkpoint of the same network under the names of ours."""
        return dict(weights)

    def load_pretrained(self) -> None:
        """Load the published weights that training starts from, where the config names any.

        Called once, when training starts; building reads no file, so that a finished run needs none.
        """


def scale_channels(channels: int, width: float) -> int:
    """Return `channels` times `width`, rounded to a multiple of 8 (never below 8) unless the width is 1.

    Multiples of 8 fill the vector registers of the convolutions.

    Example:
        >>> scale_channels(64, 0.3), scale_channels(100, 1.0)
        (16, 100)
    """
    return channels if width == 1.0 else max(8, round(channels * width / 8) * 8)
