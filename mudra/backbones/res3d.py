"""Res3D: 3-D residual units; at the defaults blocks 1 to 4 as the gesture network uses them, which keep maps large.

Source: Zhang et al. 2018, section 2.1 and figure 1; the layer table after its released code.
Differs: at the defaults in one thing: weights start from a normal of Keras' variance that is not cut off at two
standard deviations. `width`, `channels`, `stem_kernel` and the strides change the network; `TRAN2017_CHANNELS` with
`TRAN2017_STRIDES` are the whole Res3D-18 of Tran et al. 2017 (arXiv:1708.05038, table 1), but for block 2's shortcut,
which is a 1x1x1 convolution here as in the released code of Zhang et al. 2018.

    clip -> 3x7x7 conv /(1,2,2) -> block 2 -> block 3 /(2,2,2) -> block 4 -> maps

Every convolution has no bias and is followed by batch normalisation with Keras' constants. A block is two residual
units of two 3x3x3 convolutions; the first unit's shortcut is a 1x1x1 convolution, in block 2 as well, where nothing
changes size. Time is halved once, space by four; there is no max-pooling.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field, PositiveFloat, PositiveInt, model_validator
from torch import Tensor, nn

from mudra.backbones.backbone import KERAS_NORM_EPS, KERAS_NORM_MOMENTUM, Backbone, scale_channels
from mudra.backbones.padding import PaddingMode, check_padding, pad_same
from mudra.config import Config, OddInt
from mudra.errors import ConfigError

Triple = tuple[PositiveInt, PositiveInt, PositiveInt]

# Blocks 1 to 5, each after the second at half of the size before it.
TRAN2017_CHANNELS = (64, 64, 128, 256, 512)
TRAN2017_STRIDES = ((1, 1, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2))

# oneDNN's bf16 weight gradient of a 3-D convolution is wrong, and often not a number, on maps of just two frames (seen
# with torch 2.15 on a processor with AVX-512 bf16); such small maps are computed in float32.
BROKEN_BF16_FRAMES = 2


class Res3DConfig(Config):
    """3-D residual blocks; blocks 1 to 4 of Res3D."""

    kind: Literal["res3d"] = "res3d"

    in_channels: PositiveInt | None = None
    """Channels of the clip (C); None inside a network: as many as the clip has."""
    width: PositiveFloat = 1.0
    """Factor on all channel counts, rounded to multiples of 8."""
    channels: tuple[PositiveInt, ...] = (64, 64, 128, 256)
    """Channels of the stem and of blocks 2, 3, 4, ..., before `width`."""
    num_units: PositiveInt = 2
    """Residual units of each block."""
    stem_kernel: Triple = (3, 7, 7)
    """Kernel of the first convolution: frames, rows, columns."""
    kernel_frames: OddInt = 3
    """Frames that the residual units' kernels span; with 1, and 1 in `stem_kernel`, each frame stays by itself."""
    stem_stride: Triple = (1, 2, 2)
    """Stride of the first convolution: frames, rows, columns."""
    block_strides: tuple[Triple, ...] = ((1, 1, 1), (2, 2, 2), (1, 1, 1))
    """Strides of blocks 2, 3, 4, ...: frames, rows, columns; as many as there are blocks."""
    padding: PaddingMode = "tf_same"
    """`tf_same` (the released code's numbers) or `symmetric`."""
    norm_momentum: Annotated[float, Field(gt=0.0, le=1.0)] = KERAS_NORM_MOMENTUM
    """Share of each batch in the running statistics of batch normalisation; 0.01 is the paper's (Keras' 0.99). Short
    trainings need more: their statistics lag behind otherwise."""
    zero_init_residual: bool = False
    """Start every unit as its shortcut: the last normalisation of its inner path scales by zero (Goyal et al. 2017,
    arXiv:1706.02677, section 5.1)."""

    @model_validator(mode="after")
    def _check_blocks(self) -> Res3DConfig:
        complaint = _complain_of_blocks(self.channels, self.block_strides)
        if complaint:
            raise ValueError(complaint)
        return self

    def build(self, in_channels: int | None = None) -> Res3D:
        """Return the backbone for clips of `in_channels` channels."""
        return Res3D(
            in_channels=in_channels or self.in_channels or 3,
            width=self.width,
            channels=self.channels,
            num_units=self.num_units,
            stem_kernel=self.stem_kernel,
            kernel_frames=self.kernel_frames,
            stem_stride=self.stem_stride,
            block_strides=self.block_strides,
            padding=self.padding,
            norm_momentum=self.norm_momentum,
            zero_init_residual=self.zero_init_residual,
        )


class ConvNorm3d(nn.Module):
    """A 3-D convolution without bias, zero padded to keep ceil(size / stride), and its batch normalisation."""

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel_size: Triple, stride: Triple, padding: PaddingMode
    ) -> None:
        super().__init__()
        check_padding(padding)
        self.padding: PaddingMode = padding
        self.conv = nn.Conv3d(in_channels, out_channels, kernel_size, stride=stride, bias=False)
        self.norm = nn.BatchNorm3d(out_channels, eps=KERAS_NORM_EPS, momentum=KERAS_NORM_MOMENTUM)
        # Keras cuts the normal off at two standard deviations; an uncut one of the same variance starts as well.
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_in", nonlinearity="relu")

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        if x_BCTHW.device.type == "cpu" and BROKEN_BF16_FRAMES in (x_BCTHW.shape[2], -(-x_BCTHW.shape[2] // 2)):
            with torch.autocast("cpu", enabled=False):
                return self._convolve(x_BCTHW.to(self.conv.weight.dtype))
        return self._convolve(x_BCTHW)

    def _convolve(self, x_BCTHW: Tensor) -> Tensor:
        pads = [size // 2 for size in self.conv.kernel_size]
        is_odd = all(size % 2 for size in self.conv.kernel_size)
        if is_odd and (self.padding == "symmetric" or all(step == 1 for step in self.conv.stride)):
            # As many zeros before as behind: the convolution pads by itself, which spares a copy of the clip.
            x_BCTHW = nn.functional.conv3d(x_BCTHW, self.conv.weight, stride=self.conv.stride, padding=pads)
        else:
            padded = pad_same(x_BCTHW, kernel_size=self.conv.kernel_size, stride=self.conv.stride, mode=self.padding)
            x_BCTHW = self.conv(padded)
        out: Tensor = self.norm(x_BCTHW)
        return out


class ResidualUnit3d(nn.Module):
    """Two convolutions around a shortcut: relu(conv(relu(conv(x))) + shortcut(x))."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel_frames: int,
        stride: Triple,
        project: bool,
        padding: PaddingMode,
    ) -> None:
        super().__init__()
        kernel = (kernel_frames, 3, 3)
        self.first = ConvNorm3d(in_channels, out_channels, kernel_size=kernel, stride=stride, padding=padding)
        self.second = ConvNorm3d(out_channels, out_channels, kernel_size=kernel, stride=(1, 1, 1), padding=padding)
        self.shortcut = (
            ConvNorm3d(in_channels, out_channels, kernel_size=(1, 1, 1), stride=stride, padding=padding)
            if project
            else nn.Identity()
        )

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        inner = self.second(self.first(x_BCTHW).relu_())
        out: Tensor = (inner + self.shortcut(x_BCTHW)).relu_()
        return out


class Res3D(Backbone):
    """Blocks 1 to 4 of Res3D.

    Args:
        in_channels: Channels of the clip (C).
        width: Factor on all channel counts, rounded to multiples of 8.
        channels: Channels of the stem and of blocks 2, 3, 4, ..., before `width`.
        num_units: Residual units of each block.
        stem_kernel: Kernel of the first convolution: frames, rows, columns.
        kernel_frames: Frames that the kernels of the residual units span.
        stem_stride: Stride of the first convolution: frames, rows, columns.
        block_strides: Strides of blocks 2, 3, 4, ...: frames, rows, columns.
        padding: `tf_same` or `symmetric`.
        norm_momentum: Share of each batch in the running statistics of batch normalisation.
        zero_init_residual: Start every unit as its shortcut.

    Raises:
        ConfigError: If there is no such padding, or another number of strides than of blocks.

    Example:
        >>> import torch
        >>> Res3D(in_channels=3, width=0.25)(torch.zeros(1, 8, 3, 32, 40)).shape
        torch.Size([1, 4, 64, 8, 10])
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        width: float = 1.0,
        channels: tuple[int, ...] = (64, 64, 128, 256),
        num_units: int = 2,
        stem_kernel: Triple = (3, 7, 7),
        kernel_frames: int = 3,
        stem_stride: Triple = (1, 2, 2),
        block_strides: tuple[Triple, ...] = ((1, 1, 1), (2, 2, 2), (1, 1, 1)),
        padding: PaddingMode = "tf_same",
        norm_momentum: float = KERAS_NORM_MOMENTUM,
        zero_init_residual: bool = False,
    ) -> None:
        complaint = _complain_of_blocks(channels, block_strides)
        if complaint:
            raise ConfigError(complaint)
        stem, *rest = (scale_channels(count, width) for count in channels)
        time_stride = stem_stride[0]
        for stride in block_strides:
            time_stride *= stride[0]
        super().__init__(in_channels=in_channels, out_channels=rest[-1], time_stride=time_stride)
        self.stem = ConvNorm3d(in_channels, stem, kernel_size=stem_kernel, stride=stem_stride, padding=padding)
        units: list[nn.Module] = []
        before = stem
        for count, stride in zip(rest, block_strides, strict=True):
            units += [
                ResidualUnit3d(
                    count if unit else before,
                    count,
                    kernel_frames=kernel_frames,
                    stride=(1, 1, 1) if unit else stride,
                    project=unit == 0,
                    padding=padding,
                )
                for unit in range(num_units)
            ]
            before = count
        self.units = nn.Sequential(*units)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm3d):
                module.momentum = norm_momentum
            elif isinstance(module, ResidualUnit3d) and zero_init_residual:
                nn.init.zeros_(module.second.norm.weight)

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        # Channels last: a fifth to two fifths faster than channels first, on CPU and GPU alike.
        x_BCTHW = x_BTCHW.transpose(1, 2).contiguous(memory_format=torch.channels_last_3d)
        x_BCTHW = self.stem(x_BCTHW).relu_()
        maps: Tensor = self.units(x_BCTHW)
        return maps.transpose(1, 2)


def _complain_of_blocks(channels: tuple[int, ...], block_strides: tuple[Triple, ...]) -> str:
    """Say what is wrong with the blocks; nothing if nothing is."""
    if len(channels) >= 2 and len(block_strides) == len(channels) - 1:
        return ""
    return (
        f"channels names a stem and {max(len(channels) - 1, 0)} blocks, block_strides {len(block_strides)}; "
        "wanted the stem and at least one block, and a stride for each block"
    )
