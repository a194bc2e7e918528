"""The trunk: equations 5 and 6 rewritten by hand, the paper's counts, poolings, streams, and how weights start."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from mudra.backbones import FrameTrunk
from mudra.backbones.frame_trunk import FrameLayer, TemporalKind, pool_pairs, pool_space
from mudra.errors import ConfigError, ModelError

Array = npt.NDArray[np.float64]


def random_clip(num_frames: int = 5, size: tuple[int, int] = (16, 24)) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, num_frames, 4, *size, generator=generator, dtype=torch.float64)


def small(**arguments: Any) -> FrameTrunk:
    torch.manual_seed(3)
    return FrameTrunk(in_channels=4, channels=(8, 8), **arguments).double()


def layer_by_hand(x_TCHW: Array, spatial_MCKK: Array, temporal_MMK: Array, bias_M: Array, first: int) -> Array:
    """Equations 5 and 6, sum by sum; `first` is the earliest frame seen, relative to the output's own."""
    frames, channels, height, width = x_TCHW.shape
    count = len(bias_M)
    s = np.zeros((frames, count, height, width))
    for t, k, y, x in np.ndindex(s.shape):
        for n, i, j in np.ndindex(channels, 3, 3):
            if 0 <= y + i - 1 < height and 0 <= x + j - 1 < width:
                s[t, k, y, x] += spatial_MCKK[k, n, i, j] * x_TCHW[t, n, y + i - 1, x + j - 1]
    v = np.zeros_like(s)
    for t, k, y, x in np.ndindex(v.shape):
        total = bias_M[k]
        for m, i in np.ndindex(count, temporal_MMK.shape[2]):
            if 0 <= t + first + i < frames:
                total += temporal_MMK[k, m, i] * s[t + first + i, m, y, x]
        v[t, k, y, x] = max(0.3 * total, total)
    return v


@pytest.mark.parametrize(("temporal_conv", "first"), [("centred", -1), ("causal", -2)])
def test_a_factorised_layer_is_equations_5_and_6(temporal_conv: TemporalKind, first: int) -> None:
    layer = FrameLayer(2, 3, temporal_conv=temporal_conv, kernel_size=3, negative_slope=0.3).double()
    generator = torch.Generator().manual_seed(7)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, generator=generator)
    x_BTCHW = torch.randn(2, 4, 2, 4, 5, generator=generator, dtype=torch.float64)
    assert layer.spatial.bias is None
    assert layer.temporal is not None
    assert layer.temporal.conv.bias is not None
    maps_BTDHW = layer(x_BTCHW).detach()
    for clip in range(2):
        expected = layer_by_hand(
            x_BTCHW[clip].numpy(),
            layer.spatial.weight.detach().numpy(),
            layer.temporal.conv.weight.detach().squeeze(-1).numpy(),
            layer.temporal.conv.bias.detach().numpy(),
            first,
        )
        torch.testing.assert_close(maps_BTDHW[clip], torch.from_numpy(expected), rtol=1e-12, atol=1e-12)


def test_without_temporal_convolutions_it_is_the_papers_plain_network() -> None:
    trunk, x_BTCHW = FrameTrunk(in_channels=4).double(), random_clip(2, (32, 32))
    x_BCHW = x_BTCHW[1]
    convs = [module for module in trunk.modules() if isinstance(module, nn.Conv2d)]
    assert [conv.out_channels for conv in convs] == [16, 16, 32, 32, 64, 64, 128, 128]
    for index, conv in enumerate(convs):
        x_BCHW = nn.functional.conv2d(x_BCHW, conv.weight, conv.bias, padding=1)
        x_BCHW = torch.where(x_BCHW > 0, x_BCHW, 0.3 * x_BCHW)
        if index % 2 == 1:
            x_BCHW = x_BCHW.unflatten(2, (-1, 2)).unflatten(4, (-1, 2)).amax(dim=(3, 5))
    torch.testing.assert_close(trunk(x_BTCHW)[1], x_BCHW)


@pytest.mark.parametrize(
    ("temporal_conv", "pool_time", "count"),
    [("none", False, 293_664), ("centred", True, 424_224), ("causal", False, 424_224)],
)
def test_it_has_the_papers_numbers_of_weights(temporal_conv: TemporalKind, pool_time: bool, count: int) -> None:
    with torch.device("meta"):
        trunk = FrameTrunk(in_channels=4, temporal_conv=temporal_conv, pool_time=pool_time)
    assert sum(parameter.numel() for parameter in trunk.parameters()) == count


def test_pooling_over_space_and_time_is_that_in_three_dimensions() -> None:
    x_BTCHW = random_clip(5, (7, 8))
    pooled = pool_pairs(pool_space(x_BTCHW))
    expected = nn.functional.max_pool3d(x_BTCHW.transpose(1, 2), 2, ceil_mode=True).transpose(1, 2)
    assert torch.equal(pooled, expected)
    assert small(pool_time=True)(random_clip(8)).shape == (2, 2, 8, 4, 6)
    assert small(pool_time=True).time_stride == 4


@pytest.mark.parametrize("cuts", [[5], [1, 4], [2, 2, 1], [1] * 5])
@pytest.mark.parametrize("temporal_conv", ["none", "causal"])
def test_a_causal_trunk_sees_pieces_as_it_sees_the_whole(temporal_conv: TemporalKind, cuts: list[int]) -> None:
    trunk, clip_BTCHW = small(temporal_conv=temporal_conv, temporal_kernel_size=5), random_clip()
    assert trunk.is_causal
    pieces, state = [], None
    for piece in torch.split(clip_BTCHW, cuts, dim=1):
        maps, state = trunk.forward_stream(piece, state)
        pieces.append(maps)
    torch.testing.assert_close(torch.cat(pieces, dim=1), trunk(clip_BTCHW), rtol=0, atol=1e-12)


def test_only_a_causal_trunk_looks_at_no_later_frame() -> None:
    clip_BTCHW = random_clip()
    changed = clip_BTCHW.clone()
    changed[:, 3:] += 1.0
    for temporal_conv, pool_time in itertools.product(("none", "centred", "causal"), (False, True)):
        trunk = small(temporal_conv=temporal_conv, pool_time=pool_time)
        assert trunk.is_causal == (temporal_conv != "centred" and not pool_time)
        if not pool_time:
            before, after = trunk(clip_BTCHW)[:, :3], trunk(changed)[:, :3]
            assert torch.allclose(before, after) == trunk.is_causal


def test_a_trunk_that_looks_ahead_sees_every_piece_by_itself() -> None:
    trunk, clip_BTCHW = small(temporal_conv="centred"), random_clip()
    maps, state = trunk.forward_stream(clip_BTCHW)
    assert torch.equal(maps, trunk(clip_BTCHW))
    assert state == ()


def test_the_state_of_another_trunk_is_refused() -> None:
    trunk = small(temporal_conv="causal")
    _, state = trunk.forward_stream(random_clip())
    assert len(state) == 4
    with pytest.raises(ModelError, match="the state of a backbone has 3 parts, wanted 4"):
        trunk.forward_stream(random_clip(), state[:3])


def test_weights_start_orthogonal_as_the_papers() -> None:
    trunk = FrameTrunk(in_channels=4, temporal_conv="centred")
    for conv in (module for module in trunk.modules() if isinstance(module, nn.Conv2d)):
        rows = conv.weight.detach().flatten(1)
        torch.testing.assert_close(rows @ rows.T, 2.0 * torch.eye(len(rows)), rtol=0, atol=1e-4)
        assert conv.bias is None or torch.equal(conv.bias.detach(), torch.full_like(conv.bias, 0.1))


def test_weights_start_he_normal_on_request() -> None:
    torch.manual_seed(0)
    trunk = FrameTrunk(in_channels=4, temporal_conv="centred", initialisation="he_normal")
    last = trunk.stage_layers()[-1][-1]
    assert last.temporal is not None
    assert last.temporal.conv.bias is not None
    assert last.spatial.weight.std().item() == pytest.approx(math.sqrt(1 / (9 * 128)), rel=0.02)
    gain = 2 / (1 + 0.3**2)
    assert last.temporal.conv.weight.std().item() == pytest.approx(math.sqrt(gain / (3 * 128)), rel=0.02)
    assert last.temporal.conv.bias.count_nonzero() == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"temporal_conv": "casual"}, r"temporal_conv is 'casual'\n  hint: did you mean 'causal'\?"),
        ({"initialisation": "he"}, "initialisation is 'he'"),
        ({"temporal_kernel_size": 4}, "temporal_kernel_size is 4, wanted an odd number"),
    ],
)
def test_unknown_choices_are_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        small(**arguments)
