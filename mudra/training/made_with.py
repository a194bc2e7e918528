"""What a run was made with: what its card says of versions, machine, date and commit."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch


def versions() -> dict[str, Any]:
    """Return what a run was made with: versions, machine, date and, in a checkout, the commit."""
    return {
        "mudra": importlib.metadata.version("mudra"),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
        "device": torch.cuda.get_device_name(0) if torch.cuda.is_available() else "cpu",
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
    }


def _commit() -> str:
    """Return the checkout's commit, marked when files differ from it; nothing for an installed package."""
    package = Path(__file__).resolve().parents[1]
    try:
        if Path(_git(package, "rev-parse", "--show-toplevel")) != package.parent:
            return ""  # installed inside another project's checkout, whose commit says nothing of this one
        return _git(package, "rev-parse", "--short", "HEAD") + ("-dirty" if _git(package, "status", "--short") else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
