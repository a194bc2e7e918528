"""Pigou et al. 2015, sections 4.1 and 4.2: frames of 64x64, fragments of neighbouring frames, Adam.

Learning rates, levels and mirroring are after the released code, where it says more than the paper or something else:
levels are divided by 255, nothing is taken away; half of the clips are mirrored; networks with temporal convolutions
start at 3e-4 and not at 1e-3.
"""

from __future__ import annotations

from mudra.clips import Augmentation, ClipSpec, DenseSampling, LevelDepthChannels, RgbChannels
from mudra.models import FrameWiseNetConfig
from mudra.training import AdamWConfig, ConstantConfig, FittingConfig, LoaderConfig, RunConfig
from mudra.types import Stream

NUM_CLASSES = 21  # twenty gestures, and none
FPS = 20.0
SIDE_PX = 64
SHIFT_PX = 5  # vertically; horizontally 10 in the paper


def train_on_montalbano(
    model: FrameWiseNetConfig, *, num_frames: int, lr: float = 1e-3, with_depth: bool = True
) -> RunConfig:
    """Return a run on fragments of Montalbano: RGB and depth unless told, batches of 32."""
    return RunConfig(
        model=model.model_copy(update={"num_classes": NUM_CLASSES}),
        clip=ClipSpec(
            streams=(Stream.RGB, Stream.DEPTH) if with_depth else (Stream.RGB,),
            num_frames=num_frames,
            size=(SIDE_PX, SIDE_PX),
            sampling=DenseSampling(fps=FPS),
            rgb=RgbChannels(mean=(0.0, 0.0, 0.0), divisor=(255.0, 255.0, 255.0)),
            depth=LevelDepthChannels(mean=0.0, divisor=255.0, num_channels=1),
            mirror="labels",
            augmentation=Augmentation(
                rotation_deg=2.0,
                scale=(1 / 1.1, 1.1),
                shift_fraction=SHIFT_PX / SIDE_PX,
                mirror_probability=0.5,
            ),
        ),
        loader=LoaderConfig(batch_size=32),
        optimiser=AdamWConfig(lr=lr, weight_decay=0.0),
        schedule=ConstantConfig(),
        fitting=FittingConfig(precision="float32", keep="best"),
    )
