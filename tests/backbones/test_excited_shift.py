"""Excited shift: the numbers and gradients of the plain operations, little kept for them, and where it is used."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from mudra.backbones import Action, excited_shift
from mudra.backbones.excited_shift import excite_here, is_forward_alone, pays_off, shift_and_sum
from tests.backbones.by_hand import randomise

CHANNELS, SQUEEZED = 20, 3


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut a frame of 3 x 5 places into pieces of 4, so that none ends where a frame does."""
    monkeypatch.setattr(excited_shift, "PIECE_BYTES", 4 * CHANNELS * 8)


def random_numbers(*shape: int) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(1)
    while True:
        yield torch.randn(shape, generator=generator, dtype=torch.float64)


def parts(num_frames: int) -> tuple[Tensor, Tensor, Tensor]:
    shapes = (2 * num_frames, CHANNELS, 3, 5), (CHANNELS, 1, 3), (SQUEEZED, CHANNELS, 1, 1)
    x, shift, squeeze = (next(random_numbers(*shape)).requires_grad_() for shape in shapes)
    return x, shift, squeeze


def plain(x: Tensor, shift: Tensor, squeeze: Tensor, num_frames: int) -> tuple[Tensor, ...]:
    """The same by the equations, frame by frame."""
    clips = x.view(2, num_frames, CHANNELS, 3, 5)
    zeros = torch.zeros_like(clips[:, :1])
    padded = torch.cat([zeros, clips, zeros], dim=1)
    taps = shift[:, 0, :, None, None].unbind(1)
    shifted = sum(tap * padded[:, k : k + num_frames] for k, tap in enumerate(taps))
    assert isinstance(shifted, Tensor)
    shifted = shifted.flatten(0, 1)
    squeezed = torch.einsum("fchw,rc->frhw", shifted, squeeze.flatten(1))
    return shifted, shifted.mean(1, keepdim=True), shifted.mean((2, 3), keepdim=True), squeezed


@pytest.mark.parametrize("num_frames", [1, 2, 4])
def test_shift_and_sums_are_the_equations(num_frames: int) -> None:
    for found, wanted in zip(shift_and_sum(*parts(num_frames), num_frames), plain(*parts(num_frames), num_frames),
                             strict=True):  # fmt: skip
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


def run(num_frames: int, *, is_plain: bool) -> list[Tensor]:
    """Return the excited maps and all gradients, the gate made of all three sums."""
    leaves = parts(num_frames)
    way = plain if is_plain else shift_and_sum
    shifted, over_channels, over_places, squeezed = way(*leaves, num_frames)
    channel = 3.0 + over_places.tanh() + (squeezed**2).mean((1, 2, 3), keepdim=True)
    place = over_channels.sigmoid()
    out = shifted * (place + channel) if is_plain else excite_here(shifted, place, channel)
    weights = next(random_numbers(*out.shape))
    return [out, *torch.autograd.grad((out * weights).sum(), leaves)]


@pytest.mark.parametrize("num_frames", [1, 2, 4])
def test_gradients_are_those_of_the_equations(num_frames: int) -> None:
    for found, wanted in zip(run(num_frames, is_plain=False), run(num_frames, is_plain=True), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("num_frames", [1, 3])
def test_action_computes_the_same_both_ways(num_frames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    module = randomise(Action(in_channels=32)).train().float()
    found = []
    for is_plain in (False, True):
        if is_plain:
            monkeypatch.setattr(excited_shift, "pays_off", lambda _: False)
        x = next(random_numbers(2 * num_frames, 32, 3, 5)).float().requires_grad_()
        out = module(x, num_frames)
        found.append([out, *torch.autograd.grad(out.square().sum(), [x, *module.parameters()])])
    for ours, wanted in zip(*found, strict=True):
        assert (ours - wanted).norm() <= 3e-6 * wanted.norm()


def test_the_maps_are_kept_once() -> None:
    x, shift, squeeze = parts(4)
    saved: set[int] = set()
    with torch.autograd.graph.saved_tensors_hooks(
        lambda kept: (saved.add(kept.data_ptr() if kept.shape == x.shape else 0), kept)[1], lambda kept: kept
    ):
        sums = shift_and_sum(x.contiguous(memory_format=torch.channels_last), shift, squeeze, 4)
        out = excite_here(sums.shifted_FCHW, sums.over_channels_F1HW, 3.0 + sums.over_places_FC11)
    assert out.data_ptr() in saved
    assert len(saved - {0}) == 2, "the maps that came and those that leave"
    assert out.data_ptr() == sums.shifted_FCHW.data_ptr()


def test_autocast_gives_its_precision_and_close_gradients() -> None:
    exact, rough = [], []
    for enabled, found in ((False, exact), (True, rough)):
        leaves = [leaf.detach().float().requires_grad_() for leaf in parts(4)]
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            sums = shift_and_sum(*leaves, 4)
        assert sums.shifted_FCHW.dtype == (torch.bfloat16 if enabled else torch.float32)
        out = excite_here(sums.shifted_FCHW, sums.over_channels_F1HW.sigmoid(), 3.0 + sums.over_places_FC11.tanh())
        found += torch.autograd.grad(out.float().square().sum() + sums.squeezed_FRHW.float().sum(), leaves)
    for one, other in zip(exact, rough, strict=True):
        assert other.dtype == torch.float32
        assert (one - other).norm() < 0.05 * one.norm()


def test_it_is_for_processors_and_their_training() -> None:
    maps = torch.zeros(1, 2, 3, 3)
    assert pays_off(maps)
    assert not is_forward_alone(maps)
    with torch.no_grad():
        assert not pays_off(maps)
        assert is_forward_alone(maps)
    elsewhere = maps.to("meta")
    assert not pays_off(elsewhere)
    with torch.no_grad():
        assert not is_forward_alone(elsewhere)
