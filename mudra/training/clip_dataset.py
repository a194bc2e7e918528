"""Recordings as clips for a loader: windows from a cache, chance from the seed, the epoch and the recording alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import Sampler

from mudra.clips import ArraySource, Clip, ClipMaker, FrameSource, View, Window
from mudra.datasets import Dataset
from mudra.errors import ClipError
from mudra.training.window_cache import WindowCache
from mudra.types import Batch, Recording, Stream
from mudra.video import open_recording


class Item(NamedTuple):
    """One clip with what belongs to it."""

    clip_TCHW: Tensor
    label: int
    position: int


class ClipDataset(TorchDataset[Item]):
    """One split as clips.

    Args:
        dataset: Says where frames come from.
        recordings: The split.
        maker: Makes clips.
        cache: Keeps windows.
        seed: Seed of all chance; None makes test clips.
        mirror_index: The label that each label becomes in a mirror.
    """

    def __init__(
        self,
        dataset: Dataset,
        recordings: Sequence[Recording],
        *,
        maker: ClipMaker,
        cache: WindowCache,
        seed: int | None = None,
        mirror_index: Sequence[int] | None = None,
    ) -> None:
        self.dataset = dataset
        self.recordings = list(recordings)
        self.maker = maker
        self.cache = cache
        self.seed = seed
        self.mirror_index = mirror_index
        # In shared memory, so that workers that outlive an epoch see the next one's number.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]

    def __len__(self) -> int:
        return len(self.recordings)

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch's chance is drawn."""
        self._epoch.fill_(epoch)

    def __getitem__(self, index: int) -> Item:
        recording = self.recordings[index]
        generator = None
        if self.seed is not None:
            generator = torch.Generator().manual_seed(derive_seed(self.seed, int(self._epoch), index))
        clip = self._clip(recording, generator)
        label = -1 if recording.label is None else recording.label
        if clip.mirrored and self.mirror_index is not None:
            label = self.mirror_index[label]
        return Item(clip.clip_TCHW, label, index)

    def _clip(self, recording: Recording, generator: torch.Generator | None) -> Clip:
        if self.cache.is_active:
            return self.maker.clip(self.window(recording), generator=generator)
        with ExitStack() as stack, _naming(recording):
            sources = open_sources(self.dataset, recording, self.maker.spec.streams, stack)
            span_s = (recording.start_s, recording.end_s)
            return self.maker.read_clip(sources, span_s=span_s, generator=generator, view=View())

    def window(self, recording: Recording) -> Window:
        """Return a recording's window, from the cache if it is there."""
        return self.cache.fetch(recording, lambda: self._read_window(recording))

    def _read_window(self, recording: Recording) -> Window:
        with ExitStack() as stack, _naming(recording):
            sources = open_sources(self.dataset, recording, self.maker.spec.streams, stack)
            return self.maker.window(sources, span_s=(recording.start_s, recording.end_s))


class EpochSampler(Sampler[int]):
    """Shuffled positions; the order depends on the seed and the epoch alone, so that a resumed run repeats it."""

    def __init__(self, dataset: ClipDataset, *, seed: int) -> None:
        self.dataset = dataset
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes: Lightning calls this before each."""
        self.epoch = epoch
        self.dataset.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.dataset)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(derive_seed(self.seed, self.epoch, -1))
        return iter(torch.randperm(len(self.dataset), generator=generator).tolist())


def collate(items: Sequence[Item]) -> Batch:
    """Stack clips into a batch."""
    return Batch(
        torch.stack([item.clip_TCHW for item in items]),
        torch.tensor([item.label for item in items]),
        torch.tensor([item.position for item in items]),
    )


def derive_seed(*parts: int) -> int:
    """Return one seed from several numbers, the same on every machine."""
    digest = hashlib.blake2b(" ".join(map(str, parts)).encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big")


@contextmanager
def _naming(recording: Recording) -> Iterator[None]:
    """Put the recording into the message of an error that does not name its file."""
    try:
        yield
    except ClipError as error:
        raise ClipError(f"{recording.key}: {error.message}", hint=error.hint) from None


def open_sources(
    dataset: Dataset, recording: Recording, streams: Sequence[Stream], stack: ExitStack
) -> dict[Stream, FrameSource]:
    """Open every stream that the clip needs; flow needs colour, or else depth. `stack` closes them."""
    wanted = [stream for stream in streams if stream is not Stream.FLOW]
    if not wanted:
        wanted = [Stream.RGB if recording.path_of(Stream.RGB) else Stream.DEPTH]
    if dataset.source is not None:
        return {stream: ArraySource(dataset.source(recording, stream)) for stream in wanted}
    return {stream: stack.enter_context(open_recording(recording, stream)) for stream in wanted}
