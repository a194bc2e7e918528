"""Motion features: the most active channel of each half of each layer, over the frames that it comes from."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from mudra.backbones import FrameTrunkConfig
from mudra.clips import ArraySource
from mudra.errors import ModelError, VideoError
from mudra.models import FrameWiseNet, WindowConfig
from mudra.serving import Segmenter, load_segmenter
from mudra.serving.motion_features import MOST_FRAMES, NUM_LAYERS, examine_motion, trace_features, write_motion
from mudra.types import Frames, Stream
from mudra.video import open_video
from tests.fixtures.stream_run import draw_stream, write_frame_run


def network(**trunk: object) -> FrameWiseNet:
    torch.manual_seed(3)
    config = FrameTrunkConfig(**{"channels": (8, 8), "temporal_conv": "centred", **trunk})
    return FrameWiseNet(num_classes=3, in_channels=3, width=1.0, backbone=config, grid=(2, 2), cells=()).eval()


def test_halves_come_in_the_order_of_the_layers() -> None:
    net, clip_TCHW = network(), torch.rand(5, 3, 16, 16)
    layers = trace_features(net, clip_TCHW)
    assert [(one.half, one.depth) for one in layers[:4]] == [
        ("spatial", 1),
        ("temporal", 1),
        ("spatial", 2),
        ("temporal", 2),
    ]
    assert max(one.depth for one in layers) == NUM_LAYERS
    with torch.no_grad():
        maps_TDHW = nn.functional.conv2d(clip_TCHW, net.get_parameter("backbone.stages.0.0.spatial.weight"), padding=1)
    positive_TDHW = maps_TDHW.clamp_min(0)
    channel = int(positive_TDHW.sum(dim=(0, 2, 3)).argmax())
    assert layers[0].channel == channel
    np.testing.assert_allclose(layers[0].active_THW, positive_TDHW[:, channel].numpy(), atol=1e-5)
    assert layers[0].name == "stages.0.0.spatial"
    assert [one.active_THW.shape for one in layers[::4]] == [(5, 16, 16), (5, 8, 8)]


def test_networks_of_other_kinds() -> None:
    halves = {one.half for one in trace_features(network(temporal_conv="none"), torch.rand(3, 3, 16, 16))}
    assert halves == {"spatial"}
    torch.manual_seed(0)
    pooled = FrameWiseNet(
        num_classes=3, in_channels=3, cells=(), window=WindowConfig(num_frames=8),
        backbone=FrameTrunkConfig(channels=(8, 8), temporal_conv="centred", pool_time=True),
    ).eval()  # fmt: skip
    # Behind the first pooling a map is of two frames.
    assert max(one.depth for one in trace_features(pooled, torch.rand(8, 3, 16, 16))) == 2
    with pytest.raises(ModelError, match="Linear has no layers whose motion features are drawn"):
        trace_features(nn.Linear(2, 2), torch.rand(3, 3, 16, 16))


def test_still_frames_have_still_maps_and_hooks_are_gone() -> None:
    net = network()
    still = trace_features(net, torch.rand(1, 3, 16, 16).expand(9, -1, -1, -1))
    assert float(np.ptp(still[0].active_THW, axis=0).max()) < 1e-6
    assert all(not module._forward_hooks for module in net.modules())


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, Segmenter]:
    spatial = {"model.backbone.temporal_conv": "none"}
    return {
        "both": load_segmenter(write_frame_run(tmp_path / "both"), device="cpu"),
        "spatial": load_segmenter(write_frame_run(tmp_path / "spatial", changes=spatial), device="cpu"),
    }


def moving(count: int = 40) -> Frames:
    frames_THWC = np.full((count, 24, 32, 3), 60, np.uint8)
    for t in range(count):
        frames_THWC[t, 8:16, t % 24 : t % 24 + 8] = 220
    return Frames(frames_THWC, np.arange(count) / 20)


def test_two_runs_are_shown_on_the_same_frames(runs: dict[str, Segmenter], tmp_path: Path) -> None:
    features = examine_motion(runs, {Stream.RGB: ArraySource(moving())}, span_s=(0.5, 1.5))
    np.testing.assert_allclose(features.times_s, np.arange(5, 15) / 10)
    assert list(features.layers) == ["both", "spatial"]
    assert features.pictures_THWC.shape == (10, 16, 16, 3)
    written = write_motion(tmp_path / "out", features)
    one = write_motion(tmp_path / "one", features._replace(layers={"both": features.layers["both"]}))
    sheets = [cv2.imread(str(found.sheet)) for found in (written, one)]
    assert sheets[0].shape[0] > sheets[1].shape[0]
    with open_video(written.video) as reader:
        assert len(reader.times_s) == 10
        assert reader.frame_size[1] == 4 * 160  # the frame, two halves of the one run, one of the other
    told = json.loads(written.numbers.read_text(encoding="utf-8"))
    assert [layer["half"] for layer in told["runs"]["spatial"]] == ["spatial"] * 4
    assert len(told["runs"]["both"][0]["mean_activation"]) == 10


def test_a_long_recording_is_looked_at_from_its_beginning(runs: dict[str, Segmenter]) -> None:
    source = {Stream.RGB: ArraySource(draw_stream([0, 1] * 200))}
    features = examine_motion({"both": runs["both"]}, source)
    assert len(features.times_s) == MOST_FRAMES


def test_runs_that_take_other_clips_are_refused(runs: dict[str, Segmenter], tmp_path: Path) -> None:
    other = load_segmenter(write_frame_run(tmp_path / "other", changes={"clip.size": [24, 24]}), device="cpu")
    with pytest.raises(ModelError, match="large takes other clips than both"):
        examine_motion({"both": runs["both"], "large": other}, {Stream.RGB: ArraySource(moving())})


def test_a_folder_that_cannot_be_made(runs: dict[str, Segmenter], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    features = examine_motion({"both": runs["both"]}, {Stream.RGB: ArraySource(moving())})
    with pytest.raises(VideoError, match="cannot be made into a folder"):
        write_motion(tmp_path / "file" / "out", features)
