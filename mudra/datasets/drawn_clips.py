"""Clips that are drawn while a network trains on them: no files, and never the same clip twice.

Validation and test clips are numbered from 0 up to their count, and a number is always the same clip. Numbers of
training clips go on without end: every `count` of them are an epoch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, NamedTuple

from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor

from mudra.datasets.base import DatasetConfig

Side = Annotated[int, Field(ge=8, le=1024)]


class DrawnClips(NamedTuple):
    """A batch of drawn clips.

    Args:
        clip_BTCHW: float32 grey levels in [0, 1]; on request, how far each pixel has moved since the frame before, in
            pixels right and down, as two more channels.
        speed_B: How fast the fastest thing of each clip moves, in pixels per frame.
    """

    clip_BTCHW: Tensor
    speed_B: Tensor


class ClipDrawer(ABC):
    """Draws the clips of a data set, whole batches at once."""

    @abstractmethod
    def count(self, split: str) -> int:
        """Return how many clips a split has; in training, how many make an epoch."""

    @abstractmethod
    def draw(self, split: str, numbers: Sequence[int], *, with_flow: bool = False) -> DrawnClips:
        """Draw the clips of these numbers.

        Args:
            split: `train`, `validation` or `test`.
            numbers: Any numbers from 0 on; each always gives the same clip.
            with_flow: Whether flow follows the grey levels.
        """


class DrawnConfig(DatasetConfig):
    """Base of the configs of data sets whose clips are drawn in batches, and so can be predicted."""

    num_frames: Annotated[int, Field(ge=2, le=1024)] = 20
    """Frames of a clip (T): those that are seen and those that are to be predicted."""
    size: tuple[Side, Side] = (64, 64)
    """Height and width of the pictures in pixels."""
    clips_train: PositiveInt = 16_000
    """Clips of a training epoch; every epoch has new ones."""
    clips_validation: NonNegativeInt = 500
    """Clips for validation, the same ones in every epoch."""
    clips_test: PositiveInt = 2_000
    """Clips for the test."""
    seed: NonNegativeInt = 0
    """Another seed draws other clips."""

    def build_drawer(self) -> ClipDrawer:
        """Return what draws the clips."""
        raise NotImplementedError  # every data set's own

    def num_clips(self, split: str) -> int:
        """Return the number of clips of `split`; in training, of an epoch."""
        counts: dict[str, int] = {
            "train": self.clips_train,
            "validation": self.clips_validation,
            "test": self.clips_test,
        }
        return counts[split]
