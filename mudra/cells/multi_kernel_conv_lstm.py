"""Multi-kernel ConvLSTM: convolutions of several sizes side by side in place of one, on input and hidden maps alike.

Source: Agethen and Hsu 2019, equations 6-10 with the kernels of section III-C in place of W_x* and W_h*.
Differs: no peephole terms, which the paper says implementations may leave out. Whether its stacked 1x1 convolutions
mix within each gate or across all is not in the text: both are there, on both sides, with the biases on them alone.

    S_t = interleave over k of (W_xk * X_tk) + interleave over k of (W_hk * H_{t-1}) + b
    S_t = M_x * phi(interleave of W_xk * X_tk) + M_h * phi(interleave of W_hk * H_{t-1}) + b    with `mix`
    i_t, f_t, o_t = sigma of the first three quarters of S_t   (6-8)
    C_t = f_t . C_{t-1} + i_t . tanh(the last quarter of S_t)  (9)
    H_t = o_t . tanh(C_t)                                      (10)

`*` is a 2-D convolution that keeps H and W, M are 1x1 convolutions, phi is nothing or tanh. X_tk is X_t, or what flow
attention lets kernel k see of it. Without M this is exactly one ConvLSTM of the largest kernel size, whose weights are
the small kernels with zeros around them, interleaved.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor, nn

from mudra.cells.cell import Cell, Initialisation, MapState, check_choices, resolve_channels
from mudra.cells.flow_attention import FlowAttention
from mudra.cells.fused import remember, tanh
from mudra.cells.interleave import (
    NUM_GATES,
    Concatenation,
    Normalisation,
    ParallelConvs,
    build_conv,
    check_choice,
    share_channels,
)
from mudra.config import Config, OddInt
from mudra.errors import ConfigError

Mix = Literal["none", "per_gate", "full"]
BeforeMix = Literal["none", "tanh"]


class MultiKernelConvLSTMConfig(Config):
    """A ConvLSTM with kernels of several sizes side by side."""

    kind: Literal["multi_kernel_conv_lstm"] = "multi_kernel_conv_lstm"

    in_channels: PositiveInt | None = None
    """Channels of each frame's feature map (C), flow features and all; None inside a network: as many as come in."""
    hidden_channels: PositiveInt | Annotated[tuple[PositiveInt, ...], Field(min_length=1)] | None = None
    """Channels of the hidden and memory maps (D), shared out evenly among the kernels, or each kernel's own, as in
    [128,128]; None: as many as `in_channels`."""
    kernel_sizes: Annotated[tuple[OddInt, ...], Field(min_length=1)] = (3, 5)
    """Sides of the square kernels in cells of the map; odd, so that H and W are kept."""
    mix: Mix = "none"
    """1x1 convolutions behind the joined kernels: `none`, within each gate (`per_gate`) or across all (`full`)."""
    before_mix: BeforeMix = "none"
    """What stands before the 1x1 convolutions: nothing (`none`) or `tanh`."""
    concatenation: Concatenation = "interleave"
    """How the kernels' outputs are joined: `interleave`, or `naive`, which gives each gate to one kernel."""
    normalisation: Normalisation = "none"
    """`batch`: batch normalisation behind every convolution. The clips of a training batch then depend on each other,
    and networks refuse to recompute steps."""
    flow_channels: NonNegativeInt = 0
    """How many of `in_channels`, the last ones, are flow features, of which masks are made; 0 for no attention."""
    masked_kernels: tuple[OddInt, ...] | None = None
    """Sizes of the kernels that see their input through a mask; None for all, if there is flow."""
    initialisation: Initialisation = "paper"
    """`paper` (uniform convolutions, zero biases) or `pytorch` (the layers' own defaults)."""
    forget_bias: float = 0.0
    """What the forget gate's bias starts from; 0 in the paper, 1 after Jozefowicz et al. 2015, section 4."""

    def build(self) -> MultiKernelConvLSTMCell:
        """Return the cell.

        Raises:
            ConfigError: If `in_channels` is None, or settings do not fit each other.
        """
        in_channels, as_many = resolve_channels(self.in_channels, None, kind=self.kind)
        return MultiKernelConvLSTMCell(
            in_channels=in_channels,
            hidden_channels=as_many if self.hidden_channels is None else self.hidden_channels,
            kernel_sizes=self.kernel_sizes,
            mix=self.mix,
            before_mix=self.before_mix,
            concatenation=self.concatenation,
            normalisation=self.normalisation,
            flow_channels=self.flow_channels,
            masked_kernels=self.masked_kernels,
            initialisation=self.initialisation,
            forget_bias=self.forget_bias,
        )


class MultiKernelConvLSTMCell(Cell):
    """A ConvLSTM with kernels of several sizes side by side.

    Args:
        in_channels: Channels of each frame's feature map (C), flow features and all.
        hidden_channels: Channels of the hidden and memory maps (D), or of each kernel's part of them.
        kernel_sizes: Sides of the square kernels; odd, so that H and W are kept.
        mix: `none`, `per_gate` or `full`: which 1x1 convolutions follow.
        before_mix: `none` or `tanh`: what stands before them.
        concatenation: `interleave` or `naive`.
        normalisation: `none` or `batch`, behind every convolution.
        flow_channels: How many of `in_channels`, the last ones, are flow features.
        masked_kernels: Sizes of the kernels that see their input through a mask; None for all.
        initialisation: `paper` or `pytorch`.
        forget_bias: What the forget gate's bias starts from.

    Raises:
        ConfigError: If a kernel size is even, a word is unknown, channels and kernels do not fit each other, or a
            setting would have no effect.

    Example:
        >>> cell = MultiKernelConvLSTMCell(in_channels=3, kernel_sizes=(3, 5), hidden_channels=(6, 2))
        >>> cell.step(torch.zeros(2, 3, 16, 20)).hidden_BDHW.shape
        torch.Size([2, 8, 16, 20])
    """

    def __init__(
        self,
        *,
        in_channels: int,
        hidden_channels: int | tuple[int, ...],
        kernel_sizes: tuple[int, ...] = (3, 5),
        mix: Mix = "none",
        before_mix: BeforeMix = "none",
        concatenation: Concatenation = "interleave",
        normalisation: Normalisation = "none",
        flow_channels: int = 0,
        masked_kernels: tuple[int, ...] | None = None,
        initialisation: Initialisation = "paper",
        forget_bias: float = 0.0,
    ) -> None:
        if not kernel_sizes:
            raise ConfigError("kernel_sizes is empty, wanted at least one", hint="for example kernel_sizes=[3,5]")
        for size in kernel_sizes:
            check_choices(kernel_size=size, gate_activation="sigmoid", initialisation=initialisation)
        for name, value, known in (
            ("mix", mix, Mix),
            ("before_mix", before_mix, BeforeMix),
            ("concatenation", concatenation, Concatenation),
            ("normalisation", normalisation, Normalisation),
        ):
            check_choice(name, value, known)
        _check_mixing(mix, before_mix, concatenation)
        channels = share_channels(hidden_channels, shares=[1] * len(kernel_sizes))
        super().__init__(in_channels, sum(channels))

        def build(channels_in: int, *, bias: bool) -> ParallelConvs:
            branches = [
                build_conv(
                    channels_in,
                    NUM_GATES * out,
                    size,
                    bias=bias and mix == "none",
                    initialisation=initialisation,
                    normalisation=normalisation,
                )
                for size, out in zip(kernel_sizes, channels, strict=True)
            ]
            mixing = None
            if mix != "none":
                conv = build_conv(
                    NUM_GATES * sum(channels),
                    NUM_GATES * sum(channels),
                    1,
                    bias=bias,
                    initialisation=initialisation,
                    normalisation=normalisation,
                    groups=NUM_GATES if mix == "per_gate" else 1,
                )
                mixing = nn.Sequential(_Tanh(), conv) if before_mix == "tanh" else conv
            return ParallelConvs(branches, concatenation=concatenation, mix=mixing)

        self.flow_attention = FlowAttention(
            in_channels=in_channels,
            flow_channels=flow_channels,
            kernel_sizes=kernel_sizes,
            masked_kernels=masked_kernels,
            initialisation=initialisation,
        )
        self.input_to_gates = build(in_channels - flow_channels, bias=True)
        self.hidden_to_gates = build(sum(channels), bias=False)
        if forget_bias:
            self.input_to_gates.add_forget_bias(forget_bias)

    def wants_channels_last(self, device: torch.device) -> bool:
        # On the CPU, weight gradients of full convolutions take half as long again with channels side by side.
        return device.type != "cpu" or not torch.is_grad_enabled()

    def precompute(self, x_BTCHW: Tensor) -> tuple[Tensor, ...]:
        return (self.input_to_gates.over_clip(self.flow_attention(x_BTCHW)),)

    def inspect(self, from_input: tuple[Tensor, ...], state: MapState) -> dict[str, Tensor]:
        sums_BEHW = from_input[0] + self.hidden_to_gates(state.hidden_BDHW)
        gates_BEHW, g_BDHW = sums_BEHW.split((3 * self.hidden_channels, self.hidden_channels), dim=1)
        i_BDHW, f_BDHW, o_BDHW = gates_BEHW.sigmoid().chunk(3, dim=1)
        return {"input_gate": i_BDHW, "forget_gate": f_BDHW, "output_gate": o_BDHW, "candidate": tanh(g_BDHW)}

    def forward(self, from_input: tuple[Tensor, ...], state: MapState) -> MapState:
        return remember(self.inspect(from_input, state), state.memory_BDHW)


class _Tanh(nn.Module):
    """The cells' own tanh, which is faster on the CPU than `nn.Tanh`."""

    def forward(self, x_BEHW: Tensor) -> Tensor:
        """Return tanh(x)."""
        return tanh(x_BEHW)


def _check_mixing(mix: Mix, before_mix: BeforeMix, concatenation: Concatenation) -> None:
    if mix == "none" and before_mix != "none":
        raise ConfigError(f"before_mix is {before_mix!r}, but there is no mix", hint="add mix=per_gate or mix=full")
    if mix == "per_gate" and concatenation == "naive":
        raise ConfigError(
            "mix=per_gate behind concatenation=naive mixes no kernel with another",
            hint="use concatenation=interleave, or mix=full",
        )
