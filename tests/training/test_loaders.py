"""Loaders: whole validation splits, caches chosen by what fits, and drawn clips that are not mixed up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mudra.datasets import Dataset
from mudra.errors import DataError
from mudra.training import LoaderConfig
from mudra.training.loaders import MAX_WORKERS, GestureData, count_workers, free_memory_bytes
from tests.fixtures.run import tiny_config


def data_of(dataset: Dataset, changes: Mapping[str, Any] | None = None, **arguments: Any) -> GestureData:
    return GestureData(dataset, tiny_config(changes), **arguments)


def test_training_leaves_out_the_small_last_batch_and_validation_leaves_out_nothing(drawn: Dataset) -> None:
    data = data_of(drawn, {"loader.batch_size": 5})
    assert [len(batch.label_B) for batch in data.train_dataloader()] == [5, 5, 5, 5]
    validation = [batch.index_B.tolist() for batch in data.val_dataloader()]
    assert [index for batch in validation for index in batch] == list(range(12))
    kept = data_of(drawn, {"loader.batch_size": 5, "loader.drop_last": False})
    assert [len(batch.label_B) for batch in kept.train_dataloader()] == [5, 5, 5, 5, 4]


def test_a_split_smaller_than_a_batch_is_not_lost(drawn: Dataset) -> None:
    (batch,) = data_of(drawn, {"loader.batch_size": 50}).train_dataloader()
    assert len(batch.label_B) == 24


def test_validation_clips_are_single_ones_from_the_middle_at_the_size_of_tests(drawn: Dataset) -> None:
    changes = {"clip.test_size": [40, 40], "clip.crop": "corners", "clip.target": {"far_mm": 2000}}
    views = {"clip.sampling": "segments", "clip.num_test_clips": 10, "clip.num_test_crops": 3}
    data = data_of(drawn, {**changes, **views, "clip.test_clips": "random"})
    (batch, *_) = data.val_dataloader()
    assert batch.clip_BTCHW.shape[-2:] == batch.depth_BTHW.shape[-2:] == (40, 40)
    single = data_of(drawn, {**changes, "clip.sampling": "segments"})
    assert torch.equal(batch.clip_BTCHW, next(iter(single.val_dataloader())).clip_BTCHW)
    (batch, *_) = data.train_dataloader()
    assert batch.clip_BTCHW.shape[-2:] == batch.depth_BTHW.shape[-2:] == (32, 32)


def test_without_a_validation_split_there_is_no_loader(drawn: Dataset) -> None:
    alone = replace(drawn, recordings={"train": drawn.recordings["train"]})
    assert data_of(alone).val_dataloader() == []


def test_an_empty_training_split_is_refused(drawn: Dataset) -> None:
    with pytest.raises(DataError, match=r"0 recordings in split 'train'.*\n  hint: not empty: validation \(12\)"):
        data_of(replace(drawn, recordings={**drawn.recordings, "train": ()}))


def test_windows_are_read_beforehand_and_told(drawn: Dataset) -> None:
    told: list[tuple[int, int, str]] = []
    data = data_of(drawn, progress=lambda *what: told.append(what))
    data.prepare()
    assert told[0] == (1, 36, "reading clips")
    assert told[-1] == (36, 36, "reading clips")
    none = data_of(drawn, {"loader.cache": "none"}, progress=lambda *what: pytest.fail("nothing is kept"))
    none.prepare()


@pytest.mark.parametrize(
    ("streams", "free", "expected"),
    [(["rgb"], 1 << 40, "memory"), (["rgb"], 1000, "none"), (["rgb", "flow"], 1000, "disk")],
)
def test_the_cache_is_chosen_by_what_fits(
    drawn: Dataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, streams: list[str], free: int, expected: str
) -> None:
    monkeypatch.setattr("mudra.training.loaders.free_memory_bytes", lambda: free)
    changes = {"loader.cache": "auto", "clip.streams": streams, "loader.cache_dir": str(tmp_path)}
    assert data_of(drawn, changes).cache.kind == expected


def test_drawn_clips_of_other_settings_are_not_taken_from_the_disk(tmp_path: Path) -> None:
    """Drawn recordings have the same names whatever their settings, and no file that could tell them apart."""
    changes = {"loader.cache": "disk", "loader.cache_dir": str(tmp_path)}
    clips = []
    for hardness in ("plain", "hard"):
        config = tiny_config({**changes, "data.hardness": hardness})
        assert config.data is not None
        clips.append(GestureData(config.data.build(), config).splits.train[0].clip_TCHW)
    assert not torch.equal(*clips)


def test_workers_are_as_many_as_asked_or_as_the_cache_and_the_cores_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    assert count_workers(LoaderConfig(num_workers=3), cache="memory") == 3
    assert count_workers(LoaderConfig(), cache="memory") == 0
    for cores, expected in ((1, 0), (4, 3), (64, MAX_WORKERS), (None, 0)):
        monkeypatch.setattr("os.cpu_count", lambda cores=cores: cores)
        assert count_workers(LoaderConfig(), cache="none") == expected


def test_free_memory_is_told_by_the_system_or_else_taken_for_a_gigabyte(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(text: str) -> None:
        monkeypatch.setattr(Path, "read_text", lambda self, **kwargs: text)

    read("MemTotal: 5 kB\nMemAvailable:   2048 kB\n")
    assert free_memory_bytes() == 2048 * 1024
    for text in ("", "MemAvailable: lots kB"):
        read(text)
        assert free_memory_bytes() == 1 << 30

    def fail(self: Path, **kwargs: Any) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", fail)
    assert free_memory_bytes() == 1 << 30
