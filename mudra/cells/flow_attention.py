"""Flow attention: a mask for each chosen kernel, made of optical flow, on what that kernel sees of its input.

Source: Agethen and Hsu 2019, section III-D and figure 5.
Differs: nothing. The size of the masks' own kernels is not in the text; it is that of the kernel which the mask is for.

    m_k = sigma(W_mk * F_t + b_mk)
    X_tk = m_k . X_t

F_t are the flow's features at frame t, `*` a 2-D convolution that keeps H and W. A mask has as many channels as X_t. It
acts on input convolutions alone, never on hidden ones.

The features come as the last channels of the maps themselves: a cell gets X_t and F_t joined along the channels, so
that whatever feeds, cuts and streams maps needs to know nothing of flow.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from mudra.cells.cell import Initialisation, per_frame
from mudra.cells.interleave import build_conv
from mudra.errors import ConfigError


class FlowAttention(nn.Module):
    """What each of several kernels sees of maps that carry flow features behind their own channels.

    Args:
        in_channels: Channels of the maps, flow and all.
        flow_channels: How many of them, the last ones, are flow features; 0 for none, and then no masks.
        kernel_sizes: Sides of the kernels that see the maps.
        masked_kernels: The sides of those that see them through a mask; None for all.
        initialisation: `paper` or `pytorch`.

    Raises:
        ConfigError: If flow leaves no channel for the maps, `masked_kernels` is empty, or a mask is wanted for a kernel
            that is not there or without flow.

    Example:
        >>> import torch
        >>> attention = FlowAttention(in_channels=18, flow_channels=2, kernel_sizes=(5, 7), masked_kernels=(7,))
        >>> [tuple(seen.shape) for seen in attention(torch.zeros(1, 4, 18, 8, 9))]
        [(1, 4, 16, 8, 9), (1, 4, 16, 8, 9)]
        >>> list(attention.masks(torch.zeros(1, 4, 18, 8, 9)))
        [1]
    """

    def __init__(
        self,
        *,
        in_channels: int,
        flow_channels: int,
        kernel_sizes: Sequence[int],
        masked_kernels: Sequence[int] | None = None,
        initialisation: Initialisation = "paper",
    ) -> None:
        super().__init__()
        if not 0 <= flow_channels < in_channels:
            raise ConfigError(
                f"flow_channels is {flow_channels} of {in_channels} channels that come in",
                hint="in_channels counts maps and flow features together; at least one channel must be the maps'",
            )
        if masked_kernels is not None and not masked_kernels:
            raise ConfigError(
                "masked_kernels is empty: no kernel would see its input through a mask",
                hint="leave masked_kernels out for masks on all kernels; for none, leave flow out: flow_channels=0",
            )
        unknown = sorted(set(masked_kernels or ()) - set(kernel_sizes))
        if unknown:
            raise ConfigError(f"masked_kernels names {unknown[0]}; the kernels have the sizes {tuple(kernel_sizes)}")
        if masked_kernels and not flow_channels:
            raise ConfigError("masked_kernels is given, but flow_channels is 0: masks are made of flow")
        self.num_kernels = len(kernel_sizes)
        self.flow_channels = flow_channels
        self.x_channels = in_channels - flow_channels
        wanted = () if not flow_channels else kernel_sizes if masked_kernels is None else masked_kernels
        # By the kernel's place among all, as two kernels may have one size.
        self.to_mask = nn.ModuleDict(
            {
                str(place): nn.Sequential(
                    build_conv(
                        flow_channels, self.x_channels, size, bias=True, initialisation=initialisation, num_gates=1
                    ),
                    nn.Sigmoid(),
                )
                for place, size in enumerate(kernel_sizes)
                if size in wanted
            }
        )

    def masks(self, x_BTCHW: Tensor) -> dict[int, Tensor]:
        """Return the masks (B, T, C, H, W) in [0, 1] by the place of their kernel, C without the flow features."""
        flow_BTCHW = x_BTCHW[:, :, self.x_channels :]
        return {int(place): per_frame(to_mask, flow_BTCHW) for place, to_mask in self.to_mask.items()}

    def forward(self, x_BTCHW: Tensor) -> tuple[Tensor, ...]:
        """Return the maps (B, T, C, H, W) that each kernel sees, C without the flow features."""
        masks = self.masks(x_BTCHW)
        x_BTCHW = x_BTCHW[:, :, : self.x_channels]
        return tuple(x_BTCHW * masks[place] if place in masks else x_BTCHW for place in range(self.num_kernels))
