"""The plain cell against Keras' ConvLSTM2D with the same weights; Keras runs on torch, in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mudra.cells import ConvLSTMCell, GateActivation, unroll

# Keras settles its backend when it is imported, and warns of things that are not ours: it gets its own process.
KERAS = """
import sys
import keras
import numpy as np

given, hard = np.load(sys.argv[1]), sys.argv[3] == "hard_sigmoid_keras"
gate = (lambda x: keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)) if hard else "sigmoid"
layer = keras.layers.ConvLSTM2D(
    2, given["input"].shape[0], padding="same", return_sequences=True, recurrent_activation=gate, dtype="float64"
)
layer.build(given["x"].shape)
layer.set_weights([given["input"], given["hidden"], given["bias"]])
np.save(sys.argv[2], keras.ops.convert_to_numpy(layer(given["x"])))
"""

# Keras orders its gates i, f, c, o and keeps channels last; here the order is i, f, o, G.
KERAS_ROWS = torch.tensor([0, 1, 2, 3, 6, 7, 4, 5])


@pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="Keras is not installed: pip install mudra[dev]")
@pytest.mark.parametrize(("activation", "kernel_size"), [("sigmoid", 3), ("hard_sigmoid_keras", 5)])
def test_the_plain_cell_is_keras_conv_lstm(activation: GateActivation, kernel_size: int, tmp_path: Path) -> None:
    cell = ConvLSTMCell(in_channels=3, hidden_channels=2, kernel_size=kernel_size, gate_activation=activation).double()
    generator = torch.Generator().manual_seed(21)
    for parameter in cell.parameters():
        torch.nn.init.normal_(parameter, std=0.6, generator=generator)
    x_BTCHW = torch.randn(2, 4, 3, 5, 7, dtype=torch.float64, generator=generator)
    expected = run_keras(cell, x_BTCHW, tmp_path, activation)
    torch.testing.assert_close(unroll(cell, x_BTCHW).hidden_BTDHW, expected, rtol=1e-10, atol=1e-12)


def run_keras(cell: ConvLSTMCell, x_BTCHW: torch.Tensor, folder: Path, activation: str) -> torch.Tensor:
    bias = cell.input_to_gates.bias
    assert bias is not None
    np.savez(
        folder / "given.npz",
        x=x_BTCHW.movedim(2, -1).numpy(),
        input=cell.input_to_gates.weight.detach()[KERAS_ROWS].permute(2, 3, 1, 0).numpy(),
        hidden=cell.hidden_to_gates.weight.detach()[KERAS_ROWS].permute(2, 3, 1, 0).numpy(),
        bias=bias.detach()[KERAS_ROWS].numpy(),
    )
    (folder / "keras").mkdir()
    (folder / "keras" / "keras.json").write_text(json.dumps({"image_data_format": "channels_last"}))
    surroundings = {**os.environ, "KERAS_BACKEND": "torch", "KERAS_HOME": str(folder / "keras")}
    arguments = [str(folder / "given.npz"), str(folder / "out.npy"), activation]
    done = subprocess.run(
        [sys.executable, "-c", KERAS, *arguments], env=surroundings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return torch.from_numpy(np.load(folder / "out.npy")).movedim(-1, 2)
