"""The clips whose maps are computed beforehand: the test clip of every recording, and views drawn as in training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch.utils.data import Dataset as TorchDataset

from mudra.clips import Clip, ClipMaker, ClipSpec
from mudra.datasets import Dataset
from mudra.errors import MudraError
from mudra.training.clip_dataset import ClipDataset, derive_seed
from mudra.training.feature_store import FeatureStore
from mudra.training.window_cache import WindowCache
from mudra.types import Recording


class Wanted(NamedTuple):
    """A recording whose maps are wanted, and how many drawn views of it."""

    recording: Recording
    num_views: int


class Attempt(NamedTuple):
    """The clips of a recording, the test clip first; none, and why, if it cannot be read."""

    wanted: Wanted
    clips: list[Clip]
    reason: str = ""


class ClipAttempts:
    """Makes the clips whose maps are wanted; what cannot be read is told, and stops nothing.

    Args:
        dataset: Says where frames come from, and which labels have mirror partners.
        store: Names the recordings.
        test_clip: How a recording's test clip is made.
        drawn_clip: How its further views are drawn.
        seed: Seed of these.
    """

    def __init__(
        self, dataset: Dataset, store: FeatureStore, *, test_clip: ClipSpec, drawn_clip: ClipSpec, seed: int
    ) -> None:
        may_mirror = dataset.card.mirror_index() is not None
        cache = WindowCache("none", window_key="")  # every clip is made once
        self.seed, self.store = seed, store
        self.tests = ClipDataset(dataset, (), maker=ClipMaker(test_clip), cache=cache)
        self.draws = ClipDataset(dataset, (), maker=ClipMaker(drawn_clip, may_mirror=may_mirror), cache=cache)

    def attempt(self, wanted: Wanted) -> Attempt:
        """Return a recording's clips, or why there are none."""
        recording = wanted.recording
        try:
            clips = [self.tests.make_clip(recording, None)]
            for view in range(wanted.num_views):
                # By the recording's name, not its place in the split: views are the same whatever was computed before.
                seed = derive_seed(self.seed, view, int(self.store.name_of(recording), 16))
                clips.append(self.draws.make_clip(recording, torch.Generator().manual_seed(seed)))
        except MudraError as error:
            return Attempt(wanted, [], error.message)
        return Attempt(wanted, clips)

    def of(self, wanted: Sequence[Wanted]) -> TorchDataset[Attempt]:
        """Return the attempts at these recordings, for a loader."""
        return _Attempts(self, list(wanted))


class _Attempts(TorchDataset[Attempt]):
    def __init__(self, clips: ClipAttempts, wanted: list[Wanted]) -> None:
        self.clips, self.wanted = clips, wanted

    def __len__(self) -> int:
        return len(self.wanted)

    def __getitem__(self, index: int) -> Attempt:
        return self.clips.attempt(self.wanted[index])
