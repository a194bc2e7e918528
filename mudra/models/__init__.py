"""Backbones, cells and heads put together under a name: clip_BTCHW becomes logits.

To add one: write its file (source, config, network), and add the config to `AnyModelConfig` below.
"""

from typing import Annotated

from pydantic import Field

from mudra.models.complexity import Complexity as Complexity
from mudra.models.complexity import count_parameters as count_parameters
from mudra.models.complexity import measure_complexity as measure_complexity
from mudra.models.gesture_net import GestureNet as GestureNet
from mudra.models.gesture_net import GestureNetConfig as GestureNetConfig

AnyModelConfig = Annotated[GestureNetConfig, Field(discriminator="kind")]
