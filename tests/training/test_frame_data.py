"""Fragments and whole streams: every frame has its own label, whatever chance does to time and sides."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mudra.clips import Augmentation, ClipSpec, DenseSampling, UniformSampling
from mudra.datasets import Dataset
from mudra.errors import ConfigError
from mudra.models import FrameWiseNetConfig, WindowConfig
from mudra.training import RunConfig
from mudra.training.frame_data import FrameBatch, FrameData, label_stream, refuse_unfit_clips
from mudra.types import Frames, Recording, Segment, Stream
from tests.fixtures.frame_streams import FPS, SHOWN, frame_labels, tiny_frame_config, tiny_streams
from tests.fixtures.video import VideoMaker

STILL = {"clip.augmentation.mirror_probability": 0.0}


def data_of(config: RunConfig, dataset: Dataset | None = None, *, judged: range | None = None) -> FrameData:
    data = FrameData(dataset or tiny_streams(), config, judged=judged or range(config.clip.num_frames))
    data.prepare()
    return data


def seen_labels(clip_TCHW: torch.Tensor) -> list[int]:
    """What the frames show, told from the pixels: which half is bright, if one is."""
    left_T, right_T = (half.mean(dim=(1, 2, 3)) for half in clip_TCHW.chunk(2, dim=3))
    return [0 if abs(float(a - b)) < 0.5 else 1 if a > b else 2 for a, b in zip(left_T, right_T, strict=True)]


def train_batches(data: FrameData, epoch: int = 0) -> list[FrameBatch]:
    data.sampler.set_epoch(epoch)
    return list(data.train_dataloader())


@pytest.mark.parametrize("time_scale", [(1.0, 1.0), (0.5, 2.0)])
def test_labels_follow_their_frames_through_stretches_and_mirrors(time_scale: tuple[float, float]) -> None:
    data = data_of(tiny_frame_config({"clip.sampling.time_scale": list(time_scale)}))
    for batch in (batch for epoch in range(4) for batch in train_batches(data, epoch)):
        for clip_TCHW, label_T in zip(batch.clip_BTCHW, batch.label_BT.tolist(), strict=True):
            known = [(seen, told) for seen, told in zip(seen_labels(clip_TCHW), label_T, strict=True) if told >= 0]
            assert len(known) >= 3
            assert all(seen == told for seen, told in known)


def test_a_mirror_exchanges_labels_and_leaves_unknown_frames_unknown() -> None:
    alike = {"clip.augmentation.mirror_probability": 1.0}
    plain, turned = (data_of(tiny_frame_config(changes), tiny_streams(idle_class=None)) for changes in (STILL, alike))
    exchanged = {-1: -1, 1: 2, 2: 1}
    for index in range(24):
        before, after = plain.fragments[index].label_T.tolist(), turned.fragments[index].label_T.tolist()
        assert [exchanged[label] for label in before] == after
        assert 0 not in before


def test_an_epoch_covers_every_stream_and_the_next_one_lies_elsewhere() -> None:
    data = data_of(tiny_frame_config({"loader.fragments_per_epoch": None, "loader.drop_last": False}))
    lengths = {name: len(frame_labels(name)) for name in SHOWN if "train" in name}
    wanted = [-(-length // 8) for length in lengths.values()]
    assert data.num_train == sum(wanted) == 6 + 5 + 2
    epochs = [train_batches(data, epoch) for epoch in (0, 1, 0)]
    positions = [torch.cat([batch.index_B for batch in epoch]).tolist() for epoch in epochs]
    for found in positions:
        assert [Counter(found)[k] for k in range(3)] == wanted
    assert positions[0] == positions[2] != positions[1]
    clips = [torch.cat([batch.clip_BTCHW for batch in epoch]) for epoch in epochs]
    assert torch.equal(clips[0], clips[2])
    assert not torch.equal(clips[0].sort(dim=0).values, clips[1].sort(dim=0).values)


@pytest.mark.parametrize("wanted", [5, 24, 40])
def test_an_epoch_of_any_number_of_fragments_favours_long_streams(wanted: int) -> None:
    data = data_of(tiny_frame_config({"loader.fragments_per_epoch": wanted}))
    assert data.num_train == wanted
    counts: Counter[int] = Counter()
    for epoch in range(30):
        data.sampler.set_epoch(epoch)
        counts.update(data.fragments.stream_of(index) for index in range(wanted))
    for stream, share in enumerate((6 / 13, 5 / 13, 2 / 13)):
        assert counts[stream] / (30 * wanted) == pytest.approx(share, abs=0.06)


def test_fragments_begin_anywhere() -> None:
    data = data_of(tiny_frame_config({**STILL, "loader.fragments_per_epoch": 300}))
    first = {tuple(item.label_T.tolist()) for item in map(data.fragments.__getitem__, range(300)) if item.position == 0}
    labels = frame_labels("train/0")
    assert first == {tuple(labels[start : start + 8]) for start in range(len(labels) - 7)}


def test_a_network_with_a_window_learns_its_middle_frame() -> None:
    config = tiny_frame_config(STILL)
    whole, middle = data_of(config), data_of(config, judged=range(3, 4))
    for index in range(24):
        assert middle.fragments[index].label_T.tolist() == whole.fragments[index].label_T.tolist()[3:4]
        assert torch.equal(middle.fragments[index].clip_TCHW, whole.fragments[index].clip_TCHW)
    assert next(iter(middle.train_dataloader())).label_BT.shape == (4, 1)


def test_a_short_stream_is_held_and_held_frames_teach_nothing() -> None:
    data = data_of(tiny_frame_config({**STILL, "clip.num_frames": 20, "loader.fragments_per_epoch": None}))
    items = [data.fragments[index] for index in range(len(data.fragments))]
    short = next(item for item in items if item.position == 2)
    assert short.label_T.tolist() == [*frame_labels("train/2"), *[-1] * 6]
    assert torch.equal(short.clip_TCHW[13:], short.clip_TCHW[13:14].expand(7, -1, -1, -1))
    assert all((item.label_T >= 0).all() for item in items if item.position != 2)


def test_frames_of_which_nothing_is_known_have_no_label() -> None:
    data = data_of(tiny_frame_config(STILL), tiny_streams(idle_class=None))
    assert data.streams is not None
    expected = [label or -1 for label in frame_labels("validation/0")]
    assert data.streams[0].label_T.tolist() == expected


def test_validation_streams_come_whole_and_one_by_one() -> None:
    data = data_of(tiny_frame_config())
    batches = list(data.val_dataloader())
    assert data.num_validation == 2
    for name, batch in zip(("validation/0", "validation/1"), batches, strict=True):
        labels = frame_labels(name)
        assert batch.clip_BTCHW.shape == (1, len(labels), 3, 16, 24)
        assert batch.label_BT.tolist() == [labels]
        assert seen_labels(batch.clip_BTCHW[0]) == labels
    assert [batch.index_B.tolist() for batch in batches] == [[0], [1]]


def test_a_stream_is_judged_at_the_clips_rate() -> None:
    data = data_of(tiny_frame_config({"clip.sampling.fps": FPS / 2}))
    assert data.streams is not None
    assert data.streams[0].label_T.tolist() == frame_labels("validation/0")[::2]
    assert seen_labels(data.streams[0].clip_TCHW) == frame_labels("validation/0")[::2]


@pytest.mark.parametrize(("cache", "workers"), [("none", 0), ("disk", 0), ("memory", 1)])
def test_where_windows_are_kept_and_who_makes_clips_changes_nothing(cache: str, workers: int, tmp_path: Path) -> None:
    stretched = {"clip.sampling.time_scale": [0.8, 1.2]}
    kept = data_of(tiny_frame_config(stretched))
    feeding = {"loader.cache": cache, "loader.cache_dir": str(tmp_path), "loader.num_workers": workers}
    other = data_of(tiny_frame_config({**stretched, **feeding}))
    for first, second in zip(train_batches(kept, 3), train_batches(other, 3), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    for first, second in zip(kept.val_dataloader(), other.val_dataloader(), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_streams_that_do_not_fit_into_memory_are_kept_on_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, video_maker: VideoMaker
) -> None:
    monkeypatch.setattr("mudra.training.loaders.free_memory_bytes", lambda: 0)
    stream = Recording(path=video_maker(tmp_path / "a.mp4", size=(48, 48)), segments=(Segment(1, 0.1, 0.3),))
    dataset = replace(tiny_streams(), source=None, recordings={"train": (stream,)})
    changes = {**STILL, "loader.cache": "auto", "loader.cache_dir": str(tmp_path / "kept")}
    data = data_of(tiny_frame_config({**changes, "loader.fragments_per_epoch": None}), dataset)
    assert data.windows.cache.kind == "disk"
    assert data.val_dataloader() == []
    labels = set(data.fragments[0].label_T.tolist())
    assert labels <= {0, 1}
    assert list((tmp_path / "kept").iterdir())


def test_clips_of_one_label_are_streams_that_show_it_throughout(drawn: Dataset) -> None:
    sampling = DenseSampling(fps=25.0)
    config = tiny_frame_config({**STILL, "loader.fragments_per_epoch": None}).model_copy(
        update={"clip": ClipSpec(num_frames=6, size=(32, 32), sampling=sampling, mirror="never")}
    )
    data = data_of(config, drawn)
    assert data.num_train == 2 * len(drawn.split("train"))  # eight frames each: two fragments of six
    for index in range(0, data.num_train, 5):
        item = data.fragments[index]
        assert item.label_T.tolist() == [drawn.split("train")[item.position].label] * 6


def test_labels_of_a_clip_without_one_are_unknown() -> None:
    assert label_stream(Recording(path=Path("a")), np.arange(3.0), idle=0).tolist() == [-1, -1, -1]
    stream = Recording(path=Path("a"), segments=(Segment(2, 1.0, 2.0),), start_s=1.0)
    assert label_stream(stream, np.arange(3.0), idle=0).tolist() == [0, 2, 0]


def test_clips_of_no_use_are_refused() -> None:
    spread = ClipSpec(num_frames=8, sampling=UniformSampling(), augmentation=Augmentation())
    with pytest.raises(ConfigError, match=r"clip.sampling is 'uniform', .*\n  hint: set clip.sampling=dense"):
        refuse_unfit_clips(spread, FrameWiseNetConfig())
    window = FrameWiseNetConfig(window=WindowConfig(num_frames=32), cells=())
    dense = ClipSpec(num_frames=8, sampling=DenseSampling())
    with pytest.raises(
        ConfigError, match=r"num_frames is 8, .*window.num_frames 32: .*\n  hint: set clip.num_frames=32"
    ):
        refuse_unfit_clips(dense, window)
    fixed = ClipSpec(num_frames=8, sampling=DenseSampling(first_frame=0))
    with pytest.raises(ConfigError, match=r"first_frame is 0, .* from all of a stream\n  hint: leave clip\.sampling"):
        refuse_unfit_clips(fixed, FrameWiseNetConfig())
    refuse_unfit_clips(dense.model_copy(update={"num_frames": 32}), window)
    refuse_unfit_clips(dense, FrameWiseNetConfig())


def draw_going_hand(recording: Recording, stream: Stream) -> Frames:
    """Forty frames of a square hand that goes to the right and away from the camera."""
    frames = np.zeros((40, 24, 64, 1), np.uint16)
    for index, frame in enumerate(frames):
        frame[8:16, 4 + index : 12 + index] = 500 + 10 * index
    return Frames(frames, np.arange(40) / FPS)


@pytest.mark.parametrize("cache", ["memory", "none"])
@pytest.mark.parametrize("region", ["motion", "frame"])
def test_a_streams_fragments_share_its_place_and_its_distance(region: str, cache: str) -> None:
    stream = Recording(path=Path("hand"), stream=Stream.DEPTH, segments=(Segment(1, 0.5, 1.0),))
    card = tiny_streams().card.model_copy(update={"streams": (Stream.DEPTH,)})
    dataset = Dataset(card=card, recordings={"train": (stream,), "validation": (stream,)}, source=draw_going_hand)
    changes = {
        **STILL,
        "clip.streams": ["depth"],
        "clip.region": region,
        "clip.crop": "stretch",
        "clip.max_frames": 20,
        "loader.cache": cache,
    }
    data = data_of(tiny_frame_config(changes), dataset)
    assert data.streams is not None
    whole_TCHW = data.streams[0].clip_TCHW
    starts = set()
    for index in range(10):
        clip_TCHW = data.fragments[index].clip_TCHW
        found = [t for t in range(33) if torch.allclose(clip_TCHW, whole_TCHW[t : t + 8], atol=1e-3)]
        assert len(found) == 1
        starts.add(found[0])
    assert len(starts) > 4
