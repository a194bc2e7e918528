"""Recordings as clips for a loader: windows from a cache, chance from the seed, the epoch and the recording alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import Sampler

from mudra.clips import ArraySource, BoxedSource, Clip, ClipMaker, FrameSource, TargetMaps, View, Window
from mudra.clips.maker import frames_in_span
from mudra.datasets import Dataset
from mudra.errors import ClipError
from mudra.training.window_cache import WindowCache
from mudra.types import Batch, FloatArray, Recording, Stream
from mudra.video import open_recording


class Item(NamedTuple):
    """One clip with what belongs to it; `target` is depth to learn."""

    clip_TCHW: Tensor
    label: int
    position: int
    target: TargetMaps | None = None


class ClipDataset(TorchDataset[Item]):
    """One split as clips.

    Args:
        dataset: Says where frames come from.
        recordings: The split.
        maker: Makes clips.
        cache: Keeps windows.
        seed: Seed of all chance; None makes test clips.
        mirror_index: The label that each label becomes in a mirror.
        is_settled: Whether all clips of one whole file lie at one place of it, and measure depth from one distance: for
            files of which many clips are made, and which are judged as a whole.
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
        is_settled: bool = False,
    ) -> None:
        self.dataset = dataset
        self.recordings = list(recordings)
        self.maker = maker
        self.cache = cache
        self.seed = seed
        self.mirror_index = mirror_index
        self.is_settled = is_settled
        self._makers: dict[str, ClipMaker] = {}
        # In shared memory, so that workers that outlive an epoch see the next one's number.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]

    def __len__(self) -> int:
        return len(self.recordings)

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch's chance is drawn."""
        self._epoch.fill_(epoch)

    def __getitem__(self, index: int) -> Item:
        recording = self.recordings[index]
        clip = self.make_clip(recording, self.build_generator(index))
        label = -1 if recording.label is None else recording.label
        if clip.mirrored and self.mirror_index is not None:
            label = self.mirror_index[label]
        return Item(clip.clip_TCHW, label, index, clip.target)

    def build_generator(self, index: int) -> torch.Generator | None:
        """Return the chance of one item in this epoch; None where nothing is left to chance."""
        if self.seed is None:
            return None
        return torch.Generator().manual_seed(derive_seed(self.seed, int(self._epoch), index))

    def make_clip(self, recording: Recording, generator: torch.Generator | None) -> Clip:
        """Return a clip of a recording, a test clip without a generator."""
        if self.cache.is_active:
            window = self.window(recording)
            return self.maker_of(recording).clip(window, generator=generator)
        with ExitStack() as stack, _naming(recording):
            sources = self._open(recording, stack)
            span_s = (recording.start_s, recording.end_s)
            return self.maker_of(recording, sources).read_clip(sources, span_s=span_s, generator=generator, view=View())

    def window(self, recording: Recording) -> Window:
        """Return a recording's window, from the cache if it is there."""
        return self.cache.fetch(recording, lambda: self._read_window(recording))

    def _read_window(self, recording: Recording) -> Window:
        with ExitStack() as stack, _naming(recording):
            sources = self._open(recording, stack)
            span_s = (recording.start_s, recording.end_s)
            return self.maker_of(recording, sources).window(sources, span_s=span_s)

    def maker_of(self, recording: Recording, sources: Mapping[Stream, FrameSource] | None = None) -> ClipMaker:
        """Return what makes clips of a recording.

        Args:
            recording: The recording.
            sources: Its streams, where they are open already.
        """
        if not self.is_settled or recording.start_s is not None or recording.end_s is not None:
            return self.maker
        if recording.key not in self._makers:
            with ExitStack() as stack, _naming(recording):
                settled = self.maker.settle(self._open(recording, stack) if sources is None else sources)
            settled.may_mirror = self.maker.may_mirror
            self._makers[recording.key] = settled
        return self._makers[recording.key]

    def read_times(self, recording: Recording) -> FloatArray:
        """Return when the recording's frames are shown; of a file that is not kept in memory, nothing is decoded."""
        if self.cache.kind == "memory" or self.dataset.source is not None:
            return self.window(recording).times_s
        with ExitStack() as stack, _naming(recording):
            sources = self._open(recording, stack)
            times_s = (sources.get(Stream.RGB) or sources[Stream.DEPTH]).times_s
            return times_s[frames_in_span(times_s, (recording.start_s, recording.end_s))]

    def _open(self, recording: Recording, stack: ExitStack) -> dict[Stream, FrameSource]:
        spec = self.maker.spec
        learned = () if spec.target is None else (Stream.DEPTH,)
        return open_sources(self.dataset, recording, spec.streams, stack, if_there=learned)


class EpochDataset(Protocol):
    """What an `EpochSampler` shuffles."""

    def __len__(self) -> int: ...

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch's chance is drawn."""


class EpochSampler(Sampler[int]):
    """Shuffled positions; the order depends on the seed and the epoch alone, so that a resumed run repeats it."""

    def __init__(self, dataset: EpochDataset, *, seed: int) -> None:
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
        *_stack_targets([item.target for item in items]),
    )


def _stack_targets(targets: Sequence[TargetMaps | None]) -> tuple[Tensor | None, Tensor | None]:
    known = [target for target in targets if target is not None]
    if not known:
        return None, None
    return torch.stack([target.depth_THW for target in known]), torch.stack([t.measured_THW for t in known])


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
    dataset: Dataset,
    recording: Recording,
    streams: Sequence[Stream],
    stack: ExitStack,
    *,
    if_there: Sequence[Stream] = (),
) -> dict[Stream, FrameSource]:
    """Open every stream that the clip needs; flow needs colour, or else depth. `stack` closes them.

    Of a recording with a box, that part of every frame alone is seen.

    Args:
        dataset: Says where frames come from.
        recording: What to open.
        streams: What the clip needs.
        stack: Closes what was opened.
        if_there: What is opened of a recording that has it, and left out of one that has not.
    """
    wanted: list[Stream] = [stream for stream in streams if stream is not Stream.FLOW]
    if not wanted:
        wanted = [Stream.RGB if recording.path_of(Stream.RGB) else Stream.DEPTH]
    wanted += [stream for stream in if_there if stream not in wanted and recording.path_of(stream) is not None]
    sources: dict[Stream, FrameSource] = {}
    for stream in wanted:
        if dataset.source is not None:
            sources[stream] = ArraySource(dataset.source(recording, stream))
        else:
            sources[stream] = stack.enter_context(open_recording(recording, stream))
        if recording.box is not None:
            sources[stream] = BoxedSource(sources[stream], recording.box)
    return sources
