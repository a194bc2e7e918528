"""Pigou et al. 2015, sections 4.1 and 4.2: frames of 64x64, fragments of neighbouring frames, Adam.

Learning rates, their decay and warm-up, dropout, levels and mirroring are after the released code, where it says more
than the paper or something else: levels are divided by 255, nothing is taken away; half of the clips are mirrored;
networks with temporal convolutions start at 3e-4 and not at 1e-3. That code has its channels in the order blue, green,
red, depth, on which nothing depends.
"""

from __future__ import annotations

from typing import NamedTuple

from mudra.clips import Augmentation, ClipSpec, DenseSampling, LevelDepthChannels, RgbChannels
from mudra.models import FrameWiseNetConfig
from mudra.training import AdamWConfig, DecayConfig, FittingConfig, LoaderConfig, RunConfig
from mudra.types import Stream

NUM_CLASSES = 21  # twenty gestures, and none
FPS = 20.0
SIDE_PX = 64
SHIFT_X_PX, SHIFT_Y_PX = 10, 5
STEP_FRAGMENTS = 32
STRETCH = 1.2


class Fitting(NamedTuple):
    """How one network was fitted.

    Args:
        lr: Learning rate.
        warmup_steps, start_lr: Updates in which it rises, and from where.
        ramp_steps: Updates in which dropout rises.
        batch_size: Fragments at once; gradients are averaged over 32.
    """

    lr: float = 1e-3
    warmup_steps: int = 0
    start_lr: float = 1e-4
    ramp_steps: int = 0
    batch_size: int = 8


def train_on_montalbano(
    model: FrameWiseNetConfig,
    *,
    num_frames: int,
    fitting: Fitting = Fitting(),  # noqa: B008  a NamedTuple never changes
    with_depth: bool = True,
) -> RunConfig:
    """Return a run on fragments of Montalbano: RGB and depth unless told, steps of 32 fragments."""
    return RunConfig(
        model=model.model_copy(update={"num_classes": NUM_CLASSES}),
        clip=ClipSpec(
            streams=(Stream.RGB, Stream.DEPTH) if with_depth else (Stream.RGB,),
            num_frames=num_frames,
            size=(SIDE_PX, SIDE_PX),
            crop="stretch",  # the square around the person, which is none where the frame ends
            sampling=DenseSampling(fps=FPS, time_scale=(1 / STRETCH, STRETCH)),
            rgb=RgbChannels(mean=(0.0, 0.0, 0.0), divisor=(255.0, 255.0, 255.0)),
            depth=LevelDepthChannels(mean=0.0, divisor=255.0, num_channels=1),
            mirror="labels",
            augmentation=Augmentation(
                rotation_deg=2.0,
                shear_deg=2.0,
                scale=(1 / 1.1, 1.1),
                scale_axes="apart",
                shift_fraction=SHIFT_X_PX / SIDE_PX,
                shift_y_fraction=SHIFT_Y_PX / SIDE_PX,
                interpolation="nearest",
                beyond="edge",
                mirror_probability=0.5,
            ),
        ),
        loader=LoaderConfig(batch_size=fitting.batch_size),
        optimiser=AdamWConfig(lr=fitting.lr, weight_decay=0.0),
        schedule=DecayConfig(decay=1e-4, warmup_steps=fitting.warmup_steps, start_lr=fitting.start_lr),
        fitting=FittingConfig(
            accumulate=STEP_FRAGMENTS // fitting.batch_size,
            dropout_ramp_steps=fitting.ramp_steps,
            precision="float32",
            keep="best",
        ),
    )
