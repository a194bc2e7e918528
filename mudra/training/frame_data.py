"""Fragments of streams for training, whole streams for validation, each with the label of every frame.

Source: Pigou et al. 2015, section 4.2: random fragments, stretched in time; a network that answers for the middle of a
window learns the label of its middle frame.
Differs: an epoch is counted: it holds as many fragments as would cover every stream once, drawn from anywhere in their
stream. Fragments are not balanced over classes, as in the paper: of networks that answer for the middle alone, "no
gesture" gets as many answers to learn as it has frames. A stream that is shorter than a fragment is held on its last
frame, and frames that are held teach nothing; nor do frames of which nothing is known. All fragments of a stream
lie at one place of it, and measure depth from one distance, as when the whole of it is judged.

A clip of one label is a stream that shows this one class throughout.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from mudra.clips import ClipMaker, ClipSpec, DenseSampling, RelativeDepthChannels, Window, sample_whole
from mudra.datasets import UNLABELLED, Dataset, label_frames
from mudra.errors import ConfigError
from mudra.models import FrameWiseNetConfig
from mudra.training.clip_dataset import ClipDataset, EpochSampler
from mudra.training.config import RunConfig
from mudra.training.loaders import GestureData, build_loader
from mudra.training.task import Progress, TrainingData
from mudra.types import FloatArray, Recording, Segment, Stream

# Besides the numbers of items and those that stand for an epoch's order and dropout.
EPOCH_PLACE = -4


class FrameItem(NamedTuple):
    """One clip with its frames' labels."""

    clip_TCHW: Tensor
    label_T: Tensor
    position: int


class FrameBatch(NamedTuple):
    """Clips with labels of their frames.

    Args:
        clip_BTCHW: float32, streams side by side along C in the ClipSpec's order.
        label_BT: int64 class indices, a column for every row of logits that the network has of a clip; -1 where
            nothing is known.
        index_B: int64 positions of the clips' recordings in their split.
    """

    clip_BTCHW: Tensor
    label_BT: Tensor
    index_B: Tensor


class Layout(NamedTuple):
    """Where the fragments of an epoch come from.

    Args:
        ends: For each stream, how many fragments cover it and all streams before it.
        last_s: When each stream's last frame is shown.
    """

    ends: npt.NDArray[np.int64]
    last_s: FloatArray


class FragmentDataset(TorchDataset[FrameItem]):
    """Random fragments of a split's streams, a long stream's more often than a short one's.

    Args:
        clips: The split.
        judged: The frames of a fragment that the network has a row of logits for.
        idle: Label of frames in no segment, or -1.
        num_fragments: Fragments of an epoch; None for as many as would cover every stream once.
    """

    def __init__(self, clips: ClipDataset, *, judged: range, idle: int, num_fragments: int | None = None) -> None:
        self.clips = clips
        self.judged = judged
        self.idle = idle
        self.num_fragments = num_fragments

    @cached_property
    def layout(self) -> Layout:
        """How many fragments cover each stream, and when it ends; read once."""
        spec = self.clips.maker.spec
        assert isinstance(spec.sampling, DenseSampling)
        counts, last_s = [], []
        for recording in self.clips.recordings:
            times_s = self.clips.read_times(recording)
            counts.append(-(-len(sample_whole(times_s, spec.sampling.fps)) // spec.num_frames))
            last_s.append(times_s[-1])
        return Layout(np.cumsum(counts), np.array(last_s))

    def __len__(self) -> int:
        return int(self.layout.ends[-1]) if self.num_fragments is None else self.num_fragments

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch's chance is drawn."""
        self.clips.set_epoch(epoch)

    def stream_of(self, index: int) -> int:
        """Return which stream an item comes from: items stand evenly over all streams, from a drawn place on."""
        shift = float(torch.rand((), generator=self.clips.build_generator(EPOCH_PLACE), dtype=torch.float64))
        place = math.floor((index + shift) * int(self.layout.ends[-1]) / len(self))
        return int(np.searchsorted(self.layout.ends, place, side="right"))

    def __getitem__(self, index: int) -> FrameItem:
        position = self.stream_of(index)
        recording = self.clips.recordings[position]
        clip = self.clips.make_clip(recording, self.clips.build_generator(index))
        label_T = label_stream(recording, clip.times_s, idle=self.idle)
        label_T[_held_frames(clip.times_s, float(self.layout.last_s[position]))] = UNLABELLED
        if clip.mirrored and self.clips.mirror_index is not None:
            # One more at the end, for the label -1.
            label_T = np.array([*self.clips.mirror_index, UNLABELLED])[label_T]
        return FrameItem(clip.clip_TCHW, torch.from_numpy(label_T[self.judged]), position)


class StreamDataset(TorchDataset[FrameItem]):
    """A split's streams, each whole and without chance.

    Args:
        clips: The split.
        idle: Label of frames in no segment, or -1.
    """

    def __init__(self, clips: ClipDataset, *, idle: int) -> None:
        self.clips = clips
        self.idle = idle

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> FrameItem:
        recording = self.clips.recordings[index]
        window = self.clips.window(recording)
        spec = self.clips.maker_of(recording).spec
        assert isinstance(spec.sampling, DenseSampling)
        chosen = sample_whole(window.times_s, spec.sampling.fps)
        streams = {stream: x.index_select(0, torch.from_numpy(chosen)) for stream, x in window.streams.items()}
        # At even times, as many frames as there are give every one of them.
        steady = Window(streams, np.arange(len(chosen)) / spec.sampling.fps)
        clip = ClipMaker(spec.model_copy(update={"num_frames": len(chosen)})).clip(steady)
        label_T = label_stream(recording, window.times_s[chosen], idle=self.idle)
        return FrameItem(clip.clip_TCHW, torch.from_numpy(label_T), index)


class FrameData(TrainingData):
    """Fragments of the training split's streams, and the validation split's streams one by one.

    Args:
        dataset: The data set; of streams, of clips, or of both.
        config: The run.
        judged: The frames of a fragment that the network has a row of logits for.
        progress: Called with (done, all, what) while windows are read beforehand.
    """

    def __init__(self, dataset: Dataset, config: RunConfig, *, judged: range, progress: Progress | None = None) -> None:
        super().__init__()
        self.config = config
        # Only there is anything to settle.
        is_settled = config.clip.region == "motion" or (
            Stream.DEPTH in config.clip.streams and isinstance(config.clip.depth, RelativeDepthChannels)
        )
        self.windows = GestureData(dataset, config, progress=progress, is_settled=is_settled)
        self._keep_windows_on_disk(dataset)
        card, (train, validation) = dataset.card, self.windows.splits
        idle = UNLABELLED if card.idle_class is None else card.classes.index(card.idle_class)
        self.fragments = FragmentDataset(
            train, judged=judged, idle=idle, num_fragments=config.loader.fragments_per_epoch
        )
        self.streams = None if validation is None else StreamDataset(validation, idle=idle)
        self.sampler = EpochSampler(self.fragments, seed=config.seed)

    def _keep_windows_on_disk(self, dataset: Dataset) -> None:
        """Do so where they do not fit into memory: a stream is not read anew for every fragment of it."""
        if self.config.loader.cache != "auto" or self.windows.cache.kind != "none" or dataset.source is not None:
            return
        for clips in self.windows.splits:
            if clips is not None:
                clips.cache.kind = "disk"

    @property
    def num_train(self) -> int:
        """Fragments of a training epoch."""
        return len(self.fragments)

    @property
    def num_validation(self) -> int:
        """Streams of the validation split."""
        return 0 if self.streams is None else len(self.streams)

    def prepare(self) -> None:
        """Read all windows into the memory cache, if that is where they are kept."""
        self.windows.prepare()

    def train_dataloader(self) -> DataLoader[Any]:
        """Return shuffled batches of fragments."""
        loader = self.config.loader
        return build_loader(
            self.fragments,
            loader,
            cache=self.windows.cache.kind,
            collate=collate_frames,
            sampler=self.sampler,
            drop_last=loader.drop_last and len(self.fragments) > loader.batch_size,
        )

    def val_dataloader(self) -> DataLoader[Any] | list[DataLoader[Any]]:
        """Return the validation streams in order, each a batch by itself."""
        if self.streams is None:
            return []
        kind = self.windows.cache.kind
        return build_loader(self.streams, self.config.loader, cache=kind, collate=collate_frames, batch_size=1)


def refuse_unfit_clips(clip: ClipSpec, model: FrameWiseNetConfig) -> None:
    """Refuse clips of which a network that labels frames could not learn.

    Raises:
        ConfigError: If frames are not sampled at a fixed rate from anywhere, or a clip is no window of the network.
    """
    if not isinstance(clip.sampling, DenseSampling):
        raise ConfigError(
            f"clip.sampling is {clip.sampling.kind!r}, which spreads frames over a whole stream; "
            "a network that labels frames wants neighbouring ones",
            hint="set clip.sampling=dense, and clip.sampling.fps",
        )
    if clip.sampling.first_frame is not None:
        raise ConfigError(
            f"clip.sampling.first_frame is {clip.sampling.first_frame}, and a network that labels frames learns from "
            "all of a stream",
            hint="leave clip.sampling.first_frame out",
        )
    if model.window is not None and model.window.num_frames != clip.num_frames:
        raise ConfigError(
            f"clip.num_frames is {clip.num_frames}, and model.window.num_frames {model.window.num_frames}: "
            "a network with a window learns from clips of its length",
            hint=f"set clip.num_frames={model.window.num_frames}",
        )


def label_stream(recording: Recording, times_s: FloatArray, *, idle: int) -> npt.NDArray[np.int64]:
    """Return the label of each frame of a stream, or of a clip of one label, int64 of shape (S,).

    Args:
        recording: Says what is shown when.
        times_s: When each frame is shown, in seconds from the start of the file, shape (S,).
        idle: Label of frames in no segment, or -1.
    """
    segments: Sequence[Segment] | None = recording.segments
    if segments is None:
        segments = [] if recording.label is None else [Segment(recording.label, -math.inf, math.inf)]
        idle = UNLABELLED
    return label_frames(segments, times_s, idle=idle)


def _held_frames(times_s: FloatArray, last_s: float) -> npt.NDArray[np.bool_]:
    """Say which frames of a fragment repeat the stream's last one, shape (T,)."""
    is_last = times_s >= last_s
    return np.asarray(is_last & (np.cumsum(is_last) > 1))


def collate_frames(items: Sequence[FrameItem]) -> FrameBatch:
    """Stack clips into a batch."""
    return FrameBatch(
        torch.stack([item.clip_TCHW for item in items]),
        torch.stack([item.label_T for item in items]),
        torch.tensor([item.position for item in items]),
    )
