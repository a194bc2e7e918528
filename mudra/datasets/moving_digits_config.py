"""Moving digits as a data set: which pictures of digits move, how fast, and how many clips there are of them.

Source: Agethen and Hsu 2019, sections III-B1 and IV-C2: one digit of 22x22 pixels in 64x64, or two, 20 frames.
Differs: how many pictures are for training is not in the text. MNIST's 10,000 test digits are drawn once into 8,000 for
training and 2,000 for the test, whatever the seed; no test clip shows a picture that was trained on. Validation clips
show training digits on ways of their own.

For networks that label clips, a clip's class is its first digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, NonNegativeFloat

from mudra.datasets.card import DatasetCard
from mudra.datasets.dataset import SPLITS, Dataset
from mudra.datasets.digit_images import DigitSplit, read_bundled_digits, read_mnist
from mudra.datasets.drawn_clips import ClipDrawer, DrawnClips, DrawnConfig
from mudra.datasets.moving_digits import MovingDigits
from mudra.errors import DataError
from mudra.types import Frames, Recording, Stream

SpeedRange = tuple[NonNegativeFloat, NonNegativeFloat]
DigitSource = Literal["mnist", "sklearn"]
DigitSplitting = Literal["drawn", "official"]

FPS = 10.0  # nominal: speeds are in pixels per frame
# idx files of MNIST as they are handed out, packed or not.
TRAIN_NAMES = ("train-images-idx3-ubyte.gz", "train-images-idx3-ubyte")
TEST_NAMES = ("t10k-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte")


class MovingDigitsConfig(DrawnConfig):
    """Handwritten digits that drift over a black picture and bounce off its borders; drawn, for future prediction."""

    kind: Literal["moving_digits"] = "moving_digits"

    source: DigitSource = "mnist"
    """Whose digits: `mnist`, from files in `root`, or `sklearn`, the 1,797 that scikit-learn brings."""
    root: Path | None = None
    """For `mnist`: the folder that holds the idx files, as t10k-images-idx3-ubyte.gz with its labels."""
    digit_split: DigitSplitting = "drawn"
    """Which pictures train and which test: `drawn` takes four fifths of MNIST's test file, or of scikit-learn's digits,
    for training; `official` takes MNIST's training file, all 60,000, and tests on the whole test file."""
    speeds_px: Annotated[tuple[SpeedRange, ...], Field(min_length=1)] = ((3.0, 5.0),)
    """The least and the greatest speed in pixels per frame of each digit: as many ranges as digits in a clip."""

    def build(self) -> Dataset:
        """Return the data set; its clips are drawn when they are read.

        Raises:
            DataError: If the digits cannot be read.
            ConfigError: If a range of speeds is none, or the digits do not fit into the picture.
        """
        return build_moving_digits(self)

    def build_drawer(self) -> MovingDigitClips:
        """Return what draws the clips.

        Raises:
            DataError: If the digits cannot be read.
            ConfigError: If a range of speeds is none, or the digits do not fit into the picture.
        """
        return MovingDigitClips(self)


class MovingDigitClips(ClipDrawer):
    """Draws the clips of moving digits, split by split.

    Args:
        config: The data set.

    Example:
        >>> drawer = MovingDigitClips(MovingDigitsConfig(source="sklearn"))
        >>> drawer.draw("test", range(3)).clip_BTCHW.shape
        torch.Size([3, 20, 1, 64, 64])
    """

    def __init__(self, config: MovingDigitsConfig) -> None:
        self.config = config
        train, test = read_digits(config.source, config.root, config.digit_split)
        self.generators = {
            split: MovingDigits(
                test if split == "test" else train,
                speeds_px=config.speeds_px,
                num_frames=config.num_frames,
                size=config.size,
                seed=len(SPLITS) * config.seed + place,  # splits that share digits must not share clips
            )
            for place, split in enumerate(SPLITS)
        }

    def count(self, split: str) -> int:
        return self.config.num_clips(split)

    def draw(self, split: str, numbers: Sequence[int], *, with_flow: bool = False) -> DrawnClips:
        clips = self.generators[split].draw(numbers)
        return DrawnClips(
            clips.to_tensor(with_flow=with_flow), torch.from_numpy(clips.speed_BN.max(axis=1)).to(torch.float32)
        )


@cache
def read_digits(source: DigitSource, root: Path | None, splitting: DigitSplitting) -> DigitSplit:
    """Return the pictures for training and for the test, which have none in common.

    Raises:
        DataError: If there is no `root` for MNIST, a file is missing, or scikit-learn's digits are to be split
            officially.
    """
    if source == "sklearn":
        if splitting == "official":
            raise DataError("scikit-learn's digits have no official split", hint="leave data.digit_split out")
        return read_bundled_digits().split()
    if root is None:
        raise DataError(
            "data.root is missing: the folder with MNIST's idx files",
            hint="data.root=FOLDER, or data.source=sklearn for the digits that scikit-learn brings",
        )
    test = read_mnist(_first_file(root, TEST_NAMES))
    return test.split() if splitting == "drawn" else DigitSplit(read_mnist(_first_file(root, TRAIN_NAMES)), test)


def _first_file(root: Path, names: Sequence[str]) -> Path:
    # Where none is there, the first one's absence is what the reader tells of.
    return next((root / name for name in names if (root / name).is_file()), root / names[0])


def build_moving_digits(config: MovingDigitsConfig) -> Dataset:
    """Return the clips of `config` as recordings, drawn one by one as they are read.

    The training split lists the clips of the first epoch.

    Example:
        >>> dataset = build_moving_digits(MovingDigitsConfig(source="sklearn", clips_train=5))
        >>> len(dataset.split("train")), len(dataset.card.classes)
        (5, 10)
    """
    drawer = MovingDigitClips(config)
    recordings: dict[str, tuple[Recording, ...]] = {}
    numbers: dict[Path, int] = {}
    for split in SPLITS:
        count = config.num_clips(split)
        labels = drawer.generators[split].labels(range(count))[:, 0].tolist() if count else []
        found = []
        for number, label in enumerate(labels):
            path = Path("moving_digits", str(config.seed), split, f"{number:06d}-{label}")
            numbers[path] = number
            found.append(Recording(path=path, label=label, split=split))
        recordings[split] = tuple(found)

    def draw(recording: Recording, stream: Stream) -> Frames:
        if stream is not Stream.RGB:
            raise DataError(f"moving digits have no {stream.value} stream", hint="they are grey pictures: use rgb")
        clips = drawer.generators[recording.split].draw([numbers[recording.path]])
        frames_THWC: npt.NDArray[np.uint8] = np.repeat(clips.frames_BTHW[0, ..., None], 3, axis=3)
        return Frames(frames_THWC, np.arange(config.num_frames) / FPS)

    return Dataset(card=card_of(config), recordings=recordings, source=draw)


def card_of(config: MovingDigitsConfig) -> DatasetCard:
    """Return the card of the drawn set."""
    return DatasetCard(
        name="moving_digits",
        title="Moving digits",
        classes=tuple(map(str, range(10))),
        streams=(Stream.RGB,),
        fps=FPS,
        frame_size=config.size,
        licence="the digits': CC BY-SA 3.0 (MNIST), CC BY 4.0 (scikit-learn's, from UCI)",
        citation="Srivastava, Mansimov and Salakhutdinov: Unsupervised Learning of Video Representations using LSTMs. "
        "ICML 2015",
        metric="cross_entropy",
        counts={split: config.num_clips(split) for split in SPLITS},
        remarks=(
            "Clips are drawn; training has new ones in every epoch.",
            "No test clip shows a picture of a digit that was trained on; validation clips do.",
            "The class is the first digit's; the rate of 10 frames per second is nominal.",
        ),
    )
