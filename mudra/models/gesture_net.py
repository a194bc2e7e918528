"""Gesture network: a 3-D backbone, recurrent layers over its maps, a 2-D top on every step, one head.

Source: Zhang et al. 2018, figure 1: Res3D, two ConvLSTM layers, MobileNet, mean, dense.
Differs: nothing at the defaults; every part is chosen by its config, and `width` scales them together.

    clip_BTCHW -> backbone -> maps -> cell, cell -> hidden maps -> top -> head -> logits_BK
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn

from mudra.backbones import AnyBackboneConfig, AnyTopConfig, MobileNetTopConfig, Res3DConfig, scale_channels
from mudra.cells import AnyCellConfig, Cell, GatedConvLSTMConfig, MapState, unroll
from mudra.config import Config
from mudra.errors import ModelError
from mudra.heads import AnyHeadConfig, MeanClassifierConfig


class GestureNetConfig(Config):
    """Backbone, recurrent layers, top and head."""

    kind: Literal["gesture_net"] = "gesture_net"

    num_classes: PositiveInt | None = None
    """Classes (K); None: as many as the data set has."""
    in_channels: PositiveInt | None = None
    """Channels of the clip (C); None: as many as the clip's streams have."""
    width: PositiveFloat = 1.0
    """Factor on the channels of backbone, cells and top, multiplied with their own `width`."""
    backbone: AnyBackboneConfig = Res3DConfig()
    """Clips into maps."""
    cells: tuple[AnyCellConfig, ...] = (GatedConvLSTMConfig(), GatedConvLSTMConfig())
    """The recurrent layers, first to last; none at all is a network without recurrence."""
    top: AnyTopConfig | None = MobileNetTopConfig()
    """Hidden maps into deeper maps, each step by itself."""
    head: AnyHeadConfig = MeanClassifierConfig()
    """Maps into logits."""

    def build(self) -> GestureNet:
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
        return GestureNet(
            num_classes=self.num_classes,
            in_channels=self.in_channels,
            width=self.width,
            backbone=self.backbone,
            cells=self.cells,
            top=self.top,
            head=self.head,
        )


class StreamOutput(NamedTuple):
    """What `GestureNet.forward_stream` returns for one piece of a stream.

    Args:
        logits_BK: Logits of this piece alone.
        states: The states of the recurrent layers: give them to the call for the next piece.
    """

    logits_BK: Tensor
    states: tuple[MapState, ...]


class GestureNet(nn.Module):
    """Backbone, recurrent layers, top and head.

    Args:
        num_classes: Classes (K).
        in_channels: Channels of the clip (C).
        width: Factor on the channels of backbone, cells and top.
        backbone: Config of the 3-D backbone.
        cells: Configs of the recurrent layers; channels left out are filled in.
        top: Config of the 2-D network on every step, or None.
        head: Config of the head.

    Raises:
        ModelError: If the backbone's or a cell's config names another number of incoming channels than come in.

    Example:
        >>> import torch
        >>> net = GestureNet(num_classes=5, in_channels=3, width=0.125)
        >>> net(torch.zeros(2, 8, 3, 32, 32)).shape
        torch.Size([2, 5])
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int,
        width: float = 1.0,
        backbone: Res3DConfig = Res3DConfig(),  # noqa: B008  configs are frozen
        cells: tuple[AnyCellConfig, ...] = (GatedConvLSTMConfig(), GatedConvLSTMConfig()),
        top: MobileNetTopConfig | None = MobileNetTopConfig(),  # noqa: B008
        head: MeanClassifierConfig = MeanClassifierConfig(),  # noqa: B008
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.in_channels = in_channels
        _check_channels("backbone", backbone.in_channels, in_channels)
        self.backbone = backbone.model_copy(update={"width": backbone.width * width}).build(in_channels)
        channels = self.backbone.out_channels
        layers: list[Cell] = []
        for index, config in enumerate(cells):
            _check_channels(f"cells.{index}", config.in_channels, channels)
            hidden = channels if config.hidden_channels is None else scale_channels(config.hidden_channels, width)
            layers.append(config.model_copy(update={"in_channels": channels, "hidden_channels": hidden}).build())
            channels = hidden
        self.cells = nn.ModuleList(layers)
        self.top: nn.Module = nn.Identity()
        if top is not None:
            built = top.model_copy(update={"width": top.width * width}).build(channels)
            self.top, channels = built, built.out_channels
        self.head = head.build(channels, num_classes)

    def forward(self, clip_BTCHW: Tensor) -> Tensor:
        """Return logits_BK for whole clips.

        Raises:
            ModelError: If the clip has another number of axes or channels than the network takes.
        """
        self._check(clip_BTCHW)
        hidden, _ = self.recur(self.backbone(clip_BTCHW))
        logits: Tensor = self.head(self.top(hidden))
        return logits

    def recur(
        self, maps_BTCHW: Tensor, states: tuple[MapState, ...] | None = None
    ) -> tuple[Tensor, tuple[MapState, ...]]:
        """Run the recurrent layers over maps, from `states` on, and return hidden maps and the states after them."""
        after = []
        for index, cell in enumerate(self.cells):
            assert isinstance(cell, Cell)
            maps_BTCHW, state = unroll(cell, maps_BTCHW, None if states is None else states[index])
            after.append(state)
        return maps_BTCHW, tuple(after)

    def forward_stream(self, clip_BTCHW: Tensor, states: tuple[MapState, ...] | None = None) -> StreamOutput:
        """Return the logits of one piece of a stream, and the states with which the next piece goes on.

        The recurrence goes on exactly; the backbone sees each piece by itself, so that its 3-D convolutions meet
        zeros, not the neighbouring piece's frames, at the piece's ends.
        """
        self._check(clip_BTCHW)
        hidden, after = self.recur(self.backbone(clip_BTCHW), states)
        return StreamOutput(self.head(self.top(hidden)), after)

    def _check(self, clip_BTCHW: Tensor) -> None:
        if clip_BTCHW.ndim != 5 or clip_BTCHW.shape[2] != self.in_channels:
            raise ModelError(
                f"the network got a clip of shape {tuple(clip_BTCHW.shape)}; "
                f"wanted (B, T, {self.in_channels}, H, W): time stands before channels"
            )


def _check_channels(part: str, named: int | None, coming: int) -> None:
    if named not in (None, coming):
        raise ModelError(
            f"{part}.in_channels is {named}, but {coming} channels come in",
            hint=f"leave {part}.in_channels out: the network fills it in",
        )
