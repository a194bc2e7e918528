"""Whole streams: a row for every frame, equal to the paper's evaluation of the whole recording, however it is cut."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from mudra.backbones import FrameResNetConfig, FrameTrunkConfig
from mudra.cells import BidirectionalVectorConfig, PeepholeLSTMConfig
from mudra.errors import ModelError
from mudra.heads import FrameClassifierConfig
from mudra.models import FrameWiseNet, FrameWiseNetConfig, WindowConfig, judge_frames, judge_stream

WINDOW, STRIDE = 8, 4
LSTM = PeepholeLSTMConfig(initialisation="pytorch")
BOTH_WAYS = (BidirectionalVectorConfig(hidden_features=6, cell=LSTM),)
FORWARDS = (LSTM.model_copy(update={"hidden_features": 6}),)


def trunk(temporal: str, **changes: Any) -> FrameTrunkConfig:
    return FrameTrunkConfig.from_mapping(
        {"channels": [8, 8], "num_convs": 1, "temporal_conv": temporal, "initialisation": "he_normal", **changes}
    )


NETWORKS: dict[str, dict[str, Any]] = {
    "both ways on single frames": {"backbone": trunk("none"), "cells": BOTH_WAYS},
    "both ways on temporal convolutions": {"backbone": trunk("centred"), "cells": BOTH_WAYS},
    "both ways on a causal backbone": {"backbone": FrameResNetConfig(channels=(8,)), "cells": BOTH_WAYS},
    "forwards on centred convolutions": {"backbone": trunk("centred"), "cells": FORWARDS},
    "forwards": {"backbone": trunk("causal"), "cells": FORWARDS},
    "forwards, later": {"backbone": trunk("causal"), "cells": FORWARDS, "delay_frames": 5},
    "single frames": {"backbone": trunk("none"), "cells": ()},
    "mean of a window": {"backbone": trunk("none"), "cells": (), "window": WindowConfig(num_frames=6, pooling="mean")},
    "odd window": {"backbone": trunk("none"), "cells": (), "window": WindowConfig(num_frames=5, pooling="max")},
    "window of one frame": {"backbone": trunk("none"), "cells": (), "window": WindowConfig(num_frames=1)},
    "pooled convolutions": {
        "backbone": trunk("centred", pool_time=True),
        "cells": (),
        "window": WindowConfig(num_frames=8, pooling="flatten"),
    },
}
LOOKING_BOTH_WAYS = [name for name in NETWORKS if "both" in name or "centred" in name]


def build(name: str) -> FrameWiseNet:
    torch.manual_seed(0)
    head = FrameClassifierConfig(hidden_features=(7,))
    config = FrameWiseNetConfig(num_classes=3, in_channels=2, grid=(1, 1), head=head, **NETWORKS[name])
    network = config.build().double()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return network.eval()


def random_stream(num_frames: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(num_frames, 2, 8, 8, generator=generator, dtype=torch.float64)


def judge(network: FrameWiseNet, pieces: list[Tensor], *, window: int = WINDOW, stride: int = STRIDE) -> Tensor:
    rows = list(judge_stream(network, pieces, window=window, stride=stride))
    assert all(len(row) for row in rows)
    return torch.cat(rows) if rows else torch.zeros(0, network.num_classes)


@torch.no_grad()
def judge_as_the_paper(network: FrameWiseNet, stream_TCHW: Tensor, window: int, stride: int) -> Tensor:
    """Windows of the whole recording at once: zeros behind it, the middle of each, 48 at both ends of 64."""
    length = len(stream_TCHW)
    count = 1 + max(math.ceil((length - window) / stride), 0)
    padded = torch.zeros(window + stride * (count - 1), *stream_TCHW.shape[1:], dtype=torch.float64)
    padded[:length] = stream_TCHW
    rows = torch.full((len(padded), network.num_classes), math.nan, dtype=torch.float64)
    margin = (window - stride) // 2
    for k in range(count):
        first = k * stride
        mask_1T = torch.arange(first, first + window)[None] < length
        logits = network(padded[None, first : first + window], mask_BT=mask_1T)[0]
        kept = range(0 if k == 0 else margin, window if k == count - 1 else margin + stride)
        rows[first + kept.start : first + kept.stop] = logits[kept.start : kept.stop]
    return rows[:length]


@pytest.mark.parametrize("name", LOOKING_BOTH_WAYS)
@pytest.mark.parametrize(("window", "stride"), [(8, 4), (7, 4), (5, 5), (6, 1)])
def test_networks_that_look_both_ways_are_judged_as_in_the_paper(name: str, window: int, stride: int) -> None:
    network = build(name)
    for length in (1, 5, 8, 9, 12, 13, 30):
        stream_TCHW = random_stream(length)
        expected = judge_as_the_paper(network, stream_TCHW, window, stride)
        found = judge(network, [stream_TCHW], window=window, stride=stride)
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    assert expected.std(dim=0).min() > 1e-4


def test_the_papers_windows_keep_48_then_32_and_48_at_the_end() -> None:
    network = build("both ways on single frames")
    rows = judge_stream(network, [random_stream(150)])
    assert [len(row) for row in rows] == [48, 32, 32, 38]
    assert [len(row) for row in judge_stream(network, [random_stream(64)])] == [64]
    assert [len(row) for row in judge_stream(network, [random_stream(128)])] == [48, 32, 48]


@pytest.mark.parametrize("name", ["mean of a window", "odd window", "window of one frame", "pooled convolutions"])
def test_networks_with_a_window_slide_by_single_frames(name: str) -> None:
    network = build(name)
    for length in (1, 2, 20, 150):
        stream_TCHW = random_stream(length)
        with torch.no_grad():
            expected = judge_frames(network, stream_TCHW[None])[0]
        torch.testing.assert_close(judge(network, [stream_TCHW]), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["forwards", "single frames"])
def test_networks_that_run_forwards_give_what_they_give_for_the_whole(name: str) -> None:
    network, stream_TCHW = build(name), random_stream(150)
    with torch.no_grad():
        expected = network(stream_TCHW[None])[0]
    torch.testing.assert_close(judge(network, [stream_TCHW]), expected, rtol=1e-10, atol=1e-10)


def test_a_network_that_answers_later_sees_zeros_behind_the_end() -> None:
    network, stream_TCHW = build("forwards, later"), random_stream(11)
    with torch.no_grad():
        expected = network(torch.cat([stream_TCHW, torch.zeros(5, 2, 8, 8, dtype=torch.float64)])[None])[0]
    torch.testing.assert_close(judge(network, [stream_TCHW]), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", NETWORKS)
def test_how_a_stream_is_cut_changes_nothing(name: str) -> None:
    network = build(name)

    @settings(max_examples=15, deadline=None)
    @given(cuts=st.lists(st.integers(0, 9), min_size=1, max_size=8))
    def check(cuts: list[int]) -> None:
        stream_TCHW = random_stream(sum(cuts))
        found = judge(network, list(stream_TCHW.split(cuts)))
        assert found.shape == (sum(cuts), 3)
        if sum(cuts):
            torch.testing.assert_close(found, judge(network, [stream_TCHW]), rtol=1e-10, atol=1e-10)

    check()


def test_rows_come_as_soon_as_they_are_known_and_memory_stays() -> None:
    network, asked = build("both ways on temporal convolutions"), [0]

    def endless() -> Any:
        while True:
            asked[0] += 1
            yield random_stream(3)

    rows = judge_stream(network, endless(), window=WINDOW, stride=STRIDE)
    for _ in range(20):
        next(rows)
    # Rows up to frame 6 + 19 * 4 need frames up to 8 + 19 * 4, and one behind them.
    assert asked[0] == math.ceil((8 + 19 * 4 + 1) / 3)


def test_no_frame_is_convolved_twice_where_frames_are_seen_alone() -> None:
    network = build("both ways on single frames")
    seen: list[int] = []
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    first.register_forward_hook(lambda _, inputs, output: seen.append(len(output)))
    judge(network, list(random_stream(50).split(7)))
    assert sum(seen) == 50


def test_no_gradient_is_kept() -> None:
    for name in ("forwards", "mean of a window", "both ways on single frames"):
        assert not any(row.requires_grad for row in judge_stream(build(name), [random_stream(20)]))


def test_what_cannot_be_judged_is_refused() -> None:
    network = build("both ways on single frames")
    with pytest.raises(ModelError, match=r"training mode.*\n  hint: call network.eval"):
        judge_stream(network.train(), [random_stream(3)])
    network.eval()
    for window, stride in ((8, 9), (8, 0)):
        with pytest.raises(ModelError, match=f"windows of 8 frames every {stride} frames"):
            judge_stream(network, [random_stream(3)], window=window, stride=stride)
    for name in ("forwards", "mean of a window", "both ways on temporal convolutions"):
        with pytest.raises(ModelError, match=r"wanted \(B, T, 2, H, W\)"):
            list(judge_stream(build(name), [random_stream(3).transpose(0, 1)]))
