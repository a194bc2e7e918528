"""Optimisers with decay on kernels alone, and learning-rate schedules by batch.

The rates of `groups="tsn"` are those of the code of Wang et al. 2016 (TSN), which Fan et al. 2021 start from.
Differs: weights of one axis that are no normalisation's do not decay; networks of that code have none.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mudra.training.config import (
    AdamWConfig,
    AnyOptimiserConfig,
    AnyScheduleConfig,
    DecayConfig,
    InverseConfig,
    OneCycleConfig,
    PolynomialConfig,
    RmspropConfig,
    StepsConfig,
)

NORMALISATIONS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.GroupNorm, nn.LayerNorm)


class Rate(NamedTuple):
    """Factors on a group's learning rate and weight decay."""

    lr: float
    decay: float


PLAIN = Rate(1.0, 1.0)


def build_optimiser(network: nn.Module, config: AnyOptimiserConfig) -> torch.optim.Optimizer:
    """Return the optimiser; weights of two axes and more decay, biases and normalisation do not."""
    groups = _by_decay(network, config.weight_decay)
    if isinstance(config, AdamWConfig):
        return torch.optim.AdamW(groups, lr=config.lr, fused=True)
    if isinstance(config, RmspropConfig):
        return torch.optim.RMSprop(groups, lr=config.lr, alpha=config.decay)
    if config.groups == "tsn":
        groups = _by_rate(network, lr=config.lr, weight_decay=config.weight_decay)
    return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum)


def _by_decay(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    kernels = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    others = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
    return [{"params": kernels, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def _by_rate(network: nn.Module, *, lr: float, weight_decay: float) -> list[dict[str, Any]]:
    groups: dict[Rate, list[Tensor]] = {PLAIN: []}  # first: its learning rate is the one that is told
    known: set[int] = set()
    for module in network.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad and id(parameter) not in known:  # modules may share one
                known.add(id(parameter))
                groups.setdefault(_rate_of(module, name, parameter), []).append(parameter)
    return [
        {"params": found, "lr": lr * rate.lr, "weight_decay": weight_decay * rate.decay}
        for rate, found in groups.items()
        if found
    ]


def _rate_of(module: nn.Module, name: str, parameter: Tensor) -> Rate:
    is_bias = name == "bias"
    if isinstance(module, nn.Linear):
        return Rate(10.0, 0.0) if is_bias else Rate(5.0, 1.0)
    if is_bias and not isinstance(module, NORMALISATIONS):
        return Rate(2.0, 0.0)
    return PLAIN if parameter.ndim > 1 else Rate(1.0, 0.0)


def learning_rate_factor(config: AnyScheduleConfig, *, lr: float, num_steps: int) -> Callable[[int], float]:
    """Return the function from a batch's number to its factor on the highest learning rate.

    Args:
        config: The schedule.
        lr: The highest learning rate.
        num_steps: Batches of the whole training.

    Example:
        >>> factor = learning_rate_factor(PolynomialConfig(), lr=1e-3, num_steps=1000)
        >>> round(factor(500) * 1e-3, 9)
        0.000536351
    """
    if isinstance(config, OneCycleConfig):
        return lambda step: _one_cycle(config, step, num_steps)
    if isinstance(config, PolynomialConfig):
        last = config.last_lr / lr
        return lambda step: float((1.0 - last) * max(1.0 - step / num_steps, 0.0) ** config.power + last)
    if isinstance(config, StepsConfig):
        return lambda step: float(config.factor ** sum(step / num_steps >= drop for drop in config.drops))
    if isinstance(config, InverseConfig):
        return lambda step: float((1.0 + config.gamma * step) ** -config.power)
    if isinstance(config, DecayConfig):
        return lambda step: _decay(config, step, lr)
    return lambda step: 1.0


def _decay(config: DecayConfig, step: int, lr: float) -> float:
    if step < config.warmup_steps:
        start = config.start_lr / lr
        return start + (1.0 - start) * step / config.warmup_steps
    return float((1.0 - config.decay) ** (step - config.warmup_steps))


def _one_cycle(config: OneCycleConfig, step: int, num_steps: int) -> float:
    warmup = config.warmup_fraction * num_steps
    if step < warmup:
        share, low, high = step / warmup, config.start_fraction, 1.0
    else:
        share, low, high = (step - warmup) / max(num_steps - warmup, 1.0), 1.0, config.end_fraction
    return low + (high - low) * (0.5 - 0.5 * math.cos(math.pi * min(share, 1.0)))


def moving_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Return the function that takes new weights into an average of them.

    The first steps use a smaller decay, (1 + n) / (10 + n) after n of them, so that in a short training the weights
    that it began with do not stay in the average.

    Example:
        >>> step = moving_average(0.995)
        >>> step(torch.tensor(0.0), torch.tensor(1.0), 0)  # nine tenths of the new weights
        tensor(0.9000)
    """

    @torch.no_grad()
    def update(average: Tensor, current: Tensor, num_averaged: Tensor | int) -> Tensor:
        if not average.is_floating_point():  # a count of batches is no weight
            return current
        num = int(num_averaged)
        return average.lerp(current, 1.0 - min(decay, (1 + num) / (10 + num)))

    return update
