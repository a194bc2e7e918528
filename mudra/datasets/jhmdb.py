"""J-HMDB: 21 human actions with the joints of who does them, 928 short clips of HMDB (Jhuang et al. 2013).

    root/Rename_Images/catch/VIDEO/00001.png                        a folder per clip, a picture per frame
    root/splits/catch_test_split1.txt                               VIDEO.avi 1  (1: train, 2: test)
    root/joint_positions/catch/VIDEO/joint_positions.mat            15 joints in each frame

There are three splits; papers report the first or the mean of three.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mudra.datasets.base import ReleaseConfig
from mudra.datasets.card import DatasetCard
from mudra.datasets.dataset import Dataset, shorten
from mudra.datasets.release import Line, Listed, OnMissing, keep_present, read_lines
from mudra.errors import DataError
from mudra.types import FloatArray, Recording, Stream

FRAMES_FOLDER = "Rename_Images"
LISTS_FOLDER = "splits"
JOINTS_FOLDER = "joint_positions"
JOINTS_FILE = "joint_positions.mat"
SPLIT_NUMBERS = {"1": "train", "2": "test"}
FPS = 30.0  # Kuehne et al. 2011: all clips of HMDB were brought to it
CLASSES = (
    "brush_hair",
    "catch",
    "clap",
    "climb_stairs",
    "golf",
    "jump",
    "kick_ball",
    "pick",
    "pour",
    "pullup",
    "push",
    "run",
    "shoot_ball",
    "shoot_bow",
    "shoot_gun",
    "sit",
    "stand",
    "swing_baseball",
    "throw",
    "walk",
    "wave",
)
# In the order in which the files hold them. Left and right are the person's own.
JOINTS = (
    "neck",
    "belly",
    "face",
    "right shoulder",
    "left shoulder",
    "right hip",
    "left hip",
    "right elbow",
    "left elbow",
    "right knee",
    "left knee",
    "right wrist",
    "left wrist",
    "right ankle",
    "left ankle",
)

CARD = DatasetCard(
    name="jhmdb",
    title="J-HMDB: joint-annotated HMDB",
    classes=CLASSES,
    streams=(Stream.RGB,),
    fps=FPS,
    frame_size=(240, 320),
    licence="research use, under the makers' terms",
    url="http://jhmdb.is.tue.mpg.de",
    citation="Jhuang, Gall, Zuffi, Schmid, Black: Towards understanding action recognition. ICCV, 2013",
    metric="top1",
    # No class is another one's mirror image: a left-handed throw is a throw.
    mirror={name: name for name in CLASSES},
    # The lists do not say who is in which clip.
    subjects_disjoint=False,
    remarks=("928 clips of 15 to 40 frames, each cut to one action; three splits into train and test.",),
)


class JhmdbConfig(ReleaseConfig):
    """J-HMDB: human actions in colour with joints, 21 classes."""

    kind: Literal["jhmdb"] = "jhmdb"

    fold: Literal[1, 2, 3] = 1
    """Which of the three splits."""

    def build(self) -> Dataset:
        """Read the lists; the clips' folders must exist, but none is looked into."""
        return read_jhmdb(self.root, on_missing=self.on_missing, fold=self.fold)


def read_jhmdb(root: Path | str, *, on_missing: OnMissing = "refuse", fold: Literal[1, 2, 3] = 1) -> Dataset:
    """Read the clips below `root`; the arguments are those of `JhmdbConfig`.

    Raises:
        DataError: If a class's list is not found, a line is of another form, or clips are missing (see `keep_present`).
    """
    return keep_listed(Path(root), list_clips(root, fold=fold), on_missing=on_missing, what="clips")


def list_clips(root: Path | str, *, fold: Literal[1, 2, 3] = 1) -> list[Listed]:
    """Return the clips that the lists of a split name, there or not; their paths are those of their pictures.

    Raises:
        DataError: If a class's list is not found, or a line is of another form.
    """
    root = Path(root)
    folder = root / LISTS_FOLDER
    listings = {name: folder / f"{name}_test_split{fold}.txt" for name in CLASSES}
    gone = [listing for listing in listings.values() if not listing.is_file()]
    if gone:
        raise DataError(
            f"{folder}: {len(gone)} of {len(CLASSES)} lists of split {fold} are not there; looked for {shorten(gone)}",
            hint=f"where to get them: {CARD.url}",
        )
    form = "April_09_brush_hair_u_nm_np1_ba_goo_0.avi 1"
    found = [_read_line(line, name, root) for name, path in listings.items() for line in read_lines(path, form=form)]
    return [Listed(folder, split, _of_split(found, split)) for split in SPLIT_NUMBERS.values()]


def keep_listed(root: Path, lists: Sequence[Listed], *, on_missing: OnMissing, what: str) -> Dataset:
    """Return those of the listed recordings whose paths are there.

    Args:
        root: The folder that every path lies below.
        lists: What the lists name, as `list_clips` returns it; paths may have been replaced.
        on_missing: As in `JhmdbConfig`.
        what: What the paths are, for messages.

    Raises:
        DataError: If recordings are missing (see `keep_present`).
    """
    present = keep_present(lists, on_missing=on_missing, url=CARD.url)
    return Dataset(
        card=CARD,
        recordings=present.recordings,
        root=root,
        looked_for={listed.split: (f"{what} of the lists in {listed.listing}",) for listed in lists},
        notes=present.left_out,
        left_out=present.left_out,
    )


def is_jhmdb(root: Path) -> bool:
    """Say whether `root` holds J-HMDB's lists beside its pictures or joints."""
    has_lists = any((root / LISTS_FOLDER / f"{CLASSES[0]}_test_split{fold}.txt").is_file() for fold in (1, 2, 3))
    return has_lists and ((root / FRAMES_FOLDER).is_dir() or (root / JOINTS_FOLDER).is_dir())


def find_joints(frames: Path) -> Path:
    """Return where the joints of a clip lie.

    Args:
        frames: The clip's folder of pictures, as `Recording.path` has it.

    Example:
        >>> find_joints(Path("jhmdb/Rename_Images/catch/A_catch_1")).as_posix()
        'jhmdb/joint_positions/catch/A_catch_1/joint_positions.mat'
    """
    return frames.parents[2] / JOINTS_FOLDER / frames.parent.name / frames.name / JOINTS_FILE


def read_joints(path: Path | str) -> FloatArray:
    """Return the joints of a clip in pixels: x to the right and y down, the first pixel's centre at (0, 0).

    Differs: the file counts pixels from 1, as Matlab does. Joints may lie outside of the picture.

    Args:
        path: A `joint_positions.mat`, of which `pos_img` is read, shape (2, 15, T).

    Returns:
        Positions, shape (T, 15, 2), the joints in the order of `JOINTS`.

    Raises:
        DataError: If the file cannot be read or holds no such array, or SciPy is not installed.
    """
    loadmat = import_loadmat()
    try:
        position = loadmat(path).get("pos_img")
    # A damaged file makes SciPy raise whatever comes first: ValueError, TypeError, zlib's or its own.
    except Exception as error:
        raise DataError(f"{path}: cannot be read as joints ({error})") from None
    if position is None or position.ndim not in (2, 3) or position.shape[:2] != (2, len(JOINTS)):
        shape = "no pos_img" if position is None else f"pos_img of shape {position.shape}"
        raise DataError(f"{path}: holds {shape}; wanted (2, {len(JOINTS)}, T)")
    if position.dtype.kind not in "iuf":
        raise DataError(f"{path}: holds pos_img of type {position.dtype}; wanted numbers")
    # Matlab drops a last axis of length 1.
    position_xjt = position.reshape(2, len(JOINTS), -1)
    return np.ascontiguousarray(position_xjt.transpose(2, 1, 0).astype(np.float64)) - 1.0


def import_loadmat() -> Callable[..., Mapping[str, NDArray[np.generic]]]:
    """Return SciPy's reader of Matlab's files.

    Raises:
        DataError: If SciPy is not installed.
    """
    try:
        from scipy.io import loadmat
    except ModuleNotFoundError:
        raise DataError(
            "SciPy, which reads Matlab's files, is not installed", hint="pip install 'mudra[joints]'"
        ) from None
    reader: Callable[..., Mapping[str, NDArray[np.generic]]] = loadmat
    return reader


def _of_split(recordings: Sequence[Recording], split: str) -> tuple[Recording, ...]:
    return tuple(recording for recording in recordings if recording.split == split)


def _read_line(line: Line, name: str, root: Path) -> Recording:
    video, number = line.words
    if number not in SPLIT_NUMBERS:
        line.refuse(f"split is {number!r}; wanted 1 (train) or 2 (test)")
    folder = video.removesuffix(".avi")
    return Recording(
        path=root / FRAMES_FOLDER / name / folder,
        label=CLASSES.index(name),
        split=SPLIT_NUMBERS[number],
        fps=FPS,
    )
