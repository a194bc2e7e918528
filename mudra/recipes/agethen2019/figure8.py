"""Agethen and Hsu 2019, Figure 8: UCF-101 on VGG-16, 512 channels shared out between 3x3 and 5x5 kernels.

Paper: Deep Multi-Kernel Convolutional LSTM Networks and an Attention-Based Mechanism for Videos, IEEE Transactions on
    Multimedia 2019. The figure prints no numbers; where Table I has a row of the same network, its number stands here.
Data:  UCF-101, split 1 (`data=ucf101`); 101 classes.
Run:   mudra train agethen2019/figure8/c3_384 data=ucf101 data.root=ucf101
Cost:  not yet run. Without training: mudra cost agethen2019/figure8/c3_384
Differs from the paper: as Table I; which shares its figure shows is not in the text: ours are quarters.
"""

from __future__ import annotations

from mudra.recipes.agethen2019.protocol import convolve, on_vgg, train_on_ucf101
from mudra.recipes.registry import Expected, row
from mudra.training import RunConfig

WHERE = "UCF-101 test, split 1"
NUM_CHANNELS = 512


def _share(channels_3: int) -> RunConfig:
    """Return the run with so many channels from 3x3 kernels, and the others from 5x5 ones."""
    rest = NUM_CHANNELS - channels_3
    if not rest or not channels_3:
        return train_on_ucf101(on_vgg(convolve(3 if channels_3 else 5, channels=NUM_CHANNELS)))
    return train_on_ucf101(on_vgg(convolve(3, 5, channels=(channels_3, rest))))


@row(source="Figure 8, and Table I, row 2", paper=(Expected("frame_top1", 0.7220, WHERE),))
def c3_0() -> RunConfig:
    """All 512 channels from 5x5 kernels."""
    return _share(0)


@row(source="Figure 8")
def c3_128() -> RunConfig:
    """128 channels from 3x3 kernels, 384 from 5x5 ones."""
    return _share(128)


@row(source="Figure 8, and Table I, row 3", paper=(Expected("frame_top1", 0.7318, WHERE),))
def c3_256() -> RunConfig:
    """256 channels from 3x3 kernels, 256 from 5x5 ones."""
    return _share(256)


@row(source="Figure 8")
def c3_384() -> RunConfig:
    """384 channels from 3x3 kernels, 128 from 5x5 ones."""
    return _share(384)


@row(source="Figure 8, and Table I, row 1", paper=(Expected("frame_top1", 0.7127, WHERE),))
def c3_512() -> RunConfig:
    """All 512 channels from 3x3 kernels."""
    return _share(512)
