"""Fan et al. 2021, section IV-B: the settings of the three data sets."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mudra.backbones import ResNetConfig
from mudra.datasets import EgogestureConfig, egogesture, isogd, nvgesture
from mudra.heads import ConsensusConfig
from mudra.recipes import list_recipes
from mudra.recipes.fan2021.protocol import (
    ACTION,
    MSD,
    TEA,
    TSM,
    make_network,
    train_on_egogesture,
    train_on_isogd,
    train_on_nvgesture,
)
from mudra.training import RunConfig, SgdConfig
from mudra.training.optimisation import learning_rate_factor

RUNS = [
    (train_on_egogesture, 83, 25, (10, 15, 20)),
    (train_on_nvgesture, 25, 80, (50, 60, 70)),
    (train_on_isogd, 249, 35, (15, 25, 30)),
]


@pytest.mark.parametrize(("build", "num_classes", "epochs", "drops"), RUNS)
def test_classes_epochs_and_drops(build: object, num_classes: int, epochs: int, drops: tuple[int, ...]) -> None:
    assert callable(build)
    config = build(make_network(TSM))
    assert isinstance(config, RunConfig)
    assert (config.model.num_classes, config.fitting.epochs) == (num_classes, epochs)
    factor = learning_rate_factor(config.schedule, lr=0.0025, num_steps=7 * epochs)
    # The rate falls with the first batch of the epoch, counted from 0, that the paper names.
    assert [epoch for epoch in range(1, epochs) if factor(7 * epoch) < 0.5 * factor(7 * epoch - 1)] == list(drops)
    assert factor(7 * epochs - 1) == pytest.approx(1e-3)


def test_all_share_sampling_optimiser_and_tests() -> None:
    for build, *_ in RUNS:
        config = build(make_network(TSM))
        assert config.optimiser == SgdConfig(lr=0.0025, momentum=0.9, weight_decay=1e-5, groups="tsn")
        assert (config.loader.batch_size, config.fitting.gradient_clip_norm) == (16, 20.0)
        clip = config.clip
        assert (clip.num_frames, clip.size, clip.sampling.kind, clip.mirror) == (8, (224, 224), "segments", "never")
        assert (clip.crop, clip.crop_scales) == ("corners", (1.0, 7 / 8, 3 / 4, 2 / 3))
        assert (clip.num_test_clips, clip.test_clips, clip.num_test_crops) == (10, "random", 3)
        tests = clip.for_tests()
        assert (tests.size, tests.crop, len(tests.test_views)) == ((256, 256), "square", 30)
        jitter = clip.augmentation
        assert (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue) == (0.8, 0.8, 0.8, 0.2)
        assert (jitter.colour_probability, jitter.mirror_probability, jitter.scale) == (0.4, 0.0, (1.0, 1.0))
        assert [round(mean / 255.0, 3) for mean in clip.rgb.mean] == [0.485, 0.456, 0.406]
        assert [round(divisor / 255.0, 3) for divisor in clip.rgb.divisor] == [0.229, 0.224, 0.225]


def test_depth_is_the_grey_level_over_255_where_a_decoder_learns_it() -> None:
    for build, *_ in RUNS:
        assert build(make_network(ACTION)).clip.target is None
        target = build(make_network(ACTION, MSD)).clip.target
        levels = torch.tensor([1.0, 100.0, 255.0])
        seen = torch.stack([levels * egogesture.DEPTH.mm_per_level, torch.ones(3)], dim=1).view(3, 2, 1, 1)
        assert target is not None
        assert torch.allclose(target.apply(seen).depth_THW.flatten(), levels / 255.0)
    assert egogesture.DEPTH == nvgesture.DEPTH == isogd.DEPTH


def test_level_0_is_learned_where_it_is_the_background() -> None:
    targets = {build: build(make_network(ACTION, MSD)).clip.target for build, *_ in RUNS}
    assert {build.__name__: target and target.missing for build, target in targets.items()} == {
        "train_on_egogesture": "zero",
        "train_on_nvgesture": "zero",
        "train_on_isogd": "left_out",
    }
    # Of recordings as the readers give them: a hand before an empty picture, and a frame that was lost.
    levels = torch.tensor([[0.0, 0.0, 51.0], [0.0, 0.0, 0.0]])
    seen = torch.stack([levels * nvgesture.DEPTH.mm_per_level, (levels != nvgesture.DEPTH.missing_level).float()], 1)
    for build, target in targets.items():
        assert target is not None
        maps = target.apply(seen[:, :, None])
        assert maps.depth_THW[0, 0].tolist() == pytest.approx([0.0, 0.0, 0.2])
        assert maps.measured_THW[0, 0].tolist() == ([0.0, 0.0, 1.0] if build is train_on_isogd else [1.0, 1.0, 1.0])
        assert not maps.measured_THW[1].any()


def test_squared_errors_are_means_weighed_1_and_001() -> None:
    for build, *_ in RUNS:
        loss = build(make_network(ACTION, MSD)).mask_loss
        assert (loss.reduction, loss.class_weight, loss.local_weight, loss.global_weight) == ("mean", 1.0, 1.0, 0.01)


def test_egogesture_alone_starts_from_imagenet() -> None:
    for build, *_ in RUNS:
        backbone = build(make_network(ACTION)).model.backbone
        assert isinstance(backbone, ResNetConfig)
        assert backbone.pretrained == ("imagenet" if build is train_on_egogesture else None)
    assert train_on_egogesture(make_network(TEA)).model.backbone == TEA


def test_numbers_on_egogestures_test_split_are_of_training_on_train_and_validation() -> None:
    rows = [found for found in list_recipes() if found.name.startswith("fan2021/")]
    on_test = [found for found in rows if any(expected.where == "EgoGesture test" for expected in found.paper)]
    assert len(on_test) == 7 + 4 + 2 + 7 + 5 + 3
    for found in rows:
        config = found.build()
        assert isinstance(config.data, EgogestureConfig) is (found in on_test)
        if isinstance(config.data, EgogestureConfig):
            assert config.data.train_on_validation
            named = config.with_overrides(["data=egogesture", "data.root=elsewhere"])
            assert named.data == EgogestureConfig(root=Path("elsewhere"), train_on_validation=True)
            other = config.with_overrides(["data=nvgesture", "data.root=elsewhere"]).data
            assert other == nvgesture.NvgestureConfig(root=Path("elsewhere"))


def test_networks_are_a_backbone_and_the_mean_of_its_frames_logits() -> None:
    network = make_network(ACTION, MSD)
    assert (network.cells, network.top, network.head, network.decoder) == ((), None, ConsensusConfig(), MSD)
