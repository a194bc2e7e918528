"""Batches for networks that predict frames: drawn when they are asked for, cut into what is seen and what follows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler
from torch.utils.data import Dataset as TorchDataset

from mudra.clips import ClipSpec
from mudra.datasets import ClipDrawer, DrawnConfig
from mudra.errors import ConfigError
from mudra.models import FutureNetConfig
from mudra.training.config import RunConfig
from mudra.training.loaders import count_workers, start_worker
from mudra.training.task import TrainingData
from mudra.types import Stream

# More than any training has; the clips of one seed then never meet those of another.
EPOCHS_PER_SEED = 1_000_000
FLOW_CHANNELS = 2


class FutureBatch(NamedTuple):
    """Clips, and what comes after them.

    Args:
        clip_BTCHW: The frames that are seen: float32 grey levels in [0, 1], and scaled flow behind them on request.
        future_BTCHW: The grey levels of the frames that follow.
        index_B: int64 numbers of the clips.
    """

    clip_BTCHW: Tensor
    future_BTCHW: Tensor
    index_B: Tensor


class FutureData(TrainingData):
    """The train and validation split of a data set that draws its clips, as batches.

    A training clip depends on the seed, the epoch and its place in the epoch alone; validation clips stay the same.

    Args:
        drawer: Draws the clips.
        config: The run.
    """

    def __init__(self, drawer: ClipDrawer, config: RunConfig) -> None:
        super().__init__()
        self.drawer = drawer
        self.config = config
        self.batches = FutureBatches(drawer, "train", config)

    @property
    def num_train(self) -> int:
        """Clips of a training epoch."""
        return self.drawer.count("train")

    @property
    def num_validation(self) -> int:
        """Clips of the validation split."""
        return self.drawer.count("validation")

    def prepare(self) -> None:
        """Do nothing: clips are drawn one batch after the other."""

    def train_dataloader(self) -> DataLoader[Any]:
        """Return training batches, other ones in every epoch."""
        return self._loader(self.batches)

    def val_dataloader(self) -> DataLoader[Any] | list[DataLoader[Any]]:
        """Return validation batches in order; none are left out."""
        return self._loader(FutureBatches(self.drawer, "validation", self.config)) if self.num_validation else []

    def _loader(self, batches: FutureBatches) -> DataLoader[Any]:
        num_workers = count_workers(self.config.loader, cache="none")
        return DataLoader(
            batches,
            batch_size=None,  # an item is a batch already
            sampler=BatchSampler(batches),
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=start_worker,
            # Its own, though clips take nothing from it: how often a loader starts must not move the network's chance.
            generator=torch.Generator(),
        )


class FutureBatches(TorchDataset[FutureBatch]):
    """A split, whole batches at a time.

    Args:
        drawer: Draws the clips.
        split: `train`, `validation` or `test`.
        config: The run.
    """

    def __init__(self, drawer: ClipDrawer, split: str, config: RunConfig) -> None:
        self.drawer = drawer
        self.split = split
        self.clip = config.clip
        self.batch_size = config.loader.batch_size
        self.drop_last = split == "train" and config.loader.drop_last and drawer.count(split) >= self.batch_size
        self.first_epoch = config.seed * EPOCHS_PER_SEED if split == "train" else 0
        # In shared memory, so that workers that outlive an epoch see the next one's number.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch's clips are drawn."""
        self._epoch.fill_(epoch if self.split == "train" else 0)

    def __len__(self) -> int:
        whole, rest = divmod(self.drawer.count(self.split), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def numbers(self, index: int) -> range:
        """Return the numbers of a batch's clips."""
        count = self.drawer.count(self.split)
        first = (self.first_epoch + int(self._epoch)) * count
        start = index * self.batch_size
        return range(first + start, first + min(start + self.batch_size, count))

    def __getitem__(self, index: int) -> FutureBatch:
        numbers = self.numbers(index)
        with_flow = Stream.FLOW in self.clip.streams
        clip_BTCHW = self.drawer.draw(self.split, numbers, with_flow=with_flow).clip_BTCHW
        seen_BTCHW, future_BTCHW = cut_future(clip_BTCHW, self.clip)
        return FutureBatch(seen_BTCHW, future_BTCHW, torch.tensor(numbers))


class BatchSampler(Sampler[int]):
    """The numbers of all batches, in order; Lightning tells it the epoch."""

    def __init__(self, batches: FutureBatches) -> None:
        self.batches = batches

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes: Lightning calls this before each."""
        self.batches.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.batches)))


class Cut(NamedTuple):
    """Clips cut in two: the frames that are seen, flow and all, and the grey levels of the others."""

    seen_BTCHW: Tensor
    future_BTCHW: Tensor


def cut_future(clip_BTCHW: Tensor, spec: ClipSpec) -> Cut:
    """Cut drawn clips behind the frames that the network sees, and scale their flow as `spec` says.

    Example:
        >>> cut = cut_future(torch.zeros(2, 20, 3, 8, 8), ClipSpec(num_frames=10))
        >>> cut.seen_BTCHW.shape, cut.future_BTCHW.shape
        (torch.Size([2, 10, 3, 8, 8]), torch.Size([2, 10, 1, 8, 8]))
    """
    seen_BTCHW, later_BTCHW = clip_BTCHW[:, : spec.num_frames], clip_BTCHW[:, spec.num_frames :]
    if clip_BTCHW.shape[2] > 1:
        flow_BTCHW = seen_BTCHW[:, :, 1:]
        scaled_BTCHW = spec.flow.apply(flow_BTCHW.flatten(0, 1)).reshape(flow_BTCHW.shape)
        seen_BTCHW = torch.cat([seen_BTCHW[:, :, :1], scaled_BTCHW], dim=2)
    return Cut(seen_BTCHW.contiguous(), later_BTCHW[:, :, :1].contiguous())


def find_drawer(config: RunConfig) -> ClipDrawer:
    """Return what draws the run's clips.

    Raises:
        ConfigError: If the run's data set draws none.
    """
    return _drawn(config).build_drawer()


def fill_future(config: RunConfig) -> FutureNetConfig:
    """Return the network with its channels: one of grey levels, and two of flow where the clip has flow.

    Raises:
        ConfigError: If the clip's streams or the network's channels are others.
    """
    model = config.model
    assert isinstance(model, FutureNetConfig)
    streams = config.clip.streams
    if streams not in ((Stream.RGB,), (Stream.RGB, Stream.FLOW)):
        raise ConfigError(
            f"clip.streams is [{', '.join(streams)}]; a future is predicted from grey levels",
            hint="clip.streams=[rgb], or clip.streams=[rgb, flow] for masks of flow",
        )
    if Stream.FLOW in streams and config.clip.flow.num_channels != FLOW_CHANNELS:
        raise ConfigError("clip.flow.num_channels is 3; drawn flow has two channels", hint="leave it out")
    flow_channels = FLOW_CHANNELS if Stream.FLOW in streams else 0
    if model.in_channels != 1 or model.flow_channels not in (0, flow_channels):
        raise ConfigError(
            f"model.in_channels and model.flow_channels are {model.in_channels} and {model.flow_channels}, the clip's "
            f"streams have 1 and {flow_channels}",
            hint="leave both out; clip.streams=[rgb, flow] gives flow",
        )
    return model.model_copy(update={"flow_channels": flow_channels})


def resolve_future(config: RunConfig) -> RunConfig:
    """Fill in a run that predicts frames, and check it against its data set.

    Raises:
        ConfigError: If the data set draws no clips, or clips of another length or size than the run wants.
    """
    model, data = fill_future(config), _drawn(config)
    if data.num_frames != config.clip.num_frames + model.num_frames_out:
        raise ConfigError(
            f"{config.clip.num_frames} frames are seen (clip.num_frames) and {model.num_frames_out} predicted "
            f"(model.num_frames_out), the clips have {data.num_frames}",
            hint=f"set data.num_frames={config.clip.num_frames + model.num_frames_out}",
        )
    if data.size != config.clip.size:
        raise ConfigError(
            f"clip.size is {list(config.clip.size)}, the pictures are {list(data.size)}, height and width",
            hint=f"set clip.size={list(data.size)}",
        )
    return config.model_copy(update={"model": model})


def _drawn(config: RunConfig) -> DrawnConfig:
    if not isinstance(config.data, DrawnConfig):
        kind = "none" if config.data is None else config.data.kind
        raise ConfigError(
            f"the network predicts frames, and the data set ({kind}) draws no clips for that",
            hint="add data=moving_digits",
        )
    return config.data
