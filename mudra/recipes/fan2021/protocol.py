"""Fan et al. 2021, section IV-B: the networks, and how the paper trains and tests them.

What the paper leaves silent (no dropout, largest gradient norm of 20, ImageNet's mean and deviation, first values of
the dense layer, several learning rates, the 13 places of corner crops) is after the released code of Wang et al. 2021,
from which it starts. Depth is its grey level over 255: the readers of the three sets spread the levels over four
metres, and `DepthTarget` gathers them again. Level 0 is learned as it stands on EgoGesture and NVGesture, where it is
the background and what is near is brighter ("the background only contains low pixel value noise", section IV-G). On
IsoGD, whose near things are dark, it is the sensor's holes and shadows, and is left out of the loss:
`clip.target.missing` says which. Frames without any depth are left out everywhere.

The losses stand 1 : 1 : 0.01, squared errors as means over pixels, of which the paper says nothing (equations 4 and 5
print a sum over them). As means lie below one, the global decoder's then adds less than 0.01 to a loss that begins at
ln(83) = 4.4: see Table VI. `mask_loss.reduction=sum_per_clip` takes the equations by the letter.

Numbers on EgoGesture's test split are, as the paper's, of networks that train on train and validation; such a run has
no validation numbers, and is judged with `mudra evaluate RUN --split test`. `data.train_on_validation=false` keeps
validation apart.

Judged is the mean softmax of three crops of 256x256 of each of ten clips whose frames are drawn as in training. For one
clip and one crop: clip.num_test_clips=1 clip.num_test_crops=1. Wang et al. 2021 stretch EgoGesture's frames instead, in
training and in tests: clip.crop=stretched_corners clip.num_test_crops=1 clip.test_size=null.
"""

from __future__ import annotations

from pathlib import Path

from mudra.backbones import (
    ActionConfig,
    AnyBackboneConfig,
    C3DConfig,
    I3DConfig,
    Res2NetConfig,
    ResNetConfig,
    ResNeXt3DConfig,
    TemporalShiftConfig,
)
from mudra.clips import Augmentation, ClipSpec, DepthTarget, RgbChannels, SegmentSampling
from mudra.clips.target import MissingDepth
from mudra.datasets import EgogestureConfig
from mudra.heads import ConsensusConfig, DenseClassifierConfig, MultiScaleDecoderConfig
from mudra.models import GestureNetConfig
from mudra.training import FittingConfig, LoaderConfig, RunConfig, SgdConfig, StepsConfig

EGOGESTURE_CLASSES, NVGESTURE_CLASSES, ISOGD_CLASSES = 83, 25, 249
NUM_FRAMES, SIZE_PX, TEST_SIZE_PX = 8, 224, 256
CROP_SCALES = (1.0, 7 / 8, 3 / 4, 2 / 3)
IMAGENET_MEAN = (123.675, 116.28, 103.53)  # in levels of 0 to 255, as torchvision's weights were trained
IMAGENET_DEVIATION = (58.395, 57.12, 57.375)

TSM = ResNetConfig(temporal_module=TemporalShiftConfig())
ACTION = ResNetConfig(temporal_module=ActionConfig())
TEA = Res2NetConfig(temporal="tea")
MSD = MultiScaleDecoderConfig()

# The 3-D networks that the paper's tables compare with, by its sources; each with the clips of its own paper.
# C3D: 65.6 M parameters come out for 32 frames of 112x112 under two dense layers of 2,048 features, at 83 classes.
C3D = GestureNetConfig(
    backbone=C3DConfig(initialisation="he_normal"),
    cells=(),
    top=None,
    head=DenseClassifierConfig(grid=(2, 4, 4), hidden_features=(2048, 2048), initialisation="he_normal"),
)
RESNEXT = GestureNetConfig(backbone=ResNeXt3DConfig(depth=101), cells=(), top=None)
I3D = GestureNetConfig(backbone=I3DConfig(), cells=(), top=None)
SMALL_PX = 112
C3D_FRAMES = RESNEXT_FRAMES = 32
I3D_FRAMES = 64


def make_network(backbone: AnyBackboneConfig, decoder: MultiScaleDecoderConfig | None = None) -> GestureNetConfig:
    """Return a 2-D network whose frames are classified one by one and averaged."""
    return GestureNetConfig(backbone=backbone, cells=(), top=None, head=ConsensusConfig(), decoder=decoder)


def see_clips(config: RunConfig, *, num_frames: int, side_px: int) -> RunConfig:
    """Return a run with clips of another length and size, and of no other size in tests."""
    return config.with_overrides(
        {"clip.num_frames": num_frames, "clip.size": [side_px, side_px], "clip.test_size": None}
    )


def train_on_egogesture(model: GestureNetConfig) -> RunConfig:
    """Return a run on EgoGesture's train and validation: 25 epochs, from ImageNet's weights where torchvision has them.

    The set lies in the folder `egogesture`, unless `data.root` names another.
    """
    backbone = model.backbone
    if isinstance(backbone, ResNetConfig):
        backbone = backbone.model_copy(update={"pretrained": "imagenet"})
    model = model.model_copy(update={"backbone": backbone})
    config = _make_run(model, num_classes=EGOGESTURE_CLASSES, epochs=25, drops=(10, 15, 20))
    return config.model_copy(update={"data": EgogestureConfig(root=Path("egogesture"), train_on_validation=True)})


def train_on_nvgesture(model: GestureNetConfig) -> RunConfig:
    """Return a run on NVGesture: 80 epochs; the paper starts from a run on EgoGesture (`init_from`)."""
    return _make_run(model, num_classes=NVGESTURE_CLASSES, epochs=80, drops=(50, 60, 70))


def train_on_isogd(model: GestureNetConfig, *, missing: MissingDepth = "left_out") -> RunConfig:
    """Return a run on IsoGD: 35 epochs; the paper starts from a run on EgoGesture (`init_from`)."""
    return _make_run(model, num_classes=ISOGD_CLASSES, epochs=35, drops=(15, 25, 30), missing=missing)


def _make_run(
    model: GestureNetConfig,
    *,
    num_classes: int,
    epochs: int,
    drops: tuple[int, ...],
    missing: MissingDepth = "zero",
) -> RunConfig:
    clip = ClipSpec(
        num_frames=NUM_FRAMES,
        size=(SIZE_PX, SIZE_PX),
        sampling=SegmentSampling(),
        max_frames=128,
        crop="corners",
        crop_scales=CROP_SCALES,
        test_size=(TEST_SIZE_PX, TEST_SIZE_PX),
        rgb=RgbChannels(mean=IMAGENET_MEAN, divisor=IMAGENET_DEVIATION),
        mirror="never",
        augmentation=Augmentation(
            brightness=0.8,
            contrast=0.8,
            saturation=0.8,
            hue=0.2,
            colour_probability=0.4,
            mirror_probability=0.0,
        ),
        target=DepthTarget(missing=missing) if model.decoder is not None else None,
        num_test_clips=10,
        test_clips="random",
        num_test_crops=3,
    )
    return RunConfig(
        model=model.model_copy(update={"num_classes": num_classes}),
        clip=clip,
        loader=LoaderConfig(batch_size=16),
        optimiser=SgdConfig(lr=0.0025, momentum=0.9, weight_decay=1e-5, groups="tsn"),
        schedule=StepsConfig(drops=tuple(epoch / epochs for epoch in drops), factor=0.1),
        fitting=FittingConfig(epochs=epochs, gradient_clip_norm=20.0, precision="float32"),
    )
