"""ConvLSTM with attention on its input: variant (b), which sees each frame through a map that sums to 1.

Source: Zhang et al. 2018, equations 17-19 (the map) and 8-15 (the rest, as in variant (a)).
Differs: W_z has D input channels, those of the map that it is applied to; the paper writes C, which its own equation
allows only where both are equal.

    Z_t = W_z * tanh(W_xa * X_t + W_ha * H_{t-1} + b_a)  (17)
    A_t = exp(Z_t) / sum over H, W of exp(Z_t)           (18)
    X~_t = A_t . X_t                                     (19)
    i_t = sigma(W_xi mean X~_t + W_hi mean H_{t-1} + b_i)  (8-10)
    f_t = sigma(W_xf mean X~_t + W_hf mean H_{t-1} + b_f)  (11)
    o_t = sigma(W_xo mean X~_t + W_ho mean H_{t-1} + b_o)  (12)
    G_t = tanh(W_xc * X~_t + W_hc * H_{t-1} + b_c)       (13)
    C_t = f_t . C_{t-1} + i_t . G_t                      (14)
    H_t = o_t . tanh(C_t)                                (15)

`*` is a depthwise convolution followed by a 1x1 one with nothing between them, except that W_z is a full convolution
to one channel. A_t is one map for all channels; its mean is 1/(H W), so that the cell sees its input that much smaller.
The attention's part of X_t is computed for all frames at once; gates and candidate wait for the map.
"""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveInt
from torch import Tensor, nn

from mudra.cells.attention import share_over_map
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


class InputAttentionConvLSTMConfig(Config):
    """Variant (b): attention on the input of pooled gates and candidate."""

    kind: Literal["input_attention_conv_lstm"] = "input_attention_conv_lstm"

    in_channels: PositiveInt | None = None
    """Channels of each frame's feature map (C); None inside a network: as many as come in."""
    hidden_channels: PositiveInt | None = None
    """Channels of the hidden and memory maps (D); None: as many as `in_channels`."""
    kernel_size: OddInt = 3
    """Side of the square kernels in cells of the map; odd, so that H and W are kept."""
    gate_activation: GateActivation = "sigmoid"
    """`sigmoid` (the paper) or `hard_sigmoid_keras`, clip(0.2 x + 0.5, 0, 1) (its code)."""
    initialisation: Initialisation = "paper"
    """`paper` (constant gate weights, he-normal convolutions) or `pytorch` (the layers' own defaults)."""

    forget_bias: float = 0.0
    """What the forget gate's bias starts from; 0 in the paper, 1 after Jozefowicz et al. 2015, section 4."""

    def build(self) -> InputAttentionConvLSTMCell:
        """Return the cell.

        Raises:
            ConfigError: If `in_channels` is None.
        """
        in_channels, hidden_channels = resolve_channels(self.in_channels, self.hidden_channels, kind=self.kind)
        return InputAttentionConvLSTMCell(
            in_channels=in_channels,
            hidden_channels=hidden_channels,
            kernel_size=self.kernel_size,
            gate_activation=self.gate_activation,
            initialisation=self.initialisation,
            forget_bias=self.forget_bias,
        )


class InputAttentionConvLSTMCell(Cell):
    """Variant (b): attention on the input of pooled gates and candidate.

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
        >>> cell = InputAttentionConvLSTMCell(in_channels=256, hidden_channels=256)
        >>> sum(p.numel() for p in cell.parameters() if p.ndim > 1)  # weights of Table 1
        666880
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
        self.input_to_attention = build_separable(in_channels, hidden_channels, kernel_size, bias=True)
        self.hidden_to_attention = build_separable(hidden_channels, hidden_channels, kernel_size, bias=False)
        self.attention_to_score = nn.Conv2d(hidden_channels, 1, kernel_size, padding=kernel_size // 2, bias=False)
        if initialisation == "paper":
            init_as_paper(self)
        if forget_bias:
            nn.init.constant_(self.input_to_gates.bias[hidden_channels : 2 * hidden_channels], forget_bias)

    def precompute(self, x_BTCHW: Tensor) -> tuple[Tensor, ...]:
        return x_BTCHW, per_frame(self.input_to_attention, x_BTCHW)

    def inspect(self, from_input: tuple[Tensor, ...], state: MapState) -> dict[str, Tensor]:
        """Return what one step decides: gates (B, D, 1, 1), candidate (B, D, H, W), attention (B, 1, H, W)."""
        x_BCHW, attention_BDHW = from_input
        attention_BDHW = tanh(attention_BDHW + self.hidden_to_attention(state.hidden_BDHW))
        attention_B1HW = share_over_map(self.attention_to_score(attention_BDHW))
        seen_BCHW = attention_B1HW * x_BCHW
        gates_BE = self.input_to_gates(seen_BCHW.mean(dim=(-2, -1)))
        gates_BE = gates_BE + self.hidden_to_gates(state.hidden_BDHW.mean(dim=(-2, -1)))
        i_BD, f_BD, o_BD = apply_gate(gates_BE, self.gate_activation).chunk(3, dim=1)
        g_BDHW = tanh(self.input_to_candidate(seen_BCHW) + self.hidden_to_candidate(state.hidden_BDHW))
        return {
            "input_gate": i_BD[..., None, None],
            "forget_gate": f_BD[..., None, None],
            "output_gate": o_BD[..., None, None],
            "candidate": g_BDHW,
            "attention": attention_B1HW,
        }

    def forward(self, from_input: tuple[Tensor, ...], state: MapState) -> MapState:
        return remember(self.inspect(from_input, state), state.memory_BDHW)
