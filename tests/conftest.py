"""Fixtures for all tests: where the real recordings lie, and how tiny ones are made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fixtures.video import VideoMaker, make_video

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings; the test is skipped where there is none."""
    folder = Path(os.environ.get("MUDRA_SHARED", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real recordings at {folder}; set MUDRA_SHARED to the folder that holds them")
    return folder


@pytest.fixture(scope="session")
def video_maker() -> VideoMaker:
    """Writes tiny videos: `video_maker(path, num_frames=8, fps=10, size=(24, 32))`."""
    return make_video
