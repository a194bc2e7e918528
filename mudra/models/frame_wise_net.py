"""Frame-wise network: a label for every frame of a clip, or for the middle frame of a window.

Source: Pigou et al. 2015, figure 1: (a) single frame, (b) temporal pooling, (c) recurrence, (d) temporal convolutions,
(e) temporal convolutions and recurrence; each is this network with other parts.
Differs: nothing at the papers' frames of 64x64; maps of another size than `grid` are averaged (or repeated) to it, so
that frames of any size can be taken.

    clip_BTCHW -> backbone -> maps -> grid, flattened -> features_BTC
        without a window:  -> cells -> head -> logits_BTK, a row for every frame
        with a window:     -> mean, maximum or all in one row -> head -> logits of shape (B, 1, K), of the middle frame
    with a delay:      a network that sees earlier frames alone waits for so many later ones before it answers
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn

from mudra.backbones import AnyBackboneConfig, Backbone, FrameTrunkConfig
from mudra.cells import AnyVectorLayerConfig, BidirectionalVectorConfig, VectorCell, WholeSequenceLayer, unroll_vectors
from mudra.config import Config
from mudra.errors import ConfigError, ModelError
from mudra.heads import FrameClassifierConfig
from mudra.models.assembly import build_vector_layers, widen
from mudra.models.frame_stream import (
    FrameStreamOutput,
    FrameStreamState,
    name_whole_parts,
    to_causal_backbone,
    to_causal_layers,
)
from mudra.models.frame_window import WindowConfig, pool_window
from mudra.models.refusal import check_clip, require_sizes

TRUNK = FrameTrunkConfig(temporal_conv="centred")
LAYERS: tuple[AnyVectorLayerConfig, ...] = (BidirectionalVectorConfig(hidden_features=512),)


class FrameWiseNetConfig(Config):
    """A label for every frame, or for the middle frame of a window."""

    kind: Literal["frame_wise_net"] = "frame_wise_net"

    num_classes: PositiveInt | None = None
    """Classes (K), the one for no gesture among them; None: as many as the data set has."""
    in_channels: PositiveInt | None = None
    """Channels of the clip (C); None: as many as the clip's streams have."""
    width: PositiveFloat = 1.0
    """Factor on the channels of the backbone and on the features of cells and hidden layers."""
    backbone: AnyBackboneConfig = TRUNK
    """Frames into maps."""
    grid: tuple[PositiveInt, PositiveInt] = (4, 4)
    """Rows and columns that the maps are averaged to before they are flattened."""
    window: WindowConfig | None = None
    """How the frames of a window become one answer; None: every frame has its own."""
    cells: tuple[AnyVectorLayerConfig, ...] = LAYERS
    """The recurrent layers, first to last; none with a window."""
    delay_frames: NonNegativeInt = 0
    """How many later frames a network that runs forwards alone sees before it answers for a frame: a gesture's
    beginning seldom tells which gesture it is. 0 with a window, or where a part looks both ways."""
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.5
    """Probability that an input of a recurrent layer is dropped in training; the head has its own."""
    head: FrameClassifierConfig = FrameClassifierConfig()
    """Features into logits."""

    def build(self) -> FrameWiseNet:
        """Return the network.

        Raises:
            ModelError: If `num_classes` or `in_channels` is None.
        """
        sizes = require_sizes(self.num_classes, self.in_channels)
        return FrameWiseNet(
            num_classes=sizes.num_classes,
            in_channels=sizes.in_channels,
            width=self.width,
            backbone=self.backbone,
            grid=self.grid,
            window=self.window,
            cells=self.cells,
            delay_frames=self.delay_frames,
            dropout=self.dropout,
            head=self.head,
        )

    def to_causal(self) -> Self:
        """Return the twin for live use: cells that run forwards only, temporal convolutions over earlier frames alone.

        Raises:
            ConfigError: If the network answers for the middle of a window, which is never the newest frame.
        """
        if self.window is not None:
            raise ConfigError(
                f"a network with a window of {self.window.num_frames} frames answers for its middle: it has no causal "
                "twin",
                hint="take a recurrent network, or judge its windows as they are completed (judge_windows)",
            )
        update = {"backbone": to_causal_backbone(self.backbone), "cells": to_causal_layers(self.cells)}
        return self.model_copy(update=update)


class FrameWiseNet(nn.Module):
    """A label for every frame, or for the middle frame of a window.

    Args:
        num_classes: Classes (K).
        in_channels: Channels of the clip (C).
        width: Factor on the channels of the backbone and on the features of cells and hidden layers.
        backbone: Config of the backbone.
        grid: Rows and columns that the maps are averaged to before they are flattened.
        window: How the frames of a window become one answer, or None.
        cells: Configs of the recurrent layers; features left out are filled in.
        delay_frames: How many later frames are seen before a frame is answered for.
        dropout: Probability that an input of a recurrent layer is dropped in training.
        head: Config of the head.

    Raises:
        ConfigError: If there are both a window and recurrent layers, a backbone that strides over time without a
            window, or a delay of a network that sees later frames anyway.
        ModelError: If the backbone's or a layer's config names another number of channels or features than come in.

    Example:
        >>> import torch
        >>> net = FrameWiseNet(num_classes=5, in_channels=4, width=0.125)
        >>> net(torch.zeros(2, 8, 4, 64, 64)).shape
        torch.Size([2, 8, 5])
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int,
        width: float = 1.0,
        backbone: AnyBackboneConfig = TRUNK,
        grid: tuple[int, int] = (4, 4),
        window: WindowConfig | None = None,
        cells: tuple[AnyVectorLayerConfig, ...] = LAYERS,
        delay_frames: int = 0,
        dropout: float = 0.5,
        head: FrameClassifierConfig = FrameClassifierConfig(),  # noqa: B008  configs are frozen
    ) -> None:
        super().__init__()
        if window is not None and cells:
            raise ConfigError(
                "the network has both a window and recurrent layers, which need a row for every frame",
                hint="leave one of them out: window=null, or cells=[]",
            )
        self.num_classes, self.in_channels, self.grid, self.window = num_classes, in_channels, grid, window
        self.delay_frames = delay_frames
        _check_size("backbone.in_channels", backbone.in_channels, in_channels)
        self.backbone: Backbone = widen(backbone, width).build(in_channels)
        stride = self.backbone.time_stride
        if window is None and stride != 1:
            raise ConfigError(
                f"the backbone makes one map of {stride} frames, but every frame wants its own",
                hint="set backbone.pool_time=false, or give a window",
            )
        features = self.backbone.out_channels * grid[0] * grid[1]
        self.window_steps = 1 if window is None else window.count_rows(stride)
        features *= self.window_steps
        layers = build_vector_layers("cells", cells, features, width=width)
        features = layers[-1].hidden_features if layers else features
        self.dropout = nn.Dropout(dropout)
        self.cells = nn.ModuleList(layers)
        self.head: nn.Module = widen(head, width).build(features, num_classes)
        whole = self._name_whole_parts()
        if delay_frames and whole:
            raise ConfigError(
                f"delay_frames is {delay_frames}, but {', '.join(whole)} sees later frames anyway",
                hint="leave the delay out, or build the causal twin (FrameWiseNetConfig.to_causal)",
            )

    def forward(self, clip_BTCHW: Tensor, *, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits_BTK for whole clips: a row for every frame, or with a window one row, of the middle frame.

        With a delay the clip's last `delay_frames` frames have no row: what it waits for is not there.

        Args:
            clip_BTCHW: Clips; with a window, of its length (of another, poolings do what they can).
            mask_BT: True where a frame counts, False where it is padding, which recurrent layers then pass over while
                convolutions still see it. None: all count.

        Raises:
            ModelError: If the clip has another number of axes or channels than the network takes.
        """
        self.check_clip(clip_BTCHW)
        features_BTC = self.flatten_maps(self.backbone(clip_BTCHW))
        if self.window is not None:
            features_BTC = self.pool_window(features_BTC)
        return self.judge_features(features_BTC, mask_BT=mask_BT)[:, self.delay_frames :]

    def judge_features(self, features_BTC: Tensor, *, mask_BT: Tensor | None = None) -> Tensor:
        """Return logits_BTK of the flattened maps of clips: what `forward` does behind the backbone and the window."""
        for layer in self.cells:
            assert isinstance(layer, VectorCell | WholeSequenceLayer)
            features_BTC = unroll_vectors(layer, self.dropout(features_BTC), mask_BT=mask_BT).hidden_BTD
        logits_BTK: Tensor = self.head(features_BTC)
        return logits_BTK

    def judged_frames(self, num_frames: int) -> range:
        """Return which frames of a clip the rows of its logits are about.

        Raises:
            ModelError: If the clip ends before the network's delay.

        Example:
            >>> FrameWiseNet(num_classes=5, in_channels=4, width=0.125).judged_frames(8)
            range(0, 8)
            >>> window = WindowConfig(num_frames=32)
            >>> FrameWiseNet(num_classes=5, in_channels=4, width=0.125, window=window, cells=()).judged_frames(32)
            range(15, 16)
        """
        middle = (num_frames - 1) // 2
        if self.window is not None:
            return range(middle, middle + 1)
        if num_frames <= self.delay_frames:
            raise ModelError(
                f"a clip has {num_frames} frames, but each is answered for {self.delay_frames} frames later",
                hint="set clip.num_frames above model.delay_frames",
            )
        return range(num_frames - self.delay_frames)

    def flatten_maps(self, maps_BTDHW: Tensor) -> Tensor:
        """Return one vector of features per map."""
        if maps_BTDHW.shape[-2:] == self.grid:
            return maps_BTDHW.flatten(2)
        cells_NDHW = nn.functional.adaptive_avg_pool2d(maps_BTDHW.flatten(0, 1), self.grid)
        return cells_NDHW.reshape(*maps_BTDHW.shape[:2], maps_BTDHW.shape[2] * self.grid[0] * self.grid[1])

    def pool_window(self, features_BTC: Tensor) -> Tensor:
        """Return one row of features for all steps of a window, shape (B, 1, C)."""
        assert self.window is not None
        return pool_window(features_BTC, self.window, num_rows=self.window_steps)

    @property
    def is_causal(self) -> bool:
        """Whether every frame is judged as it comes: `forward_stream` can be called."""
        return not self._name_whole_parts()

    def forward_stream(self, clip_BTCHW: Tensor, state: FrameStreamState | None = None) -> FrameStreamOutput:
        """Return the logits of the next piece of a stream, equal to those of the whole clip.

        There is a row for every frame that comes. With a delay it is about the frame `delay_frames` before, and the
        first rows of a video are about nothing; `judge_stream` puts rows and frames together.

        Args:
            clip_BTCHW: The piece, T >= 1.
            state: What the piece before returned; None at the beginning of a video.

        Raises:
            ModelError: If the clip has another number of axes or channels than the network takes, a part needs later
                frames, or the state is of pieces of another shape.
        """
        self.check_clip(clip_BTCHW)
        whole = self._name_whole_parts()
        if whole:
            raise ModelError(
                f"{', '.join(whole)} needs later frames; a piece of a stream came",
                hint="build the causal twin (FrameWiseNetConfig.to_causal), or give whole clips to the network itself",
            )
        maps_BTDHW, backbone = self.backbone.forward_stream(clip_BTCHW, None if state is None else state.backbone)
        features_BTC, after = self.flatten_maps(maps_BTDHW), []
        for index, cell in enumerate(self.cells):
            assert isinstance(cell, VectorCell)
            before = None if state is None else state.cells[index]
            features_BTC, last = unroll_vectors(cell, self.dropout(features_BTC), before)
            after.append(last)
        return FrameStreamOutput(self.head(features_BTC), FrameStreamState(backbone, tuple(after)))

    def load_pretrained(self) -> None:
        """Load the published weights that the backbone's config names, if it names any: once, when training starts.

        Raises:
            ModelError: If they are missing, damaged, or another network's.
        """
        self.backbone.load_pretrained()

    def _name_whole_parts(self) -> list[str]:
        return name_whole_parts(self.backbone, self.cells, has_window=self.window is not None)

    def check_clip(self, clip_BTCHW: Tensor) -> None:
        """Refuse clips of another shape.

        Raises:
            ModelError: If the clip has another number of axes or channels than the network takes.
        """
        check_clip(clip_BTCHW, self.in_channels)


def _check_size(name: str, named: int | None, coming: int) -> None:
    if named not in (None, coming):
        raise ModelError(f"{name} is {named}, but {coming} come in", hint=f"leave {name} out: the network fills it in")
