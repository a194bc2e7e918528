"""Agethen and Hsu 2019, sections IV-A2 to IV-A4: the networks, and which frames they see.

The paper says nothing of optimiser, learning rate, number of epochs and crops: here, as our choice, Adam at 1e-4 for 30
epochs with batches of 10 (those of Table II), the largest square, nothing mirrored. All rows of a table have the same
cell but for its kernels, without peephole terms, which the paper says implementations may leave out.
"""

from __future__ import annotations

from mudra.backbones import I3DConfig, PointwiseTopConfig, VGG16Config
from mudra.cells import AnyRecurrentLayerConfig, MultiKernelConvLSTMConfig
from mudra.clips import Augmentation, ClipSpec, DenseSampling, RgbChannels
from mudra.models import GestureNetConfig, RecurrentFrameNetConfig
from mudra.recipes.fan2021.protocol import IMAGENET_DEVIATION, IMAGENET_MEAN
from mudra.training import AdamWConfig, ConstantConfig, FittingConfig, LoaderConfig, RunConfig
from mudra.types import Stream

UCF101_CLASSES, UCF101_SUBSET_CLASSES, SPORTS1M_CLASSES = 101, 17, 20
SIDE_PX = 224
UCF101_FPS, SPORTS1M_FPS, I3D_FPS = 15.0, 1.0, 24.0
UCF101_FRAMES, SPORTS1M_FRAMES, I3D_FRAMES = 50, 30, 64
UCF101_FIRST, SPORTS1M_FIRST = 25, 70  # "frames 25 to 75" and "70 to 100", the last one left out, counted from 0
MIDDLE_LEVEL = (127.5, 127.5, 127.5)  # I3D's weights were trained on levels from -1 to 1

ModelConfig = GestureNetConfig | RecurrentFrameNetConfig


def convolve(
    *kernel_sizes: int, channels: int | tuple[int, ...], mixed: bool = False, normalised: bool = False
) -> MultiKernelConvLSTMConfig:
    """Return the cell of a row; with one kernel it is a plain ConvLSTM.

    Args:
        kernel_sizes: Sides of its kernels.
        channels: Hidden channels of all kernels together, or of each.
        mixed: Whether 1x1 convolutions are stacked onto them, within each gate.
        normalised: Whether batch normalisation follows every convolution.
    """
    return MultiKernelConvLSTMConfig(
        kernel_sizes=kernel_sizes,
        hidden_channels=channels,
        mix="per_gate" if mixed else "none",
        normalisation="batch" if normalised else "none",
    )


def on_vgg(cell: AnyRecurrentLayerConfig) -> RecurrentFrameNetConfig:
    """Return VGG-16 with ImageNet's weights, frozen, one recurrent layer, pooling and an LSTM (figure 6)."""
    return RecurrentFrameNetConfig(backbone=VGG16Config(pretrained="imagenet", frozen=True), cells=(cell,))


def on_i3d(cell: AnyRecurrentLayerConfig, *, frozen: bool = True) -> RecurrentFrameNetConfig:
    """Return I3D, one recurrent layer, and a 1x1 convolution in place of pooling and LSTM (section IV-A4)."""
    return RecurrentFrameNetConfig(
        backbone=I3DConfig(frozen=frozen), cells=(cell,), mixing=PointwiseTopConfig(), frame_cells=()
    )


def train_on_ucf101(model: ModelConfig) -> RunConfig:
    """Return a run of a network on VGG-16 on UCF-101: frames 25 to 75 at 15 per second."""
    clip = _see_imagenet(UCF101_FRAMES, fps=UCF101_FPS, first_frame=UCF101_FIRST)
    return _make_run(model, clip, num_classes=UCF101_CLASSES)


def train_on_sports1m(model: ModelConfig) -> RunConfig:
    """Return a run of a network on VGG-16 on twenty classes of Sports-1M: frames 70 to 100 at one per second."""
    clip = _see_imagenet(SPORTS1M_FRAMES, fps=SPORTS1M_FPS, first_frame=SPORTS1M_FIRST)
    return _make_run(model, clip, num_classes=SPORTS1M_CLASSES)


def train_i3d(model: ModelConfig, *, num_classes: int, with_flow: bool = False) -> RunConfig:
    """Return a run of a network on I3D on UCF-101 or a part of its classes: 64 frames at 24 per second."""
    clip = _see(I3D_FRAMES, fps=I3D_FPS, rgb=RgbChannels(mean=MIDDLE_LEVEL, divisor=MIDDLE_LEVEL))
    if with_flow:
        clip = clip.model_copy(update={"streams": (Stream.RGB, Stream.FLOW)})
    return _make_run(model, clip, num_classes=num_classes)


def _see_imagenet(num_frames: int, *, fps: float, first_frame: int) -> ClipSpec:
    rgb = RgbChannels(mean=IMAGENET_MEAN, divisor=IMAGENET_DEVIATION)
    return _see(num_frames, fps=fps, rgb=rgb, first_frame=first_frame)


def _see(num_frames: int, *, fps: float, rgb: RgbChannels, first_frame: int | None = None) -> ClipSpec:
    return ClipSpec(
        num_frames=num_frames,
        size=(SIDE_PX, SIDE_PX),
        sampling=DenseSampling(fps=fps, first_frame=first_frame),
        rgb=rgb,
        mirror="never",
        augmentation=Augmentation(mirror_probability=0.0),
    )


def _make_run(model: ModelConfig, clip: ClipSpec, *, num_classes: int) -> RunConfig:
    return RunConfig(
        model=model.model_copy(update={"num_classes": num_classes}),
        clip=clip,
        loader=LoaderConfig(batch_size=10),
        optimiser=AdamWConfig(lr=1e-4, weight_decay=0.0),
        schedule=ConstantConfig(),
        fitting=FittingConfig(epochs=30, precision="float32"),
    )
