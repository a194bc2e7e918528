"""Which files are videos or pictures, and in which order people expect them."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path

from mudra.errors import VideoError

VIDEO_SUFFIXES = frozenset(
    {".avi", ".mp4", ".m4v", ".mkv", ".webm", ".mov", ".mpg", ".mpeg", ".mts", ".ts", ".wmv", ".flv", ".3gp", ".ogv"}
    | {".mjpeg", ".mjpg"}
)
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".pgm", ".ppm"})
GLOB_SIGNS = frozenset("*?[")


def natural_key(path: Path | str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key in which numbers count as numbers.

    Example:
        >>> sorted(["10.jpg", "9.jpg", "b.jpg"], key=natural_key)
        ['9.jpg', '10.jpg', 'b.jpg']
    """
    words = re.split(r"(\d+)", str(path).lower())
    return tuple((0, int(word), word) if word.isdecimal() else (1, 0, word) for word in words if word)


def list_videos(path: Path | str) -> list[Path]:
    """Return every video file below a folder, those that a pattern matches, or the file itself, naturally sorted.

    Args:
        path: A folder, a pattern such as `clips/**/*.avi`, or one file, which is returned whatever its name.

    Raises:
        VideoError: If `path` is neither there nor a pattern.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    if path.is_dir():
        found = [Path(folder) / name for folder, _, names in os.walk(path) for name in names]
    elif GLOB_SIGNS & set(str(path)):
        found = [Path(name) for name in glob.glob(str(path), recursive=True)]
    else:
        raise VideoError(
            path, "no such file or folder", hint="give a file, a folder or a pattern such as 'clips/*.mp4'"
        )
    return sorted((file for file in found if is_video(file)), key=natural_key)


def list_frame_folders(path: Path | str) -> list[Path]:
    """Return every folder from `path` downwards that itself holds pictures, naturally sorted."""
    folders = [Path(folder) for folder, _, names in os.walk(path) if any(is_image(Path(name)) for name in names)]
    return sorted(folders, key=natural_key)


def list_recordings(path: Path | str) -> list[Path]:
    """Return what `list_videos` and `list_frame_folders` find; pictures beside videos are thumbnails, not a recording.

    Args:
        path: A folder, a pattern, or one file.

    Raises:
        VideoError: If `path` is neither there nor a pattern.
    """
    videos = list_videos(path)
    beside = {video.parent for video in videos}
    return [*videos, *(folder for folder in list_frame_folders(path) if folder not in beside)]


def list_images(folder: Path | str) -> list[Path]:
    """Return the pictures in `folder` (not below it), naturally sorted.

    Raises:
        VideoError: If it is missing, a file, or holds no picture.
    """
    folder = Path(folder)
    if not folder.is_dir():
        reason = "is a file, not a folder of pictures" if folder.exists() else "no such folder"
        raise VideoError(folder, reason, hint="open_video reads a video file" if folder.exists() else "")
    images = [entry for entry in folder.iterdir() if is_image(entry)]
    if not images:
        known = " ".join(sorted(IMAGE_SUFFIXES))
        raise VideoError(folder, "holds no pictures", hint=f"known kinds: {known}; folders below it are not searched")
    return sorted(images, key=lambda image: natural_key(image.name))


def is_video(path: Path) -> bool:
    """Whether the name is a video's. Hidden files are none: copying leaves `._clip.mp4` behind."""
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")


def is_image(path: Path) -> bool:
    """Whether the name is a picture's; hidden files are none."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
