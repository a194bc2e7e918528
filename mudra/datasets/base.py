"""What the configs of data sets have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveFloat

from mudra.config import Config
from mudra.datasets.release import OnMissing
from mudra.datasets.split import FRACTIONS, SplitBy
from mudra.types import DepthFormat, Stream


class DatasetConfig(Config):
    """Base of the data sets' configs."""

    on_damaged: Literal["refuse", "skip"] = "refuse"
    """What training does about damaged files: `refuse` to start, or `skip` them, which the run's card lists."""


class ReleaseConfig(DatasetConfig):
    """Base of the configs of published sets, whose lists come with them."""

    root: Path
    """The folder that the release was unpacked into."""
    on_missing: OnMissing = "refuse"
    """What is done about listed recordings that are not on this disk: `refuse` the set, or `skip` them and say how many
    they are. A split of which nothing is there is left out in either case."""


class OwnClipsConfig(DatasetConfig):
    """Base of the configs of the user's own recordings, which tell less about themselves."""

    classes: tuple[str, ...] | None = None
    """Class names in the order of their labels; None takes the names that are found in natural order."""
    split_by: SplitBy = "subject"
    """Whether a drawn split keeps each subject's clips together."""
    fractions: tuple[float, float, float] = FRACTIONS
    """Shares of train, validation and test where they are drawn."""
    seed: int = 0
    """Another seed draws other splits."""
    stream: Stream = Stream.RGB
    """What the recordings hold; in a CSV, those of the column `path`."""
    fps: PositiveFloat = 30.0
    """Frames per second of folders of pictures, which have no rate of their own."""
    mm_per_level: PositiveFloat = 1.0
    """Millimetres that one grey level of a depth recording stands for."""
    missing_level: int = 0
    """The level that says that nothing was measured."""
    mirror: dict[str, str | None] = Field(default_factory=dict)
    """Mirror partners that the class names do not tell, for example {hello: hello}; null forbids mirroring."""

    @property
    def depth(self) -> DepthFormat:
        """How depth levels become millimetres."""
        return DepthFormat(mm_per_level=self.mm_per_level, missing_level=self.missing_level)
