from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mudra.errors import VideoError
from mudra.types import DepthFormat, Stream
from mudra.video import open_frames
from mudra.video.folder import read_colour, read_levels, scale_rgb
from tests.video.encode import indices_of, level_of, picture_with_corner


def save(folder: Path, name: str, picture: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / name), picture[..., ::-1] if picture.ndim == 3 else picture)


@pytest.fixture
def frames_folder(tmp_path: Path) -> Path:
    for index in range(12):
        save(tmp_path / "clip", f"{index + 1:05d}.jpg", np.full((24, 33, 3), level_of(index), dtype=np.uint8))
    return tmp_path / "clip"


def test_reads_numbered_jpegs(frames_folder: Path) -> None:
    with open_frames(frames_folder, fps=12.0) as reader:
        frames = reader.read([11, 0, 5, 5])
        info = reader.info
        assert len(reader.times_s) == 12
    assert indices_of(frames.frames_THWC) == [11, 0, 5, 5]
    np.testing.assert_allclose(frames.times_s, np.array([11, 0, 5, 5]) / 12)
    assert frames.frames_THWC.dtype == np.uint8
    assert (info.width, info.height, info.fps, info.duration_s, info.declared_frames) == (33, 24, 12.0, 1.0, 12)
    assert (info.codec, info.pixel_format) == ("jpg", "rgb24")


def test_names_without_leading_zeros_are_in_order(tmp_path: Path) -> None:
    for index in range(11):
        save(tmp_path, f"{index}.png", np.full((8, 8, 3), level_of(index), dtype=np.uint8))
    with open_frames(tmp_path) as reader:
        assert indices_of(reader.read().frames_THWC) == list(range(11))


def test_red_is_red(tmp_path: Path) -> None:
    save(tmp_path, "1.png", picture_with_corner(20, 30))
    with open_frames(tmp_path) as reader:
        np.testing.assert_array_equal(reader.read().frames_THWC[0], picture_with_corner(20, 30))
        small = reader.read(size=(10, 15)).frames_THWC[0]
    assert small.shape == (10, 15, 3)
    assert small[1, 1].tolist() == [255, 0, 0]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_depth_pictures(tmp_path: Path, dtype: type) -> None:
    levels = np.arange(200, dtype=dtype).reshape(10, 20)
    save(tmp_path, "000001.png", levels)
    depth = DepthFormat(mm_per_level=5, missing_level=3)
    with open_frames(tmp_path, stream=Stream.DEPTH, depth=depth) as reader:
        got = reader.read().frames_THWC
        assert set(np.unique(reader.read(size=(7, 9)).frames_THWC)) <= set(np.unique(got))
        assert reader.info.pixel_format == ("gray" if dtype is np.uint8 else "gray16le")
    wanted = levels.astype(np.uint16) * 5
    wanted[levels == 3] = 0
    assert got.dtype == np.uint16
    np.testing.assert_array_equal(got[0, ..., 0], wanted)


def test_only_the_pictures_asked_for_are_opened(frames_folder: Path) -> None:
    (frames_folder / "00003.jpg").write_bytes(b"broken")
    with open_frames(frames_folder) as reader:
        assert indices_of(reader.read([1, 3]).frames_THWC) == [1, 3]
        with pytest.raises(VideoError, match=r"00003\.jpg: is not a picture"):
            reader.read([2])


def test_names_in_any_script(tmp_path: Path) -> None:
    save(tmp_path, "1.png", picture_with_corner(8, 8))
    (tmp_path / "1.png").rename(tmp_path / "मुद्रा1.png")
    with open_frames(tmp_path) as reader:
        assert reader.read().frames_THWC.shape == (1, 8, 8, 3)


def test_refuses_mixed_sizes(frames_folder: Path) -> None:
    save(frames_folder, "00005.jpg", np.zeros((30, 40, 3), dtype=np.uint8))
    with open_frames(frames_folder) as reader, pytest.raises(VideoError, match=r"00005\.jpg is 40x30, others 33x24"):
        reader.read(size=(10, 10))


def test_refuses_empty_folders_and_rates(tmp_path: Path, frames_folder: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(VideoError, match="holds no pictures"):
        open_frames(tmp_path / "none")
    with pytest.raises(VideoError, match="cannot be played at 0 frames per second"):
        open_frames(frames_folder, fps=0)


def test_refuses_reading_after_closing(frames_folder: Path) -> None:
    with open_frames(frames_folder) as reader:
        pass
    with pytest.raises(VideoError, match="is closed"):
        reader.read()


def test_refuses_bad_pictures(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    for read in (read_colour, read_levels):
        with pytest.raises(VideoError, match="is not a picture"):
            read(tmp_path / "empty.png")
        with pytest.raises(VideoError, match="cannot be read"):
            read(tmp_path / "missing.png")
    save(tmp_path, "red.png", picture_with_corner(8, 8))
    with pytest.raises(VideoError, match="holds colours where depth was wanted"):
        read_levels(tmp_path / "red.png")
    cv2.imwrite(str(tmp_path / "float.tiff"), np.zeros((4, 4), dtype=np.float32))
    with pytest.raises(VideoError, match="holds float32 levels"):
        read_levels(tmp_path / "float.tiff")


def test_shrinking_averages() -> None:
    board = np.repeat((np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None], 3, axis=-1)
    assert np.ptp(scale_rgb(board, (16, 16))) <= 1
    assert scale_rgb(board, (100, 90)).shape == (100, 90, 3)
    assert scale_rgb(board, (64, 64)) is board
