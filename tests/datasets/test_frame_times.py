from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mudra.datasets import frame_times
from mudra.datasets.frame_times import CACHE_NAME, FrameTimes, read_frame_times
from mudra.video import write_video
from tests.fixtures.video import VideoMaker


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MUDRA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / CACHE_NAME


def read_one(path: Path) -> FrameTimes:
    return read_frame_times([path], nominal_fps=10)[path]


def test_frames_start_when_the_file_shows_them(tmp_path: Path, video_maker: VideoMaker) -> None:
    times = read_one(video_maker(tmp_path / "a.avi", num_frames=6, fps=8))
    np.testing.assert_allclose(times.times_s, np.arange(6) / 8)
    assert [times.start_s(frame) for frame in (0, 1, 5)] == pytest.approx([0, 0.125, 0.625])
    assert [times.start_s(frame) for frame in (6, 9)] == pytest.approx([0.75, 1.125]), "behind the end"


def uneven(path: Path) -> Path:
    frames = [np.full((16, 16, 3), 50 * i, np.uint8) for i in range(4)]
    write_video(path, frames, times_s=[0.0, 0.1, 0.5, 0.6])
    return path


def test_frames_of_uneven_distance_keep_their_own_times(tmp_path: Path) -> None:
    path = uneven(tmp_path / "a.mkv")
    for _ in range(2):  # at first from the file, then from what was kept
        times = read_one(path)
        np.testing.assert_allclose(times.times_s, [0, 0.1, 0.5, 0.6], atol=1e-3)
        assert times.start_s(4) == pytest.approx(0.8, abs=1e-3)


def test_what_was_read_is_kept(
    tmp_path: Path, video_maker: VideoMaker, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [video_maker(tmp_path / name, num_frames=count, fps=10) for name, count in (("a.avi", 6), ("b.avi", 9))]
    first = read_frame_times(paths, nominal_fps=10)
    video_maker(paths[1], num_frames=4, fps=5)
    opened: list[str] = []
    open_video = frame_times.open_video
    monkeypatch.setattr(
        frame_times, "open_video", lambda path, **words: (opened.append(path.name), open_video(path))[1]
    )
    again = read_frame_times(paths, nominal_fps=10)
    assert opened == ["b.avi"], "a changed file is read anew"
    np.testing.assert_array_equal(again[paths[0]].times_s, first[paths[0]].times_s)
    assert (len(again[paths[1]].times_s), again[paths[1]].period_s) == (4, pytest.approx(0.2))
    assert set(json.loads(cache.read_text())["files"]) == {str(path) for path in paths}


@pytest.mark.parametrize("kept", ["", "[]", '{"version": 0, "files": {}}', '{"version": 1}'])
def test_a_cache_that_cannot_be_read_costs_time_alone(
    tmp_path: Path, video_maker: VideoMaker, cache: Path, kept: str
) -> None:
    cache.parent.mkdir()
    cache.write_text(kept)
    path = video_maker(tmp_path / "a.avi", num_frames=6, fps=10)
    assert len(read_one(path).times_s) == 6
    assert len(json.loads(cache.read_text())["files"]) == 1


def test_a_folder_that_cannot_be_written_to_is_passed_over(tmp_path: Path, video_maker: VideoMaker) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert len(read_one(video_maker(tmp_path / "a.avi", num_frames=6, fps=10)).times_s) == 6


def test_a_file_that_cannot_be_opened_has_the_nominal_rate(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "a.avi"
    path.write_bytes(b"no video")
    times = read_one(path)
    assert [times.start_s(frame) for frame in (0, 1, 20)] == pytest.approx([0, 0.1, 2.0])
    assert not cache.exists()
