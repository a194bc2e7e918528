"""What happens inside a network while it looks at one clip: hidden maps, gates, attention, and what a class rests on.

Sources: the most active map is that of Zhang et al. 2018, figure 3 ("the feature map which has the largest activation
sum"); the class map is Grad-CAM of Selvaraju et al. 2017, arXiv:1610.02391, equations 1 and 2.
Differs: the paper does not say over what it sums; here the sum runs over all steps and cells, so that one channel
stands for the whole clip and its steps can be compared. A channel that is active everywhere wins that sum; `contrast`
is a second rule, not the paper's, that asks where a map is active and not how much. Grad-CAM weighs the channels of
each step by themselves.

Letters: T recurrent steps (a backbone may have made fewer of them than the clip has frames), D hidden channels,
H W cells of a map, K classes.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from mudra.cells import Bidirectional, Cell, WholeClipLayer, unroll
from mudra.errors import ModelError
from mudra.types import FloatArray

ChannelRule = Literal["sum", "contrast"]

GATE_SUFFIX = "_gate"


class GateTrace(NamedTuple):
    """One gate over the steps; channels, and cells of the map where a gate has them, are taken together.

    Args:
        mean_T: Mean opening, from 0 (shut) to 1 (open).
        spread_T: Standard deviation of the opening.
        low_T, high_T: Smallest and largest opening.
    """

    mean_T: FloatArray
    spread_T: FloatArray
    low_T: FloatArray
    high_T: FloatArray


class LayerTrace(NamedTuple):
    """One layer over the steps.

    Args:
        name: `layer 1`, `layer 2`, ... for the recurrent layers; `backbone` where there is none.
        kind: Class of the layer.
        channel: The most active channel, by the rule that was asked for; of equal ones the first.
        active_THW: Its maps.
        gates: The gates by name, as the cell names them.
        attention_THW: Attention averaged over the channels, None where the cell has none.
    """

    name: str
    kind: str
    channel: int
    active_THW: FloatArray
    gates: dict[str, GateTrace]
    attention_THW: FloatArray | None


class Trace(NamedTuple):
    """What a network did with one clip.

    Args:
        logits_K: Its answer.
        layers: The recurrent layers, first to last; the backbone alone where there is none.
        cam_THW: Grad-CAM of one class on the maps of the last of `layers`, never negative.
        rule: How the most active channels were chosen.
    """

    logits_K: FloatArray
    layers: list[LayerTrace]
    cam_THW: FloatArray
    rule: ChannelRule


def trace_clip(network: nn.Module, clip_TCHW: Tensor, *, label: int, rule: ChannelRule = "sum") -> Trace:
    """Run a network over one clip and keep what happens inside.

    Args:
        network: A gesture network in evaluation mode.
        clip_TCHW: The clip, on any device.
        label: The class whose Grad-CAM is wanted.
        rule: Which channel of a layer is the most active one: `sum`, the largest sum of activations over all steps and
            cells (the paper's), or `contrast`, the largest variance of positive activations over the cells of a step.

    Raises:
        ModelError: If the network has no backbone, cells, top and head, or `label` is not one of its classes.

    Example:
        >>> from mudra.models import GestureNet
        >>> network = GestureNet(num_classes=5, in_channels=3, width=0.125).eval()
        >>> trace = trace_clip(network, torch.zeros(8, 3, 32, 32), label=2)
        >>> [layer.name for layer in trace.layers], trace.cam_THW.shape
        (['layer 1', 'layer 2'], (4, 8, 8))
    """
    missing = [
        part for part in ("backbone", "cells", "top", "head") if not isinstance(getattr(network, part, None), nn.Module)
    ]
    if missing:
        raise ModelError(
            f"{type(network).__name__} cannot be explained: it has no {', '.join(missing)}",
            hint="explain a network of kind gesture_net",
        )
    device = next(network.parameters()).device
    with torch.no_grad():
        maps_BTCHW: Tensor = network.get_submodule("backbone")(clip_TCHW[None].to(device))
        layers = []
        for number, layer in enumerate(network.get_submodule("cells").children(), start=1):
            assert isinstance(layer, Cell | WholeClipLayer)
            maps_BTCHW, traced = _trace_layer(f"layer {number}", layer, maps_BTCHW, rule)
            layers.append(traced)
    if not layers:
        layers.append(_layer("backbone", network.get_submodule("backbone"), maps_BTCHW, {}, None, rule))
    logits_K, cam_THW = _class_map(network, maps_BTCHW, label)
    return Trace(logits_K, layers, cam_THW, rule)


def step_frames(num_steps: int, num_frames: int) -> list[int]:
    """Return the frame of the clip that stands for each step: the middle of those that the backbone put into it.

    Example:
        >>> step_frames(4, 8), step_frames(3, 3)
        ([1, 3, 5, 7], [0, 1, 2])
    """
    return [min(int((step + 0.5) * num_frames / num_steps), num_frames - 1) for step in range(num_steps)]


def _trace_layer(
    name: str, layer: Cell | WholeClipLayer, x_BTCHW: Tensor, rule: ChannelRule
) -> tuple[Tensor, LayerTrace]:
    """Unroll a layer, and ask each cell in it at every step what it does."""
    cells = {path: cell for path, cell in layer.named_modules() if isinstance(cell, Cell)}
    steps: dict[str, list[dict[str, Tensor]]] = {path: [] for path in cells}
    with ExitStack() as stack:
        for path, cell in cells.items():
            stack.callback(cell.register_forward_pre_hook(partial(_keep_step, steps[path])).remove)
        hidden_BTDHW = unroll(layer, x_BTCHW).hidden_BTDHW
    gates: dict[str, GateTrace] = {}
    attention = []
    for path, seen in steps.items():
        # The cell that runs against time saw the last frame first.
        seen = seen[::-1] if isinstance(layer, Bidirectional) and cells[path] is layer.against else seen
        for quantity in seen[0]:
            values = [step[quantity][0].float() for step in seen]
            if quantity.endswith(GATE_SUFFIX):
                gates[f"{path} {quantity}".strip()] = _gate(values)
            elif quantity == "attention":
                attention.append(torch.stack([value.mean(dim=0) for value in values]))
    attention_THW = torch.stack(attention).mean(dim=0) if attention else None
    return hidden_BTDHW, _layer(name, layer, hidden_BTDHW, gates, attention_THW, rule)


def _keep_step(steps: list[dict[str, Tensor]], cell: nn.Module, step: tuple[Any, ...]) -> None:
    assert isinstance(cell, Cell)
    steps.append(cell.inspect(*step))


def _layer(
    name: str,
    module: nn.Module,
    maps_BTDHW: Tensor,
    gates: dict[str, GateTrace],
    attention_THW: Tensor | None,
    rule: ChannelRule,
) -> LayerTrace:
    maps_TDHW = maps_BTDHW[0].float()
    channel = pick_channel(maps_TDHW, rule)
    return LayerTrace(
        name=name,
        kind=type(module).__name__,
        channel=channel,
        active_THW=_as_array(maps_TDHW[:, channel]),
        gates=gates,
        attention_THW=None if attention_THW is None else _as_array(attention_THW),
    )


def pick_channel(maps_TDHW: Tensor, rule: ChannelRule) -> int:
    """Return the most active channel by a rule, as `trace_clip` takes it."""
    if rule == "sum":
        return int(maps_TDHW.sum(dim=(0, 2, 3)).argmax())
    return int(maps_TDHW.relu().var(dim=(2, 3), correction=0).sum(dim=0).argmax())


def _gate(values: list[Tensor]) -> GateTrace:
    opening_TX = torch.stack([value.flatten() for value in values])
    return GateTrace(
        mean_T=_as_array(opening_TX.mean(dim=1)),
        spread_T=_as_array(opening_TX.std(dim=1, correction=0)),
        low_T=_as_array(opening_TX.amin(dim=1)),
        high_T=_as_array(opening_TX.amax(dim=1)),
    )


def _class_map(network: nn.Module, maps_BTDHW: Tensor, label: int) -> tuple[FloatArray, FloatArray]:
    """Return the logits, and the Grad-CAM of one of them.

    The top looks at every step by itself, so that a step has channel weights of its own, as a picture has in Grad-CAM.
    """
    with torch.enable_grad():
        maps_BTDHW = maps_BTDHW.detach().requires_grad_()
        logits_BK: Tensor = network.get_submodule("head")(network.get_submodule("top")(maps_BTDHW))
        if not 0 <= label < logits_BK.shape[-1]:
            raise ModelError(
                f"class {label} cannot be explained: the network knows classes 0 to {logits_BK.shape[-1] - 1}"
            )
        (gradient_BTDHW,) = torch.autograd.grad(logits_BK[0, label], maps_BTDHW)
    weight_BTD = gradient_BTDHW.mean(dim=(-2, -1), keepdim=True)
    cam_THW = (weight_BTD * maps_BTDHW.detach()).sum(dim=2).relu()[0]
    return _as_array(logits_BK[0]), _as_array(cam_THW)


def _as_array(x: Tensor) -> FloatArray:
    return np.asarray(x.detach().cpu().double().numpy())
