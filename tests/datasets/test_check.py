from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mudra.datasets import check
from mudra.datasets.check import cache_folder, check_recordings, fingerprint
from mudra.errors import VideoError
from mudra.types import Recording
from mudra.video import Damage, find_damage
from tests.fixtures.video import VideoMaker


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("MUDRA_CACHE", str(folder))
    return folder


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were decoded since the last `clear`."""
    names: list[str] = []

    def find(path: Path) -> Damage | None:
        names.append(path.name)
        return find_damage(path)

    monkeypatch.setattr(check, "find_damage", find)
    return names


@pytest.fixture
def root(tmp_path: Path, video_maker: VideoMaker) -> Path:
    """Two good files and one that is no video."""
    folder = tmp_path / "data"
    video_maker(folder / "a" / "good.avi")
    video_maker(folder / "b" / "fine.mkv", pixel_format="gray")
    (folder / "a" / "bad.mp4").write_bytes(b"no video at all")
    return folder


def test_a_folder_is_checked_throughout(root: Path) -> None:
    (found,) = check_recordings(root)
    assert found.path == str(root / "a" / "bad.mp4")
    assert found.reason


def test_workers_find_the_same(root: Path) -> None:
    alone, side_by_side = check_recordings(root), check_recordings(root, num_workers=2, use_cache=False)
    assert alone == side_by_side
    assert len(alone) == 1


@pytest.mark.parametrize(("many", "is_alone"), [(3, False), (4, True)])
def test_many_files_are_shared_out_among_the_cores(
    root: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch, many: int, is_alone: bool
) -> None:
    monkeypatch.setattr(check, "MANY_FILES", many)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    pools: list[int] = []

    class Pool(ThreadPoolExecutor):
        def __init__(self, num_workers: int, **more: object) -> None:
            pools.append(num_workers)
            super().__init__(num_workers)

    monkeypatch.setattr(check, "ProcessPoolExecutor", Pool)
    assert len(check_recordings(root, num_workers=None)) == 1
    assert sorted(decoded) == ["bad.mp4", "fine.mkv", "good.avi"]
    assert pools == ([] if is_alone else [3])


def test_colour_and_depth_of_recordings_are_checked_once_each(root: Path, decoded: list[str]) -> None:
    good, bad = root / "a" / "good.avi", root / "a" / "bad.mp4"
    recordings = [
        Recording(path=good, depth_path=bad, start_s=0.0, end_s=0.1),
        Recording(path=good, depth_path=bad, start_s=0.1, end_s=0.2),
    ]
    assert [damage.path for damage in check_recordings(recordings)] == [str(bad)]
    assert decoded == ["good.avi", "bad.mp4"]


def test_a_recording_that_does_not_exist_is_damaged(tmp_path: Path, cache: Path) -> None:
    (damage,) = check_recordings([Recording(path=tmp_path / "gone.mp4")])
    assert damage.path == str(tmp_path / "gone.mp4")
    assert not cache.exists(), "it may come back, and then its verdict must not stand"


def test_a_folder_of_pictures_is_a_recording_but_thumbnails_are_not(root: Path, decoded: list[str]) -> None:
    (root / "c" / "clip").mkdir(parents=True)
    (root / "c" / "clip" / "1.png").write_bytes(b"no picture")
    (root / "a" / "thumbnail.png").write_bytes(b"no picture")
    assert [Path(damage.path).name for damage in check_recordings(root)] == ["bad.mp4", "clip"]
    assert sorted(decoded) == ["bad.mp4", "clip", "fine.mkv", "good.avi"]


def test_the_second_check_decodes_nothing(root: Path, decoded: list[str]) -> None:
    first = check_recordings(root)
    decoded.clear()
    assert check_recordings(root) == first
    assert decoded == []


def test_a_changed_file_is_decoded_again(root: Path, decoded: list[str]) -> None:
    check_recordings(root)
    decoded.clear()
    changed, same_size = root / "a" / "bad.mp4", root / "a" / "good.avi"
    changed.write_bytes(b"still no video, but longer")
    os.utime(same_size, ns=(0, 0))
    check_recordings(root)
    assert sorted(decoded) == ["bad.mp4", "good.avi"]


def test_verdicts_can_be_disbelieved(root: Path, decoded: list[str]) -> None:
    check_recordings(root)
    decoded.clear()
    check_recordings(root, use_cache=False)
    assert len(decoded) == 3


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1, "verdicts": {"x": 3}}', '{"version": 1}', "\x00"])
def test_a_cache_that_cannot_be_read_is_written_anew(root: Path, cache: Path, text: str) -> None:
    cache.mkdir()
    (cache / check.CACHE_NAME).write_text(text)
    assert len(check_recordings(root)) == 1
    assert len(json.loads((cache / check.CACHE_NAME).read_text())["verdicts"]) == 3


def test_verdicts_of_another_version_are_not_believed(
    root: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    check_recordings(root)
    decoded.clear()
    monkeypatch.setattr(check, "VERDICT_VERSION", check.VERDICT_VERSION + 1)
    check_recordings(root)
    assert len(decoded) == 3


def test_verdicts_of_other_files_are_kept(root: Path, cache: Path) -> None:
    check_recordings(root / "a")
    check_recordings(root / "b")
    assert len(json.loads((cache / check.CACHE_NAME).read_text())["verdicts"]) == 3
    assert [path.name for path in cache.iterdir()] == [check.CACHE_NAME], "no draft is left behind"


def test_what_was_decoded_before_an_interruption_is_kept(root: Path, cache: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_recordings(root, progress=interrupt)
    assert len(json.loads((cache / check.CACHE_NAME).read_text())["verdicts"]) == 2


def test_a_cache_folder_that_cannot_be_made_is_passed_over(root: Path, cache: Path) -> None:
    cache.write_text("a file in its place")
    assert len(check_recordings(root)) == 1


def test_progress_starts_with_what_is_known(root: Path) -> None:
    seen: list[tuple[int, int]] = []
    check_recordings(root, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]
    seen.clear()
    check_recordings(root, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(3, 3)]


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="no such file or folder"):
        check_recordings(tmp_path / "gone")


def test_fingerprint_counts_files_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"123")
    (tmp_path / "2.png").write_bytes(b"45")
    assert fingerprint(tmp_path)[:2] == [2, 5]
    assert fingerprint(tmp_path / "1.png")[:2] == [1, 3]
    assert fingerprint(tmp_path / "gone") == []


def test_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_folder() == Path(os.environ["MUDRA_CACHE"])
    monkeypatch.delenv("MUDRA_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "mudra"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    assert cache_folder() == Path.home() / ".cache" / "mudra"
