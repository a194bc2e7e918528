"""Recurrences over vectors once more: plain loops over numbers in double precision, one clip at a time, no torch."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


def leaky_relu(x: float) -> float:
    return x if x > 0 else 0.3 * x


def weighted_sum(weights: Array, values: Array) -> float:
    return sum(float(weight) * float(value) for weight, value in zip(weights, values, strict=True))


def run_lstm(
    x_TC: Array,
    into_4DC: Array,
    hidden_4DD: Array,
    bias_4D: Array,
    peepholes_3D: Array | None,
    *,
    output_sees_new: bool = True,
) -> tuple[Array, Array]:
    """Return all hidden vectors and the last memory; gates in the order i, f, g, o, peepholes i, f, o."""
    count = hidden_4DD.shape[1]
    hidden, memory, rows = np.zeros(count), np.zeros(count), []
    for x_C in x_TC:
        new_hidden, new_memory = np.zeros(count), np.zeros(count)
        for unit in range(count):
            sums = [
                weighted_sum(into_4DC[gate * count + unit], x_C)
                + weighted_sum(hidden_4DD[gate * count + unit], hidden)
                + float(bias_4D[gate * count + unit])
                for gate in range(4)
            ]
            old = float(memory[unit])
            look_i, look_f, look_o = (0.0, 0.0, 0.0) if peepholes_3D is None else map(float, peepholes_3D[:, unit])
            new = sigmoid(sums[1] + look_f * old) * old + sigmoid(sums[0] + look_i * old) * math.tanh(sums[2])
            new_memory[unit] = new
            new_hidden[unit] = sigmoid(sums[3] + look_o * (new if output_sees_new else old)) * math.tanh(new)
        hidden, memory = new_hidden, new_memory
        rows.append(hidden)
    return np.stack(rows), memory


def run_rnn(
    x_TC: Array, into_DC: Array, hidden_DD: Array, bias_D: Array, activation: Callable[[float], float]
) -> Array:
    """Return all hidden vectors."""
    hidden, rows = np.zeros(len(bias_D)), []
    for x_C in x_TC:
        hidden = np.array(
            [
                activation(weighted_sum(into_DC[d], x_C) + weighted_sum(hidden_DD[d], hidden) + float(bias_D[d]))
                for d in range(len(bias_D))
            ]
        )
        rows.append(hidden)
    return np.stack(rows)
