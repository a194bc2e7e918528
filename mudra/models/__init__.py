"""Backbones, cells and heads put together under a name: clip_BTCHW becomes logits.

To add one: write its file (source, config, network), and add the config to `AnyModelConfig` below.
"""

from typing import Annotated

from pydantic import Field

from mudra.models.complexity import Complexity as Complexity
from mudra.models.complexity import count_parameters as count_parameters
from mudra.models.complexity import measure_complexity as measure_complexity
from mudra.models.frame_stream import FrameStreamOutput as FrameStreamOutput
from mudra.models.frame_stream import FrameStreamState as FrameStreamState
from mudra.models.frame_window import WindowConfig as WindowConfig
from mudra.models.frame_wise_net import FrameWiseNet as FrameWiseNet
from mudra.models.frame_wise_net import FrameWiseNetConfig as FrameWiseNetConfig
from mudra.models.future_net import FrameErrors as FrameErrors
from mudra.models.future_net import FutureNet as FutureNet
from mudra.models.future_net import FutureNetConfig as FutureNetConfig
from mudra.models.future_net import frame_errors as frame_errors
from mudra.models.future_net import sum_cross_entropy as sum_cross_entropy
from mudra.models.gesture_net import GestureNet as GestureNet
from mudra.models.gesture_net import GestureNetConfig as GestureNetConfig
from mudra.models.gesture_net import StreamState as StreamState
from mudra.models.gesture_net import TrainingOutput as TrainingOutput
from mudra.models.recurrent_frame_net import RecurrentFrameNet as RecurrentFrameNet
from mudra.models.recurrent_frame_net import RecurrentFrameNetConfig as RecurrentFrameNetConfig
from mudra.models.sliding_window import JudgedWindows as JudgedWindows
from mudra.models.sliding_window import WindowState as WindowState
from mudra.models.sliding_window import judge_frames as judge_frames
from mudra.models.sliding_window import judge_windows as judge_windows
from mudra.models.whole_stream import judge_stream as judge_stream

AnyModelConfig = Annotated[
    GestureNetConfig | FrameWiseNetConfig | RecurrentFrameNetConfig | FutureNetConfig, Field(discriminator="kind")
]
