"""A picture of a data set: the middle frame of a few recordings of each class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mudra.datasets.dataset import SPLIT_SPELLINGS, Dataset
from mudra.errors import DataError, MudraError
from mudra.types import FloatArray, Recording, Stream, UInt8Array
from mudra.video import open_recording

CELL_INCHES = 1.4
DOTS_PER_INCH = 100


def draw_examples(
    dataset: Dataset, out: Path | str, *, split: str = "train", num_per_class: int = 3, max_classes: int = 40
) -> Path:
    """Write a picture with one row per class.

    Args:
        out: The file; its suffix says the format.
        split: Where the examples come from.
        num_per_class: Examples of each class, spread evenly over its recordings; fewer where it has fewer.
        max_classes: Classes after these are not drawn.

    Returns:
        `out`.

    Raises:
        DataError: If the split is empty, or a number is below 1.
    """
    if min(num_per_class, max_classes) < 1:
        raise DataError(f"{num_per_class} examples of {max_classes} classes: wanted at least one of each")
    dataset.split(split)
    # Of an uncut stream, its segments are shown.
    recordings = dataset.cut_segments().recordings[SPLIT_SPELLINGS[split.lower()]]
    classes = dataset.card.classes[:max_classes]
    size = ((num_per_class + 1) * CELL_INCHES, len(classes) * CELL_INCHES)
    figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout="constrained")
    grid = figure.subplots(len(classes), num_per_class, squeeze=False)
    for label, (name, row) in enumerate(zip(classes, grid, strict=True)):
        row[0].set_ylabel(name, rotation="horizontal", horizontalalignment="right", verticalalignment="center")
        shown = pick_evenly([recording for recording in recordings if recording.label == label], num_per_class)
        for column, axes in enumerate(row):
            _draw_cell(axes, dataset, shown[column] if column < len(shown) else None)
    out = Path(out)
    figure.savefig(out)
    return out


def pick_evenly(recordings: list[Recording], count: int) -> list[Recording]:
    """Return up to `count` recordings spread over the list, the first among them."""
    return [recordings[i * len(recordings) // count] for i in range(count)] if len(recordings) > count else recordings


def _draw_cell(axes: Axes, dataset: Dataset, recording: Recording | None) -> None:
    axes.set(xticks=[], yticks=[])
    axes.set_frame_on(False)
    if recording is None:
        return
    try:
        axes.imshow(middle_picture(dataset, recording))
    except MudraError:
        # One bad file must not hide the others; `check_recordings` says what is wrong with it.
        axes.text(0.5, 0.5, "unreadable", horizontalalignment="center", transform=axes.transAxes)


def middle_picture(dataset: Dataset, recording: Recording) -> UInt8Array:
    """Return the frame in the middle of a recording's span as RGB, shape (H, W, 3); near depth is bright.

    Raises:
        VideoError: If the recording cannot be read.
    """
    stream = dataset.card.streams[0]
    if dataset.source is not None:
        frames = dataset.source(recording, stream)
        frame_HWC = frames.frames_THWC[len(frames) // 2]
    else:
        with open_recording(recording, stream) as reader:
            times_s = reader.times_s
            start_s, end_s = recording.start_s or 0.0, recording.end_s
            middle_s = (start_s + (float(times_s[-1]) if end_s is None else end_s)) / 2
            frame_HWC = reader.read([int(np.abs(times_s - middle_s).argmin())]).frames_THWC[0]
    return frame_HWC.astype(np.uint8) if stream is Stream.RGB else _shade(frame_HWC[..., 0].astype(np.float64))


def _shade(depth_HW: FloatArray) -> UInt8Array:
    """Turn millimetres into grey: the nearest bright, the farthest dark, nothing measured black."""
    seen = depth_HW > 0
    near, far = np.percentile(depth_HW[seen], [1, 99]) if seen.any() else (0.0, 1.0)
    grey_HW = 255 - 205 * np.clip((depth_HW - near) / max(far - near, 1.0), 0, 1)
    return np.repeat(np.where(seen, grey_HW, 0).astype(np.uint8)[..., None], 3, axis=2)
