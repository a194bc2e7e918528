"""Agethen and Hsu 2019, Table III: parameters of the recurrent layer, 512 channels into 256.

Paper: Deep Multi-Kernel Convolutional LSTM Networks and an Attention-Based Mechanism for Videos, IEEE Transactions on
    Multimedia 2019.
Data:  any; the paper's videos are UCF-101's (`data=ucf101`).
Run:   mudra cost --cell multi_kernel_conv_lstm in_channels=512 hidden_channels=[128,128] kernel_sizes=[3,5] --json
Cost:  seconds: the layer is counted, and nothing trained. A row is the whole network around it.
Differs from the paper: nothing in what is counted: millions of weights between the input and the gates
    (`weights_input_to_hidden`), and biases. The hidden maps' weights, half as many again, are left out there. With
    stacked 1x1 convolutions 9.1 M does not come out of any reading that mixes all gates: within each gate, which is
    the row here, it is 9,175,040; across all gates, 9,961,472. Three gates of the four would make 9,109,504.
"""

from __future__ import annotations

from mudra.cells import AnyRecurrentLayerConfig
from mudra.recipes.agethen2019.protocol import convolve, on_vgg, train_on_ucf101
from mudra.recipes.registry import Expected, row
from mudra.training import RunConfig

WHERE = "512 channels into 256"
ROUNDED = "within 0.05 of the paper"  # million weights: the paper prints one digit behind the point


def _run(cell: AnyRecurrentLayerConfig) -> RunConfig:
    return train_on_ucf101(on_vgg(cell))


def _count(millions: float) -> tuple[Expected, ...]:
    return (Expected("million_weights", millions, WHERE), Expected("biases", 1024, WHERE))


@row(source="Table III, row 1", paper=_count(4.7), status=ROUNDED)
def conv_3() -> RunConfig:
    """ConvLSTM with 3x3 kernels, 256 channels."""
    return _run(convolve(3, channels=256))


@row(source="Table III, row 2", paper=_count(13.1), status=ROUNDED)
def conv_5() -> RunConfig:
    """ConvLSTM with 5x5 kernels, 256 channels."""
    return _run(convolve(5, channels=256))


@row(source="Table III, row 3", paper=_count(25.7), status=ROUNDED)
def conv_7() -> RunConfig:
    """ConvLSTM with 7x7 kernels, 256 channels."""
    return _run(convolve(7, channels=256))


@row(source="Table III, row 4", paper=_count(8.9), status=ROUNDED)
def multi_3_5() -> RunConfig:
    """3x3 and 5x5 kernels, 128 channels each."""
    return _run(convolve(3, 5, channels=(128, 128)))


@row(source="Table III, row 5", paper=_count(9.1), status="differs: 9.175 million weights are counted")
def multi_3_5_mixed() -> RunConfig:
    """3x3 and 5x5 kernels, 128 channels each, with stacked 1x1 convolutions."""
    return _run(convolve(3, 5, channels=(128, 128), mixed=True))
