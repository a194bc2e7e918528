"""Compute a frozen backbone's maps of every recording once, and keep them for all epochs of all trainings.

A clip is made as in tests, without chance; of training recordings, further views may be drawn as training draws them.
What is there and whole is not computed again, so that a stopped computation goes on.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mudra.backbones import PublishedBackbone
from mudra.clips import ClipSpec
from mudra.datasets import Dataset
from mudra.errors import DataError
from mudra.models import GestureNet, RecurrentFrameNet
from mudra.training.config import RunConfig
from mudra.training.feature_clips import Attempt, ClipAttempts, Wanted
from mudra.training.feature_manifest import (
    MANIFEST_NAME,
    describe_features,
    digest_weights,
    drawn_clip,
    feature_clip,
    frozen_backbone,
    read_manifest,
    refuse_differences,
)
from mudra.training.feature_store import DTYPES, Features, FeatureStore
from mudra.training.init_from import start_from
from mudra.training.loaders import build_loader, count_workers, drawn_key
from mudra.training.resolve import resolve
from mudra.training.task import Progress
from mudra.types import Recording

NUM_TIMED = 3  # recordings that are read and computed to estimate the time of all


class Survey(NamedTuple):
    """What a folder lacks.

    Args:
        wanted: The recordings that have no whole maps yet.
        num_there: How many have them.
    """

    wanted: list[Wanted]
    num_there: int


class Estimate(NamedTuple):
    """What a computation will take.

    Args:
        num_bytes: Room on the disk.
        free_bytes: What is free there now.
        seconds: Time; None where no recording could be read to measure it.
    """

    num_bytes: int
    free_bytes: int
    seconds: float | None


class Computed(NamedTuple):
    """What a computation did.

    Args:
        num_computed: Recordings whose maps were written.
        unread: Recordings that could not be read, each with the reason.
    """

    num_computed: int
    unread: tuple[str, ...]


class FeatureMaker:
    """Computes the maps of a data set's recordings.

    Args:
        config: The run that is to be trained on them; its backbone is frozen.
        dataset: Its data set; recordings without a label are passed over, as in training.
        folder: Where the maps go.
        num_views: Drawn views of every training recording, besides the test view.
        numbers: What maps are kept as: `float32`, or `float16` for half the room.
        command: The command that does all this, for the messages of trainings.

    Raises:
        ConfigError: If the backbone is not frozen, or the config does not fit the data set.
        ModelError: If the backbone's weights are those of chance, or cannot be had.
        DataError: If the folder holds something else, or maps of other clips or of another backbone.
    """

    def __init__(
        self,
        config: RunConfig,
        dataset: Dataset,
        folder: Path,
        *,
        num_views: int = 0,
        numbers: str = "float32",
        command: str = "",
    ) -> None:
        frozen_backbone(config.model)
        self.dataset = dataset.labelled().cut_segments()
        loader = config.loader.model_copy(update={"features": None})
        self.config = resolve(config.model_copy(update={"loader": loader}), self.dataset, tell=lambda line: None)
        self.folder, self.num_views = folder, num_views
        self.network = _build_network(self.config)
        self.device = _choose_device(config.fitting.accelerator)
        spec, drawn = feature_clip(config.clip), drawn_clip(config.clip)
        self.shape, self.drawn_shape = (_shape_of_maps(self.network, each) for each in (spec, drawn))
        self.manifest = describe_features(
            self.config,
            weights=digest_weights(self.network.backbone),
            shape=self.shape,
            num_views=num_views,
            numbers=numbers,
            command=command,
        )
        self._check_folder()
        key = drawn_key(self.dataset, self.config)
        self.store = FeatureStore(folder, self.dataset, drawn_key=key, command=command)
        self.clips = ClipAttempts(self.dataset, self.store, test_clip=spec, drawn_clip=drawn, seed=config.seed)
        self.network.eval().to(self.device)

    def survey(
        self,
        recordings: dict[str, tuple[Recording, ...]] | None = None,
        *,
        is_quick: bool = False,
        progress: Progress | None = None,
    ) -> Survey:
        """Return which recordings have no whole maps yet.

        Args:
            recordings: Those that are looked at, by split; None for all.
            is_quick: Whether to look at the heads of the files alone, and believe the rest.
            progress: Called with (done, all, what).
        """
        by_split = self.dataset.recordings if recordings is None else recordings
        everything: dict[str, Wanted] = {}  # one file's span may be listed twice
        # Training recordings last: they want more than others.
        for split in sorted(by_split, key=lambda name: name == "train"):
            num_views = self.num_views if split == "train" else 0
            everything |= {self.store.name_of(found): Wanted(found, num_views) for found in by_split[split]}
        missing = []
        for done, wanted in enumerate(everything.values(), start=1):
            if self.store.find_fault(wanted.recording, num_views=wanted.num_views, is_quick=is_quick):
                missing.append(wanted)
            if progress is not None:
                progress(done, len(everything), "looking at what is there")
        return Survey(missing, len(everything) - len(missing))

    def estimate(self, wanted: Sequence[Wanted]) -> Estimate:
        """Return what computing these will take; a few of them are read and computed, and nothing is written."""
        place = next(path for path in (self.folder.absolute(), *self.folder.absolute().parents) if path.exists())
        room = Estimate(self.count_bytes(wanted), shutil.disk_usage(place).free, None)
        timed, spent_s = 0, 0.0
        num_workers = count_workers(self.config.loader, cache="none")
        for each in wanted[:: max(1, len(wanted) // NUM_TIMED)][:NUM_TIMED]:
            started = time.perf_counter()
            attempt = self.clips.attempt(each)
            read_s = time.perf_counter() - started
            if attempt.clips:
                self._compute([attempt])
                timed += 1
                spent_s += time.perf_counter() - started - read_s + read_s / max(num_workers, 1)
        return room._replace(seconds=spent_s / timed * len(wanted)) if timed else room

    def count_bytes(self, wanted: Sequence[Wanted]) -> int:
        """Return how much room the maps of these recordings take."""
        size = DTYPES[self.manifest.numbers].itemsize
        test, drawn = (torch.Size(shape).numel() * size for shape in (self.shape, self.drawn_shape))
        return sum(test + each.num_views * drawn for each in wanted)

    def compute(self, wanted: Sequence[Wanted], *, progress: Progress | None = None) -> Computed:
        """Compute and write the maps of these recordings.

        Args:
            wanted: The recordings.
            progress: Called with (done, all, what).

        Raises:
            DataError: If they do not fit onto the disk, or into the numbers that they are kept as.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        needed, free = self.count_bytes(wanted), shutil.disk_usage(self.folder).free
        if needed > free:
            raise DataError(
                f"{self.folder}: the features need {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free",
                hint="give a folder on another disk, or halve them: --numbers float16",
            )
        self._write_manifest()
        loader = build_loader(
            self.clips.of(wanted),
            self.config.loader,
            cache="none",
            collate=list,
            batch_size=max(1, self.config.loader.batch_size // (1 + self.num_views)),
        )
        done, unread = 0, []
        for attempts in loader:
            read = [attempt for attempt in attempts if attempt.clips]
            unread += [f"{attempt.wanted.recording.key}: {attempt.reason}" for attempt in attempts if attempt.reason]
            for attempt, (test, *views) in zip(read, self._compute(read), strict=True):
                self.store.write(attempt.wanted.recording, test, views, numbers=self.manifest.numbers)
            done += len(attempts)
            if progress is not None:
                progress(done, len(wanted), "computing features")
        return Computed(done - len(unread), tuple(unread))

    @torch.inference_mode()
    def _compute(self, attempts: Sequence[Attempt]) -> list[list[Features]]:
        """Return the maps of every clip of every attempt; clips of one size go through the backbone together."""
        clips = [clip for attempt in attempts for clip in attempt.clips]
        maps: dict[int, Tensor] = {}
        for size in dict.fromkeys(clip.clip_TCHW.shape for clip in clips):
            alike = [index for index, clip in enumerate(clips) if clip.clip_TCHW.shape == size]
            for start in range(0, len(alike), self.config.loader.batch_size):
                batch = alike[start : start + self.config.loader.batch_size]
                clip_BTCHW = torch.stack([clips[index].clip_TCHW for index in batch]).to(self.device)
                maps |= zip(batch, self.network.compute_maps(clip_BTCHW).cpu().unbind(), strict=True)
        features = iter([Features(maps[index], clip.mirrored) for index, clip in enumerate(clips)])
        return [[next(features) for _ in attempt.clips] for attempt in attempts]

    def _check_folder(self) -> None:
        if (self.folder / MANIFEST_NAME).exists():
            there = read_manifest(self.folder)
            hint = "give another --out, or the settings that the folder was made with"
            refuse_differences(self.folder, there, self.manifest, hint=hint)
            # Maps of one folder are kept alike.
            if there.numbers != self.manifest.numbers:
                raise DataError(f"{self.folder}: keeps {there.numbers}", hint=f"--numbers {there.numbers}")
        elif self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise DataError(
                f"{self.folder}: holds something already, and no {MANIFEST_NAME}",
                hint="name a folder that is empty or does not exist",
            )

    def _write_manifest(self) -> None:
        draft = self.folder / f".{MANIFEST_NAME}.part"
        draft.write_text(self.manifest.model_dump_json(indent=2), encoding="utf-8")
        draft.replace(self.folder / MANIFEST_NAME)


def _build_network(config: RunConfig) -> GestureNet | RecurrentFrameNet:
    """Return the run's network with the weights that training would start from."""
    if config.fitting.num_threads:
        torch.set_num_threads(config.fitting.num_threads)
    network = config.model.build()
    assert isinstance(network, GestureNet | RecurrentFrameNet)
    start_from(config.init_from, network, tell=lambda line: None)
    assert isinstance(network.backbone, PublishedBackbone)  # no others can be frozen
    network.backbone.check_filled()
    return network


def _choose_device(accelerator: str) -> torch.device:
    """Return where an accelerator of Lightning's computes."""
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if accelerator == "mps" else "cpu")


def _shape_of_maps(network: GestureNet | RecurrentFrameNet, spec: ClipSpec) -> tuple[int, int, int, int]:
    """Return the shape of a clip's maps (T, C, H, W); nothing is computed."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    was_training = network.training
    network.eval()
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        shape: Any = network.compute_maps(torch.zeros(1, spec.num_frames, spec.num_channels, *spec.size)).shape[1:]
    network.train(was_training)
    num_frames, channels, height, width = shape
    return num_frames, channels, height, width
