"""Several convolutions side by side that make the sums of one LSTM's gates together.

Source: Agethen and Hsu 2019, section III-C and figure 4.
Differs: how weights start is not in the text. A convolution's starts uniform after Glorot and Bengio 2010, counting the
channels of one gate as its outputs: for 5x5 kernels, 16 channels in and 256 hidden ones the bounds are 0.0297 (input)
and 0.02165 (hidden), which the authors' own settings give as numbers.

A convolution of c channels in each gate puts out 4 c channels: those of i, of f, of o and of G, one behind the other.
Set naively behind one another, the outputs of two convolutions are cut into four gates of which each has seen one
kernel alone. Interleaved, every gate gets its channels from every convolution.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from mudra.cells.cell import Initialisation, flatten_frames
from mudra.cells.pointwise import PointwiseConv2d
from mudra.errors import ConfigError, nearest_name

Concatenation = Literal["interleave", "naive"]
Normalisation = Literal["none", "batch"]

NUM_GATES = 4  # i, f, o and the candidate G, which is no gate but is computed like one
FORGET = 1  # the place of f among them
PIECE = 2**21  # numbers of input that are worked at at once where gradients are off


def interleave(parts: Sequence[Tensor]) -> Tensor:
    """Join the outputs (..., 4 c_k, H, W) of several convolutions gate by gate into (..., 4 D, H, W).

    Example:
        >>> first, second = torch.arange(8.0).view(1, 8, 1, 1), torch.arange(10.0, 14.0).view(1, 4, 1, 1)
        >>> interleave([first, second]).flatten().int().tolist()
        [0, 1, 10, 2, 3, 11, 4, 5, 12, 6, 7, 13]
    """
    if len(parts) == 1:
        return parts[0]
    if parts[0].stride(-3) == 1:  # the channels of a place stand side by side, and are to stay so
        behind = [part.movedim(-3, -1) for part in parts]
        return (
            torch.cat([part.view(*part.shape[:-1], NUM_GATES, -1) for part in behind], dim=-1)
            .flatten(-2)
            .movedim(-1, -3)
        )
    gates = [part.view(*part.shape[:-3], NUM_GATES, -1, *part.shape[-2:]) for part in parts]
    return torch.cat(gates, dim=-3).flatten(-4, -3)


class ParallelConvs(nn.Module):
    """Branches side by side over the same maps, joined into the sums of all gates, and mixed on request.

    Args:
        branches: From the incoming channels to 4 c_k each, H and W kept.
        concatenation: `interleave`, or `naive` to see what goes wrong.
        mix: What the joined sums still pass through; None for nothing.

    Example:
        >>> convs = ParallelConvs([nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(3, 4, 5, padding=2)])
        >>> convs(torch.zeros(2, 3, 6, 7)).shape
        torch.Size([2, 12, 6, 7])
    """

    def __init__(
        self,
        branches: Iterable[nn.Module],
        *,
        concatenation: Concatenation = "interleave",
        mix: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.concatenation: Concatenation = concatenation
        self.branches = nn.ModuleList(branches)
        self.mix = nn.Identity() if mix is None else mix

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the sums (B, 4 D, H, W) of single maps."""
        return self._sum([x_BCHW] * len(self.branches))

    def over_clip(self, seen: Sequence[Tensor]) -> Tensor:
        """Return the sums (B, T, 4 D, H, W) of clips, of which each branch may see its own (B, T, C, H, W)."""
        num_clips, num_frames = seen[0].shape[:2]
        frames = [flatten_frames(x_BTCHW) for x_BTCHW in seen]
        sums = self._sum_by_pieces(frames) if self._may_cut(frames[0]) else self._sum(frames)
        return sums.view(num_clips, num_frames, *sums.shape[1:])

    def add_forget_bias(self, value: float) -> None:
        """Set the biases of the forget gate, wherever the gate's channels come from."""
        parts = self.branches if isinstance(self.mix, nn.Identity) else [self.mix]
        biases = [_bias_of(part) for part in parts]
        with torch.no_grad():
            if self.concatenation == "interleave" or len(biases) == 1:
                for bias in biases:
                    bias.view(NUM_GATES, -1)[FORGET] = value
                return
            hidden, start = sum(len(bias) for bias in biases) // NUM_GATES, 0
            for bias in biases:
                bias[max(0, FORGET * hidden - start) : max(0, (FORGET + 1) * hidden - start)] = value
                start += len(bias)

    def _sum(self, seen: Sequence[Tensor]) -> Tensor:
        parts = [branch(x_BCHW) for branch, x_BCHW in zip(self.branches, seen, strict=True)]
        sums_BEHW: Tensor = self.mix(self._join(parts))
        return sums_BEHW

    def _may_cut(self, x_BCHW: Tensor) -> bool:
        """Whether a few maps at a time give the same: batch normalisation that learns has to see all together."""
        learns = torch.is_grad_enabled() or (
            self.training and any(isinstance(part, nn.BatchNorm2d) for part in self.modules())
        )
        return x_BCHW.device.type == "cpu" and not learns and not torch.compiler.is_compiling()

    def _sum_by_pieces(self, seen: Sequence[Tensor]) -> Tensor:
        """Join and mix a few maps at a time, which are in the processor's cache still, and never hold all branches'."""
        at_once = max(1, PIECE // seen[0][0].numel())
        if at_once >= len(seen[0]):
            return self._sum(seen)
        sums_BEHW: Tensor | None = None
        for start in range(0, len(seen[0]), at_once):
            piece = self._sum([x_BCHW[start : start + at_once] for x_BCHW in seen])
            if sums_BEHW is None:
                order = torch.channels_last if piece.stride(1) == 1 else torch.contiguous_format
                shape = (len(seen[0]), *piece.shape[1:])
                sums_BEHW = torch.empty(shape, dtype=piece.dtype, device=piece.device, memory_format=order)
            sums_BEHW[start : start + at_once] = piece
        assert sums_BEHW is not None
        return sums_BEHW

    def _join(self, parts: Sequence[Tensor]) -> Tensor:
        return interleave(parts) if self.concatenation == "interleave" else torch.cat(list(parts), dim=-3)


def build_conv(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    *,
    bias: bool,
    initialisation: Initialisation,
    normalisation: Normalisation = "none",
    groups: int = 1,
    num_gates: int = NUM_GATES,
) -> nn.Module:
    """Return a convolution that keeps H and W, with batch normalisation behind it on request.

    Args:
        in_channels: Channels in.
        out_channels: Channels out, of all gates.
        kernel_size: Side of the square kernels, odd.
        bias: Whether there is a bias; the normalisation brings its own instead.
        initialisation: `paper` or `pytorch`.
        normalisation: `none` or `batch`.
        groups: Into how many parts the channels are cut that do not see each other.
        num_gates: How many gates the outputs are made of.

    Example:
        >>> build_conv(3, 8, 5, bias=True, initialisation="paper")(torch.zeros(1, 3, 4, 6)).shape
        torch.Size([1, 8, 4, 6])
    """
    bias = bias and normalisation == "none"
    conv: nn.Conv2d
    if kernel_size == groups == 1:
        conv = PointwiseConv2d(in_channels, out_channels, bias=bias)
    else:
        conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, groups=groups, bias=bias)
    if initialisation == "paper":
        init_uniform(conv, num_gates=num_gates)
    return conv if normalisation == "none" else nn.Sequential(conv, nn.BatchNorm2d(out_channels))


def init_uniform(conv: nn.Conv2d, *, num_gates: int = NUM_GATES) -> None:
    """Fill weights from [-b, b] with b = sqrt(6 / (fan in + fan out)), the fan out that of one gate; biases with 0."""
    fan_in = conv.weight[0].numel()
    fan_out = conv.out_channels // num_gates * conv.weight[0, 0].numel()
    bound = math.sqrt(6.0 / (fan_in + fan_out))
    nn.init.uniform_(conv.weight, -bound, bound)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)


def share_channels(hidden_channels: int | tuple[int, ...], *, shares: Sequence[int]) -> tuple[int, ...]:
    """Return how many hidden channels each branch makes.

    Args:
        hidden_channels: Channels of all branches together, or of each of them.
        shares: The parts in which all together are divided, as exactly as whole numbers allow.

    Raises:
        ConfigError: If there are more or fewer numbers than branches, or a branch would make no channel.

    Example:
        >>> share_channels(256, shares=(1, 2, 1)), share_channels(5, shares=(1, 1))
        ((64, 128, 64), (3, 2))
    """
    if isinstance(hidden_channels, int):
        total = sum(shares)
        bounds = [0, *((2 * hidden_channels * until + total) // (2 * total) for until in accumulate(shares))]
        found = tuple(last - first for first, last in pairwise(bounds))
    else:
        found = tuple(hidden_channels)
        if len(found) != len(shares):
            raise ConfigError(
                f"hidden_channels has {len(found)} numbers for {len(shares)} kernels",
                hint="give one for each kernel, or one number for all together",
            )
    if min(found) < 1:
        raise ConfigError(f"hidden_channels is {hidden_channels}, too few for {len(shares)} kernels side by side")
    return found


def check_choice(name: str, value: str, known: object) -> None:
    """Refuse a word that is not among those of a `Literal`.

    Raises:
        ConfigError: If it is not.
    """
    words = get_args(known)
    if value not in words:
        raise ConfigError(f"{name} is {value!r}", hint=nearest_name(value, words))


def _bias_of(module: nn.Module) -> Tensor:
    """The bias of a module's last layer."""
    bias = list(module.parameters())[-1]
    assert bias.ndim == 1
    return bias
