from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mudra.datasets import examples
from mudra.datasets.card import DatasetCard
from mudra.datasets.dataset import Dataset
from mudra.datasets.examples import CELL_INCHES, DOTS_PER_INCH, draw_examples, middle_picture, pick_evenly
from mudra.datasets.folder import read_folder
from mudra.datasets.segments_table import read_segments
from mudra.errors import DataError, VideoError
from mudra.types import Frames, Recording, Stream
from tests.fixtures.video import VideoMaker


@pytest.fixture
def dataset(tmp_path: Path, video_maker: VideoMaker) -> Dataset:
    for name in ("push", "wave"):
        for take in range(4):
            video_maker(tmp_path / "train" / name / f"{take}.avi", num_frames=3)
    return read_folder(tmp_path, fractions=(1.0, 0.0, 0.0))


def test_one_row_per_class_is_drawn(dataset: Dataset, tmp_path: Path) -> None:
    out = draw_examples(dataset, tmp_path / "grid.png", num_per_class=3)
    picture = cv2.imread(str(out))
    assert picture is not None
    assert picture.shape == (round(2 * CELL_INCHES * DOTS_PER_INCH), round(4 * CELL_INCHES * DOTS_PER_INCH), 3)
    assert len(np.unique(picture)) > 3


def test_classes_after_the_limit_are_not_drawn(dataset: Dataset, tmp_path: Path) -> None:
    picture = cv2.imread(str(draw_examples(dataset, tmp_path / "grid.png", max_classes=1)))
    assert picture is not None
    assert picture.shape[0] == round(CELL_INCHES * DOTS_PER_INCH)


def test_fewer_recordings_than_columns_and_a_bad_file_do_not_stop_the_drawing(dataset: Dataset, tmp_path: Path) -> None:
    dataset.split("train")[0].path.write_bytes(b"no video")
    assert draw_examples(dataset, tmp_path / "grid.png", num_per_class=6).is_file()


def test_of_streams_the_segments_are_drawn(
    tmp_path: Path, video_maker: VideoMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    video_maker(tmp_path / "a.avi", num_frames=20, fps=10)
    rows = ["a.avi,0.2,0.5,push", "a.avi,1,2,push", "a.avi,0.6,0.8,wave"]
    (tmp_path / "x.csv").write_text("\n".join(["path,start_s,end_s,label", *rows]))
    drawn: list[float | None] = []

    def draw(dataset: Dataset, recording: Recording) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        drawn.append(recording.start_s)
        return np.zeros((2, 2, 3), np.uint8)

    monkeypatch.setattr(examples, "middle_picture", draw)
    streams = read_segments(tmp_path / "x.csv", fractions=(1.0, 0.0, 0.0))
    draw_examples(streams, tmp_path / "grid.png")
    assert drawn == [0.2, 1.0, 0.6], "none between the segments, then by class"


@pytest.mark.parametrize("settings", [{"num_per_class": 0}, {"max_classes": 0}])
def test_nothing_to_draw_is_refused(dataset: Dataset, tmp_path: Path, settings: dict[str, int]) -> None:
    with pytest.raises(DataError, match="wanted at least one of each"):
        draw_examples(dataset, tmp_path / "grid.png", **settings)  # type: ignore[arg-type]


def test_an_empty_split_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="0 recordings in split 'test'"):
        draw_examples(dataset, tmp_path / "grid.png", split="test")


def test_examples_are_spread_over_the_recordings() -> None:
    recordings = [Recording(path=Path(str(i))) for i in range(10)]
    assert [recording.path.name for recording in pick_evenly(recordings, 3)] == ["0", "3", "6"]
    assert pick_evenly(recordings[:2], 3) == recordings[:2]


def test_the_picture_is_the_middle_of_the_span(tmp_path: Path, video_maker: VideoMaker) -> None:
    path = video_maker(tmp_path / "1.mkv", num_frames=9, fps=10, pixel_format="gray")
    dataset = Dataset(card=DatasetCard(name="x", classes=("a",)), recordings={})
    levels = [40 + 160 * i // 8 for i in range(9)]
    for span, index in (((None, None), 4), ((None, 0.2), 1), ((0.6, None), 7), ((0.5, 0.7), 6)):
        picture = middle_picture(dataset, Recording(path=path, start_s=span[0], end_s=span[1]))
        assert picture.shape == (24, 32, 3)
        assert picture.dtype == np.uint8
        assert abs(int(picture[0, 0, 0]) - levels[index]) <= 2, span


def test_near_depth_is_bright_and_missing_depth_black() -> None:
    depth_THWC = np.full((3, 10, 10, 1), 2000, dtype=np.uint16)
    depth_THWC[1, :5] = 500
    depth_THWC[1, 0, 0] = 0

    def draw(recording: Recording, stream: Stream) -> Frames:
        assert stream is Stream.DEPTH
        return Frames(depth_THWC, np.arange(3) / 10)

    card = DatasetCard(name="x", classes=("a",), streams=(Stream.DEPTH,))
    picture = middle_picture(Dataset(card=card, recordings={}, source=draw), Recording(path=Path("x")))
    assert picture[4, 4].tolist() == [255, 255, 255]
    assert picture[9, 9].tolist() == [50, 50, 50]
    assert picture[0, 0].tolist() == [0, 0, 0]
    depth_THWC[:] = 0
    assert middle_picture(Dataset(card=card, recordings={}, source=draw), Recording(path=Path("x"))).max() == 0


def test_a_recording_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    dataset = Dataset(card=DatasetCard(name="x", classes=("a",)), recordings={})
    with pytest.raises(VideoError):
        middle_picture(dataset, Recording(path=tmp_path / "gone.mp4"))
