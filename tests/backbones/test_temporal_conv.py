"""Convolution over time: its equation rewritten by hand, streams, dilation, and states that it refuses."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mudra.backbones import TemporalConv
from mudra.backbones.temporal_conv import check_state, convolve_frames
from mudra.errors import ModelError


def build(*, causal: bool = False, kernel_size: int = 3) -> TemporalConv:
    conv = TemporalConv(2, 3, kernel_size=kernel_size, causal=causal).double()
    generator = torch.Generator().manual_seed(7)
    for parameter in conv.parameters():
        nn.init.normal_(parameter, generator=generator)
    return conv


def random_maps(num_clips: int = 2, num_frames: int = 6) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(num_clips, num_frames, 2, 3, 4, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(("causal", "kernel_size"), [(False, 3), (True, 3), (False, 5), (True, 5), (True, 1)])
def test_every_place_sums_its_neighbours_in_time(causal: bool, kernel_size: int) -> None:
    conv, x_BTCHW = build(causal=causal, kernel_size=kernel_size), random_maps()
    maps_BTDHW = conv(x_BTCHW)
    weight_DCK, bias = conv.conv.weight.flatten(2).tolist(), conv.conv.bias
    assert bias is not None
    assert maps_BTDHW.shape == (2, 6, 3, 3, 4)
    first = -(kernel_size - 1) if causal else -(kernel_size // 2)
    for b, t, d, y, x in [(0, 0, 0, 0, 0), (1, 5, 2, 2, 3), (0, 2, 1, 1, 2), (1, 1, 0, 2, 0), (0, 4, 2, 0, 3)]:
        expected = bias[d].item()
        for c in range(2):
            for k in range(kernel_size):
                if 0 <= t + first + k < 6:
                    expected += weight_DCK[d][c][k] * x_BTCHW[b, t + first + k, c, y, x].item()
        assert maps_BTDHW[b, t, d, y, x].item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dilation", [1, 2])
def test_inside_are_those_whose_neighbours_are_all_there(dilation: int) -> None:
    conv, x_BTCHW = build(), random_maps()
    inside = conv.forward_inside(x_BTCHW, dilation=dilation)
    assert inside.shape[1] == 6 - 2 * dilation
    for phase in range(dilation):
        whole = conv(x_BTCHW[:, phase::dilation])
        torch.testing.assert_close(inside[:, phase::dilation], whole[:, 1:-1][:, : inside[:, phase::dilation].shape[1]])


@pytest.mark.parametrize("cuts", [[6], [1, 1, 4], [2, 3, 1], [1] * 6])
def test_pieces_give_the_numbers_of_the_whole(cuts: list[int]) -> None:
    conv, x_BTCHW = build(causal=True, kernel_size=5), random_maps()
    pieces, last = [], None
    for piece in torch.split(x_BTCHW, cuts, dim=1):
        maps, last = conv.forward_stream(piece, last)
        pieces.append(maps)
        assert last.untyped_storage().nbytes() == last.numel() * last.element_size()
    torch.testing.assert_close(torch.cat(pieces, dim=1), conv(x_BTCHW), rtol=0, atol=1e-12)


def test_a_state_of_other_pieces_is_refused() -> None:
    conv = build(causal=True)
    _, last = conv.forward_stream(random_maps(num_clips=1))
    with pytest.raises(
        ModelError, match=r"state of a temporal convolution has shape \(1, 2, 2, 12\), wanted \(2, 2, 2"
    ):
        conv.forward_stream(random_maps(), last)


def test_a_state_of_another_number_of_parts_is_refused() -> None:
    check_state(None, num_parts=2)
    check_state((torch.zeros(1), torch.zeros(1)), num_parts=2)
    with pytest.raises(ModelError, match="the state of a backbone has 1 parts, wanted 2"):
        check_state((torch.zeros(1),), num_parts=2)


def test_frames_are_convolved_one_by_one_and_channels_stand_side_by_side() -> None:
    conv, x_BTCHW = nn.Conv2d(2, 3, 3, padding=1).double(), random_maps()
    maps_BTDHW = convolve_frames(conv, x_BTCHW)
    torch.testing.assert_close(maps_BTDHW[1, 2], conv(x_BTCHW[1, 2]))
    assert maps_BTDHW.stride(2) == 1
    assert TemporalConv(3, 3).double()(maps_BTDHW).stride(2) == 1
