"""The values that cross rooms."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from mudra.types import DepthFormat, Frames, Prediction, Recording, Stream


def frames(num_frames: int = 3) -> Frames:
    levels = np.arange(num_frames * 2 * 2 * 3, dtype=np.uint8).reshape(num_frames, 2, 2, 3)
    return Frames(levels, np.arange(num_frames) / 10)


@pytest.mark.parametrize(
    ("shape", "num_times"), [((3, 4, 4), 3), ((3, 4, 4, 3), 2), ((0, 4, 4, 3), 1)], ids=["axis", "times", "empty"]
)
def test_frames_and_times_must_agree(shape: tuple[int, ...], num_times: int) -> None:
    with pytest.raises(ValueError, match=rf"with {num_times} times; wanted \(T, H, W, C\) with T times"):
        Frames(np.zeros(shape, np.uint8), np.zeros(num_times))


def test_taking_frames_takes_their_times_along() -> None:
    taken = frames().take([2, 0, 2])
    assert len(taken) == 3
    assert taken.times_s.tolist() == [0.2, 0.0, 0.2]
    np.testing.assert_array_equal(taken.frames_THWC, frames().frames_THWC[[2, 0, 2]])
    assert len(frames().take(np.array([1]))) == 1


def test_values_are_frozen() -> None:
    for value in (frames(), Recording(path=Path("a.mp4")), DepthFormat()):
        name = dataclasses.fields(value)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, name, None)


def test_which_file_holds_a_stream() -> None:
    both = Recording(path=Path("a.mp4"), depth_path=Path("a.mkv"))
    assert [both.path_of(stream) for stream in Stream] == [Path("a.mp4"), Path("a.mkv"), Path("a.mp4")]
    colour = Recording(path=Path("a.mp4"))
    assert [colour.path_of(stream) for stream in Stream] == [Path("a.mp4"), None, Path("a.mp4")]
    depth = Recording(path=Path("a.mkv"), stream=Stream.DEPTH)
    assert [depth.path_of(stream) for stream in Stream] == [None, Path("a.mkv"), Path("a.mkv")]
    assert Recording(path=Path("a.mkv"), stream=Stream.DEPTH, depth_path=Path("b.mkv")).path_of(Stream.RGB) is None


def test_a_recordings_key_names_its_span() -> None:
    path = Path("a.mp4")
    assert Recording(path=path).key == "a.mp4"
    assert Recording(path=path, start_s=1.5, end_s=2.25).key == "a.mp4@1.500-2.250"
    assert Recording(path=path, start_s=1.5).key == "a.mp4@1.500-end"
    assert Recording(path=path, end_s=2.0).key == "a.mp4@0.000-2.000"
    # A span from the very beginning is another piece than the whole file.
    assert Recording(path=path, start_s=0.0, end_s=0.0).key == "a.mp4@0.000-0.000"


def test_streams_are_their_names() -> None:
    assert [str(stream) for stream in Stream] == ["rgb", "depth", "flow"]
    assert Stream("depth") is Stream.DEPTH


def test_predictions_do_not_share_their_latencies() -> None:
    first, second = (Prediction(label="a", probability=1.0, top=(), span_s=(0.0, 1.0)) for _ in range(2))
    first.latency_ms["decode"] = 1.0
    assert second.latency_ms == {}
