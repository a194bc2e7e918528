"""The temporal modules that stand at the head of a residual branch, for the backbones that take any of them.

Here, and not in the room's `__init__`, so that backbones can name the union.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mudra.backbones.action import ActionConfig
from mudra.backbones.temporal_shift import TemporalShiftConfig

AnyTemporalModuleConfig = Annotated[TemporalShiftConfig | ActionConfig, Field(discriminator="kind")]
