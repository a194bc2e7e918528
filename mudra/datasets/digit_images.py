"""Pictures of handwritten digits that can be set in motion: MNIST's files, or the digits that scikit-learn brings.

Sources: LeCun et al. 1998 (MNIST, and its idx format); Alpaydin and Kaynak 1998 (the digits of scikit-learn).
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from mudra.errors import DataError
from mudra.types import UInt8Array

SIDE_PX = 22  # Agethen and Hsu 2019, section IV-C2
IDX_UINT8 = 8  # the idx format's code of its element type
GZIP_MAGIC = b"\x1f\x8b"
BUNDLED_LEVELS = 16  # of scikit-learn's digits, from 0 on
BUNDLED_SIDE_PX = 20  # MNIST's digits fill such a square, and so do these once they are enlarged


class DigitSplit(NamedTuple):
    """What `DigitImages.split` returns: no picture is in both."""

    train: DigitImages
    test: DigitImages


@dataclass(frozen=True, kw_only=True, eq=False)
class DigitImages:
    """Pictures of digits, all of one size.

    Args:
        images_NHW: Grey levels on black.
        labels_N: Which digit each shows.
    """

    images_NHW: UInt8Array
    labels_N: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.images_NHW.ndim != 3 or len(self.images_NHW) != len(self.labels_N) or not len(self.labels_N):
            raise DataError(
                f"pictures of digits have the shape {self.images_NHW.shape} with {len(self.labels_N)} labels; "
                "wanted (N, H, W) with N labels, N >= 1"
            )

    def __len__(self) -> int:
        return len(self.labels_N)

    def split(self, train_fraction: float = 0.8, *, seed: int = 0) -> DigitSplit:
        """Draw two sets of pictures for training and testing.

        They are drawn, not cut: MNIST's test file has the easier writers in its first half.

        Raises:
            DataError: If one of the sets would be empty.
        """
        num_train = round(train_fraction * len(self))
        if not 0 < num_train < len(self):
            raise DataError(
                f"{train_fraction} of {len(self)} pictures are {num_train}, which leaves train or test empty",
                hint="train_fraction lies between 0 and 1",
            )
        order = np.random.default_rng(seed).permutation(len(self))
        parts = (order[:num_train], order[num_train:])
        return DigitSplit(*(DigitImages(images_NHW=self.images_NHW[p], labels_N=self.labels_N[p]) for p in parts))


def read_mnist(path: Path | str, *, side_px: int = SIDE_PX) -> DigitImages:
    """Read an idx file of pictures, and the labels beside it, gzip-packed or not.

    Args:
        path: The file of pictures, for example `t10k-images-idx3-ubyte.gz`.
        side_px: Side of the square that each digit is put into; its ink is centred and keeps its size if it fits.

    Raises:
        DataError: If a file is missing or damaged, or the two do not belong together.
    """
    path = Path(path)
    name = path.name.replace("images", "labels").replace("idx3", "idx1")
    if name == path.name:
        raise DataError(f"{path}: not a file of pictures by its name", hint="for example t10k-images-idx3-ubyte.gz")
    images, labels = read_idx(path), read_idx(path.with_name(name))
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
        raise DataError(
            f"{path}: pictures of shape {images.shape} and labels of shape {labels.shape} do not belong together"
        )
    if len(labels) and labels.max() > 9:
        raise DataError(f"{path.with_name(name)}: a label is {labels.max()}, wanted digits from 0 to 9")
    return DigitImages(images_NHW=frame_digits(images, side_px=side_px), labels_N=labels.astype(np.int64))


def read_idx(path: Path | str) -> UInt8Array:
    """Read one idx file of bytes, gzip-packed or not.

    Raises:
        DataError: If the file is missing, damaged, or holds something else than bytes.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        if content.startswith(GZIP_MAGIC):
            content = gzip.decompress(content)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file", hint="an idx file of MNIST belongs there") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    # Two zeros, the element type, the number of axes; then the axes' lengths, most significant byte first.
    if len(content) < 4 or content[:2] != b"\0\0":
        raise DataError(f"{path}: not an idx file (it begins with {content[:4].hex(' ') or 'nothing'})")
    element_type, num_axes = content[2], content[3]
    if element_type != IDX_UINT8:
        raise DataError(f"{path}: an idx file of element type 0x{element_type:02x}, wanted bytes (0x08)")
    start = 4 + 4 * num_axes
    shape = tuple(np.frombuffer(content[4:start].ljust(4 * num_axes, b"\0"), dtype=">u4").astype(int))
    if len(content) - start != int(np.prod(shape)):
        raise DataError(f"{path}: {max(0, len(content) - start)} bytes for the shape {tuple(map(int, shape))}: damaged")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def read_bundled_digits(*, side_px: int = SIDE_PX) -> DigitImages:
    """Return the 1,797 digits of 8x8 pixels that come with scikit-learn, enlarged: nothing to download.

    Args:
        side_px: Side of the square that each digit is put into.

    Raises:
        DataError: If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError:
        raise DataError(
            "scikit-learn, which brings the digits, is not installed", hint="pip install 'mudra[digits]', or read_mnist"
        ) from None
    bundled = load_digits()
    levels = (bundled.images * (255 / BUNDLED_LEVELS)).astype(np.float32)
    size = (BUNDLED_SIDE_PX, BUNDLED_SIDE_PX)
    large = np.stack([cv2.resize(image, size, interpolation=cv2.INTER_CUBIC) for image in levels])
    large[large < 255 / BUNDLED_LEVELS] = 0.0  # what the interpolation lets swing around the strokes is no ink
    images = frame_digits(large.round().clip(0, 255).astype(np.uint8), side_px=side_px)
    return DigitImages(images_NHW=images, labels_N=bundled.target.astype(np.int64))


def frame_digits(images_NHW: UInt8Array, *, side_px: int) -> UInt8Array:
    """Return each digit's ink centred in a square of `side_px`; what does not fit is made smaller.

    Example:
        >>> image = np.zeros((1, 28, 28), np.uint8)
        >>> image[0, 3:8, 20:26] = 255
        >>> framed = frame_digits(image, side_px=22)
        >>> framed.shape, int(framed[0, 8:13, 8:14].min()), int(framed.sum()) == int(image.sum())
        ((1, 22, 22), 255, True)
    """
    framed = np.zeros((len(images_NHW), side_px, side_px), np.uint8)
    for image, place in zip(images_NHW, framed, strict=True):
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        if not len(rows):
            continue
        ink = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        if max(ink.shape) > side_px:
            height, width = (max(1, round(length * side_px / max(ink.shape))) for length in ink.shape)
            ink = cv2.resize(ink, (width, height), interpolation=cv2.INTER_AREA)
        top, left = ((side_px - length) // 2 for length in ink.shape)
        place[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return framed
