from __future__ import annotations

from pathlib import Path

import pytest

from mudra.errors import VideoError
from mudra.video.listing import (
    is_image,
    is_video,
    list_frame_folders,
    list_images,
    list_recordings,
    list_videos,
    natural_key,
)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_videos_below_a_folder_in_natural_order(tmp_path: Path) -> None:
    touch(tmp_path, "b/clip10.avi", "b/clip9.MP4", "a/x.webm", "a/notes.txt", "b/._clip9.mp4", "c/frame.jpg")
    names = [path.relative_to(tmp_path).as_posix() for path in list_videos(tmp_path)]
    assert names == ["a/x.webm", "b/clip9.MP4", "b/clip10.avi"]


def test_one_file_and_a_pattern(tmp_path: Path) -> None:
    touch(tmp_path, "clip", "a/1.avi", "b/2.avi", "b/3.mkv")
    assert list_videos(tmp_path / "clip") == [tmp_path / "clip"]
    assert list_videos(f"{tmp_path}/*/*.avi") == [tmp_path / "a/1.avi", tmp_path / "b/2.avi"]
    assert list_videos(tmp_path / "*.mov") == []


def test_refuses_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="no such file or folder"):
        list_videos(tmp_path / "missing")


def test_folders_of_frames(tmp_path: Path) -> None:
    touch(tmp_path, "10/1.jpg", "9/1.png", "9/deeper/1.jpg", "videos/clip.mp4")
    names = [path.relative_to(tmp_path).as_posix() for path in list_frame_folders(tmp_path)]
    assert names == ["9", "9/deeper", "10"]


def test_recordings_are_videos_and_folders_of_frames_but_no_thumbnails(tmp_path: Path) -> None:
    touch(tmp_path, "clips/a.avi", "clips/a.jpg", "clips/b/1.jpg", "frames/1.jpg")
    names = [path.relative_to(tmp_path).as_posix() for path in list_recordings(tmp_path)]
    assert names == ["clips/a.avi", "clips/b", "frames"]
    assert list_recordings(tmp_path / "clips" / "a.avi") == [tmp_path / "clips" / "a.avi"]
    with pytest.raises(VideoError, match="no such file or folder"):
        list_recordings(tmp_path / "missing")


def test_images_of_a_folder(tmp_path: Path) -> None:
    touch(tmp_path, "frame10.jpg", "frame9.jpg", "Thumbs.db", ".hidden.jpg", "below/frame1.jpg")
    assert [image.name for image in list_images(tmp_path)] == ["frame9.jpg", "frame10.jpg"]


def test_refuses_what_holds_no_images(tmp_path: Path) -> None:
    touch(tmp_path, "clip.mp4")
    for path, reason in [
        (tmp_path, "holds no pictures"),
        (tmp_path / "clip.mp4", "is a file, not a folder"),
        (tmp_path / "missing", "no such folder"),
    ]:
        with pytest.raises(VideoError, match=reason):
            list_images(path)


def test_suffixes_in_any_case() -> None:
    assert is_video(Path("A.AVI"))
    assert is_image(Path("A.JPG"))
    assert not is_video(Path("a.jpg"))
    assert not is_image(Path(".a.jpg"))


def test_natural_key_mixes_words_and_numbers() -> None:
    names = ["a", "10", "2", "a10", "a2", "2b"]
    assert sorted(names, key=natural_key) == ["2", "2b", "10", "a", "a2", "a10"]
