"""Zhang et al. 2018, Table 1: the recurrent part of Res3D + ConvLSTM + MobileNet, on Jester.

Paper: Attention in Convolutional LSTM for Gesture Recognition, NeurIPS 2018.
Data:  Jester v1 frames in a folder per class, or a CSV of them (`data.kind=folder data.root=...`).
Run:   mudra train zhang2018/table1/variant_a data.kind=folder data.root=jester
Cost:  not yet run.
Differs from the paper: nothing known; silent details (padding, means, initialisation, schedule) after its released
    code. The gates use the sigmoid that the paper writes; its code's is
    `model.cells=[{kind: gated_conv_lstm, gate_activation: hard_sigmoid_keras}, ...]`.
"""

from __future__ import annotations

from mudra.cells import ConvLSTMConfig, GatedConvLSTMConfig
from mudra.clips import Augmentation, ClipSpec, RgbChannels, UniformSampling
from mudra.models import GestureNetConfig
from mudra.recipes.registry import Expected, row
from mudra.training import FittingConfig, LoaderConfig, PolynomialConfig, RunConfig, SgdConfig


@row(
    source="Table 1, row 1",
    paper=(Expected("top1", 0.9511, "Jester validation"), Expected("top1", 0.5201, "IsoGD validation")),
)
def conv_lstm() -> RunConfig:
    """Plain ConvLSTM in both layers, RGB, T = 16, from scratch on Jester."""
    return RunConfig(
        model=GestureNetConfig(num_classes=27, cells=(ConvLSTMConfig(), ConvLSTMConfig())),
        clip=ClipSpec(
            num_frames=16,
            size=(112, 112),
            sampling=UniformSampling(jitter=True),
            rgb=RgbChannels(mean=(114.0, 109.0, 104.0), divisor=(1.0, 1.0, 1.0)),
            mirror="never",
            augmentation=Augmentation(mirror_probability=0.0),
        ),
        loader=LoaderConfig(batch_size=16),
        optimiser=SgdConfig(lr=1e-3, momentum=0.9, weight_decay=1e-4),
        schedule=PolynomialConfig(power=0.9, last_lr=1e-6),
        fitting=FittingConfig(epochs=30, precision="float32"),
    )


@row(
    source="Table 1, row 2",
    paper=(Expected("top1", 0.9512, "Jester validation"), Expected("top1", 0.5598, "IsoGD validation")),
)
def variant_a() -> RunConfig:
    """Variant (a): no convolutions in the gates, RGB, T = 16, from scratch on Jester."""
    plain = conv_lstm()
    cells = (GatedConvLSTMConfig(), GatedConvLSTMConfig())
    return plain.model_copy(update={"model": plain.model.model_copy(update={"cells": cells})})
