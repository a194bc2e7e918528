"""Clips whose maps are wanted: the test clip first, views by the recording's name, and reasons in place of errors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mudra.clips import ClipMaker, ClipSpec
from mudra.datasets import Dataset
from mudra.errors import VideoError
from mudra.training.clip_dataset import ClipDataset
from mudra.training.feature_clips import ClipAttempts, Wanted
from mudra.training.feature_store import FeatureStore
from mudra.training.window_cache import WindowCache
from mudra.types import Frames, Recording, Stream

TEST_CLIP = ClipSpec(num_frames=4, size=(32, 32))
DRAWN_CLIP = ClipSpec.from_mapping({"num_frames": 4, "size": [24, 24], "augmentation": {"rotation_deg": 30.0}})


def attempts_on(dataset: Dataset, *, seed: int = 0) -> ClipAttempts:
    store = FeatureStore(Path("maps"), dataset, drawn_key="drawn")
    return ClipAttempts(dataset, store, test_clip=TEST_CLIP, drawn_clip=DRAWN_CLIP, seed=seed)


def test_the_test_clip_comes_first_and_is_that_of_tests(drawn: Dataset) -> None:
    recording = drawn.split("train")[0]
    attempt = attempts_on(drawn).attempt(Wanted(recording, 2))
    assert [tuple(clip.clip_TCHW.shape[-2:]) for clip in attempt.clips] == [(32, 32), (24, 24), (24, 24)]
    assert attempt.reason == ""
    tests = ClipDataset(drawn, (), maker=ClipMaker(TEST_CLIP), cache=WindowCache("none", window_key=""))
    assert torch.equal(attempt.clips[0].clip_TCHW, tests.make_clip(recording, None).clip_TCHW)
    assert not attempt.clips[0].mirrored


def test_views_depend_on_the_seed_and_the_recording_alone(drawn: Dataset) -> None:
    first, second = (Wanted(recording, 2) for recording in drawn.split("train")[:2])
    one = attempts_on(drawn).attempt(first).clips
    assert not torch.equal(one[1].clip_TCHW, one[2].clip_TCHW)
    again = attempts_on(drawn).of([second, first])[1].clips
    assert all(torch.equal(a.clip_TCHW, b.clip_TCHW) for a, b in zip(one, again, strict=True))
    other = attempts_on(drawn, seed=1).attempt(first).clips
    assert torch.equal(one[0].clip_TCHW, other[0].clip_TCHW)
    assert not torch.equal(one[1].clip_TCHW, other[1].clip_TCHW)


@pytest.mark.parametrize(("mirror", "expected"), [("labels", True), ("none", False)])
def test_views_are_mirrored_where_the_labels_allow_it(drawn: Dataset, mirror: str, expected: bool) -> None:
    dataset = drawn if mirror == "labels" else replace(drawn, card=drawn.card.model_copy(update={"mirror": {}}))
    clips = attempts_on(dataset).attempt(Wanted(dataset.split("train")[0], 8)).clips
    assert any(clip.mirrored for clip in clips) is expected


def test_what_cannot_be_read_is_told(drawn: Dataset) -> None:
    def fail(recording: Recording, stream: Stream) -> Frames:
        raise VideoError(recording.path, "ends in the middle")

    wanted = Wanted(drawn.split("train")[0], 1)
    attempts = attempts_on(replace(drawn, source=fail)).of([wanted])
    assert attempts[0] == (wanted, [], f"{wanted.recording.path}: ends in the middle")
