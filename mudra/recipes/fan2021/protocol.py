"""Fan et al. 2021, section IV-B: the networks, and how the paper trains and tests them.

What the paper leaves silent (no dropout, largest gradient norm of 20, ImageNet's mean and deviation, first values of
the dense layer) is after the released code of Wang et al. 2021, from which it starts.
"""

from __future__ import annotations

from mudra.backbones import ActionConfig, AnyBackboneConfig, Res2NetConfig, ResNetConfig, TemporalShiftConfig
from mudra.clips import Augmentation, ClipSpec, RgbChannels, SegmentSampling
from mudra.heads import ConsensusConfig, MultiScaleDecoderConfig
from mudra.models import GestureNetConfig
from mudra.training import FittingConfig, LoaderConfig, RunConfig, SgdConfig, StepsConfig

EGOGESTURE_CLASSES, NVGESTURE_CLASSES, ISOGD_CLASSES = 83, 25, 249
NUM_FRAMES, SIZE_PX = 8, 224
IMAGENET_MEAN = (123.675, 116.28, 103.53)  # in levels of 0 to 255, as torchvision's weights were trained
IMAGENET_DEVIATION = (58.395, 57.12, 57.375)

TSM = ResNetConfig(temporal_module=TemporalShiftConfig())
ACTION = ResNetConfig(temporal_module=ActionConfig())
TEA = Res2NetConfig(temporal="tea")
MSD = MultiScaleDecoderConfig()


def make_network(backbone: AnyBackboneConfig, decoder: MultiScaleDecoderConfig | None = None) -> GestureNetConfig:
    """Return a 2-D network whose frames are classified one by one and averaged."""
    return GestureNetConfig(backbone=backbone, cells=(), top=None, head=ConsensusConfig(), decoder=decoder)


def train_on_egogesture(model: GestureNetConfig) -> RunConfig:
    """Return a run on EgoGesture: 25 epochs, from ImageNet's weights where torchvision has them."""
    backbone = model.backbone
    if isinstance(backbone, ResNetConfig):
        backbone = backbone.model_copy(update={"pretrained": "imagenet"})
    model = model.model_copy(update={"backbone": backbone})
    return _make_run(model, num_classes=EGOGESTURE_CLASSES, epochs=25, drops=(10, 15, 20))


def train_on_nvgesture(model: GestureNetConfig) -> RunConfig:
    """Return a run on NVGesture: 80 epochs; the paper starts from a run on EgoGesture (`init_from`)."""
    return _make_run(model, num_classes=NVGESTURE_CLASSES, epochs=80, drops=(50, 60, 70))


def train_on_isogd(model: GestureNetConfig) -> RunConfig:
    """Return a run on IsoGD: 35 epochs; the paper starts from a run on EgoGesture (`init_from`)."""
    return _make_run(model, num_classes=ISOGD_CLASSES, epochs=35, drops=(15, 25, 30))


def _make_run(model: GestureNetConfig, *, num_classes: int, epochs: int, drops: tuple[int, ...]) -> RunConfig:
    clip = ClipSpec(
        num_frames=NUM_FRAMES,
        size=(SIZE_PX, SIZE_PX),
        sampling=SegmentSampling(),
        rgb=RgbChannels(mean=IMAGENET_MEAN, divisor=IMAGENET_DEVIATION),
        mirror="never",
        augmentation=Augmentation(
            scale=(1.0, 1.5),
            brightness=0.8,
            contrast=0.8,
            saturation=0.8,
            hue=0.2,
            colour_probability=0.4,
            mirror_probability=0.0,
        ),
        num_test_clips=10,
        num_test_crops=3,
    )
    return RunConfig(
        model=model.model_copy(update={"num_classes": num_classes}),
        clip=clip,
        loader=LoaderConfig(batch_size=16),
        optimiser=SgdConfig(lr=0.0025, momentum=0.9, weight_decay=1e-5),
        schedule=StepsConfig(drops=tuple(epoch / epochs for epoch in drops), factor=0.1),
        fitting=FittingConfig(epochs=epochs, gradient_clip_norm=20.0, precision="float32"),
    )
