"""Drawn once for all tests of training."""

from __future__ import annotations

import pytest

from mudra.datasets import Dataset
from tests.fixtures.run import tiny_config


@pytest.fixture(scope="session")
def drawn() -> Dataset:
    """The tiny run's data set."""
    data = tiny_config().data
    assert data is not None
    return data.build()
