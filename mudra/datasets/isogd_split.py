"""Validation clips out of IsoGD's training list, for who has but a part of the release.

The labels of IsoGD's own validation split are not in the release, and no list says who is in which recording.

`distance`: the recordings of the highest file numbers validate; a gap of numbers before them is left out, so that takes
filmed one after the other do not stand on both sides. It does not keep people apart: the release's numbers are
shuffled, and the same person in the same room turns up again anywhere.

`scene`: recordings whose pictures have the same colours around the person are one scene, and whole scenes validate.
That keeps nearly all takes of one person on one side, and the room as well. A recording that is like no other does
neither: it is more often a known scene in another light than a scene of its own. The first picture of each is decoded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from mudra.errors import DataError
from mudra.types import FloatArray, Recording, Stream, UInt8Array
from mudra.video import open_recording

PICTURE_SIZE = (240, 320)
BORDER_PX = 60  # left, right and top of the picture: people sit or stand in the middle
BINS = (8, 16, 16)  # lightness, and the two axes of colour; colour tells rooms apart better
# Similarity of two scenes' colours, 0 to 1, from which on they are taken for one. Chosen by eye on 100 recordings, and
# rather too low than too high: to take two rooms for one costs clips, to take one for two lets a person leak.
SAME_SCENE = 0.7


class DrawnSplit(NamedTuple):
    """What trains, what validates, and how many are in neither."""

    train: tuple[Recording, ...]
    validation: tuple[Recording, ...]
    num_left_out: int


def split_by_distance(recordings: Sequence[Recording], *, fraction: float, gap: int) -> DrawnSplit:
    """Return the recordings of the highest file numbers as validation.

    Args:
        fraction: Share of the recordings that validates.
        gap: File numbers between the two parts that belong to neither.

    Raises:
        DataError: If one part would be empty.
    """
    ordered = sorted(recordings, key=file_number)
    num_held = round(fraction * len(ordered))
    held = tuple(replace(recording, split="validation") for recording in ordered[len(ordered) - num_held :])
    last = file_number(held[0]) - gap if held else math.inf
    train = tuple(recording for recording in ordered if file_number(recording) < last)
    _refuse_empty(train, held, f"split_by=distance with fraction={fraction:g} and gap={gap}", len(ordered))
    return DrawnSplit(train, held, len(ordered) - len(train) - len(held))


def split_by_scene(recordings: Sequence[Recording], *, fraction: float) -> DrawnSplit:
    """Return whole scenes as validation: the larger ones first, as long as they fit into the share.

    Args:
        fraction: Largest share of the recordings that validates.

    Raises:
        DataError: If one part would be empty.
        VideoError: If a recording cannot be decoded.
    """
    how = f"split_by=scene with fraction={fraction:g}"
    if not recordings:
        _refuse_empty((), (), how, 0)
    scenes = group_scenes(np.stack([describe_scene(_read_first(recording)) for recording in recordings]))
    sizes = np.bincount(scenes)
    room = round(fraction * len(recordings))
    chosen = set()
    for scene in sorted(range(len(sizes)), key=lambda scene: (-sizes[scene], scene)):
        if 1 < sizes[scene] <= room:
            chosen.add(scene)
            room -= int(sizes[scene])
    pairs = [(recording, scene) for recording, scene in zip(recordings, scenes, strict=True) if sizes[scene] > 1]
    train = tuple(recording for recording, scene in pairs if scene not in chosen)
    held = tuple(replace(recording, split="validation") for recording, scene in pairs if scene in chosen)
    _refuse_empty(train, held, how, len(recordings))
    return DrawnSplit(train, held, len(recordings) - len(pairs))


def file_number(recording: Recording) -> int:
    """Return the number in the name of the colour file, such as 74 of `M_00074.avi`.

    Raises:
        DataError: If there is none.
    """
    digits = recording.path.stem.rpartition("_")[2]
    if not digits.isdecimal():
        raise DataError(f"{recording.path}: no number in the name; wanted M_<number>{recording.path.suffix}")
    return int(digits)


def describe_scene(frame_HWC: UInt8Array) -> FloatArray:
    """Return how much there is of each colour around the person: a vector of length 1.

    Args:
        frame_HWC: An RGB picture of any size.
    """
    frame = cv2.resize(frame_HWC, PICTURE_SIZE[::-1], interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(cv2.GaussianBlur(frame, (5, 5), 0), cv2.COLOR_RGB2LAB)
    border = np.ones(PICTURE_SIZE, bool)
    border[BORDER_PX:, BORDER_PX:-BORDER_PX] = False
    counts, _ = np.histogramdd(lab[border].astype(np.float64), bins=BINS, range=[(0, 256)] * 3)
    # The root of the shares: then the product of two vectors is Bhattacharyya's coefficient, 1 for the same colours.
    return np.asarray(np.sqrt(counts.ravel() / counts.sum()), dtype=np.float64)


def group_scenes(colours_NF: FloatArray, *, same_scene: float = SAME_SCENE) -> npt.NDArray[np.int64]:
    """Return the number of each recording's scene, from 0 in the order of the recordings, shape (N,).

    Two recordings are of one scene if they are alike, or both like a third one, and so on.

    Args:
        colours_NF: A row of `describe_scene` for each.
        same_scene: How alike is alike enough, 0 to 1.
    """
    is_alike_NN = colours_NF @ colours_NF.T >= same_scene
    scene_N = np.full(len(colours_NF), -1, np.int64)
    num_scenes = 0
    for start in range(len(colours_NF)):
        if scene_N[start] >= 0:
            continue
        reached = np.zeros(len(colours_NF), bool)
        reached[start] = True
        while (grown := is_alike_NN[reached].any(axis=0) | reached).sum() > reached.sum():
            reached = grown
        scene_N[reached] = num_scenes
        num_scenes += 1
    return scene_N


def _read_first(recording: Recording) -> UInt8Array:
    with open_recording(recording, Stream.RGB) as reader:
        return np.asarray(reader.read([0]).frames_THWC[0], dtype=np.uint8)


def _refuse_empty(train: Sequence[Recording], held: Sequence[Recording], how: str, num_recordings: int) -> None:
    if not train or not held:
        raise DataError(
            f"{how} leaves {len(train)} of {num_recordings} recordings to train on and {len(held)} to validate",
            hint="choose another fraction" + (" or a smaller gap" if "gap" in how else ""),
        )
