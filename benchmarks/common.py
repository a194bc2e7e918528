"""What the benchmarks share: where results go, what a row says of the machine, and where the real recordings lie."""

from __future__ import annotations

import datetime
import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import mudra

REPOSITORY = Path(__file__).parent.parent
RESULTS = REPOSITORY / "benchmarks" / "results"


def find_shared_data() -> Path | None:
    """Return the folder of real recordings; None, with a message, where there is none."""
    root = Path(os.environ.get("MUDRA_SHARED", REPOSITORY.parent / "shared" / "data"))
    if root.is_dir():
        return root
    print(f"no real recordings at {root}; set MUDRA_SHARED to the folder that holds them", file=sys.stderr)
    return None


def shared_data() -> Path:
    """Return the folder of real recordings, or end the program with a message."""
    return find_shared_data() or sys.exit(2)


def append_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add rows to a results file, one line of JSON each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a results file; none if there is no file yet."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def circumstances(command: str, **versions: str) -> dict[str, Any]:
    """Return what every row says: the command, the machine, the date and the versions."""
    return {
        "command": command,
        "date": datetime.date.today().isoformat(),
        "machine": platform.machine(),
        "cpu": cpu_name(),
        "num_cpus": os.cpu_count(),
        "versions": {"mudra": mudra.__version__, "python": platform.python_version(), **versions},
    }


def cpu_name() -> str:
    """Return the processor's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()
