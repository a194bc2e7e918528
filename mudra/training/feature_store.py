"""Cached maps on disk: a file for each recording, which is whole or not there, with a checksum for every tensor."""

from __future__ import annotations

import hashlib
import os
import zlib
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mudra.datasets import Dataset, fingerprint
from mudra.errors import DataError
from mudra.training.feature_manifest import Numbers
from mudra.types import Recording

FOLDER_NAME = "maps"
TEST_VIEW = "test"
DTYPES: dict[Numbers, torch.dtype] = {"float32": torch.float32, "float16": torch.float16}


class Features(NamedTuple):
    """Maps of one view of a recording.

    Args:
        maps_TCHW: What comes to the part of the network that learns.
        mirrored: Whether left and right were exchanged in the clip.
    """

    maps_TCHW: Tensor
    mirrored: bool = False


class FeatureStore:
    """Keeps the maps of recordings, a test view of each and drawn ones.

    A recording is known by its place below the data set's root, its span and the number and size of its files, so that
    data and maps can be moved; one that was recorded anew has no maps. Drawn recordings, which are no files, are known
    by what they are drawn from.

    Args:
        folder: Where the maps lie.
        dataset: The data set.
        drawn_key: What drawn recordings depend on; empty for files.
        command: What computes maps that are missing or damaged, for messages.
    """

    def __init__(self, folder: Path, dataset: Dataset, *, drawn_key: str = "", command: str = "") -> None:
        self.folder = folder
        self.command = command or f"mudra data features RECIPE key=value --out {folder}"
        self.root = dataset.root
        self.drawn_key = drawn_key
        self._names: dict[Recording, str] = {}

    def name_of(self, recording: Recording) -> str:
        """Return the name under which a recording's maps are kept; its files are looked at once."""
        if recording not in self._names:
            self._names[recording] = self._digest(recording)
        return self._names[recording]

    def _digest(self, recording: Recording) -> str:
        span_s = (recording.start_s, recording.end_s)
        about: list[object] = [recording.stream, span_s, recording.fps, recording.depth, recording.box]
        for path in (recording.path, recording.depth_path):
            if path is not None:
                # Without the time of the last change, which is lost when data are copied.
                about += [self._place(path), *fingerprint(path)[:2]]
        text = "\n".join(map(str, [*about, self.drawn_key]))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def path_of(self, recording: Recording) -> Path:
        """Return the file of a recording's maps, whether it is there or not."""
        name = self.name_of(recording)
        return self.folder / FOLDER_NAME / name[:2] / f"{name}.safetensors"

    def write(self, recording: Recording, test: Features, views: list[Features], *, numbers: Numbers) -> None:
        """Keep a recording's maps.

        Raises:
            DataError: If a number is too large for `numbers`, or the file cannot be written.
        """
        tensors, about = {}, {"recording": recording.key}
        for name, features in [(TEST_VIEW, test), *((f"view{k}", view) for k, view in enumerate(views))]:
            maps_TCHW = features.maps_TCHW.to(DTYPES[numbers]).contiguous()
            if not torch.isfinite(maps_TCHW).all():
                raise DataError(
                    f"{recording.key}: its maps hold numbers beyond {numbers}",
                    hint="keep them as float32: --numbers float32"
                    if numbers == "float16"
                    else "look at the weights of the backbone",
                )
            tensors[name] = maps_TCHW
            about |= {f"{name} checksum": _checksum(maps_TCHW), f"{name} mirrored": str(int(features.mirrored))}
        path = self.path_of(recording)
        draft = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            save_file(tensors, draft, metadata=about)
            draft.replace(path)
        except (OSError, SafetensorError) as error:
            hint = f"is there room in {self.folder}? What is written stays, and the same command goes on"
            raise DataError(f"{path}: cannot be written ({error})", hint=hint) from None
        finally:
            draft.unlink(missing_ok=True)

    def read(self, recording: Recording, view: int | None = None) -> Features:
        """Return the maps of one view, float32.

        Args:
            recording: The recording.
            view: Which drawn view; None for the test view.

        Raises:
            DataError: If they are missing or damaged.
        """
        path, name = self.path_of(recording), TEST_VIEW if view is None else f"view{view}"
        try:
            with safe_open(path, framework="pt") as file:
                maps_TCHW, about = file.get_tensor(name), file.metadata()
            if about[f"{name} checksum"] != _checksum(maps_TCHW):
                raise ValueError("its checksum is another one")
            return Features(maps_TCHW.float(), about[f"{name} mirrored"] == "1")
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{recording.key}: its features cannot be read: {path}: {error}",
                hint=f"compute them again: {self.command}",
            ) from None

    def find_fault(self, recording: Recording, *, num_views: int = 0, is_quick: bool = False) -> str | None:
        """Return why a recording's maps are of no use, or None.

        Args:
            recording: The recording.
            num_views: Drawn views that are wanted.
            is_quick: Whether to look at the file's head alone, which a file that was cut off fails too.
        """
        path = self.path_of(recording)
        if not path.exists():
            return "missing"
        views: list[int | None] = [None, *range(num_views)]
        try:
            with safe_open(path, framework="pt") as file:
                names = set(file.keys())
        except (SafetensorError, OSError) as error:
            return f"damaged ({error})"
        if any((TEST_VIEW if view is None else f"view{view}") not in names for view in views):
            return "incomplete"
        if not is_quick:
            try:
                for view in views:
                    self.read(recording, view)
            except DataError as error:
                return f"damaged ({error.message})"
        return None

    def _place(self, path: Path) -> str:
        """Return where a file lies, below the data set's root if it does."""
        if self.root is not None and path.is_relative_to(self.root):
            return path.relative_to(self.root).as_posix()
        return str(path.resolve())


def _checksum(maps_TCHW: Tensor) -> str:
    return f"{zlib.crc32(maps_TCHW.numpy().data):08x}"
