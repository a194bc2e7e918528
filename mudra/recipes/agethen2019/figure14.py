"""Agethen and Hsu 2019, Figure 14: a slow and a fast digit, and the masks of flow through which two kernels see them.

Paper: Deep Multi-Kernel Convolutional LSTM Networks and an Attention-Based Mechanism for Videos, IEEE Transactions on
    Multimedia 2019, section IV-C2: of 16 masks of the 5x5 kernel 10 let the slow digit through, of the 7x7 kernel's 11
    the fast one, in the last frame of one sequence.
Data:  moving digits of MNIST: data.root=FOLDER with its idx files, or data.source=sklearn
Run:   mudra train agethen2019/figure14/masks data.root=mnist
Cost:  not yet run. Without training: mudra cost agethen2019/figure14/masks
Differs from the paper: its text does not say what the flow is; here it is the digits' true displacement since the frame
    before, divided by 4 pixels, in whole pixels. Average speeds of 1 and 8 are ranges of 0.5 to 1.5 and of 7 to 9.
"""

from __future__ import annotations

from mudra.recipes.agethen2019.prediction import predict_with, train_on_digits
from mudra.recipes.registry import Expected, row
from mudra.training import RunConfig

SLOW_PX, FAST_PX = (0.5, 1.5), (7.0, 9.0)
WHERE = "masks of one sequence's last frame"


@row(
    source="Figure 14",
    paper=(Expected("slow_in_5x5", 10 / 16, WHERE), Expected("fast_in_7x7", 11 / 16, WHERE)),
)
def masks() -> RunConfig:
    """5x5 and 7x7 kernels that see their input through masks of flow."""
    return train_on_digits(predict_with(5, 7), SLOW_PX, FAST_PX, with_flow=True)
