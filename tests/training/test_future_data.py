"""Batches that are drawn: new ones in every epoch, the same ones again, cut behind what is seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from mudra.clips import ClipSpec, FlowChannels
from mudra.datasets import ClipDrawer, DrawnClips, MovingDigitsConfig, SyntheticConfig
from mudra.errors import ConfigError
from mudra.models import FutureNetConfig
from mudra.training import LoaderConfig, RunConfig
from mudra.training.future_data import (
    FutureBatch,
    FutureBatches,
    FutureData,
    cut_future,
    fill_future,
    find_drawer,
    resolve_future,
)
from mudra.types import Stream

COUNTS = {"train": 7, "validation": 5, "test": 2}


class Numbered(ClipDrawer):
    """Draws clips whose every pixel is their number; of flow, twice the number."""

    def count(self, split: str) -> int:
        return COUNTS[split]

    def draw(self, split: str, numbers: Sequence[int], *, with_flow: bool = False) -> DrawnClips:
        values_B = torch.tensor(numbers, dtype=torch.float64)
        clip_BTCHW = values_B.view(-1, 1, 1, 1, 1) * torch.ones(5, 1, 8, 8, dtype=torch.float64)
        if with_flow:
            clip_BTCHW = torch.cat([clip_BTCHW, 2 * clip_BTCHW, -2 * clip_BTCHW], dim=2)
        return DrawnClips(clip_BTCHW, values_B)


def run(**values: Any) -> RunConfig:
    config = RunConfig(
        model=FutureNetConfig(num_frames_out=2),
        data=MovingDigitsConfig(source="sklearn", num_frames=5, size=(24, 24)),
        clip=ClipSpec(num_frames=3, size=(24, 24)),
        loader=LoaderConfig(batch_size=3, num_workers=0),
        seed=2,
    )
    return config.with_overrides(values)


def numbers(loader: Any) -> list[list[int]]:
    return [batch.index_B.tolist() for batch in loader]


def test_an_epoch_has_its_own_clips_and_repeats_itself() -> None:
    data = FutureData(Numbered(), run())
    first = 2 * 1_000_000 * 7
    loader = data.train_dataloader()
    assert numbers(loader) == [[first, first + 1, first + 2], [first + 3, first + 4, first + 5]]
    loader.sampler.set_epoch(4)  # type: ignore[attr-defined]
    later = numbers(loader)
    assert later[0] == [first + 28, first + 29, first + 30]
    assert numbers(loader) == later
    assert (data.num_train, data.num_validation) == (7, 5)
    assert len(numbers(FutureData(Numbered(), run(**{"loader.drop_last": False})).train_dataloader())[-1]) == 1


def test_validation_clips_stay_the_same_and_none_is_left_out() -> None:
    loader = FutureData(Numbered(), run()).val_dataloader()
    assert not isinstance(loader, list)
    for epoch in (0, 3):
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        assert numbers(loader) == [[0, 1, 2], [3, 4]]
    assert len(loader) == 2


def test_without_validation_clips_nothing_is_validated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COUNTS, "validation", 0)
    assert FutureData(Numbered(), run()).val_dataloader() == []


def test_a_batch_as_large_as_the_epoch_is_not_left_out() -> None:
    config = run(**{"loader.batch_size": 9})
    assert [len(batch) for batch in numbers(FutureData(Numbered(), config).train_dataloader())] == [7]


def test_workers_see_the_epoch() -> None:
    loader = FutureData(Numbered(), run(**{"loader.num_workers": 1})).train_dataloader()
    before = numbers(loader)
    loader.sampler.set_epoch(1)  # type: ignore[attr-defined]
    assert numbers(loader)[0] == [number + 7 for number in before[0]]


def test_what_is_seen_has_scaled_flow_and_what_follows_has_none() -> None:
    streams = {"clip.streams": ["rgb", "flow"], "clip.flow.scale_px": 8.0, "clip.flow.clip_px": 4.0}
    batch = FutureBatches(Numbered(), "validation", run(**streams))[0]
    assert isinstance(batch, FutureBatch)
    assert batch.clip_BTCHW.shape == (3, 3, 3, 8, 8)
    assert batch.future_BTCHW.shape == (3, 2, 1, 8, 8)
    assert batch.clip_BTCHW[:, 0, :, 0, 0].tolist() == [[0, 0, 0], [1, 0.25, -0.25], [2, 0.5, -0.5]]
    assert batch.future_BTCHW[:, 1, 0, 0, 0].tolist() == [0, 1, 2]


def test_a_clip_is_cut_behind_what_is_seen() -> None:
    clip_BTCHW = torch.arange(10.0).view(1, 5, 2, 1, 1)
    cut = cut_future(clip_BTCHW, ClipSpec(num_frames=3, flow=FlowChannels(scale_px=2.0)))
    assert cut.seen_BTCHW.flatten().tolist() == [0, 0.5, 2, 1.5, 4, 2.5]
    assert cut.future_BTCHW.flatten().tolist() == [6, 8]


def test_drawn_digits_reach_the_batches() -> None:
    config = run(**{"clip.streams": ["rgb", "flow"]})
    batch = next(iter(FutureData(find_drawer(config), config).train_dataloader()))
    assert batch.clip_BTCHW.shape == (3, 3, 3, 24, 24)
    assert 0.5 < float(batch.future_BTCHW.max()) <= 1.0


def test_channels_follow_from_the_streams() -> None:
    assert fill_future(run()).flow_channels == 0
    assert fill_future(run(**{"clip.streams": ["rgb", "flow"]})).flow_channels == 2
    resolved = resolve_future(run(**{"clip.streams": [Stream.RGB, Stream.FLOW]})).model
    assert isinstance(resolved, FutureNetConfig)
    assert (resolved.in_channels, resolved.flow_channels) == (1, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"clip.streams": ["depth"]},
            r"clip.streams is \[depth\]; a future is predicted from grey.*\n  hint: clip.str",
        ),
        ({"clip.streams": ["rgb", "flow"], "clip.flow.num_channels": 3}, "clip.flow.num_channels is 3; drawn flow has"),
        ({"model.in_channels": 3}, "are 3 and 0, the clip's streams have 1 and 0\n  hint: leave both out"),
        ({"model.flow_channels": 2}, "are 1 and 2, the clip's streams have 1 and 0"),
        ({"clip.num_frames": 4}, r"4 frames are seen .* and 2 predicted .* have 5\n  hint: set data.num_frames=6"),
        (
            {"clip.size": [24, 32]},
            r"clip.size is \[24, 32\], the pictures are \[24, 24\].*\n  hint: set clip.size=\[24",
        ),
    ],
)
def test_a_run_that_does_not_fit_its_clips_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve_future(run(**changes))


@pytest.mark.parametrize(("data", "kind"), [(None, "none"), (SyntheticConfig(), "synthetic")])
def test_data_that_draws_no_clips_is_refused(data: Any, kind: str) -> None:
    config = run().model_copy(update={"data": data})
    with pytest.raises(ConfigError, match=rf"the data set \({kind}\) draws no clips for that\n  hint: add data=moving"):
        find_drawer(config)
