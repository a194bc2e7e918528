"""Held memory: what a program lets go of stays its own, where the C library is glibc."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from mudra.training import memory

# Sizes above the largest that glibc would hold by itself. Told to hold, the program takes no new pages in later rounds.
PROGRAM = """
import resource, sys, torch
from mudra.training.memory import hold_memory
if sys.argv[1] == "hold":
    assert hold_memory()
def round_of_steps():
    return torch.ones(2**24).sum()
round_of_steps()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    round_of_steps()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def count_new_pages(word: str) -> int:
    told = subprocess.run([sys.executable, "-c", PROGRAM, word], check=True, capture_output=True, text=True)
    return int(told.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_later_steps_take_no_new_pages() -> None:
    assert count_new_pages("hold") * 4 < count_new_pages("give back")


def test_other_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not memory.hold_memory()
