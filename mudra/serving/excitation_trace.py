"""What the temporal modules and the decoders of a 2-D network do with one clip: excitations, kernels over time, masks.

Sources: the excitations are those of Wang et al. 2021, arXiv:2103.07372, section 3 (ACTION), and of Li et al. 2020,
arXiv:2004.01398, section 3.1 (TEA, motion alone); kernels over time those of ACTION's and TEA's learned shifts and of
Lin et al. 2019, arXiv:1811.08383 (TSM), whose fixed shift is told as the kernels that it stands for; masks those of Fan
et al. 2021, section III-C and figure 5.

Letters: T frames, C channels that come into a block, H W cells of a map.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from mudra.backbones import Action, TemporalShift
from mudra.backbones.frame_backbone import FrameBackbone
from mudra.backbones.learned_shift import LearnedShift
from mudra.backbones.res2net import Res2NetBlock
from mudra.backbones.tea import TeaMotionExcitation
from mudra.errors import ModelError, nearest_name
from mudra.heads import Masks
from mudra.types import FloatArray

MOST_BLOCKS = 4  # that are shown unless others are asked for, from the first to the last


class BlockExcitations(NamedTuple):
    """The excitations of one block, in [0, 1]: ACTION's three, or TEA's of motion.

    Args:
        spatio_temporal_THW: Where: one map for all channels; None for TEA.
        channel_TC: Which channels; None for TEA.
        motion_TC: Which channels move; in the last frame the same whatever is seen, one half with ACTION.
    """

    spatio_temporal_THW: FloatArray | None
    channel_TC: FloatArray | None
    motion_TC: FloatArray

    def by_name(self) -> dict[str, FloatArray]:
        """Return those that there are."""
        found = {"spatio_temporal": self.spatio_temporal_THW, "channel": self.channel_TC, "motion": self.motion_TC}
        return {name: maps for name, maps in found.items() if maps is not None}


class BlockTrace(NamedTuple):
    """The temporal module of one block.

    Args:
        name: Where in the backbone it is: `layer1.0`.
        kind: Class of the module; of TEA, which is several parts of a block, that of the block.
        kernels_C3: Each channel's weights of the frame before, the frame itself and the next one; of several shifts in
            one block, one after another.
        excitations: Those of ACTION and TEA; None for other modules.
    """

    name: str
    kind: str
    kernels_C3: FloatArray
    excitations: BlockExcitations | None

    def kernel_shares(self) -> dict[str, float]:
        """Return the share of channels whose largest weight is that of each frame."""
        strongest_C = np.abs(self.kernels_C3).argmax(axis=1)
        names = ("before", "same", "next")
        return {name: float((strongest_C == tap).mean()) for tap, name in enumerate(names)}


class TemporalTrace(NamedTuple):
    """What a 2-D network's temporal modules and decoders did with one clip.

    Args:
        blocks: The chosen blocks, first to last.
        local_THW, global_THW: Depth as the decoders see it; None where there is no such decoder.
    """

    blocks: list[BlockTrace]
    local_THW: FloatArray | None
    global_THW: FloatArray | None

    @property
    def masks(self) -> dict[str, FloatArray]:
        """The decoders' maps by name."""
        found = {"local": self.local_THW, "global": self.global_THW}
        return {name: maps_THW for name, maps_THW in found.items() if maps_THW is not None}

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as plain values for `json.dump`."""
        return {
            "blocks": [
                {
                    "name": block.name,
                    "kind": block.kind,
                    "num_channels": len(block.kernels_C3),
                    "strongest_weight": block.kernel_shares(),
                    "mean_excitations": None
                    if block.excitations is None
                    else {
                        name: maps.reshape(len(maps), -1).mean(axis=1).tolist()
                        for name, maps in block.excitations.by_name().items()
                    },
                }
                for block in self.blocks
            ],
            "mean_masks": {name: maps_THW.mean(axis=(1, 2)).tolist() for name, maps_THW in self.masks.items()},
        }

    def rows(self) -> list[tuple[str, str, int, FloatArray]]:
        """Return block, name, frame and all values of every excitation and mask, in order."""
        found = [
            (block.name, name, t, values)
            for block in self.blocks
            if block.excitations is not None
            for name, maps in block.excitations.by_name().items()
            for t, values in enumerate(maps)
        ]
        return found + [
            ("decoder", name, t, map_HW) for name, maps in self.masks.items() for t, map_HW in enumerate(maps)
        ]


def has_temporal_parts(network: nn.Module, decoder: nn.Module | None = None) -> bool:
    """Return whether there is anything to trace: temporal modules in a 2-D backbone, or a decoder on one."""
    backbone = getattr(network, "backbone", None)
    if not isinstance(backbone, FrameBackbone):
        return False
    return bool(_modules(backbone)) or decoder is not None or getattr(network, "decoder", None) is not None


def trace_temporal(
    network: nn.Module,
    clip_TCHW: Tensor,
    *,
    blocks: Sequence[str] | None = None,
    decoder: nn.Module | None = None,
) -> TemporalTrace:
    """Run a 2-D network over one clip and keep what its temporal modules and decoders do.

    Args:
        network: A gesture network on a 2-D backbone, in evaluation mode.
        clip_TCHW: The clip, on any device.
        blocks: Names of blocks, as `BlockTrace` has them; None for up to four, from the first to the last.
        decoder: A decoder in place of the network's own, which a finished run usually is without.

    Raises:
        ModelError: If the network has no such parts, or no block of one of the names.

    Example:
        >>> from mudra.backbones import ActionConfig, ResNetConfig
        >>> from mudra.models import GestureNet
        >>> backbone = ResNetConfig(depth=18, temporal_module=ActionConfig())
        >>> network = GestureNet(num_classes=5, in_channels=3, width=0.125, backbone=backbone, cells=(), top=None)
        >>> [block.name for block in trace_temporal(network.eval(), torch.zeros(4, 3, 32, 32)).blocks]
        ['layer1.0', 'layer2.0', 'layer3.1', 'layer4.1']
    """
    decoder = getattr(network, "decoder", None) if decoder is None else decoder
    if not has_temporal_parts(network, decoder):
        raise ModelError(
            f"{type(network).__name__} has no temporal modules in a 2-D backbone, and no decoder on one",
            hint="take a network like those of fan2021: mudra list recipes",
        )
    backbone = network.get_submodule("backbone")
    assert isinstance(backbone, FrameBackbone)
    modules = _choose(_modules(backbone), blocks)
    found: dict[str, BlockExcitations] = {}
    with ExitStack() as stack, torch.no_grad():
        for name, module in modules.items():
            exciting = module.me if isinstance(module, Res2NetBlock) else module
            if isinstance(exciting, Action | TeaMotionExcitation):
                stack.callback(exciting.register_forward_pre_hook(partial(_keep, found, name)).remove)
        clip_BTCHW = clip_TCHW[None].to(next(network.parameters()).device)
        taps = backbone.forward_taps(clip_BTCHW)
        masks = Masks(None, None) if decoder is None else decoder.to(clip_BTCHW.device).eval()(*taps)
    return TemporalTrace(
        [
            BlockTrace(name, type(module).__name__, kernels_of(module), found.get(name))
            for name, module in modules.items()
        ],
        *(None if maps_BTHW is None else _as_array(maps_BTHW[0]) for maps_BTHW in masks),
    )


def kernels_of(module: nn.Module) -> FloatArray:
    """Return what every channel takes of the frame before, the frame itself and the next one, shape (C, 3).

    Example:
        >>> kernels_of(TemporalShift(in_channels=8))[:3].tolist()
        [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    if isinstance(module, TemporalShift):
        kernels_C3 = np.zeros((module.in_channels, 3))
        for start, stop, offset in module.plan:
            kernels_C3[start:stop, 1 + offset] = 1.0
        return kernels_C3
    shifts = [shift for shift in module.modules() if isinstance(shift, LearnedShift)]
    return np.concatenate([_as_array(shift.weight)[:, 0] for shift in shifts])


def _modules(backbone: FrameBackbone) -> dict[str, nn.Module]:
    """Return the modules that mix frames by the names of their blocks: `layer1.0`."""
    found: dict[str, nn.Module] = {}
    temporal = set(backbone.temporal_modules())
    for name, module in backbone.named_modules():
        if module in temporal:
            found[name.rpartition(".")[0]] = module
        elif isinstance(module, Res2NetBlock) and module.shifts is not None:  # TEA's parts are all over the block
            found[name] = module
    return found


def _choose(modules: dict[str, nn.Module], blocks: Sequence[str] | None) -> dict[str, nn.Module]:
    if blocks is None:
        names = list(modules)
        chosen = np.linspace(0, len(names) - 1, min(len(names), MOST_BLOCKS)).round().astype(int)
        return {names[index]: modules[names[index]] for index in chosen}
    for name in blocks:
        if name not in modules:
            raise ModelError(f"no temporal module stands in block {name!r}", hint=nearest_name(name, list(modules)))
    return {name: module for name, module in modules.items() if name in blocks}


def _keep(found: dict[str, BlockExcitations], name: str, module: nn.Module, given: tuple[Any, ...]) -> None:
    x_BCHW, num_frames = given[:2]
    if isinstance(module, TeaMotionExcitation):
        motion_TC = _as_array(module.measure(x_BCHW, num_frames))[..., 0, 0]
        found[name] = BlockExcitations(None, None, motion_TC)
        return
    assert isinstance(module, Action)
    masks = module.measure(module.shift(x_BCHW, num_frames), num_frames)
    place_T1HW, channel_TC11, motion_TC11 = (_as_array(mask) for mask in masks)
    found[name] = BlockExcitations(place_T1HW[:, 0], channel_TC11[..., 0, 0], motion_TC11[..., 0, 0])


def _as_array(x: Tensor) -> FloatArray:
    return np.asarray(x.detach().cpu().double().numpy())
