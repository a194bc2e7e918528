"""What the config of every data set says."""

from __future__ import annotations

from typing import Literal

from mudra.config import Config


class DatasetConfig(Config):
    """Base of the data sets' configs."""

    on_damaged: Literal["refuse", "skip"] = "refuse"
    """What training does about damaged files: `refuse` to start, or `skip` them, which the run's card lists."""
