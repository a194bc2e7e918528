"""Sliding windows: equal to the network on every window by itself, however the stream is cut, and at a fraction."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mudra.backbones import FrameResNetConfig, FrameTrunkConfig, ResNetConfig
from mudra.errors import ModelError
from mudra.heads import FrameClassifierConfig
from mudra.models import FrameWiseNet, FrameWiseNetConfig, WindowConfig, judge_frames, judge_windows
from mudra.models.sliding_window import Track

NUM_FRAMES = 41


def build(backbone: Any, num_frames: int, pooling: str, **changes: Any) -> FrameWiseNet:
    torch.manual_seed(0)
    config = FrameWiseNetConfig(
        num_classes=5,
        in_channels=2,
        backbone=backbone,
        grid=(1, 1),
        window=WindowConfig.from_mapping({"num_frames": num_frames, "pooling": pooling}),
        cells=(),
        head=FrameClassifierConfig(hidden_features=(9,)),
    )
    network = config.model_copy(update=changes).build().double()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return network.eval()


def random_stream(num_frames: int = NUM_FRAMES, num_streams: int = 2, side: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(num_streams, num_frames, 2, side, side, generator=generator, dtype=torch.float64)


def judge_one_by_one(network: FrameWiseNet, stream_BTCHW: Tensor) -> Tensor:
    assert network.window is not None
    length = network.window.num_frames
    starts = range(stream_BTCHW.shape[1] - length + 1)
    return torch.cat([network(stream_BTCHW[:, start : start + length]) for start in starts], dim=1)


def conv_trunk(stages: int, *, pool_time: bool = True, kernel: int = 3, num_convs: int = 1) -> FrameTrunkConfig:
    return FrameTrunkConfig(
        channels=(8,) * stages,
        num_convs=num_convs,
        temporal_conv="centred",
        temporal_kernel_size=kernel,
        pool_time=pool_time,
        initialisation="he_normal",
    )


NETWORKS = {
    "frames alone, mean": (FrameTrunkConfig(channels=(8,)), 16, "mean"),
    "frames alone, max": (FrameTrunkConfig(channels=(8,)), 8, "max"),
    "frames alone, one frame": (FrameTrunkConfig(channels=(8,)), 1, "flatten"),
    "2-D network": (ResNetConfig(depth=18, width=0.1), 4, "mean"),
    "the paper's form, 32 frames": (conv_trunk(3, num_convs=2), 32, "flatten"),
    "ends never meet": (conv_trunk(2), 32, "flatten"),
    "ends meet in a pooling": (conv_trunk(3), 6, "mean"),
    "ends meet at once": (conv_trunk(2), 2, "flatten"),
    "a window of one frame": (conv_trunk(1), 1, "flatten"),
    "an odd window": (conv_trunk(2), 13, "flatten"),
    "a longer reach": (conv_trunk(2, kernel=5), 24, "max"),
    "kernels of one frame": (conv_trunk(2, kernel=1), 8, "flatten"),
    "frames alone but for poolings": (FrameTrunkConfig(channels=(8, 8), pool_time=True), 8, "flatten"),
    "time is not pooled": (conv_trunk(2, pool_time=False), 12, "mean"),
    "causal convolutions": (FrameResNetConfig(channels=(8,)), 5, "mean"),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("cuts", [[41], [1, 2, 7, 3, 20, 8], [30, 11], [1] * 41], ids=["whole", "cut", "half", "ones"])
def test_windows_are_judged_as_each_by_itself(name: str, cuts: list[int]) -> None:
    network, stream_BTCHW = build(*NETWORKS[name]), random_stream()
    with torch.no_grad():
        expected = judge_one_by_one(network, stream_BTCHW)
        rows, state = [], None
        for piece in torch.split(stream_BTCHW, cuts, dim=1):
            logits_BTK, state = judge_windows(network, piece, state)
            rows.append(logits_BTK)
    torch.testing.assert_close(torch.cat(rows, dim=1), expected, rtol=1e-10, atol=1e-10)
    assert expected.std(dim=1).min() > 1e-4, "windows that are all alike would show nothing"


def test_every_frame_has_its_row_however_short_the_recording() -> None:
    network = build(*NETWORKS["frames alone, max"])
    with torch.no_grad():
        for num_frames in (1, 3, 20):
            stream_BTCHW = random_stream(num_frames)
            padded = torch.cat([torch.zeros(2, 3, 2, 8, 8), stream_BTCHW, torch.zeros(2, 4, 2, 8, 8)], dim=1).double()
            for piece_frames in (5, 64):
                found = judge_frames(network, stream_BTCHW, piece_frames=piece_frames)
                assert found.shape == (2, num_frames, 5)
                torch.testing.assert_close(found, judge_one_by_one(network, padded))


def count_operations(run: Any) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        run()
    return int(counter.get_total_flops())


@pytest.mark.parametrize(("pooling", "num_frames", "least"), [("mean", 32, 25.0), ("max", 16, 12.0)])
def test_a_poolings_frames_are_convolved_once(pooling: str, num_frames: int, least: float) -> None:
    network = build(FrameTrunkConfig(width=0.5), num_frames, pooling, grid=(4, 4))
    stream_BTCHW = random_stream(96, 1, side=64).float()
    network.float()
    seen: list[int] = []
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    first.register_forward_hook(lambda _, inputs, output: seen.append(len(output)))
    shared = count_operations(lambda: judge_windows(network, stream_BTCHW))
    assert sum(seen) == 96
    alone = count_operations(lambda: network(stream_BTCHW[:, :num_frames])) * (96 - num_frames + 1)
    # The first window costs as much as ever.
    beginning = count_operations(lambda: network.backbone(stream_BTCHW[:, : num_frames - 1]))
    assert alone > least * (shared - beginning)


def test_temporal_convolutions_are_computed_at_the_windows_ends_alone() -> None:
    network = build(
        FrameTrunkConfig(width=0.5, temporal_conv="centred", pool_time=True), 32, "flatten", grid=(4, 4)
    ).float()
    stream_BTCHW = random_stream(48, 1, side=64).float()
    _, state = judge_windows(network, stream_BTCHW[:, :40])
    shared = count_operations(lambda: judge_windows(network, stream_BTCHW[:, 40:], state))
    alone = 8 * count_operations(lambda: network(stream_BTCHW[:, :32]))
    assert alone > 3.0 * shared


def test_memory_does_not_grow_with_the_stream() -> None:
    for name in ("frames alone, mean", "the paper's form, 32 frames", "causal convolutions"):
        network, state, sizes = build(*NETWORKS[name]), None, []
        with torch.no_grad():
            for _ in range(5):
                state = judge_windows(network, random_stream(20), state).state
                stores = [track.values.untyped_storage() for track in state.tracks if track.values is not None]
                sizes.append(sum(store.nbytes() for store in stores))
        assert sizes[2] == sizes[3] == sizes[4] > 0
        assert state is not None
        assert state.num_frames == 100


def test_networks_without_a_window_and_training_ones_are_refused() -> None:
    network = build(*NETWORKS["frames alone, mean"])
    with pytest.raises(ModelError, match="windows cannot be judged: the network is in training mode"):
        judge_windows(network.train(), random_stream())
    without = build(FrameTrunkConfig(channels=(8,)), 1, "mean", window=None)
    for judge in (judge_windows, judge_frames):
        with pytest.raises(ModelError, match="windows cannot be judged: the network has no window"):
            judge(without, random_stream(3))


def test_a_track_forgets_and_gathers_by_frame() -> None:
    track = Track(first=3).append(torch.arange(3.0, 8.0)[None, :, None]).append(torch.tensor([[[8.0], [9.0]]]))
    assert (track.first, track.end) == (3, 10)
    taken = track.gather(range(3, 5), range(1, 3), dilation=2)
    assert taken.flatten(1).tolist() == [[5, 7], [6, 8]]
    kept = track.drop_before(6)
    assert (kept.first, kept.end) == (6, 10)
    assert kept.since(8).flatten().tolist() == [8, 9]
    assert track.drop_before(1) is track
    assert track.drop_before(99).end == 10
