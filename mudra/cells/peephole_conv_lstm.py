"""Peephole ConvLSTM: a ConvLSTM whose gates look at the memory map too.

Source: Agethen and Hsu 2019, equations 6-10 (after Shi et al. 2015, arXiv:1506.04214).
Differs: nothing. The equations leave the shape of the peephole weights open. The authors' layer has one for every place
of the map, shared by the channels (`hw`), all starting from 1; as it fits one size of map alone, `c` is the default.

    i_t = sigma(W_xi * X_t + W_hi * H_{t-1} + W_ci . C_{t-1} + b_i)   (6)
    f_t = sigma(W_xf * X_t + W_hf * H_{t-1} + W_cf . C_{t-1} + b_f)   (7)
    o_t = sigma(W_xo * X_t + W_ho * H_{t-1} + W_co . C_{t-1} + b_o)   (8)
    C_t = f_t . C_{t-1} + i_t . tanh(W_xc * X_t + W_hc * H_{t-1} + b_c)   (9)
    H_t = o_t . tanh(C_t)                                             (10)

`*` is a 2-D convolution that keeps H and W, `.` is elementwise. In equation (8) the output gate looks at the memory
before the step; Shi et al. let it look at C_t (`output_peephole="after"`).
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from mudra.cells.cell import Cell, Initialisation, MapState, check_choices, per_frame, resolve_channels
from mudra.cells.fused import remember, tanh
from mudra.cells.interleave import FORGET, NUM_GATES, check_choice, init_uniform
from mudra.config import Config, OddInt
from mudra.errors import ConfigError, ModelError

Peephole = Literal["none", "c", "hw", "chw"]
OutputPeephole = Literal["before", "after"]


class PeepholeConvLSTMConfig(Config):
    """A ConvLSTM whose gates look at the memory map too."""

    kind: Literal["peephole_conv_lstm"] = "peephole_conv_lstm"

    in_channels: PositiveInt | None = None
    """Channels of each frame's feature map (C); None inside a network: as many as come in."""
    hidden_channels: PositiveInt | None = None
    """Channels of the hidden and memory maps (D); None: as many as `in_channels`."""
    kernel_size: OddInt = 3
    """Side of the square kernels in cells of the map; odd, so that H and W are kept."""
    peephole: Peephole = "c"
    """The weights on the memory map: one for every channel (`c`), for every place (`hw`), for both (`chw`), or `none`
    at all; the latter are a plain ConvLSTM."""
    map_size: tuple[PositiveInt, PositiveInt] | None = None
    """Height and width of the map, which `hw` and `chw` need and the others leave alone."""
    peephole_start: float = 1.0
    """What the peephole weights start from; 1 in the authors' layer."""
    output_peephole: OutputPeephole = "before"
    """Which memory the output gate looks at: the one `before` the step (the paper) or `after` it (Shi et al. 2015)."""
    initialisation: Initialisation = "paper"
    """`paper` (uniform convolutions, zero biases) or `pytorch` (the layers' own defaults)."""
    forget_bias: float = 0.0
    """What the forget gate's bias starts from; 0 in the paper, 1 after Jozefowicz et al. 2015, section 4."""

    def build(self) -> PeepholeConvLSTMCell:
        """Return the cell.

        Raises:
            ConfigError: If `in_channels` is None, or the peephole weights need a `map_size` and have none.
        """
        in_channels, hidden_channels = resolve_channels(self.in_channels, self.hidden_channels, kind=self.kind)
        return PeepholeConvLSTMCell(
            in_channels=in_channels,
            hidden_channels=hidden_channels,
            kernel_size=self.kernel_size,
            peephole=self.peephole,
            map_size=self.map_size,
            peephole_start=self.peephole_start,
            output_peephole=self.output_peephole,
            initialisation=self.initialisation,
            forget_bias=self.forget_bias,
        )


class PeepholeConvLSTMCell(Cell):
    """A ConvLSTM whose gates look at the memory map too.

    Args:
        in_channels: Channels of each frame's feature map (C).
        hidden_channels: Channels of the hidden and memory maps (D).
        kernel_size: Side of the square kernels; odd, so that H and W are kept.
        peephole: `c`, `hw`, `chw` or `none`: what the peephole weights differ by.
        map_size: Height and width of the map; needed by `hw` and `chw`.
        peephole_start: What the peephole weights start from.
        output_peephole: `before` or `after`: which memory the output gate looks at.
        initialisation: `paper` or `pytorch`.
        forget_bias: What the forget gate's bias starts from.

    Raises:
        ConfigError: If `kernel_size` is even, a word is unknown, or `hw` or `chw` comes without `map_size`.

    Example:
        >>> cell = PeepholeConvLSTMCell(in_channels=3, hidden_channels=8, peephole="hw", map_size=(16, 20))
        >>> cell.step(torch.zeros(2, 3, 16, 20)).hidden_BDHW.shape
        torch.Size([2, 8, 16, 20])
    """

    def __init__(
        self,
        *,
        in_channels: int,
        hidden_channels: int,
        kernel_size: int = 3,
        peephole: Peephole = "c",
        map_size: tuple[int, int] | None = None,
        peephole_start: float = 1.0,
        output_peephole: OutputPeephole = "before",
        initialisation: Initialisation = "paper",
        forget_bias: float = 0.0,
    ) -> None:
        check_choices(kernel_size=kernel_size, gate_activation="sigmoid", initialisation=initialisation)
        check_choice("peephole", peephole, Peephole)
        check_choice("output_peephole", output_peephole, OutputPeephole)
        super().__init__(in_channels, hidden_channels)
        self.output_peephole: OutputPeephole = output_peephole
        # The output channels hold i, f, o, G, in this order. The authors' layer has its biases on the hidden side.
        channels, padding = NUM_GATES * hidden_channels, kernel_size // 2
        self.input_to_gates = nn.Conv2d(in_channels, channels, kernel_size, padding=padding)
        self.hidden_to_gates = nn.Conv2d(hidden_channels, channels, kernel_size, padding=padding, bias=False)
        if initialisation == "paper":
            init_uniform(self.input_to_gates)
            init_uniform(self.hidden_to_gates)
        if forget_bias:
            assert self.input_to_gates.bias is not None
            nn.init.constant_(self.input_to_gates.bias.view(NUM_GATES, -1)[FORGET], forget_bias)
        self.map_size = _needed_map_size(peephole, map_size)
        self.memory_to_gates: nn.Parameter | None = None  # of i, f, o; (3, 1 or D, 1 or H, 1 or W)
        if peephole != "none":
            shape = (1 if peephole == "hw" else hidden_channels, *(self.map_size or (1, 1)))
            self.memory_to_gates = nn.Parameter(torch.full((3, *shape), peephole_start))

    def wants_channels_last(self, device: torch.device) -> bool:
        # On the CPU, weight gradients of full convolutions take half as long again with channels side by side.
        return device.type != "cpu" or not torch.is_grad_enabled()

    def precompute(self, x_BTCHW: Tensor) -> tuple[Tensor, ...]:
        size = tuple(x_BTCHW.shape[-2:])
        if self.map_size not in (None, size):
            # One weight for every place of a 1x1 map would spread over any other.
            raise ModelError(
                f"the peephole weights are for maps of {self.map_size}, height and width, and {size} came",
                hint="set map_size, or use peephole=c, which fits any size",
            )
        return (per_frame(self.input_to_gates, x_BTCHW),)

    def inspect(self, from_input: tuple[Tensor, ...], state: MapState) -> dict[str, Tensor]:
        sums_BEHW = from_input[0] + self.hidden_to_gates(state.hidden_BDHW)
        i_BDHW, f_BDHW, o_BDHW, g_BDHW = sums_BEHW.chunk(NUM_GATES, dim=1)
        g_BDHW, memory_BDHW = tanh(g_BDHW), state.memory_BDHW
        if self.memory_to_gates is not None:
            w_i, w_f, w_o = self.memory_to_gates.unbind()
            i_BDHW, f_BDHW = i_BDHW + w_i * memory_BDHW, f_BDHW + w_f * memory_BDHW
            if self.output_peephole == "after":
                memory_BDHW = f_BDHW.sigmoid() * memory_BDHW + i_BDHW.sigmoid() * g_BDHW
            o_BDHW = o_BDHW + w_o * memory_BDHW
        return {
            "input_gate": i_BDHW.sigmoid(),
            "forget_gate": f_BDHW.sigmoid(),
            "output_gate": o_BDHW.sigmoid(),
            "candidate": g_BDHW,
        }

    def forward(self, from_input: tuple[Tensor, ...], state: MapState) -> MapState:
        return remember(self.inspect(from_input, state), state.memory_BDHW)


def _needed_map_size(peephole: Peephole, map_size: tuple[int, int] | None) -> tuple[int, int] | None:
    if peephole not in ("hw", "chw"):
        return None
    if map_size is None:
        raise ConfigError(
            f"peephole is {peephole!r}, weights for every place of the map, but map_size is missing",
            hint="give height and width, for example map_size=[14,14], or use peephole=c, which fits any size",
        )
    return (map_size[0], map_size[1])
