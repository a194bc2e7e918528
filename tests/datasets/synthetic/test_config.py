"""What the config promises of counts, classes and mirrors."""

from __future__ import annotations

from pathlib import Path

import pytest

from mudra.datasets.synthetic import MIRROR_PAIRS, SYNTHETIC_CLASSES, SyntheticConfig
from mudra.errors import ConfigError
from mudra.types import Stream


def test_twelve_classes_with_distinct_names() -> None:
    assert len(SYNTHETIC_CLASSES) == len(set(SYNTHETIC_CLASSES)) == 12


def test_mirror_swaps_left_with_right_and_turns_and_nothing_else() -> None:
    swapped = {name for name in SYNTHETIC_CLASSES if MIRROR_PAIRS[name] != name}
    assert swapped == {"swipe_left", "swipe_right", "rotate_cw", "rotate_ccw"}
    assert all(MIRROR_PAIRS[MIRROR_PAIRS[name]] == name for name in SYNTHETIC_CLASSES)
    assert set(MIRROR_PAIRS) == set(SYNTHETIC_CLASSES)


def test_counts_are_per_split() -> None:
    config = SyntheticConfig(
        clips_per_class_train=5,
        clips_per_class_validation=3,
        clips_per_class_test=2,
        subjects_train=7,
        subjects_validation=6,
        subjects_test=4,
    )
    assert [config.num_clips(split) for split in ("train", "validation", "test")] == [60, 36, 24]
    assert [config.num_subjects(split) for split in ("train", "validation", "test")] == [7, 6, 4]


def test_config_survives_yaml(tmp_path: Path) -> None:
    config = SyntheticConfig(size=(96, 128), hardness="hard", streams=(Stream.DEPTH,), fps=12.5)
    path = tmp_path / "config.yaml"
    path.write_text(config.to_yaml(), encoding="utf-8")
    assert SyntheticConfig.from_yaml(path) == config


@pytest.mark.parametrize(
    ("key", "value"),
    [("size", (16, 112)), ("num_frames", 4), ("fps", 0.0), ("hardness", "soft"), ("streams", ("sound",)), ("seed", -1)],
)
def test_values_out_of_range_are_refused(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=key):
        SyntheticConfig.from_mapping({key: value})
