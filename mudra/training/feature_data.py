"""Batches of cached maps in place of clips, for the part of a network behind its frozen backbone.

A training clip is the recording's test view, the same in every epoch; where the folder holds drawn views, it is one of
them, chosen anew in each epoch. Validation always sees the test view.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from mudra.backbones import Backbone, PublishedBackbone
from mudra.datasets import Dataset
from mudra.errors import DataError
from mudra.training.clip_dataset import EpochSampler, derive_seed
from mudra.training.config import RunConfig
from mudra.training.feature_manifest import (
    describe_features,
    digest_weights,
    read_manifest,
    refuse_differences,
)
from mudra.training.feature_store import FeatureStore
from mudra.training.loaders import build_loader, drawn_key
from mudra.training.task import Progress, TrainingData
from mudra.types import Recording

NUM_NAMED = 5  # recordings without features that are named one by one


class FeatureItem(NamedTuple):
    """Maps of one clip with what belongs to them."""

    maps_TCHW: Tensor
    label: int
    position: int


class FeatureBatch(NamedTuple):
    """Maps as the part of a network behind its backbone takes them.

    Args:
        maps_BTCHW: float32, with the flow behind the backbone's channels.
        label_B: int64 class indices.
        index_B: int64 positions of the clips' recordings in their split.
    """

    maps_BTCHW: Tensor
    label_B: Tensor
    index_B: Tensor


class FeatureDataset(TorchDataset[FeatureItem]):
    """One split as maps.

    Args:
        recordings: The split.
        store: Where their maps lie.
        num_views: Drawn views that each has, of which one is taken in each epoch; 0 for the test view.
        seed: Seed of that choice.
        mirror_index: The label that each label becomes in a mirror.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        store: FeatureStore,
        *,
        num_views: int = 0,
        seed: int = 0,
        mirror_index: Sequence[int] | None = None,
    ) -> None:
        self.recordings = list(recordings)
        self.store = store
        self.num_views = num_views
        self.seed = seed
        self.mirror_index = mirror_index
        # In shared memory, so that workers that outlive an epoch see the next one's number.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]

    def __len__(self) -> int:
        return len(self.recordings)

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch's views are chosen."""
        self._epoch.fill_(epoch)

    def __getitem__(self, index: int) -> FeatureItem:
        recording = self.recordings[index]
        features = self.store.read(recording, self._choose_view(index))
        label = -1 if recording.label is None else recording.label
        if features.mirrored and self.mirror_index is not None:
            label = self.mirror_index[label]
        return FeatureItem(features.maps_TCHW, label, index)

    def _choose_view(self, index: int) -> int | None:
        if not self.num_views:
            return None
        return derive_seed(self.seed, int(self._epoch), index) % self.num_views


class FeatureData(TrainingData):
    """The train and validation split of a data set as batches of cached maps.

    Args:
        dataset: The data set; of uncut streams, their segments.
        config: The run, resolved; its `loader.features` names the folder.
        backbone: The network's frozen backbone. A resumed run has its weights later, when loaders are asked for.
        progress: Called with (done, all, what) while the maps are looked for.

    Raises:
        DataError: If the maps are of other clips or of another backbone, or some are missing or damaged.
    """

    def __init__(
        self, dataset: Dataset, config: RunConfig, backbone: Backbone, *, progress: Progress | None = None
    ) -> None:
        super().__init__()
        assert config.loader.features is not None
        assert isinstance(backbone, PublishedBackbone)  # no others can be frozen
        self.config, self.folder, self.backbone = config, config.loader.features, backbone
        self.manifest = read_manifest(self.folder)
        self._refuse_others(self.manifest.weights)
        if backbone.holds_weights:
            self._refuse_others(digest_weights(backbone))
        command = self.manifest.command
        store = FeatureStore(self.folder, dataset, drawn_key=drawn_key(dataset, config), command=command)
        train, validation = dataset.split("train"), dataset.recordings.get("validation", ())
        num_views = self.manifest.num_views
        mirror = dataset.card.mirror_index()
        self.train = FeatureDataset(train, store, num_views=num_views, seed=config.seed, mirror_index=mirror)
        self.validation = FeatureDataset(validation, store) if validation else None
        self.sampler = EpochSampler(self.train, seed=config.seed)
        self._refuse_missing(progress)

    @property
    def num_train(self) -> int:
        """Clips of a training epoch."""
        return len(self.train)

    @property
    def num_validation(self) -> int:
        """Clips of the validation split."""
        return 0 if self.validation is None else len(self.validation)

    def prepare(self) -> None:
        """Read nothing beforehand: what fits into memory, the system keeps there."""

    def train_dataloader(self) -> DataLoader[Any]:
        """Return shuffled training batches.

        Raises:
            DataError: If the maps are of other weights than the backbone's.
            ModelError: If the backbone's weights are those of chance.
        """
        self._check_weights()
        loader = self.config.loader
        drop_last = loader.drop_last and len(self.train) > loader.batch_size
        return self._load(self.train, sampler=self.sampler, drop_last=drop_last)

    def val_dataloader(self) -> DataLoader[Any] | list[DataLoader[Any]]:
        """Return validation batches in order; none are left out."""
        return [] if self.validation is None else self._load(self.validation)

    def _load(self, dataset: FeatureDataset, **how: Any) -> DataLoader[Any]:
        return build_loader(dataset, self.config.loader, cache="none", collate=collate, **how)

    def _check_weights(self) -> None:
        """Look at the backbone that the run will be saved with, now that even a resumed run's weights are there."""
        self.backbone.check_filled()
        self._refuse_others(digest_weights(self.backbone))

    def _refuse_others(self, weights: str) -> None:
        there = self.manifest
        wanted = describe_features(self.config, weights=weights, shape=there.shape, num_views=there.num_views)
        word = self.config.recipe or "RUN.yaml"
        hint = (
            "give this run the settings of the features, or compute its own with the run's settings: "
            f"mudra data features {word} key=value --out ANOTHER_FOLDER"
        )
        refuse_differences(self.folder, there, wanted, hint=hint)

    def _refuse_missing(self, progress: Progress | None) -> None:
        splits = [split for split in (self.train, self.validation) if split is not None]
        total, done, faults = sum(map(len, splits)), 0, []
        for split in splits:
            for recording in split.recordings:
                fault = split.store.find_fault(recording, num_views=split.num_views, is_quick=True)
                faults += [f"{recording.key}: {fault}"] if fault else []
                done += 1
                if progress is not None:
                    progress(done, total, "looking for features")
        if faults:
            more = f"\n  ... ({len(faults)} in all)" if len(faults) > NUM_NAMED else ""
            raise DataError(
                f"{self.folder}: no features of {len(faults)} of {total} recordings:\n  "
                + "\n  ".join(faults[:NUM_NAMED])
                + more,
                hint=f"compute those that are missing, with this run's data settings: {splits[0].store.command}",
            )


def collate(items: Sequence[FeatureItem]) -> FeatureBatch:
    """Stack maps into a batch."""
    return FeatureBatch(
        torch.stack([item.maps_TCHW for item in items]),
        torch.tensor([item.label for item in items]),
        torch.tensor([item.position for item in items]),
    )
