"""Convolution over time alone, at every place of the map: the second half of a factorised 3-D convolution.

Source: Pigou et al. 2015, equation 6, without its activation.
Differs: nothing; `causal` looks at earlier frames alone.

    v_tij^(k) = b^(k) + sum_m (W_temp^(km) * s_ij^(m))_t

It is computed as a 2-D convolution over a picture of T rows and H * W columns: of maps whose channels stand side by
side in memory, that is the same memory in the same order.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mudra.errors import ModelError


class StreamedConv(NamedTuple):
    """What `TemporalConv.forward_stream` returns.

    Args:
        maps_BTDHW: The piece's maps.
        last_BCTP: The frames that the next piece still needs, their places (P) in one row.
    """

    maps_BTDHW: Tensor
    last_BCTP: Tensor


class TemporalConv(nn.Module):
    """A convolution over time that keeps the number of frames; beyond the clip's ends it sees zeros.

    Args:
        in_channels: Channels that come in.
        out_channels: Channels that go out.
        kernel_size: Frames that one output sees; odd.
        causal: Whether the last of them is the output's own frame, and not the middle one.
        bias: Whether a bias is added.

    Example:
        >>> TemporalConv(4, 6)(torch.zeros(2, 5, 4, 8, 8)).shape
        torch.Size([2, 5, 6, 8, 8])
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel_size: int = 3, causal: bool = False, bias: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, (kernel_size, 1), bias=bias)
        self.kernel_size = kernel_size
        self.causal = causal

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        rows_BCTP = _rows(x_BTCHW)
        if self.causal:
            return self._maps(nn.functional.pad(rows_BCTP, (0, 0, self.kernel_size - 1, 0)), x_BTCHW)
        return self._maps(rows_BCTP, x_BTCHW, padding=self.kernel_size // 2)

    def forward_inside(self, x_BTCHW: Tensor, *, dilation: int = 1) -> Tensor:
        """Return maps of those frames alone whose neighbours are all there: T - (kernel_size - 1) dilation of them.

        Args:
            x_BTCHW: Maps.
            dilation: Distance in frames between the neighbours that one output sees.
        """
        return self._maps(_rows(x_BTCHW), x_BTCHW, dilation=dilation)

    def forward_stream(self, x_BTCHW: Tensor, last_BCTP: Tensor | None = None) -> StreamedConv:
        """Return the maps of the next piece of a stream, of a causal convolution.

        Raises:
            ModelError: If `last_BCTP` is of pieces of another shape.
        """
        rows_BCTP = _rows(x_BTCHW)
        num_clips, channels, _, places = rows_BCTP.shape
        wanted = (num_clips, channels, self.kernel_size - 1, places)
        if last_BCTP is None:
            last_BCTP = rows_BCTP.new_zeros(wanted).contiguous(memory_format=torch.channels_last)
        if last_BCTP.shape != wanted:
            raise ModelError(
                f"the state of a temporal convolution has shape {tuple(last_BCTP.shape)}, wanted {wanted}",
                hint="give the state that the piece before returned, or None at the beginning of a video",
            )
        rows_BCTP = torch.cat([last_BCTP, rows_BCTP], dim=2)
        # A copy: a view would hold the whole piece in memory.
        last_BCTP = rows_BCTP[:, :, rows_BCTP.shape[2] - self.kernel_size + 1 :].clone(
            memory_format=torch.channels_last
        )
        return StreamedConv(self._maps(rows_BCTP, x_BTCHW), last_BCTP)

    def _maps(self, rows_BCTP: Tensor, x_BTCHW: Tensor, *, padding: int = 0, dilation: int = 1) -> Tensor:
        rows_BCTP = nn.functional.conv2d(
            rows_BCTP, self.conv.weight, self.conv.bias, padding=(padding, 0), dilation=(dilation, 1)
        )
        return rows_BCTP.view(*rows_BCTP.shape[:3], *x_BTCHW.shape[-2:]).transpose(1, 2)


def convolve_frames(conv: nn.Module, x_BTCHW: Tensor) -> Tensor:
    """Apply a module for pictures to every frame, and leave the channels of each place side by side in memory."""
    maps_NDHW: Tensor = conv(x_BTCHW.flatten(0, 1).contiguous(memory_format=torch.channels_last))
    return maps_NDHW.view(*x_BTCHW.shape[:2], *maps_NDHW.shape[1:])


def _rows(x_BTCHW: Tensor) -> Tensor:
    return x_BTCHW.transpose(1, 2).flatten(3).contiguous(memory_format=torch.channels_last)


def check_state(state: tuple[Tensor, ...] | None, *, num_parts: int) -> None:
    """Refuse the state of another backbone.

    Raises:
        ModelError: If it has another number of parts.
    """
    if state is not None and len(state) != num_parts:
        raise ModelError(
            f"the state of a backbone has {len(state)} parts, wanted {num_parts}",
            hint="give the state that the piece before returned, or None at the beginning of a video",
        )
