"""Count a network's parameters and multiply-accumulates, part by part, without running it on real numbers.

A multiply-accumulate (MAC) is one product that is added up. Convolutions and matrix products count; biases,
normalisation, activations, pooling and elementwise products do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True, kw_only=True)
class Complexity:
    """What a network costs.

    Args:
        parameters_by_part: Trainable parameters of each direct part of the network; `other`: the network's own.
        macs_by_part: Multiply-accumulates of each direct part for one clip; `other`: what no part did.
        num_frames: Frames of that clip.
        size: Its height and width in pixels.
    """

    parameters_by_part: dict[str, int]
    macs_by_part: dict[str, int]
    num_frames: int
    size: tuple[int, int]

    @property
    def parameters(self) -> int:
        """All trainable parameters."""
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
        }


def count_parameters(module: nn.Module) -> int:
    """Return how many trainable numbers a module has."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


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
    names = [name for name, _ in network.named_children()]
    parameters = {name: count_parameters(network.get_submodule(name)) for name in names}
    own = sum(parameter.numel() for parameter in network.parameters(recurse=False) if parameter.requires_grad)
    if own:
        parameters["other"] = own
    flops = _flops_by_module(network, (1, num_frames, in_channels, *size))
    root = type(network).__name__
    # The counter gives floating-point operations, two for each multiply-accumulate.
    macs = {name: _flops_of(network.get_submodule(name), f"{root}.{name}", flops) // 2 for name in names}
    rest = flops.get(root, 0) // 2 - sum(macs.values())
    if rest:  # work done outside every part is shown as such, never dropped
        macs["other"] = rest
    return Complexity(parameters_by_part=parameters, macs_by_part=macs, num_frames=num_frames, size=size)


def _flops_of(part: nn.Module, name: str, flops: dict[str, int]) -> int:
    """Return the operations of one part; a list of layers is never called itself, so its leaves are added up."""
    if not isinstance(part, nn.ModuleList):
        return flops.get(name, 0)
    leaves = [leaf for leaf, module in part.named_modules() if not list(module.children())]
    return sum(flops.get(f"{name}.{leaf}", 0) for leaf in leaves)


def _flops_by_module(network: nn.Module, shape: tuple[int, ...]) -> dict[str, int]:
    from torch._subclasses.fake_tensor import FakeTensorMode

    was_training = network.training
    network.eval()
    counter = FlopCounterMode(display=False, depth=3)
    try:
        with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad(), counter:
            network(torch.zeros(shape))
    finally:
        network.train(was_training)
    return {name: sum(by_operation.values()) for name, by_operation in counter.get_flop_counts().items()}
