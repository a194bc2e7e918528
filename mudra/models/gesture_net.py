"""Gesture network: a backbone, recurrent layers over its maps, a 2-D top on every step, one head.

Source: Zhang et al. 2018, figure 1: Res3D, two ConvLSTM layers, MobileNet, mean, dense.
Differs: nothing at the defaults; every part is chosen by its config, and `width` scales them together. Without cells
and top it is a backbone with its head: Res3D alone, C3D, a ResNet on every frame.

    clip_BTCHW -> backbone -> maps -> cell, cell -> hidden maps -> top -> head -> logits_BK
                     '--- in training alone: decoder -> masks of depth (Fan et al. 2021, figure 1)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple

from pydantic import NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn

from mudra.backbones import AnyBackboneConfig, AnyTopConfig, Backbone, MobileNetTopConfig, Res3DConfig
from mudra.cells import AnyRecurrentLayerConfig, Cell, GatedConvLSTMConfig, MapState, WholeClipLayer, unroll
from mudra.config import Config
from mudra.errors import ModelError
from mudra.heads import AnyHeadConfig, Masks, MeanClassifierConfig, MultiScaleDecoderConfig
from mudra.models.assembly import check_channels, widen
from mudra.models.map_layers import build_map_layers, join_flow, require_forward_layers
from mudra.models.refusal import check_clip, refuse_recomputed_statistics, require_sizes

DENSE_NAMES = ("fc", "new_fc")  # of the last layer in torchvision's and in the papers' checkpoints


class GestureNetConfig(Config):
    """Backbone, recurrent layers, top and head."""

    kind: Literal["gesture_net"] = "gesture_net"

    num_classes: PositiveInt | None = None
    """Classes (K); None: as many as the data set has."""
    in_channels: PositiveInt | None = None
    """Channels of the clip (C); None: as many as the clip's streams have."""
    width: PositiveFloat = 1.0
    """Factor on the channels of backbone, cells and top and on a head's hidden features, multiplied with their own
    `width`."""
    backbone: AnyBackboneConfig = Res3DConfig()
    """Clips into maps."""
    cells: tuple[AnyRecurrentLayerConfig, ...] = (GatedConvLSTMConfig(), GatedConvLSTMConfig())
    """The recurrent layers, first to last; none at all is a network without recurrence."""
    top: AnyTopConfig | None = MobileNetTopConfig()
    """Hidden maps into deeper maps, each step by itself."""
    head: AnyHeadConfig = MeanClassifierConfig()
    """Maps into logits."""
    recompute_steps: bool = False
    """In training, keep of the recurrent layers only what the backward pass cannot compute again: less memory, longer
    steps, the same gradients; refused for layers with batch normalisation, whose gradients would be others."""
    flow_channels: NonNegativeInt = 0
    """How many of `in_channels`, the last ones, are optical flow that passes the backbone by: scaled to the size and
    the steps of its maps, it comes to the first recurrent layer behind them, whose masks are made of it; 0: none."""
    decoder: MultiScaleDecoderConfig | None = None
    """What learns depth from the backbone's maps, in training alone; None for nothing."""

    def build(self) -> GestureNet:
        """Return the network.

        Raises:
            ModelError: If `num_classes` or `in_channels` is None.
        """
        sizes = require_sizes(self.num_classes, self.in_channels)
        return GestureNet(
            num_classes=sizes.num_classes,
            in_channels=sizes.in_channels,
            width=self.width,
            backbone=self.backbone,
            cells=self.cells,
            top=self.top,
            head=self.head,
            recompute_steps=self.recompute_steps,
            flow_channels=self.flow_channels,
            decoder=self.decoder,
        )


class TrainingOutput(NamedTuple):
    """What `GestureNet.forward_training` returns.

    Args:
        logits_BK: Logits of the clips.
        masks: What the decoders say of every frame; None of them where the network has no decoder.
    """

    logits_BK: Tensor
    masks: Masks


class StreamState(NamedTuple):
    """What a network keeps of the pieces of a stream that it has seen.

    Args:
        backbone: What a causal backbone keeps.
        cells: The states of the recurrent layers.
    """

    backbone: tuple[Tensor, ...]
    cells: tuple[MapState, ...]


class StreamOutput(NamedTuple):
    """What `GestureNet.forward_stream` returns for one piece of a stream.

    Args:
        logits_BK: Logits of this piece alone.
        states: What the network keeps: give it to the call for the next piece.
    """

    logits_BK: Tensor
    states: StreamState


class GestureNet(nn.Module):
    """Backbone, recurrent layers, top and head.

    Args:
        num_classes: Classes (K).
        in_channels: Channels of the clip (C).
        width: Factor on the channels of backbone, cells and top and on a head's hidden features.
        backbone: Config of the backbone.
        cells: Configs of the recurrent layers; channels left out are filled in.
        top: Config of the 2-D network on every step, or None.
        head: Config of the head.
        recompute_steps: Whether training keeps of the recurrent layers only what it cannot compute again.
        flow_channels: How many of `in_channels`, the last ones, are flow that passes the backbone by.
        decoder: Config of the decoder of depth, or None.

    Raises:
        ConfigError: If steps of a layer with batch normalisation are to be recomputed.
        ModelError: If the backbone's or a cell's config names another number of incoming channels than come in, a
            decoder is to stand on a backbone that has no maps for it, or flow comes to a cell that makes no use of it.

    Example:
        >>> import torch
        >>> net = GestureNet(num_classes=5, in_channels=3, width=0.125)
        >>> net(torch.zeros(2, 8, 3, 32, 32)).shape
        torch.Size([2, 5])
    """

    training_parts: ClassVar[tuple[str, ...]] = ("decoder",)
    """Parts that training alone uses."""

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int,
        width: float = 1.0,
        backbone: AnyBackboneConfig = Res3DConfig(),  # noqa: B008  configs are frozen
        cells: tuple[AnyRecurrentLayerConfig, ...] = (GatedConvLSTMConfig(), GatedConvLSTMConfig()),
        top: AnyTopConfig | None = MobileNetTopConfig(),  # noqa: B008
        head: AnyHeadConfig = MeanClassifierConfig(),  # noqa: B008
        recompute_steps: bool = False,
        flow_channels: int = 0,
        decoder: MultiScaleDecoderConfig | None = None,
    ) -> None:
        super().__init__()
        self.recompute_steps = recompute_steps
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.flow_channels = flow_channels
        seen_channels = in_channels - flow_channels
        check_channels("backbone", backbone.in_channels, seen_channels)
        self.backbone: Backbone = widen(backbone, width).build(seen_channels)
        layers = build_map_layers(cells, self.backbone.out_channels, flow_channels=flow_channels, width=width)
        channels = layers[-1].hidden_channels if layers else self.backbone.out_channels
        self.cells = nn.ModuleList(layers)
        if recompute_steps:
            refuse_recomputed_statistics({f"cells.{index}": layer for index, layer in enumerate(layers)})
        self.top: nn.Module = nn.Identity()
        if top is not None:
            built = widen(top, width).build(channels)
            self.top, channels = built, built.out_channels
        self.head: nn.Module = widen(head, width).build(channels, num_classes)
        # Last: the other parts draw the same first values with and without it.
        self.decoder: nn.Module | None = None if decoder is None else _build_decoder(decoder, self.backbone)

    def forward(self, clip_BTCHW: Tensor) -> Tensor:
        """Return logits_BK for whole clips; a decoder has no part in them.

        Raises:
            ModelError: If the clip has another number of axes or channels than the network takes; in training, if the
                network has a decoder, which would learn nothing.
        """
        check_clip(clip_BTCHW, self.in_channels)
        if self.training and self.decoder is not None:
            raise ModelError(
                "the network has a decoder, which learns from depth, but is trained on its logits alone",
                hint="call forward_training and give its masks to a loss, or leave the decoder out: model.decoder=null",
            )
        return self.classify_maps(self.compute_maps(clip_BTCHW))

    def compute_maps(self, clip_BTCHW: Tensor) -> Tensor:
        """Return the backbone's maps with the flow behind their channels: all that the rest of the network sees.

        Raises:
            ModelError: If the clip has another number of axes or channels than the network takes.
        """
        check_clip(clip_BTCHW, self.in_channels)
        seen_BTCHW, flow_BTCHW = self._split(clip_BTCHW)
        return join_flow(self.backbone(seen_BTCHW), flow_BTCHW)

    def classify_maps(self, maps_BTCHW: Tensor) -> Tensor:
        """Return logits_BK for maps that `compute_maps` returned."""
        hidden, _ = self.recur(maps_BTCHW)
        logits: Tensor = self.head(self.top(hidden))
        return logits

    def forward_training(self, clip_BTCHW: Tensor) -> TrainingOutput:
        """Return logits_BK, those of `forward`, and the decoder's masks.

        Raises:
            ModelError: If the clip has another number of axes or channels than the network takes.
        """
        check_clip(clip_BTCHW, self.in_channels)
        if self.decoder is None:
            return TrainingOutput(self(clip_BTCHW), Masks(None, None))
        seen_BTCHW, flow_BTCHW = self._split(clip_BTCHW)
        stem_BTCHW, maps_BTCHW = self.backbone.forward_taps(seen_BTCHW)
        hidden, _ = self.recur(join_flow(maps_BTCHW, flow_BTCHW))
        masks: Masks = self.decoder(stem_BTCHW, maps_BTCHW)
        return TrainingOutput(self.head(self.top(hidden)), masks)

    def drop_decoder(self) -> None:
        """Take the decoder away: what is left computes the same logits."""
        self.decoder = None

    def recur(
        self, maps_BTCHW: Tensor, states: tuple[MapState, ...] | None = None
    ) -> tuple[Tensor, tuple[MapState, ...]]:
        """Run the recurrent layers over maps, from `states` on, and return hidden maps and the states after them."""
        after = []
        for index, cell in enumerate(self.cells):
            assert isinstance(cell, Cell | WholeClipLayer)
            before = None if states is None else states[index]
            memory: Literal["keep", "recompute"] = "recompute" if self.recompute_steps else "keep"
            maps_BTCHW, state = unroll(cell, maps_BTCHW, before, memory=memory)
            after.append(state)
        return maps_BTCHW, tuple(after)

    def forward_stream(self, clip_BTCHW: Tensor, states: StreamState | None = None) -> StreamOutput:
        """Return the logits of one piece of a stream, and what the next piece goes on with.

        The recurrence goes on exactly, and so does a causal backbone; any other sees each piece by itself, so that it
        meets zeros, not the neighbouring piece's frames, at the piece's ends.

        Raises:
            ModelError: If the clip has another number of axes or channels than the network takes, or a recurrent layer
                needs the whole clip.
        """
        check_clip(clip_BTCHW, self.in_channels)
        require_forward_layers(self.cells)
        before, kept = (None, None) if states is None else states
        seen_BTCHW, flow_BTCHW = self._split(clip_BTCHW)
        maps_BTCHW, seen = self.backbone.forward_stream(seen_BTCHW, before)
        hidden, after = self.recur(join_flow(maps_BTCHW, flow_BTCHW), kept)
        return StreamOutput(self.head(self.top(hidden)), StreamState(seen, after))

    def load_pretrained(self) -> None:
        """Load the published weights that the backbone's config names, if it names any: once, when training starts.

        Raises:
            ModelError: If they are missing, damaged, or another network's.
        """
        self.backbone.load_pretrained()

    def name_as_ours(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return weights of another program's checkpoint of the same backbone under the names of ours.

        The dense layer behind it (`fc`, `new_fc`) is the head's. Weights that have names of ours are left as they are.
        """
        own, backbone = set(self.state_dict()), set(self.backbone.state_dict())
        if any(name in own for name in weights):
            return dict(weights)
        renamed = {}
        for name, value in self.backbone.name_as_ours(weights).items():
            module, _, kind = name.rpartition(".")
            is_dense = module.rpartition(".")[2] in DENSE_NAMES
            renamed[f"backbone.{name}" if name in backbone else f"head.dense.{kind}" if is_dense else name] = value
        return renamed

    def _split(self, clip_BTCHW: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return what the backbone sees, and the flow that passes it by."""
        if not self.flow_channels:
            return clip_BTCHW, None
        num_seen = self.in_channels - self.flow_channels
        return clip_BTCHW[:, :, :num_seen], clip_BTCHW[:, :, num_seen:]


def _build_decoder(config: MultiScaleDecoderConfig, backbone: Backbone) -> nn.Module:
    if backbone.stem_channels is None:
        raise ModelError(
            f"{type(backbone).__name__} has no first stage for a decoder, with every frame at a quarter of its size",
            hint="take a 2-D backbone (resnet, res2net, mobile_net_v2), or model.decoder=null",
        )
    return config.build(backbone.stem_channels, backbone.out_channels)
