"""ClipSpec: how frames become a clip, alike in training, evaluation, prediction and live use; saved with the run."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from mudra.clips.augmentation import Augmentation
from mudra.clips.channels import AnyDepthChannels, FlowChannels, RelativeDepthChannels, RgbChannels
from mudra.clips.flow import FlowQuality
from mudra.clips.sampling import AnySampling, DenseSampling, UniformSampling
from mudra.clips.target import DepthTarget
from mudra.config import Config
from mudra.types import Stream

CropScale = Annotated[float, Field(gt=0.0, le=1.0)]

# The window is this much wider than the clip, so that moving, turning and shrinking it shows pixels that were there.
MOTION_WINDOW_MARGIN = 1.25


class View(NamedTuple):
    """One test view: which clip in time, which crop in space."""

    clip: int = 0
    crop: int = 0


class ClipSpec(Config):
    """How frames become a clip."""

    streams: Annotated[tuple[Stream, ...], Field(min_length=1)] = (Stream.RGB,)
    """What the network sees, side by side along the channels, in this order."""
    num_frames: PositiveInt = 16
    """Frames of a clip (T)."""
    size: tuple[PositiveInt, PositiveInt] = (112, 112)
    """Height and width of a clip in pixels (H, W)."""
    sampling: AnySampling = UniformSampling()
    """Which frames are taken."""
    max_frames: PositiveInt = 64
    """Where every frame must be looked at (region `motion`, caches, several views): at most so many, evenly chosen.
    Dense sampling takes neighbouring frames, and looks at all of them."""
    region: Literal["frame", "motion"] = "frame"
    """`frame`: the whole picture; `motion`: one square window per clip around what moves."""
    region_margin_fraction: NonNegativeFloat = 0.1
    """For region `motion`: what is added around what moves, as a fraction of the window."""
    depth_reach_mm: PositiveFloat | None = None
    """In depth frames where the sensor's software has cut out the hand (most pixels are not measured): pixels further
    than this from their frame's median are leftovers of the background and count as not measured. None keeps them."""
    crop: Literal["square", "stretch", "corners", "stretched_corners"] = "square"
    """For region `frame`: `square` cuts the largest window of the clip's shape, anywhere along the longer axis in
    training and from the middle in tests; `stretch` scales the whole frame to the clip's size. `corners` and
    `stretched_corners` do the same in tests; in training they cut one of several sizes (`crop_scales`) out of that, at
    one of 13 places, and scale it to the clip's size."""
    crop_scales: Annotated[tuple[CropScale, ...], Field(min_length=1)] = (1.0, 0.875, 0.75, 0.66)
    """For `corners` and `stretched_corners`: heights and widths of crops as shares of the clip's, largest first; the
    two are drawn at most one place of this list apart."""
    test_size: tuple[PositiveInt, PositiveInt] | None = None
    """Height and width in pixels of test clips; None for `size`. The network must take both."""
    rgb: RgbChannels = RgbChannels()
    """Colour levels into channels."""
    depth: AnyDepthChannels = RelativeDepthChannels()
    """Depth into channels."""
    flow: FlowChannels = FlowChannels()
    """Flow into channels."""
    flow_quality: FlowQuality = "fast"
    """Preset of the flow search."""
    mirror: Literal["labels", "never"] = "labels"
    """`labels`: in training, mirror clips and change their labels to the mirrored gesture's, where the data set names
    a partner for every class; `never`: do not."""
    augmentation: Augmentation = Augmentation()
    """What chance does to training clips."""
    target: DepthTarget | None = None
    """Depth that a decoder learns in training, cut and turned as the clip is; the network does not see it, and
    recordings without depth have none. None for nothing."""
    num_test_clips: PositiveInt = 1
    """Clips per recording in tests; their probabilities are averaged."""
    test_clips: Literal["shifted", "random"] = "shifted"
    """Where there are several: evenly shifted in time, or `random`, drawn as in training from a seed for each, the same
    for every recording."""
    num_test_crops: Literal[1, 3] = 1
    """Crops per clip in tests: the middle, or both ends and the middle of the longer axis."""

    @model_validator(mode="after")
    def _check_streams(self) -> ClipSpec:
        if len(set(self.streams)) != len(self.streams):
            raise ValueError(f"streams {[s.value for s in self.streams]} names one twice")
        if self.num_test_crops > 1 and (self.region != "frame" or self.crop not in ("square", "corners")):
            raise ValueError(
                "num_test_crops=3 needs region='frame' and crop='square' or 'corners': other windows have no ends"
            )
        if (
            self.num_test_clips > 1
            and isinstance(self.sampling, DenseSampling)
            and self.sampling.first_frame is not None
        ):
            raise ValueError("num_test_clips is above 1, but sampling.first_frame makes all of them the same clip")
        if self.cuts_corners and self.region != "frame":
            raise ValueError(f"crop={self.crop!r} needs region='frame'")
        if list(self.crop_scales) != sorted(self.crop_scales, reverse=True):
            raise ValueError(f"crop_scales is {self.crop_scales}; wanted the largest first")
        return self

    @property
    def cuts_corners(self) -> bool:
        """Whether training cuts crops of several sizes."""
        return self.crop in ("corners", "stretched_corners")

    @property
    def is_stretched(self) -> bool:
        """Whether frames are scaled to the clip's shape, whatever their own."""
        return self.crop in ("stretch", "stretched_corners")

    def for_tests(self) -> ClipSpec:
        """Return how frames become test clips: at the size of tests, and without anything that training alone needs.

        Example:
            >>> spec = ClipSpec(crop="corners", test_size=(128, 128), target=DepthTarget()).for_tests()
            >>> spec.crop, spec.size, spec.test_size, spec.target
            ('square', (128, 128), None, None)
        """
        crop = self.crop
        if self.cuts_corners:
            crop = "stretch" if self.is_stretched else "square"
        size = self.test_size or self.size
        return self.model_copy(update={"crop": crop, "size": size, "test_size": None, "target": None})

    @property
    def num_channels(self) -> int:
        """Channels of a clip (C), all streams together."""
        return sum(self.channels_of(stream) for stream in self.streams)

    def channels_of(self, stream: Stream) -> int:
        """Return how many channels one stream has."""
        channels = {Stream.RGB: self.rgb, Stream.DEPTH: self.depth, Stream.FLOW: self.flow}[stream]
        return int(channels.num_channels)

    @property
    def window_size(self) -> tuple[int, int]:
        """Height and width in pixels of the window that `motion` cuts, before augmentation."""
        if self.region == "frame":
            return self.size
        height, width = self.size
        return round(height * MOTION_WINDOW_MARGIN), round(width * MOTION_WINDOW_MARGIN)

    @property
    def test_views(self) -> tuple[View, ...]:
        """All views of a recording in tests."""
        return tuple(View(clip, crop) for clip in range(self.num_test_clips) for crop in range(self.num_test_crops))

    @property
    def window_key(self) -> str:
        """What a cached window depends on, as text."""
        kept = {
            "streams",
            "size",
            "max_frames",
            "region",
            "region_margin_fraction",
            "depth_reach_mm",
            "crop",
            "flow_quality",
        }
        more = " all frames" if self.sampling.kind == "dense" else ""
        if self.target is not None and Stream.DEPTH not in self.streams:
            more += " and depth"
        return self.model_dump_json(include=kept) + more
