"""Multi-scale decoder: in training alone, maps of a backbone's first and last stage become pictures of depth.

Source: Fan et al. 2021, section III-C, figure 3 and tables VI and VII. The paper prints no widths: 64 -> 32 -> 1 and
2048 -> 256 -> 32 -> 1 with 4x4 kernels are those that give its 4.37 GFLOPs and 8.5 M parameters at T = 8.
Differs: activations, normalisation, biases and the ends, on which the paper is silent, are ours: ReLU between the
layers, none of the others, and a sigmoid at the end, since depth lies in [0, 1].

    local    stem maps, a quarter of the frame's size   -> 2 transposed convolutions, each doubling -> the whole size
                                                        or 2 convolutions                            -> a quarter
    global   last maps, a thirty-second                 -> 3 transposed convolutions                 -> a quarter
                                                        or 5                                         -> the whole size

For backbones with other channels the widths keep the paper's proportions: a half in the local decoder; an eighth, and
another eighth, in the global one, halves from there on; never below eight.

Shape letters: B clips, or clips times frames where only C, H, W follow; T frames, C channels, H W cells.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, NamedTuple, get_args

from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn

from mudra.config import Config
from mudra.errors import ConfigError, nearest_name

DecoderScale = Literal["full", "quarter", "none"]
DecoderActivation = Literal["relu", "none"]
DecoderNorm = Literal["none", "batch"]
DecoderOutput = Literal["sigmoid", "none"]
Widths = Annotated[tuple[PositiveInt, ...], Field(min_length=1)]

# How often each decoder doubles its maps; 0 for convolutions that keep them.
LOCAL_DOUBLINGS = {"full": 2, "quarter": 0}
GLOBAL_DOUBLINGS = {"full": 5, "quarter": 3}
NUM_KEEPING = 2  # convolutions of the local decoder at a quarter: Fan et al. 2021, section IV-G
LEAST_WIDTH = 8


class Masks(NamedTuple):
    """What the decoders say of every frame; None where there is no such decoder.

    Args:
        local_BTHW: Of the local decoder.
        global_BTHW: Of the global decoder.
    """

    local_BTHW: Tensor | None
    global_BTHW: Tensor | None


class MultiScaleDecoderConfig(Config):
    """Decoders of depth on a backbone's first and last stage, for training alone."""

    kind: Literal["multi_scale_decoder"] = "multi_scale_decoder"

    local_scale: DecoderScale = "full"
    """Size of the local decoder's pictures, of the frame's: `full`, `quarter`, or `none` for no local decoder."""
    global_scale: DecoderScale = "quarter"
    """Size of the global decoder's pictures, of the frame's: `full`, `quarter`, or `none` for no global decoder."""
    local_widths: Widths | None = None
    """Channels between the local decoder's layers, one fewer than layers; None: half of those that come in."""
    global_widths: Widths | None = None
    """Channels between the global decoder's layers; None: an eighth, an eighth of that, then halves."""
    activation: DecoderActivation = "relu"
    """What stands between the layers: `relu`, or `none`."""
    norm: DecoderNorm = "none"
    """`batch`: batch normalisation before each activation; `none`."""
    output: DecoderOutput = "sigmoid"
    """What stands at the end: `sigmoid`, or `none`."""
    bias: bool = False
    """Whether the layers have biases."""

    @model_validator(mode="after")
    def _check_scales(self) -> MultiScaleDecoderConfig:
        if self.local_scale == self.global_scale == "none":
            raise ValueError("local_scale and global_scale are both none: leave the decoder out instead")
        return self

    def build(self, stem_channels: int, map_channels: int) -> MultiScaleDecoder:
        """Return the decoders for stem maps and last maps of so many channels."""
        return MultiScaleDecoder(
            stem_channels=stem_channels,
            map_channels=map_channels,
            local_scale=self.local_scale,
            global_scale=self.global_scale,
            local_widths=self.local_widths,
            global_widths=self.global_widths,
            activation=self.activation,
            norm=self.norm,
            output=self.output,
            bias=self.bias,
        )


class MultiScaleDecoder(nn.Module):
    """Decoders of depth on a backbone's first and last stage.

    Args:
        stem_channels: Channels of the first stage's maps.
        map_channels: Channels of the last stage's maps.
        local_scale: Size of the local decoder's pictures: `full`, `quarter` or `none`.
        global_scale: Size of the global decoder's pictures: `full`, `quarter` or `none`.
        local_widths: Channels between the local decoder's layers; None for half of those that come in.
        global_widths: Channels between the global decoder's layers; None for the paper's proportions.
        activation: `relu` or `none`.
        norm: `batch` or `none`.
        output: `sigmoid` or `none`.
        bias: Whether the layers have biases.

    Raises:
        ConfigError: If there is no such scale, activation, normalisation or output, if there are not as many widths as
            the layers need, or if there would be no decoder at all.

    Example:
        >>> import torch
        >>> decoder = MultiScaleDecoder(stem_channels=16, map_channels=64)
        >>> masks = decoder(torch.zeros(1, 2, 16, 8, 8), torch.zeros(1, 2, 64, 1, 1))
        >>> masks.local_BTHW.shape, masks.global_BTHW.shape
        (torch.Size([1, 2, 32, 32]), torch.Size([1, 2, 8, 8]))
    """

    def __init__(
        self,
        *,
        stem_channels: int,
        map_channels: int,
        local_scale: DecoderScale = "full",
        global_scale: DecoderScale = "quarter",
        local_widths: tuple[int, ...] | None = None,
        global_widths: tuple[int, ...] | None = None,
        activation: DecoderActivation = "relu",
        norm: DecoderNorm = "none",
        output: DecoderOutput = "sigmoid",
        bias: bool = False,
    ) -> None:
        _check_choice("local_scale", local_scale, get_args(DecoderScale))
        _check_choice("global_scale", global_scale, get_args(DecoderScale))
        _check_choice("activation", activation, get_args(DecoderActivation))
        _check_choice("norm", norm, get_args(DecoderNorm))
        _check_choice("output", output, get_args(DecoderOutput))
        if local_scale == global_scale == "none":
            raise ConfigError("local_scale and global_scale are both none", hint="leave the decoder out instead")
        super().__init__()
        self.style = DecoderStyle(activation, norm, output, bias)
        self.local_decoder = self.global_decoder = None
        if local_scale != "none":
            doublings = LOCAL_DOUBLINGS[local_scale]
            widths = plan_local_widths(stem_channels, doublings or NUM_KEEPING)
            widths = _choose_widths("local_widths", local_widths, widths)
            self.local_decoder = _build_decoder(stem_channels, widths, self.style, doubles=doublings > 0)
        if global_scale != "none":
            widths = plan_global_widths(map_channels, GLOBAL_DOUBLINGS[global_scale])
            widths = _choose_widths("global_widths", global_widths, widths)
            self.global_decoder = _build_decoder(map_channels, widths, self.style, doubles=True)

    def forward(self, stem_BTCHW: Tensor, maps_BTCHW: Tensor) -> Masks:
        return Masks(_decode(self.local_decoder, stem_BTCHW), _decode(self.global_decoder, maps_BTCHW))


class DecoderStyle(NamedTuple):
    """What a decoder's layers have in common."""

    activation: DecoderActivation
    norm: DecoderNorm
    output: DecoderOutput
    bias: bool


def plan_local_widths(channels: int, num_layers: int) -> tuple[int, ...]:
    """Return the channels between the local decoder's layers.

    Example:
        >>> plan_local_widths(64, 2), plan_local_widths(24, 2)
        ((32,), (12,))
    """
    return tuple(max(LEAST_WIDTH, channels // 2 ** (index + 1)) for index in range(num_layers - 1))


def plan_global_widths(channels: int, num_layers: int) -> tuple[int, ...]:
    """Return the channels between the global decoder's layers.

    Example:
        >>> plan_global_widths(2048, 3), plan_global_widths(2048, 5), plan_global_widths(512, 3)
        ((256, 32), (256, 32, 16, 8), (64, 8))
    """
    widths: list[int] = []
    for index in range(num_layers - 1):
        channels = max(LEAST_WIDTH, channels // (8 if index < 2 else 2))
        widths.append(channels)
    return tuple(widths)


def _check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(f"{name} is {value!r}", hint=nearest_name(value, known))


def _choose_widths(name: str, asked: tuple[int, ...] | None, planned: tuple[int, ...]) -> tuple[int, ...]:
    if asked is not None and len(asked) != len(planned):
        raise ConfigError(
            f"{name} has {len(asked)} numbers, wanted {len(planned)}: one fewer than layers",
            hint=f"for example {name}={list(planned)}",
        )
    return planned if asked is None else asked


def _build_decoder(in_channels: int, widths: tuple[int, ...], style: DecoderStyle, *, doubles: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    counts = [in_channels, *widths, 1]
    for index, (before, after) in enumerate(pairwise(counts)):
        if doubles:  # kernel 4, stride 2, padding 1: twice the size, exactly
            layers.append(nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=style.bias))
        else:
            layers.append(nn.Conv2d(before, after, 3, padding=1, bias=style.bias))
        is_last = index == len(counts) - 2
        if not is_last and style.norm == "batch":
            layers.append(nn.BatchNorm2d(after))
        if not is_last and style.activation == "relu":
            layers.append(nn.ReLU(inplace=True))
    if style.output == "sigmoid":
        layers.append(nn.Sigmoid())
    return nn.Sequential(*layers)


def _decode(decoder: nn.Module | None, maps_BTCHW: Tensor) -> Tensor | None:
    if decoder is None:
        return None
    masks_B1HW: Tensor = decoder(maps_BTCHW.flatten(0, 1))
    return masks_B1HW.view(*maps_BTCHW.shape[:2], *masks_B1HW.shape[-2:])
