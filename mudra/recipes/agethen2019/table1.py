"""Agethen and Hsu 2019, Table I: UCF-101 on VGG-16, kernels of one size and of two.

Paper: Deep Multi-Kernel Convolutional LSTM Networks and an Attention-Based Mechanism for Videos, IEEE Transactions on
    Multimedia 2019.
Data:  UCF-101, split 1 (`data=ucf101`); 101 classes.
Run:   mudra train agethen2019/table1/multi_3_5 data=ucf101 data.root=ucf101
Cost:  not yet run. Without training: mudra cost agethen2019/table1/multi_3_5
Differs from the paper: frames 25 to 75 are those from number 25, counted from 0, up to 74; that too short videos go
    round is said of Sports-1M and holds here too. Weights of VGG-16 are torchvision's. Optimiser, epochs, pooling and
    the size of the LSTM are ours, as the paper names none, and so is the reading of the stacked 1x1 convolutions
    (within each gate, on input and hidden maps). The paper averages accuracy over all frames: that is `frame_top1` of
    `mudra evaluate`, and `validation_frame_top1` in training; top-1 beside it is that of the frames' mean probability.
"""

from __future__ import annotations

from mudra.recipes.agethen2019.protocol import convolve, on_vgg, train_on_ucf101
from mudra.recipes.registry import Expected, row
from mudra.training import RunConfig

WHERE = "UCF-101 test, split 1"


@row(source="Table I, row 1", paper=(Expected("frame_top1", 0.7127, WHERE),))
def conv_3() -> RunConfig:
    """ConvLSTM with 3x3 kernels, 512 channels."""
    return train_on_ucf101(on_vgg(convolve(3, channels=512)))


@row(source="Table I, row 2", paper=(Expected("frame_top1", 0.7220, WHERE),))
def conv_5() -> RunConfig:
    """ConvLSTM with 5x5 kernels, 512 channels."""
    return train_on_ucf101(on_vgg(convolve(5, channels=512)))


@row(source="Table I, row 3", paper=(Expected("frame_top1", 0.7318, WHERE),))
def multi_3_5() -> RunConfig:
    """3x3 and 5x5 kernels, 256 channels each."""
    return train_on_ucf101(on_vgg(convolve(3, 5, channels=(256, 256))))


@row(source="Table I, row 4", paper=(Expected("frame_top1", 0.7409, WHERE),))
def multi_3_5_mixed() -> RunConfig:
    """3x3 and 5x5 kernels, 256 channels each, with stacked 1x1 convolutions."""
    return train_on_ucf101(on_vgg(convolve(3, 5, channels=(256, 256), mixed=True)))
