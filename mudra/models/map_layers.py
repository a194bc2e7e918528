"""Recurrent layers over a backbone's maps: built one behind the other, with flow that passes the backbone by."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from mudra.cells import AnyRecurrentLayerConfig, Cell, WholeClipLayer
from mudra.errors import ModelError
from mudra.models.assembly import check_channels, scale_hidden


def build_map_layers(
    configs: tuple[AnyRecurrentLayerConfig, ...], channels: int, *, flow_channels: int, width: float
) -> list[Cell | WholeClipLayer]:
    """Return recurrent layers over maps, what their configs leave out filled in.

    Args:
        configs: First to last.
        channels: Channels of the backbone's maps.
        flow_channels: Channels of flow that come to the first layer behind them; 0: none.
        width: The network's factor on hidden channels.

    Raises:
        ModelError: If a config names other channels than come in, or other channels of flow, or flow comes to a cell
            that makes no use of it.

    Example:
        >>> from mudra.cells import ConvLSTMConfig, MultiKernelConvLSTMConfig
        >>> configs = (MultiKernelConvLSTMConfig(hidden_channels=(6, 4)), ConvLSTMConfig())
        >>> layers = build_map_layers(configs, 16, flow_channels=2, width=1.0)
        >>> [(layer.in_channels, layer.hidden_channels) for layer in layers]
        [(18, 10), (10, 10)]
    """
    for index, config in enumerate(configs):
        _refuse_other_flow(f"cells.{index}", config, 0 if index else flow_channels)
    if flow_channels:
        configs = _give_flow(configs, flow_channels)
    layers: list[Cell | WholeClipLayer] = []
    for index, config in enumerate(configs):
        coming = channels + (0 if index else flow_channels)
        check_channels(f"cells.{index}", config.in_channels, coming)
        hidden = scale_hidden(config.hidden_channels, channels, width)
        layer = config.model_copy(update={"in_channels": coming, "hidden_channels": hidden}).build()
        layers.append(layer)
        channels = layer.hidden_channels
    return layers


def require_forward_layers(layers: Iterable[nn.Module]) -> None:
    """Refuse layers that need the whole clip, where a piece of a stream is to be seen.

    Raises:
        ModelError: If there is one.
    """
    whole = [f"cells.{i} ({type(cell).__name__})" for i, cell in enumerate(layers) if not isinstance(cell, Cell)]
    if whole:
        raise ModelError(
            f"{', '.join(whole)} runs backwards too and needs the whole clip; a piece of a stream came",
            hint="give whole clips to the network itself, or train one whose cells run forwards only",
        )


def join_flow(maps_BTCHW: Tensor, flow_BTCHW: Tensor | None) -> Tensor:
    """Return maps with flow behind them, averaged to their size and steps.

    Example:
        >>> join_flow(torch.zeros(2, 4, 16, 7, 7), torch.zeros(2, 8, 2, 56, 56)).shape
        torch.Size([2, 4, 18, 7, 7])
    """
    if flow_BTCHW is None:
        return maps_BTCHW
    size = (maps_BTCHW.shape[1], *maps_BTCHW.shape[-2:])
    scaled_BCTHW = functional.adaptive_avg_pool3d(flow_BTCHW.transpose(1, 2), size)
    return torch.cat([maps_BTCHW, scaled_BCTHW.transpose(1, 2).to(maps_BTCHW.dtype)], dim=2)


def _refuse_other_flow(part: str, config: AnyRecurrentLayerConfig, flow_channels: int) -> None:
    """Refuse a cell that would take the backbone's last maps for flow."""
    told = getattr(config, "flow_channels", 0)
    if told not in (0, flow_channels):
        raise ModelError(
            f"{part}.flow_channels is {told}, but {flow_channels} channels of flow come in",
            hint=f"leave {part}.flow_channels out; model.flow_channels says how many of the clip's channels are flow",
        )


def _give_flow(cells: tuple[AnyRecurrentLayerConfig, ...], flow_channels: int) -> tuple[AnyRecurrentLayerConfig, ...]:
    """Return the recurrent layers with flow for the first."""
    if not cells or "flow_channels" not in type(cells[0]).model_fields:
        raise ModelError(
            f"{flow_channels} channels of flow pass the backbone by, but "
            + (f"the first recurrent layer, {cells[0].kind!r}, makes no masks of them" if cells else "no cell follows"),
            hint="set model.flow_channels=0, or begin with a cell that has flow attention: multi_kernel_conv_lstm",
        )
    return (cells[0].model_copy(update={"flow_channels": flow_channels}), *cells[1:])
