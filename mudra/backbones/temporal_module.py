"""The contract of temporal modules: what lets the frames of a 2-D network see one another.

A module stands at the head of a residual branch. It takes and returns maps with the frames folded into the batch,
(B * T, C, H, W), and is told how many frames a clip has, so that clips of any length can be taken.

Shape letters: B clips, or clips times frames where only C, H, W follow; T frames, C channels, H W cells of a map.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from mudra.errors import ModelError

REDUCTION = 16  # channels of a squeezed branch: a sixteenth (Li et al. 2020; Wang et al. 2021)


class TemporalModule(nn.Module, ABC):
    """Mixes the frames of a clip, keeping the maps' shape.

    Args:
        in_channels: Channels of the maps (C).
    """

    is_causal = False
    """Whether no frame sees a later one, so that a stream can go on from what `remember` kept."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels

    @abstractmethod
    def forward(self, x_BCHW: Tensor, num_frames: int, before_BCHW: Tensor | None = None) -> Tensor:
        """Return the mixed maps.

        Args:
            x_BCHW: Maps of all frames, clip by clip, shape (B * T, C, H, W).
            num_frames: Frames of a clip (T).
            before_BCHW: What `remember` kept of the piece before, of causal modules; None at a clip's start.
        """

    def lead_into(self, layer: nn.Module, x_BCHW: Tensor, num_frames: int, before_BCHW: Tensor | None = None) -> Tensor:
        """Return what the layer behind makes of the mixed maps; modules that know a faster way take it.

        Args:
            layer: What the branch begins with.
            x_BCHW, num_frames, before_BCHW: As `forward` takes them.
        """
        made_BCHW: Tensor = layer(self(x_BCHW, num_frames, before_BCHW))
        return made_BCHW

    def remember(self, x_BCHW: Tensor, num_frames: int) -> Tensor:
        """Return what the next piece of a stream needs of this one's maps.

        Raises:
            ModelError: If the module looks ahead, so that it cannot go on from the past alone.
        """
        raise ModelError(
            f"{type(self).__name__} sees the frames to come: it cannot go on from those before",
            hint="give whole clips, or take a shift with direction=past",
        )


def split_frames(x_BCHW: Tensor, num_frames: int) -> Tensor:
    """Return maps of all frames, clip by clip, as maps of clips, (B, T, ...), without a copy.

    Example:
        >>> import torch
        >>> split_frames(torch.zeros(6, 4, 8, 8), 3).shape
        torch.Size([2, 3, 4, 8, 8])
    """
    return x_BCHW.view(-1, num_frames, *x_BCHW.shape[1:])


def reduced_channels(in_channels: int) -> int:
    """Return the channels of a squeezed branch: a sixteenth, at least one.

    Example:
        >>> reduced_channels(64), reduced_channels(104), reduced_channels(8)
        (4, 6, 1)
    """
    return max(1, in_channels // REDUCTION)
