"""Agethen and Hsu 2019, sections III-B1 and IV-C2: ten frames of moving digits in, the ten that follow out.

Optimiser and length are those of the authors' public example: RMSprop at 1e-3 that falls as (1 + 1e-4 n)^-0.75, 20,000
steps of 16 clips. As in the other tables, all rows have the same cell but for its kernels, without peephole terms.
"""

from __future__ import annotations

from mudra.clips import Augmentation, ClipSpec
from mudra.datasets import JhmdbSkeletonsConfig, MovingDigitsConfig
from mudra.models import FutureNetConfig
from mudra.recipes.agethen2019.protocol import convolve
from mudra.training import FittingConfig, InverseConfig, LoaderConfig, RmspropConfig, RunConfig
from mudra.types import Stream

AnyDrawnConfig = MovingDigitsConfig | JhmdbSkeletonsConfig

CHANNELS = 256
BATCH_SIZE, EPOCHS = 16, 20  # epochs of the drawn sets' 16,000 clips


def predict_with(*kernel_sizes: int) -> FutureNetConfig:
    """Return the network whose layers share 256 channels out evenly among kernels of these sizes."""
    return FutureNetConfig(encoder=convolve(*kernel_sizes, channels=CHANNELS))


def train_on_digits(model: FutureNetConfig, *speeds_px: tuple[float, float], with_flow: bool = False) -> RunConfig:
    """Return a run on moving digits of MNIST, as many as there are ranges of speed."""
    return train_on_drawn(model, MovingDigitsConfig(speeds_px=speeds_px), with_flow=with_flow)


def train_on_drawn(model: FutureNetConfig, data: AnyDrawnConfig, *, with_flow: bool = False) -> RunConfig:
    """Return a run on clips that are drawn as training asks for them."""
    return RunConfig(
        model=model,
        data=data,
        clip=ClipSpec(
            streams=(Stream.RGB, Stream.FLOW) if with_flow else (Stream.RGB,),
            num_frames=data.num_frames - model.num_frames_out,
            size=data.size,
            mirror="never",
            augmentation=Augmentation(mirror_probability=0.0),
        ),
        loader=LoaderConfig(batch_size=BATCH_SIZE),
        optimiser=RmspropConfig(),
        schedule=InverseConfig(),
        fitting=FittingConfig(epochs=EPOCHS),
    )
