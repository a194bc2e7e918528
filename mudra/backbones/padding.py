"""Zero padding as TensorFlow counts it, for convolutions whose published weights expect it.

Source: facts of the released code of Zhang et al. 2018: with a stride above one, TensorFlow's `same` pads more behind
than before. The shapes are those of symmetric padding, the numbers are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from torch import Tensor, nn

from mudra.errors import ConfigError, nearest_name

PaddingMode = Literal["tf_same", "symmetric"]


def check_padding(mode: str) -> None:
    """Refuse a mode that would otherwise pass for `tf_same`.

    Raises:
        ConfigError: If there is no such mode.
    """
    if mode not in get_args(PaddingMode):
        raise ConfigError(f"padding is {mode!r}", hint=nearest_name(mode, get_args(PaddingMode)))


def same_padding(size: int, *, kernel_size: int, stride: int, mode: PaddingMode) -> tuple[int, int]:
    """Return how many zeros stand before and behind one axis, so that ceil(size / stride) results come out.

    Example:
        >>> same_padding(112, kernel_size=7, stride=2, mode="tf_same")
        (2, 3)
        >>> same_padding(112, kernel_size=7, stride=2, mode="symmetric")
        (3, 3)
        >>> same_padding(7, kernel_size=3, stride=2, mode="tf_same")
        (1, 1)
    """
    if mode == "symmetric":
        return (kernel_size - 1) // 2, kernel_size // 2
    num_out = -(-size // stride)
    total = max((num_out - 1) * stride + kernel_size - size, 0)
    return total // 2, total - total // 2


def pad_same(x: Tensor, *, kernel_size: Sequence[int], stride: Sequence[int], mode: PaddingMode) -> Tensor:
    """Pad the last len(kernel_size) axes of `x` with zeros."""
    pads: list[int] = []
    sizes = x.shape[-len(kernel_size) :]
    for size, kernel, step in reversed(list(zip(sizes, kernel_size, stride, strict=True))):
        pads += same_padding(size, kernel_size=kernel, stride=step, mode=mode)
    return nn.functional.pad(x, pads) if any(pads) else x
