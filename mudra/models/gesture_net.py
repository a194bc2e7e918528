"""Gesture network: a backbone, recurrent layers over its maps, a 2-D top on every step, one head.

Source: Zhang et al. 2018, figure 1: Res3D, two ConvLSTM layers, MobileNet, mean, dense.
Differs: nothing at the defaults; every part is chosen by its config, and `width` scales them together. Without cells
and top it is a backbone with its head: Res3D alone, C3D, a ResNet on every frame.

    clip_BTCHW -> backbone -> maps -> cell, cell -> hidden maps -> top -> head -> logits_BK
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeVar

from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn

from mudra.backbones import (
    AnyBackboneConfig,
    AnyTopConfig,
    Backbone,
    MobileNetTopConfig,
    Res3DConfig,
    scale_channels,
)
from mudra.cells import AnyRecurrentLayerConfig, Cell, GatedConvLSTMConfig, MapState, WholeClipLayer, unroll
from mudra.config import Config
from mudra.errors import ModelError
from mudra.heads import AnyHeadConfig, MeanClassifierConfig

PartConfig = TypeVar("PartConfig", bound=Config)


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
    steps, the same gradients."""

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
            recompute_steps=self.recompute_steps,
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
        width: Factor on the channels of backbone, cells and top and on a head's hidden features.
        backbone: Config of the backbone.
        cells: Configs of the recurrent layers; channels left out are filled in.
        top: Config of the 2-D network on every step, or None.
        head: Config of the head.
        recompute_steps: Whether training keeps of the recurrent layers only what it cannot compute again.

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
        backbone: AnyBackboneConfig = Res3DConfig(),  # noqa: B008  configs are frozen
        cells: tuple[AnyRecurrentLayerConfig, ...] = (GatedConvLSTMConfig(), GatedConvLSTMConfig()),
        top: AnyTopConfig | None = MobileNetTopConfig(),  # noqa: B008
        head: AnyHeadConfig = MeanClassifierConfig(),  # noqa: B008
        recompute_steps: bool = False,
    ) -> None:
        super().__init__()
        self.recompute_steps = recompute_steps
        self.num_classes = num_classes
        self.in_channels = in_channels
        _check_channels("backbone", backbone.in_channels, in_channels)
        self.backbone: Backbone = _widen(backbone, width).build(in_channels)
        channels = self.backbone.out_channels
        layers: list[Cell | WholeClipLayer] = []
        for index, config in enumerate(cells):
            _check_channels(f"cells.{index}", config.in_channels, channels)
            hidden = channels if config.hidden_channels is None else scale_channels(config.hidden_channels, width)
            layer = config.model_copy(update={"in_channels": channels, "hidden_channels": hidden}).build()
            layers.append(layer)
            channels = layer.hidden_channels
        self.cells = nn.ModuleList(layers)
        self.top: nn.Module = nn.Identity()
        if top is not None:
            built = _widen(top, width).build(channels)
            self.top, channels = built, built.out_channels
        self.head: nn.Module = _widen(head, width).build(channels, num_classes)

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
            assert isinstance(cell, Cell | WholeClipLayer)
            before = None if states is None else states[index]
            memory: Literal["keep", "recompute"] = "recompute" if self.recompute_steps else "keep"
            maps_BTCHW, state = unroll(cell, maps_BTCHW, before, memory=memory)
            after.append(state)
        return maps_BTCHW, tuple(after)

    def forward_stream(self, clip_BTCHW: Tensor, states: tuple[MapState, ...] | None = None) -> StreamOutput:
        """Return the logits of one piece of a stream, and the states with which the next piece goes on.

        The recurrence goes on exactly; the backbone sees each piece by itself, so that its 3-D convolutions meet
        zeros, not the neighbouring piece's frames, at the piece's ends.

        Raises:
            ModelError: If the clip has another number of axes or channels than the network takes, or a recurrent layer
                needs the whole clip.
        """
        self._check(clip_BTCHW)
        whole = [
            f"cells.{i} ({type(cell).__name__})" for i, cell in enumerate(self.cells) if not isinstance(cell, Cell)
        ]
        if whole:
            raise ModelError(
                f"{', '.join(whole)} runs backwards too and needs the whole clip; a piece of a stream came",
                hint="give whole clips to the network itself, or train one whose cells run forwards only",
            )
        hidden, after = self.recur(self.backbone(clip_BTCHW), states)
        return StreamOutput(self.head(self.top(hidden)), after)

    def load_pretrained(self) -> None:
        """Load the published weights that the backbone's config names, if it names any: once, when training starts.

        Raises:
            ModelError: If they are missing, damaged, or another network's.
        """
        self.backbone.load_pretrained()

    def _check(self, clip_BTCHW: Tensor) -> None:
        if clip_BTCHW.ndim != 5 or clip_BTCHW.shape[2] != self.in_channels:
            raise ModelError(
                f"the network got a clip of shape {tuple(clip_BTCHW.shape)}; "
                f"wanted (B, T, {self.in_channels}, H, W): time stands before channels"
            )


def _widen(config: PartConfig, width: float) -> PartConfig:
    """Return a part's config with its own width times the network's, where it has one."""
    own = getattr(config, "width", None)
    return config if own is None else config.model_copy(update={"width": own * width})


def _check_channels(part: str, named: int | None, coming: int) -> None:
    if named not in (None, coming):
        raise ModelError(
            f"{part}.in_channels is {named}, but {coming} channels come in",
            hint=f"leave {part}.in_channels out: the network fills it in",
        )
