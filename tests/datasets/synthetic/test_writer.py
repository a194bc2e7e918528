"""The data set as files: what is written is what was drawn, and the tables say so."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from mudra.datasets.synthetic import SyntheticConfig, draw_clip, iter_items, write_synthetic
from mudra.datasets.synthetic.config import SPLITS, SYNTHETIC_CLASSES
from mudra.datasets.synthetic.writer import segments_of
from mudra.datasets.table import read_table
from mudra.errors import DataError
from mudra.types import Stream
from mudra.video import open_video

CONFIG = SyntheticConfig(
    clips_per_class_train=1,
    clips_per_class_validation=1,
    clips_per_class_test=1,
    long_streams=1,
    long_stream_s=12.0,
    size=(32, 48),
    num_frames=8,
    fps=10.0,
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synthetic") / "set"
    assert write_synthetic(out, CONFIG) == out / "clips.csv"
    return out


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_table_names_every_clip_and_its_files(written: Path) -> None:
    rows = rows_of(written / "clips.csv")
    assert list(rows[0]) == ["path", "label", "split", "subject", "start_s", "end_s", "depth_path"]
    expected = [(item, split) for split in SPLITS for item in iter_items(CONFIG, split)]
    assert len(rows) == len(expected) == 36
    for row, (item, split) in zip(rows, expected, strict=True):
        assert (row["label"], row["split"]) == (SYNTHETIC_CLASSES[item.label], split)
        assert row["subject"] == item.subject.name
        assert (written / row["path"]).is_file()
        assert (written / row["depth_path"]).is_file()


def test_depth_comes_back_exactly_and_colour_nearly(written: Path) -> None:
    row = rows_of(written / "clips.csv")[7]
    item = iter_items(CONFIG, "train")[7]
    clip = draw_clip(label=item.label, subject=item.subject, seed=item.seed, config=CONFIG)
    with open_video(written / row["depth_path"], stream=Stream.DEPTH) as reader:
        depth = reader.read()
    np.testing.assert_array_equal(depth.frames_THWC[..., 0], clip.depth_THW)
    np.testing.assert_allclose(depth.times_s, clip.times_s, atol=1e-3)
    with open_video(written / row["path"]) as reader:
        rgb = reader.read()
    assert clip.rgb_THWC is not None
    np.testing.assert_allclose(rgb.times_s, clip.times_s, atol=1e-3)
    # H.264 keeps colour at half the resolution, so small patches differ; the picture as a whole must not.
    error = np.abs(rgb.frames_THWC.astype(float) - clip.rgb_THWC)
    assert error.mean() < 8


def test_segments_name_the_streams_gestures(written: Path) -> None:
    rows = rows_of(written / "streams" / "segments.csv")
    assert {row["split"] for row in rows} == set(SPLITS)
    for row in rows:
        assert (written / "streams" / row["path"]).is_file()
        assert 0 < float(row["start_s"]) < float(row["end_s"]) < 12
        assert row["label"] in SYNTHETIC_CLASSES


def test_tables_can_be_read_as_data_sets(written: Path) -> None:
    dataset = read_table(written / "clips.csv")
    assert [len(dataset.split(split)) for split in SPLITS] == [12, 12, 12]
    assert set(dataset.card.classes) == set(SYNTHETIC_CLASSES)
    assert read_table(written / "streams" / "segments.csv").split("test")[0].start_s is not None


def test_config_is_kept_beside_the_clips(written: Path) -> None:
    assert SyntheticConfig.from_yaml(written / "config.yaml") == CONFIG


def test_progress_counts_clips_and_streams(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    config = CONFIG.model_copy(update={"clips_per_class_test": 0, "long_stream_s": 1.0})
    write_synthetic(tmp_path / "set", config, progress=lambda done, total: steps.append((done, total)))
    assert steps == [(done, 27) for done in range(1, 28)]


def test_without_depth_no_depth_is_written(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"streams": (Stream.RGB,), "long_streams": 0, "clips_per_class_test": 0})
    table = write_synthetic(tmp_path, config)
    assert {row["depth_path"] for row in rows_of(table)} == {""}
    assert not list(tmp_path.rglob("*.mkv"))
    assert not (tmp_path / "streams").exists()


def test_colour_is_needed(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"streams": (Stream.DEPTH,)})
    with pytest.raises(DataError, match=r"streams are depth; video files need colour\n.*add rgb"):
        write_synthetic(tmp_path, config)


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(DataError, match=r"holds something already\n.*folder that is empty"):
        write_synthetic(tmp_path, CONFIG)
    with pytest.raises(DataError, match="holds something already"):
        write_synthetic(tmp_path / "note.txt", CONFIG)


def test_segments_at_the_edges_and_back_to_back() -> None:
    spans = segments_of(np.array([2, 2, 5, -1, 2]), np.arange(5) / 4, fps=4.0)
    assert [(span.start_s, span.end_s, span.label) for span in spans] == [(0.0, 0.5, 2), (0.5, 0.75, 5), (1.0, 1.25, 2)]
    assert segments_of(np.array([-1, -1]), np.arange(2) / 4, fps=4.0) == []
