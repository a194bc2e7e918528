"""Frame ResNet: residual units of a spatial and a causal temporal convolution, a map for every frame.

Source: ours, after the factorised residual units of Tran et al. 2018, arXiv:1711.11248, section 3.5 (R(2+1)D).
Differs: the convolutions over time look at earlier frames alone and never stride, so that every frame has its map and a
video can be seen piece by piece; the middle channels are as many as come out; far narrower.

    stem: conv 5x5 stride 2 -> norm -> ReLU
    unit: conv 3x3 -> norm -> ReLU -> conv over 3 frames, causal -> norm; plus the input; ReLU
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from mudra.backbones.backbone import Backbone, BackboneState, StreamedMaps, scale_channels
from mudra.backbones.temporal_conv import TemporalConv, check_state, convolve_frames
from mudra.config import Config

CHANNELS = (32, 64, 128, 192)


class FrameResNetConfig(Config):
    """Residual units of spatial and causal temporal convolutions, a map for every frame."""

    kind: Literal["frame_res_net"] = "frame_res_net"

    in_channels: PositiveInt | None = None
    """Channels of the clip (C); None inside a network: as many as the clip has."""
    width: PositiveFloat = 1.0
    """Factor on all channel counts, rounded to multiples of 8."""
    channels: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = CHANNELS
    """Channels of each stage, before `width`; every stage but the first halves the sides."""
    num_units: PositiveInt = 1
    """Residual units of each stage."""
    norm_momentum: Annotated[float, Field(gt=0.0, le=1.0)] = 0.1
    """Share of each batch in the running statistics of batch normalisation."""

    def build(self, in_channels: int | None = None) -> FrameResNet:
        """Return the backbone for clips of `in_channels` channels."""
        return FrameResNet(
            in_channels=in_channels or self.in_channels or 3,
            width=self.width,
            channels=self.channels,
            num_units=self.num_units,
            norm_momentum=self.norm_momentum,
        )


class FactorisedUnit(nn.Module):
    """A residual unit over space and then over time."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int, norm_momentum: float) -> None:
        super().__init__()
        self.spatial = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(out_channels, momentum=norm_momentum),
            nn.ReLU(inplace=True),
        )
        self.temporal = TemporalConv(out_channels, out_channels, causal=True, bias=False)
        self.norm = nn.BatchNorm2d(out_channels, momentum=norm_momentum)
        # The unit starts as its shortcut.
        nn.init.zeros_(self.norm.weight)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False),
                nn.BatchNorm2d(out_channels, momentum=norm_momentum),
            )

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        return self._close(self.temporal(convolve_frames(self.spatial, x_BTCHW)), x_BTCHW)

    def forward_stream(self, x_BTCHW: Tensor, last_BCTP: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the maps of the next piece, and what the piece after it needs."""
        maps_BTDHW, last_BCTP = self.temporal.forward_stream(convolve_frames(self.spatial, x_BTCHW), last_BCTP)
        return self._close(maps_BTDHW, x_BTCHW), last_BCTP

    def _close(self, maps_BTDHW: Tensor, x_BTCHW: Tensor) -> Tensor:
        maps_BTDHW = convolve_frames(self.norm, maps_BTDHW) + convolve_frames(self.shortcut, x_BTCHW)
        return maps_BTDHW.relu_()


class FrameResNet(Backbone):
    """Residual units of spatial and causal temporal convolutions, a map for every frame.

    Args:
        in_channels: Channels of the clip (C).
        width: Factor on all channel counts, rounded to multiples of 8.
        channels: Channels of each stage, before `width`.
        num_units: Residual units of each stage.
        norm_momentum: Share of each batch in the running statistics of batch normalisation.

    Example:
        >>> import torch
        >>> FrameResNet(in_channels=4)(torch.zeros(1, 3, 4, 64, 64)).shape
        torch.Size([1, 3, 192, 4, 4])
    """

    is_causal = True

    def __init__(
        self,
        *,
        in_channels: int = 3,
        width: float = 1.0,
        channels: tuple[int, ...] = CHANNELS,
        num_units: int = 1,
        norm_momentum: float = 0.1,
    ) -> None:
        counts = [scale_channels(count, width) for count in channels]
        super().__init__(in_channels=in_channels, out_channels=counts[-1], time_stride=1)
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, counts[0], 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(counts[0], momentum=norm_momentum),
            nn.ReLU(inplace=True),
        )
        self.units = nn.ModuleList()
        before = counts[0]
        for stage, after in enumerate(counts):
            for index in range(num_units):
                stride = 2 if stage > 0 and index == 0 else 1
                self.units.append(FactorisedUnit(before, after, stride=stride, norm_momentum=norm_momentum))
                before = after
        for conv in (module for module in self.modules() if isinstance(module, nn.Conv2d)):
            nn.init.kaiming_normal_(conv.weight, mode="fan_in", nonlinearity="relu")

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        x_BTCHW = convolve_frames(self.stem, x_BTCHW)
        for unit in self.units:
            x_BTCHW = unit(x_BTCHW)
        return x_BTCHW

    def forward_stream(self, x_BTCHW: Tensor, state: BackboneState | None = None) -> StreamedMaps:
        """Return the maps of one piece of a stream, exactly those of the whole clip.

        Raises:
            ModelError: If the state is another network's, or of pieces of another shape.
        """
        check_state(state, num_parts=len(self.units))
        x_BTCHW = convolve_frames(self.stem, x_BTCHW)
        after = []
        for index, unit in enumerate(self.units):
            assert isinstance(unit, FactorisedUnit)
            x_BTCHW, last_BCTP = unit.forward_stream(x_BTCHW, None if state is None else state[index])
            after.append(last_BCTP)
        return StreamedMaps(x_BTCHW, tuple(after))
