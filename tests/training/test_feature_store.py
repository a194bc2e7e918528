"""Maps on disk: whole or not there, known by their recordings' content and place below the root."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from mudra.datasets import Dataset, DatasetCard
from mudra.errors import DataError
from mudra.training import feature_store
from mudra.training.feature_store import Features, FeatureStore
from mudra.types import Recording


def random_maps(seed: int = 0, *, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(3, 4, 2, 2, generator=torch.Generator().manual_seed(seed))


def dataset_at(root: Path) -> Dataset:
    root.mkdir(parents=True, exist_ok=True)
    (root / "a.mp4").write_bytes(b"a video")
    (root / "b.mp4").write_bytes(b"another video")
    recordings = tuple(Recording(path=root / name, label=0) for name in ("a.mp4", "b.mp4"))
    return Dataset(card=DatasetCard(name="hands", classes=("wave",)), recordings={"train": recordings}, root=root)


@pytest.fixture
def kept(tmp_path: Path) -> tuple[FeatureStore, Recording]:
    """A folder with the maps of a recording: its test view and two drawn ones."""
    dataset = dataset_at(tmp_path / "videos")
    store, recording = FeatureStore(tmp_path / "maps", dataset, command="make them"), dataset.split("train")[0]
    views = [Features(random_maps(1), mirrored=True), Features(random_maps(2))]
    store.write(recording, Features(random_maps()), views, numbers="float32")
    return store, recording


def test_maps_come_back_as_they_were(kept: tuple[FeatureStore, Recording]) -> None:
    store, recording = kept
    for view, seed, mirrored in ((None, 0, False), (0, 1, True), (1, 2, False)):
        found = store.read(recording, view)
        assert torch.equal(found.maps_TCHW, random_maps(seed))
        assert found.mirrored is mirrored
    assert store.find_fault(recording, num_views=2) is None


def test_half_the_room_costs_digits_alone(kept: tuple[FeatureStore, Recording]) -> None:
    store, recording = kept
    views = [Features(random_maps(1)), Features(random_maps(2))]
    store.write(recording, Features(random_maps()), views, numbers="float16")
    found = store.read(recording).maps_TCHW
    assert found.dtype == torch.float32
    assert torch.equal(found, random_maps().half().float())
    with safe_open(store.path_of(recording), framework="pt") as file:
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.float16}  # noqa: SIM118  not a mapping


@pytest.mark.parametrize(("numbers", "scale"), [("float16", 1e6), ("float32", float("inf"))])
def test_numbers_that_are_too_large_are_refused(
    kept: tuple[FeatureStore, Recording], numbers: Any, scale: float
) -> None:
    store, recording = kept
    with pytest.raises(DataError, match=rf"a\.mp4: its maps hold numbers beyond {numbers}\n  hint: "):
        store.write(recording, Features(random_maps(scale=scale)), [], numbers=numbers)
    assert store.find_fault(recording) is None, "what was there stays"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("harm", [cut, empty, flip])
def test_damage_is_found(kept: tuple[FeatureStore, Recording], harm: Callable[[Path], None]) -> None:
    store, recording = kept
    harm(store.path_of(recording))
    assert str(store.find_fault(recording, num_views=2)).startswith("damaged (")
    # A flipped bit is seen where the numbers are read.
    assert (store.find_fault(recording, num_views=2, is_quick=True) is None) is (harm is flip)
    with pytest.raises(DataError, match=r"a\.mp4: its features cannot be read: .*\n  hint: compute them again: make"):
        _ = [store.read(recording, view) for view in (None, 0, 1)]


def test_what_is_not_there_is_told(kept: tuple[FeatureStore, Recording]) -> None:
    store, recording = kept
    other = replace(recording, path=recording.path.with_name("b.mp4"))
    assert store.find_fault(other) == "missing"
    assert store.find_fault(recording, num_views=3) == "incomplete"
    with pytest.raises(DataError, match=r"b\.mp4: its features cannot be read"):
        store.read(other)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_file_that_is_stopped_leaves_what_was_there(
    kept: tuple[FeatureStore, Recording], monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    store, recording = kept

    def stop(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
        path.write_bytes(b"half of it")
        raise error

    monkeypatch.setattr(feature_store, "save_file", stop)
    expected = DataError if isinstance(error, OSError) else KeyboardInterrupt
    message = r"cannot be written \(.*No space.*\n  hint: is there room" if isinstance(error, OSError) else None
    with pytest.raises(expected, match=message):
        store.write(recording, Features(random_maps(5)), [], numbers="float32")
    assert torch.equal(store.read(recording).maps_TCHW, random_maps())
    assert [path for path in store.folder.rglob("*") if path.is_file()] == [store.path_of(recording)]


@pytest.mark.usefixtures("kept")
def test_data_and_maps_can_be_moved(tmp_path: Path) -> None:
    (tmp_path / "maps").rename(tmp_path / "moved")
    dataset = dataset_at(tmp_path / "elsewhere" / "videos")
    moved = FeatureStore(tmp_path / "moved", dataset)
    assert moved.find_fault(dataset.split("train")[0], num_views=2) is None


def test_what_was_recorded_anew_has_no_maps(kept: tuple[FeatureStore, Recording]) -> None:
    store, recording = kept
    recording.path.write_bytes(b"another take of it")
    anew = FeatureStore(store.folder, Dataset(card=DatasetCard(name="x", classes=("a",)), recordings={}))
    anew.root = store.root
    assert anew.find_fault(recording) == "missing"


def test_names_differ_with_all_that_frames_depend_on(kept: tuple[FeatureStore, Recording]) -> None:
    store, recording = kept
    changes: list[dict[str, Any]] = [
        {},
        {"start_s": 0.5},
        {"end_s": 1.5},
        {"depth_path": recording.path.with_name("b.mp4")},
        {"path": recording.path.with_name("b.mp4")},
    ]
    names = [FeatureStore.name_of(store, replace(recording, **change)) for change in changes]
    drawn = FeatureStore(store.folder, dataset_at(recording.path.parent), drawn_key="seed 1")
    assert len({*names, drawn.name_of(recording)}) == len(changes) + 1
    assert store.name_of(replace(recording, label=3, split="test")) == store.name_of(recording)
