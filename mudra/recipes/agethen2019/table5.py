"""Agethen and Hsu 2019, Table V: seventeen classes of UCF-101 on I3D.

Paper: Deep Multi-Kernel Convolutional LSTM Networks and an Attention-Based Mechanism for Videos, IEEE Transactions on
    Multimedia 2019.
Data:  UCF-101, the seventeen classes of the paper's third footnote (`data=ucf101 data.classes=agethen2019`).
Run:   mudra train agethen2019/table5/inception data=ucf101 data.root=ucf101 data.classes=agethen2019
       model.backbone.pretrained=rgb_imagenet.pt
Cost:  not yet run. Without training: mudra cost agethen2019/table5/inception
Differs from the paper: weights of I3D trained on Kinetics must be given (`model.backbone.pretrained`, a checkpoint of
    the public PyTorch form); frozen weights of chance are refused in training. The paper does not say whether its I3D
    was tuned: the first row's learns, the others' is frozen. Channels behind the 1x1 convolution, widths of the
    Inception-like branches, optimiser and epochs are ours, as the text names none; clips come from anywhere in training
    and from the middle in tests.
"""

from __future__ import annotations

from mudra.backbones import I3DConfig
from mudra.cells import InceptionConvLSTMConfig
from mudra.models import GestureNetConfig
from mudra.recipes.agethen2019.protocol import UCF101_SUBSET_CLASSES, ModelConfig, convolve, on_i3d, train_i3d
from mudra.recipes.registry import Expected, row
from mudra.training import RunConfig

WHERE = "UCF-101, 17 classes, split 1"


def _run(model: ModelConfig) -> RunConfig:
    return train_i3d(model, num_classes=UCF101_SUBSET_CLASSES)


@row(source="Table V, row 1", paper=(Expected("frame_top1", 0.9662, WHERE),))
def i3d() -> RunConfig:
    """I3D alone."""
    return _run(GestureNetConfig(backbone=I3DConfig(), cells=(), top=None))


@row(source="Table V, row 2", paper=(Expected("frame_top1", 0.9646, WHERE),))
def conv_3() -> RunConfig:
    """ConvLSTM with 3x3 kernels, 256 channels, normalised."""
    return _run(on_i3d(convolve(3, channels=256, normalised=True)))


@row(source="Table V, row 3", paper=(Expected("frame_top1", 0.9662, WHERE),))
def conv_5() -> RunConfig:
    """ConvLSTM with 5x5 kernels, 256 channels, normalised."""
    return _run(on_i3d(convolve(5, channels=256, normalised=True)))


@row(source="Table V, row 4", paper=(Expected("frame_top1", 0.9746, WHERE),))
def inception() -> RunConfig:
    """Inception-like kernels, 256 channels, normalised."""
    return _run(on_i3d(InceptionConvLSTMConfig(hidden_channels=256, normalisation="batch")))
