"""Count a network's parameters and multiply-accumulates, part by part, without running it on real numbers.

A multiply-accumulate (MAC) is one product that is added up. Convolutions and matrix products count; biases,
normalisation, activations, pooling and elementwise products do not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mudra.cells import Cell


@dataclass(frozen=True, kw_only=True)
class Complexity:
    """What a network costs.

    Args:
        parameters_by_part: Parameters of each direct part of the network, frozen ones too; `other`: the network's own.
        macs_by_part: Multiply-accumulates of each direct part for one clip; `other`: what no part did.
        num_frames: Frames of that clip.
        size: Its height and width in pixels.
        training_parameters_by_part: Parameters of parts that training alone uses; not in the totals.
        training_macs: Multiply-accumulates of those parts for one clip.
        shift_macs: Products of learned shifts, which start as mere movements of frames and are counted as such by the
            papers: not in the totals.
    """

    parameters_by_part: dict[str, int]
    macs_by_part: dict[str, int]
    num_frames: int
    size: tuple[int, int]
    training_parameters_by_part: dict[str, int] = field(default_factory=dict)
    training_macs: int = 0
    shift_macs: int = 0

    @property
    def parameters(self) -> int:
        """All parameters that inference uses, frozen ones too."""
        return sum(self.parameters_by_part.values())

    @property
    def macs_per_clip(self) -> int:
        """Multiply-accumulates for one clip."""
        return sum(self.macs_by_part.values())

    @property
    def macs_per_frame(self) -> float:
        """Multiply-accumulates for one frame of the clip."""
        return self.macs_per_clip / self.num_frames

    def to_json(self) -> dict[str, Any]:
        """Return the counts as JSON knows them."""
        return {
            "parameters": {"total": self.parameters, "by_part": self.parameters_by_part},
            "macs_per_clip": self.macs_per_clip,
            "macs_per_frame": self.macs_per_frame,
            "macs_by_part": self.macs_by_part,
            "num_frames": self.num_frames,
            "size": list(self.size),
            "training_alone": {"parameters": self.training_parameters_by_part, "macs_per_clip": self.training_macs},
            "macs_of_shifts": self.shift_macs,
        }


def count_parameters(module: nn.Module) -> int:
    """Return how many numbers a module's weights and biases hold, frozen ones too."""
    return sum(parameter.numel() for parameter in module.parameters())


def measure_complexity(network: nn.Module, *, num_frames: int, in_channels: int, size: tuple[int, int]) -> Complexity:
    """Count what one clip costs.

    Args:
        network: Takes clip_BTCHW.
        num_frames: Frames of the clip (T).
        in_channels: Channels of the clip (C).
        size: Height and width of the clip in pixels.

    Example:
        >>> from mudra.models import GestureNet
        >>> net = GestureNet(num_classes=27, in_channels=3)
        >>> measure_complexity(net, num_frames=16, in_channels=3, size=(112, 112)).parameters
        12287323
    """
    training_names = getattr(network, "training_parts", ())
    everything = {name: count_parameters(part) for name, part in network.named_children()}
    names = [name for name in everything if name not in training_names]
    parameters = {name: everything[name] for name in names}
    training = {name: count for name, count in everything.items() if name in training_names}
    own = sum(parameter.numel() for parameter in network.parameters(recurse=False))
    if own:
        parameters["other"] = own
    shape = (1, num_frames, in_channels, *size)
    flops = _flops_by_module(network, network, shape)
    root = type(network).__name__
    # The counter gives floating-point operations, two for each multiply-accumulate.
    macs = {name: _flops_of(network.get_submodule(name), f"{root}.{name}", flops) // 2 for name in names}
    shifts = _shifts_by_part(network, root, flops)
    rest = flops.get(root, 0) // 2 - sum(macs.values())
    macs = {name: count - shifts.get(name, 0) for name, count in macs.items()}
    if rest:  # work done outside every part is shown as such, never dropped
        macs["other"] = rest
    training_macs = 0
    if training:
        learn: Any = network.forward_training  # what networks with such parts have
        whole = _flops_by_module(network, learn, shape)
        training_macs = (whole["Global"] - flops["Global"]) // 2
    return Complexity(
        parameters_by_part=parameters,
        macs_by_part=macs,
        num_frames=num_frames,
        size=size,
        training_parameters_by_part=training,
        training_macs=training_macs,
        shift_macs=sum(shifts.values()),
    )


def _shifts_by_part(network: nn.Module, root: str, flops: dict[str, int]) -> dict[str, int]:
    """Return the products of each part that only move frames, at first: learned shifts."""
    found: dict[str, int] = {}
    for name, module in network.named_modules():
        if getattr(module, "is_movement", False):
            part = name.partition(".")[0]
            found[part] = found.get(part, 0) + flops.get(f"{root}.{name}", 0) // 2
    return found


def _flops_of(part: nn.Module, name: str, flops: dict[str, int]) -> int:
    """Return the operations of one part; a list of layers, or a cell that is unrolled, is never called as a whole, so
    that its leaves are added up."""
    if not isinstance(part, nn.ModuleList | Cell):
        return flops.get(name, 0)
    leaves = [leaf for leaf, module in part.named_modules() if not list(module.children())]
    return sum(flops.get(f"{name}.{leaf}", 0) for leaf in leaves)


def _flops_by_module(network: nn.Module, forward: Callable[[Tensor], object], shape: tuple[int, ...]) -> dict[str, int]:
    from torch._subclasses.fake_tensor import FakeTensorMode

    was_training = network.training
    network.eval()
    counter = FlopCounterMode(display=False, depth=3)
    try:
        with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad(), counter:
            forward(torch.zeros(shape))
    finally:
        network.train(was_training)
    return {name: sum(by_operation.values()) for name, by_operation in counter.get_flop_counts().items()}
