"""Cells with peepholes and with several kernels once more, in plain loops over numbers in double precision."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from tests.cells.by_hand import Array, State, convolve, sigmoid

NAMES = "ifoG"


def biased(sums_DHW: Array, bias_D: Array) -> Array:
    return np.stack([part + float(bias) for part, bias in zip(sums_DHW, bias_D, strict=True)])


def elementwise(function: object, x_DHW: Array) -> Array:
    assert callable(function)
    return np.vectorize(function, otypes=[float])(x_DHW)


def rectify(x: float) -> float:
    return x if x > 0 else 0.0


def gate_of(kernel_outputs: Sequence[Array], name: str) -> Array:
    """What one gate gets: from every kernel's outputs the quarter that is its own, one after the other."""
    place = NAMES.index(name)
    quarters = []
    for outputs in kernel_outputs:
        count = len(outputs) // len(NAMES)
        quarters += [outputs[place * count + d] for d in range(count)]
    return np.stack(quarters)


def interleaved(kernel_outputs: Sequence[Array]) -> Array:
    return np.concatenate([gate_of(kernel_outputs, name) for name in NAMES])


def mixed(sums_EHW: Array, weight_EF: Array, *, groups: int) -> Array:
    """A 1x1 convolution whose groups do not see each other."""
    out = np.zeros_like(sums_EHW)
    width = len(sums_EHW) // groups
    for e in range(len(weight_EF)):
        first = e // width * width
        for f in range(weight_EF.shape[1]):
            out[e] += float(weight_EF[e, f]) * sums_EHW[first + f]
    return out


def step_from(
    sums_EHW: Array, state: State, peepholes: Mapping[str, Array] | None = None, *, output_sees: str = "before"
) -> State:
    """Equations 6-10 from the sums of the convolutions and biases; peepholes may spread over the map."""
    count = len(sums_EHW) // len(NAMES)
    sums = {name: sums_EHW[index * count : (index + 1) * count] for index, name in enumerate(NAMES)}
    weights = {name: np.broadcast_to(0.0 if peepholes is None else peepholes[name], sums["i"].shape) for name in "ifo"}
    memory_DHW, hidden_DHW = np.zeros_like(state.memory_DHW), np.zeros_like(state.hidden_DHW)
    for at in np.ndindex(memory_DHW.shape):
        before = float(state.memory_DHW[at])
        i = sigmoid(float(sums["i"][at]) + float(weights["i"][at]) * before)
        f = sigmoid(float(sums["f"][at]) + float(weights["f"][at]) * before)
        after = f * before + i * math.tanh(float(sums["G"][at]))
        seen = before if output_sees == "before" else after
        memory_DHW[at] = after
        hidden_DHW[at] = sigmoid(float(sums["o"][at]) + float(weights["o"][at]) * seen) * math.tanh(after)
    return State(hidden_DHW, memory_DHW)


def masked(x_CHW: Array, flow_FHW: Array, kernel_CFKK: Array, bias_C: Array) -> Array:
    """What flow attention lets a kernel see."""
    return elementwise(sigmoid, biased(convolve(flow_FHW, kernel_CFKK), bias_C)) * x_CHW
