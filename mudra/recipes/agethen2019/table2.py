"""Agethen and Hsu 2019, Table II: time per iteration of the recurrent layer, 512 channels into 256.

Paper: Deep Multi-Kernel Convolutional LSTM Networks and an Attention-Based Mechanism for Videos, IEEE Transactions on
    Multimedia 2019. The machine is not named.
Data:  any; the paper's videos are UCF-101's (`data=ucf101`).
Run:   python -m benchmarks.layer_time; without times: mudra cost agethen2019/table2/multi_3_5
Cost:  about twelve minutes; measured on a CPU, in docs/numbers.md.
Differs from the paper: the numbers are seconds of the layer alone, for batches of 10 videos of 20 frames on maps of
    14x14. A row is the whole network around that layer; what can be compared between machines is each row's ratio to
    the first one's: 1.29, 1.17 and 1.22 in training.
"""

from __future__ import annotations

from mudra.cells import AnyRecurrentLayerConfig
from mudra.recipes.agethen2019.protocol import convolve, on_vgg, train_on_ucf101
from mudra.recipes.registry import Expected, row
from mudra.training import RunConfig

NUM_FRAMES = 20
WHERE = "10 videos of 20 frames"


def _run(cell: AnyRecurrentLayerConfig) -> RunConfig:
    return train_on_ucf101(on_vgg(cell)).with_overrides({"clip.num_frames": NUM_FRAMES})


def _seconds(training: float, testing: float) -> tuple[Expected, ...]:
    return (Expected("training_s", training, WHERE), Expected("testing_s", testing, WHERE))


@row(source="Table II, row 1", paper=_seconds(3.424, 2.821), status="runs")
def conv_3() -> RunConfig:
    """ConvLSTM with 3x3 kernels, 256 channels."""
    return _run(convolve(3, channels=256))


@row(source="Table II, row 2", paper=_seconds(4.430, 3.290), status="differs: 2.45 times row 1 in training on a CPU")
def conv_5() -> RunConfig:
    """ConvLSTM with 5x5 kernels, 256 channels."""
    return _run(convolve(5, channels=256))


@row(source="Table II, row 3", paper=_seconds(4.007, 3.008), status="differs: 1.75 times row 1 in training on a CPU")
def multi_3_5() -> RunConfig:
    """3x3 and 5x5 kernels, 128 channels each."""
    return _run(convolve(3, 5, channels=(128, 128)))


@row(source="Table II, row 4", paper=_seconds(4.176, 3.072), status="differs: 2.10 times row 1 in training on a CPU")
def multi_3_5_mixed() -> RunConfig:
    """3x3 and 5x5 kernels, 128 channels each, with stacked 1x1 convolutions."""
    return _run(convolve(3, 5, channels=(128, 128), mixed=True))
