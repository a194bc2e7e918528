"""Res2Net and TEA: the block against its equations, counts to the digit, released names, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mudra.backbones import Res2Net
from mudra.backbones.res2net import Res2NetBlock
from mudra.errors import ConfigError, ModelError
from tests.backbones.by_hand import randomise


def block_by_hand(block: Res2NetBlock, x_BCHW: Tensor, num_frames: int) -> Tensor:
    middle = block.bn1(block.conv1(x_BCHW)).relu()
    if block.me is not None:
        middle = block.me(middle, num_frames)
    splits, out = middle.chunk(4, dim=1), []
    shifts = block.shifts or [lambda maps, num_frames: maps] * 4
    for i in range(3):
        part = splits[i] if i == 0 or block.is_first else splits[i] + out[i - 1]
        out.append(block.bns[i](block.convs[i](shifts[i](part, num_frames))).relu())
    last = shifts[3](splits[3], num_frames)
    if block.is_first:
        stride = block.convs[0].stride[0]
        last = nn.functional.avg_pool2d(last, 3, stride=stride, padding=1)
    maps: Tensor = block.bn3(block.conv3(torch.cat([*out, last], dim=1)))
    return (maps + block.downsample(x_BCHW)).relu()


@pytest.mark.parametrize("temporal", ["none", "tea"])
@pytest.mark.parametrize(("stride", "is_first"), [(1, False), (1, True), (2, True)])
def test_the_block_is_the_equations(temporal: str, stride: int, is_first: bool) -> None:
    in_channels = 20 if is_first else 64
    block = Res2NetBlock(in_channels, 16, stride=stride, is_first=is_first, temporal=temporal)  # type: ignore[arg-type]
    randomise(block).eval()
    x_BCHW = torch.randn(6, in_channels, 5, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    torch.testing.assert_close(block(x_BCHW.clone(), 3), block_by_hand(block, x_BCHW, 3))


@pytest.mark.parametrize(("temporal", "count"), [("none", 23_650_120), ("tea", 24_099_754)])
def test_parameters_to_the_digit(temporal: str, count: int) -> None:
    # With 1,000 classes the first has the 25.70 M of Gao et al. 2019; with 83 the second has 24,269,821.
    with torch.device("meta"):
        network = Res2Net(temporal=temporal)  # type: ignore[arg-type]
    assert sum(parameter.numel() for parameter in network.parameters()) == count


def test_frames_see_one_another_with_tea_alone() -> None:
    clip_BTCHW = torch.randn(1, 3, 3, 32, 32, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    for temporal in ("none", "tea"):
        torch.manual_seed(1)
        network = Res2Net(width=0.125, temporal=temporal).double().eval()  # type: ignore[arg-type]
        alone = torch.cat([network(clip_BTCHW[:, t : t + 1]) for t in range(3)], dim=1)
        assert torch.allclose(network(clip_BTCHW), alone) == network.is_causal == (temporal == "none")


def test_released_weights_are_loaded(tmp_path: Path) -> None:
    plain, tea = Res2Net(width=0.125), Res2Net(width=0.125, temporal="tea")
    torch.save(plain.state_dict() | {"fc.weight": torch.zeros(4, 256)}, tmp_path / "res2net.pth")
    network = Res2Net(width=0.125, temporal="tea", pretrained=str(tmp_path / "res2net.pth"))
    first = network.get_parameter("layer1.0.me.conv1.weight").clone()
    network.load_pretrained()
    assert torch.equal(network.get_parameter("layer3.1.convs.2.weight"), plain.get_parameter("layer3.1.convs.2.weight"))
    assert torch.equal(network.get_parameter("layer1.0.me.conv1.weight"), first)
    # As the released program writes them: wrapped, and with the shifts' convolutions.
    official = {
        f"module.base_model.{name.replace('.weight', '.conv.weight') if '.shifts.' in name else name}": value
        for name, value in tea.state_dict().items()
    }
    torch.save({"state_dict": official, "epoch": 3}, tmp_path / "tea.pth")
    network = Res2Net(width=0.125, temporal="tea", pretrained=str(tmp_path / "tea.pth"))
    network.load_pretrained()
    assert all(torch.equal(value, tea.state_dict()[name]) for name, value in network.state_dict().items())


def test_what_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"temporal is 'te'\n  hint: did you mean 'tea'\?"):
        Res2Net(temporal="te")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"torchvision has no weights of this network\n  hint: give a file"):
        Res2Net(width=0.125, pretrained="imagenet").load_pretrained()
    with pytest.raises(ModelError, match=r"pretrained='imagenet', which was not loaded"):
        Res2Net(width=0.125, pretrained="imagenet").train()(torch.zeros(1, 1, 3, 32, 32))
