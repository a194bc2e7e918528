"""Clips for a loader: chance from the seed, the epoch and the recording alone; labels that follow the mirror."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from mudra.clips import ArraySource, Augmentation, ClipMaker, ClipSpec, DepthTarget, RgbChannels
from mudra.datasets import Dataset, DatasetCard
from mudra.datasets.isogd import read_isogd
from mudra.errors import ClipError, VideoError
from mudra.training.clip_dataset import ClipDataset, EpochSampler, collate, derive_seed
from mudra.training.window_cache import CacheKind, WindowCache
from mudra.types import DepthFormat, PixelBox, Recording, Stream
from tests.clips.pictures import texture
from tests.fixtures.video import VideoMaker

SPEC = ClipSpec(num_frames=4, size=(24, 24), augmentation=Augmentation(rotation_deg=20.0))


def clips_of(
    dataset: Dataset,
    *,
    spec: ClipSpec = SPEC,
    seed: int | None = 0,
    cache: CacheKind = "none",
    mirror: bool = True,
) -> ClipDataset:
    index = dataset.card.mirror_index() if mirror else None
    maker = ClipMaker(spec, may_mirror=index is not None)
    keeper = WindowCache(cache, window_key=spec.window_key)
    return ClipDataset(dataset, dataset.split("train"), maker=maker, cache=keeper, seed=seed, mirror_index=index)


def test_chance_depends_on_seed_epoch_and_recording_alone(drawn: Dataset) -> None:
    first, again, other = clips_of(drawn), clips_of(drawn), clips_of(drawn, seed=1)
    assert torch.equal(first[3].clip_TCHW, again[3].clip_TCHW)
    for index in (5, 2, 3):  # the order of asking changes nothing
        again[index]
    assert torch.equal(first[3].clip_TCHW, again[3].clip_TCHW)
    assert not torch.equal(first[3].clip_TCHW, other[3].clip_TCHW)
    again.set_epoch(1)
    assert not torch.equal(first[3].clip_TCHW, again[3].clip_TCHW)
    first.set_epoch(1)
    assert torch.equal(first[3].clip_TCHW, again[3].clip_TCHW)


def test_a_test_clip_has_no_chance(drawn: Dataset) -> None:
    clips = clips_of(drawn, seed=None)
    before = clips[0].clip_TCHW
    clips.set_epoch(4)
    assert torch.equal(before, clips[0].clip_TCHW)


def test_a_mirrored_clip_has_the_mirrored_label(drawn: Dataset) -> None:
    spec = SPEC.model_copy(update={"augmentation": Augmentation(mirror_probability=1.0)})
    mirrored, plain = clips_of(drawn, spec=spec), clips_of(drawn, spec=spec, mirror=False)
    names = drawn.card.classes
    for index, recording in enumerate(mirrored.recordings):
        assert recording.label is not None
        expected = drawn.card.mirror[names[recording.label]]
        assert names[mirrored[index].label] == expected
        assert plain[index].label == recording.label
    left = next(i for i, r in enumerate(mirrored.recordings) if names[r.label or 0] == "swipe_left")
    assert names[mirrored[left].label] == "swipe_right"


def test_a_recording_without_a_label_says_so(drawn: Dataset) -> None:
    unknown = replace(drawn.split("train")[0], label=None)
    dataset = replace(drawn, recordings={"train": (unknown,)})
    assert clips_of(dataset, mirror=False)[0].label == -1


def test_kept_windows_give_the_same_clips(drawn: Dataset) -> None:
    for spec in (SPEC, SPEC.model_copy(update={"region": "motion", "streams": (Stream.DEPTH, Stream.FLOW)})):
        read, kept = clips_of(drawn, spec=spec), clips_of(drawn, spec=spec, cache="memory")
        for index in (0, 7):
            assert torch.equal(read[index].clip_TCHW, kept[index].clip_TCHW)


def test_the_order_of_an_epoch_is_a_shuffle_of_its_own(drawn: Dataset) -> None:
    clips = clips_of(drawn)
    sampler = EpochSampler(clips, seed=0)
    first = list(sampler)
    assert sorted(first) == list(range(len(clips))) == list(range(len(sampler)))
    assert list(sampler) == first
    sampler.set_epoch(1)
    second = list(sampler)
    assert second != first
    assert torch.equal(clips[0].clip_TCHW, _in_epoch(clips_of(drawn), 1)[0].clip_TCHW)  # it told the data set
    fresh = EpochSampler(clips_of(drawn), seed=0)
    fresh.set_epoch(1)
    assert list(fresh) == second
    assert list(EpochSampler(clips, seed=5)) != first


def _in_epoch(clips: ClipDataset, epoch: int) -> ClipDataset:
    clips.set_epoch(epoch)
    return clips


def test_clips_are_stacked_into_a_batch(drawn: Dataset) -> None:
    clips = clips_of(drawn, seed=None)
    batch = collate([clips[4], clips[9]])
    assert batch.clip_BTCHW.shape == (2, 4, 3, 24, 24)
    assert torch.equal(batch.clip_BTCHW[1], clips[9].clip_TCHW)
    assert batch.label_B.tolist() == [clips.recordings[4].label, clips.recordings[9].label]
    assert batch.index_B.tolist() == [4, 9]


@pytest.mark.parametrize("cache", ["none", "memory"])
def test_depth_to_learn_comes_beside_the_clip(drawn: Dataset, cache: CacheKind) -> None:
    spec = SPEC.model_copy(update={"target": DepthTarget(far_mm=2000.0)})
    clips, plain = clips_of(drawn, spec=spec, cache=cache), clips_of(drawn)
    batch = collate([clips[4], clips[9]])
    assert batch.depth_BTHW is not None
    assert batch.measured_BTHW is not None
    assert batch.depth_BTHW.shape == batch.measured_BTHW.shape == (2, 4, 24, 24)
    target = clips[9].target
    assert target is not None
    assert torch.equal(batch.depth_BTHW[1], target.depth_THW)
    assert torch.equal(batch.clip_BTCHW[0], plain[4].clip_TCHW)  # what the network sees stays colour
    assert collate([plain[4]]).depth_BTHW is None


@pytest.mark.parametrize("cache", ["none", "memory"])
def test_recordings_with_and_without_depth_go_into_one_batch(drawn: Dataset, cache: CacheKind) -> None:
    some = [replace(r, depth_path=None) if k % 2 else r for k, r in enumerate(drawn.split("train"))]
    spec = SPEC.model_copy(update={"target": DepthTarget(far_mm=2000.0)})
    clips = clips_of(replace(drawn, recordings={"train": tuple(some)}), spec=spec, cache=cache)
    measured_BTHW = collate([clips[k] for k in range(4)]).measured_BTHW
    assert measured_BTHW is not None
    assert measured_BTHW.flatten(1).any(dim=1).tolist() == [True, False, True, False]


def test_seeds_differ_by_each_part_and_are_the_same_everywhere() -> None:
    assert derive_seed(0, 1, 2) == 14355605444384636  # a number that another machine must give too
    assert len({derive_seed(a, b, c) for a in range(4) for b in range(4) for c in range(-2, 4)}) == 96


def on_disk(path: Path, dataset: Dataset, **span: float) -> Dataset:
    return replace(dataset, source=None, recordings={"train": (Recording(path=path, label=0, **span),)})  # type: ignore[arg-type]


@pytest.mark.parametrize("cache", ["none", "memory"])
def test_an_error_names_the_recording(
    tmp_path: Path, drawn: Dataset, video_maker: VideoMaker, cache: CacheKind
) -> None:
    path = video_maker(tmp_path / "short.mp4")
    clips = clips_of(on_disk(path, drawn, start_s=5.0), cache=cache)
    with pytest.raises(ClipError, match=r"short\.mp4@5\.000-end: no frame between 5\.0 s") as caught:
        clips[0]
    assert str(caught.value).count("short.mp4") == 1
    with pytest.raises(VideoError, match=r"gone\.mp4") as missing:
        clips_of(on_disk(tmp_path / "gone.mp4", drawn), cache=cache)[0]
    assert str(missing.value).count("gone.mp4") == 1


def test_files_are_read(tmp_path: Path, drawn: Dataset, video_maker: VideoMaker) -> None:
    clips = clips_of(on_disk(video_maker(tmp_path / "a.mp4", size=(48, 48)), drawn), seed=None)
    assert clips[0].clip_TCHW.shape == (4, 3, 24, 24)
    assert (clips[0].clip_TCHW.mean(dim=(1, 2, 3)).diff() > 0).all()  # the file brightens from frame to frame


def test_flow_alone_is_computed_from_colour_or_else_from_depth(drawn: Dataset) -> None:
    from contextlib import ExitStack

    from mudra.training.clip_dataset import open_sources

    recording = drawn.split("train")[0]
    with ExitStack() as stack:
        assert list(open_sources(drawn, recording, (Stream.FLOW,), stack)) == [Stream.RGB]
        depth_alone = replace(recording, stream=Stream.DEPTH)
        found = open_sources(drawn, depth_alone, (Stream.FLOW,), stack)
        assert list(found) == [Stream.DEPTH]
        assert isinstance(found[Stream.DEPTH], ArraySource)
        assert list(open_sources(drawn, recording, (Stream.DEPTH, Stream.RGB), stack)) == [Stream.DEPTH, Stream.RGB]
        for path, expected in ((recording.depth_path, [Stream.RGB, Stream.DEPTH]), (None, [Stream.RGB])):
            some = replace(recording, depth_path=path)
            assert list(open_sources(drawn, some, (Stream.RGB,), stack, if_there=(Stream.DEPTH,))) == expected


def test_of_a_recording_with_a_box_that_part_alone_is_seen(
    tmp_path: Path, drawn: Dataset, video_maker: VideoMaker
) -> None:
    from contextlib import ExitStack

    from mudra.training.clip_dataset import open_sources

    dataset = on_disk(video_maker(tmp_path / "a.mp4", size=(48, 48)), drawn)
    whole = dataset.split("train")[0]
    with ExitStack() as stack:
        frames = open_sources(dataset, whole, (Stream.RGB,), stack)[Stream.RGB].read()
        boxed = open_sources(dataset, replace(whole, box=PixelBox(10, 20, 16, 12)), (Stream.RGB,), stack)[Stream.RGB]
        assert boxed.frame_size == (16, 12)
        assert np.array_equal(boxed.read().frames_THWC, frames.frames_THWC[:, 10:26, 20:32])


PAIRS = ClipSpec(
    num_frames=4,
    size=(120, 120),
    crop="corners",
    rgb=RgbChannels(mean=(0.0, 0.0, 0.0), divisor=(255.0, 255.0, 255.0)),
    augmentation=Augmentation(mirror_probability=0.5),
    target=DepthTarget(missing="zero"),
)


class Found(NamedTuple):
    """Where a picture was found in another one, in shares of its height and width, and how well it fits there."""

    top: float
    left: float
    height: float
    width: float
    mirrored: bool
    likeness: float

    def is_near(self, other: Found) -> bool:
        """Whether both are the same place, but for two pixels of 120."""
        return self.mirrored is other.mirrored and np.allclose(self[:4], other[:4], rtol=0, atol=2 / 120)


def find_in(whole_HW: Tensor, part_HW: Tensor) -> Found:
    """Look for a part of a picture, stretched by one of the crops' scales and perhaps mirrored: without their code."""
    whole, best = whole_HW.numpy().astype(np.float32), Found(0, 0, 0, 0, False, -1.0)
    for height, width in itertools.product((120, 105, 90, 79), repeat=2):
        for mirrored in (False, True):
            part = cv2.resize(part_HW.numpy().astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
            likeness = cv2.matchTemplate(whole, part[:, ::-1].copy() if mirrored else part, cv2.TM_CCOEFF_NORMED)
            top, left = np.unravel_index(likeness.argmax(), likeness.shape)
            shares = (top / len(whole), left / whole.shape[1], height / len(whole), width / whole.shape[1])
            best = max(best, Found(*map(float, shares), mirrored, float(likeness.max())), key=lambda one: one.likeness)
    return best


def find_both(clips: ClipDataset, recording: Recording, *, epochs: int) -> list[tuple[Found, Found]]:
    """Where each epoch's first clip lies in the whole frames, by its colour and by its depth alone."""
    from contextlib import ExitStack

    from mudra.training.clip_dataset import open_sources

    with ExitStack() as stack:
        sources = open_sources(clips.dataset, recording, (Stream.RGB, Stream.DEPTH), stack)
        colour_THW = torch.from_numpy(sources[Stream.RGB].read(size=(120, 160)).frames_THWC[..., 0] / 255.0)
        depth_THW = torch.from_numpy(sources[Stream.DEPTH].read(size=(120, 160)).frames_THWC[..., 0] / 4000.0)
        times_s = list(sources[Stream.RGB].times_s)
    found = []
    for epoch in range(epochs):
        clips.set_epoch(epoch)
        clip = clips.make_clip(recording, clips.build_generator(0))
        assert clip.target is not None
        frame = times_s.index(clip.times_s[0])
        in_colour = find_in(colour_THW[frame], clip.clip_TCHW[0, 0])
        found.append((in_colour, find_in(depth_THW[frame], clip.target.depth_THW[0])))
    return found


def check_pair(recording: Recording) -> None:
    """Colour and depth of every clip show one place; the places differ from clip to clip."""
    card = DatasetCard(name="pairs", classes=("one",), mirror={"one": "one"})
    clips = clips_of(Dataset(card=card, recordings={"train": (recording,)}), spec=PAIRS)
    found = find_both(clips, recording, epochs=8)
    for in_colour, in_depth in found:
        assert in_colour.likeness > 0.9, found
        assert in_depth.likeness > 0.9, found
        assert in_colour.is_near(in_depth), found
    assert {in_colour.mirrored for in_colour, _ in found} == {False, True}
    strangers = [one.is_near(other) for (one, _), (_, other) in itertools.pairwise(found)]
    assert not all(strangers), "all clips lie at one place: agreement means nothing"


def test_drawn_colour_and_depth_show_one_place(tmp_path: Path) -> None:
    """Two pictures that have nothing in common but the frame: what finds one place in both is the place alone."""
    for name, seed in (("colour", 1), ("depth", 2)):
        (tmp_path / name).mkdir()
        picture = 40 + texture(240, 320, seed=seed) // 2
        for number in range(8):
            shown = np.roll(picture, 3 * number, axis=1)
            cv2.imwrite(str(tmp_path / name / f"{number:03}.png"), shown if name == "depth" else np.dstack([shown] * 3))
    depth = DepthFormat(mm_per_level=4000 / 255)
    check_pair(Recording(path=tmp_path / "colour", depth_path=tmp_path / "depth", label=0, depth=depth, fps=10.0))


@pytest.mark.real
@pytest.mark.parametrize("number", [1, 20])
def test_real_colour_and_depth_show_one_place(shared_data: Path, number: int) -> None:
    """Files of two cameras: whatever chance does to the place, it does to both."""
    dataset = read_isogd(shared_data / "isogd", on_missing="skip", depth="aligned")
    pairs = [recording for recording in dataset.split("train") if recording.depth_path is not None]
    check_pair(replace(pairs[number], label=0))
