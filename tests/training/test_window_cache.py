"""Kept windows: the same as made anew, made once, and never believed when what they came from has changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from mudra.clips import Window
from mudra.training.window_cache import CacheKind, WindowCache
from mudra.types import DepthFormat, PixelBox, Recording, Stream


def window(level: int = 3) -> Window:
    streams = {
        Stream.RGB: torch.full((2, 3, 4, 5), level, dtype=torch.uint8),
        # Not contiguous, as tensors are that were cut out of others.
        Stream.FLOW: torch.arange(2 * 4 * 5 * 2).view(2, 4, 5, 2).permute(0, 3, 1, 2).half(),
    }
    return Window(streams, np.array([0.25, 0.5]))


class Maker:
    """Counts how often a window is made."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Window:
        self.calls += 1
        return window(self.calls)


def same(first: Window, second: Window) -> bool:
    return (
        first.streams.keys() == second.streams.keys()
        and all(torch.equal(first.streams[s], second.streams[s]) for s in first.streams)
        and all(first.streams[s].dtype == second.streams[s].dtype for s in first.streams)
        and np.array_equal(first.times_s, second.times_s)
    )


@pytest.mark.parametrize(("kind", "calls"), [("none", 3), ("memory", 1), ("disk", 1)])
def test_a_window_is_made_once_where_it_is_kept(tmp_path: Path, kind: CacheKind, calls: int) -> None:
    cache, make = WindowCache(kind, window_key="k", folder=tmp_path), Maker()
    found = [cache.fetch(Recording(path=Path("a.mp4")), make) for _ in range(3)]
    assert make.calls == calls
    assert cache.is_active is (kind != "none")
    if calls == 1:
        assert all(same(found[0], other) for other in found)
    cache.fetch(Recording(path=Path("b.mp4")), make)
    cache.fetch(Recording(path=Path("a.mp4"), start_s=1.0), make)
    assert make.calls == calls + 2


def test_a_disk_cache_outlives_its_run(tmp_path: Path) -> None:
    recording = Recording(path=Path("a.mp4"))
    first = WindowCache("disk", window_key="k", folder=tmp_path).fetch(recording, window)
    make = Maker()
    assert same(first, WindowCache("disk", window_key="k", folder=tmp_path).fetch(recording, make))
    assert make.calls == 0
    assert [path.suffix for path in tmp_path.iterdir()] == [".safetensors"]


def test_another_window_key_or_depth_unit_is_another_window(tmp_path: Path) -> None:
    make = Maker()
    for key in ("k", "other"):
        WindowCache("disk", window_key=key, folder=tmp_path).fetch(Recording(path=Path("a.mkv")), make)
    metres = Recording(path=Path("a.mkv"), depth=DepthFormat(mm_per_level=10.0))
    WindowCache("disk", window_key="k", folder=tmp_path).fetch(metres, make)
    assert make.calls == 3
    boxed = Recording(path=Path("a.mkv"), box=PixelBox(0, 0, 8, 8))
    WindowCache("disk", window_key="k", folder=tmp_path).fetch(boxed, make)
    assert make.calls == 4


def rewrite(path: Path) -> None:
    path.write_bytes(b"longer than before")


def touch_later(path: Path) -> None:
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000))


@pytest.mark.parametrize("change", [rewrite, touch_later])
@pytest.mark.parametrize("name", ["colour.mp4", "depth.mkv"])
def test_a_file_recorded_anew_is_read_anew(tmp_path: Path, name: str, change: Callable[[Path], None]) -> None:
    for file in ("colour.mp4", "depth.mkv"):
        (tmp_path / file).write_bytes(b"old")
    recording = Recording(path=tmp_path / "colour.mp4", depth_path=tmp_path / "depth.mkv")
    cache, make = WindowCache("disk", window_key="k", folder=tmp_path / "cache"), Maker()
    cache.fetch(recording, make)
    cache.fetch(recording, make)
    assert make.calls == 1
    change(tmp_path / name)
    cache.fetch(recording, make)
    assert make.calls == 2


def test_a_half_written_file_is_made_anew(tmp_path: Path) -> None:
    cache, recording = WindowCache("disk", window_key="k", folder=tmp_path), Recording(path=Path("a.mp4"))
    first = cache.fetch(recording, window)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:40])
    make = Maker()
    assert make.calls == 0
    cache.fetch(recording, make)
    assert make.calls == 1
    assert not same(first, cache.fetch(recording, window))
    assert make.calls == 1


def test_without_a_folder_the_users_cache_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUDRA_CACHE", str(tmp_path))
    assert WindowCache("disk", window_key="k").folder == tmp_path / "windows"
