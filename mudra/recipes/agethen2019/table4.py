"""Agethen and Hsu 2019, Table IV: twenty classes of Sports-1M on VGG-16, kernels of one size and of two.

Paper: Deep Multi-Kernel Convolutional LSTM Networks and an Attention-Based Mechanism for Videos, IEEE Transactions on
    Multimedia 2019.
Data:  Sports-1M, the twenty classes of the paper's second footnote (`data=sports1m data.classes=agethen2019`).
Run:   mudra train agethen2019/table4/multi_3_5 data=sports1m data.root=sports1m data.classes=agethen2019
           data.on_missing=skip
Cost:  not yet run. Without training: mudra cost agethen2019/table4/multi_3_5
Differs from the paper: frames 70 to 100 are those from number 70, counted from 0, up to 99; the rest as in Table I.
"""

from __future__ import annotations

from mudra.recipes.agethen2019.protocol import convolve, on_vgg, train_on_sports1m
from mudra.recipes.registry import Expected, row
from mudra.training import RunConfig

WHERE = "Sports-1M, 20 classes"


@row(source="Table IV, row 1", paper=(Expected("frame_top1", 0.8067, WHERE),))
def conv_3() -> RunConfig:
    """ConvLSTM with 3x3 kernels, 512 channels."""
    return train_on_sports1m(on_vgg(convolve(3, channels=512)))


@row(source="Table IV, row 2", paper=(Expected("frame_top1", 0.8109, WHERE),))
def conv_5() -> RunConfig:
    """ConvLSTM with 5x5 kernels, 512 channels."""
    return train_on_sports1m(on_vgg(convolve(5, channels=512)))


@row(source="Table IV, row 3", paper=(Expected("frame_top1", 0.8134, WHERE),))
def multi_3_5() -> RunConfig:
    """3x3 and 5x5 kernels, 256 channels each."""
    return train_on_sports1m(on_vgg(convolve(3, 5, channels=(256, 256))))
