"""Windows kept from one epoch to the next: in memory, on disk, or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from mudra.clips import Window
from mudra.datasets import cache_folder, fingerprint
from mudra.types import Recording, Stream

CacheKind = Literal["none", "memory", "disk"]
# Raise when windows are made differently: older files on disk are then not believed.
WINDOW_VERSION = 3


class WindowCache:
    """Keeps windows.

    Args:
        kind: Where.
        window_key: What a window depends on besides its recording (`ClipSpec.window_key`).
        folder: Where the disk cache lies; None for the user's cache folder.
    """

    def __init__(self, kind: CacheKind, *, window_key: str, folder: Path | None = None) -> None:
        self.kind = kind
        self.window_key = window_key
        self.folder = folder or cache_folder() / "windows"
        self._memory: dict[str, Window] = {}

    @property
    def is_active(self) -> bool:
        """Whether windows are kept at all."""
        return self.kind != "none"

    def fetch(self, recording: Recording, make: Callable[[], Window]) -> Window:
        """Return a recording's window, made now if it is not kept yet."""
        if self.kind == "memory":
            if recording.key not in self._memory:
                self._memory[recording.key] = make()
            return self._memory[recording.key]
        if self.kind == "disk":
            return self._fetch_from_disk(recording, make)
        return make()

    def _fetch_from_disk(self, recording: Recording, make: Callable[[], Window]) -> Window:
        path = self.folder / f"{self._digest(recording)}.safetensors"
        if path.exists():
            try:
                return _read(path)
            except (SafetensorError, OSError):
                path.unlink(missing_ok=True)  # a half-written file of an interrupted run: made anew below
        window = make()
        self.folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        tensors = {stream.value: x.contiguous() for stream, x in window.streams.items()}
        save_file({**tensors, "times_s": torch.from_numpy(np.ascontiguousarray(window.times_s))}, part)
        part.replace(path)
        return window

    def _digest(self, recording: Recording) -> str:
        # A file that was recorded anew under the same name has another size or time.
        paths = [path for path in (recording.path, recording.depth_path) if path is not None]
        stamps = [f"{path.resolve()} {fingerprint(path)}" for path in paths]
        about: list[object] = [recording.key, recording.stream, recording.fps, recording.depth, recording.box]
        about += [self.window_key, WINDOW_VERSION]
        text = "\n".join(map(str, [*about, *stamps]))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _read(path: Path) -> Window:
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
    times_s = tensors.pop("times_s").numpy()
    return Window({Stream(name): x for name, x in tensors.items()}, times_s)
