"""Skeletons of J-HMDB as a data set: what people do, as lines between joints, at their own speed or a faster one.

Source: Agethen and Hsu 2019, section IV-B2 and table VII.
Differs: how many frames are seen and predicted is not in the text. Clips of J-HMDB have 15 to 40 frames, of which every
third are 13 at most: here 6 are seen and 6 predicted at both speeds, and clips too short for that are left out. Every
tenth training clip is for validation. A clip is drawn from a place of its recording that chance picks.

Only lists and joints are read: the pictures need not be there. All joints are read, and looked at, when the set is
opened; nothing is left to be found out in the middle of a training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field, PositiveInt

from mudra.datasets.dataset import SPLITS, Dataset
from mudra.datasets.drawn_clips import ClipDrawer, DrawnClips, DrawnConfig, Side
from mudra.datasets.jhmdb import FPS, find_joints, import_loadmat, keep_listed, list_clips, read_joints
from mudra.datasets.release import Listed, OnMissing
from mudra.datasets.skeleton_picture import centre_joints, draw_skeletons, refuse_undrawable
from mudra.errors import DataError
from mudra.types import FloatArray, Frames, Recording, Stream

VALIDATION_EVERY = 10
NUM_SHOWN = 10  # damaged files that a message names


class JhmdbSkeletonsConfig(DrawnConfig):
    """Skeletons of J-HMDB, centred on the belly; drawn, for future prediction."""

    kind: Literal["jhmdb_skeletons"] = "jhmdb_skeletons"

    root: Path | None = None
    """The folder that J-HMDB was unpacked into, joints and all; None must be filled in."""
    on_missing: OnMissing = "refuse"
    """What is done about listed recordings whose joints are not on this disk: `refuse` the set, or `skip` them."""
    on_damaged: Literal["refuse", "skip"] = "refuse"
    """What is done about joints that cannot be read or drawn: `refuse` the set, or `skip` them, which the run's card
    lists."""
    fold: Literal[1, 2, 3] = 1
    """Which of the three splits."""
    frame_step: PositiveInt = 1
    """Frames from one that is taken to the next: 1 for the paper's normal speed, 3 for its fast one."""
    num_frames: Annotated[int, Field(ge=2, le=1024)] = 12
    """Frames of a clip (T): those that are seen and those that are to be predicted."""
    size: tuple[Side, Side] = (56, 56)
    """Height and width of the pictures in pixels."""

    def build(self) -> Dataset:
        """Return the recordings, whole, as pictures that are drawn when they are read.

        Raises:
            DataError: If there is no `root` or no SciPy, lists cannot be read, joints are missing or damaged
                and are not to be skipped, or no recording of a split is long enough.
        """
        return self.build_drawer().build_dataset()

    def build_drawer(self) -> SkeletonClips:
        """Return what draws the clips.

        Raises:
            DataError: If there is no `root` or no SciPy, lists cannot be read, joints are missing or damaged
                and are not to be skipped, or no recording of a split is long enough.
        """
        return SkeletonClips(self)


class SkeletonClips(ClipDrawer):
    """Draws clips of skeletons, split by split; all joints are kept in memory.

    Args:
        config: The data set.

    Raises:
        DataError: If there is no `root` or no SciPy, lists cannot be read, joints are missing or damaged and
            are not to be skipped, or no recording of a split is long enough.
    """

    def __init__(self, config: JhmdbSkeletonsConfig) -> None:
        self.config = config
        if config.root is None:
            raise DataError("data.root is missing: the folder that J-HMDB was unpacked into", hint="data.root=FOLDER")
        lists = [_of_joints(listed) for listed in list_clips(config.root, fold=config.fold)]
        self.found = keep_listed(config.root, lists, on_missing=config.on_missing, what="joints")
        train = self.found.split("train")
        parts = {
            "train": tuple(recording for place, recording in enumerate(train) if place % VALIDATION_EVERY),
            "validation": tuple(replace(r, split="validation") for r in train[::VALIDATION_EVERY]),
            "test": self.found.split("test"),
        }
        self.joints, self.damaged = _read_all([r.path for part in parts.values() for r in part], config)
        # Frames that a clip reaches over.
        self.reach = 1 + (config.num_frames - 1) * config.frame_step
        self.recordings = {
            split: tuple(recording for recording in part if len(self.joints.get(recording.path, ())) >= self.reach)
            for split, part in parts.items()
        }
        self.num_short = len(self.joints) - sum(map(len, self.recordings.values()))
        for split, part in self.recordings.items():
            if not part and config.num_clips(split):
                raise DataError(
                    f"{config.root}: no recording of split {split!r} has the {self.reach} frames that "
                    f"{config.num_frames} frames take, one in {config.frame_step}",
                    hint="set a smaller data.num_frames, and model.num_frames_out with it",
                )

    def count(self, split: str) -> int:
        return self.config.num_clips(split)

    def draw(self, split: str, numbers: Sequence[int], *, with_flow: bool = False) -> DrawnClips:
        if with_flow:
            raise DataError("skeletons have no flow", hint="clip.streams=[rgb]")
        joints = [centre_joints(self._cut(split, number), size=self.config.size) for number in numbers]
        frames_BTHW = np.stack([draw_skeletons(joints_TJC, size=self.config.size) for joints_TJC in joints])
        clip_BTCHW = torch.from_numpy(frames_BTHW).to(torch.float32).div(255).unsqueeze(2)
        return DrawnClips(clip_BTCHW, torch.tensor([_speed(joints_TJC) for joints_TJC in joints]))

    def _cut(self, split: str, number: int) -> FloatArray:
        """Return the joints of one clip: tests take the recordings in turns, training takes any."""
        part = self.recordings[split]
        generator = np.random.default_rng([len(SPLITS) * self.config.seed + SPLITS.index(split), number])
        place = int(generator.integers(len(part))) if split == "train" else number % len(part)
        joints_TJC = self.joints[part[place].path]
        start = int(generator.integers(len(joints_TJC) - self.reach + 1))
        return joints_TJC[start : start + self.reach : self.config.frame_step]

    def build_dataset(self) -> Dataset:
        """Return the recordings, whole, as a data set."""
        step, size = self.config.frame_step, self.config.size

        def draw(recording: Recording, stream: Stream) -> Frames:
            if stream is not Stream.RGB:
                raise DataError(f"skeletons have no {stream.value} stream", hint="they are grey pictures: use rgb")
            joints_TJC = centre_joints(self.joints[recording.path][::step], size=size)
            frames_THWC = np.repeat(draw_skeletons(joints_TJC, size=size)[..., None], 3, axis=3)
            return Frames(frames_THWC, np.arange(len(joints_TJC)) * step / FPS)

        card = self.found.card.model_copy(
            update={
                "name": "jhmdb_skeletons",
                "title": "J-HMDB, skeletons",
                "fps": FPS / step,
                "frame_size": size,
                "remarks": (
                    *self.found.card.remarks,
                    "Frames are lines between joints, the belly in the middle; every tenth training clip validates.",
                ),
            }
        )
        short = f"{self.num_short} recordings have fewer than {self.reach} frames and are left out"
        left_out = (*self.found.left_out, *self.damaged, *([short] if self.num_short else []))
        return Dataset(card=card, recordings=self.recordings, source=draw, notes=left_out, left_out=left_out)


def _of_joints(listed: Listed) -> Listed:
    """Return the same recordings, their paths those of their joints."""
    return listed._replace(recordings=tuple(replace(r, path=find_joints(r.path)) for r in listed.recordings))


def _read_all(paths: Sequence[Path], config: JhmdbSkeletonsConfig) -> tuple[dict[Path, FloatArray], tuple[str, ...]]:
    """Return the joints of all files that can be drawn, and why the others cannot, one sentence each.

    Raises:
        DataError: If SciPy is not installed, or there are others and `on_damaged` is `refuse`, or no file is good.
    """
    import_loadmat()  # so that its absence is not taken for damage
    joints: dict[Path, FloatArray] = {}
    damaged: list[str] = []
    for path in paths:
        try:
            joints[path] = read_joints(path)
            refuse_undrawable(joints[path], where=str(path))
        except DataError as error:
            joints.pop(path, None)
            damaged.append(error.message)
    if damaged and (config.on_damaged == "refuse" or not joints):
        shown = "\n  ".join(damaged[:NUM_SHOWN]) + (f"\n  ... ({len(damaged)} in all)" if damaged[NUM_SHOWN:] else "")
        raise DataError(
            f"{config.root}: {len(damaged)} of {len(paths)} files of joints are damaged:\n  {shown}",
            hint="unpack them again" + (", or go on without them: data.on_damaged=skip" if joints else ""),
        )
    return joints, tuple(damaged)


def _speed(joints_TJC: FloatArray) -> float:
    """Return how fast the fastest joint moves on average, in pixels per frame of the clip."""
    return float(np.linalg.norm(np.diff(joints_TJC, axis=0), axis=2).mean(axis=0).max())
