"""Zeros before and behind: the published table, and what both modes promise."""

from __future__ import annotations

import typing

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mudra.backbones.padding import PaddingMode, check_padding, pad_same, same_padding
from mudra.errors import ConfigError

MODES: tuple[PaddingMode, ...] = typing.get_args(PaddingMode)

# Every layer of Zhang et al. 2018's network at 32 frames of 112x112: size, kernel, stride, zeros before and behind.
TABLE = {
    "1, time": (32, 3, 1, (1, 1)),
    "1, space": (112, 7, 2, (2, 3)),
    "2, space": (56, 3, 1, (1, 1)),
    "3a, time": (32, 3, 2, (0, 1)),
    "3a, space": (56, 3, 2, (0, 1)),
    "3a shortcut": (56, 1, 2, (0, 0)),
    "4, time": (16, 3, 1, (1, 1)),
    "separable 1b": (28, 3, 2, (0, 1)),
    "separable 3a": (14, 3, 2, (0, 1)),
    "separable 3b": (7, 3, 2, (1, 1)),
}


@pytest.mark.parametrize(("size", "kernel_size", "stride", "expected"), TABLE.values(), ids=TABLE)
def test_zeros_before_and_behind_as_published(
    size: int, kernel_size: int, stride: int, expected: tuple[int, int]
) -> None:
    assert same_padding(size, kernel_size=kernel_size, stride=stride, mode="tf_same") == expected


@given(size=st.integers(1, 64), kernel_size=st.integers(1, 9), stride=st.integers(1, 4))
@settings(max_examples=200, deadline=None, derandomize=True, database=None)
def test_both_modes_give_size_over_stride_rounded_up(size: int, kernel_size: int, stride: int) -> None:
    for mode in MODES:
        before, behind = same_padding(size, kernel_size=kernel_size, stride=stride, mode=mode)
        assert (size + before + behind - kernel_size) // stride + 1 == -(-size // stride)
        assert 0 <= behind - before <= 1


def test_the_last_axes_are_padded_each_by_its_own_rule() -> None:
    padded = pad_same(torch.ones(2, 4, 5, 6), kernel_size=(3, 7), stride=(2, 2), mode="tf_same")
    # Five rows, stride two: one before and one behind. Six columns: two before and three behind.
    assert padded.shape == (2, 4, 7, 11)
    rows, columns = torch.zeros(7), torch.zeros(11)
    rows[1:6], columns[2:8] = 1, 1
    assert torch.equal(padded[1, 3], torch.outer(rows, columns))


def test_nothing_to_pad_copies_nothing() -> None:
    x = torch.ones(1, 1, 4, 4)
    assert pad_same(x, kernel_size=(1, 1), stride=(2, 2), mode="tf_same") is x


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"padding is 'symetric'\n  hint: did you mean 'symmetric'\?"):
        check_padding("symetric")
    for mode in MODES:
        check_padding(mode)
