"""Pictures of digits: idx files as MNIST has them, the bundled digits, and their frame."""

from __future__ import annotations

import gzip
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from mudra.datasets import DigitImages, read_bundled_digits, read_mnist
from mudra.datasets.digit_images import frame_digits, read_idx
from mudra.errors import DataError
from mudra.types import UInt8Array

IMAGES, LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


def pack(array: UInt8Array, *, element_type: int = 8) -> bytes:
    """An idx file after its description: two zeros, type, axes, big-endian lengths, values."""
    return bytes([0, 0, element_type, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def drawn_digits(count: int = 3) -> UInt8Array:
    """Pictures of 28x28 pixels with ink of 20x10 that is brighter in each next one."""
    images = np.zeros((count, 28, 28), np.uint8)
    for index, image in enumerate(images):
        image[1 + index : 21 + index, 9:19] = 100 + index
    return images


def write_mnist(folder: Path, images: UInt8Array, labels: list[int], *, packed: bool = True) -> Path:
    for name, content in ((IMAGES, pack(images)), (LABELS, pack(np.array(labels, np.uint8)))):
        path = folder / f"{name}{'.gz' if packed else ''}"
        path.write_bytes(gzip.compress(content) if packed else content)
    return folder / f"{IMAGES}{'.gz' if packed else ''}"


@pytest.mark.parametrize("packed", [True, False])
def test_mnist_is_read_with_its_labels(tmp_path: Path, packed: bool) -> None:
    digits = read_mnist(write_mnist(tmp_path, drawn_digits(), [7, 0, 9], packed=packed))
    assert (len(digits), digits.labels_N.tolist(), digits.images_NHW.shape) == (3, [7, 0, 9], (3, 22, 22))
    for index, image in enumerate(digits.images_NHW):
        assert (image[1:21, 6:16] == 100 + index).all()
        assert int(image.sum(dtype=int)) == 200 * (100 + index), "and nothing beside"


def test_labels_that_are_no_digits_are_refused(tmp_path: Path) -> None:
    path = write_mnist(tmp_path, np.zeros((2, 28, 28), np.uint8), [3, 77])
    with pytest.raises(DataError, match=r"labels-idx1.*a label is 77, wanted digits from 0 to 9"):
        read_mnist(path)


def test_ink_that_fits_keeps_its_pixels_and_is_centred() -> None:
    images = np.zeros((2, 28, 28), np.uint8)
    images[0, 2:5, 20:27] = np.arange(1, 22, dtype=np.uint8).reshape(3, 7)
    framed = frame_digits(images, side_px=9)
    assert (framed[0, 3:6, 1:8] == images[0, 2:5, 20:27]).all()
    assert framed[0].astype(bool).sum() == 21
    assert not framed[1].any(), "an empty picture stays empty"


def test_ink_that_does_not_fit_is_made_smaller() -> None:
    image = np.full((1, 28, 14), 200, np.uint8)
    framed = frame_digits(image, side_px=22)[0]
    assert (framed[:, 5:16] == 200).all()
    assert framed.astype(bool).sum() == 22 * 11, "height and width keep their proportion"


def test_train_and_test_share_no_picture() -> None:
    digits = DigitImages(images_NHW=np.arange(10, dtype=np.uint8)[:, None, None], labels_N=np.arange(10))
    train, test = digits.split(0.8)
    assert (len(train), len(test)) == (8, 2)
    assert sorted([*train.labels_N, *test.labels_N]) == list(range(10))
    assert (train.images_NHW[:, 0, 0] == train.labels_N).all()
    assert digits.split(0.8).test.labels_N.tolist() == test.labels_N.tolist()
    assert train.labels_N.tolist() != list(range(8)), "drawn, not cut"
    assert digits.split(0.8, seed=1).train.labels_N.tolist() != train.labels_N.tolist()


@pytest.mark.parametrize("fraction", [0.0, 1.0, -1.0, 2.0, 0.01])
def test_a_split_with_nothing_in_it_is_refused(fraction: float) -> None:
    digits = DigitImages(images_NHW=np.zeros((4, 3, 3), np.uint8), labels_N=np.arange(4))
    with pytest.raises(DataError, match="leaves train or test empty\n  hint: train_fraction lies between"):
        digits.split(fraction)


def test_pictures_that_do_not_fit_their_labels_are_refused() -> None:
    for images, count in ((np.zeros((3, 4, 4), np.uint8), 2), (np.zeros((0, 4, 4), np.uint8), 0)):
        with pytest.raises(DataError, match=r"wanted \(N, H, W\) with N labels, N >= 1"):
            DigitImages(images_NHW=images, labels_N=np.zeros(count, np.int64))


def test_scikit_learns_digits_need_no_file() -> None:
    digits = read_bundled_digits()
    assert (len(digits), digits.images_NHW.shape[1:]) == (1797, (22, 22))
    assert set(digits.labels_N.tolist()) == set(range(10))
    filled = (digits.images_NHW > 0).any(axis=0)
    assert filled[1:21, 1:21].any()
    assert digits.images_NHW.max() == 255
    ink = digits.images_NHW[digits.images_NHW > 0]
    assert ink.min() >= 255 // 16, "nothing fainter than the faintest level that they have"
    # A one is upright and thin, a nought is hollow.
    zero, one = (digits.images_NHW[digits.labels_N == label].mean(axis=0) for label in (0, 1))
    assert zero[11, 11] < 0.5 * zero.max()
    assert one[11, 11] > 0.7 * one.max()


def test_without_scikit_learn_the_way_to_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DataError, match=r"scikit-learn, .* is not installed\n  hint: pip install 'mudra\[digits\]'"):
        read_bundled_digits()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an idx file .it begins with nothing"),
        (b"\x89PNG....", "not an idx file .it begins with 89 50 4e 47"),
        (pack(np.zeros((2, 2), np.uint8), element_type=13), "element type 0x0d, wanted bytes"),
        (pack(np.zeros((2, 3), np.uint8))[:-1], r"5 bytes for the shape \(2, 3\): damaged"),
        (pack(np.zeros((2, 3), np.uint8)) + b"\0", r"7 bytes for the shape \(2, 3\): damaged"),
        (pack(np.zeros((2, 3), np.uint8))[:7], r"0 bytes for the shape .*: damaged"),
        (gzip.compress(pack(np.zeros((9, 9), np.uint8)), mtime=0)[:-12], "cannot be read"),
        (gzip.compress(b"something else", mtime=0)[:4] + b"rubbish" * 9, "cannot be read"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_idx(path)


def test_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file\n  hint: an idx file of MNIST belongs there"):
        read_mnist(tmp_path / IMAGES)
    write_mnist(tmp_path, drawn_digits(), [1, 2, 3])
    (tmp_path / f"{LABELS}.gz").unlink()
    with pytest.raises(DataError, match=f"{LABELS}.gz: no such file"):
        read_mnist(tmp_path / f"{IMAGES}.gz")


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labels.*: not a file of pictures by its name\n  hint: for example t10k"):
        read_mnist(tmp_path / LABELS)
    with pytest.raises(DataError, match=r"pictures of shape \(3, 28, 28\) and labels of shape \(2,\)"):
        read_mnist(write_mnist(tmp_path, drawn_digits(), [1, 2]))


@pytest.mark.real
def test_no_real_digit_loses_ink(shared_data: Path) -> None:
    path = shared_data / "mnist" / f"{IMAGES}.gz"
    digits, original = read_mnist(path), read_idx(path)
    assert (len(digits), original.shape) == (10_000, (10_000, 28, 28))
    assert np.bincount(digits.labels_N).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert (digits.images_NHW.sum(axis=(1, 2), dtype=int) == original.sum(axis=(1, 2), dtype=int)).all()
