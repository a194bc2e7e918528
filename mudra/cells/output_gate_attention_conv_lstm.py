"""ConvLSTM whose output gate is attention: variant (d), a map for every channel with its maximum at 1.

Source: Zhang et al. 2018, section 2.2 (d): equations 21-23 for the output gate, and 8-15 (the rest, as in variant (a)).
Differs: the paper's text gives the outer kernel the size of the map; it is K x K and separable here, as in the paper's
code and its count of weights (24).

    Z_t = W_o * tanh(W_xo * X_t + W_ho * H_{t-1} + b_o)  (21)
    o_t = exp(Z_t) / max over H, W of exp(Z_t)           (22, 23)
    i_t = sigma(W_xi mean X_t + W_hi mean H_{t-1} + b_i)   (8-10)
    f_t = sigma(W_xf mean X_t + W_hf mean H_{t-1} + b_f)   (11)
    G_t = tanh(W_xc * X_t + W_hc * H_{t-1} + b_c)        (13)
    C_t = f_t . C_{t-1} + i_t . G_t                      (14)
    H_t = o_t . tanh(C_t)                                (15)

`*` is a depthwise convolution followed by a 1x1 one with nothing between them; the maximum is every channel's own.
"""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveInt
from torch import Tensor, nn

from mudra.cells.attention import relate_to_maximum
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
from mudra.cells.fused import remember, tanh
from mudra.cells.separable import build_separable, init_as_paper
from mudra.config import Config, OddInt


class OutputGateAttentionConvLSTMConfig(Config):
    """Variant (d): attention as the output gate, input and forget gates from pooled maps."""

    kind: Literal["output_gate_attention_conv_lstm"] = "output_gate_attention_conv_lstm"

    in_channels: PositiveInt | None = None
    """Channels of each frame's feature map (C); None inside a network: as many as come in."""
    hidden_channels: PositiveInt | None = None
    """Channels of the hidden and memory maps (D); None: as many as `in_channels`."""
    kernel_size: OddInt = 3
    """Side of the square kernels in cells of the map; odd, so that H and W are kept."""
    gate_activation: GateActivation = "sigmoid"
    """Of the other two gates: `sigmoid` (the paper) or `hard_sigmoid_keras`, clip(0.2 x + 0.5, 0, 1) (its code)."""
    initialisation: Initialisation = "paper"
    """`paper` (constant gate weights, he-normal convolutions) or `pytorch` (the layers' own defaults)."""

    forget_bias: float = 0.0
    """What the forget gate's bias starts from; 0 in the paper, 1 after Jozefowicz et al. 2015, section 4."""

    def build(self) -> OutputGateAttentionConvLSTMCell:
        """Return the cell.

        Raises:
            ConfigError: If `in_channels` is None.
        """
        in_channels, hidden_channels = resolve_channels(self.in_channels, self.hidden_channels, kind=self.kind)
        return OutputGateAttentionConvLSTMCell(
            in_channels=in_channels,
            hidden_channels=hidden_channels,
            kernel_size=self.kernel_size,
            gate_activation=self.gate_activation,
            initialisation=self.initialisation,
            forget_bias=self.forget_bias,
        )


class OutputGateAttentionConvLSTMCell(Cell):
    """Variant (d): attention as the output gate, input and forget gates from pooled maps.

    Args:
        in_channels: Channels of each frame's feature map (C).
        hidden_channels: Channels of the hidden and memory maps (D).
        kernel_size: Side of the square kernels; odd, so that H and W are kept.
        gate_activation: Of the other two gates: `sigmoid` or `hard_sigmoid_keras`.
        initialisation: `paper` or `pytorch`.
        forget_bias: What the forget gate's bias starts from.

    Raises:
        ConfigError: If `kernel_size` is even, or `gate_activation` or `initialisation` is unknown.

    Example:
        >>> cell = OutputGateAttentionConvLSTMCell(in_channels=256, hidden_channels=256)
        >>> sum(p.numel() for p in cell.parameters() if p.ndim > 1)  # weights of Table 1
        601344
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
        # The outputs hold i, f, in this order.
        self.input_to_gates = nn.Linear(in_channels, 2 * hidden_channels)
        self.hidden_to_gates = nn.Linear(hidden_channels, 2 * hidden_channels, bias=False)
        self.input_to_candidate = build_separable(in_channels, hidden_channels, kernel_size, bias=True)
        self.hidden_to_candidate = build_separable(hidden_channels, hidden_channels, kernel_size, bias=False)
        self.input_to_attention = build_separable(in_channels, hidden_channels, kernel_size, bias=True)
        self.hidden_to_attention = build_separable(hidden_channels, hidden_channels, kernel_size, bias=False)
        self.attention_to_score = build_separable(hidden_channels, hidden_channels, kernel_size, bias=False)
        if initialisation == "paper":
            init_as_paper(self)
        if forget_bias:
            nn.init.constant_(self.input_to_gates.bias[hidden_channels:], forget_bias)

    def precompute(self, x_BTCHW: Tensor) -> tuple[Tensor, ...]:
        gates_BTE = self.input_to_gates(x_BTCHW.mean(dim=(-2, -1)))
        candidate_BTDHW = per_frame(self.input_to_candidate, x_BTCHW)
        return gates_BTE, candidate_BTDHW, per_frame(self.input_to_attention, x_BTCHW)

    def inspect(self, from_input: tuple[Tensor, ...], state: MapState) -> dict[str, Tensor]:
        """Return what one step decides.

        The two pooled gates are (B, D, 1, 1); candidate, attention and the output gate, which is the attention, are
        (B, D, H, W).
        """
        gates_BE, candidate_BDHW, attention_BDHW = from_input
        gates_BE = gates_BE + self.hidden_to_gates(state.hidden_BDHW.mean(dim=(-2, -1)))
        i_BD, f_BD = apply_gate(gates_BE, self.gate_activation).chunk(2, dim=1)
        attention_BDHW = tanh(attention_BDHW + self.hidden_to_attention(state.hidden_BDHW))
        attention_BDHW = relate_to_maximum(self.attention_to_score(attention_BDHW))
        g_BDHW = tanh(candidate_BDHW + self.hidden_to_candidate(state.hidden_BDHW))
        return {
            "input_gate": i_BD[..., None, None],
            "forget_gate": f_BD[..., None, None],
            "output_gate": attention_BDHW,
            "candidate": g_BDHW,
            "attention": attention_BDHW,
        }

    def forward(self, from_input: tuple[Tensor, ...], state: MapState) -> MapState:
        return remember(self.inspect(from_input, state), state.memory_BDHW)
