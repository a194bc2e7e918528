"""ConvLSTM: an LSTM whose matrix products are convolutions.

Source: Zhang et al. 2018, equations 1-6 (after Shi et al. 2015, arXiv:1506.04214, without the peephole terms).
Differs: nothing. The paper's code never builds this cell, so its initialisation is not on record: he-normal weights
and zero biases, as the paper's other cells have them.

    i_t = sigma(W_xi * X_t + W_hi * H_{t-1} + b_i)       (1)
    f_t = sigma(W_xf * X_t + W_hf * H_{t-1} + b_f)       (2)
    o_t = sigma(W_xo * X_t + W_ho * H_{t-1} + b_o)       (3)
    G_t = tanh(W_xc * X_t + W_hc * H_{t-1} + b_c)        (4)
    C_t = f_t . C_{t-1} + i_t . G_t                      (5)
    H_t = o_t . tanh(C_t)                                (6)

`*` is a 2-D convolution that keeps H and W, `.` is elementwise, sigma is the gate activation.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from mudra.cells.cell import (
    Cell,
    GateActivation,
    Initialisation,
    MapState,
    apply_gate,
    check_choices,
    init_he_normal,
    per_frame,
    resolve_channels,
)
from mudra.cells.fused import remember, tanh
from mudra.config import Config, OddInt


class ConvLSTMConfig(Config):
    """The plain ConvLSTM cell."""

    kind: Literal["conv_lstm"] = "conv_lstm"

    in_channels: PositiveInt | None = None
    """Channels of each frame's feature map (C); None inside a network: as many as come in."""
    hidden_channels: PositiveInt | None = None
    """Channels of the hidden and memory maps (D); None: as many as `in_channels`."""
    kernel_size: OddInt = 3
    """Side of the square kernels in cells of the map; odd, so that H and W are kept."""
    gate_activation: GateActivation = "sigmoid"
    """`sigmoid` (the paper) or `hard_sigmoid_keras`, clip(0.2 x + 0.5, 0, 1) (its code)."""
    initialisation: Initialisation = "paper"
    """`paper` or `pytorch` (the layers' own defaults)."""

    forget_bias: float = 0.0
    """What the forget gate's bias starts from; 0 in the paper, 1 after Jozefowicz et al. 2015, section 4."""

    def build(self) -> ConvLSTMCell:
        """Return the cell.

        Raises:
            ConfigError: If `in_channels` is None.
        """
        in_channels, hidden_channels = resolve_channels(self.in_channels, self.hidden_channels, kind=self.kind)
        return ConvLSTMCell(
            in_channels=in_channels,
            hidden_channels=hidden_channels,
            kernel_size=self.kernel_size,
            gate_activation=self.gate_activation,
            initialisation=self.initialisation,
            forget_bias=self.forget_bias,
        )


class ConvLSTMCell(Cell):
    """The plain ConvLSTM cell: every gate is a map.

    Args:
        in_channels: Channels of each frame's feature map (C).
        hidden_channels: Channels of the hidden and memory maps (D).
        kernel_size: Side of the square kernels; odd, so that H and W are kept.
        gate_activation: `sigmoid` or `hard_sigmoid_keras`.
        initialisation: `paper` or `pytorch`.
        forget_bias: What the forget gate's bias starts from.

    Raises:
        ConfigError: If `kernel_size` is even, or `gate_activation` or `initialisation` is unknown.

    Example:
        >>> import torch
        >>> cell = ConvLSTMCell(in_channels=3, hidden_channels=8)
        >>> cell.step(torch.zeros(2, 3, 16, 20)).hidden_BDHW.shape
        torch.Size([2, 8, 16, 20])
    """

    def __init__(
        self,
        *,
        in_channels: int,
        hidden_channels: int,
        kernel_size: int = 3,
        gate_activation: GateActivation = "sigmoid",
        initialisation: Initialisation = "paper",
        forget_bias: float = 0.0,
    ) -> None:
        check_choices(kernel_size=kernel_size, gate_activation=gate_activation, initialisation=initialisation)
        super().__init__(in_channels, hidden_channels)
        self.gate_activation: GateActivation = gate_activation
        # The output channels hold i, f, o, G, in this order.
        self.input_to_gates = nn.Conv2d(in_channels, 4 * hidden_channels, kernel_size, padding=kernel_size // 2)
        self.hidden_to_gates = nn.Conv2d(
            hidden_channels, 4 * hidden_channels, kernel_size, padding=kernel_size // 2, bias=False
        )
        if initialisation == "paper":
            self._init_as_paper()
        if forget_bias:
            assert self.input_to_gates.bias is not None
            nn.init.constant_(self.input_to_gates.bias[hidden_channels : 2 * hidden_channels], forget_bias)

    def _init_as_paper(self) -> None:
        for conv in (self.input_to_gates, self.hidden_to_gates):
            init_he_normal(conv.weight, fan_in=conv.weight[0].numel())
        assert self.input_to_gates.bias is not None
        nn.init.zeros_(self.input_to_gates.bias)

    def wants_channels_last(self, device: torch.device) -> bool:
        # On the CPU, weight gradients of full convolutions take half as long again with channels side by side.
        return device.type != "cpu" or not torch.is_grad_enabled()

    def precompute(self, x_BTCHW: Tensor) -> tuple[Tensor, ...]:
        return (per_frame(self.input_to_gates, x_BTCHW),)

    def inspect(self, from_input: tuple[Tensor, ...], state: MapState) -> dict[str, Tensor]:
        sums_BEHW = from_input[0] + self.hidden_to_gates(state.hidden_BDHW)
        gates_BEHW, g_BDHW = sums_BEHW.split((3 * self.hidden_channels, self.hidden_channels), dim=1)
        i_BDHW, f_BDHW, o_BDHW = apply_gate(gates_BEHW, self.gate_activation).chunk(3, dim=1)
        return {"input_gate": i_BDHW, "forget_gate": f_BDHW, "output_gate": o_BDHW, "candidate": tanh(g_BDHW)}

    def forward(self, from_input: tuple[Tensor, ...], state: MapState) -> MapState:
        return remember(self.inspect(from_input, state), state.memory_BDHW)
