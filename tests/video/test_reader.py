from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pytest

from mudra.errors import VideoError
from mudra.types import FloatArray, Stream
from mudra.video import Frame, VideoInfo, VideoReader
from mudra.video.reader import Pixels, Size


class CountingReader(VideoReader):
    """Three frames of one grey level each; counts what is decoded and what is converted."""

    def __init__(self, *, num_frames: int = 3) -> None:
        super().__init__("three", stream=Stream.RGB)
        self.num_frames = num_frames
        self.decoded: list[int] = []
        self.converted: list[int] = []

    @property
    def info(self) -> VideoInfo:
        return VideoInfo("three", 4, 2, 10.0, 0.3, 3, "none", "rgb24", 0)

    @property
    def times_s(self) -> FloatArray:
        return np.arange(self.num_frames) / 10

    def _frames_at(self, indices: Iterable[int]) -> Iterator[Frame]:
        for index in indices:
            self.decoded.append(index)
            yield Frame(index, index / 10, lambda size, index=index: self._convert(index, size))  # type: ignore[misc]

    def _convert(self, index: int, size: Size | None) -> Pixels:
        self.converted.append(index)
        return np.full((*(size or self.frame_size), 3), index, dtype=np.uint8)


def test_each_wanted_frame_is_decoded_and_converted_once() -> None:
    reader = CountingReader()
    frames = reader.read([2, 0, 2])
    assert frames.frames_THWC[:, 0, 0, 0].tolist() == [2, 0, 2]
    assert frames.times_s.tolist() == [0.2, 0.0, 0.2]
    assert reader.decoded == reader.converted == [0, 2]


def test_iteration_converts_nothing_by_itself() -> None:
    reader = CountingReader()
    assert [frame.index for frame in reader] == [0, 1, 2]
    assert reader.converted == []


def test_no_indices_give_no_frames() -> None:
    assert CountingReader().read([]).frames_THWC.shape == (0, 2, 4, 3)
    assert CountingReader().read([], size=(5, 6)).frames_THWC.shape == (0, 5, 6, 3)


def test_frame_size_is_height_and_width() -> None:
    assert CountingReader().frame_size == (2, 4)


def test_leaving_the_block_closes() -> None:
    with CountingReader() as reader:
        pass
    with pytest.raises(VideoError, match="is closed"):
        reader._refuse_if_closed()


@pytest.mark.parametrize(("num_frames", "hint"), [(3, "indices run from 0 to 2"), (0, "holds no frames")])
def test_refuses_an_index_outside(num_frames: int, hint: str) -> None:
    with pytest.raises(VideoError, match="three: has no frame 3") as caught:
        CountingReader(num_frames=num_frames).read([3])
    assert hint in caught.value.hint
