"""Future network: one recurrent layer reads the frames so far, a second one goes on from its state without any input.

Source: Agethen and Hsu 2019, section III-B1 (after Srivastava et al. 2015 and Shi et al. 2015); what the paper leaves
silent after the authors' public example: 5x5 kernels, 256 hidden channels, patches of 4x4 pixels, the encoder's last
map as the first predicted frame, uniform weights.
Differs: a cell needs an input, so that the decoder gets one channel of zeros; its weights on it change nothing. Any
cell may encode and decode.

    clip_BTCHW -> patches -> encoder -> (H, C) -> decoder -> hidden maps -> 1x1 -> pixels' logits

Each pixel of a patch is a channel: of a 4x4 patch, the pixel in row r and column c is channel 4 r + c. In place of the
patches a stem can stand (section IV-B2): the patches' largest values through some convolutions, whose widths are not in
the text. The loss is the sigmoid cross-entropy summed over pixels and time.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal, NamedTuple

import torch
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from mudra.cells import AnyCellConfig, Cell, PeepholeConvLSTMConfig, unroll
from mudra.cells.cell import per_frame
from mudra.config import Config
from mudra.errors import ModelError
from mudra.models.refusal import refuse_recomputed_statistics

DECODER_INPUT_CHANNELS = 1


class FutureNetConfig(Config):
    """Frames in, the frames that follow them out."""

    kind: Literal["future_net"] = "future_net"

    in_channels: PositiveInt = 1
    """Channels of a frame (C) that are read and predicted."""
    flow_channels: NonNegativeInt = 0
    """Channels behind them that are flow: masks are made of it, and it is not predicted."""
    patch_size: PositiveInt = 4
    """Side of the square patches in pixels whose pixels become channels; it divides height and width."""
    stem_channels: tuple[PositiveInt, ...] = ()
    """Channels of 3x3 convolutions with ReLU that see the largest value of each patch in place of all its pixels; none
    at all hands the patches over as they are."""
    num_frames_out: Annotated[int, Field(ge=2)] = 10
    """Frames to predict."""
    encoder: AnyCellConfig = PeepholeConvLSTMConfig(hidden_channels=256, kernel_size=5)
    """The cell that reads; its incoming channels are filled in."""
    decoder: AnyCellConfig | None = None
    """The cell that predicts; None: one like the encoder, without flow."""
    recompute_steps: bool = False
    """In training, keep only what the backward pass cannot compute again: less memory, longer steps, the same
    gradients; refused for layers with batch normalisation, whose gradients would be others."""

    def build(self) -> FutureNet:
        """Return the network.

        Raises:
            ModelError: If encoder and decoder do not fit the clip or each other.
        """
        return FutureNet(
            in_channels=self.in_channels,
            flow_channels=self.flow_channels,
            patch_size=self.patch_size,
            stem_channels=self.stem_channels,
            num_frames_out=self.num_frames_out,
            encoder=self.encoder,
            decoder=self.decoder,
            recompute_steps=self.recompute_steps,
        )


class FutureNet(nn.Module):
    """Frames in, the frames that follow them out.

    Args:
        in_channels: Channels of a frame (C) that are read and predicted.
        flow_channels: Channels behind them that are flow.
        patch_size: Side of the square patches in pixels whose pixels become channels.
        stem_channels: Channels of the convolutions behind max-pooled patches; none for patches as they are.
        num_frames_out: Frames to predict, at least two.
        encoder: Config of the cell that reads.
        decoder: Config of the cell that predicts, or None for one like the encoder, without flow.
        recompute_steps: Whether training keeps only what the backward pass cannot compute again.

    Raises:
        ConfigError: If steps of a layer with batch normalisation are to be recomputed.
        ModelError: If a config names other channels than come in, the encoder takes no flow, there is both flow and a
            stem, or encoder and decoder have different hidden channels.

    Example:
        >>> config = FutureNetConfig().with_overrides(["encoder.hidden_channels=8", "num_frames_out=3"])
        >>> config.build()(torch.zeros(2, 5, 1, 16, 24)).shape
        torch.Size([2, 3, 1, 16, 24])
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        flow_channels: int = 0,
        patch_size: int = 4,
        stem_channels: tuple[int, ...] = (),
        num_frames_out: int = 10,
        encoder: AnyCellConfig = PeepholeConvLSTMConfig(hidden_channels=256, kernel_size=5),  # noqa: B008  frozen
        decoder: AnyCellConfig | None = None,
        recompute_steps: bool = False,
    ) -> None:
        super().__init__()
        if num_frames_out < 2:
            raise ModelError(f"num_frames_out is {num_frames_out}, wanted two frames or more")
        self.in_channels = in_channels
        self.flow_channels = flow_channels
        self.patch_size = patch_size
        self.num_frames_out = num_frames_out
        self.recompute_steps = recompute_steps
        pixels = patch_size**2
        flow = pixels * flow_channels
        if stem_channels and flow:
            raise ModelError("flow comes as patches, beside which no stem can stand", hint="leave stem_channels out")
        self.stem = _build_stem(in_channels, patch_size, stem_channels) if stem_channels else None
        channels = stem_channels[-1] if stem_channels else pixels * in_channels + flow
        self.encoder: Cell = _fill(encoder, "encoder", channels, flow=flow).build()
        hidden = self.encoder.hidden_channels
        decoder = _fill(decoder or _without_flow(encoder), "decoder", DECODER_INPUT_CHANNELS, flow=0)
        if decoder.hidden_channels is None:
            decoder = decoder.model_copy(update={"hidden_channels": hidden})
        self.decoder: Cell = decoder.build()
        if self.decoder.hidden_channels != hidden:
            raise ModelError(
                f"the decoder has {self.decoder.hidden_channels} hidden channels, and its encoder {hidden}",
                hint="leave decoder.hidden_channels out: the network fills it in",
            )
        if recompute_steps:
            refuse_recomputed_statistics({"encoder": self.encoder, "decoder": self.decoder})
        self.to_pixels = nn.Conv2d(hidden, pixels * in_channels, 1)
        nn.init.xavier_uniform_(self.to_pixels.weight)
        assert self.to_pixels.bias is not None
        nn.init.zeros_(self.to_pixels.bias)

    def forward(self, clip_BTCHW: Tensor) -> Tensor:
        """Return the logits (B, `num_frames_out`, C, H, W) of the frames that follow a clip.

        Raises:
            ModelError: If the clip has another number of axes or channels than the network takes, or patches do not
                divide its height and width.
        """
        self._check(clip_BTCHW)
        memory: Literal["keep", "recompute"] = "recompute" if self.recompute_steps else "keep"
        if self.stem is None:
            maps_BTCHW = functional.pixel_unshuffle(clip_BTCHW, self.patch_size)
        else:
            maps_BTCHW = per_frame(self.stem, clip_BTCHW)
        _, state = unroll(self.encoder, maps_BTCHW, memory=memory)
        num_clips, _, height, width = state.hidden_BDHW.shape
        nothing = state.hidden_BDHW.new_zeros(num_clips, self.num_frames_out - 1, DECODER_INPUT_CHANNELS, height, width)
        decoded_BTDHW, _ = unroll(self.decoder, nothing, state, memory=memory)
        hidden_BTDHW = torch.cat([state.hidden_BDHW.unsqueeze(1), decoded_BTDHW], dim=1)
        logits = self.to_pixels(hidden_BTDHW.flatten(0, 1)).unflatten(0, (num_clips, self.num_frames_out))
        return functional.pixel_shuffle(logits, self.patch_size)

    def _check(self, clip_BTCHW: Tensor) -> None:
        channels = self.in_channels + self.flow_channels
        if clip_BTCHW.ndim != 5 or clip_BTCHW.shape[2] != channels:
            raise ModelError(
                f"the network got a clip of shape {tuple(clip_BTCHW.shape)}; "
                f"wanted (B, T, {channels}, H, W): time stands before channels"
            )
        if any(side % self.patch_size for side in clip_BTCHW.shape[-2:]):
            raise ModelError(
                f"frames of {tuple(clip_BTCHW.shape[-2:])}, height and width, are not made of whole patches of "
                f"{self.patch_size}x{self.patch_size} pixels",
                hint="use another patch_size, or pad the frames",
            )


def sum_cross_entropy(logits_BTCHW: Tensor, target_BTCHW: Tensor) -> Tensor:
    """Return the sigmoid cross-entropy summed over pixels and time, averaged over the clips.

    Args:
        logits_BTCHW: Predicted logits.
        target_BTCHW: What came, in [0, 1], in the same shape.

    Raises:
        ModelError: If the shapes differ.

    Example:
        >>> round(sum_cross_entropy(torch.zeros(2, 10, 1, 64, 64), torch.zeros(2, 10, 1, 64, 64)).item())  # log 2 each
        28391
    """
    _check_shapes(logits_BTCHW, target_BTCHW)
    total = functional.binary_cross_entropy_with_logits(logits_BTCHW, target_BTCHW, reduction="sum")
    return total / len(logits_BTCHW)


class FrameErrors(NamedTuple):
    """How far predicted frames are off, frame by frame, each number a sum over pixels.

    Args:
        cross_entropy_BT: Sigmoid cross-entropy.
        squared_BT: Squared difference of grey levels in [0, 1].
    """

    cross_entropy_BT: Tensor
    squared_BT: Tensor


def frame_errors(logits_BTCHW: Tensor, target_BTCHW: Tensor) -> FrameErrors:
    """Return how far predicted frames are off.

    Args:
        logits_BTCHW: Predicted logits.
        target_BTCHW: What came, in [0, 1], in the same shape.

    Raises:
        ModelError: If the shapes differ.
    """
    _check_shapes(logits_BTCHW, target_BTCHW)
    entropy = functional.binary_cross_entropy_with_logits(logits_BTCHW, target_BTCHW, reduction="none")
    squared = (logits_BTCHW.sigmoid() - target_BTCHW).square()
    return FrameErrors(entropy.flatten(2).sum(dim=2), squared.flatten(2).sum(dim=2))


def _check_shapes(logits_BTCHW: Tensor, target_BTCHW: Tensor) -> None:
    if logits_BTCHW.shape != target_BTCHW.shape:
        raise ModelError(f"logits of shape {tuple(logits_BTCHW.shape)} for frames of {tuple(target_BTCHW.shape)}")


def _build_stem(in_channels: int, patch_size: int, stem_channels: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = [nn.MaxPool2d(patch_size)]
    for before, after in pairwise((in_channels, *stem_channels)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)


def _without_flow(encoder: AnyCellConfig) -> AnyCellConfig:
    update: dict[str, Any] = {"in_channels": None}
    if "flow_channels" in type(encoder).model_fields:
        update |= {"flow_channels": 0, "masked_kernels": None}
    return encoder.model_copy(update=update)


def _fill(config: Any, part: str, channels: int, *, flow: int) -> Any:
    """Return a cell's config with its incoming channels, and how many of them are flow, filled in."""
    if config.in_channels not in (None, channels):
        raise ModelError(
            f"{part}.in_channels is {config.in_channels}, but {channels} channels come in",
            hint=f"leave {part}.in_channels out: the network fills it in",
        )
    takes_flow = "flow_channels" in type(config).model_fields
    if flow and not takes_flow:
        raise ModelError(
            f"{flow} channels of flow come to {part}, but the cell {config.kind!r} makes no masks of flow",
            hint=f"train without flow (clip.streams=[rgb]), or use model.{part}=multi_kernel_conv_lstm",
        )
    if takes_flow and config.flow_channels not in (0, flow):
        raise ModelError(
            f"{part}.flow_channels is {config.flow_channels}, but {flow} channels of flow come in",
            hint=f"leave {part}.flow_channels out: the network fills it in",
        )
    update = {"in_channels": channels, **({"flow_channels": flow} if takes_flow else {})}
    return config.model_copy(update=update)
