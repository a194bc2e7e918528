"""ours/small: trains on two CPU cores in minutes, on anybody's own clips.

Data: any (`mudra train FOLDER` takes this preset by itself).
Run:  mudra train FOLDER
"""

from __future__ import annotations

from mudra.backbones import MobileNetTopConfig, Res3DConfig, SeparableUnit
from mudra.cells import GatedConvLSTMConfig
from mudra.clips import Augmentation, ClipSpec, RelativeDepthChannels, UniformSampling
from mudra.heads import MeanClassifierConfig
from mudra.models import GestureNetConfig
from mudra.recipes.registry import row
from mudra.training import AdamWConfig, FittingConfig, LoaderConfig, OneCycleConfig, RunConfig


@row(source="after Zhang et al. 2018, figure 1, narrowed", status="runs")
def small() -> RunConfig:
    """Narrow Res3D, two gated ConvLSTM layers, two separable units; 16 frames of 80x80 around what moves."""
    cell = GatedConvLSTMConfig(hidden_channels=64, initialisation="pytorch", forget_bias=1.0)
    return RunConfig(
        model=GestureNetConfig(
            backbone=Res3DConfig(
                channels=(16, 16, 48, 96),
                num_units=1,
                stem_kernel=(3, 5, 5),
                block_strides=((1, 1, 1), (2, 2, 2), (1, 2, 2)),
                norm_momentum=0.1,
                zero_init_residual=True,
            ),
            cells=(cell, cell),
            top=MobileNetTopConfig(
                units=(SeparableUnit(128, 2), SeparableUnit(192, 2)), norm_momentum=0.1, between="norm_relu6"
            ),
            head=MeanClassifierConfig(dropout=0.3),
        ),
        clip=ClipSpec(
            num_frames=16,
            size=(80, 80),
            sampling=UniformSampling(jitter=True, min_span_fraction=0.8),
            region="motion",
            region_margin_fraction=0.03,
            depth=RelativeDepthChannels(clip_mm=200.0),
            # Right hands stay right hands: on SHREC'17, mirrored copies cost accuracy at equal epochs.
            mirror="never",
            augmentation=Augmentation(
                rotation_deg=15.0,
                scale=(0.85, 1.15),
                shift_fraction=0.06,
                brightness=0.3,
                contrast=0.3,
                saturation=0.3,
                hue=0.05,
                depth_stretch=(0.8, 1.25),
                depth_offset_mm=10.0,
            ),
        ),
        loader=LoaderConfig(batch_size=16),
        optimiser=AdamWConfig(lr=3e-3, weight_decay=0.02),
        schedule=OneCycleConfig(warmup_fraction=0.15),
        fitting=FittingConfig(epochs=30, label_smoothing=0.1, ema_decay=0.995),
    )
