"""Loaders for the splits of a data set: clips in batches, windows that stay in memory read beforehand."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import torch
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from mudra.clips import ClipMaker, ClipSpec
from mudra.datasets import Dataset
from mudra.training.clip_dataset import ClipDataset, EpochSampler, collate
from mudra.training.config import LoaderConfig, RunConfig
from mudra.training.task import TrainingData
from mudra.training.window_cache import CacheKind, WindowCache
from mudra.types import Stream

MEMORY_SHARE = 0.25
MAX_WORKERS = 8
# Windows that are made to estimate the size of all of them.
NUM_WEIGHED = 5


class Splits(NamedTuple):
    """The splits that training needs; a data set may have no validation split."""

    train: ClipDataset
    validation: ClipDataset | None


class GestureData(TrainingData):
    """The train and validation split of a data set as batches.

    Args:
        dataset: The data set.
        config: The run.
        progress: Called with (done, all, what) while windows are read beforehand.
        is_settled: As `ClipDataset` takes it.
    """

    def __init__(
        self,
        dataset: Dataset,
        config: RunConfig,
        *,
        progress: Callable[[int, int, str], None] | None = None,
        is_settled: bool = False,
    ) -> None:
        super().__init__()
        self.config = config
        self.progress = progress
        mirror = dataset.card.mirror_index()
        train = dataset.split("train")
        validation = dataset.recordings.get("validation", ())
        maker = ClipMaker(config.clip, may_mirror=mirror is not None)
        judge = ClipMaker(validation_spec(config.clip))
        # One each: windows of tests may have another size.
        self.cache, validation_cache = (_cache_of(each.spec, dataset, config) for each in (maker, judge))
        if is_settled:
            for cache in (self.cache, validation_cache):
                cache.window_key += " settled"
        build = partial(ClipDataset, dataset, is_settled=is_settled)
        self.splits = Splits(
            build(train, maker=maker, cache=self.cache, seed=config.seed, mirror_index=mirror),
            build(validation, maker=judge, cache=validation_cache) if validation else None,
        )
        self.sampler = EpochSampler(self.splits.train, seed=config.seed)
        self.cache.kind = validation_cache.kind = self._choose_cache(len(train) + len(validation))

    def _choose_cache(self, num_recordings: int) -> CacheKind:
        wanted = self.config.loader.cache
        if wanted != "auto":
            return wanted
        recordings = self.splits.train.recordings
        spread = recordings[:: max(1, len(recordings) // NUM_WEIGHED)]
        largest = max(self.splits.train.window(recording).num_bytes for recording in spread)
        if largest * num_recordings <= MEMORY_SHARE * free_memory_bytes():
            return "memory"
        return "disk" if Stream.FLOW in self.config.clip.streams else "none"

    @property
    def num_train(self) -> int:
        """Clips of a training epoch."""
        return len(self.splits.train)

    @property
    def num_validation(self) -> int:
        """Clips of the validation split."""
        return 0 if self.splits.validation is None else len(self.splits.validation)

    def prepare(self) -> None:
        """Read all windows into the memory cache, if that is where they are kept; a thread per core decodes."""
        if self.cache.kind != "memory":
            return
        datasets = [split for split in self.splits if split is not None]
        total, done = sum(map(len, datasets)), 0
        with ThreadPoolExecutor(min(os.cpu_count() or 1, MAX_WORKERS)) as pool:
            for dataset in datasets:
                for _ in pool.map(dataset.window, dataset.recordings):
                    done += 1
                    if self.progress is not None:
                        self.progress(done, total, "reading clips")

    def train_dataloader(self) -> DataLoader[Any]:
        """Return shuffled training batches."""
        loader = self.config.loader
        drop_last = loader.drop_last and len(self.splits.train) > loader.batch_size
        return self._load(self.splits.train, sampler=self.sampler, drop_last=drop_last)

    def val_dataloader(self) -> DataLoader[Any] | list[DataLoader[Any]]:
        """Return validation batches in order; none are left out."""
        return [] if self.splits.validation is None else self._load(self.splits.validation)

    def _load(
        self, dataset: ClipDataset, *, sampler: EpochSampler | None = None, drop_last: bool = False
    ) -> DataLoader[Any]:
        return build_loader(
            dataset, self.config.loader, cache=self.cache.kind, collate=collate, sampler=sampler, drop_last=drop_last
        )


def build_loader(
    dataset: TorchDataset[Any],
    config: LoaderConfig,
    *,
    cache: CacheKind,
    collate: Callable[[list[Any]], Any],
    sampler: EpochSampler | None = None,
    batch_size: int | None = None,
    drop_last: bool = False,
) -> DataLoader[Any]:
    """Return a loader of items.

    Args:
        dataset: The items.
        config: How they are loaded.
        cache: Where windows are kept.
        collate: Makes a batch of items.
        sampler: Their order; None for that of the data set.
        batch_size: Items of a batch; None for the config's.
        drop_last: Whether a last, smaller batch is left out.
    """
    num_workers = count_workers(config, cache=cache)
    return DataLoader(
        dataset,
        batch_size=batch_size or config.batch_size,
        sampler=sampler,
        drop_last=drop_last,
        num_workers=num_workers,
        collate_fn=collate,
        persistent_workers=num_workers > 0,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=start_worker,
        # Its own, though clips take nothing from it: how often a loader starts must not move the network's dropout.
        generator=torch.Generator(),
    )


def validation_spec(spec: ClipSpec) -> ClipSpec:
    """Return how validation clips are made: one for each recording, from its middle, with the depth to learn."""
    single = {"num_test_clips": 1, "num_test_crops": 1, "target": spec.target}
    return spec.for_tests().model_copy(update=single)


def _cache_of(spec: ClipSpec, dataset: Dataset, config: RunConfig) -> WindowCache:
    folder = Path(config.loader.cache_dir) if config.loader.cache_dir else None
    return WindowCache("none", window_key=spec.window_key + drawn_key(dataset, config), folder=folder)


def drawn_key(dataset: Dataset, config: RunConfig) -> str:
    """Return what drawn clips depend on: they have no size or time, as files have, that tells two drawings apart."""
    if dataset.source is None:
        return ""
    return dataset.card.model_dump_json() if config.data is None else config.data.model_dump_json()


def count_workers(config: LoaderConfig, *, cache: CacheKind) -> int:
    """Return how many processes make clips."""
    if config.num_workers != "auto":
        return config.num_workers
    # Augmenting a window takes about a millisecond; a process of its own would take a core from the network.
    return 0 if cache == "memory" else min(max((os.cpu_count() or 1) - 1, 0), MAX_WORKERS)


def free_memory_bytes() -> int:
    """Return how much memory can still be taken; a gigabyte where the system does not say."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return 1 << 30


def start_worker(worker: int) -> None:
    """Leave a process that makes clips one thread."""
    # Processes share the cores already; threads inside them would only get into each other's way.
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
