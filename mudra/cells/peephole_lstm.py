"""Peephole LSTM: a fully connected LSTM whose gates see the memory.

Source: Pigou et al. 2015, equations 2 and 3 with LSTM cells: those of Gers et al. 2003, "Learning precise timing with
LSTM recurrent networks"; initialisation after the released code of Pigou et al. 2015.
Differs: nothing. Without peepholes it is PyTorch's LSTM with one bias in place of two; in equation 3 of Agethen and Hsu
2019 the output gate looks at the memory before the step, c_{t-1} (`output_peephole="before"`).

    i_t = sigmoid(W_xi x_t + W_hi h_{t-1} + w_ci . c_{t-1} + b_i)
    f_t = sigmoid(W_xf x_t + W_hf h_{t-1} + w_cf . c_{t-1} + b_f)
    g_t = tanh(W_xg x_t + W_hg h_{t-1} + b_g)
    c_t = f_t . c_{t-1} + i_t . g_t
    o_t = sigmoid(W_xo x_t + W_ho h_{t-1} + w_co . c_t + b_o)
    h_t = o_t . tanh(c_t)

`.` is elementwise; a peephole w is one weight per unit. The output gate sees the new memory, unless told otherwise, and
the others the old one.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from mudra.cells.vector_cell import UnrolledVectors, VectorCell, VectorState, check_choice, resolve_features
from mudra.config import Config

Initialisation = Literal["paper", "orthogonal", "pytorch"]
OutputPeephole = Literal["before", "after"]
PAPER_STD = 0.01  # of the released code of Pigou et al. 2015, for all matrices and peepholes


class PeepholeLSTMConfig(Config):
    """A fully connected LSTM, with or without peepholes."""

    kind: Literal["peephole_lstm"] = "peephole_lstm"

    in_features: PositiveInt | None = None
    """Features of each frame (C); None inside a network: as many as come in."""
    hidden_features: PositiveInt | None = None
    """Features of the hidden and memory vectors (D); None: as many as `in_features`."""
    peepholes: bool = True
    """Whether the gates see the memory; without, whole clips run through PyTorch's own kernel."""
    output_peephole: OutputPeephole = "after"
    """Which memory the output gate looks at: the one `after` the step (Pigou et al. 2015) or `before` it (Agethen and
    Hsu 2019)."""
    initialisation: Initialisation = "paper"
    """`paper`: normal weights and peepholes of standard deviation 0.01; `orthogonal`: an orthogonal matrix per gate, no
    peepholes to begin with; both with biases of zero; `pytorch`: uniform within 1 / sqrt(D)."""
    forget_bias: float = 0.0
    """What the forget gate's bias starts from; 0 in the paper, 1 after Jozefowicz et al. 2015, section 4."""

    def build(self) -> PeepholeLSTMCell:
        """Return the cell.

        Raises:
            ConfigError: If `in_features` is None.
        """
        in_features, hidden_features = resolve_features(self.in_features, self.hidden_features, kind=self.kind)
        return PeepholeLSTMCell(
            in_features=in_features,
            hidden_features=hidden_features,
            peepholes=self.peepholes,
            output_peephole=self.output_peephole,
            initialisation=self.initialisation,
            forget_bias=self.forget_bias,
        )


class PeepholeLSTMCell(VectorCell):
    """A fully connected LSTM, with or without peepholes.

    Args:
        in_features: Features of each frame (C).
        hidden_features: Features of the hidden and memory vectors (D).
        peepholes: Whether the gates see the memory.
        output_peephole: `after` or `before`: which memory the output gate looks at.
        initialisation: `paper`, `orthogonal` or `pytorch`.
        forget_bias: What the forget gate's bias starts from.

    Raises:
        ConfigError: If `initialisation` or `output_peephole` is unknown.

    Example:
        >>> cell = PeepholeLSTMCell(in_features=3, hidden_features=8)
        >>> cell.step(torch.zeros(2, 3)).hidden_BD.shape
        torch.Size([2, 8])
    """

    def __init__(
        self,
        *,
        in_features: int,
        hidden_features: int,
        peepholes: bool = True,
        output_peephole: OutputPeephole = "after",
        initialisation: Initialisation = "paper",
        forget_bias: float = 0.0,
    ) -> None:
        check_choice("initialisation", initialisation, get_args(Initialisation))
        check_choice("output_peephole", output_peephole, get_args(OutputPeephole))
        super().__init__(in_features, hidden_features, memory_features=hidden_features)
        self.output_peephole: OutputPeephole = output_peephole
        # The rows hold i, f, g, o, in PyTorch's order; the peepholes i, f, o.
        self.input_to_gates = nn.Linear(in_features, 4 * hidden_features)
        self.hidden_to_gates = nn.Linear(hidden_features, 4 * hidden_features, bias=False)
        self.peepholes_3D = nn.Parameter(torch.empty(3, hidden_features)) if peepholes else None
        self._initialise(initialisation)
        if forget_bias:
            nn.init.constant_(self.input_to_gates.bias[hidden_features : 2 * hidden_features], forget_bias)

    def _initialise(self, initialisation: Initialisation) -> None:
        bound = self.hidden_features**-0.5
        for parameter in self.parameters():
            if initialisation == "pytorch":
                nn.init.uniform_(parameter, -bound, bound)
            elif initialisation == "paper":
                nn.init.normal_(parameter, std=PAPER_STD)
            else:
                nn.init.zeros_(parameter)
        if initialisation == "orthogonal":
            for layer in (self.input_to_gates, self.hidden_to_gates):
                for gate_DC in torch.split(layer.weight, self.hidden_features):
                    nn.init.orthogonal_(gate_DC)
        if initialisation != "pytorch":
            nn.init.zeros_(self.input_to_gates.bias)

    def precompute(self, x_BTC: Tensor) -> Tensor:
        gates_BTE: Tensor = self.input_to_gates(x_BTC)
        return gates_BTE

    def forward(self, from_input_BE: Tensor, state: VectorState) -> VectorState:
        sums_BE = from_input_BE + self.hidden_to_gates(state.hidden_BD)
        i_BD, f_BD, g_BD, o_BD = sums_BE.chunk(4, dim=1)
        if self.peepholes_3D is not None:
            i_BD = i_BD + self.peepholes_3D[0] * state.memory_BD
            f_BD = f_BD + self.peepholes_3D[1] * state.memory_BD
        memory_BD = f_BD.sigmoid() * state.memory_BD + i_BD.sigmoid() * g_BD.tanh()
        if self.peepholes_3D is not None:
            seen_BD = memory_BD if self.output_peephole == "after" else state.memory_BD
            o_BD = o_BD + self.peepholes_3D[2] * seen_BD
        return VectorState(o_BD.sigmoid() * memory_BD.tanh(), memory_BD)

    def unroll_fused(self, x_BTC: Tensor, state: VectorState) -> UnrolledVectors | None:
        """Run PyTorch's LSTM kernel where there are no peepholes, which it does not know."""
        weight = self.input_to_gates.weight
        if self.peepholes_3D is not None or x_BTC.dtype != weight.dtype:
            return None
        bias = self.input_to_gates.bias
        weights = [weight, self.hidden_to_gates.weight, bias, torch.zeros_like(bias)]
        before = [part.unsqueeze(0) for part in state]
        hidden_BTD, last_1BD, memory_1BD = torch.lstm(x_BTC, before, weights, True, 1, 0.0, self.training, False, True)
        return UnrolledVectors(hidden_BTD, VectorState(last_1BD[0], memory_1BD[0]))
