"""Pigou et al. 2015, Table 1: the architectures of figure 1 on cropped RGB-D frames of Montalbano.

Paper: Beyond Temporal Pooling: Recurrence and Temporal Convolutions for Gesture Recognition in Video, arXiv:1506.01911.
Data:  Montalbano (ChaLearn Looking at People 2014, track 3), or any data set of streams: data.kind, data.root.
Run:   mudra train pigou2015/table1/temporal_conv_lstm data.kind=montalbano data.root=...
Cost:  not yet run. Without training: mudra cost pigou2015/table1/lstm
Differs from the paper: the learning rates and what belongs to them are the released code's, which are not one for all.
    An epoch is as many fragments as cover every stream once, 30 of them are the budget, and the best epoch of the
    validation streams is kept in place of early stopping. Factors of the size are as often below 1 as above. The hidden
    layers of `temporal_conv` start orthogonal like all others; that code's normal ones are
    `model.head.initialisation=normal`.
"""

from __future__ import annotations

from mudra.backbones import FrameTrunkConfig
from mudra.cells import AnyVectorCellConfig, BidirectionalVectorConfig, PeepholeLSTMConfig, RNNConfig
from mudra.heads import FrameClassifierConfig
from mudra.models import FrameWiseNetConfig, WindowConfig
from mudra.recipes.pigou2015.protocol import Fitting, train_on_montalbano
from mudra.recipes.registry import Expected, row
from mudra.training import RunConfig

WHERE = "Montalbano test"
FRAGMENT_FRAMES = 64
# Gradients of all but `single_frame` and `lstm` are small at first: their rates rise to what they are.
POOLING = Fitting(warmup_steps=10, start_lr=1e-4)
TEMPORAL_CONV_LSTM = Fitting(lr=3e-4, warmup_steps=10, start_lr=1e-4, ramp_steps=200, batch_size=4)
TWO_LAYERS = FrameClassifierConfig(hidden_features=(2048, 2048))


def _numbers(jaccard: float, precision: float, recall: float, error_rate: float) -> tuple[Expected, ...]:
    values = {"jaccard": jaccard, "precision": precision, "recall": recall, "error_rate": error_rate}
    return tuple(Expected(metric, value, WHERE) for metric, value in values.items())


def _look_at_window(window: WindowConfig | None, backbone: FrameTrunkConfig) -> FrameWiseNetConfig:
    return FrameWiseNetConfig(backbone=backbone, window=window, cells=(), head=TWO_LAYERS)


def _recur(cell: AnyVectorCellConfig, *, hidden_features: int, backbone: FrameTrunkConfig) -> FrameWiseNetConfig:
    layer = BidirectionalVectorConfig(hidden_features=hidden_features, cell=cell)
    return FrameWiseNetConfig(backbone=backbone, cells=(layer,))


@row(source="Table 1, row 1", paper=_numbers(0.465, 0.6786, 0.5757, 0.2068))
def single_frame() -> RunConfig:
    """Every frame by itself (figure 1a)."""
    return train_on_montalbano(_look_at_window(None, FrameTrunkConfig()), num_frames=1)


@row(source="Table 1, row 2", paper=_numbers(0.748, 0.8503, 0.8292, 0.0866))
def max_pooling() -> RunConfig:
    """Largest features of 16 frames (figure 1b); the paper starts from `single_frame` (init_from=RUN)."""
    window = WindowConfig(num_frames=16, pooling="max")
    return train_on_montalbano(
        _look_at_window(window, FrameTrunkConfig()), num_frames=16, fitting=POOLING._replace(lr=3e-4)
    )


@row(source="Table 1, row 3", paper=_numbers(0.775, 0.8593, 0.8580, 0.0855))
def mean_pooling() -> RunConfig:
    """Mean features of 32 frames (figure 1b)."""
    window = WindowConfig(num_frames=32, pooling="mean")
    return train_on_montalbano(_look_at_window(window, FrameTrunkConfig()), num_frames=32, fitting=POOLING)


@row(source="Table 1, row 4", paper=_numbers(0.842, 0.8936, 0.9015, 0.0467))
def temporal_conv() -> RunConfig:
    """Temporal convolutions and pooling over space and time, 32 frames (figure 1d)."""
    window = WindowConfig(num_frames=32, pooling="flatten")
    trunk = FrameTrunkConfig(temporal_conv="centred", pool_time=True)
    fitting = Fitting(lr=3e-4, warmup_steps=500, start_lr=3e-6, ramp_steps=500)
    return train_on_montalbano(_look_at_window(window, trunk), num_frames=32, fitting=fitting)


@row(source="Table 1, row 5", paper=_numbers(0.885, 0.9277, 0.9356, 0.0358))
def rnn() -> RunConfig:
    """Bidirectional recurrence of standard cells (figure 1c)."""
    model = _recur(RNNConfig(), hidden_features=2048, backbone=FrameTrunkConfig())
    fitting = Fitting(warmup_steps=100, start_lr=3e-7)
    return train_on_montalbano(model, num_frames=FRAGMENT_FRAMES, fitting=fitting)


@row(source="Table 1, row 6", paper=_numbers(0.888, 0.9375, 0.9328, 0.0355))
def lstm() -> RunConfig:
    """Bidirectional recurrence of LSTM cells (figure 1c)."""
    model = _recur(PeepholeLSTMConfig(), hidden_features=512, backbone=FrameTrunkConfig())
    return train_on_montalbano(model, num_frames=FRAGMENT_FRAMES)


@row(source="Table 1, row 7", paper=_numbers(0.906, 0.9449, 0.9457, 0.0277))
def temporal_conv_lstm() -> RunConfig:
    """Temporal convolutions and bidirectional recurrence of LSTM cells (figure 1e)."""
    model = _recur(PeepholeLSTMConfig(), hidden_features=512, backbone=FrameTrunkConfig(temporal_conv="centred"))
    return train_on_montalbano(model, num_frames=FRAGMENT_FRAMES, fitting=TEMPORAL_CONV_LSTM)
