"""Agethen and Hsu 2019, Table VII: the future of people's skeletons, local motion, by the size of the kernels.

Paper: Deep Multi-Kernel Convolutional LSTM Networks and an Attention-Based Mechanism for Videos, IEEE Transactions on
    Multimedia 2019. Sigmoid cross-entropy, summed over pixels and time.
Data:  J-HMDB with its joint positions: data.root=FOLDER
Run:   mudra train agethen2019/table7/normal_3 data.root=jhmdb
Cost:  not yet run. Without training: mudra cost agethen2019/table7/normal_3
Differs from the paper: how many frames are seen and predicted is not in its text, so that losses cannot be compared
    with its numbers, only their order: here 6 and 6, as many as every third frame of J-HMDB's short clips allows. Two
    3x3 convolutions of 64 channels behind the max-pooling, predicted pixels by a 1x1 convolution to patches of 2x2,
    optimiser and length as for moving digits, and split 1 are ours; no peephole terms.
"""

from __future__ import annotations

from mudra.datasets import JhmdbSkeletonsConfig
from mudra.recipes.agethen2019.prediction import predict_with, train_on_drawn
from mudra.recipes.registry import Expected, row
from mudra.training import RunConfig

NUM_PREDICTED = 6
STEM_CHANNELS = (64, 64)
FAST_STEP = 3


def _loss(value: float, speed: str) -> tuple[Expected, ...]:
    return (Expected("cross_entropy", value, f"J-HMDB test, {speed} speed"),)


def _predict_skeletons(kernel_size: int, *, frame_step: int = 1) -> RunConfig:
    stem = {"patch_size": 2, "stem_channels": STEM_CHANNELS, "num_frames_out": NUM_PREDICTED}
    model = predict_with(kernel_size).model_copy(update=stem)
    return train_on_drawn(model, JhmdbSkeletonsConfig(frame_step=frame_step))


@row(source="Table VII, row 1", paper=_loss(1288, "normal"))
def normal_3() -> RunConfig:
    """3x3 kernels, every frame."""
    return _predict_skeletons(3)


@row(source="Table VII, row 2", paper=_loss(1295, "normal"))
def normal_5() -> RunConfig:
    """5x5 kernels, every frame."""
    return _predict_skeletons(5)


@row(source="Table VII, row 3", paper=_loss(1331, "normal"))
def normal_7() -> RunConfig:
    """7x7 kernels, every frame."""
    return _predict_skeletons(7)


@row(source="Table VII, row 1", paper=_loss(1521, "fast"))
def fast_3() -> RunConfig:
    """3x3 kernels, every third frame."""
    return _predict_skeletons(3, frame_step=FAST_STEP)


@row(source="Table VII, row 2", paper=_loss(1521, "fast"))
def fast_5() -> RunConfig:
    """5x5 kernels, every third frame."""
    return _predict_skeletons(5, frame_step=FAST_STEP)


@row(source="Table VII, row 3", paper=_loss(1553, "fast"))
def fast_7() -> RunConfig:
    """7x7 kernels, every third frame."""
    return _predict_skeletons(7, frame_step=FAST_STEP)
