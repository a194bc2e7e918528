"""What every data set that reads files keeps, whatever its form: one fake tree of each is read."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from pathlib import Path

import pytest

from mudra import datasets
from mudra.config import Config
from mudra.datasets import (
    CongdConfig,
    Dataset,
    EgogestureConfig,
    FirConfig,
    FolderConfig,
    IsogdConfig,
    JesterConfig,
    JhmdbConfig,
    MontalbanoConfig,
    NvgestureConfig,
    SegmentsConfig,
    Shrec2017Config,
    Sports1mConfig,
    TableConfig,
    Ucf101Config,
)
from mudra.datasets.congd import read_congd
from mudra.datasets.detect import FileConfig
from mudra.datasets.egogesture import read_egogesture
from mudra.datasets.fir import read_fir
from mudra.datasets.folder import read_folder
from mudra.datasets.isogd import read_isogd
from mudra.datasets.jester import read_jester
from mudra.datasets.jhmdb import read_jhmdb
from mudra.datasets.montalbano import read_montalbano
from mudra.datasets.nvgesture import read_nvgesture
from mudra.datasets.segments_table import read_segments
from mudra.datasets.shrec2017 import read_shrec2017
from mudra.datasets.sports1m import read_sports1m
from mudra.datasets.table import read_table
from mudra.datasets.ucf101 import read_ucf101
from mudra.types import DepthFormat
from tests.fixtures.streams import build_congd, build_fir, build_montalbano
from tests.fixtures.trees import (
    build_egogesture,
    build_folder,
    build_isogd,
    build_jester,
    build_jhmdb,
    build_nvgesture,
    build_shrec2017,
    build_sports1m,
    build_ucf101,
    write_csv,
)

CLASSES = ("swipe_left", "swipe_right", "push")


def folder_of(root: Path) -> FolderConfig:
    return FolderConfig(root=build_folder(root, classes=CLASSES, subjects=range(6)))


def table_of(root: Path) -> TableConfig:
    build_folder(root, classes=CLASSES, subjects=range(6))
    paths = sorted(root.rglob("*.mp4"))
    rows = [{"path": p.relative_to(root), "label": p.parent.name, "subject": p.name[:3]} for p in paths]
    return TableConfig(path=write_csv(root / "clips.csv", rows))


def segments_of(root: Path) -> SegmentsConfig:
    build_folder(root, classes=["long"], subjects=range(6))
    rows = [
        {"path": p.relative_to(root), "start_s": i, "end_s": i + 0.5, "label": name, "subject": p.name[:3]}
        for p in sorted(root.rglob("*.mp4"))
        for i, name in enumerate(CLASSES)
    ]
    return SegmentsConfig(path=write_csv(root / "segments.csv", rows))


def fir_of(root: Path) -> FirConfig:
    return FirConfig(root=build_fir(root), validation_streams=("20200627_18*",))


def shrec2017_of(root: Path, num_classes: typing.Literal[14, 28]) -> Shrec2017Config:
    subjects = {"train": [2, 3], "validation": [4], "test": [5]}
    return Shrec2017Config(root=build_shrec2017(root, subjects=subjects), num_classes=num_classes)


MAKERS: dict[str, Callable[[Path], FileConfig]] = {
    "folder": folder_of,
    "table": table_of,
    "shrec2017": lambda root: shrec2017_of(root, 14),
    "shrec2017, 28 classes": lambda root: shrec2017_of(root, 28),
    "jester": lambda root: JesterConfig(root=build_jester(root)),
    "isogd": lambda root: IsogdConfig(root=build_isogd(root)),
    "segments": segments_of,
    "congd": lambda root: CongdConfig(root=build_congd(root)),
    "montalbano": lambda root: MontalbanoConfig(
        root=build_montalbano(root), on_missing="skip", unpack_to=root / "unpacked"
    ),
    "fir": fir_of,
    "nvgesture": lambda root: NvgestureConfig(root=build_nvgesture(root)),
    "nvgesture, colour": lambda root: NvgestureConfig(root=build_nvgesture(root), stream="rgb"),
    "egogesture": lambda root: EgogestureConfig(root=build_egogesture(root)),
    "ucf101": lambda root: Ucf101Config(root=build_ucf101(root), fold=3),
    "ucf101, 17 classes": lambda root: Ucf101Config(root=build_ucf101(root), classes="agethen2019"),
    "sports1m": lambda root: Sports1mConfig(root=build_sports1m(root)),
    "sports1m, 20 classes": lambda root: Sports1mConfig(root=build_sports1m(root), classes="agethen2019"),
    "jhmdb": lambda root: JhmdbConfig(root=build_jhmdb(root)),
}
# Sets whose makers name no classes, or not by which hand, so that nobody knows what a mirror shows; or no subjects.
WITHOUT_MIRROR = {"isogd", "congd", "nvgesture", "egogesture"}
WITHOUT_SUBJECTS = {"jester", "sports1m", "jhmdb", "montalbano", "fir"}
# Sets of actions, or of signs made with either hand, which stay what they are in a mirror.
KEEPING_LABELS = {"ucf101", "sports1m", "jhmdb", "montalbano", "fir"}
# Sets whose makers give no validation split.
WITHOUT_VALIDATION = {"nvgesture", "ucf101", "sports1m", "jhmdb"}
# Sets that keep the labels of some splits to themselves.
UNLABELLED = {"jester": {"test"}, "isogd": {"validation", "test"}, "congd": {"test"}}


@pytest.fixture(params=MAKERS, ids=str)
def config(request: pytest.FixtureRequest, tmp_path: Path) -> FileConfig:
    return MAKERS[request.param](tmp_path)


@pytest.fixture
def dataset(config: FileConfig) -> Dataset:
    return config.build()


def test_labels_are_dense(dataset: Dataset) -> None:
    labels = {recording.label for recording in dataset.cut_segments().labelled().all_recordings()}
    idle = dataset.card.idle_class
    outside = set() if idle is None else {dataset.card.classes.index(idle)}
    assert labels == set(range(len(dataset.card.classes))) - outside


def test_splits_without_labels_are_the_known_ones(dataset: Dataset) -> None:
    without = {split for split, found in dataset.recordings.items() if any(not r.is_labelled for r in found)}
    assert without == UNLABELLED.get(dataset.card.name, set())


def test_mirroring_twice_keeps_every_label(dataset: Dataset) -> None:
    index = dataset.card.mirror_index()
    assert (index is None) == (dataset.card.name in WITHOUT_MIRROR)
    if index is None:
        return
    assert [index[label] for label in index] == list(range(len(index)))
    assert (index == list(range(len(index)))) == (dataset.card.name in KEEPING_LABELS), "left and right are swapped"


def test_splits_are_disjoint(dataset: Dataset) -> None:
    keys = [recording.key for recording in dataset.all_recordings()]
    assert len(keys) == len(set(keys))
    assert dataset.card.subjects_disjoint == (dataset.card.name not in WITHOUT_SUBJECTS)
    assert dataset.leaking_subjects() == {}
    for split, recordings in dataset.recordings.items():
        assert bool(recordings) == (split != "validation" or dataset.card.name not in WITHOUT_VALIDATION)
        assert {recording.split for recording in recordings} <= {split}


def test_every_path_exists_below_the_root(dataset: Dataset) -> None:
    assert dataset.root is not None
    for recording in dataset.all_recordings():
        for path in (recording.path, recording.depth_path or recording.path):
            assert path.is_relative_to(dataset.root)
            assert path.exists()
        assert recording.stream is dataset.card.streams[0]


def test_segments_are_in_order_and_within_the_classes(dataset: Dataset) -> None:
    for recording in dataset.all_recordings():
        assert recording.label is None or recording.segments is None
        starts = [segment.start_s for segment in recording.segments or ()]
        assert starts == sorted(starts)
        assert all(0 <= s.start_s < s.end_s for s in recording.segments or ())
        assert all(0 <= s.label < len(dataset.card.classes) for s in recording.segments or ())


def test_the_same_tree_gives_the_same_set(config: FileConfig) -> None:
    assert config.build() == config.build()


def test_the_config_survives_yaml_and_says_its_kind(config: FileConfig, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(config.to_yaml())
    assert type(config).from_yaml(path) == config
    assert config.kind == type(config).model_fields["kind"].default


def test_every_config_of_the_room_is_registered() -> None:
    union = typing.get_args(datasets.AnyDatasetConfig)[0]
    registered = {config.__name__ for config in typing.get_args(union)}
    exported = {name for name, value in vars(datasets).items() if inspect.isclass(value) and is_data_config(value)}
    assert exported == registered


def is_data_config(value: type) -> bool:
    return issubclass(value, Config) and "kind" in value.model_fields


@pytest.mark.parametrize(
    ("config_type", "reader"),
    [
        (FolderConfig, read_folder),
        (TableConfig, read_table),
        (Shrec2017Config, read_shrec2017),
        (JesterConfig, read_jester),
        (IsogdConfig, read_isogd),
        (SegmentsConfig, read_segments),
        (CongdConfig, read_congd),
        (MontalbanoConfig, read_montalbano),
        (FirConfig, read_fir),
        (NvgestureConfig, read_nvgesture),
        (EgogestureConfig, read_egogesture),
        (Ucf101Config, read_ucf101),
        (Sports1mConfig, read_sports1m),
        (JhmdbConfig, read_jhmdb),
    ],
)
def test_config_and_reader_agree_on_defaults(config_type: type[Config], reader: Callable[..., object]) -> None:
    arguments = {name: p.default for name, p in list(inspect.signature(reader).parameters.items())[1:]}
    fields = {name: field.get_default(call_default_factory=True) for name, field in config_type.model_fields.items()}
    # What kind it is, where it lies and what training does about damage are no concern of the reader.
    for name in ("kind", "root", "path", "on_damaged"):
        fields.pop(name, None)
    if "mm_per_level" in fields:
        # In a config the depth format is two plain numbers, so that a misspelt one is refused.
        plain = DepthFormat(mm_per_level=fields.pop("mm_per_level"), missing_level=fields.pop("missing_level"))
        assert plain == DepthFormat()
        assert arguments.pop("depth") is None
    if "mirror" in arguments:
        assert (fields.pop("mirror"), arguments.pop("mirror")) == ({}, None)
    assert fields == arguments
