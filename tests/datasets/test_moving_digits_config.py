"""Moving digits as a data set: digits that train and digits that test, clips that differ, labels that are shown."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mudra.datasets import MovingDigitsConfig, describe
from mudra.datasets.moving_digits_config import MovingDigitClips, read_digits
from mudra.errors import ConfigError, DataError
from mudra.types import Stream, UInt8Array
from tests.datasets.test_digit_images import pack

SPLITS = ("train", "validation", "test")


def write_digits(folder: Path, name: str, count: int) -> None:
    """An MNIST file of so many full pictures, each with a grey level and a label of its own."""
    levels = np.arange(count, dtype=np.uint8) + 1
    images: UInt8Array = np.zeros((count, 28, 28), np.uint8)
    images[:, 3:25, 3:25] = levels[:, None, None]
    (folder / f"{name}-images-idx3-ubyte").write_bytes(pack(images))
    (folder / f"{name}-labels-idx1-ubyte").write_bytes(pack(levels % 10))


def small(root: Path | None = None, **values: Any) -> MovingDigitsConfig:
    chosen: dict[str, Any] = {"source": "sklearn"} if root is None else {"source": "mnist", "root": root}
    counts = {"clips_train": 6, "clips_validation": 4, "clips_test": 5, "num_frames": 5}
    return MovingDigitsConfig(**{**chosen, **counts, **values})


def levels_of(drawer: MovingDigitClips, split: str) -> set[int]:
    """The grey levels of 200 clips: each picture of the files has one of its own."""
    clip_BTCHW = drawer.draw(split, range(200)).clip_BTCHW
    return {round(level * 255) for level in clip_BTCHW.flatten(1).amax(dim=1).tolist()}


def test_no_picture_trains_and_tests(tmp_path: Path) -> None:
    write_digits(tmp_path, "t10k", 20)
    for seed in (0, 1):
        drawer = small(tmp_path, seed=seed).build_drawer()
        train, validation, test = (levels_of(drawer, split) for split in SPLITS)
        assert (len(train), len(test)) == (16, 4)
        assert train == validation
        assert train | test == set(range(1, 21))
        assert train & test == set()
        assert seed == 0 or test == levels_of(small(tmp_path).build_drawer(), "test"), "the same for every seed"


def test_the_official_split_is_one_file_each(tmp_path: Path) -> None:
    write_digits(tmp_path, "t10k", 8)
    (tmp_path / "train").mkdir()
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz: no such file"):
        small(tmp_path, digit_split="official").build_drawer()
    write_digits(tmp_path, "train", 12)
    read_digits.cache_clear()
    drawer = small(tmp_path, digit_split="official").build_drawer()
    assert levels_of(drawer, "train") == set(range(1, 13))
    assert levels_of(drawer, "test") == set(range(1, 9))


def test_a_number_is_a_clip_and_splits_and_seeds_draw_others() -> None:
    drawer = small().build_drawer()
    both = drawer.draw("train", [3, 4]).clip_BTCHW
    assert torch.equal(drawer.draw("train", [4]).clip_BTCHW[0], both[1])
    found = [drawer.draw(split, [3]).clip_BTCHW for split in SPLITS]
    found += [small(seed=seed).build_drawer().draw(split, [3]).clip_BTCHW for seed in (1, 2) for split in SPLITS]
    assert len({clip.numpy().tobytes() for clip in found}) == 9
    far = drawer.draw("train", [10**15]).clip_BTCHW
    assert far.max() > 0.5


def test_the_fastest_digit_gives_the_clips_speed() -> None:
    drawer = small(speeds_px=((0.5, 1.0), (6.0, 7.0))).build_drawer()
    clip_BTCHW, speed_B = drawer.draw("test", range(9), with_flow=True)
    assert clip_BTCHW.shape == (9, 5, 3, 64, 64)
    assert ((speed_B >= 6) & (speed_B <= 7)).all()
    assert [drawer.count(split) for split in SPLITS] == [6, 4, 5]


def test_recordings_show_what_the_drawer_draws() -> None:
    config = small()
    dataset, drawer = config.build(), config.build_drawer()
    assert {split: len(found) for split, found in dataset.recordings.items()} == {
        "train": 6,
        "validation": 4,
        "test": 5,
    }
    assert dataset.source is not None
    for split in SPLITS:
        clip_BTCHW = drawer.draw(split, range(config.num_clips(split))).clip_BTCHW
        labels_B = drawer.generators[split].draw(range(config.num_clips(split))).label_BN[:, 0]
        for number, recording in enumerate(dataset.split(split)):
            frames = dataset.source(recording, Stream.RGB)
            assert frames.frames_THWC.shape == (5, 64, 64, 3)
            np.testing.assert_allclose(frames.frames_THWC[..., 1] / 255, clip_BTCHW[number, :, 0].numpy(), atol=1e-6)
            assert recording.label == labels_B[number]
            assert dataset.card.classes[recording.label] == recording.path.name[-1]
    with pytest.raises(DataError, match="moving digits have no depth stream\n  hint: they are grey pictures"):
        dataset.source(dataset.split("test")[0], Stream.DEPTH)


def test_its_facts_can_be_told() -> None:
    facts = describe(small(clips_validation=0).build())
    assert facts.classes == tuple("0123456789")
    assert facts.sizes == {(64, 64): 11}
    assert facts.fps is not None
    assert facts.fps.median == pytest.approx(10)


def test_digits_that_are_not_there_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.root is missing.*\n  hint: data\.root=FOLDER, or data\.source=sklearn"):
        MovingDigitsConfig().build()
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz: no such file"):
        small(tmp_path).build_drawer()
    with pytest.raises(DataError, match="scikit-learn's digits have no official split"):
        small(digit_split="official").build_drawer()
    with pytest.raises(ConfigError, match="do not fit into pictures"):
        small(size=(16, 64)).build()


@pytest.mark.real
def test_real_mnist_is_split_into_8000_and_2000() -> None:
    root = Path(os.environ.get("MUDRA_SHARED", Path(__file__).parents[3] / "shared" / "data")) / "mnist"
    if not root.is_dir():
        pytest.skip(f"no real digits at {root}")
    train, test = read_digits("mnist", root, "drawn")
    assert (len(train), len(test)) == (8_000, 2_000)
    assert np.bincount(test.labels_N, minlength=10).min() > 150
