"""What one step of a cell costs: counted, and by the paper's own convention.

Source: Zhang et al. 2018, equations 7, 16, 20 and 24, and Table 1.
Differs: the paper charges every weight at every place of the map, although the pooled gates of its variants run once
for the whole map; that rule is kept here under its own name, beside the true count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from mudra.cells.cell import Cell, WholeClipLayer, unroll
from mudra.cells.conv_lstm import ConvLSTMCell
from mudra.cells.gated_conv_lstm import GatedConvLSTMCell
from mudra.cells.inception_conv_lstm import InceptionConvLSTMCell
from mudra.cells.input_attention_conv_lstm import InputAttentionConvLSTMCell
from mudra.cells.input_gate_attention_conv_lstm import InputGateAttentionConvLSTMCell
from mudra.cells.multi_kernel_conv_lstm import MultiKernelConvLSTMCell
from mudra.cells.output_gate_attention_conv_lstm import OutputGateAttentionConvLSTMCell
from mudra.cells.peephole_conv_lstm import PeepholeConvLSTMCell


@dataclass(frozen=True, kw_only=True)
class CellCost:
    """What a cell holds, and what it computes for one frame of one video.

    Args:
        weights: Trainable numbers without the biases.
        biases: Trainable numbers of the biases.
        macs_per_step: Multiply-accumulates of convolutions and matrix products for one frame, counted while running.
        paper_weights: The weights by the paper's formula; None for a cell whose paper has none.
        paper_mult_adds: The multiply-adds by the paper's rule; None likewise.
        weights_input_to_hidden: What Agethen and Hsu 2019 count in their Table III: of the weights, those of the
            convolutions between the input and the gates. Hidden maps, memory, masks and normalisations have the others.
            None for a cell of another paper.
    """

    weights: int
    biases: int
    macs_per_step: int
    paper_weights: int | None
    paper_mult_adds: int | None
    weights_input_to_hidden: int | None = None

    def to_json(self) -> dict[str, int | None]:
        """Return the counts as JSON knows them; `weights_input_to_hidden` only where there is one."""
        counts = asdict(self)
        if self.weights_input_to_hidden is None:
            del counts["weights_input_to_hidden"]
        return counts


def measure_cell(cell: Cell | WholeClipLayer, *, size: tuple[int, int]) -> CellCost:
    """Count what one frame costs, without running the cell on real numbers.

    Args:
        cell: Any cell, or a layer that needs whole clips: its clip is then that one frame.
        size: Height and width of the map.

    Example:
        >>> cost = measure_cell(GatedConvLSTMCell(in_channels=256, hidden_channels=256), size=(28, 28))
        >>> cost.weights, cost.biases, cost.macs_per_step, cost.paper_weights, cost.paper_mult_adds
        (528896, 1024, 106766336, 528896, 414654464)
    """
    paper_weights = count_paper_weights(cell)
    counts_input = isinstance(cell, PeepholeConvLSTMCell | MultiKernelConvLSTMCell | InceptionConvLSTMCell)
    return CellCost(
        weights=_count(cell, biases=False),
        biases=_count(cell, biases=True),
        macs_per_step=_count_macs(cell, size),
        paper_weights=paper_weights,
        paper_mult_adds=None if paper_weights is None else count_paper_mult_adds(paper_weights, size=size),
        weights_input_to_hidden=_count_convs(cell.get_submodule("input_to_gates")) if counts_input else None,
    )


def count_paper_weights(cell: Cell | WholeClipLayer) -> int | None:
    """Return the weights by the formula of the cell's paper; None where there is none."""
    formula = PAPER_FORMULAS.get(type(cell))
    if formula is None:
        return None
    # The 1x1 halves of separable convolutions are no wider than the kernels that the paper calls K x K.
    kernel_size = max(module.kernel_size[0] for module in cell.modules() if isinstance(module, torch.nn.Conv2d))
    return formula(cell.in_channels, cell.hidden_channels, kernel_size)


def count_paper_mult_adds(paper_weights: int, *, size: tuple[int, int]) -> int:
    """Return the multiply-adds as Table 1 has them: every weight once at every place of the map."""
    return paper_weights * size[0] * size[1]


def _count(module: torch.nn.Module, *, biases: bool) -> int:
    """Trainable numbers, either the biases alone or all others, among them the factors of a normalisation."""
    return sum(
        parameter.numel()
        for name, parameter in module.named_parameters()
        if parameter.requires_grad and biases == name.endswith("bias")
    )


def _count_convs(module: torch.nn.Module) -> int:
    """Trainable weights of convolutions alone."""
    weights = [conv.weight for conv in module.modules() if isinstance(conv, torch.nn.Conv2d)]
    return sum(weight.numel() for weight in weights if weight.requires_grad)


def _count_macs(cell: Cell | WholeClipLayer, size: tuple[int, int]) -> int:
    from torch._subclasses.fake_tensor import FakeTensorMode

    counter = FlopCounterMode(display=False)
    first = next(cell.parameters())
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad(), counter:
        unroll(cell, torch.zeros(1, 1, cell.in_channels, *size, dtype=first.dtype, device=first.device))
    # The counter gives floating-point operations, two for each multiply-accumulate.
    return counter.get_total_flops() // 2


def _equation_7(channels: int, hidden: int, kernel_size: int) -> int:
    return kernel_size**2 * (channels + hidden) * hidden * 4


def _equation_16(channels: int, hidden: int, kernel_size: int) -> int:
    return (kernel_size**2 + 4 * hidden) * (channels + hidden)


def _equation_20(channels: int, hidden: int, kernel_size: int) -> int:
    attention = kernel_size**2 * (channels + 2 * hidden) + (channels + hidden) * hidden
    return _equation_16(channels, hidden, kernel_size) + attention


def _equation_24(channels: int, hidden: int, kernel_size: int) -> int:
    attention = kernel_size**2 * (channels + 2 * hidden) + hidden**2
    return _equation_16(channels, hidden, kernel_size) + attention


# From channels in, hidden channels and kernel size to weights.
PAPER_FORMULAS: dict[type, Callable[[int, int, int], int]] = {
    ConvLSTMCell: _equation_7,
    GatedConvLSTMCell: _equation_16,
    InputAttentionConvLSTMCell: _equation_20,
    InputGateAttentionConvLSTMCell: _equation_24,
    OutputGateAttentionConvLSTMCell: _equation_24,
}
