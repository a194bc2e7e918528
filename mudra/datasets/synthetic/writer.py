"""The synthetic data set as files: videos of colour and depth, and tables of what they show.

    OUT/clips.csv               path,label,split,subject,start_s,end_s,depth_path
    OUT/config.yaml             what drew it: the same config writes the same pictures again
    OUT/<split>/*.mp4, *.mkv    isolated clips: colour, depth
    OUT/streams/segments.csv    the gestures of the long streams, same columns
    OUT/streams/*.mp4, *.mkv    long streams: colour, depth

Paths in a table are relative to its folder. Flow and mask are not written: they are drawn when asked for.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from mudra.datasets.synthetic.config import SPLITS, SYNTHETIC_CLASSES, Split, SyntheticConfig
from mudra.datasets.synthetic.generator import SyntheticClip, draw_clip, draw_stream, iter_items
from mudra.datasets.synthetic.motion import Span
from mudra.datasets.synthetic.subject import subject_of
from mudra.errors import DataError
from mudra.types import Frames, Stream
from mudra.video import write_depth, write_video

COLUMNS = ("path", "label", "split", "subject", "start_s", "end_s", "depth_path")
Progress = Callable[[int, int], None]
Row = dict[str, str]
Item = TypeVar("Item")


class _Counter:
    """Tells `progress` of every item that passes."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def each(self, items: Iterator[Item]) -> Iterator[Item]:
        for item in items:
            self._done += 1
            if self._progress is not None:
                self._progress(self._done, self._total)
            yield item


def write_synthetic(out: Path, config: SyntheticConfig, *, progress: Progress | None = None) -> Path:
    """Draw the data set and write it as video files.

    Args:
        out: A folder that is empty or does not exist yet.
        config: What to draw; `rgb` must be among its streams, `depth` is written where it is.
        progress: Called after every clip and stream with how many are done, and how many there are.

    Returns:
        The table of clips, `out/clips.csv`.

    Raises:
        DataError: If `out` holds something already, or colour is not among the streams.
    """
    if Stream.RGB not in config.streams:
        raise DataError(
            f"streams are {', '.join(config.streams)}; video files need colour", hint="add rgb to the streams"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out}: holds something already", hint="name a folder that is empty or does not exist")
    # Flow is not written, so it need not be drawn.
    written = tuple(stream for stream in config.streams if stream is not Stream.FLOW)
    to_draw = config.model_copy(update={"streams": written})
    count = _Counter(sum(config.num_clips(split) + config.long_streams for split in SPLITS), progress)
    clip_rows = [row for split in SPLITS for row in count.each(_write_clips(out, to_draw, split))]
    segment_rows = [rows for split in SPLITS for rows in count.each(_write_streams(out / "streams", to_draw, split))]
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.yaml").write_text(config.to_yaml(), encoding="utf-8")
    if config.long_streams:
        _write_table(out / "streams" / "segments.csv", list(chain.from_iterable(segment_rows)))
    return _write_table(out / "clips.csv", clip_rows)


def segments_of(label_T: npt.NDArray[np.int64], times_s: npt.NDArray[np.float64], *, fps: float) -> list[Span]:
    """Return the stretches of frames of one class each, in their order.

    Example:
        >>> segments_of(np.array([-1, 4, 4, -1]), np.arange(4) / 10, fps=10.0)
        [Span(start_s=0.1, end_s=0.3, label=4)]
    """
    edges = np.flatnonzero(np.diff(label_T)) + 1
    return [
        Span(round(float(times_s[first]), 6), round(float(times_s[last - 1]) + 1 / fps, 6), int(label_T[first]))
        for first, last in zip([0, *edges], [*edges, len(label_T)], strict=True)
        if label_T[first] >= 0
    ]


def _write_clips(out: Path, config: SyntheticConfig, split: Split) -> Iterator[Row]:
    for index, item in enumerate(iter_items(config, split)):
        clip = draw_clip(label=item.label, subject=item.subject, seed=item.seed, config=config)
        name = SYNTHETIC_CLASSES[item.label]
        files = _write_files(out, f"{split}/{index:05d}-{name}", clip, config)
        yield {**files, "label": name, "split": split, "subject": item.subject.name}


def _write_streams(out: Path, config: SyntheticConfig, split: Split) -> Iterator[list[Row]]:
    for index in range(config.long_streams):
        subject = subject_of(split, index % config.num_subjects(split), config.seed)
        # The generator mixes the subject's seed in, which differs between splits.
        clip = draw_stream(subject=subject, seed=config.seed + index, duration_s=config.long_stream_s, config=config)
        files = _write_files(out, f"{split}-{index:03d}", clip, config)
        shared = {**files, "split": split, "subject": subject.name}
        yield [
            {
                **shared,
                "label": SYNTHETIC_CLASSES[span.label],
                "start_s": f"{span.start_s:.4f}",
                "end_s": f"{span.end_s:.4f}",
            }
            for span in segments_of(clip.label_T, clip.times_s, fps=config.fps)
        ]


def _write_files(folder: Path, stem: str, clip: SyntheticClip, config: SyntheticConfig) -> Row:
    """Write what was drawn and return the columns that name the files."""
    path = folder / f"{stem}.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    assert clip.rgb_THWC is not None
    write_video(path, Frames(clip.rgb_THWC, clip.times_s))
    if Stream.DEPTH not in config.streams:
        return {"path": f"{stem}.mp4"}
    write_depth(folder / f"{stem}-depth.mkv", Frames(clip.depth_THW[..., None], clip.times_s))
    return {"path": f"{stem}.mp4", "depth_path": f"{stem}-depth.mkv"}


def _write_table(path: Path, rows: list[Row]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS, restval="")
        table.writeheader()
        table.writerows(rows)
    return path
