"""FutureNet: its patches, its two layers, its loss, and what it refuses."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mudra.cells import (
    ConvLSTMConfig,
    GatedConvLSTMConfig,
    MultiKernelConvLSTMCell,
    MultiKernelConvLSTMConfig,
    PeepholeConvLSTMCell,
    PeepholeConvLSTMConfig,
    unroll,
)
from mudra.errors import ConfigError, ModelError
from mudra.models import FutureNet, FutureNetConfig, frame_errors, measure_complexity, sum_cross_entropy

SMALL = PeepholeConvLSTMConfig(hidden_channels=6, kernel_size=3)


def small(**values: Any) -> FutureNet:
    """In double precision, another random number in every place."""
    network = FutureNet(**({"patch_size": 2, "num_frames_out": 4, "encoder": SMALL} | values)).double()
    generator = torch.Generator().manual_seed(5)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.4, generator=generator)
    return network


def random_clip(channels: int = 1, size: tuple[int, int] = (6, 8)) -> Tensor:
    return torch.rand(2, 3, channels, *size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def patches_by_hand(clip_BTCHW: Tensor, side: int) -> Tensor:
    """Each pixel of a patch in its own channel: of one channel's patches, row by row, then of the next one's."""
    array = clip_BTCHW.numpy()
    clips, frames, channels, height, width = array.shape
    out = np.zeros((clips, frames, channels * side * side, height // side, width // side))
    for at in np.ndindex(array.shape):
        b, t, c, y, x = at
        out[b, t, c * side * side + side * (y % side) + x % side, y // side, x // side] = array[at]
    return torch.from_numpy(out)


def test_the_decoder_goes_on_from_the_encoder_and_its_last_map_is_the_first_frame() -> None:
    network, clip_BTCHW = small(in_channels=2), random_clip(2)
    _, state = unroll(network.encoder, patches_by_hand(clip_BTCHW, 2))
    hidden = [state.hidden_BDHW]
    for _ in range(3):
        state = network.decoder.step(torch.zeros(2, 1, 3, 4, dtype=torch.float64), state)
        hidden.append(state.hidden_BDHW)
    predicted = network(clip_BTCHW)
    assert predicted.shape == (2, 4, 2, 6, 8)
    patches = torch.stack([network.to_pixels(maps) for maps in hidden], dim=1)
    torch.testing.assert_close(patches_by_hand(predicted.detach(), 2), patches.detach(), rtol=0, atol=1e-12)


def test_the_decoders_weights_on_its_input_change_nothing() -> None:
    network, clip_BTCHW = small(), random_clip()
    before = network(clip_BTCHW)
    with torch.no_grad():
        network.decoder.get_submodule("input_to_gates").get_parameter("weight").add_(1.0)
    assert torch.equal(network(clip_BTCHW), before)


def test_a_stem_sees_the_largest_value_of_each_patch() -> None:
    network, clip_BTCHW = small(in_channels=2, stem_channels=(5, 3)), random_clip(2)
    assert network.encoder.in_channels == 3
    assert network.stem is not None
    convs = [layer for layer in network.stem if isinstance(layer, torch.nn.Conv2d)]
    largest = clip_BTCHW.unflatten(-1, (4, 2)).unflatten(-3, (3, 2)).amax(dim=(-3, -1)).flatten(0, 1)
    for conv in convs:
        largest = torch.nn.functional.conv2d(largest, conv.weight, conv.bias, padding=1).clamp_min(0.0)
    _, state = unroll(network.encoder, largest.unflatten(0, (2, 3)))
    predicted = network(clip_BTCHW)
    assert predicted.shape == (2, 4, 2, 6, 8)
    first = network.to_pixels(state.hidden_BDHW).unsqueeze(1)
    torch.testing.assert_close(patches_by_hand(predicted[:, :1].detach(), 2), first.detach(), rtol=0, atol=1e-12)


def test_constructor_and_config_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {name: field.get_default() for name, field in FutureNetConfig.model_fields.items() if name != "kind"}
    parameters = inspect.signature(FutureNet).parameters.values()
    assert {p.name: p.default for p in parameters} == fields
    config = FutureNetConfig(in_channels=2, patch_size=3, stem_channels=(4,), decoder=SMALL, recompute_steps=True)
    monkeypatch.setattr("mudra.models.future_net.FutureNet", lambda **arguments: arguments)
    assert config.build() == {name: getattr(config, name) for name in fields}


def test_the_papers_network_has_5x5_kernels_256_channels_and_patches_of_16_pixels() -> None:
    with torch.device("meta"):
        network = FutureNetConfig().build()
    encoder, decoder = network.encoder, network.decoder
    assert isinstance(encoder, PeepholeConvLSTMCell)
    assert isinstance(decoder, PeepholeConvLSTMCell)
    assert encoder.input_to_gates.weight.shape == (1024, 16, 5, 5)
    assert encoder.hidden_to_gates.weight.shape == decoder.hidden_to_gates.weight.shape == (1024, 256, 5, 5)
    assert network.to_pixels.weight.shape == (16, 256, 1, 1)


def test_weights_start_within_the_bounds_of_the_authors_settings() -> None:
    network = FutureNet()
    decoder = network.decoder
    assert isinstance(decoder, PeepholeConvLSTMCell)
    assert network.to_pixels.weight.abs().max().item() == pytest.approx(0.1485, rel=5e-3)
    assert decoder.hidden_to_gates.weight.abs().max().item() == pytest.approx(0.02165, rel=1e-3)
    assert network.to_pixels.bias is not None
    assert network.to_pixels.bias.count_nonzero() == 0


def test_any_cell_encodes_and_another_decodes() -> None:
    network = small(encoder=GatedConvLSTMConfig(hidden_channels=6), decoder=ConvLSTMConfig(kernel_size=5))
    assert (network.encoder.in_channels, network.decoder.in_channels) == (4, 1)
    assert network(random_clip()).shape == (2, 4, 1, 6, 8)
    # Channels that nobody names are as many as come in.
    assert small(encoder=GatedConvLSTMConfig()).decoder.hidden_channels == 4


def test_flow_masks_the_encoder_and_is_not_predicted() -> None:
    encoder = MultiKernelConvLSTMConfig(hidden_channels=(4, 2), kernel_sizes=(3, 5), masked_kernels=(5,))
    network, clip_BTCHW = small(flow_channels=2, encoder=encoder), random_clip(3)
    assert isinstance(network.encoder, MultiKernelConvLSTMCell)
    assert isinstance(network.decoder, MultiKernelConvLSTMCell)
    assert (network.encoder.in_channels, network.encoder.flow_attention.flow_channels) == (12, 8)
    assert (network.decoder.in_channels, network.decoder.flow_attention.flow_channels) == (1, 0)
    predicted = network(clip_BTCHW)
    assert predicted.shape == (2, 4, 1, 6, 8)
    changed = clip_BTCHW.clone()
    changed[:, :, 1:] += 1.0
    assert not torch.allclose(network(changed), predicted)
    told = encoder.model_copy(update={"flow_channels": 8})
    assert small(flow_channels=2, encoder=told).decoder.in_channels == 1


def test_recomputing_gives_the_same_gradients() -> None:
    target, found = torch.ones(2, 4, 1, 6, 8, dtype=torch.float64), []
    for recompute_steps in (False, True):
        network = small(recompute_steps=recompute_steps)
        steps: list[None] = []
        network.encoder.register_forward_pre_hook(lambda *_, steps=steps: steps.append(None))
        sum_cross_entropy(network(random_clip()), target).backward()
        assert len(steps) == (6 if recompute_steps else 3)
        found.append([parameter.grad for parameter in network.parameters()])
    torch.testing.assert_close(found[1], found[0], rtol=1e-10, atol=1e-10)


def test_what_it_costs_can_be_counted() -> None:
    cost = measure_complexity(FutureNetConfig().build(), num_frames=10, in_channels=1, size=(64, 64))
    encoder, decoder = 25 * (16 + 256) * 1024 + 1024 + 3 * 256, 25 * (1 + 256) * 1024 + 1024 + 3 * 256
    assert cost.parameters_by_part == {"encoder": encoder, "decoder": decoder, "to_pixels": 16 * 257}
    places = 16 * 16
    assert cost.macs_by_part == {
        "encoder": places * 1024 * 25 * 10 * 272,
        "decoder": places * 1024 * 25 * 9 * 257,
        "to_pixels": places * 10 * 256 * 16,
    }


def test_the_loss_sums_over_pixels_and_time_and_averages_over_clips() -> None:
    logits = torch.tensor([[0.5, -1.0, 2.0], [0.0, 3.0, -2.0]], dtype=torch.float64).view(2, 3, 1, 1, 1)
    target = torch.tensor([[1.0, 0.25, 0.0], [0.5, 1.0, 1.0]], dtype=torch.float64).view(2, 3, 1, 1, 1)
    expected = 0.0
    for logit, wanted in zip(logits.flatten().tolist(), target.flatten().tolist(), strict=True):
        p = 1 / (1 + math.exp(-logit))
        expected -= wanted * math.log(p) + (1 - wanted) * math.log(1 - p)
    assert sum_cross_entropy(logits, target).item() == pytest.approx(expected / 2, rel=1e-12)


def test_errors_of_frames_add_up_to_the_loss() -> None:
    generator = torch.Generator().manual_seed(2)
    logits, target = torch.randn(2, 3, 1, 4, 5, generator=generator), torch.rand(2, 3, 1, 4, 5, generator=generator)
    errors = frame_errors(logits, target)
    assert errors.cross_entropy_BT.shape == errors.squared_BT.shape == (2, 3)
    assert float(errors.cross_entropy_BT.sum(1).mean()) == pytest.approx(float(sum_cross_entropy(logits, target)))
    pairs = zip(logits[1, 2].flatten().tolist(), target[1, 2].flatten().tolist(), strict=True)
    by_hand = sum((1 / (1 + math.exp(-x)) - y) ** 2 for x, y in pairs)
    assert float(errors.squared_BT[1, 2]) == pytest.approx(float(by_hand), rel=1e-5)
    with pytest.raises(ModelError, match="for frames of"):
        frame_errors(logits, target[:, :2])


def test_frames_of_another_shape_are_refused() -> None:
    with pytest.raises(ModelError, match=r"logits of shape \(2, 4, 1, 6, 8\) for frames of \(2, 4, 1, 6, 1\)"):
        sum_cross_entropy(torch.zeros(2, 4, 1, 6, 8), torch.zeros(2, 4, 1, 6, 1))
    network = small()
    for shape in ((2, 3, 2, 6, 8), (2, 3, 6, 8)):
        with pytest.raises(ModelError, match=r"wanted \(B, T, 1, H, W\)"):
            network(torch.zeros(shape))
    with pytest.raises(ModelError, match=r"frames of \(6, 7\), .* whole patches of 2x2 pixels\n  hint: use another"):
        network(torch.zeros(2, 3, 1, 6, 7))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_frames_out": 1}, "num_frames_out is 1, wanted two frames or more"),
        ({"encoder": ConvLSTMConfig(in_channels=3)}, "encoder.in_channels is 3, but 4 channels come in\n  hint: leave"),
        ({"decoder": ConvLSTMConfig(in_channels=3)}, "decoder.in_channels is 3, but 1 channels come in"),
        ({"decoder": ConvLSTMConfig(hidden_channels=5)}, "decoder has 5 hidden channels, and its encoder 6\n  hint"),
        ({"flow_channels": 2, "stem_channels": (4,)}, "flow comes as patches, beside which no stem can stand"),
        ({"flow_channels": 2}, "8 channels of flow come to encoder, but the cell 'peephole_conv_lstm' makes no masks"),
        (
            {"flow_channels": 2, "encoder": MultiKernelConvLSTMConfig(flow_channels=2)},
            "encoder.flow_channels is 2, but 8 channels of flow come in",
        ),
        (
            {"decoder": MultiKernelConvLSTMConfig(hidden_channels=6, flow_channels=2)},
            "decoder.flow_channels is 2, but 0 channels of flow come in",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        small(**values)


def test_steps_with_batch_normalisation_are_not_recomputed() -> None:
    normalised = MultiKernelConvLSTMConfig(hidden_channels=6, normalisation="batch")
    small(encoder=normalised, decoder=SMALL)
    for parts, name in ({"encoder": normalised, "decoder": SMALL}, "encoder"), ({"decoder": normalised}, "decoder"):
        with pytest.raises(ConfigError, match=rf"recompute_steps .* {name} has batch normalisation"):
            small(**parts, recompute_steps=True)
