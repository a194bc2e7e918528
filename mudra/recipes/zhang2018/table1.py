"""Zhang et al. 2018, Table 1: the recurrent part of Res3D + ConvLSTM + MobileNet, on Jester and then on IsoGD.

Paper: Attention in Convolutional LSTM for Gesture Recognition, NeurIPS 2018.
Data:  Jester v1, as its makers give it (`data=jester`), or any folder of clips (`data=folder`); rows that end in
    `_isogd`: IsoGD (`data=isogd`). IsoGD's column of the first two rows is `table2/conv_lstm_rgb` and
    `table2/variant_a_rgb`.
Run:   mudra train zhang2018/table1/variant_a data=jester data.root=jester --out runs/jester
       mudra train zhang2018/table1/variant_b_isogd data=isogd data.root=isogd init_from=runs/jester_b
Cost:  not yet run. Without training: mudra cost zhang2018/table1/variant_a
Differs from the paper: nothing known; silent details (padding, means, initialisation, schedule, the attention cell in
    the first layer alone) after its released code. The gates use the sigmoid that the paper writes; its code's is
    `model.cells=[{kind: gated_conv_lstm, gate_activation: hard_sigmoid_keras}, ...]`. Symmetric padding instead of
    TensorFlow's: `model.backbone.padding=symmetric model.top.padding=symmetric`.
"""

from __future__ import annotations

from mudra.cells import (
    AnyCellConfig,
    ConvLSTMConfig,
    GatedConvLSTMConfig,
    InputAttentionConvLSTMConfig,
    InputGateAttentionConvLSTMConfig,
    OutputGateAttentionConvLSTMConfig,
)
from mudra.models import GestureNetConfig
from mudra.recipes.registry import Expected, row
from mudra.recipes.zhang2018.protocol import train_on_isogd, train_on_jester
from mudra.training import RunConfig
from mudra.types import Stream


def _network(first: AnyCellConfig, second: AnyCellConfig) -> GestureNetConfig:
    return GestureNetConfig(cells=(first, second))


def _attend(cell: AnyCellConfig) -> GestureNetConfig:
    """Return the network of (b), (c) or (d): the attention cell first, variant (a) second."""
    return _network(cell, GatedConvLSTMConfig())


@row(
    source="Table 1, row 1",
    paper=(Expected("top1", 0.9511, "Jester validation"), Expected("top1", 0.5201, "IsoGD validation")),
)
def conv_lstm() -> RunConfig:
    """Plain ConvLSTM in both layers, RGB, T = 16, from scratch on Jester."""
    return train_on_jester(_network(ConvLSTMConfig(), ConvLSTMConfig()))


@row(
    source="Table 1, row 2",
    paper=(Expected("top1", 0.9512, "Jester validation"), Expected("top1", 0.5598, "IsoGD validation")),
)
def variant_a() -> RunConfig:
    """Variant (a): no convolutions in the gates, RGB, T = 16, from scratch on Jester."""
    return train_on_jester(_network(GatedConvLSTMConfig(), GatedConvLSTMConfig()))


@row(
    source="Table 1, row 3",
    paper=(Expected("top1", 0.9418, "Jester validation"), Expected("top1", 0.4393, "IsoGD validation")),
)
def variant_b() -> RunConfig:
    """Variant (b): attention on the input, then (a), RGB, T = 16, from scratch on Jester."""
    return train_on_jester(_attend(InputAttentionConvLSTMConfig()))


@row(source="Table 1, row 3", paper=(Expected("top1", 0.4393, "IsoGD validation"),))
def variant_b_isogd() -> RunConfig:
    """Variant (b) on IsoGD, RGB, T = 32, from the weights of `variant_b`."""
    return train_on_isogd(_attend(InputAttentionConvLSTMConfig()), Stream.RGB)


@row(
    source="Table 1, row 4",
    paper=(Expected("top1", 0.9513, "Jester validation"), Expected("top1", 0.5327, "IsoGD validation")),
)
def variant_c() -> RunConfig:
    """Variant (c): attention as input gate, then (a), RGB, T = 16, from scratch on Jester."""
    return train_on_jester(_attend(InputGateAttentionConvLSTMConfig()))


@row(source="Table 1, row 4", paper=(Expected("top1", 0.5327, "IsoGD validation"),))
def variant_c_isogd() -> RunConfig:
    """Variant (c) on IsoGD, RGB, T = 32, from the weights of `variant_c`."""
    return train_on_isogd(_attend(InputGateAttentionConvLSTMConfig()), Stream.RGB)


@row(
    source="Table 1, row 5",
    paper=(Expected("top1", 0.9510, "Jester validation"), Expected("top1", 0.5411, "IsoGD validation")),
)
def variant_d() -> RunConfig:
    """Variant (d): attention as output gate, then (a), RGB, T = 16, from scratch on Jester."""
    return train_on_jester(_attend(OutputGateAttentionConvLSTMConfig()))


@row(source="Table 1, row 5", paper=(Expected("top1", 0.5411, "IsoGD validation"),))
def variant_d_isogd() -> RunConfig:
    """Variant (d) on IsoGD, RGB, T = 32, from the weights of `variant_d`."""
    return train_on_isogd(_attend(OutputGateAttentionConvLSTMConfig()), Stream.RGB)
