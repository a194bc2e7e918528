from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mudra.datasets import Dataset, MontalbanoConfig, label_frames, read_montalbano
from mudra.datasets.montalbano import CARD, CENTRE, CLASSES, DEPTH, NUMBERS, find_samples
from mudra.datasets.montalbano_labels import pair_samples, read_label_rows
from mudra.errors import DataError
from mudra.types import PixelBox, Stream
from mudra.video import open_recording
from tests.fixtures.streams import build_montalbano, build_montalbano_sample


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MUDRA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data"


def read_part(root: Path, **settings: object) -> Dataset:
    return MontalbanoConfig.from_mapping({"root": str(root), "on_missing": "skip", **settings}).build()


def names(dataset: Dataset) -> dict[str, list[str]]:
    return {split: [r.path.name for r in found] for split, found in dataset.recordings.items()}


def test_class_0_is_no_gesture_and_the_rest_have_their_numbers() -> None:
    assert len(CLASSES) == 21
    assert (CLASSES[0], CLASSES[1], CLASSES[11], CLASSES[20]) == ("no gesture", "vattene", "ok", "sonostufo")
    assert CARD.idle_class == CLASSES[0]
    assert {split: len(numbers) - (417 in numbers) for split, numbers in NUMBERS.items()} == CARD.counts


def test_samples_are_split_by_their_number(root: Path) -> None:
    for number in (1, 417, 600, 601, 700, 701, 940, 941):
        build_montalbano_sample(root, number, is_zipped=False)
    assert names(read_part(root)) == {
        "train": ["Sample0001_color.mp4", "Sample0600_color.mp4"],
        "validation": ["Sample0601_color.mp4", "Sample0700_color.mp4"],
        "test": ["Sample0701_color.mp4", "Sample0940_color.mp4"],
    }
    assert names(read_part(root, left_out=[1, 600]))["train"] == ["Sample0417_color.mp4"]


def test_archives_and_folders_are_read_alike(root: Path, cache: Path) -> None:
    build_montalbano_sample(root / "zipped", 5)
    build_montalbano_sample(root, 6, is_zipped=False)
    zipped, unpacked = read_part(root).split("train")
    assert zipped.path.is_relative_to(cache)
    assert unpacked.path == root / "Sample0006" / "Sample0006_color.mp4"
    assert zipped.depth_path == zipped.path.with_name("Sample0005_depth.mp4")
    assert not zipped.path.with_name("Sample0005_user.mp4").exists(), "it is not needed"
    assert (zipped.segments, zipped.box) == (unpacked.segments, unpacked.box)
    for stream in (Stream.RGB, Stream.DEPTH):
        with open_recording(zipped, stream) as reader:
            assert len(reader.read()) == 12
    elsewhere = read_part(root, unpack_to=str(root / "out")).split("train")[0]
    assert elsewhere.path.is_relative_to(root / "out")


def test_an_unpacked_sample_comes_before_its_archive(root: Path) -> None:
    archive = build_montalbano_sample(root, 7)
    assert find_samples(root) == {7: archive}
    folder = build_montalbano_sample(root, 7, is_zipped=False)
    assert find_samples(root) == {7: folder}
    assert find_samples(root / "nowhere") == {}


@pytest.mark.parametrize(("end", "last"), [("exclusive", 10), ("inclusive", 11)])
def test_label_rows_become_frames(root: Path, end: str, last: int) -> None:
    build_montalbano_sample(root, 1, labels=["20,7,11", "3,2,5"], fps=8)
    (recording,) = read_part(root, end=end).split("train")
    with open_recording(recording, Stream.RGB) as reader:
        label_S = label_frames(recording.segments or (), reader.times_s, idle=0)
    expected = np.zeros(12, np.int64)
    expected[1 : 4 + (end == "inclusive")] = 3
    expected[6:last] = 20
    np.testing.assert_array_equal(label_S, expected)
    assert recording.segments is not None
    assert recording.segments[0].start_s == pytest.approx(1 / 8), "by the file's own rate"


def test_samples_without_labels_can_be_predicted(root: Path, tmp_path: Path) -> None:
    build_montalbano_sample(root, 701, labels=None)
    dataset = read_part(root)
    assert dataset.split("test")[0].segments is None
    assert "1 samples have no labels and can be predicted, not scored: Sample0701_color.mp4" in dataset.notes[-1]
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / "Sample0701_labels.csv").write_text("2,1,4\n")
    labelled = read_part(root, labels=str(tmp_path / "truth"))
    assert [segment.label for segment in labelled.split("test")[0].segments or ()] == [2]
    assert len(labelled.notes) == len(dataset.notes) - 1


def test_the_part_of_the_frame_that_matters(root: Path) -> None:
    folder = build_montalbano_sample(root, 1, is_zipped=False)
    boxes = {crop: read_part(root, crop=crop).split("train")[0].box for crop in ("skeleton", "centre", "frame")}
    # Head (310, 120), hips in row 220: half the side is 100, the middle (310, 190).
    assert boxes == {"skeleton": PixelBox(90, 210, 200, 200), "centre": PixelBox(0, 80, 480, 480), "frame": None}
    assert CENTRE.left * 2 + CENTRE.width == 640
    (folder / "Sample0001_skeleton.csv").write_text("")
    dataset = read_part(root)
    assert dataset.split("train")[0].box is None
    assert dataset.notes[-1] == "1 samples show no skeleton: their whole frames are used: Sample0001_color.mp4"


def test_depth_is_levels_or_millimetres(root: Path) -> None:
    build_montalbano_sample(root, 1)
    assert read_part(root).split("train")[0].depth == DEPTH
    depth = read_part(root, depth_unit="millimetres").split("train")[0].depth
    assert (depth.mm_per_level, depth.missing_level) == (10.0, 0), "2550 mm at level 255"


@pytest.mark.parametrize("ending", ["_color.mp4", "_depth.mp4", "_data.csv", "_skeleton.csv"])
def test_a_sample_that_lacks_a_file_is_named(root: Path, ending: str) -> None:
    folder = build_montalbano_sample(root, 12, is_zipped=False)
    (folder / f"Sample0012{ending}").unlink()
    message = rf"Sample0012: holds no Sample0012{ending}\n  hint: .* go on without it: data\.left_out=\[\.\.\., 12\]"
    with pytest.raises(DataError, match=message):
        read_part(root, depth_unit="millimetres")


def test_colour_alone_is_enough(root: Path) -> None:
    folder = build_montalbano_sample(root, 12, is_zipped=False)
    (folder / "Sample0012_depth.mp4").unlink()
    (folder / "Sample0012_data.csv").unlink()
    dataset = read_part(root)
    assert dataset.split("train")[0].depth_path is None
    assert "1 samples have no depth, and serve colour alone: Sample0012_color.mp4" in dataset.notes


def test_without_the_crop_no_skeleton_is_needed(root: Path) -> None:
    folder = build_montalbano_sample(root, 12, is_zipped=False)
    (folder / "Sample0012_skeleton.csv").unlink()
    assert read_part(root, crop="frame").split("train")[0].box is None


def test_a_part_of_the_samples_is_refused(root: Path) -> None:
    build_montalbano_sample(root, 2)
    message = rf"598 of 599 train recordings are not there; looked for {root}/Sample0001\.zip, {root}/Sample0003\.zip"
    with pytest.raises(DataError, match=message):
        read_montalbano(root)
    assert len(read_part(root).left_out) == 3


def test_a_root_without_a_sample_names_the_places(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataError, match=rf"no sample of Montalbano; looked for {place}/Sample0001\.zip, "):
            read_montalbano(place)


def test_a_damaged_archive_is_named(root: Path) -> None:
    archive = build_montalbano_sample(root, 2)
    archive.write_bytes(archive.read_bytes()[:500])
    with pytest.raises(DataError, match=r"Sample0002\.zip: cannot be unpacked"):
        read_part(root)


def test_every_gesture_is_read(root: Path) -> None:
    dataset = read_part(build_montalbano(root))
    counts = dataset.class_counts("train")
    assert counts == dict.fromkeys(CLASSES, 1) | {"no gesture": 0}


@pytest.mark.real
def test_the_real_labels(shared_data: Path, root: Path) -> None:
    folder = shared_data / "montalbano" / "ground_truth"
    sample = pair_samples(folder, folder).samples[0]
    build_montalbano_sample(root, 471, labels=sample.labels.read_text().splitlines(), is_zipped=False)
    (recording,) = read_part(root).split("train")
    assert [s.label for s in recording.segments or ()] == [row.label + 1 for row in read_label_rows(sample.labels)]
