"""Zhang et al. 2018, section 3.2: the settings of both data sets, as numbers that come out of a clip and a schedule."""

from __future__ import annotations

import pytest
import torch

from mudra.backbones import Res3DConfig
from mudra.models import GestureNetConfig
from mudra.recipes.zhang2018.protocol import train_on_isogd, train_on_jester
from mudra.training import PolynomialConfig, RunConfig, SgdConfig
from mudra.types import Stream

MODEL = GestureNetConfig(width=0.25)


def test_jester_is_learned_from_scratch() -> None:
    config = train_on_jester(MODEL)
    assert (config.fitting.epochs, config.loader.batch_size, config.clip.num_frames) == (30, 16, 16)
    assert (config.clip.streams, config.clip.rgb.mean) == ((Stream.RGB,), (114.0, 109.0, 104.0))
    assert config.model == MODEL.model_copy(update={"num_classes": 27})


@pytest.mark.parametrize("stream", list(Stream))
def test_isogd_is_tuned_on_one_stream(stream: Stream) -> None:
    config = train_on_isogd(MODEL, stream)
    assert (config.fitting.epochs, config.loader.batch_size, config.clip.num_frames) == (15, 8, 32)
    assert config.clip.streams == (stream,)
    assert config.model.num_classes == 249
    assert train_on_isogd(MODEL, stream, num_frames=16).clip.num_frames == 16


@pytest.mark.parametrize(
    "config", [train_on_jester(MODEL), train_on_isogd(MODEL, Stream.DEPTH)], ids=["jester", "isogd"]
)
def test_both_share_optimiser_schedule_and_cropping(config: RunConfig) -> None:
    assert config.optimiser == SgdConfig(lr=1e-3, momentum=0.9, weight_decay=1e-4)
    assert config.schedule == PolynomialConfig(power=0.9, last_lr=1e-6)
    clip = config.clip
    assert (clip.size, clip.region, clip.crop, clip.mirror) == ((112, 112), "frame", "square", "never")
    assert (clip.sampling.kind, clip.sampling.jitter, clip.sampling.min_span_fraction) == ("uniform", True, 1.0)
    nothing = clip.augmentation.model_copy(update={"mirror_probability": 0.5})
    assert nothing == type(nothing)()
    assert clip.augmentation.mirror_probability == 0.0
    assert config.fitting.precision == "float32"
    assert config.model.backbone == Res3DConfig()


def test_levels_lose_their_mean_and_are_not_divided() -> None:
    clip = train_on_isogd(MODEL, Stream.RGB).clip
    rgb_TCHW = torch.tensor([112.0, 122.0, 0.0]).view(1, 3, 1, 1)
    assert clip.rgb.apply(rgb_TCHW).flatten().tolist() == [0.0, 10.0, -112.0]
    # A level of IsoGD's depth stands for 4000 / 255 nominal millimetres.
    depth_TCHW = torch.tensor([4000.0 / 255 * 200, 1.0]).view(1, 2, 1, 1)
    assert clip.depth.apply(depth_TCHW).flatten().tolist() == pytest.approx([73.0, 73.0, 73.0], abs=1e-3)
    unmeasured = clip.depth.apply(torch.zeros(1, 2, 1, 1))
    assert unmeasured.flatten().tolist() == [-127.0, -127.0, -127.0]


def test_flow_is_in_levels_about_the_middle_one() -> None:
    clip = train_on_isogd(MODEL, Stream.FLOW).clip
    flow_TCHW = torch.tensor([10.0, -50.0]).view(1, 2, 1, 1)
    assert clip.flow.apply(flow_TCHW).flatten().tolist() == pytest.approx([63.5, -127.0, 127.0])
