"""What the synthetic data set holds: how many clips of which size, and how hard they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from mudra.datasets.base import DatasetConfig
from mudra.types import Stream

if TYPE_CHECKING:
    from mudra.datasets.dataset import Dataset

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

Hardness = Literal["plain", "moving", "hard"]
Side = Annotated[int, Field(ge=32, le=1024)]


class SyntheticConfig(DatasetConfig):
    """The built-in data set: drawn from a seed, nothing to download.

    Example:
        >>> SyntheticConfig(clips_per_class_train=2).num_clips("train")
        24
    """

    kind: Literal["synthetic"] = "synthetic"

    clips_per_class_train: NonNegativeInt = 100
    """Isolated clips of every class for training."""
    clips_per_class_validation: NonNegativeInt = 20
    """Isolated clips of every class for validation."""
    clips_per_class_test: NonNegativeInt = 30
    """Isolated clips of every class for the test."""
    subjects_train: PositiveInt = 24
    """People who perform the training clips."""
    subjects_validation: PositiveInt = 8
    """People who perform the validation clips, none of them in another split."""
    subjects_test: PositiveInt = 12
    """People who perform the test clips, none of them in another split."""
    long_streams: NonNegativeInt = 2
    """Long streams with a label for every frame, per split; only written to disk, never part of the clips."""
    long_stream_s: PositiveFloat = 30.0
    """Length of a long stream in seconds."""
    size: tuple[Side, Side] = (112, 112)
    """Height and width of the pictures in pixels."""
    num_frames: Annotated[int, Field(ge=8, le=1024)] = 32
    """Frames of an isolated clip (T)."""
    fps: Annotated[float, Field(gt=0, le=240)] = 25.0
    """Frames per second; motions keep their length in seconds unless a clip is too short to hold them."""
    hardness: Hardness = "moving"
    """The surroundings: a still wall, a slowly moving one, or one that moves fast with objects crossing."""
    depth_sensor: Literal["ideal", "noisy"] = "ideal"
    """Exact depth, or depth with noise and with nothing measured at silhouettes."""
    streams: tuple[Stream, ...] = (Stream.RGB, Stream.DEPTH, Stream.FLOW)
    """What is drawn; colour and flow cost time, depth and the hand mask come with every drawing."""
    seed: NonNegativeInt = 0
    """The seed of subjects and clips: the same seed gives the same pixels."""

    def build(self) -> Dataset:
        """Return the data set; its clips are drawn when they are read."""
        from mudra.datasets.synthetic.dataset import build_synthetic  # the drawing itself needs this config

        return build_synthetic(self)

    def num_clips(self, split: Split) -> int:
        """Return the number of isolated clips of `split`."""
        return self.clips_per_class(split) * NUM_CLASSES

    def clips_per_class(self, split: Split) -> int:
        """Return the number of isolated clips of each class in `split`."""
        per_split: dict[str, int] = {
            "train": self.clips_per_class_train,
            "validation": self.clips_per_class_validation,
            "test": self.clips_per_class_test,
        }
        return per_split[split]

    def num_subjects(self, split: Split) -> int:
        """Return the number of people in `split`."""
        per_split: dict[str, int] = {
            "train": self.subjects_train,
            "validation": self.subjects_validation,
            "test": self.subjects_test,
        }
        return per_split[split]


SYNTHETIC_CLASSES: tuple[str, ...] = (
    "swipe_left",
    "swipe_right",
    "swipe_up",
    "swipe_down",
    "rotate_cw",
    "rotate_ccw",
    "open",
    "close",
    "pinch",
    "tap",
    "tap_twice",
    "wave",
)
"""The gestures, each of which needs its order in time.

Directions are those of the picture: `swipe_left` moves towards smaller x, `rotate_cw` turns as a clock's hands do when
the picture is looked at.
"""

NUM_CLASSES = len(SYNTHETIC_CLASSES)

MIRROR_PAIRS: dict[str, str] = {
    name: {
        "swipe_left": "swipe_right",
        "swipe_right": "swipe_left",
        "rotate_cw": "rotate_ccw",
        "rotate_ccw": "rotate_cw",
    }.get(name, name)
    for name in SYNTHETIC_CLASSES
}
"""What each gesture becomes in a mirror; people of either hand occur, so a mirrored clip is one of another person."""
