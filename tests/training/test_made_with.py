"""What made a run is said, in a checkout and outside of one."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mudra.training.made_with import versions


def test_versions_say_what_made_it() -> None:
    found = versions()
    assert found["torch"] == torch.__version__
    assert {"mudra", "python", "machine", "device", "date", "commit"} <= found.keys()


def test_versions_do_without_a_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError

    monkeypatch.setattr("subprocess.run", fail)
    assert versions()["commit"] == ""
