"""ClipSpec: what follows from it, what it refuses, and that it survives YAML."""

from __future__ import annotations

import pytest
import yaml

from mudra.clips import ClipSpec, DenseSampling, DepthTarget, LevelDepthChannels, UniformSampling
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
        test_clips="random",
        test_size=(32, 40),
        crop_scales=(1.0, 0.5),
        target=DepthTarget(near_mm=300.0, reversed=True),
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
        "target={far_mm: 900}",
    )
    for change in window:
        assert ClipSpec().with_overrides([change]).window_key != key
    for change in ("num_frames=5", "sampling=segments", "augmentation.rotation_deg=10", "mirror=never"):
        assert ClipSpec().with_overrides([change]).window_key == key
    learned = ClipSpec(target=DepthTarget())
    assert learned.with_overrides(["target.far_mm=900"]).window_key == learned.window_key
    seen = ClipSpec(streams=(Stream.RGB, Stream.DEPTH))
    assert seen.with_overrides(["target={far_mm: 900}"]).window_key == seen.window_key  # depth is there already


@pytest.mark.parametrize(
    ("crop", "in_tests"),
    [("square", "square"), ("stretch", "stretch"), ("corners", "square"), ("stretched_corners", "stretch")],
)
def test_tests_have_their_own_size_and_crop_and_no_depth_to_learn(crop: str, in_tests: str) -> None:
    spec = ClipSpec.from_mapping({"crop": crop, "size": [64, 48], "test_size": [80, 60], "target": {}, "num_frames": 5})
    tests = spec.for_tests()
    assert (tests.crop, tests.size, tests.target, tests.num_frames) == (in_tests, (80, 60), None, 5)
    assert tests.for_tests() == tests
    assert spec.model_copy(update={"test_size": None}).for_tests().size == (64, 48)
    assert ClipSpec().for_tests() == ClipSpec()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("streams=[rgb, rgb]", "names one twice"),
        ("streams=[]", "at least 1"),
        ("streams=[rbg]", "did you mean 'rgb'"),
        ("num_test_crops=2", "num_test_crops"),
        ("size=[0, 5]", "greater than 0"),
        ("sampling=unifrom", "did you mean 'uniform'"),
        ("crop_scales=[0.5, 1.0]", "wanted the largest first"),
        ("crop_scales=[1.5, 1.0]", "less than or equal to 1"),
        ("crop_scales=[]", "at least 1"),
        ("num_frame=4", "did you mean 'num_frames'"),
    ],
)
def test_what_cannot_be_is_refused(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ClipSpec().with_overrides([override])


@pytest.mark.parametrize("window", [{"region": "motion"}, {"crop": "stretch"}, {"crop": "stretched_corners"}])
def test_crops_need_a_window_with_ends(window: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="num_test_crops=3 needs region='frame' and crop='square' or 'corners'"):
        ClipSpec.from_mapping({"num_test_crops": 3, **window})


def test_corners_are_those_of_the_frame() -> None:
    with pytest.raises(ConfigError, match="crop='corners' needs region='frame'"):
        ClipSpec.from_mapping({"crop": "corners", "region": "motion"})


def test_naming_the_sampling_alone_keeps_the_others_defaults() -> None:
    assert ClipSpec().with_overrides(["sampling.jitter=false"]).sampling == UniformSampling(jitter=False)


def test_several_test_clips_of_the_same_frames_are_refused() -> None:
    sampling = DenseSampling(first_frame=0)
    ClipSpec(sampling=sampling)
    with pytest.raises(ConfigError, match=r"num_test_clips is above 1, but sampling\.first_frame makes all of them"):
        ClipSpec.from_mapping({"sampling": sampling.model_dump(), "num_test_clips": 2})
