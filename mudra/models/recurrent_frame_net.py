"""Recurrent frame network: recurrence over maps, then over vectors; every frame is classified, the clip by all of them.

Source: Agethen and Hsu 2019, section IV-A2 and figure 6: VGG-16, ConvLSTM, pooling, LSTM, softmax, averaged over all
frames; section IV-A4: I3D, ConvLSTM, a 1x1 convolution with batch normalisation in place of pooling and LSTM (`mixing`,
with `frame_cells` empty), and masks of flow (`flow_channels`).
Differs: the paper does not say how large the LSTM is, what pooling is and over which places, and of what its flow
features are made. Here, as our choice, the LSTM has 512 features, pooling is the mean over the whole map, and the
features are the clip's own flow, averaged to the maps' steps and places.

    clip_BTCHW -> backbone -> maps -> cells -> mixing -> pooled to `grid` -> frame_cells -> head -> logits_BTK
                  flow, averaged --'                      logits_BK: the logarithm of the frames' mean probability

A backbone that strides over time leaves fewer steps than frames; a step then stands for its frames.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal, get_args

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from mudra.backbones import AnyBackboneConfig, AnyTopConfig, Backbone, VGG16Config
from mudra.cells import (
    AnyRecurrentLayerConfig,
    AnyVectorLayerConfig,
    Cell,
    PeepholeConvLSTMConfig,
    PeepholeLSTMConfig,
    VectorCell,
    WholeClipLayer,
    WholeSequenceLayer,
    unroll,
    unroll_vectors,
)
from mudra.config import Config
from mudra.errors import ConfigError, ModelError, nearest_name
from mudra.heads import FrameClassifierConfig
from mudra.models.assembly import build_vector_layers, check_channels, widen
from mudra.models.map_layers import build_map_layers, join_flow
from mudra.models.refusal import refuse_recomputed_statistics

Pooling = Literal["mean", "max"]
CELLS: tuple[AnyRecurrentLayerConfig, ...] = (PeepholeConvLSTMConfig(hidden_channels=512),)
FRAME_CELLS: tuple[AnyVectorLayerConfig, ...] = (
    PeepholeLSTMConfig(hidden_features=512, output_peephole="before", initialisation="pytorch"),
)
HEAD = FrameClassifierConfig(dropout=0.0)


class RecurrentFrameNetConfig(Config):
    """Recurrence over maps and over vectors, and a vote of all frames."""

    kind: Literal["recurrent_frame_net"] = "recurrent_frame_net"

    num_classes: PositiveInt | None = None
    """Classes (K); None: as many as the data set has."""
    in_channels: PositiveInt | None = None
    """Channels of the clip (C), flow and all; None: as many as the clip's streams have."""
    flow_channels: NonNegativeInt = 0
    """How many of them, the last ones, are flow, which the backbone does not see: the first cell masks its input by it;
    0 for none."""
    width: PositiveFloat = 1.0
    """Factor on the channels and features of all parts, multiplied with their own `width`."""
    backbone: AnyBackboneConfig = VGG16Config()
    """Clips into maps."""
    cells: tuple[AnyRecurrentLayerConfig, ...] = CELLS
    """The recurrent layers over maps, first to last."""
    mixing: AnyTopConfig | None = None
    """A 2-D network on every hidden map, before it is pooled."""
    grid: tuple[PositiveInt, PositiveInt] = (1, 1)
    """Rows and columns that the maps are pooled to before they are flattened."""
    pooling: Pooling = "mean"
    """`mean` or `max` over what falls into a place of the grid."""
    frame_cells: tuple[AnyVectorLayerConfig, ...] = FRAME_CELLS
    """The recurrent layers over vectors, first to last."""
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Probability that an input of a recurrent layer over vectors is dropped in training; the head has its own."""
    head: FrameClassifierConfig = HEAD
    """Vectors into logits."""
    recompute_steps: bool = False
    """In training, keep of the layers over maps only what the backward pass cannot compute again: less memory, longer
    steps, the same gradients; refused for layers with batch normalisation, whose gradients would be others."""

    def build(self) -> RecurrentFrameNet:
        """Return the network.

        Raises:
            ModelError: If `num_classes` or `in_channels` is None.
        """
        if self.num_classes is None or self.in_channels is None:
            missing = "num_classes" if self.num_classes is None else "in_channels"
            raise ModelError(
                f"the network cannot be built: {missing} is not known",
                hint=f"set model.{missing}, or train on a data set, which says it",
            )
        return RecurrentFrameNet(
            num_classes=self.num_classes,
            in_channels=self.in_channels,
            flow_channels=self.flow_channels,
            width=self.width,
            backbone=self.backbone,
            cells=self.cells,
            mixing=self.mixing,
            grid=self.grid,
            pooling=self.pooling,
            frame_cells=self.frame_cells,
            dropout=self.dropout,
            head=self.head,
            recompute_steps=self.recompute_steps,
        )


class RecurrentFrameNet(nn.Module):
    """Recurrence over maps and over vectors, and a vote of all frames.

    Args:
        num_classes: Classes (K).
        in_channels: Channels of the clip (C), flow and all.
        flow_channels: How many of them, the last ones, are flow.
        width: Factor on the channels and features of all parts.
        backbone: Config of the backbone.
        cells: Configs of the recurrent layers over maps; channels left out are filled in.
        mixing: Config of the 2-D network on every hidden map, or None.
        grid: Rows and columns that the maps are pooled to.
        pooling: `mean` or `max`.
        frame_cells: Configs of the recurrent layers over vectors; features left out are filled in.
        dropout: Probability that an input of a layer over vectors is dropped in training.
        head: Config of the head.
        recompute_steps: Whether training keeps of the layers over maps only what it cannot compute again.

    Raises:
        ConfigError: If there is no such `pooling`, or steps of a layer with batch normalisation are to be recomputed.
        ModelError: If a part's config names another number of channels than come in, or there is flow and no cell that
            makes masks of it.

    Example:
        >>> import torch
        >>> net = RecurrentFrameNet(num_classes=5, in_channels=3, width=0.0625)
        >>> clip_BTCHW = torch.zeros(2, 4, 3, 32, 32)
        >>> net(clip_BTCHW).shape, net.classify_frames(clip_BTCHW).shape
        (torch.Size([2, 5]), torch.Size([2, 4, 5]))
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int,
        flow_channels: int = 0,
        width: float = 1.0,
        backbone: AnyBackboneConfig = VGG16Config(),  # noqa: B008  configs are frozen
        cells: tuple[AnyRecurrentLayerConfig, ...] = CELLS,
        mixing: AnyTopConfig | None = None,
        grid: tuple[int, int] = (1, 1),
        pooling: Pooling = "mean",
        frame_cells: tuple[AnyVectorLayerConfig, ...] = FRAME_CELLS,
        dropout: float = 0.0,
        head: FrameClassifierConfig = HEAD,
        recompute_steps: bool = False,
    ) -> None:
        if pooling not in get_args(Pooling):
            raise ConfigError(f"pooling is {pooling!r}", hint=nearest_name(pooling, get_args(Pooling)))
        if flow_channels >= in_channels:
            raise ModelError(
                f"flow_channels is {flow_channels} of {in_channels} channels: none is left for the backbone"
            )
        super().__init__()
        self.num_classes, self.in_channels, self.flow_channels = num_classes, in_channels, flow_channels
        self.grid, self.pooling, self.recompute_steps = grid, pooling, recompute_steps
        check_channels("backbone", backbone.in_channels, in_channels - flow_channels)
        self.backbone: Backbone = widen(backbone, width).build(in_channels - flow_channels)
        layers = build_map_layers(cells, self.backbone.out_channels, flow_channels=flow_channels, width=width)
        channels = layers[-1].hidden_channels if layers else self.backbone.out_channels
        self.cells = nn.ModuleList(layers)
        if recompute_steps:
            refuse_recomputed_statistics({f"cells.{index}": layer for index, layer in enumerate(layers)})
        self.mixing: nn.Module = nn.Identity()
        if mixing is not None:
            built = widen(mixing, width).build(channels)
            self.mixing, channels = built, built.out_channels
        over_vectors = build_vector_layers("frame_cells", frame_cells, channels * grid[0] * grid[1], width=width)
        features = over_vectors[-1].hidden_features if over_vectors else channels * grid[0] * grid[1]
        self.dropout = nn.Dropout(dropout)
        self.frame_cells = nn.ModuleList(over_vectors)
        self.head: nn.Module = widen(head, width).build(features, num_classes)

    def forward(self, clip_BTCHW: Tensor) -> Tensor:
        """Return logits_BK for whole clips: the logarithm of the mean over all frames of their probabilities.

        Raises:
            ModelError: If the clip has another number of axes or channels than the network takes.
        """
        return self.vote(self.classify_frames(clip_BTCHW))

    @staticmethod
    def vote(logits_BTK: Tensor) -> Tensor:
        """Return logits_BK: the logarithm of the mean probability of all frames.

        Example:
            >>> import torch
            >>> RecurrentFrameNet.vote(torch.tensor([[[3.0, 3.0], [0.0, 100.0]]])).exp()
            tensor([[0.2500, 0.7500]])
        """
        return logits_BTK.log_softmax(dim=-1).logsumexp(dim=1) - math.log(logits_BTK.shape[1])

    def classify_frames(self, clip_BTCHW: Tensor) -> Tensor:
        """Return logits_BTK, those of every step.

        Raises:
            ModelError: If the clip has another number of axes or channels than the network takes.
        """
        return self.classify_maps(self.compute_maps(clip_BTCHW))

    def compute_maps(self, clip_BTCHW: Tensor) -> Tensor:
        """Return the backbone's maps with the flow behind their channels: all that the rest of the network sees.

        Raises:
            ModelError: If the clip has another number of axes or channels than the network takes.
        """
        self._check(clip_BTCHW)
        maps_BTCHW: Tensor = self.backbone(clip_BTCHW[:, :, : self.in_channels - self.flow_channels])
        if self.flow_channels:
            maps_BTCHW = join_flow(maps_BTCHW, clip_BTCHW[:, :, -self.flow_channels :])
        return maps_BTCHW

    def classify_maps(self, maps_BTCHW: Tensor) -> Tensor:
        """Return logits_BTK, those of every step, for maps that `compute_maps` returned."""
        for layer in self.cells:
            assert isinstance(layer, Cell | WholeClipLayer)
            memory: Literal["keep", "recompute"] = "recompute" if self.recompute_steps else "keep"
            maps_BTCHW = unroll(layer, maps_BTCHW, memory=memory).hidden_BTDHW
        features_BTC = self._pool(self.mixing(maps_BTCHW))
        for frame_layer in self.frame_cells:
            assert isinstance(frame_layer, VectorCell | WholeSequenceLayer)
            features_BTC = unroll_vectors(frame_layer, self.dropout(features_BTC)).hidden_BTD
        logits_BTK: Tensor = self.head(features_BTC)
        return logits_BTK

    def load_pretrained(self) -> None:
        """Load the published weights that the backbone's config names, if it names any: once, when training starts.

        Raises:
            ModelError: If they are missing, damaged, or another network's.
        """
        self.backbone.load_pretrained()

    def name_as_ours(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return weights of another program's checkpoint of the same backbone under the names of ours.

        Weights that have names of ours are left as they are.
        """
        own, backbone = set(self.state_dict()), set(self.backbone.state_dict())
        if any(name in own for name in weights):
            return dict(weights)
        renamed = self.backbone.name_as_ours(weights)
        return {f"backbone.{name}" if name in backbone else name: value for name, value in renamed.items()}

    def _pool(self, maps_BTCHW: Tensor) -> Tensor:
        """Return one vector per map."""
        pool = functional.adaptive_avg_pool2d if self.pooling == "mean" else functional.adaptive_max_pool2d
        pooled: Tensor = pool(maps_BTCHW.flatten(0, 1), self.grid)
        return pooled.reshape(*maps_BTCHW.shape[:2], -1)

    def _check(self, clip_BTCHW: Tensor) -> None:
        if clip_BTCHW.ndim != 5 or clip_BTCHW.shape[2] != self.in_channels:
            raise ModelError(
                f"the network got a clip of shape {tuple(clip_BTCHW.shape)}; "
                f"wanted (B, T, {self.in_channels}, H, W): time stands before channels"
            )
