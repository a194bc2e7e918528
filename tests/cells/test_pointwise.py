"""1x1 convolutions row by row: the same numbers, by oneDNN's routine also with one thread."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from mudra.cells.pointwise import PointwiseConv2d


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Where PyTorch's own choice is slow."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def random_maps(num_clips: int = 2) -> Tensor:
    """Maps with the channels of a place side by side."""
    return torch.randn(num_clips, 5, 6, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64).movedim(
        -1, 1
    )


@pytest.mark.parametrize("num_clips", [1, 2])
@pytest.mark.parametrize("channels_last", [True, False])
def test_numbers_and_gradients_are_those_of_a_1x1_convolution(num_clips: int, channels_last: bool) -> None:
    conv = PointwiseConv2d(3, 4, bias=True).double()
    x_BCHW = random_maps(num_clips) if channels_last else random_maps(num_clips).contiguous()
    wanted = [x_BCHW.requires_grad_(), *conv.parameters()]
    ours, plain = conv(x_BCHW), nn.functional.conv2d(x_BCHW, conv.weight, conv.bias)
    torch.testing.assert_close(ours, plain, rtol=0, atol=1e-14)
    grad = torch.rand_like(plain)
    grads = [torch.autograd.grad(output, wanted, grad) for output in (ours, plain)]
    torch.testing.assert_close(grads[0], grads[1], rtol=0, atol=1e-13)


def test_channels_stay_side_by_side() -> None:
    assert PointwiseConv2d(3, 4, bias=False).double()(random_maps(1)).stride() == (120, 1, 24, 4)


def test_rows_go_in_where_channels_stand_side_by_side_and_maps_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes, plain = [], nn.Conv2d.forward

    def note(conv: nn.Conv2d, x: Tensor) -> Tensor:
        shapes.append(tuple(x.shape))
        return plain(conv, x)

    monkeypatch.setattr(nn.Conv2d, "forward", note)
    conv = PointwiseConv2d(3, 4, bias=False).double()
    conv(random_maps())
    conv(random_maps().contiguous())
    torch.set_num_threads(2)
    conv(random_maps())
    assert shapes == [(10, 3, 1, 6), (2, 3, 5, 6), (2, 3, 5, 6)]


def test_compiled_it_is_the_same() -> None:
    conv = PointwiseConv2d(3, 4, bias=True).double()
    compiled = torch.compile(conv, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(random_maps()), conv(random_maps()))


def test_a_1x1_convolutions_weights_fit() -> None:
    PointwiseConv2d(3, 4, bias=True).load_state_dict(nn.Conv2d(3, 4, 1).state_dict())
