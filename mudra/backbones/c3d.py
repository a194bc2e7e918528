"""C3D: stages of 3x3x3 convolutions, each stage closed by max-pooling.

Source: Tran et al. 2015, arXiv:1412.0767, section 3.3 and figure 3, up to pool5; `ZHANG2017_STAGES` with
`norm="stage"` are the 3-D part of Zhang et al. 2017 (ICCV 2017, Learning spatiotemporal features using 3DCNN and
convolutional LSTM for gesture recognition), as its released code has it.
Differs: nothing at the defaults, whose initialisation and pooling are after the released code of Tran et al. 2015;
`initialisation`, `norm`, `stages` and `width` are ours to choose.

    stage: (conv 3x3x3 -> ReLU) as often as it says -> max-pool

Convolutions keep the size. Pooling takes a last, incomplete window too, so that sizes are halved and rounded up: 112
pixels become 56, 28, 14, 7 and 4, which is what the dense layers on top were made for.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, NamedTuple, get_args

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from mudra.backbones.backbone import KERAS_NORM_MOMENTUM, Backbone, scale_channels
from mudra.backbones.res3d import BROKEN_BF16_FRAMES, Triple
from mudra.config import Config
from mudra.errors import ConfigError, nearest_name

StageNorm = Literal["none", "conv", "stage"]
Initialisation = Literal["tran2015", "he_normal"]
# Of the released code of Tran et al. 2015; the first convolution's biases are zero.
TRAN2015_STD, TRAN2015_BIAS = 0.01, 1.0


class Stage(NamedTuple):
    """One stage: its channels before `width`, its convolutions, and the window of its pooling."""

    channels: PositiveInt
    num_convs: PositiveInt
    pool: Triple


TRAN2015_STAGES = (
    Stage(64, 1, (1, 2, 2)),
    Stage(128, 1, (2, 2, 2)),
    Stage(256, 2, (2, 2, 2)),
    Stage(512, 2, (2, 2, 2)),
    Stage(512, 2, (2, 2, 2)),
)
ZHANG2017_STAGES = (Stage(64, 1, (1, 2, 2)), Stage(128, 1, (2, 2, 2)), Stage(256, 2, (1, 1, 1)))


class C3DConfig(Config):
    """Stages of 3-D convolutions and max-pooling."""

    kind: Literal["c3d"] = "c3d"

    in_channels: PositiveInt | None = None
    """Channels of the clip (C); None inside a network: as many as the clip has."""
    width: PositiveFloat = 1.0
    """Factor on all channel counts, rounded to multiples of 8."""
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)] = TRAN2015_STAGES
    """Channels (before `width`), number of convolutions, and pooling window (frames, rows, columns) of each stage."""
    norm: StageNorm = "none"
    """`none`: a ReLU after every convolution (Tran et al. 2015); `conv`: batch normalisation before each ReLU; `stage`:
    both once, behind a stage's last convolution (Zhang et al. 2017)."""
    norm_momentum: Annotated[float, Field(gt=0.0, le=1.0)] = KERAS_NORM_MOMENTUM
    """Share of each batch in the running statistics of batch normalisation."""
    initialisation: Initialisation = "tran2015"
    """`tran2015`: weights of standard deviation 0.01, made for levels less their mean, and biases of one but for the
    first layer's; `he_normal` with biases of zero, for inputs of standard deviation one or with normalisation."""

    def build(self, in_channels: int | None = None) -> C3D:
        """Return the backbone for clips of `in_channels` channels."""
        return C3D(
            in_channels=in_channels or self.in_channels or 3,
            width=self.width,
            stages=self.stages,
            norm=self.norm,
            norm_momentum=self.norm_momentum,
            initialisation=self.initialisation,
        )


class ConvStage(nn.Module):
    """Convolutions with their normalisation and ReLU, then max-pooling."""

    def __init__(
        self, in_channels: int, out_channels: int, *, num_convs: int, pool: Triple, norm: StageNorm, momentum: float
    ) -> None:
        super().__init__()
        counts = [in_channels] + [out_channels] * num_convs
        self.convs = nn.ModuleList(nn.Conv3d(before, after, 3, padding=1) for before, after in pairwise(counts))
        self.norms = nn.ModuleList(
            nn.BatchNorm3d(out_channels, momentum=momentum)
            if norm == "conv" or (norm == "stage" and index == num_convs - 1)
            else nn.Identity()
            for index in range(num_convs)
        )
        # Zhang et al. 2017 put nothing at all between the convolutions of a stage.
        self.rectified = [norm != "stage" or index == num_convs - 1 for index in range(num_convs)]
        self.pool = nn.MaxPool3d(pool, stride=pool, ceil_mode=True)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        for conv, norm, rectified in zip(self.convs, self.norms, self.rectified, strict=True):
            x_BCTHW = norm(_convolve(conv, x_BCTHW))
            if rectified:
                x_BCTHW = x_BCTHW.relu_()
        pooled: Tensor = self.pool(x_BCTHW)
        return pooled


class C3D(Backbone):
    """Stages of 3-D convolutions and max-pooling.

    Args:
        in_channels: Channels of the clip (C).
        width: Factor on all channel counts, rounded to multiples of 8.
        stages: Channels (before `width`), number of convolutions and pooling window of each stage.
        norm: `none`, `conv` or `stage`.
        norm_momentum: Share of each batch in the running statistics of batch normalisation.
        initialisation: `tran2015` or `he_normal`.

    Raises:
        ConfigError: If there is no such `norm` or `initialisation`.

    Example:
        >>> import torch
        >>> C3D(in_channels=3, width=0.125)(torch.zeros(1, 16, 3, 112, 112)).shape
        torch.Size([1, 1, 64, 4, 4])
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        width: float = 1.0,
        stages: tuple[Stage, ...] = TRAN2015_STAGES,
        norm: StageNorm = "none",
        norm_momentum: float = KERAS_NORM_MOMENTUM,
        initialisation: Initialisation = "tran2015",
    ) -> None:
        _check_choice("norm", norm, get_args(StageNorm))
        _check_choice("initialisation", initialisation, get_args(Initialisation))
        channels = [in_channels, *(scale_channels(stage.channels, width) for stage in stages)]
        time_stride = 1
        for stage in stages:
            time_stride *= stage.pool[0]
        super().__init__(in_channels=in_channels, out_channels=channels[-1], time_stride=time_stride)
        self.stages = nn.Sequential(
            *(
                ConvStage(before, after, num_convs=stage.num_convs, pool=stage.pool, norm=norm, momentum=norm_momentum)
                for before, after, stage in zip(channels[:-1], channels[1:], stages, strict=True)
            )
        )

        convs = [module for module in self.modules() if isinstance(module, nn.Conv3d)]
        for index, conv in enumerate(convs):
            _initialise(conv, initialisation, is_first=index == 0)

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        x_BCTHW = x_BTCHW.transpose(1, 2).contiguous(memory_format=torch.channels_last_3d)
        maps: Tensor = self.stages(x_BCTHW)
        return maps.transpose(1, 2)


def _check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(f"{name} is {value!r}", hint=nearest_name(value, known))


def _initialise(conv: nn.Conv3d, initialisation: Initialisation, *, is_first: bool) -> None:
    assert conv.bias is not None
    if initialisation == "tran2015":
        nn.init.normal_(conv.weight, std=TRAN2015_STD)
        nn.init.constant_(conv.bias, 0.0 if is_first else TRAN2015_BIAS)
    else:
        nn.init.kaiming_normal_(conv.weight, mode="fan_in", nonlinearity="relu")
        nn.init.zeros_(conv.bias)


def _convolve(conv: nn.Module, x_BCTHW: Tensor) -> Tensor:
    if x_BCTHW.device.type == "cpu" and x_BCTHW.shape[2] == BROKEN_BF16_FRAMES:
        assert isinstance(conv, nn.Conv3d)
        with torch.autocast("cpu", enabled=False):
            maps: Tensor = conv(x_BCTHW.to(conv.weight.dtype))
            return maps
    maps = conv(x_BCTHW)
    return maps
