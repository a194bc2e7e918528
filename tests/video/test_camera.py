from __future__ import annotations

import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from mudra.errors import VideoError
from mudra.video import open_camera
from tests.video.encode import encode, indices_of, picture_with_corner


class FakeDevice:
    """Stands for `cv2.VideoCapture`: `num_frames` pictures whose corner is red, `period_s` apart."""

    num_frames = 30
    period_s = 0.01
    is_open = True
    fails = False
    made: list[FakeDevice]

    def __init__(self, source: int | str) -> None:
        self.source = source
        self.settings: dict[int, float] = {}
        self.taken = 0
        self.is_released = False
        FakeDevice.made.append(self)

    def isOpened(self) -> bool:
        return self.is_open

    def set(self, key: int, value: float) -> bool:
        self.settings[key] = value
        return True

    def get(self, key: int) -> float:
        return self.settings.get(key, 30.0)

    def read(self) -> tuple[bool, np.ndarray | None]:
        if self.taken > 3 and self.fails:
            raise cv2.error("the cable is out")
        if self.taken > self.num_frames:
            return False, None
        time.sleep(self.period_s)
        self.taken += 1
        return True, picture_with_corner(24, 32)[..., ::-1]

    def release(self) -> None:
        self.is_released = True


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> type[FakeDevice]:
    class Device(FakeDevice):
        pass

    FakeDevice.made = []
    monkeypatch.setattr(cv2, "VideoCapture", Device)
    return Device


def test_frames_come_as_rgb_with_ascending_times(device: type[FakeDevice]) -> None:
    with open_camera(0, size=(24, 32), fps=25) as camera:
        assert camera.info[:4] == ("camera 0", 32, 24, 25.0)
        frames = [(frame.index, frame.time_s, frame.to_array(), frame.to_array((12, 16))) for frame in camera]
    assert device.made[0].settings == {
        cv2.CAP_PROP_FRAME_HEIGHT: 24,
        cv2.CAP_PROP_FRAME_WIDTH: 32,
        cv2.CAP_PROP_FPS: 25,
    }
    assert device.made[0].is_released
    indices, times_s, pictures, small = zip(*frames, strict=True)
    assert list(indices) == sorted(set(indices))
    assert indices[-1] == device.num_frames - 1
    assert times_s[0] == 0.0
    assert (np.diff(times_s) > 0).all()
    assert pictures[0][2, 2].tolist() == [255, 0, 0]
    assert small[0].shape == (12, 16, 3)
    assert small[0][1, 1].tolist() == [255, 0, 0]


def test_who_is_slow_sees_the_newest_frame(device: type[FakeDevice]) -> None:
    device.num_frames = 10_000
    with open_camera(0) as camera:
        frames = iter(camera)
        first = next(frames)
        time.sleep(0.3)
        second = next(frames)
    assert second.index - first.index >= 5
    assert second.time_s > 0.15


def test_closing_ends_the_thread_and_the_iteration(device: type[FakeDevice]) -> None:
    device.num_frames = 10_000
    camera = open_camera("1")
    assert device.made[0].source == 1
    seen: list[int] = []
    consumer = threading.Thread(target=lambda: seen.extend(frame.index for frame in camera))
    consumer.start()
    time.sleep(0.1)
    camera.close()
    camera.close()
    consumer.join(timeout=5)
    assert not consumer.is_alive()
    assert not camera._thread.is_alive()
    assert seen
    assert device.made[0].is_released
    with pytest.raises(VideoError, match="is closed"):
        next(iter(camera))


def test_a_camera_that_breaks_off_says_so(device: type[FakeDevice]) -> None:
    device.fails = True
    with open_camera("/dev/video2") as camera, pytest.raises(VideoError, match="camera /dev/video2: broke off"):
        list(camera)
    assert device.made[0].source == "/dev/video2"


@pytest.mark.parametrize(("is_open", "num_frames"), [(False, 10), (True, -1)])
def test_refuses_a_camera_that_is_not_there(device: type[FakeDevice], is_open: bool, num_frames: int) -> None:
    device.is_open, device.num_frames = is_open, num_frames
    with pytest.raises(VideoError, match="camera 7: cannot be opened, or gives no picture") as caught:
        open_camera(7)
    assert "plugged in" in caught.value.hint
    assert device.made[0].is_released


def test_refuses_frames_by_index(device: type[FakeDevice]) -> None:
    with open_camera(0) as camera:
        for action in (camera.read, lambda: camera.times_s, lambda: camera._frames_at([0])):
            with pytest.raises(VideoError, match="no past and no end") as caught:
                action()
            assert "iterate" in caught.value.hint


def test_a_file_plays_at_its_own_pace(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mp4", num_frames=10, fps=20, size=(24, 32))
    with open_camera(str(path)) as camera:
        assert (camera.info.codec, camera.frame_size) == ("h264", (24, 32))
        frames = [(frame.index, frame.time_s, frame.to_array()) for frame in camera]
    indices = [index for index, _, _ in frames]
    assert indices_of(np.stack([picture for _, _, picture in frames])) == indices
    assert indices[-1] == 9
    assert 0.35 < frames[-1][1] < 2.0


def test_refuses_addresses_and_files_that_do_not_answer(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="cannot be opened"):
        open_camera("tcp://127.0.0.1:9")
    with pytest.raises(VideoError, match="no such file"):
        open_camera(str(tmp_path / "missing.mp4"))
