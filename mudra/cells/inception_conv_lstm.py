"""Inception ConvLSTM: a ConvLSTM with an Inception-like block in place of each convolution.

Source: Agethen and Hsu 2019, equations 6-10 with the block of figure 9b in place of W_x* and W_h*.
Differs: no peephole terms, which the paper says implementations may leave out. The figure alone gives the widths: here,
as our choice, the branches make a quarter, a half and a quarter of the hidden channels, large kernels see half as many
channels as there are hidden ones, and ReLU follows the reduction as in GoogLeNet (Szegedy et al. 2015).

    P(X)  = interleave of W_1 * X, W_3 * r(R_3 * X), W_5 * r(R_5 * X)
    S_t   = P_x(X_t) + P_h(H_{t-1}) + b
    i_t, f_t, o_t = sigma of the first three quarters of S_t   (6-8)
    C_t = f_t . C_{t-1} + i_t . tanh(the last quarter of S_t)  (9)
    H_t = o_t . tanh(C_t)                                      (10)

`*` is a 2-D convolution that keeps H and W; W_1, R_3 and R_5 have 1x1 kernels, W_3 3x3, W_5 5x5; r is ReLU or nothing.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from mudra.cells.cell import Cell, Initialisation, MapState, check_choices, resolve_channels
from mudra.cells.fused import remember, tanh
from mudra.cells.interleave import NUM_GATES, Normalisation, ParallelConvs, build_conv, check_choice, share_channels
from mudra.config import Config

KERNEL_SIZES = (1, 3, 5)
SHARES = (1, 2, 1)

AfterReduction = Literal["relu", "none"]


class InceptionConvLSTMConfig(Config):
    """A ConvLSTM with an Inception-like block in place of each convolution."""

    kind: Literal["inception_conv_lstm"] = "inception_conv_lstm"

    in_channels: PositiveInt | None = None
    """Channels of each frame's feature map (C); None inside a network: as many as come in."""
    hidden_channels: PositiveInt | Annotated[tuple[PositiveInt, ...], Field(min_length=3, max_length=3)] | None = None
    """Channels of the hidden and memory maps (D), or of the branches 1x1, 3x3 and 5x5, as in [64,128,64]; None: as many
    as `in_channels`."""
    reduced_channels: PositiveInt | None = None
    """Channels that the 1x1 convolutions leave to the 3x3 and 5x5 ones; None: half of the hidden channels."""
    after_reduction: AfterReduction = "relu"
    """What stands between the 1x1 and the larger convolutions: `relu`, or nothing (`none`)."""
    normalisation: Normalisation = "none"
    """`batch`: batch normalisation behind every convolution. The clips of a training batch then depend on each other,
    and networks refuse to recompute steps."""
    initialisation: Initialisation = "paper"
    """`paper` (uniform convolutions, zero biases) or `pytorch` (the layers' own defaults)."""
    forget_bias: float = 0.0
    """What the forget gate's bias starts from; 0 in the paper, 1 after Jozefowicz et al. 2015, section 4."""

    def build(self) -> InceptionConvLSTMCell:
        """Return the cell.

        Raises:
            ConfigError: If `in_channels` is None, or there are too few hidden channels for three branches.
        """
        in_channels, as_many = resolve_channels(self.in_channels, None, kind=self.kind)
        return InceptionConvLSTMCell(
            in_channels=in_channels,
            hidden_channels=as_many if self.hidden_channels is None else self.hidden_channels,
            reduced_channels=self.reduced_channels,
            after_reduction=self.after_reduction,
            normalisation=self.normalisation,
            initialisation=self.initialisation,
            forget_bias=self.forget_bias,
        )


class InceptionConvLSTMCell(Cell):
    """A ConvLSTM with an Inception-like block in place of each convolution.

    Args:
        in_channels: Channels of each frame's feature map (C).
        hidden_channels: Channels of the hidden and memory maps (D), or of each branch's part of them.
        reduced_channels: Channels that 3x3 and 5x5 convolutions see; None: half of the hidden channels.
        after_reduction: `relu` or `none`: what stands before them.
        normalisation: `none` or `batch`, behind every convolution.
        initialisation: `paper` or `pytorch`.
        forget_bias: What the forget gate's bias starts from.

    Raises:
        ConfigError: If a word is unknown, or the hidden channels do not fit three branches.

    Example:
        >>> cell = InceptionConvLSTMCell(in_channels=3, hidden_channels=8)
        >>> cell.step(torch.zeros(2, 3, 16, 20)).hidden_BDHW.shape
        torch.Size([2, 8, 16, 20])
    """

    def __init__(
        self,
        *,
        in_channels: int,
        hidden_channels: int | tuple[int, ...],
        reduced_channels: int | None = None,
        after_reduction: AfterReduction = "relu",
        normalisation: Normalisation = "none",
        initialisation: Initialisation = "paper",
        forget_bias: float = 0.0,
    ) -> None:
        check_choices(kernel_size=1, gate_activation="sigmoid", initialisation=initialisation)
        check_choice("after_reduction", after_reduction, AfterReduction)
        check_choice("normalisation", normalisation, Normalisation)
        channels = share_channels(hidden_channels, shares=SHARES)
        hidden = sum(channels)
        reduced = max(1, hidden // 2) if reduced_channels is None else reduced_channels
        super().__init__(in_channels, hidden)

        def build_branch(channels_in: int, out: int, size: int, *, bias: bool) -> nn.Module:
            layers: list[nn.Module] = []
            if size > 1:
                layers.append(
                    build_conv(
                        channels_in,
                        reduced,
                        1,
                        bias=False,
                        initialisation=initialisation,
                        normalisation=normalisation,
                        num_gates=1,
                    )
                )
                layers += [nn.ReLU()] if after_reduction == "relu" else []
                channels_in = reduced
            layers.append(
                build_conv(
                    channels_in,
                    NUM_GATES * out,
                    size,
                    bias=bias,
                    initialisation=initialisation,
                    normalisation=normalisation,
                )
            )
            return nn.Sequential(*layers)

        def build(channels_in: int, *, bias: bool) -> ParallelConvs:
            pairs = zip(channels, KERNEL_SIZES, strict=True)
            return ParallelConvs([build_branch(channels_in, out, size, bias=bias) for out, size in pairs])

        self.input_to_gates = build(in_channels, bias=True)
        self.hidden_to_gates = build(hidden, bias=False)
        if forget_bias:
            self.input_to_gates.add_forget_bias(forget_bias)

    def wants_channels_last(self, device: torch.device) -> bool:
        # On the CPU, weight gradients of full convolutions take half as long again with channels side by side.
        return device.type != "cpu" or not torch.is_grad_enabled()

    def precompute(self, x_BTCHW: Tensor) -> tuple[Tensor, ...]:
        return (self.input_to_gates.over_clip([x_BTCHW] * len(KERNEL_SIZES)),)

    def inspect(self, from_input: tuple[Tensor, ...], state: MapState) -> dict[str, Tensor]:
        sums_BEHW = from_input[0] + self.hidden_to_gates(state.hidden_BDHW)
        gates_BEHW, g_BDHW = sums_BEHW.split((3 * self.hidden_channels, self.hidden_channels), dim=1)
        i_BDHW, f_BDHW, o_BDHW = gates_BEHW.sigmoid().chunk(3, dim=1)
        return {"input_gate": i_BDHW, "forget_gate": f_BDHW, "output_gate": o_BDHW, "candidate": tanh(g_BDHW)}

    def forward(self, from_input: tuple[Tensor, ...], state: MapState) -> MapState:
        return remember(self.inspect(from_input, state), state.memory_BDHW)
