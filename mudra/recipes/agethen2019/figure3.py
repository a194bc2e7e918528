"""Agethen and Hsu 2019, Figure 3: the future of one moving digit, by the digit's speed and the size of the kernels.

Paper: Deep Multi-Kernel Convolutional LSTM Networks and an Attention-Based Mechanism for Videos, IEEE Transactions on
    Multimedia 2019. The figure prints no numbers; it shows the test loss of 3x3, 5x5 and 7x7 kernels by average speed,
    a network for each.
Data:  moving digits of MNIST: data.root=FOLDER with its idx files, or data.source=sklearn
Run:   mudra train agethen2019/figure3/multi_3_5 data.root=mnist 'data.speeds_px=[[3,5]]'
Cost:  not yet run. Without training: mudra cost agethen2019/figure3/multi_3_5
Differs from the paper: two rows with kernels of two sizes, which its figure does not have; no peephole terms; a speed
    is drawn from a range of 2 pixels per frame around the average, as the range is not in the text; digits for training
    and for the test are 8,000 and 2,000 of MNIST's test file (data.digit_split=official for all of MNIST).
"""

from __future__ import annotations

from mudra.recipes.agethen2019.prediction import predict_with, train_on_digits
from mudra.recipes.registry import row
from mudra.training import RunConfig

SPEED_PX = (3.0, 5.0)


@row(source="Figure 3")
def single_3() -> RunConfig:
    """3x3 kernels, digits of 3 to 5 pixels per frame."""
    return train_on_digits(predict_with(3), SPEED_PX)


@row(source="Figure 3")
def single_5() -> RunConfig:
    """5x5 kernels, digits of 3 to 5 pixels per frame."""
    return train_on_digits(predict_with(5), SPEED_PX)


@row(source="Figure 3")
def single_7() -> RunConfig:
    """7x7 kernels, digits of 3 to 5 pixels per frame."""
    return train_on_digits(predict_with(7), SPEED_PX)


@row(source="Figure 3")
def multi_3_5() -> RunConfig:
    """3x3 and 5x5 kernels, digits of 3 to 5 pixels per frame."""
    return train_on_digits(predict_with(3, 5), SPEED_PX)


@row(source="Figure 3")
def multi_3_7() -> RunConfig:
    """3x3 and 7x7 kernels, digits of 3 to 5 pixels per frame."""
    return train_on_digits(predict_with(3, 7), SPEED_PX)
