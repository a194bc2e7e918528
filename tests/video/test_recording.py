from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mudra.errors import VideoError
from mudra.types import DepthFormat, Recording, Stream
from mudra.video import open_recording, write_depth
from tests.video.encode import encode


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    write_depth(tmp_path / "depth.mkv", [np.full((16, 16, 1), 7, dtype=np.uint16)] * 3, fps=10)
    colour = encode(tmp_path / "colour.mp4", num_frames=3, size=(16, 16))
    return Recording(path=colour, depth_path=tmp_path / "depth.mkv", depth=DepthFormat(mm_per_level=5))


def test_colour_depth_and_flow(recording: Recording) -> None:
    with open_recording(recording, Stream.RGB) as reader:
        assert reader.read().frames_THWC.shape == (3, 16, 16, 3)
    with open_recording(recording, Stream.DEPTH) as reader:
        assert (reader.read().frames_THWC == 35).all()
    with open_recording(recording, Stream.FLOW, num_threads=2) as reader:
        assert reader.stream is Stream.RGB
        assert reader.path == str(recording.path)


def test_flow_of_depth_alone(recording: Recording) -> None:
    assert recording.depth_path is not None
    alone = Recording(path=recording.depth_path, stream=Stream.DEPTH)
    with open_recording(alone, Stream.FLOW) as reader:
        assert reader.stream is Stream.DEPTH


@pytest.mark.parametrize(("fps", "last_s"), [(4.0, 0.25), (None, 1 / 30)])
def test_folder_of_frames_at_its_rate(tmp_path: Path, fps: float | None, last_s: float) -> None:
    (tmp_path / "clip").mkdir()
    for name in ("1.png", "2.png"):
        cv2.imwrite(str(tmp_path / "clip" / name), np.zeros((8, 8, 3), dtype=np.uint8))
    with open_recording(Recording(path=tmp_path / "clip", fps=fps), Stream.RGB) as reader:
        assert reader.times_s[-1] == pytest.approx(last_s)


def test_refuses_a_stream_that_is_not_there(recording: Recording) -> None:
    without = Recording(path=recording.path)
    with pytest.raises(VideoError, match="this recording has no depth, only rgb"):
        open_recording(without, Stream.DEPTH)


def test_refuses_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="no such file"):
        open_recording(Recording(path=tmp_path / "gone.mp4"), Stream.RGB)
