"""Label files of the ChaLearn 2014 gesture challenge (Montalbano), and predictions in the same form.

    ground_truth/SampleNNNN_labels.csv       class,begin,end    one row per gesture; classes and frames count from 1
    ground_truth/SampleNNNN_data.csv         frames,frames per second,largest depth
    predictions/SampleNNNN_prediction.csv    class,begin,end

Source: Escalera et al. 2014, "ChaLearn Looking at People Challenge 2014". The released evaluator takes `end` for the
frame after the last one ("exclusive"); files whose `end` is the last frame itself are "inclusive".
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from mudra.datasets.dataset import shorten
from mudra.errors import DataError

NUM_CLASSES = 20

LABELS = "_labels.csv"
FACTS = "_data.csv"
PREDICTIONS = "_prediction.csv"

EndRule = Literal["exclusive", "inclusive"]


class LabelRow(NamedTuple):
    """One gesture of a file.

    Args:
        label: Index of the class, from 0 on.
        start_frame: Its first frame, from 0 on.
        end_frame: The frame after its last one.
    """

    label: int
    start_frame: int
    end_frame: int


class SampleFacts(NamedTuple):
    """What `_data.csv` says of a sample.

    Args:
        num_frames: Its length.
        fps: Its frames per second.
    """

    num_frames: int
    fps: float


class SampleFiles(NamedTuple):
    """The files of one sample.

    Args:
        name: For example `Sample0471`.
        labels: Its gestures.
        facts: Its length and rate.
        predictions: What was recognised; None where there is no such file.
    """

    name: str
    labels: Path
    facts: Path
    predictions: Path | None


class SamplePairs(NamedTuple):
    """Ground truth beside predictions.

    Args:
        samples: Every sample of the ground truth, by name.
        extra: Predictions without ground truth.
    """

    samples: tuple[SampleFiles, ...]
    extra: tuple[Path, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """The samples without predictions."""
        return tuple(one.name for one in self.samples if one.predictions is None)


def pair_samples(truth: Path, predictions: Path) -> SamplePairs:
    """Find each sample's files by name.

    Predictions are `*_prediction.csv`; in a folder without any, `*_labels.csv`, so that a folder of ground truth can
    stand for perfect predictions.

    Raises:
        DataError: If a folder is missing or holds no such files, or no name is in both.
    """
    true = _find(truth, LABELS)
    found = _find(predictions, PREDICTIONS, LABELS)
    samples = tuple(
        SampleFiles(name, path, path.with_name(name + FACTS), found.get(name)) for name, path in true.items()
    )
    pairs = SamplePairs(samples, tuple(path for name, path in found.items() if name not in true))
    if len(pairs.missing) == len(samples):
        raise DataError(
            f"none of {len(samples)} samples in {truth} ({shorten(true)}) has predictions in {predictions}, "
            f"which holds {shorten(path.name for path in found.values())}",
            hint=f"name them as the ground truth: {next(iter(true))}{PREDICTIONS}",
        )
    return pairs


def read_label_rows(path: Path, *, end: EndRule = "exclusive", num_classes: int = NUM_CLASSES) -> list[LabelRow]:
    """Read the gestures of one file, in its order; an empty file has none, and so has a row that spans no frame.

    Args:
        end: Whether the third number is the last frame ("inclusive") or the one after ("exclusive").
        num_classes: The largest class number.

    Raises:
        DataError: If the file cannot be read, a row is not three whole numbers, its class is not one of `num_classes`,
            or it begins before frame 1 or ends before it begins.
    """
    rows = []
    for where, cells in _read_cells(path):
        try:
            number, begin, last = map(int, cells)
        except ValueError:
            raise DataError(f"{where}: holds {','.join(cells)!r}, wanted class,begin,end in whole numbers") from None
        if not 1 <= number <= num_classes:
            raise DataError(f"{where}: class {number} is none of 1 to {num_classes}", hint="set the number of classes")
        row = LabelRow(number - 1, begin - 1, last - (end == "exclusive"))
        if not 0 <= row.start_frame <= row.end_frame:
            raise DataError(f"{where}: frames {begin} to {last} ({end} end) are no span; frames count from 1")
        if row.start_frame < row.end_frame:
            rows.append(row)
    return rows


def read_sample_facts(path: Path) -> SampleFacts:
    """Read a sample's length and rate.

    Raises:
        DataError: If the file cannot be read or does not begin with two numbers above 0.
    """
    lines = _read_cells(path)
    try:
        facts = SampleFacts(int(lines[0][1][0]), float(lines[0][1][1]))
    except (IndexError, ValueError):
        facts = SampleFacts(0, 0.0)
    if not (facts.num_frames > 0 and 0 < facts.fps < float("inf")):
        shown = repr(",".join(lines[0][1])) if lines else "nothing"
        raise DataError(f"{path}: holds {shown}, wanted frames,frames per second,largest depth")
    return facts


def read_largest_depth_mm(path: Path) -> float:
    """Read from a sample's `_data.csv` the depth that its brightest grey level stands for, in millimetres.

    Raises:
        DataError: If the file cannot be read or its third number is not above 0.
    """
    lines = _read_cells(path)
    try:
        largest_mm = float(lines[0][1][2])
    except (IndexError, ValueError):
        largest_mm = 0.0
    if not 0 < largest_mm < float("inf"):
        shown = repr(",".join(lines[0][1])) if lines else "nothing"
        raise DataError(f"{path}: holds {shown}, wanted frames,frames per second,largest depth")
    return largest_mm


def _find(folder: Path, *endings: str) -> dict[str, Path]:
    """Return the files with the first of `endings` that any file has, by the name of their sample."""
    for ending in endings:
        paths = sorted(folder.glob(f"*{ending}")) if folder.is_dir() else []
        if paths:
            return {path.name.removesuffix(ending): path for path in paths}
    what = "holds no such file" if folder.is_dir() else "is a file" if folder.exists() else "no such folder"
    patterns = " or ".join(str(folder / f"*{ending}") for ending in endings)
    raise DataError(f"{folder}: {what}; looked for {patterns}", hint="give the folder that holds the files themselves")


def _read_cells(path: Path) -> list[tuple[str, Sequence[str]]]:
    """Return each line that is not empty as its place and the words between commas."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    found = [(f"{path}, line {i}", [cell.strip() for cell in line.split(",")]) for i, line in enumerate(lines, start=1)]
    return [(where, cells) for where, cells in found if any(cells)]
