"""RNN: the standard recurrence, one fully connected layer over the input and its own last output.

Source: Pigou et al. 2015, equations 2 and 3 with standard cells; activation and initialisation after the released code.
Differs: nothing known; the gain of the orthogonal matrices is not on record: one.

    h_t = a(W_x x_t + W_h h_{t-1} + b)

a is the leaky ReLU, max(0.3 x, x), of the paper's other layers, not the usual tanh.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from mudra.cells.vector_cell import UnrolledVectors, VectorCell, VectorState, check_choice, resolve_features
from mudra.config import Config

Activation = Literal["leaky_relu", "tanh", "relu"]
Initialisation = Literal["paper", "pytorch"]
NEGATIVE_SLOPE = 0.3  # Pigou et al. 2015, section 3.1
PAPER_BIAS = 0.1  # of their released code


class RNNConfig(Config):
    """The standard recurrent cell."""

    kind: Literal["rnn"] = "rnn"

    in_features: PositiveInt | None = None
    """Features of each frame (C); None inside a network: as many as come in."""
    hidden_features: PositiveInt | None = None
    """Features of the hidden vector (D); None: as many as `in_features`."""
    activation: Activation = "leaky_relu"
    """`leaky_relu` of slope 0.3 (the paper), `tanh` or `relu`; whole clips of the last two run through PyTorch's own
    kernel."""
    initialisation: Initialisation = "paper"
    """`paper`: orthogonal matrices, biases of 0.1; `pytorch`: uniform within 1 / sqrt(D)."""

    def build(self) -> RNNCell:
        """Return the cell.

        Raises:
            ConfigError: If `in_features` is None.
        """
        in_features, hidden_features = resolve_features(self.in_features, self.hidden_features, kind=self.kind)
        return RNNCell(
            in_features=in_features,
            hidden_features=hidden_features,
            activation=self.activation,
            initialisation=self.initialisation,
        )


class RNNCell(VectorCell):
    """The standard recurrent cell.

    Args:
        in_features: Features of each frame (C).
        hidden_features: Features of the hidden vector (D).
        activation: `leaky_relu`, `tanh` or `relu`.
        initialisation: `paper` or `pytorch`.

    Raises:
        ConfigError: If `activation` or `initialisation` is unknown.

    Example:
        >>> cell = RNNCell(in_features=3, hidden_features=8)
        >>> cell.step(torch.zeros(2, 3)).hidden_BD.shape
        torch.Size([2, 8])
    """

    def __init__(
        self,
        *,
        in_features: int,
        hidden_features: int,
        activation: Activation = "leaky_relu",
        initialisation: Initialisation = "paper",
    ) -> None:
        check_choice("activation", activation, get_args(Activation))
        check_choice("initialisation", initialisation, get_args(Initialisation))
        super().__init__(in_features, hidden_features)
        self.activation: Activation = activation
        self.input_to_hidden = nn.Linear(in_features, hidden_features)
        self.hidden_to_hidden = nn.Linear(hidden_features, hidden_features, bias=False)
        if initialisation == "paper":
            nn.init.orthogonal_(self.input_to_hidden.weight)
            nn.init.orthogonal_(self.hidden_to_hidden.weight)
            nn.init.constant_(self.input_to_hidden.bias, PAPER_BIAS)
        else:
            for parameter in self.parameters():
                nn.init.uniform_(parameter, -(hidden_features**-0.5), hidden_features**-0.5)

    def precompute(self, x_BTC: Tensor) -> Tensor:
        sums_BTD: Tensor = self.input_to_hidden(x_BTC)
        return sums_BTD

    def forward(self, from_input_BE: Tensor, state: VectorState) -> VectorState:
        sums_BD = from_input_BE + self.hidden_to_hidden(state.hidden_BD)
        if self.activation == "leaky_relu":
            return VectorState(nn.functional.leaky_relu(sums_BD, NEGATIVE_SLOPE), state.memory_BD)
        return VectorState(sums_BD.tanh() if self.activation == "tanh" else sums_BD.relu(), state.memory_BD)

    def unroll_fused(self, x_BTC: Tensor, state: VectorState) -> UnrolledVectors | None:
        """Run PyTorch's RNN kernel where it knows the activation."""
        weight = self.input_to_hidden.weight
        if self.activation == "leaky_relu" or x_BTC.dtype != weight.dtype:
            return None
        bias = self.input_to_hidden.bias
        weights = [weight, self.hidden_to_hidden.weight, bias, torch.zeros_like(bias)]
        run = torch.rnn_tanh if self.activation == "tanh" else torch.rnn_relu
        before_1BD = state.hidden_BD.unsqueeze(0)
        hidden_BTD, last_1BD = run(x_BTC, before_1BD, weights, True, 1, 0.0, self.training, False, True)
        return UnrolledVectors(hidden_BTD, VectorState(last_1BD[0], state.memory_BD))
