from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mudra.errors import VideoError
from mudra.types import Frames, Stream, UInt8Array
from mudra.video import open_video, write_depth, write_video
from tests.video.encode import picture_with_corner

TIMES_S = np.array([0.0, 0.05, 0.2, 0.21, 1.0])


def smooth(num_frames: int, height: int, width: int) -> UInt8Array:
    rows, columns = np.mgrid[0:height, 0:width]
    picture = np.stack([rows * 255 // height, columns * 255 // width, rows * 0 + 60], axis=-1)
    return np.stack([np.roll(picture, 4 * index, axis=1) for index in range(num_frames)]).astype(np.uint8)


def noise(num_frames: int = 5) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 65536, (num_frames, 17, 33, 1), dtype=np.uint16)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
@pytest.mark.parametrize("size", [(48, 64), (17, 33), (48, 33)])
def test_colour_comes_back(tmp_path: Path, suffix: str, size: tuple[int, int]) -> None:
    frames = smooth(6, *size)
    write_video(tmp_path / f"clip{suffix}", iter(frames), fps=12.5, crf=5)
    with open_video(tmp_path / f"clip{suffix}") as reader:
        back = reader.read()
        info = reader.info
    assert (info.codec, info.fps, info.height, info.width) == ("h264", 12.5, *size)
    assert info.pixel_format == ("yuv420p" if size == (48, 64) else "yuv444p")
    np.testing.assert_allclose(back.times_s, np.arange(6) / 12.5, atol=1e-3)
    assert np.abs(back.frames_THWC.astype(int) - frames).mean() < 6


def test_red_comes_back(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", [picture_with_corner(64, 64)], fps=10)
    with open_video(tmp_path / "clip.mp4") as reader:
        picture = reader.read().frames_THWC[0]
    np.testing.assert_allclose(picture[10, 10], [255, 0, 0], atol=6)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_times_come_back(tmp_path: Path, suffix: str) -> None:
    frames = smooth(5, 32, 32)
    for given in ({"frames": Frames(frames, TIMES_S)}, {"frames": frames, "times_s": TIMES_S.tolist()}):
        write_video(tmp_path / f"clip{suffix}", **given)  # type: ignore[arg-type]
        with open_video(tmp_path / f"clip{suffix}") as reader:
            np.testing.assert_allclose(reader.times_s, TIMES_S, atol=1e-4)


def test_a_rate_overrides_the_times_of_frames(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", Frames(smooth(5, 32, 32), TIMES_S), fps=30000 / 1001)
    with open_video(tmp_path / "clip.mp4") as reader:
        np.testing.assert_allclose(reader.times_s, np.arange(5) * 1001 / 30000, atol=1e-6)


def test_lower_quality_is_smaller(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (5, 64, 64, 3), dtype=np.uint8)
    for crf in (10, 40):
        write_video(tmp_path / f"{crf}.mp4", frames, fps=10, crf=crf)
    assert (tmp_path / "40.mp4").stat().st_size < (tmp_path / "10.mp4").stat().st_size / 2


def test_depth_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    write_depth(tmp_path / "depth.mkv", Frames(noise(), TIMES_S))
    with open_video(tmp_path / "depth.mkv", stream=Stream.DEPTH) as reader:
        back = reader.read()
        assert reader.info.pixel_format == "gray16le"
    np.testing.assert_array_equal(back.frames_THWC, noise())
    np.testing.assert_allclose(back.times_s, TIMES_S, atol=1e-9)


def test_depth_at_a_rate(tmp_path: Path) -> None:
    write_depth(tmp_path / "depth.mkv", iter(noise(1)), fps=30)
    with open_video(tmp_path / "depth.mkv", stream=Stream.DEPTH) as reader:
        assert reader.info.fps == 30
        np.testing.assert_array_equal(reader.read().frames_THWC, noise(1))


@pytest.mark.parametrize(
    ("frames", "given", "reason"),
    [
        ([], {"fps": 10}, "there are no frames"),
        (noise(), {"fps": 10}, "frame 0 is uint16 of shape"),
        ([np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 3), np.uint8)], {"fps": 10}, "frame 1 is uint8 of shape"),
        (smooth(3, 8, 8), {}, "neither fps nor times_s is given"),
        (smooth(3, 8, 8), {"fps": 10, "times_s": [0, 1, 2]}, "fps and times_s are both given"),
        (smooth(3, 8, 8), {"fps": 0}, "cannot be written at 0 frames per second"),
        (smooth(3, 8, 8), {"times_s": [0, 1]}, "more frames than the 2 times"),
        (smooth(3, 8, 8), {"times_s": [0, 1, 2, 3]}, "3 frames for 4 times"),
        (smooth(3, 8, 8), {"times_s": [0, 1, 1]}, "times must ascend"),
        (smooth(3, 8, 8), {"times_s": [-1, 0, 1]}, "times must ascend"),
    ],
)
def test_refuses_and_leaves_nothing_behind(
    tmp_path: Path, frames: list[UInt8Array], given: dict[str, float], reason: str
) -> None:
    with pytest.raises(VideoError, match=reason):
        write_video(tmp_path / "clip.mp4", frames, **given)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_depth_refuses_colour_and_times_too_close(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="wanted uint16") as caught:
        write_depth(tmp_path / "depth.mkv", smooth(2, 8, 8), fps=10)  # type: ignore[arg-type]
    assert "write_video" in caught.value.hint
    with pytest.raises(VideoError, match="times must ascend from 0 on by 1/1000 s"):
        write_depth(tmp_path / "depth.mkv", noise(2), times_s=[0.0, 0.0004])
    assert list(tmp_path.iterdir()) == []


def test_a_failing_source_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"the old one")

    def failing() -> object:
        yield smooth(1, 8, 8)[0]
        raise RuntimeError("camera unplugged")

    with pytest.raises(RuntimeError, match="camera unplugged"):
        write_video(path, failing(), fps=10)  # type: ignore[arg-type]
    assert path.read_bytes() == b"the old one"
    assert list(tmp_path.iterdir()) == [path]


def test_refuses_places_and_endings(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"unknown ending '\.avi'"):
        write_video(tmp_path / "clip.avi", smooth(1, 8, 8), fps=10)
    with pytest.raises(VideoError, match=r"unknown ending '\.mp4'"):
        write_depth(tmp_path / "depth.mp4", noise(1), fps=10)
    with pytest.raises(VideoError, match="no such folder") as caught:
        write_video(tmp_path / "missing" / "clip.mp4", smooth(1, 8, 8), fps=10)
    assert str(tmp_path / "missing") in caught.value.hint


def test_refuses_what_the_encoder_refuses(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="cannot be written"):
        write_video(tmp_path / "clip.mp4", np.zeros((1, 2, 20000, 3), dtype=np.uint8), fps=10)
    assert list(tmp_path.iterdir()) == []
