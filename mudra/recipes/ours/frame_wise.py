"""ours/frame_wise: a label for every frame as it comes; residual units with causal temporal convolutions, then an LSTM.

Data: left open; any of streams.
Run:  mudra train ours/frame_wise data.kind=segments data.path=segments.csv
"""

from __future__ import annotations

from mudra.backbones import FrameResNetConfig
from mudra.cells import PeepholeLSTMConfig
from mudra.clips import Augmentation, ClipSpec, DenseSampling
from mudra.heads import FrameClassifierConfig
from mudra.models import FrameWiseNetConfig
from mudra.recipes.registry import row
from mudra.training import AdamWConfig, FittingConfig, LoaderConfig, OneCycleConfig, RunConfig


@row(source="after Pigou et al. 2015, figure 1e, forwards only, with residual units")
def frame_wise() -> RunConfig:
    """Frame ResNet with causal temporal convolutions, one LSTM forwards; fragments of 64 frames of 64x64."""
    # Without peepholes, whole fragments run through PyTorch's own kernel.
    cell = PeepholeLSTMConfig(hidden_features=256, peepholes=False, initialisation="pytorch", forget_bias=1.0)
    return RunConfig(
        model=FrameWiseNetConfig(
            backbone=FrameResNetConfig(),
            grid=(2, 2),
            cells=(cell,),
            dropout=0.3,
            head=FrameClassifierConfig(dropout=0.3),
        ),
        clip=ClipSpec(
            num_frames=64,
            size=(64, 64),
            sampling=DenseSampling(time_scale=(1 / 1.2, 1.2)),
            mirror="never",
            augmentation=Augmentation(
                rotation_deg=10.0,
                scale=(0.9, 1.1),
                shift_fraction=0.06,
                brightness=0.3,
                contrast=0.3,
                saturation=0.3,
            ),
        ),
        loader=LoaderConfig(batch_size=8),
        optimiser=AdamWConfig(lr=2e-3, weight_decay=0.02),
        schedule=OneCycleConfig(warmup_fraction=0.15),
        fitting=FittingConfig(epochs=24, label_smoothing=0.1, ema_decay=0.995),
    )
