"""Zhang et al. 2018, section 3.2: how the paper trains, on Jester from scratch and then on IsoGD.

What the paper leaves silent (means, cropping, jitter, schedule, decay) is after its released code: the largest square,
in training anywhere along the longer axis and in tests in the middle; levels less their mean, not divided; nothing
mirrored, nothing coloured.
"""

from __future__ import annotations

from mudra.clips import Augmentation, ClipSpec, FlowChannels, LevelDepthChannels, RgbChannels, UniformSampling
from mudra.models import GestureNetConfig
from mudra.training import FittingConfig, LoaderConfig, PolynomialConfig, RunConfig, SgdConfig
from mudra.types import Stream

JESTER_CLASSES = 27
ISOGD_CLASSES = 249
JESTER_RGB_MEAN = (114.0, 109.0, 104.0)
ISOGD_RGB_MEAN = (112.0, 112.0, 112.0)
DEPTH_MEAN = 127.0
# Flow pictures have 127 levels on either side of the middle one, which the mean takes away; how fast the outermost is,
# and what their third channel holds, is not on record: ours holds the speed.
FLOW_LEVELS, FLOW_BOUND_PX = 127.0, 20.0


def train_on_jester(model: GestureNetConfig) -> RunConfig:
    """Return a run on Jester from scratch: RGB, T = 16, batches of 16, 30 epochs."""
    clip = _make_clip(num_frames=16).model_copy(update={"rgb": _levels_less(JESTER_RGB_MEAN)})
    return _make_run(model, clip, num_classes=JESTER_CLASSES, batch_size=16, epochs=30)


def train_on_isogd(model: GestureNetConfig, stream: Stream, *, num_frames: int = 32) -> RunConfig:
    """Return a run on one stream of IsoGD: T = 32, batches of 8, 15 epochs; the paper starts from a run on Jester."""
    clip = _make_clip(num_frames=num_frames).model_copy(
        update={
            "streams": (stream,),
            "rgb": _levels_less(ISOGD_RGB_MEAN),
            "depth": LevelDepthChannels(mean=DEPTH_MEAN, num_channels=3),
            "flow": FlowChannels(clip_px=FLOW_BOUND_PX, scale_px=FLOW_BOUND_PX / FLOW_LEVELS, num_channels=3),
        }
    )
    return _make_run(model, clip, num_classes=ISOGD_CLASSES, batch_size=8, epochs=15)


def _make_clip(*, num_frames: int) -> ClipSpec:
    return ClipSpec(
        num_frames=num_frames,
        size=(112, 112),
        sampling=UniformSampling(jitter=True),
        mirror="never",
        augmentation=Augmentation(mirror_probability=0.0),
    )


def _levels_less(mean: tuple[float, float, float]) -> RgbChannels:
    return RgbChannels(mean=mean, divisor=(1.0, 1.0, 1.0))


def _make_run(model: GestureNetConfig, clip: ClipSpec, *, num_classes: int, batch_size: int, epochs: int) -> RunConfig:
    return RunConfig(
        model=model.model_copy(update={"num_classes": num_classes}),
        clip=clip,
        loader=LoaderConfig(batch_size=batch_size),
        optimiser=SgdConfig(lr=1e-3, momentum=0.9, weight_decay=1e-4),
        schedule=PolynomialConfig(power=0.9, last_lr=1e-6),
        fitting=FittingConfig(epochs=epochs, precision="float32"),
    )
