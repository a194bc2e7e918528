"""Gated ConvLSTM: variant (a), whose gates are one number per channel and whose candidate alone is convolved.

Source: Zhang et al. 2018, equations 8-15; what the paper leaves silent after its released code (`GatedConvLSTM2D`).
Differs: nothing.

    Xbar_t = mean over H, W of X_t                        (8)
    Hbar   = mean over H, W of H_{t-1}                    (9)
    i_t = sigma(W_xi Xbar_t + W_hi Hbar + b_i)           (10)
    f_t = sigma(W_xf Xbar_t + W_hf Hbar + b_f)           (11)
    o_t = sigma(W_xo Xbar_t + W_ho Hbar + b_o)           (12)
    G_t = tanh(W_xc * X_t + W_hc * H_{t-1} + b_c)        (13)
    C_t = f_t . C_{t-1} + i_t . G_t                      (14)
    H_t = o_t . tanh(C_t)                                (15)

`*` is a depthwise convolution followed by a 1x1 one with nothing between them; i, f, o are spread over the map. There
is no bias of one on the forget gate unless `forget_bias` asks for it. All gate weights start at the same constant,
1/channels.
"""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveInt
from torch import Tensor, nn

from mudra.cells.cell import (
    Cell,
    GateActivation,
    Initialisation,
    MapState,
    apply_gate,
    check_choices,
    per_frame,
    resolve_channels,
)
from mudra.cells.fused import pool, remember, tanh
from mudra.cells.separable import build_separable, init_as_paper
from mudra.config import Config, OddInt


class GatedConvLSTMConfig(Config):
    """Variant (a): gates from pooled maps."""

    kind: Literal["gated_conv_lstm"] = "gated_conv_lstm"

    in_channels: PositiveInt | None = None
    """Channels of each frame's feature map (C); None inside a network: as many as come in."""
    hidden_channels: PositiveInt | None = None
    """Channels of the hidden and memory maps (D); None: as many as `in_channels`."""
    kernel_size: OddInt = 3
    """Side of the square depthwise kernels in cells of the map; odd, so that H and W are kept."""
    gate_activation: GateActivation = "sigmoid"
    """`sigmoid` (the paper) or `hard_sigmoid_keras`, clip(0.2 x + 0.5, 0, 1) (its code)."""
    initialisation: Initialisation = "paper"
    """`paper` (constant gate weights, he-normal convolutions) or `pytorch` (the layers' own defaults)."""

    forget_bias: float = 0.0
    """What the forget gate's bias starts from; 0 in the paper, 1 after Jozefowicz et al. 2015, section 4."""

    def build(self) -> GatedConvLSTMCell:
        """Return the cell.

        Raises:
            ConfigError: If `in_channels` is None.
        """
        in_channels, hidden_channels = resolve_channels(self.in_channels, self.hidden_channels, kind=self.kind)
        return GatedConvLSTMCell(
            in_channels=in_channels,
            hidden_channels=hidden_channels,
            kernel_size=self.kernel_size,
            gate_activation=self.gate_activation,
            initialisation=self.initialisation,
            forget_bias=self.forget_bias,
        )


class GatedConvLSTMCell(Cell):
    """Variant (a): gates from pooled maps, a depthwise-separable candidate.

    Args:
        in_channels: Channels of each frame's feature map (C).
        hidden_channels: Channels of the hidden and memory maps (D).
        kernel_size: Side of the square depthwise kernels; odd, so that H and W are kept.
        gate_activation: `sigmoid` or `hard_sigmoid_keras`.
        initialisation: `paper` or `pytorch`.
        forget_bias: What the forget gate's bias starts from.

    Raises:
        ConfigError: If `kernel_size` is even, or `gate_activation` or `initialisation` is unknown.

    Example:
        >>> import torch
        >>> cell = GatedConvLSTMCell(in_channels=256, hidden_channels=256)
        >>> sum(p.numel() for p in cell.parameters() if p.ndim > 1)  # weights of Table 1
        528896
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
        # The outputs hold i, f, o, in this order.
        self.input_to_gates = nn.Linear(in_channels, 3 * hidden_channels)
        self.hidden_to_gates = nn.Linear(hidden_channels, 3 * hidden_channels, bias=False)
        self.input_to_candidate = build_separable(in_channels, hidden_channels, kernel_size, bias=True)
        self.hidden_to_candidate = build_separable(hidden_channels, hidden_channels, kernel_size, bias=False)
        if initialisation == "paper":
            init_as_paper(self)
        if forget_bias:
            assert self.input_to_gates.bias is not None
            nn.init.constant_(self.input_to_gates.bias[hidden_channels : 2 * hidden_channels], forget_bias)

    def precompute(self, x_BTCHW: Tensor) -> tuple[Tensor, ...]:
        x_BTCHW, mean_BTC = pool(x_BTCHW)
        return self.input_to_gates(mean_BTC), per_frame(self.input_to_candidate, x_BTCHW)

    def inspect(self, from_input: tuple[Tensor, ...], state: MapState) -> dict[str, Tensor]:
        gates_BE, g_BDHW = from_input
        hidden_BDHW, mean_BD = pool(state.hidden_BDHW)
        gates_BE = gates_BE + self.hidden_to_gates(mean_BD)
        # Spread over the map: one place each.
        i_BD11, f_BD11, o_BD11 = apply_gate(gates_BE, self.gate_activation)[..., None, None].chunk(3, dim=1)
        return {
            "input_gate": i_BD11,
            "forget_gate": f_BD11,
            "output_gate": o_BD11,
            "candidate": tanh(g_BDHW + self.hidden_to_candidate(hidden_BDHW)),
        }

    def forward(self, from_input: tuple[Tensor, ...], state: MapState) -> MapState:
        return remember(self.inspect(from_input, state), state.memory_BDHW)
