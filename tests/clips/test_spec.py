"""ClipSpec: what follows from it, what it refuses, and that it survives YAML."""

from __future__ import annotations

import pytest
import yaml

from mudra.clips import ClipSpec, DenseSampling, LevelDepthChannels, UniformSampling
from mudra.errors import ConfigError
from mudra.types import Stream


def test_channels_are_those_of_all_streams() -> None:
    spec = ClipSpec(streams=(Stream.RGB, Stream.DEPTH, Stream.FLOW))
    assert [spec.channels_of(stream) for stream in spec.streams] == [3, 2, 2]
    assert spec.num_channels == 7
    assert spec.model_copy(update={"depth": LevelDepthChannels()}).num_channels == 8


def test_it_survives_yaml_with_every_setting_changed() -> None:
    spec = ClipSpec(
        streams=(Stream.FLOW, Stream.DEPTH),
        num_frames=5,
        size=(24, 32),
        sampling=DenseSampling(fps=12.5),
        region="motion",
        depth=LevelDepthChannels(far_mm=900.0),
        mirror="never",
        num_test_clips=3,
    )
    assert ClipSpec.from_mapping(yaml.safe_load(spec.to_yaml())) == spec


def test_test_views_are_all_clips_times_all_crops() -> None:
    assert ClipSpec().test_views == ((0, 0),)
    views = ClipSpec(num_test_clips=2, num_test_crops=3).test_views
    assert views == ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2))


def test_a_motion_window_is_wider_than_the_clip() -> None:
    assert ClipSpec(size=(64, 48), region="motion").window_size == (80, 60)
    assert ClipSpec(size=(64, 48)).window_size == (64, 48)


def test_the_windows_key_depends_on_what_makes_a_window_and_on_nothing_else() -> None:
    key = ClipSpec().window_key
    window = (
        "size=[32, 32]",
        "max_frames=20",
        "region=motion",
        "depth_reach_mm=200",
        "crop=stretch",
        "flow_quality=medium",
        "streams=[depth]",
    )
    for change in window:
        assert ClipSpec().with_overrides([change]).window_key != key
    for change in ("num_frames=5", "sampling=segments", "augmentation.rotation_deg=10", "mirror=never"):
        assert ClipSpec().with_overrides([change]).window_key == key


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("streams=[rgb, rgb]", "names one twice"),
        ("streams=[]", "at least 1"),
        ("streams=[rbg]", "did you mean 'rgb'"),
        ("num_test_crops=2", "num_test_crops"),
        ("size=[0, 5]", "greater than 0"),
        ("sampling=unifrom", "did you mean 'uniform'"),
        ("num_frame=4", "did you mean 'num_frames'"),
    ],
)
def test_what_cannot_be_is_refused(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ClipSpec().with_overrides([override])


@pytest.mark.parametrize("window", [{"region": "motion"}, {"crop": "stretch"}])
def test_crops_need_a_window_with_ends(window: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="num_test_crops=3 needs region='frame' and crop='square'"):
        ClipSpec.from_mapping({"num_test_crops": 3, **window})


def test_naming_the_sampling_alone_keeps_the_others_defaults() -> None:
    assert ClipSpec().with_overrides(["sampling.jitter=false"]).sampling == UniformSampling(jitter=False)
