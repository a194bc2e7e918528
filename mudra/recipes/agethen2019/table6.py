"""Agethen and Hsu 2019, Table VI: UCF-101 on I3D, with masks of flow, and trained end to end.

Paper: Deep Multi-Kernel Convolutional LSTM Networks and an Attention-Based Mechanism for Videos, IEEE Transactions on
    Multimedia 2019.
Data:  UCF-101, split 1 (`data=ucf101`); 101 classes. Flow is computed from colour.
Run:   mudra train agethen2019/table6/inception data=ucf101 data.root=ucf101 model.backbone.pretrained=rgb_imagenet.pt
Cost:  not yet run. Without training: mudra cost agethen2019/table6/multi_3_5_attention
Differs from the paper: as Table V; and the paper does not say of what its flow features are made: here they are the
    clip's flow, by OpenCV's dense inverse search, averaged to the steps and places of I3D's maps. A mask's own kernel
    is as large as the kernel that it is for.
"""

from __future__ import annotations

from mudra.cells import InceptionConvLSTMConfig
from mudra.clips import FlowChannels
from mudra.recipes.agethen2019.protocol import UCF101_CLASSES, convolve, on_i3d, train_i3d
from mudra.recipes.registry import Expected, row
from mudra.training import RunConfig

WHERE = "UCF-101 test, split 1"
MULTI_3_5 = convolve(3, 5, channels=(128, 128), normalised=True)
INCEPTION = InceptionConvLSTMConfig(hidden_channels=256, normalisation="batch")


@row(source="Table VI, row 1", paper=(Expected("frame_top1", 0.8633, WHERE),))
def conv_3() -> RunConfig:
    """ConvLSTM with 3x3 kernels, 256 channels, normalised."""
    return train_i3d(on_i3d(convolve(3, channels=256, normalised=True)), num_classes=UCF101_CLASSES)


@row(source="Table VI, row 2", paper=(Expected("frame_top1", 0.8692, WHERE),))
def conv_5() -> RunConfig:
    """ConvLSTM with 5x5 kernels, 256 channels, normalised."""
    return train_i3d(on_i3d(convolve(5, channels=256, normalised=True)), num_classes=UCF101_CLASSES)


@row(source="Table VI, row 3", paper=(Expected("frame_top1", 0.8721, WHERE),))
def multi_3_5() -> RunConfig:
    """3x3 and 5x5 kernels, 128 channels each, normalised."""
    return train_i3d(on_i3d(MULTI_3_5), num_classes=UCF101_CLASSES)


@row(source="Table VI, row 4", paper=(Expected("frame_top1", 0.8739, WHERE),))
def multi_3_5_attention() -> RunConfig:
    """3x3 and 5x5 kernels, 128 channels each, normalised, both behind masks of flow."""
    model = on_i3d(MULTI_3_5).model_copy(update={"flow_channels": FlowChannels().num_channels})
    return train_i3d(model, num_classes=UCF101_CLASSES, with_flow=True)


@row(source="Table VI, row 5", paper=(Expected("frame_top1", 0.8840, WHERE),))
def inception() -> RunConfig:
    """Inception-like kernels, 256 channels, normalised."""
    return train_i3d(on_i3d(INCEPTION), num_classes=UCF101_CLASSES)


@row(source="Table VI, row 6", paper=(Expected("frame_top1", 0.9009, WHERE),))
def inception_end_to_end() -> RunConfig:
    """Inception-like kernels, 256 channels, normalised; I3D learns too."""
    return train_i3d(on_i3d(INCEPTION, frozen=False), num_classes=UCF101_CLASSES)
