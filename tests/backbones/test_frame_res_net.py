"""Frame ResNet: streams equal whole clips, no frame is seen before it comes, and it is small."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mudra.backbones import FrameResNet
from mudra.backbones.frame_res_net import FactorisedUnit
from mudra.errors import ModelError


def build(num_units: int = 1) -> FrameResNet:
    """A narrow network in evaluation mode whose normalisation does something."""
    torch.manual_seed(3)
    network = FrameResNet(in_channels=2, channels=(8, 16), num_units=num_units).double()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
            nn.init.normal_(module.running_mean)  # type: ignore[arg-type]
    return network.eval()


def random_clip(num_frames: int = 6) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, num_frames, 2, 12, 15, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("cuts", [[6], [1, 5], [2, 3, 1], [1] * 6])
def test_pieces_give_the_maps_of_the_whole_clip(cuts: list[int]) -> None:
    network, clip_BTCHW = build(num_units=2), random_clip()
    pieces, state = [], None
    for piece in torch.split(clip_BTCHW, cuts, dim=1):
        maps, state = network.forward_stream(piece, state)
        pieces.append(maps)
    whole = network(clip_BTCHW)
    assert whole.shape == (2, 6, 16, 3, 4)
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole, rtol=0, atol=1e-12)


def test_no_frame_is_seen_before_it_comes_and_earlier_ones_matter() -> None:
    network, clip_BTCHW = build(), random_clip()
    changed = clip_BTCHW.clone()
    changed[:, 2] += 1.0
    before, after = network(clip_BTCHW), network(changed)
    torch.testing.assert_close(before[:, :2], after[:, :2])
    assert all(not torch.allclose(before[:, t], after[:, t]) for t in (2, 3, 4))
    assert network.is_causal


def test_a_unit_is_its_shortcut_plus_space_and_then_time() -> None:
    unit = FactorisedUnit(3, 4, stride=2, norm_momentum=0.1).double().eval()
    nn.init.uniform_(unit.norm.weight, 0.5, 1.5)
    x_BTCHW = torch.randn(1, 3, 3, 6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    spatial_TCHW = unit.spatial(x_BTCHW[0])
    padded = torch.cat([torch.zeros_like(spatial_TCHW[:2]), spatial_TCHW])
    weight_DCK = unit.temporal.conv.weight.squeeze(-1)
    mixed = [sum(torch.einsum("dc,chw->dhw", weight_DCK[..., k], padded[t + k]) for k in range(3)) for t in range(3)]
    expected = (unit.norm(torch.stack(mixed)) + unit.shortcut(x_BTCHW[0])).relu()  # type: ignore[arg-type]
    torch.testing.assert_close(unit(x_BTCHW)[0], expected)


def test_a_unit_starts_as_its_shortcut() -> None:
    unit = FactorisedUnit(4, 4, stride=1, norm_momentum=0.1)
    x_BTCHW = torch.rand(1, 2, 4, 5, 5)
    assert torch.equal(unit(x_BTCHW), x_BTCHW)


def test_it_is_small() -> None:
    with torch.device("meta"):
        network = FrameResNet(in_channels=3)
    assert sum(parameter.numel() for parameter in network.parameters()) == 537_376


def test_the_state_of_another_network_is_refused() -> None:
    network = build()
    _, state = network.forward_stream(random_clip())
    with pytest.raises(ModelError, match="the state of a backbone has 1 parts, wanted 2"):
        network.forward_stream(random_clip(), state[:1])
    with pytest.raises(ModelError, match="the state of a temporal convolution has shape"):
        network.forward_stream(random_clip()[:1], state)
