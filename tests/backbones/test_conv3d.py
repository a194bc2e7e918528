"""A padded 3-D convolution: TensorFlow's and symmetric padding against explicit zeros, and bf16's broken sizes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mudra.backbones.conv3d import convolve_same
from mudra.backbones.padding import PaddingMode


def random_maps(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


# Zeros (before, behind) of columns, rows and frames, worked out by hand for 5 frames of 6x7 under 3x3x7 kernels.
BY_HAND: dict[tuple[str, int], tuple[int, ...]] = {
    ("tf_same", 1): (3, 3, 1, 1, 1, 1),
    ("symmetric", 1): (3, 3, 1, 1, 1, 1),
    ("tf_same", 2): (3, 3, 0, 1, 1, 1),
    ("symmetric", 2): (3, 3, 1, 1, 1, 1),
}


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", ["tf_same", "symmetric"])
def test_zeros_stand_where_they_should(padding: PaddingMode, stride: int) -> None:
    torch.manual_seed(1)
    conv, x_BCTHW = nn.Conv3d(4, 6, (3, 3, 7), stride=stride, groups=2).double(), random_maps(2, 4, 5, 6, 7)
    expected = conv(nn.functional.pad(x_BCTHW, BY_HAND[padding, stride]))
    found = convolve_same(conv, x_BCTHW, padding=padding)
    torch.testing.assert_close(found, expected)
    assert found.shape[2:] == tuple(-(-size // stride) for size in (5, 6, 7))


@pytest.mark.parametrize("num_frames", [2, 3, 4, 8])
def test_bf16_is_left_where_the_processor_computes_it_wrong(num_frames: int) -> None:
    conv, x_BCTHW = nn.Conv3d(2, 3, 3, stride=2), torch.randn(1, 2, num_frames, 4, 4)
    with torch.autocast("cpu", torch.bfloat16):
        maps = convolve_same(conv, x_BCTHW, padding="symmetric")
    assert maps.dtype is (torch.float32 if num_frames in (2, 3, 4) else torch.bfloat16)
