"""The cells' equations once more: plain loops over numbers in double precision, one clip at a time, no torch.

Nothing is shared with the package, so that a mistake in one place shows as a difference from the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Gate = Callable[[float], float]


class State(NamedTuple):
    hidden_DHW: Array
    memory_DHW: Array


def sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


def keras_hard_sigmoid(x: float) -> float:
    return min(1.0, max(0.0, x / 5.0 + 0.5))


GATES: dict[str, Gate] = {"sigmoid": sigmoid, "hard_sigmoid_keras": keras_hard_sigmoid}


def convolve(x_CHW: Array, kernel_DCKK: Array) -> Array:
    """A convolution as networks mean it (no flip), zeros outside, H and W kept."""
    channels, height, width = x_CHW.shape
    side = kernel_DCKK.shape[-1]
    out_DHW = np.zeros((len(kernel_DCKK), height, width))
    for d, row, column in np.ndindex(out_DHW.shape):
        total = 0.0
        for c, i, j in np.ndindex(channels, side, side):
            y, x = row + i - side // 2, column + j - side // 2
            if 0 <= y < height and 0 <= x < width:
                total += float(x_CHW[c, y, x]) * float(kernel_DCKK[d, c, i, j])
        out_DHW[d, row, column] = total
    return out_DHW


def convolve_separably(x_CHW: Array, depthwise_CKK: Array, pointwise_DC: Array) -> Array:
    """Every channel with its own kernel, and then sums over channels."""
    own = [convolve(channel[None], kernel[None, None])[0] for channel, kernel in zip(x_CHW, depthwise_CKK, strict=True)]
    out_DHW = np.zeros((len(pointwise_DC), *x_CHW.shape[1:]))
    for d, c in np.ndindex(pointwise_DC.shape):
        out_DHW[d] += pointwise_DC[d, c] * own[c]
    return out_DHW


def pool(x_CHW: Array) -> list[float]:
    return [sum(float(value) for value in channel.ravel()) / channel.size for channel in x_CHW]


def dense(weight_DC: Array, x_C: list[float]) -> list[float]:
    return [sum(float(w) * x for w, x in zip(row, x_C, strict=True)) for row in weight_DC]


class PlainWeights(NamedTuple):
    """What one gate or the candidate of equations 1-4 has: W_x, W_h and b."""

    from_input_DCKK: Array
    from_hidden_DDKK: Array
    bias_D: Array


def plain_step(x_CHW: Array, state: State, weights: dict[str, PlainWeights], gate: Gate) -> State:
    """Equations 1-6, with the weights of i, f, o and G by their names."""
    before = {
        name: convolve(x_CHW, w.from_input_DCKK) + convolve(state.hidden_DHW, w.from_hidden_DDKK)
        for name, w in weights.items()
    }
    memory_DHW, hidden_DHW = np.zeros_like(state.memory_DHW), np.zeros_like(state.hidden_DHW)
    for at in np.ndindex(memory_DHW.shape):
        i, f, o, g = (float(before[name][at] + weights[name].bias_D[at[0]]) for name in "ifoG")
        memory_DHW[at] = gate(f) * state.memory_DHW[at] + gate(i) * math.tanh(g)
        hidden_DHW[at] = gate(o) * math.tanh(memory_DHW[at])
    return State(hidden_DHW, memory_DHW)


class GateWeights(NamedTuple):
    """What one gate of equations 10-12 has."""

    from_input_DC: Array
    from_hidden_DD: Array
    bias_D: Array


class CandidateWeights(NamedTuple):
    """What equation 13 has: two separable convolutions and one bias."""

    input_depthwise_CKK: Array
    input_pointwise_DC: Array
    hidden_depthwise_DKK: Array
    hidden_pointwise_DD: Array
    bias_D: Array


def gated_step(
    x_CHW: Array, state: State, gates: dict[str, GateWeights], candidate: CandidateWeights, gate: Gate
) -> State:
    """Equations 8-15, with the weights of i, f and o by their names."""
    x_C, hidden_D = pool(x_CHW), pool(state.hidden_DHW)
    opening = {}
    for name, w in gates.items():
        sums = zip(dense(w.from_input_DC, x_C), dense(w.from_hidden_DD, hidden_D), w.bias_D, strict=True)
        opening[name] = [gate(a + b + float(c)) for a, b, c in sums]
    g_DHW = convolve_separably(x_CHW, candidate.input_depthwise_CKK, candidate.input_pointwise_DC)
    g_DHW += convolve_separably(state.hidden_DHW, candidate.hidden_depthwise_DKK, candidate.hidden_pointwise_DD)
    memory_DHW, hidden_DHW = np.zeros_like(state.memory_DHW), np.zeros_like(state.hidden_DHW)
    for at in np.ndindex(memory_DHW.shape):
        d = at[0]
        g = math.tanh(g_DHW[at] + candidate.bias_D[d])
        memory_DHW[at] = opening["f"][d] * state.memory_DHW[at] + opening["i"][d] * g
        hidden_DHW[at] = opening["o"][d] * math.tanh(memory_DHW[at])
    return State(hidden_DHW, memory_DHW)


def transition(x_CHW: Array, hidden_DHW: Array, weights: CandidateWeights) -> Array:
    """The form that equations 13, 17 and 21 share: tanh(W_x * X + W_h * H + b)."""
    from_input = convolve_separably(x_CHW, weights.input_depthwise_CKK, weights.input_pointwise_DC)
    from_hidden = convolve_separably(hidden_DHW, weights.hidden_depthwise_DKK, weights.hidden_pointwise_DD)
    out_DHW = np.zeros_like(from_hidden)
    for at in np.ndindex(out_DHW.shape):
        out_DHW[at] = math.tanh(from_input[at] + from_hidden[at] + weights.bias_D[at[0]])
    return out_DHW


def attention_over_map(x_CHW: Array, state: State, attention: CandidateWeights, score_DKK: Array) -> Array:
    """Equations 17 and 18, written as they stand: exponentials over their sum."""
    z_HW = convolve(transition(x_CHW, state.hidden_DHW, attention), score_DKK[None])[0]
    exponentials = [math.exp(float(z)) for z in z_HW.ravel()]
    return np.array([e / sum(exponentials) for e in exponentials]).reshape(z_HW.shape)


def input_attention_step(
    x_CHW: Array,
    state: State,
    gates: dict[str, GateWeights],
    candidate: CandidateWeights,
    attention: CandidateWeights,
    score_DKK: Array,
    gate: Gate,
) -> State:
    """Equations 17-19, and then 8-15 with X~ in the place of X."""
    map_HW = attention_over_map(x_CHW, state, attention, score_DKK)
    seen_CHW = np.array([channel * map_HW for channel in x_CHW])
    return gated_step(seen_CHW, state, gates, candidate, gate)


class ScoreWeights(NamedTuple):
    """What the outer separable convolution of equation 21 has."""

    depthwise_DKK: Array
    pointwise_DD: Array


def attention_of_channels(x_CHW: Array, state: State, attention: CandidateWeights, score: ScoreWeights) -> Array:
    """Equations 21 and 22, written as they stand: exponentials over the channel's greatest."""
    z_DHW = convolve_separably(transition(x_CHW, state.hidden_DHW, attention), score.depthwise_DKK, score.pointwise_DD)
    out_DHW = np.zeros_like(z_DHW)
    for d, row, column in np.ndindex(out_DHW.shape):
        greatest = max(math.exp(float(z)) for z in z_DHW[d].ravel())
        out_DHW[d, row, column] = math.exp(float(z_DHW[d, row, column])) / greatest
    return out_DHW


def gate_attention_step(
    x_CHW: Array,
    state: State,
    gates: dict[str, GateWeights],
    candidate: CandidateWeights,
    attention: CandidateWeights,
    score: ScoreWeights,
    gate: Gate,
) -> State:
    """Equations 8-15 with attention for the one gate that `gates` leaves out."""
    x_C, hidden_D = pool(x_CHW), pool(state.hidden_DHW)
    attended_DHW = attention_of_channels(x_CHW, state, attention, score)
    g_DHW = transition(x_CHW, state.hidden_DHW, candidate)
    memory_DHW, hidden_DHW = np.zeros_like(state.memory_DHW), np.zeros_like(state.hidden_DHW)
    for at in np.ndindex(memory_DHW.shape):
        opening = dict.fromkeys("ifo", float(attended_DHW[at]))
        for name, w in gates.items():
            d = at[0]
            total = dense(w.from_input_DC, x_C)[d] + dense(w.from_hidden_DD, hidden_D)[d] + float(w.bias_D[d])
            opening[name] = gate(total)
        memory_DHW[at] = opening["f"] * state.memory_DHW[at] + opening["i"] * g_DHW[at]
        hidden_DHW[at] = opening["o"] * math.tanh(memory_DHW[at])
    return State(hidden_DHW, memory_DHW)
